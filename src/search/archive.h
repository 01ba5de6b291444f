/* SPDX-License-Identifier: MIT */
/**
 * What a Nevergrad method remembers of the codes it was told: statistics of the losses of each, and the code
 * that is best by an estimate.
 *
 * Source: Nevergrad 1.0.12, `Optimizer._update_archive_and_bests`, `utils.MultiValue` and `utils.Pruning`,
 * followed to the letter, because the result of a search depends on it: a code told once is given the
 * variance 1e6, so a code that was told twice with like losses passes every code told once, however good.
 */
#ifndef MEICENSUS_SEARCH_ARCHIVE_H
#define MEICENSUS_SEARCH_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** The mean loss, and what it would be with 0.1 standard errors more or less. */
enum archive_estimate { ARCHIVE_PESSIMISTIC, ARCHIVE_OPTIMISTIC, ARCHIVE_AVERAGE, N_ARCHIVE_ESTIMATES };

/** The losses told for one point. */
struct archive_entry {
    uint64_t hash; /**< of the code */
    int point;     /**< 0: the centres of its code's bins; else the number that the method gave to a point
                      elsewhere in them */
    double count, mean, square, variance;
};

struct archive {
    int n_dimensions;
    int n_entries, capacity;
    struct archive_entry *entries; /**< [capacity], oldest first */
    int32_t *codes;                /**< [capacity][n_dimensions] */

    enum archive_estimate best_by; /**< the pessimistic one, unless set after archive_prepare */
    struct archive_entry best;     /**< at first none: its mean is infinite */
    int32_t *best_code;            /**< [n_dimensions] */
    bool best_is_kept;             /**< it is also in `entries` (pruning may have dropped it) */

    double *estimates; /**< [capacity], working memory */
};

/** An empty archive. Free with archive_release, also after an error. */
enum status archive_prepare(struct archive *archive, int n_dimensions, struct error *error);
void archive_release(struct archive *archive);

/** Add a loss of a code [n_dimensions] and find the best again; drops all but about the 100 best from 1,000
 * on. */
void archive_add(struct archive *archive, const int32_t *code, int point, double loss);

#endif
