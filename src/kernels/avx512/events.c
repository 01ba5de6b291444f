/* SPDX-License-Identifier: MIT */
#include "events.h"

#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../columns.h"

enum { LANES = 16, MOST_VECTORS = 16, SUM_BITS = 31, SMALLEST_UNIT = -149 };

/** Parts of the scratch memory. */
struct work {
    size_t width;       /**< of a row of weights, in floats */
    size_t capacity;    /**< spikes a pixel can have, in whole vectors */
    uint32_t *n_spikes; /**< [input pixel] of one time step */
    uint32_t *spikes;   /**< [input pixel][capacity]: where the rows of their channels begin */
    uint32_t *rows;     /**< [taps][capacity]: where the rows of one output begin */
    __mmask16 *masks;   /**< see make_masks */
    int32_t *constant;  /**< [output pixel][width]: of what spikes at every step */
    int32_t *sums;      /**< [time][output pixel][width] */
};

static size_t in_pixels(const struct convolution_shape *s)
{
    return (size_t)s->in_height * (size_t)s->in_width;
}

static size_t out_pixels(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

static size_t n_vectors(const struct convolution_shape *s)
{
    return (in_pixels(s) + LANES - 1) / LANES;
}

static size_t row_width(const struct convolution_shape *s)
{
    return ((size_t)s->out_channels + LANES - 1) / LANES * LANES;
}

bool events_fit(const struct convolution_shape *s)
{
    return s->takes_spikes && columns_filter(s) * row_width(s) <= UINT32_MAX;
}

/* Weights are whole numbers of a unit, a power of two for each output: sums of them are exact, in whatever
 * order. */

/** Rows of weights [channel][tap][width], and the unit of every output [width]. */
size_t events_weight_size(const struct convolution_shape *s)
{
    return (columns_filter(s) + 1) * row_width(s);
}

/** log2 of the smallest unit in which every sum of some of the weights fits into 32 bits, also after
 * rounding. */
static int find_unit(const float *weight, size_t n)
{
    double positive = 0, negative = 0;
    int exponent;
    for (size_t k = 0; k < n; k++)
        *(weight[k] > 0 ? &positive : &negative) += fabs((double)weight[k]);
    frexp(fmax(positive, negative) * (1 + (double)n * 0x1p-31), &exponent);
    return exponent - SUM_BITS > SMALLEST_UNIT ? exponent - SUM_BITS : SMALLEST_UNIT;
}

void events_arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t filter = columns_filter(s), width = row_width(s);
    memset(arranged, 0, sizeof *arranged * events_weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++, weight += filter) {
        const int unit = find_unit(weight, filter);
        for (size_t k = 0; k < filter; k++) {
            const int32_t units = (int32_t)lrint(ldexp((double)weight[k], -unit));
            memcpy(arranged + k * width + o, &units, sizeof units);
        }
        arranged[filter * width + o] = (float)ldexp(1, unit);
    }
}

/* ---- scratch ---- */

static size_t whole_lines(size_t n_words)
{
    return (n_words + LANES - 1) / LANES * LANES;
}

static size_t capacity(const struct convolution_shape *s)
{
    return whole_lines((size_t)s->in_channels);
}

static size_t most_rows(const struct convolution_shape *s)
{
    return (size_t)s->kernel_height * (size_t)s->kernel_width * capacity(s);
}

static size_t mask_words(const struct convolution_shape *s)
{
    return ((size_t)s->in_channels * n_vectors(s) * ((size_t)s->time + 1) + 1) / 2;
}

size_t events_scratch(const struct convolution_shape *s)
{
    return whole_lines(in_pixels(s)) + in_pixels(s) * capacity(s) + most_rows(s) +
           whole_lines(mask_words(s)) + (out_pixels(s) + columns_positions(s)) * row_width(s);
}

/** The next `n_words` of the scratch memory. */
static void *take(float **scratch, size_t n_words)
{
    void *part = *scratch;
    *scratch += whole_lines(n_words);
    return part;
}

static struct work divide_scratch(const struct convolution_shape *s, float *scratch)
{
    struct work work = {.width = row_width(s), .capacity = capacity(s)};
    work.n_spikes = take(&scratch, in_pixels(s));
    work.spikes = take(&scratch, in_pixels(s) * work.capacity);
    work.rows = take(&scratch, most_rows(s));
    work.masks = take(&scratch, mask_words(s));
    work.constant = take(&scratch, out_pixels(s) * work.width);
    work.sums = take(&scratch, columns_positions(s) * work.width);
    memset(work.constant, 0, sizeof *work.constant * out_pixels(s) * work.width);
    return work;
}

/* ---- events ---- */

/** Spikes of 16 pixels. */
static __mmask16 find_spikes(const float *frame, size_t left)
{
    const __mmask16 inside = left >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
    return _mm512_cmp_ps_mask(_mm512_maskz_loadu_ps(inside, frame), _mm512_setzero_ps(), _CMP_NEQ_OQ);
}

/** masks [channel][vector of pixels][time + 1]: who spikes always, then who spikes at each step and not
 * always. */
static void make_masks(const struct convolution_shape *s, __mmask16 *masks, const float *in)
{
    const size_t pixels = in_pixels(s), time = (size_t)s->time;
    for (size_t c = 0; c < (size_t)s->in_channels; c++, in += time * pixels)
        for (size_t first = 0; first < pixels; first += LANES, masks += time + 1) {
            masks[0] = 0xffff;
            for (size_t t = 0; t < time; t++) {
                masks[1 + t] = find_spikes(in + t * pixels + first, pixels - first);
                masks[0] = (__mmask16)(masks[0] & masks[1 + t]);
            }
            for (size_t t = 0; t < time; t++)
                masks[1 + t] = (__mmask16)(masks[1 + t] & ~masks[0]);
        }
}

/** List the channels that spike at each pixel, by the masks at `step`. */
static void collect_spikes(const struct convolution_shape *s, const struct work *work, size_t step)
{
    const size_t channel_rows = (size_t)s->kernel_height * (size_t)s->kernel_width * work->width;
    const __mmask16 *mask = work->masks + step;
    memset(work->n_spikes, 0, sizeof *work->n_spikes * in_pixels(s));
    for (size_t c = 0; c < (size_t)s->in_channels; c++)
        for (size_t vector = 0; vector < n_vectors(s); vector++, mask += s->time + 1)
            for (unsigned spikes = *mask; spikes != 0; spikes &= spikes - 1) {
                const size_t pixel = vector * LANES + (size_t)__builtin_ctz(spikes);
                work->spikes[pixel * work->capacity + work->n_spikes[pixel]++] = (uint32_t)(c * channel_rows);
            }
}

/** Append the rows of a pixel's spikes under a tap, whole vectors of them; what is behind them counts for
 * nothing.
 */
static size_t append_rows(const struct work *work, size_t pixel, size_t tap, size_t n_rows)
{
    const uint32_t *spikes = work->spikes + pixel * work->capacity;
    const size_t n = work->n_spikes[pixel];
    const __m512i shift = _mm512_set1_epi32((int)(tap * work->width));
    for (size_t i = 0; i < n; i += LANES)
        _mm512_storeu_si512(work->rows + n_rows + i, _mm512_add_epi32(_mm512_loadu_si512(spikes + i), shift));
    return n_rows + n;
}

/** List the rows of weights whose sum an output pixel is, in the order (tap, channel). */
static size_t collect_rows(const struct convolution_shape *s, const struct work *work, int y, int x)
{
    size_t n_rows = 0;
    for (int i = 0; i < s->kernel_height; i++) {
        const int in_y = y * s->stride + i - s->pad_top;
        for (int j = 0; j < s->kernel_width && in_y >= 0 && in_y < s->in_height; j++) {
            const int in_x = x * s->stride + j - s->pad_left;
            if (in_x >= 0 && in_x < s->in_width)
                n_rows = append_rows(work, (size_t)(in_y * s->in_width + in_x),
                                     (size_t)(i * s->kernel_width + j), n_rows);
        }
    }
    return n_rows;
}

/* ---- sums ---- */

/** `width` vectors of one output: a constant at every call, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void add_rows(const float *weight, const uint32_t *rows,
                                                           size_t n_rows, const int32_t *start, int width,
                                                           int32_t *out)
{
    __m512i sum[MOST_VECTORS];
#pragma GCC unroll 16
    for (int v = 0; v < width; v++)
        sum[v] = _mm512_loadu_si512(start + v * LANES);
    for (size_t i = 0; i < n_rows; i++)
#pragma GCC unroll 16
        for (int v = 0; v < width; v++)
            sum[v] = _mm512_add_epi32(sum[v], _mm512_loadu_si512(weight + rows[i] + v * LANES));
#pragma GCC unroll 16
    for (int v = 0; v < width; v++)
        _mm512_storeu_si512(out + v * LANES, sum[v]);
}

/** out [width] = start [width] + the rows that are listed. */
static void sum_rows(const struct work *work, const float *weight, size_t n, const int32_t *start,
                     int32_t *out)
{
    const uint32_t *rows = work->rows;
    size_t o = 0;
    for (; o + 16 * LANES <= work->width; o += 16 * LANES)
        add_rows(weight + o, rows, n, start + o, 16, out + o);
    for (; o + 8 * LANES <= work->width; o += 8 * LANES)
        add_rows(weight + o, rows, n, start + o, 8, out + o);
    for (; o + 4 * LANES <= work->width; o += 4 * LANES)
        add_rows(weight + o, rows, n, start + o, 4, out + o);
    for (; o < work->width; o += LANES)
        add_rows(weight + o, rows, n, start + o, 1, out + o);
}

/** sums [output pixel][width] of one step's masks. */
static void sum_step(const struct convolution_shape *s, const struct work *work, const float *weight,
                     size_t step, int32_t *sums)
{
    const int32_t *start = work->constant;
    collect_spikes(s, work, step);
    for (int y = 0; y < s->out_height; y++)
        for (int x = 0; x < s->out_width; x++, start += work->width, sums += work->width)
            sum_rows(work, weight, collect_rows(s, work, y, x), start, sums);
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

/** 16 positions of 16 outputs, in units of the outputs. */
static void take_block(const int32_t *sums, size_t width, size_t n_positions, __m512 units, __m512 bias,
                       __m512 v[LANES])
{
    for (size_t i = 0; i < LANES; i++)
        v[i] = i < n_positions
                   ? _mm512_add_ps(
                         _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_loadu_si512(sums + i * width)), units), bias)
                   : _mm512_setzero_ps();
    transpose(v);
}

/** out[o][position] = bias[o] + sums[position][o]. */
static void put_sums(const struct convolution_shape *s, const struct work *work, const float *units,
                     const float *bias, float *out)
{
    const size_t n = columns_positions(s), n_outputs = (size_t)s->out_channels;
    for (size_t position = 0; position < n; position += LANES) {
        const size_t left = n - position < LANES ? n - position : LANES;
        const __mmask16 inside = (__mmask16)((1u << left) - 1);
        for (size_t first = 0; first < n_outputs; first += LANES) {
            const __mmask16 outputs =
                (__mmask16)((1u << (n_outputs - first < LANES ? n_outputs - first : LANES)) - 1);
            const __m512 add =
                bias == NULL ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(outputs, bias + first);
            __m512 v[LANES];
            take_block(work->sums + position * work->width + first, work->width, left,
                       _mm512_loadu_ps(units + first), add, v);
            for (size_t o = first; o < first + LANES && o < n_outputs; o++)
                _mm512_mask_storeu_ps(out + o * n + position, inside, v[o - first]);
        }
    }
}

void events_convolve(const struct convolution_shape *s, const float *weight, const float *bias,
                     const float *in, float *out, float *scratch)
{
    const struct work work = divide_scratch(s, scratch);
    make_masks(s, work.masks, in);
    sum_step(s, &work, weight, 0, work.constant);
    for (size_t t = 0; t < (size_t)s->time; t++)
        sum_step(s, &work, weight, 1 + t, work.sums + t * out_pixels(s) * work.width);
    put_sums(s, &work, weight + columns_filter(s) * work.width, bias, out);
}
