/* SPDX-License-Identifier: MIT */
/**
 * What all ranks know alike of a census whose units share their images: the best codes of every unit, what
 * was spent on whom, and how far it is. A unit is a run of the pool, named by its place in pool->runs.
 *
 * Scores are signed so that more is better: of units that are minimised they are the negative activations.
 */
#ifndef MEICENSUS_SHARED_STATE_H
#define MEICENSUS_SHARED_STATE_H

#include "campaign.h"
#include "journal.h"
#include "elites.h"
#include "spending.h"

/** A round: which images are shown, what became of them. */
struct shared_round {
    int64_t number, first; /**< of the round; of its first image */
    int n_asked;           /**< 0: random codes, or codes of the start */
    int32_t *asked;        /**< units whose searches are asked */
    int n_images;          /**< 0: there is no further round */
    int32_t *codes;        /**< [n_images][d]; a unit's lie side by side, in the order of `asked` */
    float *scores;         /**< [n_images] of each for the unit that it was bred for; 0 where there is none */
    struct journal_news *news; /**< grows: that may change something, signed scores; sorted by unit, image
                                  once taken */
    size_t n_news, news_capacity;
};

/** The best of a unit became better. */
struct shared_gain {
    int64_t known_after; /**< images: at the end of a round */
    int64_t before;      /**< place of the unit's gain before this; -1: the first */
    float score;
};

/** One unit. */
struct shared_unit {
    const struct unit *unit;
    int subject;
    bool minimise, is_spiking, is_active; /**< is_active: some image gave an activation above 0 */
    enum stop_reason stop_reason;         /**< STOP_NONE: it may still get children */
    int64_t evaluations;                  /**< images bred for it */
    int64_t in_vain;                      /**< of them since its best became better */
    int64_t last_gain;                    /**< place in gains; -1: none */
};

struct shared_state {
    const struct plan *plan;
    const struct plan_pool *pool;
    const struct job_search *search;
    int n_dimensions, n_points, batch; /**< batch: children of an ask */
    struct shared_unit *units;         /**< [pool->n_runs] */
    struct elites elites;
    struct spending spending;
    int32_t *start; /**< [n_start][d] codes that are shown first */
    int64_t n_start;
    int64_t n_images, n_rounds; /**< done */
    uint64_t codes_hash;
    struct shared_gain *gains;
    size_t n_gains, gain_capacity;
    double seconds, seconds_shown; /**< that the rounds of this start took; of them to show images */
    int64_t n_bytes;               /**< that this rank was told in them */
};

/** A census of which nothing is done yet. Free with shared_state_free, also after an error. */
enum status shared_state_create(const struct plan *plan, const struct plan_pool *pool,
                                struct shared_state *state, struct error *error);
void shared_state_free(struct shared_state *state);

/** Images that a round can have, at most. */
int shared_round_capacity(const struct shared_state *state);

/** Room for any round of the census; free with shared_round_free, also after an error. */
enum status shared_round_create(const struct shared_state *state, struct shared_round *round,
                                struct error *error);
void shared_round_free(struct shared_round *round);

/**
 * Decide what the next round is about: number, first, n_asked, asked, n_images; and its codes where no search
 * is asked. n_images 0: the budget has no room for a whole round, or every unit has a reason to stop.
 */
void shared_round_begin(struct shared_state *state, struct shared_round *round);

/** Add a piece of news. */
enum status shared_round_tell(struct shared_round *round, struct journal_news news, struct error *error);

/** Whom image i of a round was bred for: the place of a unit, BRED_RANDOM or BRED_START. */
int32_t shared_round_bred_for(const struct shared_state *state, const struct shared_round *round, int i);

/**
 * Take over a round whose codes, scores and news are there. Of the news those remain that changed a list, so
 * they are the same whoever found which.
 */
enum status shared_state_take(struct shared_state *state, struct shared_round *round, struct error *error);

/** The best signed score of a unit; NAN: none. */
float shared_state_best(const struct shared_state *state, int64_t unit);

#endif
