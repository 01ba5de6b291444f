/* SPDX-License-Identifier: MIT */
/** One process of `meicensus bench` at its work; shared by the files that do it. */
#ifndef MEICENSUS_BENCH_PROCESS_H
#define MEICENSUS_BENCH_PROCESS_H

#include "../campaign/evaluator.h"
#include "../campaign/lockstep.h"
#include "bench_measure.h"

/** MEIs that each process finds of a target. */
enum { BENCH_MEIS = 2 };

/** Time taken for a number of queries. */
struct tally {
    double seconds, n_queries;
};

struct measurement {
    struct core *core;
    struct bench_plan *bench;
    struct job *job;
    struct evaluator *evaluator;
    int32_t *codes;         /**< [generator's batch][d] */
    int64_t *runs;          /**< [job's batch] of a lockstep */
    struct replay *replays; /**< [job's batch], all empty */
    struct tally generator, search;

    /* of the target that is being measured */
    const struct bench_target *target;
    double *values; /**< of the target, see bench_measure.h */
    struct tally whole, subject;
    int64_t n_whole_runs; /**< begun */
    float *meis;          /**< [BENCH_MEIS][image] that were found */
    float *scores;        /**< [n_scores, and room for an ask] of the last search */
    int64_t n_scores;
};

size_t bench_image_values(const struct measurement *m);

/** Runs that are advanced together, as a worker gets them. */
int bench_lockstep_runs(const struct measurement *m);

/** Short searches, for other units in every process: sets meis, scores, TARGET_QUERIES, TARGET_ACTIVATION. */
enum status bench_find_meis(struct measurement *m, double seconds, struct error *error);

/** Each adds to a tally, for about `seconds`; networks add the seconds of layers to the values, too. */
enum status bench_time_whole(struct measurement *m, double seconds, struct error *error);
enum status bench_time_search(struct measurement *m, double seconds, struct error *error);
void bench_time_generator(struct measurement *m, double seconds);
void bench_time_subject(struct measurement *m, double seconds);

#endif
