/* SPDX-License-Identifier: MIT */
/** What is kept of one unit's activations over a dataset. values: [n], by number of the image; n >= 1. */
#ifndef MEICENSUS_NATURAL_STATISTICS_H
#define MEICENSUS_NATURAL_STATISTICS_H

#include <stdint.h>

enum { NATURAL_QUANTILES = 9 };
extern const double natural_probabilities[NATURAL_QUANTILES];

/** The `top` largest (top <= n), largest first; of equal ones the lower number first. */
void natural_rank(const float *values, int64_t n, int top, int64_t *images);

/** At position p (n - 1) of the sorted values, linear between neighbours. scratch: [n]. */
void natural_quantiles(const float *values, int64_t n, float *scratch, float quantiles[NATURAL_QUANTILES]);

/** Mean and standard deviation (divided by n), in double precision and in order, rounded once. */
void natural_moments(const float *values, int64_t n, float *mean, float *std);

/** Mean over the images of each class, added in order; NaN for none. labels: [n], -1: none. class_images:
 * [n_classes] images of each class; sums: scratch [n_classes]; means: [n_classes] */
void natural_class_means(const float *values, const int32_t *labels, int64_t n, const int64_t *class_images,
                         int n_classes, double *sums, float *means);

#endif
