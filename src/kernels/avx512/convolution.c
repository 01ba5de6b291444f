/* SPDX-License-Identifier: MIT */
/*
 * Convolutions as a matrix product whose right-hand side is never made: where output and input have one size,
 * the values under a tap are the map itself, shifted, and what a shift brings in over an edge is masked away.
 * Eight output channels and up to 48 output positions stay in registers; every output is summed up in the
 * order (channel, tap), in steps of about SUM_TERMS terms, so that it does not depend on its place or on its
 * neighbours.
 *
 * Other strides and paddings first gather their columns, which then are a map under a single tap.
 */
#include "kernels.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "../columns.h"
#include "../reference/elementwise.h"

enum { ROWS = 8, LANES = 16, MOST_VECTORS = 3, FEW_POSITIONS = 4, MOST_TAPS = 1024, SUM_TERMS = 64 };

/** A product of arranged weights with shifted maps. */
struct product {
    int n_outputs; /**< output channels */
    int n_inputs;  /**< input channels */
    int n_taps;
    size_t n_positions;           /**< of input and output alike */
    size_t in_stride, out_stride; /**< from channel to channel */
    const ptrdiff_t *shifts;      /**< [n_taps] */
    const __mmask16 *masks;       /**< [vector of positions][n_taps] */
    const float *weight;          /**< [block of ROWS outputs][n_inputs][n_taps][ROWS] */
    const float *bias;            /**< [n_outputs] or NULL */
    const float *in;              /**< [n_inputs][in_stride] */
    float *out;                   /**< [n_outputs][out_stride] */
};

static size_t n_blocks(int n_outputs)
{
    return (size_t)(n_outputs + ROWS - 1) / ROWS;
}

static size_t n_vectors(size_t n_positions)
{
    return (n_positions + LANES - 1) / LANES;
}

/* ---- the product ---- */

/** Put one vector of an output channel, or add to it, as far as it lies inside the map. */
static inline __attribute__((always_inline)) void store(const struct product *p, size_t output, size_t vector,
                                                        __m512 sum, bool adds)
{
    const size_t position = vector * LANES, left = p->n_positions - position;
    const __mmask16 inside = left >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
    float *out = p->out + output * p->out_stride + position;
    if (adds)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(inside, out), sum);
    _mm512_mask_storeu_ps(out, inside, sum);
}

/**
 * Input channels [first_input, last_input) for one block of outputs times `width` vectors of positions;
 * `width` is a constant at every call, and so are all loops around the sums: only then do these stay in
 * registers.
 */
static inline __attribute__((always_inline)) void
multiply(const struct product *p, size_t block, size_t vector, int width, int first_input, int last_input)
{
    __m512 sum[ROWS][MOST_VECTORS];
    const size_t taps = (size_t)p->n_taps, first = block * ROWS, n_outputs = (size_t)p->n_outputs;
    const float *weight = p->weight + (block * (size_t)p->n_inputs + (size_t)first_input) * taps * ROWS;
    const float *row = p->in + (size_t)first_input * p->in_stride + vector * LANES;
    const __mmask16 *masks = p->masks + vector * taps;
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (int v = 0; v < width; v++)
            sum[o][v] = first_input == 0 && p->bias != NULL && first + o < n_outputs
                            ? _mm512_set1_ps(p->bias[first + o])
                            : _mm512_setzero_ps();
    for (int c = first_input; c < last_input; c++, row += p->in_stride)
        for (size_t tap = 0; tap < taps; tap++, weight += ROWS) {
            __m512 value[MOST_VECTORS];
#pragma GCC unroll 3
            for (int v = 0; v < width; v++)
                value[v] =
                    _mm512_maskz_loadu_ps(masks[(size_t)v * taps + tap], row + p->shifts[tap] + v * LANES);
#pragma GCC unroll 8
            for (int o = 0; o < ROWS; o++) {
                const __m512 factor = _mm512_set1_ps(weight[o]);
#pragma GCC unroll 3
                for (int v = 0; v < width; v++)
                    sum[o][v] = _mm512_fmadd_ps(factor, value[v], sum[o][v]);
            }
        }
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (int v = 0; v < width; v++)
            if (first + o < n_outputs)
                store(p, first + o, vector + (size_t)v, sum[o][v], first_input > 0);
}

/** A sum of sums of about SUM_TERMS terms each: rounding errors of long sums would flip spikes. */
static inline __attribute__((always_inline)) void multiply_inputs(const struct product *p, size_t block,
                                                                  size_t vector, int width)
{
    const int step = SUM_TERMS / p->n_taps > 0 ? SUM_TERMS / p->n_taps : 1;
    for (int c = 0; c < p->n_inputs; c += step)
        multiply(p, block, vector, width, c, c + step < p->n_inputs ? c + step : p->n_inputs);
}

/** Blocks outside, positions inside: a block's weights stay in the cache while the map passes by. */
static void multiply_all(const struct product *p)
{
    const size_t vectors = n_vectors(p->n_positions);
    for (size_t block = 0; block < n_blocks(p->n_outputs); block++) {
        size_t vector = 0;
        for (; vector + 3 <= vectors && vector + 4 != vectors; vector += 3)
            multiply_inputs(p, block, vector, 3);
        for (; vector + 2 <= vectors; vector += 2)
            multiply_inputs(p, block, vector, 2);
        if (vector < vectors)
            multiply_inputs(p, block, vector, 1);
    }
}

/** Few positions fill no vector: here the outputs of a block lie in the lanes, a position at a time. */
static void multiply_few(const struct product *p)
{
    const size_t n_inputs = (size_t)p->n_inputs;
    for (size_t block = 0; block < n_blocks(p->n_outputs); block++) {
        const float *weight = p->weight + block * n_inputs * ROWS;
        for (size_t position = 0; position < p->n_positions; position++) {
            float sums[ROWS];
            __m256 sum = _mm256_setzero_ps();
            for (size_t c = 0; c < n_inputs; c++)
                sum = _mm256_fmadd_ps(_mm256_loadu_ps(weight + c * ROWS),
                                      _mm256_set1_ps(p->in[c * p->in_stride + position]), sum);
            _mm256_storeu_ps(sums, sum);
            for (size_t o = 0; o < ROWS && block * ROWS + o < (size_t)p->n_outputs; o++)
                p->out[(block * ROWS + o) * p->out_stride + position] =
                    sums[o] + (p->bias == NULL ? 0.0f : p->bias[block * ROWS + o]);
        }
    }
}

/* ---- masks ---- */

/** masks [vector][tap]: which lanes of a vector lie inside the frame after the tap's shift. */
static void make_masks(const struct convolution_shape *s, __mmask16 *masks)
{
    const size_t taps = (size_t)(s->kernel_height * s->kernel_width);
    const size_t n = columns_positions(s);
    const int height = s->out_height, width = s->out_width;
    memset(masks, 0, sizeof *masks * n_vectors(n) * taps);
    int y = 0, x = 0;
    for (size_t position = 0; position < n; position++) {
        __mmask16 *vector = masks + position / LANES * taps;
        const unsigned lane = 1u << position % LANES;
        for (int i = 0; i < s->kernel_height; i++) {
            const int in_y = y + i - s->pad_top;
            for (int j = 0; j < s->kernel_width && in_y >= 0 && in_y < height; j++) {
                const int in_x = x + j - s->pad_left;
                if (in_x >= 0 && in_x < width)
                    vector[i * s->kernel_width + j] = (__mmask16)(vector[i * s->kernel_width + j] | lane);
            }
        }
        if (++x == width) {
            x = 0;
            y = y + 1 == height ? 0 : y + 1;
        }
    }
}

static void make_full_masks(size_t n, __mmask16 *masks)
{
    for (size_t vector = 0; vector < n_vectors(n); vector++) {
        const size_t left = n - vector * LANES;
        masks[vector] = left >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
    }
}

/** Floats that hold so many masks, in whole cache lines. */
static size_t mask_floats(size_t n_masks)
{
    return (n_masks * sizeof(__mmask16) + 63) / 64 * 16;
}

/* ---- weights ---- */

/** arranged [block][k][ROWS] from a matrix [n_outputs][n_inputs] with the given strides; rows beyond are
 * zero. */
static void arrange(const float *matrix, int n_outputs, size_t n_inputs, size_t output_stride,
                    size_t input_stride, float *arranged)
{
    for (size_t block = 0; block < n_blocks(n_outputs); block++)
        for (size_t k = 0; k < n_inputs; k++)
            for (size_t o = block * ROWS; o < (block + 1) * ROWS; o++)
                *arranged++ = o < (size_t)n_outputs ? matrix[o * output_stride + k * input_stride] : 0.0f;
}

static size_t convolution_weight_size(const struct convolution_shape *s)
{
    return n_blocks(s->out_channels) * ROWS * columns_filter(s);
}

static void arrange_convolution(const struct convolution_shape *s, const float *weight, float *arranged)
{
    arrange(weight, s->out_channels, columns_filter(s), columns_filter(s), 1, arranged);
}

static int transposed_rows(const struct convolution_shape *s)
{
    return s->out_channels * s->kernel_height * s->kernel_width;
}

static size_t transposed_weight_size(const struct convolution_shape *s)
{
    return n_blocks(transposed_rows(s)) * ROWS * (size_t)s->in_channels;
}

static void arrange_transposed(const struct convolution_shape *s, const float *weight, float *arranged)
{
    arrange(weight, transposed_rows(s), (size_t)s->in_channels, 1, (size_t)transposed_rows(s), arranged);
}

/* ---- kernels ---- */

/** Time steps whose columns are gathered at once: about 1 MiB of them. */
static int gathered_times(const struct convolution_shape *s)
{
    const size_t frame = columns_filter(s) * (size_t)s->out_height * (size_t)s->out_width;
    const size_t most = ((size_t)1 << 18) / frame;
    return most < 1 ? 1 : most < (size_t)s->time ? (int)most : s->time;
}

static size_t gathered_positions(const struct convolution_shape *s)
{
    return (size_t)gathered_times(s) * (size_t)s->out_height * (size_t)s->out_width;
}

static bool shifts_map(const struct convolution_shape *s)
{
    return columns_keep_size(s) && s->kernel_height * s->kernel_width <= MOST_TAPS &&
           columns_positions(s) > FEW_POSITIONS;
}

static size_t convolution_scratch(const struct convolution_shape *s)
{
    const size_t taps = (size_t)(s->kernel_height * s->kernel_width);
    if (shifts_map(s))
        return mask_floats(n_vectors(columns_positions(s)) * taps);
    return mask_floats(n_vectors(gathered_positions(s))) + columns_filter(s) * gathered_positions(s);
}

/** A matrix [n_inputs][n_positions] times the weights: a map under one tap. */
static void multiply_matrix(struct product *p, __mmask16 *masks)
{
    static const ptrdiff_t no_shift = 0;
    make_full_masks(p->n_positions, masks);
    p->n_taps = 1;
    p->shifts = &no_shift;
    p->masks = masks;
    p->in_stride = p->n_positions;
    if (p->n_positions <= FEW_POSITIONS)
        multiply_few(p);
    else
        multiply_all(p);
}

static void convolve_gathered(const struct convolution_shape *s, const float *weight, const float *bias,
                              const float *in, float *out, float *scratch)
{
    const int most = gathered_times(s);
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    float *columns = scratch + mask_floats(n_vectors(gathered_positions(s)));
    for (int t = 0; t < s->time; t += most) {
        const int n_times = s->time - t < most ? s->time - t : most;
        columns_gather(s, in, t, n_times, columns);
        struct product product = {.n_outputs = s->out_channels,
                                  .n_inputs = (int)columns_filter(s),
                                  .n_positions = (size_t)n_times * pixels,
                                  .out_stride = columns_positions(s),
                                  .weight = weight,
                                  .bias = bias,
                                  .in = columns,
                                  .out = out + (size_t)t * pixels};
        multiply_matrix(&product, (__mmask16 *)scratch);
    }
}

static void convolve_shifted(const struct convolution_shape *s, const float *weight, const float *bias,
                             const float *in, float *out, float *scratch)
{
    ptrdiff_t shifts[MOST_TAPS];
    const size_t n = columns_positions(s);
    for (int i = 0; i < s->kernel_height; i++)
        for (int j = 0; j < s->kernel_width; j++)
            shifts[i * s->kernel_width + j] = (ptrdiff_t)(i - s->pad_top) * s->out_width + j - s->pad_left;
    make_masks(s, (__mmask16 *)scratch);
    const struct product product = {.n_outputs = s->out_channels,
                                    .n_inputs = s->in_channels,
                                    .n_taps = s->kernel_height * s->kernel_width,
                                    .n_positions = n,
                                    .in_stride = n,
                                    .out_stride = n,
                                    .shifts = shifts,
                                    .masks = (const __mmask16 *)scratch,
                                    .weight = weight,
                                    .bias = bias,
                                    .in = in,
                                    .out = out};
    multiply_all(&product);
}

static void convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch)
{
    (shifts_map(s) ? convolve_shifted : convolve_gathered)(s, weight, bias, in, out, scratch);
}

static size_t transposed_positions(const struct convolution_shape *s)
{
    return (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

static size_t transposed_scratch(const struct convolution_shape *s)
{
    const size_t n = transposed_positions(s);
    return mask_floats(n_vectors(n)) + (size_t)transposed_rows(s) * n;
}

static void transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                   const float *in, float *out, float *scratch)
{
    const size_t n = transposed_positions(s);
    float *products = scratch + mask_floats(n_vectors(n));
    struct product product = {.n_outputs = transposed_rows(s),
                              .n_inputs = s->in_channels,
                              .n_positions = n,
                              .out_stride = n,
                              .weight = weight,
                              .in = in,
                              .out = products};
    multiply_matrix(&product, (__mmask16 *)scratch);
    columns_scatter(s, products, bias, out);
}

const struct kernels kernels_avx512 = {
    .name = "avx512",
    .convolution_weight_size = convolution_weight_size,
    .arrange_convolution = arrange_convolution,
    .convolution_scratch = convolution_scratch,
    .convolution = convolution,
    .transposed_weight_size = transposed_weight_size,
    .arrange_transposed = arrange_transposed,
    .transposed_convolution_scratch = transposed_scratch,
    .transposed_convolution = transposed_convolution,
    ELEMENTWISE_KERNELS,
};
