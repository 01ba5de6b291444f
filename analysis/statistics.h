/* SPDX-License-Identifier: MIT */
/**
 * The statistics of the figures, on plain arrays of double. A number that does not exist (the median of
 * nothing) is NAN here; tables leave it out.
 */
#ifndef MEICENSUS_ANALYSIS_STATISTICS_H
#define MEICENSUS_ANALYSIS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct distribution {
    size_t n;
    double mean, minimum, quantile_05, quantile_25, median, quantile_75, quantile_95, maximum;
};

/** Sorts `values` [n]. Quantiles are interpolated linearly between order statistics (type 7, as NumPy). */
void statistics_describe(double *values, size_t n, struct distribution *distribution);

/** Standard deviation (n - 1) / |mean|; NAN if n < 2 or the mean is 0. */
double statistics_variation(const double *values, size_t n);

struct signed_rank {
    size_t n_nonzero;    /**< differences that count: those that are not 0 */
    double positive_sum; /**< sum of the ranks of the positive differences */
    double
        rank_biserial; /**< effect size in [-1, 1]: (positive - negative) / (positive + negative) rank sum */
    double p;          /**< two-sided; 1 if every difference is 0 */
    bool exact;        /**< from the permutation distribution (n_nonzero <= 50), else normal, tie-corrected */
};

/**
 * Wilcoxon signed-rank test of paired differences [n]: zeros are dropped, ties get mid-ranks. Magnitudes that
 * lie within `tolerance` are 0 or equal: so equal spike counts tie whatever the rounding of their rates.
 */
enum status statistics_signed_rank(const double *differences, size_t n, double tolerance,
                                   struct signed_rank *result, struct error *error);

enum { STATISTICS_RESAMPLES = 2000 };

/**
 * 95 % percentile bootstrap interval of the median of `values` [n], which it sorts. The random numbers are
 * the same in every call. NAN if n < 2.
 */
enum status statistics_bootstrap_median(double *values, size_t n, double interval[2], struct error *error);

/** Holm's correction of p [n] in place; NAN entries are no tests and stay. */
enum status statistics_holm(double *p, size_t n, struct error *error);

/** Counts of values [n] in n_bins equal bins over [low, high]; the last bin includes `high`. */
void statistics_histogram(const double *values, size_t n, double low, double high, int n_bins,
                          size_t *counts);

/**
 * Distance of two latent codes [n_dimensions] of indices below n_points, in [0, 1]. codebook: share of unlike
 * indices (Hamming); else Euclidean distance of the indices / that of opposite corners of the grid.
 */
double statistics_code_distance(const int32_t *first, const int32_t *second, size_t n_dimensions,
                                int64_t n_points, bool codebook);

#endif
