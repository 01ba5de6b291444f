/* SPDX-License-Identifier: MIT */
/** The record of a run: the MEI recomputed and shown again, every field of record.h filled. */
#ifndef MEICENSUS_RUN_RECORD_H
#define MEICENSUS_RUN_RECORD_H

#include "campaign.h"
#include "candidates.h"
#include "evaluator.h"
#include "lockstep.h"

/** What a search left. */
struct run_outcome {
    int64_t queries, evaluations;
    int64_t start_queries;     /**< of them for start codes */
    int64_t best_query;        /**< 1-based; the first that reached the best score */
    float activation_searched; /**< NAN before the first query */
    int32_t *best_code;        /**< [d] */
    uint64_t codes_hash;
    bool any_activity; /**< some query gave an activation above 0 */
    enum stop_reason stop_reason;
    double seconds_search;
    struct candidates candidates; /**< as many as the group's sizes say */
    float *candidate_means;       /**< [candidates.n] in the recheck; NULL: there was none */
    int recommended;              /**< candidate; -1 without a recheck */
    float closeness;              /**< of the MEI to those of earlier replicates */
    const float *history;         /**< [history]; NULL: it follows from the scores */
    const char *bred_for;         /**< whom the winner was bred for; NULL: for its own unit, alone */
};

/**
 * Fill `record` (layout of the run's group) from the outcome and the scores of all queries (NULL: none are
 * kept).
 * *finished stays false when the watch asks to leave before the last trial; STATUS_STOPPED, where a program
 * was waited for.
 */
enum status run_record_fill(const struct plan *plan, struct evaluator *evaluator, const struct run *run,
                            const struct run_outcome *outcome, const float *scores,
                            const struct lockstep_watch *watch, void *record, bool *finished,
                            struct error *error);

/**
 * The record of a run that had stopped for good, as it looks with another budget: `old` is laid out as `from`
 * says, `record` as `to`, which differ in budget and history only.
 */
void run_record_refit(const struct record_layout *from, const void *old, const struct record_layout *to,
                      bool minimise, void *record);

/** A record that says why the run failed: numbers are NaN or 0. */
void run_record_failed(const struct record_layout *layout, uint64_t key, const char *message, void *record);

#endif
