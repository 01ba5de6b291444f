/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of 3 x 3 taps of a map of 16 x 16 that is upsampled to 32 x 32, with two thirds of the
 * multiplications of winograd.h.
 *
 * In one dimension: bilinear upsampling is zeros between the values x, then the filter h = [1 3 3 1] / 4. The
 * convolution is done first, s[2i] = w1 x[i] and s[2i+1] = w0 x[i] + w2 x[i+1], the latter for four i at once
 * by five products (Toom-Cook; points 0, 1, -1, 2 and infinity); then h is applied to s, which only adds.
 * Beyond its edges, upsampling repeats the outermost value where the convolution wants zeros: what that makes
 * are multiples of w0 x[0], w2 x[0] and w2 x[15], three products more, of weights that are there. So 39
 * products give 32 sums, and in two dimensions 39 x 39 give 32 x 32.
 */
#ifndef MEICENSUS_VECTOR_UPSAMPLED_H
#define MEICENSUS_VECTOR_UPSAMPLED_H

#include "kernels.h"

/** Does not depend on shape->time. */
bool upsampled_fits(const struct generator_convolution *call);

size_t upsampled_weight_size(const struct convolution_shape *shape);

/** arranged [36][block of BLOCK_ROWS outputs][input][BLOCK_ROWS]. */
void upsampled_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

size_t upsampled_scratch(const struct generator_convolution *call);
void upsampled_convolve(const struct generator_convolution *call, float *out, float *scratch);

#endif
