/* SPDX-License-Identifier: MIT */
/** An SN-GAN of twice the width that makes the same images, for timing the published width. */
#ifndef MEICENSUS_WIDEN_H
#define MEICENSUS_WIDEN_H

#include "status.h"

/**
 * Read the tensors of an SN-GAN and write (safetensors, float32) those of one twice as wide, in the manner of
 * Net2WiderNet (Chen et al. 2016, arXiv 1511.05641): channel w + c is a copy of channel c, and who reads both
 * has half the weights for each. No weight is zero that was not.
 */
enum status widen_generator(const char *from, const char *to, struct error *error);

#endif
