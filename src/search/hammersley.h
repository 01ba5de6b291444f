/* SPDX-License-Identifier: MIT */
/**
 * Scrambled Hammersley points: codes that cover a space more evenly than random ones, for a number of codes
 * that is known before the first.
 *
 * The first index runs once through its range; index j takes the digits of the code's number in the base of
 * the j-th prime, each replaced by a random permutation that keeps 0, behind the point in reverse order
 * (Halton's sequence). A number u in [0, 1) is index floor(n u).
 *
 * Source: Nevergrad 1.0.12, `ScrHammersleySearch` (`sequences.HammersleySampler`) on an ordered
 * `TransitionChoice`. There u goes to N(0,1) and back, and where it is the border of two bins, rounding
 * decides between them.
 */
#ifndef MEICENSUS_SEARCH_HAMMERSLEY_H
#define MEICENSUS_SEARCH_HAMMERSLEY_H

#include <stdint.h>

#include "draws.h"
#include "status.h"

struct hammersley {
    int n_dimensions, n_points;
    int64_t size;   /**< codes */
    int64_t number; /**< of the next, from 0 */
    int *bases;     /**< [n_dimensions - 1], the first primes */
    int *digits;    /**< their permutations, one after the other */
};

/** `size` codes, >= 1, scrambled by `draws`. Free with hammersley_release, also after an error. */
enum status hammersley_prepare(struct hammersley *hammersley, int n_dimensions, int n_points, int64_t size,
                               struct draws *draws, struct error *error);
void hammersley_release(struct hammersley *hammersley);

/** The next code [n_dimensions]; after the last of them, the first again. */
void hammersley_next(struct hammersley *hammersley, int32_t *code);

#endif
