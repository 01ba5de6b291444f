/* SPDX-License-Identifier: MIT */
/**
 * The searches that children are asked of, one a unit. Every worker has those of some units (place mod
 * workers), made when first asked; each is told what its own children scored, and informed of codes that were
 * bred for others and came into its unit's list.
 */
#ifndef MEICENSUS_SHARED_BREEDERS_H
#define MEICENSUS_SHARED_BREEDERS_H

#include "state.h"

struct breeders {
    const struct shared_state *state;
    int worker, n_workers;    /**< worker -1: nobody's searches are here */
    struct search **searches; /**< [unit]; NULL: not made, or elsewhere */
    int32_t *codes;           /**< [elite or batch][d] in hand */
    float *scores;            /**< likewise */
    int32_t *bred;            /**< [n_bred][d]: what was asked here for a round */
    int n_bred;
};

/** Free with breeders_free, also after an error. */
enum status breeders_create(const struct shared_state *state, int worker, int n_workers,
                            struct breeders *breeders, struct error *error);
void breeders_free(struct breeders *breeders);

/** Which worker has the search of a unit? */
int breeders_worker_of(const struct breeders *breeders, int32_t unit);

/** Ask the searches that are here for their children of a round: breeders->bred. STATUS_BAD_INPUT: the method
 * refuses the problem. */
enum status breeders_ask(struct breeders *breeders, const struct shared_round *round, struct error *error);

/** A round was taken over: tell and inform the searches that are here. */
void breeders_learn(struct breeders *breeders, const struct shared_round *round);

#endif
