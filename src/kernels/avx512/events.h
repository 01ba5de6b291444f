/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of spikes, event by event: every spike adds its rows of weights to the outputs it reaches, and
 * what is silent costs nothing. Spikes are 0 or 1, so that nothing is multiplied.
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

/** arranged [input][tap][output, up to a whole vector]. */
void events_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

size_t events_scratch(const struct convolution_shape *shape);

void events_convolve(const struct convolution_shape *shape, const float *weight, const float *bias,
                     const float *in, float *out, float *scratch);

#endif
