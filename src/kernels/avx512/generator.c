/* SPDX-License-Identifier: MIT */
#include "generator.h"

#include <string.h>

#include "few_outputs.h"
#include "upsampled.h"
#include "winograd.h"

enum { LANES = 16 };

static __mmask16 first_lanes(size_t n)
{
    return n >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
}

struct generator_head generator_make_head(const struct generator_convolution *call, size_t channel)
{
    struct generator_head head = {.scales = call->scale != NULL, .rectifies = call->rectifies_input};
    if (head.scales) {
        head.scale = _mm512_set1_ps(call->scale[channel]);
        head.shift = _mm512_set1_ps(call->shift[channel]);
    }
    return head;
}

/** `next` floats behind each row the next channel's lies, which is fetched meanwhile. */
static void read_rows(const struct generator_head *head, size_t n_rows, size_t width, size_t next,
                      const float *from, float *to, size_t stride)
{
    for (size_t y = 0; y < n_rows; y++, from += width, to += stride)
        for (size_t x = 0; x < width; x += LANES) {
            const __mmask16 inside = first_lanes(width - x);
            __builtin_prefetch(from + next + x);
            _mm512_mask_storeu_ps(to + x, inside,
                                  generator_apply_head(head, _mm512_maskz_loadu_ps(inside, from + x)));
        }
}

/* ---- upsampling, see avx512_upsample: the same operations without a row in memory between them ---- */

/** A map of half the height and width, by the columns that a vector of it has at hand. */
struct half_map {
    const struct generator_head *head;
    const float *plane;
    int height, width;
    __m512i left, right; /**< of up to LANES columns, the neighbours, the edges being their own */
};

static struct half_map make_half_map(const struct generator_head *head, const float *plane, int height,
                                     int width)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i one = _mm512_set1_epi32(1), last = _mm512_set1_epi32(width - 1);
    return (struct half_map){head,
                             plane,
                             height,
                             width,
                             _mm512_max_epi32(_mm512_sub_epi32(lanes, one), _mm512_setzero_si512()),
                             _mm512_min_epi32(_mm512_add_epi32(lanes, one), last)};
}

/** 3/4 near + 1/4 far. */
static inline __m512 blend(__m512 near, __m512 far)
{
    return _mm512_add_ps(_mm512_mul_ps(_mm512_set1_ps(0.75f), near),
                         _mm512_mul_ps(_mm512_set1_ps(0.25f), far));
}

/** Columns [x, x + LANES) of a row of the upsampled map, before it is widened; columns beyond are edges. */
static inline __m512 blend_columns(const struct half_map *map, int y, int x)
{
    const int row = y / 2, beside = y % 2 == 0 ? row - 1 : row + 1;
    const int neighbour = beside < 0 ? 0 : beside >= map->height ? map->height - 1 : beside;
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i columns = _mm512_min_epi32(
        _mm512_max_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(x)), _mm512_setzero_si512()),
        _mm512_set1_epi32(map->width - 1));
    const float *near = map->plane + row * map->width, *far = map->plane + neighbour * map->width;
    return blend(generator_apply_head(map->head, _mm512_i32gather_ps(columns, near, sizeof *near)),
                 generator_apply_head(map->head, _mm512_i32gather_ps(columns, far, sizeof *far)));
}

/** The same of a row that is one vector at most, from its first column on. */
static inline __m512 blend_row(const struct half_map *map, int y)
{
    const int row = y / 2, beside = y % 2 == 0 ? row - 1 : row + 1;
    const int neighbour = beside < 0 ? 0 : beside >= map->height ? map->height - 1 : beside;
    const __mmask16 inside = first_lanes((size_t)map->width);
    const __m512 near = _mm512_maskz_loadu_ps(inside, map->plane + row * map->width);
    const __m512 far = _mm512_maskz_loadu_ps(inside, map->plane + neighbour * map->width);
    return blend(generator_apply_head(map->head, near), generator_apply_head(map->head, far));
}

static inline void store_widened(__m512 here, __m512 left, __m512 right, size_t n, float *to)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    const __m512 even = blend(here, left), odd = blend(here, right);
    _mm512_mask_storeu_ps(to, first_lanes(n), _mm512_permutex2var_ps(even, low, odd));
    if (n > LANES)
        _mm512_mask_storeu_ps(to + LANES, first_lanes(n - LANES), _mm512_permutex2var_ps(even, high, odd));
}

/** Rows [first_row, end_row) of the upsampled map. */
static void upsample_rows(const struct half_map *map, int first_row, int end_row, float *to, size_t stride)
{
    for (int y = first_row; y < end_row; y++, to += stride) {
        if (map->width <= LANES) {
            const __m512 here = blend_row(map, y);
            store_widened(here, _mm512_permutexvar_ps(map->left, here),
                          _mm512_permutexvar_ps(map->right, here), 2 * (size_t)map->width, to);
            continue;
        }
        for (int x = 0; x < map->width; x += LANES)
            store_widened(blend_columns(map, y, x), blend_columns(map, y, x - 1),
                          blend_columns(map, y, x + 1), 2 * (size_t)(map->width - x), to + 2 * x);
    }
}

/* ---- what is read and added ---- */

void generator_read_rows(const struct generator_convolution *call, size_t channel, size_t image,
                         int first_row, int end_row, float *to, size_t stride)
{
    const struct convolution_shape *s = call->shape;
    const struct generator_head head = generator_make_head(call, channel);
    const size_t plane = channel * (size_t)s->time + image, width = (size_t)s->in_width;
    if (call->upsamples) {
        const int height = s->in_height / 2, half_width = s->in_width / 2;
        const struct half_map map =
            make_half_map(&head, call->in + plane * (size_t)(height * half_width), height, half_width);
        upsample_rows(&map, first_row, end_row, to, stride);
        return;
    }
    const float *from = call->in + (plane * (size_t)s->in_height + (size_t)first_row) * width;
    read_rows(&head, (size_t)(end_row - first_row), width, (size_t)(s->time * s->in_height) * width, from, to,
              stride);
}

void generator_read_added(const struct generator_convolution *call, size_t channel, size_t image,
                          int first_row, int end_row, float *to)
{
    const struct convolution_shape *s = call->shape;
    const size_t plane = channel * (size_t)s->time + image, width = (size_t)s->out_width;
    if (call->added_is_half) {
        const struct generator_head plain = {.scales = false, .rectifies = false};
        const int height = s->out_height / 2, half_width = s->out_width / 2;
        const struct half_map map =
            make_half_map(&plain, call->added + plane * (size_t)(height * half_width), height, half_width);
        upsample_rows(&map, first_row, end_row, to, width);
        return;
    }
    memcpy(to, call->added + (plane * (size_t)s->out_height + (size_t)first_row) * width,
           sizeof *to * (size_t)(end_row - first_row) * width);
}

/* ---- which of them ---- */

static bool fits(const struct generator_convolution *call)
{
    return few_outputs_fit(call) || winograd_fits(call->shape);
}

static size_t weight_size(const struct generator_convolution *call)
{
    if (upsampled_fits(call))
        return upsampled_weight_size(call->shape);
    return few_outputs_fit(call) ? few_outputs_weight_size(call->shape) : winograd_weight_size(call->shape);
}

static void arrange(const struct generator_convolution *call, const float *weight, float *arranged)
{
    if (upsampled_fits(call))
        upsampled_arrange(call->shape, weight, arranged);
    else if (few_outputs_fit(call))
        few_outputs_arrange(call->shape, weight, arranged);
    else
        winograd_arrange(call->shape, weight, arranged);
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    if (upsampled_fits(call))
        return upsampled_scratch(call);
    return few_outputs_fit(call) ? few_outputs_scratch(call->shape) : winograd_scratch(call);
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    if (upsampled_fits(call))
        upsampled_convolve(call, out, scratch);
    else if (few_outputs_fit(call))
        few_outputs_convolve(call, out, scratch);
    else
        winograd_convolve(call, out, scratch);
}

const struct generator_kernels avx512_generators = {.fits = fits,
                                                    .weight_size = weight_size,
                                                    .arrange = arrange,
                                                    .scratch = scratch_floats,
                                                    .convolution = convolve};
