/* SPDX-License-Identifier: MIT */
/**
 * What a Nevergrad method remembers of the codes it was told: statistics of the losses of each, and the code
 * that is best by the pessimistic estimate.
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

/** The losses told for one point. */
struct archive_entry {
    uint64_t hash; /**< of the code */
    bool is_start; /**< the starting point, real value 0 everywhere: not the same point as its code's centres
                    */
    double count, mean, square, variance;
};

struct archive {
    int n_dimensions;
    int n_entries, capacity;
    struct archive_entry *entries; /**< [capacity], oldest first */
    int32_t *codes;                /**< [capacity][n_dimensions] */

    struct archive_entry best; /**< by the pessimistic estimate; at first none, its mean is infinite */
    int32_t *best_code;        /**< [n_dimensions] */
    bool best_is_kept;         /**< it is also in `entries` (pruning may have dropped it) */

    double *estimates; /**< [capacity], working memory */
};

/** An empty archive. Free with archive_release, also after an error. */
enum status archive_prepare(struct archive *archive, int n_dimensions, struct error *error);
void archive_release(struct archive *archive);

/** Add a loss of a code [n_dimensions] and find the best again; drops all but about the 100 best from 1,000
 * on. */
void archive_add(struct archive *archive, const int32_t *code, bool is_start, double loss);

#endif
