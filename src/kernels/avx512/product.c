/* SPDX-License-Identifier: MIT */
#include "product.h"

#include <stdbool.h>

enum {
    ROWS = PRODUCT_ROWS,
    LANES = PRODUCT_LANES,
    MOST_VECTORS = PRODUCT_PANEL_VECTORS,
    FEW_POSITIONS = 4,
    SUM_TERMS = 64
};

size_t product_blocks(int n_outputs)
{
    return (size_t)(n_outputs + ROWS - 1) / ROWS;
}

size_t product_vectors(size_t n_positions)
{
    return (n_positions + LANES - 1) / LANES;
}

/** So many lanes of a vector, at most all. */
static inline __mmask16 first_lanes(size_t n)
{
    return n >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
}

/* ---- the product ---- */

/** Put one vector of an output channel, or add to it, as far as it lies inside the map. */
static inline __attribute__((always_inline)) void store(const struct product *p, size_t output, size_t vector,
                                                        __m512 sum, bool adds)
{
    const size_t position = vector * LANES;
    const __mmask16 inside = first_lanes(p->n_positions - position);
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

int product_step(int n_taps)
{
    return SUM_TERMS / n_taps > 0 ? SUM_TERMS / n_taps * n_taps : n_taps;
}

/** A sum of sums of one step each. */
static inline __attribute__((always_inline)) void multiply_inputs(const struct product *p, size_t block,
                                                                  size_t vector, int width)
{
    for (int c = 0; c < p->n_inputs; c += p->step)
        multiply(p, block, vector, width, c, c + p->step < p->n_inputs ? c + p->step : p->n_inputs);
}

/** Blocks outside, positions inside: a block's weights stay in the cache while the map passes by. */
void product_multiply(const struct product *p)
{
    const size_t vectors = product_vectors(p->n_positions);
    for (size_t block = 0; block < product_blocks(p->n_outputs); block++) {
        size_t vector = 0;
        for (; vector + 3 <= vectors && vector + 4 != vectors; vector += 3)
            multiply_inputs(p, block, vector, 3);
        for (; vector + 2 <= vectors; vector += 2)
            multiply_inputs(p, block, vector, 2);
        if (vector < vectors)
            multiply_inputs(p, block, vector, 1);
    }
}

/** One position of a block of outputs, which lie in the lanes: the same sums of sums as above. */
static __m256 multiply_position(const struct product *p, size_t block, size_t position)
{
    const size_t n_inputs = (size_t)p->n_inputs;
    const float *weight = p->weight + block * n_inputs * ROWS;
    const size_t left = (size_t)p->n_outputs - block * ROWS;
    const __mmask8 inside = left >= ROWS ? (__mmask8)0xff : (__mmask8)((1u << left) - 1);
    __m256 total =
        p->bias == NULL ? _mm256_setzero_ps() : _mm256_maskz_loadu_ps(inside, p->bias + block * ROWS);
    const size_t step = (size_t)p->step;
    for (size_t first = 0; first < n_inputs; first += step) {
        const size_t last = first + step < n_inputs ? first + step : n_inputs;
        __m256 sum = first == 0 ? total : _mm256_setzero_ps();
        for (size_t c = first; c < last; c++, weight += ROWS)
            sum = _mm256_fmadd_ps(_mm256_loadu_ps(weight), _mm256_set1_ps(p->in[c * p->in_stride + position]),
                                  sum);
        total = first == 0 ? sum : _mm256_add_ps(total, sum);
    }
    return total;
}

/** Few positions fill no vector: a position at a time. */
static void multiply_few(const struct product *p)
{
    for (size_t block = 0; block < product_blocks(p->n_outputs); block++)
        for (size_t position = 0; position < p->n_positions; position++) {
            float sums[ROWS];
            _mm256_storeu_ps(sums, multiply_position(p, block, position));
            for (size_t o = 0; o < ROWS && block * ROWS + o < (size_t)p->n_outputs; o++)
                p->out[(block * ROWS + o) * p->out_stride + position] = sums[o];
        }
}

static void make_full_masks(size_t n, __mmask16 *masks)
{
    for (size_t vector = 0; vector < product_vectors(n); vector++)
        masks[vector] = first_lanes(n - vector * LANES);
}

size_t product_mask_floats(size_t n_masks)
{
    return (n_masks * sizeof(__mmask16) + 63) / 64 * 16;
}

void product_arrange(const float *matrix, int n_outputs, size_t n_inputs, size_t output_stride,
                     size_t input_stride, float *arranged)
{
    for (size_t block = 0; block < product_blocks(n_outputs); block++)
        for (size_t k = 0; k < n_inputs; k++)
            for (size_t o = block * ROWS; o < (block + 1) * ROWS; o++)
                *arranged++ = o < (size_t)n_outputs ? matrix[o * output_stride + k * input_stride] : 0.0f;
}

void product_multiply_matrix(struct product *p, __mmask16 *masks)
{
    static const ptrdiff_t no_shift = 0;
    make_full_masks(p->n_positions, masks);
    p->n_taps = 1;
    p->shifts = &no_shift;
    p->masks = masks;
    if (p->n_positions <= FEW_POSITIONS)
        multiply_few(p);
    else
        product_multiply(p);
}

/* ---- panels ---- */

/** `width` is a constant at every call, see multiply(). */
static inline __attribute__((always_inline)) void multiply_panel(const float *weight, const float *values,
                                                                 size_t width, size_t first, size_t last,
                                                                 const float *bias, const float *next,
                                                                 float *products)
{
    __m512 sums[ROWS][MOST_VECTORS], value[MOST_VECTORS];
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (size_t v = 0; v < width; v++)
            sums[o][v] = bias == NULL ? _mm512_setzero_ps() : _mm512_set1_ps(bias[o]);
    for (size_t c = first; c < last; c++) {
#pragma GCC unroll 3
        for (size_t v = 0; v < width; v++)
            value[v] = _mm512_load_ps(values + c * PRODUCT_PANEL + v * LANES);
        _mm_prefetch((const char *)(next + c * ROWS), _MM_HINT_T0);
#pragma GCC unroll 8
        for (size_t o = 0; o < ROWS; o++) {
            const __m512 factor = _mm512_set1_ps(weight[c * ROWS + o]);
#pragma GCC unroll 3
            for (size_t v = 0; v < width; v++)
                sums[o][v] = _mm512_fmadd_ps(factor, value[v], sums[o][v]);
        }
    }
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (size_t v = 0; v < width; v++) {
            float *product = products + o * PRODUCT_PANEL + v * LANES;
            _mm512_store_ps(product,
                            first > 0 ? _mm512_add_ps(_mm512_load_ps(product), sums[o][v]) : sums[o][v]);
        }
}

void product_multiply_panel(const float *weight, const float *values, int n_vectors, size_t first,
                            size_t last, const float *bias, const float *next, float *sums)
{
    if (n_vectors == 3)
        multiply_panel(weight, values, 3, first, last, bias, next, sums);
    else if (n_vectors == 2)
        multiply_panel(weight, values, 2, first, last, bias, next, sums);
    else
        multiply_panel(weight, values, 1, first, last, bias, next, sums);
}

int product_panel_vectors(size_t left)
{
    return left == 4 ? 2 : left < PRODUCT_PANEL_VECTORS ? (int)left : PRODUCT_PANEL_VECTORS;
}

/** panel [n_inputs][PRODUCT_PANEL] from position `first` on; 0 behind the last position. */
static void pack_panel(const struct product *p, size_t first, size_t n_vectors, float *panel)
{
    const float *in = p->in + first;
    for (int c = 0; c < p->n_inputs; c++, in += p->in_stride, panel += PRODUCT_PANEL)
        for (size_t v = 0; v < n_vectors; v++) {
            const __mmask16 inside = first_lanes(p->n_positions - first - v * LANES);
            _mm512_store_ps(panel + v * LANES, _mm512_maskz_loadu_ps(inside, in + v * LANES));
        }
}

/** One block of outputs times a panel. */
static void multiply_block_panel(const struct product *p, size_t block, size_t first_position, int n_vectors,
                                 const float *panel)
{
    _Alignas(64) float sums[ROWS * PRODUCT_PANEL];
    float bias[ROWS] = {0};
    const size_t n_inputs = (size_t)p->n_inputs, first_output = block * ROWS, step = (size_t)p->step;
    const size_t left = (size_t)p->n_outputs - first_output, n_rows = left < ROWS ? left : ROWS;
    const float *weight = p->weight + first_output * n_inputs;
    for (size_t o = 0; o < n_rows && p->bias != NULL; o++)
        bias[o] = p->bias[first_output + o];
    for (size_t c = 0; c < n_inputs; c += step)
        product_multiply_panel(weight, panel, n_vectors, c, c + step < n_inputs ? c + step : n_inputs,
                               c == 0 ? bias : NULL, weight + n_inputs * ROWS, sums);
    for (size_t o = 0; o < n_rows; o++)
        for (size_t v = 0; v < (size_t)n_vectors; v++) {
            const size_t position = first_position + v * LANES;
            _mm512_mask_storeu_ps(p->out + (first_output + o) * p->out_stride + position,
                                  first_lanes(p->n_positions - position),
                                  _mm512_load_ps(sums + o * PRODUCT_PANEL + v * LANES));
        }
}

void product_multiply_panels(const struct product *p, float *panel)
{
    const size_t n_vectors = product_vectors(p->n_positions);
    for (size_t vector = 0; vector < n_vectors;) {
        const int width = product_panel_vectors(n_vectors - vector);
        pack_panel(p, vector * LANES, (size_t)width, panel);
        for (size_t block = 0; block < product_blocks(p->n_outputs); block++)
            multiply_block_panel(p, block, vector * LANES, width, panel);
        vector += (size_t)width;
    }
}
