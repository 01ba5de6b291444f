/* SPDX-License-Identifier: MIT */
/**
 * What `meicensus bench` found, for all processes together: a query of so many ms means that all of them
 * together do 1000 / ms queries a second.
 */
#ifndef MEICENSUS_BENCH_RESULT_H
#define MEICENSUS_BENCH_RESULT_H

#include <cJSON.h>

#include "bench_measure.h"

/** A layer with those that are computed together with it; or a whole network. */
struct bench_work {
    const char *name;
    double ms;
    double multiply_adds; /**< of a query, as the layer is defined: kernels may need fewer */
    double bytes;         /**< of a query, at least: inputs, output, weights, each once, float32 */
    double firing_rate;   /**< NAN where nothing spikes */
};

struct bench_network {
    struct bench_work total;
    int n_layers;
    struct bench_work *layers;
};

struct bench_target_result {
    const struct bench_target *target;
    double whole_ms, other_ms;
    double queries, activation; /**< of the searches whose MEIs the subject was measured with: means */
    struct bench_network subject;
};

struct bench_result {
    const struct bench_plan *bench;
    const struct bench_task *task;
    int n_cores;
    double machine[N_MACHINE_VALUES]; /**< 1/s: operations, bytes; of one core alone, of all */
    int image_batch;
    double search_ms;
    struct bench_network generator;
    struct bench_target_result *targets; /**< [bench->n_targets] */
    int64_t n_units;
    double census_whole_ms, census_subject_ms, census_other_ms; /**< means over the units */
    double resident_bytes, tensor_bytes;                        /**< of the largest process */
};

/** Values of all processes, as the two core_work functions give them; bench_result_free it. */
enum status bench_result_make(const struct bench_plan *bench, const struct bench_task *task, int n_cores,
                              const double *machine, const double *job, struct bench_result *result,
                              struct error *error);
void bench_result_free(struct bench_result *result);

/** Operations a second, two a multiply-add; 0 where nothing is multiplied. */
double bench_speed(const struct bench_work *work);

void bench_print(const struct bench_result *result, FILE *out);

/** The same and more as JSON; the caller deletes it. NULL: out of memory. */
cJSON *bench_json(const struct bench_result *result);

#endif
