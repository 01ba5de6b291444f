/* SPDX-License-Identifier: MIT */
/**
 * Natural references: which images of a dataset excite each unit most, and how its activation is distributed
 * over the dataset. Units are all channels of all selectable layers, and all class outputs.
 *
 * The file natural.h5 (natural_file.h) is equal bit for bit outside provenance/ whatever the number of ranks
 * and interruptions. Jobs name it (`natural` of a subject): its images go into the results file.
 */
#ifndef MEICENSUS_NATURAL_H
#define MEICENSUS_NATURAL_H

#include <stdbool.h>

#include "campaign.h"
#include "natural_file.h"
#include "network.h"
#include "status.h"

struct natural_options {
    struct network_request network;
    const char *data;   /**< see dataset.h */
    const char *output; /**< file to write; an older one is replaced */
    long long limit;    /**< images at most; 0: all */
    int top;
    int images; /**< of the top, those whose pixels are written; 0: none */
};

/**
 * Show every image once and write the file; starts and ends MPI itself. Collective. What was computed lies
 * in the folder `<output>.parts` until the file is written: the same call goes on from there after an
 * interruption. STATUS_MISMATCH: it holds parts for other weights, constants, images or kernels.
 * STATUS_STOPPED after a signal. On a fault only rank 0 has a message; the others' is empty.
 */
enum status natural_run(const struct natural_options *options, struct error *error);

/**
 * Read the natural references that the job names for a subject, and keep those of the units of the plan:
 * `table` with rows for them, in their order, and with `unit` their rows in the plan. STATUS_BAD_INPUT: no
 * such file; or one that cannot be used, was made for other weights, time steps or neuron constants, or lacks
 * a unit: the message says what makes a right one. The caller frees the table (natural_table_free), also
 * after a fault.
 */
enum status natural_of_subject(const struct plan *plan, int subject, bool with_images,
                               struct natural_table *table, struct error *error);

/** Check the natural references of all subjects that the job names some for; out: say what there is (NULL:
 * no). */
enum status natural_check(const struct plan *plan, FILE *out, struct error *error);

#endif
