/* SPDX-License-Identifier: MIT */
/**
 * An index as a real number: N(0,1) through its distribution function to n equal bins.
 *
 * This is how Nevergrad 1.0.12 represents an ordered `TransitionChoice`: a method works on real numbers in
 * which N(0,1) is a uniform choice of index; what it proposes is moved to the centre of its bin before
 * anything is learned from it.
 */
#ifndef MEICENSUS_SEARCH_BINS_H
#define MEICENSUS_SEARCH_BINS_H

#include <stdint.h>

#include "status.h"

struct bins {
    int n_points;    /**< n, >= 2 */
    double *centres; /**< [n]: the (i + 0.5) / n quantile of N(0,1) */
};

/** Bins for n points; free with bins_release, also after an error. */
enum status bins_prepare(struct bins *bins, int n_points, struct error *error);
void bins_release(struct bins *bins);

/** The bin of a value: n times its N(0,1) distribution function, less one half, rounded (a half to even). */
int32_t bins_index(const struct bins *bins, double value);

#endif
