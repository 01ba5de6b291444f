/* SPDX-License-Identifier: MIT */
/** What one process of `meicensus bench` measures: seconds, as numbers in a row (core.values). */
#ifndef MEICENSUS_BENCH_MEASURE_H
#define MEICENSUS_BENCH_MEASURE_H

#include "bench_cores.h"
#include "bench_plan.h"

/** Of the machine (bench_measure_machine). */
enum { MACHINE_PEAK_ALONE, MACHINE_PEAK, MACHINE_BANDWIDTH_ALONE, MACHINE_BANDWIDTH, N_MACHINE_VALUES };

/** Of the job: these, the seconds a query of every layer of the generator, then what is known of every
 * target. */
enum { JOB_GENERATOR, JOB_SEARCH, JOB_RESIDENT_BYTES, JOB_TENSOR_BYTES, JOB_IMAGE_BATCH, N_JOB_VALUES };

/** Of a target: these, the seconds a query of every layer of the subject, then every layer's mean firing
 * rate. Seconds are those of one query of this process. */
enum { TARGET_WHOLE, TARGET_SUBJECT, TARGET_QUERIES, TARGET_ACTIVATION, N_TARGET_VALUES };

size_t bench_target_values(const struct bench_plan *bench);
size_t bench_job_values(const struct bench_plan *bench);

/** What is measured, and for how long. */
struct bench_task {
    struct job *job; /**< as bench_job_prepare left it */
    struct bench_names names;
    double seconds; /**< in all */
};

/** core_work functions; context: NULL, struct bench_task. */
core_work bench_measure_machine, bench_measure_job;

#endif
