/* SPDX-License-Identifier: MIT */
/** The way back of a generator: from an image to the code that it makes most of the image from. */
#ifndef MEICENSUS_ENCODER_H
#define MEICENSUS_ENCODER_H

#include <stdint.h>

#include "kernels.h"
#include "model.h"
#include "status.h"

struct encoder; /* opaque */

/**
 * Load the encoder that the generator's file names and make its buffers. encoder_close it; one per thread of
 * execution. STATUS_BAD_INPUT: the generator names none, or one of another image size, number of indices or
 * codebook; the message names both files. path: the generator's file, for messages.
 */
enum status encoder_open(const struct model *generator, const char *path, const struct kernels *kernels,
                         struct encoder **encoder, struct error *error);
void encoder_close(struct encoder *encoder);

/** Shape of the images, and RGB in [0, 1] = value * std + mean of what encoder_encode takes. */
const struct model *encoder_model(const struct encoder *encoder);

/** image [channel][height][width] float32 -> code [d], each 0 .. points - 1, as the generator takes it. */
void encoder_encode(struct encoder *encoder, const float *image, int32_t *code);

#endif
