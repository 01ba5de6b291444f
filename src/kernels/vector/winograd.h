/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of 3 x 3 taps with a quarter of the multiplications: tiles of 4 x 4 outputs (Winograd's F(4 x
 * 4, 3 x 3); Lavin & Gray 2016, arXiv 1509.09308). Tiles of 6 x 6 inputs become 36 values, in each of which
 * the convolution is a matrix product over the channels.
 *
 * The arguments are those of struct kernels. Rounding errors are some ten times those of the plain sum, so
 * that layers that feed spikes do without.
 */
#ifndef MEICENSUS_VECTOR_WINOGRAD_H
#define MEICENSUS_VECTOR_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"

/** Whether a convolution is done this way; does not depend on shape->time. */
bool winograd_fits(const struct convolution_shape *shape);

size_t winograd_weight_size(const struct convolution_shape *shape);

/** arranged [block of BLOCK_ROWS outputs][36][input][BLOCK_ROWS]. */
void winograd_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

size_t winograd_scratch(const struct generator_convolution *call);

void winograd_convolve(const struct generator_convolution *call, float *out, float *scratch);

#endif
