/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of 3 x 3 taps to one, two or three channels, an image: blocks of positions for which the sums
 * of all outputs stay in registers while the input channels pass by.
 */
#ifndef MEICENSUS_VECTOR_FEW_OUTPUTS_H
#define MEICENSUS_VECTOR_FEW_OUTPUTS_H

#include "kernels.h"

/** Does not depend on shape->time. */
bool few_outputs_fit(const struct generator_convolution *call);

size_t few_outputs_weight_size(const struct convolution_shape *shape);

/** arranged [input x tap][BLOCK_ROWS], as by product_arrange. */
void few_outputs_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

size_t few_outputs_scratch(const struct convolution_shape *shape);
void few_outputs_convolve(const struct generator_convolution *call, float *out, float *scratch);

#endif
