/* SPDX-License-Identifier: MIT */
/** The best codes known of many units: a list for each, the best first, each code once. */
#ifndef MEICENSUS_SHARED_ELITES_H
#define MEICENSUS_SHARED_ELITES_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Whom an image was bred for: a unit by its place in the census, or nobody. */
enum { BRED_RANDOM = -1, BRED_START = -2 };

struct elite {
    float score;      /**< the higher, the better */
    int32_t bred_for; /**< place of a unit, BRED_RANDOM or BRED_START */
    int64_t image;    /**< number in the census, from 0 */
};

struct elites {
    int64_t n_units;
    int most, n_dimensions; /**< codes of a unit, indices of a code */
    int *n;                 /**< [n_units] */
    struct elite *items;    /**< [n_units][most] */
    int32_t *codes;         /**< [n_units][most][n_dimensions] */
    float *least; /**< [n_units]: who has no higher score does not come in; -INFINITY: there is room */
};

/** Empty lists. Free with elites_free, also after an error. */
enum status elites_create(struct elites *elites, int64_t n_units, int most, int n_dimensions,
                          struct error *error);
void elites_free(struct elites *elites);
void elites_clear(struct elites *elites);

/**
 * Put a code [n_dimensions] into the list of a unit, if it is better than the last there or there is room.
 * Of equal scores that of the lower image comes first. What is no number, and a code that is there with the
 * same score, does not come in. What the lists become does not depend on the order of offers, nor on what is
 * left out that others keep out.
 */
void elites_offer(struct elites *elites, int64_t unit, const struct elite *elite, const int32_t *code);

/** Of rank 0 .. n[unit] - 1. */
const struct elite *elites_at(const struct elites *elites, int64_t unit, int rank);
const int32_t *elites_code(const struct elites *elites, int64_t unit, int rank);

#endif
