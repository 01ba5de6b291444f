/* SPDX-License-Identifier: MIT */
/** An SN-GAN of published width with random weights: for timing only. */
#ifndef MEICENSUS_RANDOM_WEIGHTS_H
#define MEICENSUS_RANDOM_WEIGHTS_H

#include "status.h"

/**
 * Copy the architecture file to `copy`, and write `tensors` (safetensors, float32) for it, `width` channels
 * wide; the copy names a tensor file sn_gan.safetensors beside it.
 */
enum status random_weights_write(const char *architecture, const char *copy, const char *tensors, int width,
                                 struct error *error);

#endif
