/* SPDX-License-Identifier: MIT */
/**
 * The loop itself: a batch of runs of one group advanced in lockstep. Ask all, generate, show, tell all,
 * until every run has a reason to stop; then show each MEI again and fill its record.
 */
#ifndef MEICENSUS_LOCKSTEP_H
#define MEICENSUS_LOCKSTEP_H

#include "campaign.h"
#include "evaluator.h"

/** Scores of an earlier execution of a run under the same identity. */
struct replay {
    int64_t n_scores;
    uint64_t codes_hash;  /**< after that many queries */
    const float *scores;  /**< [n_scores] */
    enum stop_reason end; /**< why it ended after these, which time may have been; STOP_NONE: it had not */
};

/** Who watches the loop. Called before every query, on a device before every ask; it has to be cheap. Always
 * by the thread that called lockstep_run. */
struct lockstep_watch {
    void *context;
    /** true: leave as soon as possible; it then stays true. */
    bool (*should_stop)(void *context);
    /** Queries done since the last call; those of the replays do not count. */
    void (*count_queries)(void *context, int64_t n_queries);
};

/** What became of a run. */
struct lockstep_result {
    bool finished; /**< else: stopped on the way; n_told, codes_hash and scores tell how far */
    void *record;  /**< finished: buffer of the group's layout */
    int64_t n_told;
    uint64_t codes_hash;
    const float *scores; /**< [n_told] */
};

struct lockstep; /* opaque */

/**
 * Do `n_runs` runs (numbers in the plan, all of one group; chains whole and in order). replays [n_runs];
 * n_scores 0 where there is none. Afterwards lockstep_result tells about each. A run whose method fails is
 * finished with status RUN_FAILED. The evaluator must belong to the group's subject and generator.
 *
 * On a device, half of the runs are shown while the others are scored, told and asked by as many threads as
 * OMP_NUM_THREADS or, without that, SLURM_CPUS_PER_TASK says, else by one. What is shown in a call depends on
 * the runs and the evaluator's batch only, neither on time nor on threads: the same runs give the same bits.
 */
enum status lockstep_run(const struct plan *plan, struct evaluator *evaluator, const int64_t *runs,
                         int n_runs, const struct replay *replays, const struct lockstep_watch *watch,
                         struct lockstep **lockstep, struct error *error);

struct lockstep_result lockstep_result(const struct lockstep *lockstep, int i);
void lockstep_free(struct lockstep *lockstep);

#endif
