/* SPDX-License-Identifier: MIT */
#include "around.h"

#include <string.h>

#include "bilinear.h"

struct generator_head generator_make_head(const struct generator_convolution *call, size_t channel)
{
    struct generator_head head = {.scales = call->scale != NULL, .rectifies = call->rectifies_input};
    if (head.scales) {
        head.scale = vector_all(call->scale[channel]);
        head.shift = vector_all(call->shift[channel]);
    }
    return head;
}

/** `next` floats behind each row the next channel's lies, which is fetched meanwhile. */
static void read_rows(const struct generator_head *head, size_t n_rows, size_t width, size_t next,
                      const float *from, float *to, size_t stride)
{
    for (size_t y = 0; y < n_rows; y++, from += width, to += stride)
        for (size_t x = 0; x < width; x += LANES) {
            const vector_mask inside = mask_first(width - x);
            __builtin_prefetch(from + next + x);
            vector_store_masked(to + x, inside,
                                generator_apply_head(head, vector_load_masked(inside, from + x)));
        }
}

/* ---- upsampling, see bilinear.h ---- */

/** A map of half the height and width. */
struct half_map {
    const struct generator_head *head;
    const float *plane;
    int height, width;
};

/** Two rows of the map blend into one of the upsampled map, before it is widened. */
struct row_pair {
    const float *near, *far;
};

static struct row_pair rows_of(const struct half_map *map, int y)
{
    const int row = y / 2, beside = y % 2 == 0 ? row - 1 : row + 1;
    const int neighbour = beside < 0 ? 0 : beside >= map->height ? map->height - 1 : beside;
    return (struct row_pair){map->plane + row * map->width, map->plane + neighbour * map->width};
}

static inline vector blend_at(const struct half_map *map, const struct row_pair *rows, int x)
{
    const vector_mask inside = mask_first((size_t)(map->width - x));
    return bilinear_blend(generator_apply_head(map->head, vector_load_masked(inside, rows->near + x)),
                          generator_apply_head(map->head, vector_load_masked(inside, rows->far + x)));
}

/** Rows [first_row, end_row) of the upsampled map, of which half is one vector at most. */
static void upsample_vectors(const struct half_map *map, int first_row, int end_row, float *to, size_t stride)
{
    const int_vector lanes = int_vector_lanes(), last = int_vector_all(map->width - 1);
    const int_vector left = int_vector_larger(int_vector_add(lanes, int_vector_all(-1)), int_vector_zero());
    const int_vector right = int_vector_smaller(int_vector_add(lanes, int_vector_all(1)), last);
    for (int y = first_row; y < end_row; y++, to += stride) {
        const struct row_pair rows = rows_of(map, y);
        const vector here = blend_at(map, &rows, 0);
        bilinear_store(here, vector_permute(here, left), vector_permute(here, right), map->width, to);
    }
}

/** The same of wider ones. */
static void upsample_rows(const struct half_map *map, int first_row, int end_row, float *to, size_t stride)
{
    float room[KERNELS_LARGEST_SIDE + 2 * LANES + 2], *row = room + 1;
    for (int y = first_row; y < end_row; y++, to += stride) {
        const struct row_pair rows = rows_of(map, y);
        for (int x = 0; x < map->width; x += LANES)
            vector_store(row + x, blend_at(map, &rows, x));
        bilinear_widen(map->width, row, to);
    }
}

static void upsample(const struct half_map *map, int first_row, int end_row, float *to, size_t stride)
{
    (map->width <= LANES ? upsample_vectors : upsample_rows)(map, first_row, end_row, to, stride);
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
        const struct half_map map = {&head, call->in + plane * (size_t)(height * half_width), height,
                                     half_width};
        upsample(&map, first_row, end_row, to, stride);
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
        const struct half_map map = {&plain, call->added + plane * (size_t)(height * half_width), height,
                                     half_width};
        upsample(&map, first_row, end_row, to, width);
        return;
    }
    memcpy(to, call->added + (plane * (size_t)s->out_height + (size_t)first_row) * width,
           sizeof *to * (size_t)(end_row - first_row) * width);
}
