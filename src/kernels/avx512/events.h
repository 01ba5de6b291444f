/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of spikes, event by event: every spike adds its rows of weights to the outputs it reaches, and
 * what is silent costs nothing. Spikes are 0 or 1, so that nothing is multiplied; weights are rounded to
 * whole numbers of a unit (relative to a filter's weights, 2^-31), so that sums are exact in any order. What
 * spikes at every time step is added up once.
 *
 * The arguments are those of struct kernels.
 */
#ifndef MEICENSUS_AVX512_EVENTS_H
#define MEICENSUS_AVX512_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"

/** Whether a convolution is done this way; does not depend on shape->time. */
bool events_fit(const struct convolution_shape *shape);

size_t events_weight_size(const struct convolution_shape *shape);

/** arranged [input][tap][output, up to a whole vector] int32, and the outputs' units [output] float32. */
void events_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

size_t events_scratch(const struct convolution_shape *shape);

void events_convolve(const struct convolution_shape *shape, const float *weight, const float *bias,
                     const float *in, float *out, float *scratch);

#endif
