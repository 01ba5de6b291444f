/* SPDX-License-Identifier: MIT */
#include "elementwise.h"

#include <math.h>
#include <string.h>

#include "../reference/elementwise.h"
#include "neurons.h"

enum { LANES = VECTOR_LANES };

/* ---- spiking neurons ---- */

/** Up to 16 neurons, one a lane. */
struct places {
    __mmask16 inside;          /**< lanes that are there */
    bool neighbours;           /**< lanes lie one after another at every time step; else at: */
    __m512i from, to;          /**< the current's; the noise's and spikes' of the first time step */
    size_t from_step, to_step; /**< from one time step to the next */
};

static inline __m512 load(const struct places *at, __m512i lanes, const float *from)
{
    return at->neighbours
               ? _mm512_maskz_loadu_ps(at->inside, from)
               : _mm512_mask_i32gather_ps(_mm512_setzero_ps(), at->inside, lanes, from, sizeof *from);
}

static inline void store(const struct places *at, __m512 value, float *to)
{
    if (at->neighbours)
        _mm512_mask_storeu_ps(to, at->inside, value);
    else
        _mm512_mask_i32scatter_ps(to, at->inside, at->to, value, sizeof *to);
}

static inline void run_neurons(const struct neuron_constants *k, const struct places *at, int time,
                               const float *current, const float *noise, float *membrane, float *spikes)
{
    __m512 v = _mm512_maskz_loadu_ps(at->inside, membrane);
    for (int t = 0; t < time; t++, current += at->from_step, spikes += at->to_step) {
        __mmask16 spiked;
        __m512 h = neuron_charge(k, v, load(at, at->from, current));
        if (noise != NULL)
            h = _mm512_add_ps(h, load(at, at->to, noise + (size_t)t * at->to_step));
        v = neuron_fire(k, h, &spiked);
        store(at, _mm512_maskz_mov_ps(spiked, _mm512_set1_ps(1)), spikes);
    }
    _mm512_mask_storeu_ps(membrane, at->inside, v);
}

/** Channels whose maps fill vectors. */
static void spike_rows(const struct neuron_constants *k, int n_channels, int time, int current_time,
                       size_t n_pixels, const float *current, const float *noise, float *membrane,
                       float *spikes)
{
    struct places at = {
        .neighbours = true, .from_step = current_time == 1 ? 0 : n_pixels, .to_step = n_pixels};
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t p = 0; p < n_pixels; p += LANES) {
            const size_t from = c * (size_t)current_time * n_pixels + p, to = c * (size_t)time * n_pixels + p;
            at.inside = first_lanes(n_pixels - p);
            run_neurons(k, &at, time, current + from, noise == NULL ? NULL : noise + to,
                        membrane + c * n_pixels + p, spikes + to);
        }
}

/** Smaller maps: as many whole channels in a vector as fit. */
static void spike_channels(const struct neuron_constants *k, int n_channels, int time, int current_time,
                           size_t n_pixels, const float *current, const float *noise, float *membrane,
                           float *spikes)
{
    const size_t together = LANES / n_pixels;
    int32_t from[LANES] = {0}, to[LANES] = {0};
    for (size_t i = 0; i < together * n_pixels; i++) {
        from[i] = (int32_t)(i / n_pixels * (size_t)current_time * n_pixels + i % n_pixels);
        to[i] = (int32_t)(i / n_pixels * (size_t)time * n_pixels + i % n_pixels);
    }
    struct places at = {.from = _mm512_loadu_si512(from),
                        .to = _mm512_loadu_si512(to),
                        .from_step = current_time == 1 ? 0 : n_pixels,
                        .to_step = n_pixels};
    for (size_t c = 0; c < (size_t)n_channels; c += together) {
        const size_t left = (size_t)n_channels - c, to_row = c * (size_t)time * n_pixels;
        at.inside = first_lanes((left < together ? left : together) * n_pixels);
        run_neurons(k, &at, time, current + c * (size_t)current_time * n_pixels,
                    noise == NULL ? NULL : noise + to_row, membrane + c * n_pixels, spikes + to_row);
    }
}

void avx512_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                  const float *current, const float *noise, float *membrane, float *spikes)
{
    const struct neuron_constants k = neuron_constants(neuron);
    (n_pixels >= LANES ? spike_rows : spike_channels)(&k, n_channels, time, current_time, (size_t)n_pixels,
                                                      current, noise, membrane, spikes);
}

/* ---- maps ---- */

void avx512_relu(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 inside = first_lanes(n - i);
        _mm512_mask_storeu_ps(out + i, inside,
                              _mm512_max_ps(_mm512_maskz_loadu_ps(inside, in + i), _mm512_setzero_ps()));
    }
}

void avx512_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                        const float *in, float *out)
{
    for (size_t c = 0; c < (size_t)n_channels; c++, in += n_pixels, out += n_pixels)
        for (size_t p = 0; p < n_pixels; p += LANES) {
            const __mmask16 inside = first_lanes(n_pixels - p);
            const __m512 scaled =
                _mm512_mul_ps(_mm512_set1_ps(scale[c]), _mm512_maskz_loadu_ps(inside, in + p));
            _mm512_mask_storeu_ps(out + p, inside, _mm512_add_ps(scaled, _mm512_set1_ps(shift[c])));
        }
}

static void add_rows(size_t n, const float *a, const float *b, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        const __mmask16 inside = first_lanes(n - i);
        const __m512 left = _mm512_maskz_loadu_ps(inside, a + i),
                     right = _mm512_maskz_loadu_ps(inside, b + i);
        _mm512_mask_storeu_ps(out + i, inside, _mm512_add_ps(left, right));
    }
}

void avx512_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b,
                int b_time, float *out)
{
    const size_t pixels = (size_t)n_pixels, n_rows = (size_t)n_channels * (size_t)time;
    if (a_time == time && b_time == time) {
        add_rows(n_rows * pixels, a, b, out);
        return;
    }
    for (size_t row = 0; row < n_rows; row++) {
        const size_t channel = row / (size_t)time;
        add_rows(pixels, a + (a_time == 1 ? channel : row) * pixels,
                 b + (b_time == 1 ? channel : row) * pixels, out + row * pixels);
    }
}

/* ---- pooling: maps of at most one vector's width ---- */

/** The largest value in each column of rows [first, last) of a plane. */
static __m512 max_of_rows(const struct pool_shape *s, const float *plane, int first, int last)
{
    const __mmask16 inside = first_lanes((size_t)s->in_width);
    __m512 largest = _mm512_maskz_loadu_ps(inside, plane + first * s->in_width);
    for (int y = first + 1; y < last; y++)
        largest = _mm512_max_ps(_mm512_maskz_loadu_ps(inside, plane + y * s->in_width), largest);
    return largest;
}

/** Column `i` of each window of a row: which column of the map that is, and whether there is one. */
static __m512i window_columns(const struct pool_shape *s, int i, __mmask16 *inside)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i column = _mm512_add_epi32(_mm512_mullo_epi32(lane, _mm512_set1_epi32(s->stride)),
                                            _mm512_set1_epi32(i - s->padding));
    *inside = _mm512_cmp_epu32_mask(column, _mm512_set1_epi32(s->in_width), _MM_CMPINT_LT);
    return column;
}

static __m512 max_of_columns(const struct pool_shape *s, __m512 row)
{
    __m512 largest = _mm512_set1_ps(-INFINITY);
    for (int i = 0; i < s->kernel; i++) {
        __mmask16 inside;
        const __m512i column = window_columns(s, i, &inside);
        largest = _mm512_mask_max_ps(largest, inside, _mm512_permutexvar_ps(column, row), largest);
    }
    return largest;
}

void avx512_max_pool(const struct pool_shape *s, const float *in, float *out)
{
    if (s->in_width > LANES || s->out_width > LANES) {
        elementwise_max_pool(s, in, out);
        return;
    }
    const __mmask16 columns = first_lanes((size_t)s->out_width);
    for (int plane = 0; plane < s->n_planes; plane++, in += s->in_height * s->in_width)
        for (int y = 0; y < s->out_height; y++, out += s->out_width) {
            const int top = y * s->stride - s->padding, end = top + s->kernel;
            const __m512 row = max_of_rows(s, in, top < 0 ? 0 : top, end < s->in_height ? end : s->in_height);
            _mm512_mask_storeu_ps(out, columns, max_of_columns(s, row));
        }
}

/* ---- bilinear, factor 2; see reference/elementwise.c ---- */

/** 3/4 near + 1/4 far. */
static inline __m512 blend(__m512 near, __m512 far)
{
    return _mm512_add_ps(_mm512_mul_ps(_mm512_set1_ps(0.75f), near),
                         _mm512_mul_ps(_mm512_set1_ps(0.25f), far));
}

/** row[0 .. width - 1], with the edges once more before and behind. */
static void blend_rows(int width, const float *near, const float *far, float *row)
{
    for (int x = 0; x < width; x += LANES) {
        const __mmask16 inside = first_lanes((size_t)(width - x));
        const __m512 a = _mm512_maskz_loadu_ps(inside, near + x), b = _mm512_maskz_loadu_ps(inside, far + x);
        _mm512_mask_storeu_ps(row + x, inside, blend(a, b));
    }
    row[-1] = row[0];
    row[width] = row[width - 1];
}

static void widen_row(int width, const float *row, float *out)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    for (int x = 0; x < width; x += LANES) {
        const int n = 2 * (width - x);
        const __m512 here = _mm512_loadu_ps(row + x);
        const __m512 even = blend(here, _mm512_loadu_ps(row + x - 1)),
                     odd = blend(here, _mm512_loadu_ps(row + x + 1));
        _mm512_mask_storeu_ps(out + 2 * x, first_lanes((size_t)n), _mm512_permutex2var_ps(even, low, odd));
        if (n > LANES)
            _mm512_mask_storeu_ps(out + 2 * x + LANES, first_lanes((size_t)(n - LANES)),
                                  _mm512_permutex2var_ps(even, high, odd));
    }
}

void avx512_upsample(int n_planes, int height, int width, const float *in, float *out)
{
    float room[KERNELS_LARGEST_SIDE + 2 * LANES + 2], *row = room + 1;
    for (int plane = 0; plane < n_planes; plane++, in += height * width)
        for (int y = 0; y < height; y++)
            for (int side = 0; side < 2; side++, out += 2 * width) {
                const int neighbour = side == 0 ? (y > 0 ? y - 1 : 0) : (y + 1 < height ? y + 1 : y);
                blend_rows(width, in + y * width, in + neighbour * width, row);
                widen_row(width, row, out);
            }
}
