/* SPDX-License-Identifier: MIT */
/**
 * The inner loop of most convolutions: weights times maps that are shifted, not copied. Every output
 * is summed up in the order (channel, tap), in steps of about SUM_TERMS terms, so that it does not depend on
 * its place or on its neighbours.
 */
#ifndef MEICENSUS_VECTOR_PRODUCT_H
#define MEICENSUS_VECTOR_PRODUCT_H

#include <stddef.h>
#include <stdint.h>

#include "vector.h"

/* Positions of a panel: as many vectors as there are registers for their sums. */
enum { PRODUCT_PANEL = BLOCK_VECTORS * LANES };

/** A product of arranged weights with shifted maps. */
struct product {
    int n_outputs; /**< output channels */
    int n_inputs;  /**< input channels */
    int n_taps;
    int step;           /**< inputs that are summed up before they go to the output; see product_step */
    size_t n_positions; /**< of input and output alike */
    size_t in_stride, out_stride; /**< from channel to channel */
    const ptrdiff_t *shifts;      /**< [n_taps] */
    const uint16_t *masks;        /**< bits of lanes, [vector of positions][n_taps] */
    const float *weight;          /**< [block of BLOCK_ROWS outputs][n_inputs][n_taps][BLOCK_ROWS] */
    const float *bias;            /**< [n_outputs] or NULL */
    const float *in;              /**< [n_inputs][in_stride] */
    float *out;                   /**< [n_outputs][out_stride] */
};

/** Blocks of BLOCK_ROWS outputs; vectors of positions; the last of each may be part empty. */
size_t product_blocks(int n_outputs);
size_t product_vectors(size_t n_positions);

/** Inputs that are summed up in one step where `n_taps` inputs belong to one channel. */
int product_step(int n_taps);

/** Floats that hold so many masks, in whole cache lines. */
size_t product_mask_floats(size_t n_masks);

/** The masks that the scratch memory begins with. */
static inline uint16_t *product_masks(float *scratch)
{
    void *room = scratch;
    return room;
}

/** arranged [block][k][BLOCK_ROWS] from a matrix [n_outputs][n_inputs] with the given strides; rows beyond
 *  are zero. */
void product_arrange(const float *matrix, int n_outputs, size_t n_inputs, size_t output_stride,
                     size_t input_stride, float *arranged);

void product_multiply(const struct product *product);

/** A matrix [n_inputs][n_positions] times the weights: a map under one tap. Sets taps, shifts and masks;
 *  `masks` has room for one a vector. */
void product_multiply_matrix(struct product *product, uint16_t *masks);

/**
 * The sums over inputs [first, last) of one block's weights [input][BLOCK_ROWS] times a panel of values
 * [input][PRODUCT_PANEL], of which n_vectors vectors are there: sums [BLOCK_ROWS][PRODUCT_PANEL], added to
 * what is there unless first is 0; then `bias` [BLOCK_ROWS] or NULL is where they start from. Meanwhile the
 * weights at `next` are fetched. All but bias lie on whole cache lines.
 */
void product_multiply_panel(const float *weight, const float *values, int n_vectors, size_t first,
                            size_t last, const float *bias, const float *next, float *sums);

/** Vectors of the next panel where so many are left: no single one remains if that can be helped. */
int product_panel_vectors(size_t n_vectors_left);

/** As product_multiply_matrix, panel by panel, which distances of many channels do not slow down; panel
 * [n_inputs][PRODUCT_PANEL] is room. */
void product_multiply_panels(const struct product *product, float *panel);

#endif
