/* SPDX-License-Identifier: MIT */
/**
 * Differential evolution, one child at a time: a parent moves towards the best point and by the difference of
 * two random members, and a crossover puts part of that in its place.
 *
 * Source: Nevergrad 1.0.12, `DifferentialEvolution` as registered: 30 members, F1 = F2 = 0.8, crossover 0.5
 * (`DE`) or at two points (`TwoPointsDE`), first members drawn by the parametrisation, parents in turn (the
 * one whose child was told first), the best by the pessimistic estimate (archive.h). A child replaces its
 * parent unless its loss is higher. A point from elsewhere fills a place that is still free, or takes that of
 * the member of highest loss (the oldest of equal ones) where its own is lower (there it is put behind the
 * other members, which changes only the random number that draws it).
 *
 * A code is represented by real numbers, N(0,1) in n equal bins (bins.h). Children are moved to the centres
 * of their bins; the first members are not, they are N(0,1).
 */
#ifndef MEICENSUS_SEARCH_DIFFERENTIAL_EVOLUTION_H
#define MEICENSUS_SEARCH_DIFFERENTIAL_EVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "archive.h"
#include "bins.h"
#include "draws.h"
#include "status.h"

enum { DIFFERENTIAL_EVOLUTION_MEMBERS = 30 };

/** A member of the population. Times count what happened to the population. */
struct evolution_member {
    double loss;    /**< infinite: not told yet */
    int64_t joined; /**< when it came into the population */
    int64_t told;   /**< when it, or its last child, was told */
};

struct differential_evolution {
    int n_dimensions;
    const struct bins *bins;
    bool at_two_points; /**< the crossover */
    struct archive archive;

    int n_members;
    struct evolution_member members[DIFFERENTIAL_EVOLUTION_MEMBERS];
    double *values; /**< [members][n_dimensions], their points */
    int n_first;    /**< members drawn so far */
    double *first;  /**< [members][n_dimensions], theirs: archive point i + 1 */
    int64_t time;
    int parent;    /**< of what was last asked, or its own place */
    int point;     /**< in the archive, of what was last asked */
    double *child; /**< [n_dimensions], as last asked */
    int32_t *code; /**< [n_dimensions], likewise */
};

/** Without members. `bins` is kept, not copied. Free with differential_evolution_release, also after an
 * error.
 */
enum status differential_evolution_prepare(struct differential_evolution *evolution, int n_dimensions,
                                           const struct bins *bins, bool at_two_points, struct error *error);
void differential_evolution_release(struct differential_evolution *evolution);

/** The next point, in `child`, with its `code`. */
void differential_evolution_ask(struct differential_evolution *evolution, struct draws *draws);

/** Learn the loss, finite, of what was last asked. */
void differential_evolution_tell(struct differential_evolution *evolution, double loss);

/** Learn a point from elsewhere, the centres of the bins of `code` [n_dimensions], and its loss, finite. */
void differential_evolution_inform(struct differential_evolution *evolution, const int32_t *code,
                                   double loss);

#endif
