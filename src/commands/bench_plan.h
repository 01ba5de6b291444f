/* SPDX-License-Identifier: MIT */
/** What `meicensus bench` measures of a job: one subject, generator and method, and the layers searched. */
#ifndef MEICENSUS_BENCH_PLAN_H
#define MEICENSUS_BENCH_PLAN_H

#include "campaign.h"

/** Names of the command line; NULL: the first that the job searches. */
struct bench_names {
    const char *subject, *generator, *method;
};

/** A layer whose units are searched. */
struct bench_target {
    int layer;
    const char *name;
    int64_t n_units;
    int64_t first_run, n_runs; /**< of the plan */
};

struct bench_plan {
    struct backend backend;
    struct plan *plan;
    const struct plan_group *group;
    const struct model *subject, *generator;
    int n_targets;
    struct bench_target *targets; /**< in network order */
};

/**
 * Change a job to what is measured: nothing that ends a search early, no trials, no recheck, no replicates
 * that wait for each other. STATUS_BAD_INPUT: a name that the job does not have; a subject that is a program.
 */
enum status bench_job_prepare(struct job *job, const struct bench_names *names, struct error *error);

/** Load the models; bench_plan_close it, also after a fault. STATUS_BAD_INPUT: a combination that the job
 * does not search. */
enum status bench_plan_open(const struct job *job, const struct bench_names *names, struct bench_plan *bench,
                            struct error *error);
void bench_plan_close(struct bench_plan *bench);

#endif
