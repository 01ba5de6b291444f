/* SPDX-License-Identifier: MIT */
/** One worker: does batches of runs and keeps them in its journal. Never talks MPI. */
#ifndef MEICENSUS_WORKER_H
#define MEICENSUS_WORKER_H

#include "campaign.h"
#include "journal.h"
#include "lockstep.h"
#include "shared/state.h"

/** What a batch came to. */
struct batch_report {
    int64_t n_finished, n_failed, n_silent;
    int64_t n_unfinished; /**< left on the way, because the watch asked to */
};

struct worker {
    const struct plan *plan;
    struct evaluator **evaluators; /**< [subject][generator], made when first needed; on a device at once */
    int batch;                     /**< images a call on a device; 0 on a processor */
    const struct shared_state *shared; /**< [pool of the plan], of those that are done; else empty */
    struct journal *journal;
    struct journal_incarnation incarnation;
};

/** What this process computes with. */
void worker_identity(const struct backend *backend, struct journal_identity *identity);

/** Who this process is, for its journal. digest: of what its results depend on. */
void worker_incarnation(const struct backend *backend, int rank, const char *digest,
                        struct journal_incarnation *incarnation);

/**
 * Opens the worker's journal. The caller ends it with worker_close, also after a failure.
 *
 * On a device, its memory is taken before. Where that has no room for the batch, standard error tells of it
 * and half the batch is taken, which the journal's identity then has; STATUS_INTERNAL where that is too much,
 * too.
 */
enum status worker_open(const struct plan *plan, const struct backend *backend, const char *folder, int shard,
                        int rank, const char *digest, struct worker *worker, struct error *error);

/** The evaluator of a pair, made when first asked for; it belongs to the worker. */
enum status worker_evaluator(struct worker *worker, int subject, int generator, struct evaluator **evaluator,
                             struct error *error);

/**
 * Do a batch; when STATUS_OK is returned everything reported is durable. replays [n_runs].
 * STATUS_IO: the journal cannot be written; the batch then counts as not done.
 */
enum status worker_do(struct worker *worker, const int64_t *runs, int n_runs, const struct replay *replays,
                      const struct lockstep_watch *watch, struct batch_report *report, struct error *error);

enum status worker_close(struct worker *worker, struct error *error);

#endif
