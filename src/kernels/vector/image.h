/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of few channels, as of an image: outputs lie in the lanes, and values of the image, with its
 * padding around it, are multiplied with their weights as they are met.
 *
 * The arguments are those of struct kernels.
 */
#ifndef MEICENSUS_VECTOR_IMAGE_H
#define MEICENSUS_VECTOR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels.h"

/** Whether a convolution is done this way; does not depend on shape->time. */
bool image_fits(const struct convolution_shape *shape);

size_t image_weight_size(const struct convolution_shape *shape);

/** arranged [group of outputs][input][tap][output of the group]. */
void image_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

size_t image_scratch(const struct convolution_shape *shape);

void image_convolve(const struct convolution_shape *shape, const float *weight, const float *bias,
                    const float *in, float *out, float *scratch);

#endif
