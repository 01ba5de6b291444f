/* SPDX-License-Identifier: MIT */
/** How like two images are. */
#ifndef MEICENSUS_CLOSENESS_H
#define MEICENSUS_CLOSENESS_H

#include <stddef.h>

/**
 * Pearson's correlation of the values of two images [n], 0 where it is negative: 1 for images that differ in
 * brightness and contrast only, 0 for unrelated ones and where one of them is uniform.
 */
double image_closeness(size_t n, const float *a, const float *b);

#endif
