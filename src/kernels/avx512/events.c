/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "../columns.h"

/* Rows are summed up in steps, as the rounding errors of long sums flip more spikes. */
enum { LANES = 16, STEP = 64, MOST_VECTORS = 8 };

/** Where an input pixel is seen. */
struct reach {
    uint32_t output; /**< pixel */
    uint32_t tap;
};

/** Parts of the scratch memory. */
struct work {
    size_t width;        /**< of a row of weights, in floats */
    size_t capacity;     /**< rows an output can get */
    int *n_reached;      /**< [input pixel] */
    struct reach *reach; /**< [input pixel][taps] */
    uint32_t *n_rows;    /**< [output pixel] of one time step */
    uint32_t *rows;      /**< [output pixel][capacity]: where the rows of its events begin */
    float *bias;         /**< [width] */
    float *sums;         /**< [time][output pixel][width] */
};

static size_t in_pixels(const struct convolution_shape *s)
{
    return (size_t)s->in_height * (size_t)s->in_width;
}

static size_t out_pixels(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

static size_t n_taps(const struct convolution_shape *s)
{
    return (size_t)s->kernel_height * (size_t)s->kernel_width;
}

static size_t row_width(const struct convolution_shape *s)
{
    return ((size_t)s->out_channels + LANES - 1) / LANES * LANES;
}

bool events_fit(const struct convolution_shape *s)
{
    return s->takes_spikes && columns_filter(s) * row_width(s) <= UINT32_MAX;
}

size_t events_weight_size(const struct convolution_shape *s)
{
    return columns_filter(s) * row_width(s);
}

void events_arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t filter = columns_filter(s), width = row_width(s);
    memset(arranged, 0, sizeof *arranged * filter * width);
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t k = 0; k < filter; k++)
            arranged[k * width + o] = weight[o * filter + k];
}

/* ---- scratch ---- */

static size_t whole_lines(size_t n_words)
{
    return (n_words + LANES - 1) / LANES * LANES;
}

size_t events_scratch(const struct convolution_shape *s)
{
    return whole_lines(in_pixels(s)) + whole_lines(2 * in_pixels(s) * n_taps(s)) +
           whole_lines(out_pixels(s)) + whole_lines(out_pixels(s) * columns_filter(s)) +
           (1 + columns_positions(s)) * row_width(s);
}

/** The next `n_words` of the scratch memory. */
static void *take(float **scratch, size_t n_words)
{
    void *part = *scratch;
    *scratch += whole_lines(n_words);
    return part;
}

static struct work divide_scratch(const struct convolution_shape *s, const float *bias, float *scratch)
{
    struct work work = {.width = row_width(s), .capacity = columns_filter(s)};
    work.n_reached = take(&scratch, in_pixels(s));
    work.reach = take(&scratch, 2 * in_pixels(s) * n_taps(s));
    work.n_rows = take(&scratch, out_pixels(s));
    work.rows = take(&scratch, out_pixels(s) * work.capacity);
    work.bias = take(&scratch, work.width);
    work.sums = scratch;
    for (size_t o = 0; o < work.width; o++)
        work.bias[o] = bias == NULL || o >= (size_t)s->out_channels ? 0.0f : bias[o];
    return work;
}

/* ---- events ---- */

/** The output row or column that sees input `in` under `tap`, or -1. */
static int seen_at(int in, int tap, int padding, int stride, int out_size)
{
    const int out = in + padding - tap;
    return out < 0 || out % stride != 0 || out / stride >= out_size ? -1 : out / stride;
}

static void find_reach(const struct convolution_shape *s, const struct work *work)
{
    for (int pixel = 0; pixel < s->in_height * s->in_width; pixel++) {
        struct reach *reach = work->reach + (size_t)pixel * n_taps(s);
        int n = 0;
        for (int i = 0; i < s->kernel_height; i++) {
            const int y = seen_at(pixel / s->in_width, i, s->pad_top, s->stride, s->out_height);
            for (int j = 0; j < s->kernel_width && y >= 0; j++) {
                const int x = seen_at(pixel % s->in_width, j, s->pad_left, s->stride, s->out_width);
                if (x >= 0)
                    reach[n++] =
                        (struct reach){(uint32_t)(y * s->out_width + x), (uint32_t)(i * s->kernel_width + j)};
            }
        }
        work->n_reached[pixel] = n;
    }
}

/** One spike: `row` is where the rows of its channel begin. */
static inline void add_event(const struct work *work, size_t pixel, size_t taps, uint32_t row)
{
    const struct reach *reach = work->reach + pixel * taps;
    for (int i = 0; i < work->n_reached[pixel]; i++) {
        const size_t output = reach[i].output;
        work->rows[output * work->capacity + work->n_rows[output]++] =
            row + reach[i].tap * (uint32_t)work->width;
    }
}

/** List the rows of every output at one time step, in the order (channel, tap). */
static void collect_events(const struct convolution_shape *s, const struct work *work, size_t t,
                           const float *in)
{
    const size_t pixels = in_pixels(s), taps = n_taps(s);
    memset(work->n_rows, 0, sizeof *work->n_rows * out_pixels(s));
    for (size_t c = 0; c < (size_t)s->in_channels; c++) {
        const float *frame = in + (c * (size_t)s->time + t) * pixels;
        const uint32_t row = (uint32_t)(c * taps * work->width);
        for (size_t first = 0; first < pixels; first += LANES) {
            const size_t left = pixels - first;
            const __mmask16 inside = left >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
            unsigned spikes = _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(inside, frame + first),
                                                 _mm512_setzero_ps(), _CMP_NEQ_OQ);
            for (; spikes != 0; spikes &= spikes - 1)
                add_event(work, first + (size_t)__builtin_ctz(spikes), taps, row);
        }
    }
}

/* ---- sums ---- */

/** `width` vectors of one output: a constant at every call, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void
add_rows(const float *weight, const uint32_t *rows, size_t n_rows, const float *bias, int width, float *out)
{
    __m512 total[MOST_VECTORS], sum[MOST_VECTORS];
#pragma GCC unroll 8
    for (int v = 0; v < width; v++)
        total[v] = _mm512_loadu_ps(bias + v * LANES);
    for (size_t first = 0; first < n_rows; first += STEP) {
        const size_t last = first + STEP < n_rows ? first + STEP : n_rows;
#pragma GCC unroll 8
        for (int v = 0; v < width; v++)
            sum[v] = _mm512_setzero_ps();
        for (size_t i = first; i < last; i++)
#pragma GCC unroll 8
            for (int v = 0; v < width; v++)
                sum[v] = _mm512_add_ps(sum[v], _mm512_loadu_ps(weight + rows[i] + v * LANES));
#pragma GCC unroll 8
        for (int v = 0; v < width; v++)
            total[v] = _mm512_add_ps(total[v], sum[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < width; v++)
        _mm512_storeu_ps(out + v * LANES, total[v]);
}

/** All outputs of one pixel. */
static void sum_rows(const struct work *work, const float *weight, size_t output, float *out)
{
    const float *bias = work->bias;
    const uint32_t *rows = work->rows + output * work->capacity;
    const size_t n = work->n_rows[output];
    size_t o = 0;
    for (; o + 8 * LANES <= work->width; o += 8 * LANES)
        add_rows(weight + o, rows, n, bias + o, 8, out + o);
    for (; o + 4 * LANES <= work->width; o += 4 * LANES)
        add_rows(weight + o, rows, n, bias + o, 4, out + o);
    for (; o < work->width; o += LANES)
        add_rows(weight + o, rows, n, bias + o, 1, out + o);
}

/* ---- output ---- */

/** Transpose 16 vectors. */
static inline void transpose(__m512 v[LANES])
{
    __m512 t[LANES];
    for (int i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < LANES; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/** out[o][position] = sums[position][o]. */
static void put_sums(const struct convolution_shape *s, const struct work *work, float *out)
{
    const size_t n = columns_positions(s), n_outputs = (size_t)s->out_channels;
    for (size_t position = 0; position < n; position += LANES) {
        const size_t left = n - position < LANES ? n - position : LANES;
        const __mmask16 inside = (__mmask16)((1u << left) - 1);
        for (size_t first = 0; first < n_outputs; first += LANES) {
            __m512 v[LANES];
            for (size_t i = 0; i < LANES; i++)
                v[i] = i < left ? _mm512_loadu_ps(work->sums + (position + i) * work->width + first)
                                : _mm512_setzero_ps();
            transpose(v);
            for (size_t o = first; o < first + LANES && o < n_outputs; o++)
                _mm512_mask_storeu_ps(out + o * n + position, inside, v[o - first]);
        }
    }
}

void events_convolve(const struct convolution_shape *s, const float *weight, const float *bias,
                     const float *in, float *out, float *scratch)
{
    const struct work work = divide_scratch(s, bias, scratch);
    float *sums = work.sums;
    find_reach(s, &work);
    for (size_t t = 0; t < (size_t)s->time; t++) {
        collect_events(s, &work, t, in);
        for (size_t output = 0; output < out_pixels(s); output++, sums += work.width)
            sum_rows(&work, weight, output, sums);
    }
    put_sums(s, &work, out);
}
