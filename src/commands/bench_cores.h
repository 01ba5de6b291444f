/* SPDX-License-Identifier: MIT */
/** The same work by several processes at once, one a core, as a campaign has one rank a core. */
#ifndef MEICENSUS_BENCH_CORES_H
#define MEICENSUS_BENCH_CORES_H

#include <stddef.h>

#include "status.h"

/** Numbers that one process may give back, at most. */
enum { CORE_MOST_VALUES = 1 << 20 };

struct cores; /* opaque: what the processes share */

/** One of the processes. */
struct core {
    int index, n_cores;
    size_t n_values; /**< that it gives back; the same in all processes */
    double *values;  /**< [n_values], zero at first; room for CORE_MOST_VALUES */
    struct cores *cores;
};

typedef enum status core_work(struct core *core, void *context, struct error *error);

/** Wait until all processes are here. */
void core_meet(struct core *core);

/** How many steps the work has, and that one more of them is done: for the progress on standard error. */
void core_set_steps(struct core *core, int n_steps);
void core_step_done(struct core *core);

/**
 * Run `work` in n_cores processes of their own, which begin with the memory of this one, and wait for them.
 * *values [n_cores][*n_values] is what they gave back; the caller frees it. The first fault ends all of them:
 * its own status and message, or STATUS_INTERNAL for a process that died.
 */
enum status cores_run(int n_cores, core_work *work, void *context, double **values, size_t *n_values,
                      struct error *error);

#endif
