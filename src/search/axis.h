/* SPDX-License-Identifier: MIT */
/**
 * An index as a real number that a method may leave between the grid points: values in latent units where
 * indices are points of a grid, N(0,1) in equal bins (bins.h) where they are rows of a codebook. N(0,1) is
 * what generators are trained with on the former, and a uniform choice on the latter.
 */
#ifndef MEICENSUS_SEARCH_AXIS_H
#define MEICENSUS_SEARCH_AXIS_H

#include <stdint.h>

#include "bins.h"
#include "search.h"

struct axis {
    int n_points;
    double low, spacing; /**< of the grid; spacing 0: a codebook */
    struct bins bins;    /**< of a codebook */
};

/** The axis of a problem; free with axis_release, also after an error. */
enum status axis_prepare(struct axis *axis, const struct search_problem *problem, struct error *error);
void axis_release(struct axis *axis);

/** The nearest points of n values, those outside the grid at its ends. */
void axis_codes(const struct axis *axis, size_t n, const double *values, int32_t *codes);

/** The values of n indices. */
void axis_values(const struct axis *axis, size_t n, const int32_t *codes, double *values);

#endif
