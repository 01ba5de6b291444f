/* SPDX-License-Identifier: MIT */
#include "product.h"

#include <stdbool.h>

enum { ROWS = BLOCK_ROWS, MOST_VECTORS = BLOCK_VECTORS, FEW_POSITIONS = 4, SUM_TERMS = 64 };

size_t product_blocks(int n_outputs)
{
    return (size_t)(n_outputs + ROWS - 1) / ROWS;
}

size_t product_vectors(size_t n_positions)
{
    return (n_positions + LANES - 1) / LANES;
}

/* ---- the product ---- */

/** Put one vector of an output channel, or add to it, as far as it lies inside the map. */
static inline __attribute__((always_inline)) void store(const struct product *p, size_t output, size_t index,
                                                        vector sum, bool adds)
{
    const size_t position = index * LANES;
    const vector_mask inside = mask_first(p->n_positions - position);
    float *out = p->out + output * p->out_stride + position;
    if (adds)
        sum = vector_add(vector_load_masked(inside, out), sum);
    vector_store_masked(out, inside, sum);
}

/**
 * Input channels [first_input, last_input) for one block of outputs times `width` vectors of positions;
 * `width` is a constant at every call, and so are all loops around the sums: only then do these stay in
 * registers.
 */
static inline __attribute__((always_inline)) void
multiply(const struct product *p, size_t block, size_t index, int width, int first_input, int last_input)
{
    vector sum[ROWS][MOST_VECTORS];
    const size_t taps = (size_t)p->n_taps, first = block * ROWS, n_outputs = (size_t)p->n_outputs;
    const float *weight = p->weight + (block * (size_t)p->n_inputs + (size_t)first_input) * taps * ROWS;
    const float *row = p->in + (size_t)first_input * p->in_stride + index * LANES;
    const uint16_t *masks = p->masks + index * taps;
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (int v = 0; v < width; v++)
            sum[o][v] = first_input == 0 && p->bias != NULL && first + o < n_outputs
                            ? vector_all(p->bias[first + o])
                            : vector_zero();
    for (int c = first_input; c < last_input; c++, row += p->in_stride)
        for (size_t tap = 0; tap < taps; tap++, weight += ROWS) {
            vector value[MOST_VECTORS];
#pragma GCC unroll 3
            for (int v = 0; v < width; v++)
                value[v] = vector_load_masked(mask_from_bits(masks[(size_t)v * taps + tap]),
                                              row + p->shifts[tap] + v * LANES);
#pragma GCC unroll 8
            for (int o = 0; o < ROWS; o++) {
                const vector factor = vector_all(weight[o]);
#pragma GCC unroll 3
                for (int v = 0; v < width; v++)
                    sum[o][v] = vector_multiply_add(factor, value[v], sum[o][v]);
            }
        }
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (int v = 0; v < width; v++)
            if (first + o < n_outputs)
                store(p, first + o, index + (size_t)v, sum[o][v], first_input > 0);
}

int product_step(int n_taps)
{
    return SUM_TERMS / n_taps > 0 ? SUM_TERMS / n_taps * n_taps : n_taps;
}

/** A sum of sums of one step each. */
static inline __attribute__((always_inline)) void multiply_inputs(const struct product *p, size_t block,
                                                                  size_t index, int width)
{
    for (int c = 0; c < p->n_inputs; c += p->step)
        multiply(p, block, index, width, c, c + p->step < p->n_inputs ? c + p->step : p->n_inputs);
}

/** Blocks outside, positions inside: a block's weights stay in the cache while the map passes by. */
void product_multiply(const struct product *p)
{
    const size_t vectors = product_vectors(p->n_positions);
    for (size_t block = 0; block < product_blocks(p->n_outputs); block++) {
        size_t index = 0;
        for (; index + 3 <= vectors && index + 4 != vectors; index += 3)
            multiply_inputs(p, block, index, 3);
        for (; index + 2 <= vectors; index += 2)
            multiply_inputs(p, block, index, 2);
        if (index < vectors)
            multiply_inputs(p, block, index, 1);
    }
}

/** One position of a block of outputs, which lie in the lanes: the same sums of sums as above. */
static half_vector multiply_position(const struct product *p, size_t block, size_t position, half_vector bias)
{
    const size_t n_inputs = (size_t)p->n_inputs, step = (size_t)p->step;
    const float *weight = p->weight + block * n_inputs * ROWS;
    half_vector total = bias;
    for (size_t first = 0; first < n_inputs; first += step) {
        const size_t last = first + step < n_inputs ? first + step : n_inputs;
        half_vector sum = first == 0 ? total : half_vector_all(0);
        for (size_t c = first; c < last; c++, weight += ROWS)
            sum = half_vector_multiply_add(half_vector_load(weight),
                                           half_vector_all(p->in[c * p->in_stride + position]), sum);
        total = first == 0 ? sum : half_vector_add(total, sum);
    }
    return total;
}

/** Biases of a block, 0 for outputs that are not there. */
static void read_bias(const struct product *p, size_t block, float bias[ROWS])
{
    for (size_t o = 0; o < ROWS; o++)
        bias[o] =
            p->bias != NULL && block * ROWS + o < (size_t)p->n_outputs ? p->bias[block * ROWS + o] : 0.0f;
}

/** Few positions fill no vector: a position at a time. */
static void multiply_few(const struct product *p)
{
    float bias[ROWS], sums[ROWS];
    for (size_t block = 0; block < product_blocks(p->n_outputs); block++) {
        read_bias(p, block, bias);
        for (size_t position = 0; position < p->n_positions; position++) {
            half_vector_store(sums, multiply_position(p, block, position, half_vector_load(bias)));
            for (size_t o = 0; o < ROWS && block * ROWS + o < (size_t)p->n_outputs; o++)
                p->out[(block * ROWS + o) * p->out_stride + position] = sums[o];
        }
    }
}

static void make_full_masks(size_t n, uint16_t *masks)
{
    for (size_t index = 0; index < product_vectors(n); index++)
        masks[index] = (uint16_t)mask_bits(mask_first(n - index * LANES));
}

size_t product_mask_floats(size_t n_masks)
{
    return (n_masks * sizeof(uint16_t) + 63) / 64 * 16;
}

void product_arrange(const float *matrix, int n_outputs, size_t n_inputs, size_t output_stride,
                     size_t input_stride, float *arranged)
{
    for (size_t block = 0; block < product_blocks(n_outputs); block++)
        for (size_t k = 0; k < n_inputs; k++)
            for (size_t o = block * ROWS; o < (block + 1) * ROWS; o++)
                *arranged++ = o < (size_t)n_outputs ? matrix[o * output_stride + k * input_stride] : 0.0f;
}

void product_multiply_matrix(struct product *p, uint16_t *masks)
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
    vector sums[ROWS][MOST_VECTORS], value[MOST_VECTORS];
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (size_t v = 0; v < width; v++)
            sums[o][v] = bias == NULL ? vector_zero() : vector_all(bias[o]);
    for (size_t c = first; c < last; c++) {
#pragma GCC unroll 3
        for (size_t v = 0; v < width; v++)
            value[v] = vector_load(values + c * PRODUCT_PANEL + v * LANES);
        _mm_prefetch((const char *)(next + c * ROWS), _MM_HINT_T0);
#pragma GCC unroll 8
        for (size_t o = 0; o < ROWS; o++) {
            const vector factor = vector_all(weight[c * ROWS + o]);
#pragma GCC unroll 3
            for (size_t v = 0; v < width; v++)
                sums[o][v] = vector_multiply_add(factor, value[v], sums[o][v]);
        }
    }
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (size_t v = 0; v < width; v++) {
            float *product = products + o * PRODUCT_PANEL + v * LANES;
            vector_store(product, first > 0 ? vector_add(vector_load(product), sums[o][v]) : sums[o][v]);
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
    return left == 4 ? 2 : left < BLOCK_VECTORS ? (int)left : BLOCK_VECTORS;
}

/** panel [n_inputs][PRODUCT_PANEL] from position `first` on; 0 behind the last position. */
static void pack_panel(const struct product *p, size_t first, size_t n_vectors, float *panel)
{
    const float *in = p->in + first;
    for (int c = 0; c < p->n_inputs; c++, in += p->in_stride, panel += PRODUCT_PANEL)
        for (size_t v = 0; v < n_vectors; v++) {
            const vector_mask inside = mask_first(p->n_positions - first - v * LANES);
            vector_store(panel + v * LANES, vector_load_masked(inside, in + v * LANES));
        }
}

/** One block of outputs times a panel. */
static void multiply_block_panel(const struct product *p, size_t block, size_t first_position, int n_vectors,
                                 const float *panel)
{
    _Alignas(64) float sums[ROWS * PRODUCT_PANEL];
    float bias[ROWS];
    const size_t n_inputs = (size_t)p->n_inputs, first_output = block * ROWS, step = (size_t)p->step;
    const size_t left = (size_t)p->n_outputs - first_output, n_rows = left < ROWS ? left : ROWS;
    const float *weight = p->weight + first_output * n_inputs;
    read_bias(p, block, bias);
    for (size_t c = 0; c < n_inputs; c += step)
        product_multiply_panel(weight, panel, n_vectors, c, c + step < n_inputs ? c + step : n_inputs,
                               c == 0 ? bias : NULL, weight + n_inputs * ROWS, sums);
    for (size_t o = 0; o < n_rows; o++)
        for (size_t v = 0; v < (size_t)n_vectors; v++) {
            const size_t position = first_position + v * LANES;
            vector_store_masked(p->out + (first_output + o) * p->out_stride + position,
                                mask_first(p->n_positions - position),
                                vector_load(sums + o * PRODUCT_PANEL + v * LANES));
        }
}

void product_multiply_panels(const struct product *p, float *panel)
{
    const size_t n_vectors = product_vectors(p->n_positions);
    for (size_t index = 0; index < n_vectors;) {
        const int width = product_panel_vectors(n_vectors - index);
        pack_panel(p, index * LANES, (size_t)width, panel);
        for (size_t block = 0; block < product_blocks(p->n_outputs); block++)
            multiply_block_panel(p, block, index * LANES, width, panel);
        index += (size_t)width;
    }
}
