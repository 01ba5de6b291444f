/* SPDX-License-Identifier: MIT */
/** Who looks at the images of a round: the units of all subjects of a census. */
#ifndef MEICENSUS_SHARED_AUDIENCE_H
#define MEICENSUS_SHARED_AUDIENCE_H

#include "../evaluator.h"
#include "state.h"

/** The units of one subject, one after another in the pool. */
struct spectators {
    struct evaluator *evaluator;
    int64_t first, n;
    const struct unit **units; /**< [n] */
    float *activations;        /**< [image][n] of those made together */
};

struct audience {
    const struct shared_state *state;
    int n_subjects;
    struct spectators *spectators; /**< [n_subjects]; the images are made for the first, and shown to all */
    struct elites found;           /**< what a block of images may bring into the lists */
    bool *is_active;               /**< [unit] that was seen to be active in this block */
    float *signs;                  /**< [unit] by which an activation becomes a score */
    float *limits;                 /**< [unit] lower and equal scores are of no interest */
    const int32_t **codes;         /**< of images that are made together */
};

/** evaluators: [subject of the plan] for the pool's generator. Free with audience_free, also after an error.
 */
enum status audience_create(const struct shared_state *state, struct evaluator *const *evaluators,
                            struct audience *audience, struct error *error);
void audience_free(struct audience *audience);

/** Asked before every few images; true: leave. */
typedef bool audience_leave(void *context);

/**
 * Show images `begin` .. end - 1 of a round to all: their scores, and news of what may change a list.
 * STATUS_STOPPED: `leave` said so; STATUS_INTERNAL: a device failed.
 */
enum status audience_show(struct audience *audience, struct shared_round *round, int begin, int end,
                          audience_leave *leave, void *context, struct error *error);

#endif
