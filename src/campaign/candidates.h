/* SPDX-License-Identifier: MIT */
/** The codes with the best single scores of a run: candidates for its MEI. */
#ifndef MEICENSUS_CANDIDATES_H
#define MEICENSUS_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct candidate {
    float score;   /**< the best of its code */
    int64_t query; /**< 1-based, the first that gave it */
    int32_t *code; /**< [d] */
};

struct candidates {
    int n, most;
    size_t n_dimensions;
    bool minimise;
    struct candidate *items; /**< [n], best first, of equal ones the earlier first; no two of one code */
    int32_t *codes;          /**< what their codes lie in */
};

/** None yet, and room for `most`. Free with candidates_release, also after an error. */
enum status candidates_prepare(struct candidates *candidates, int most, size_t n_dimensions, bool minimise,
                               struct error *error);
void candidates_release(struct candidates *candidates);
void candidates_clear(struct candidates *candidates);

/** A query of the run. What is not a number is passed over. */
void candidates_offer(struct candidates *candidates, const int32_t *code, float score, int64_t query);

#endif
