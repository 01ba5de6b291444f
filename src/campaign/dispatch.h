/* SPDX-License-Identifier: MIT */
/** The work list of a shard: runs not yet finished, in batches of one group and layer, deepest layers first.
 */
#ifndef MEICENSUS_DISPATCH_H
#define MEICENSUS_DISPATCH_H

#include "campaign.h"
#include "ledger.h"

struct dispatch {
    const struct plan *plan;
    int64_t *pending; /**< run numbers in the order of handing out */
    int64_t n_pending, next;
    int64_t n_presentations; /**< at most, of all pending runs, less what was saved on the way; of those that
                                share images, none */
};

/** List the runs of the shard that are not done (ledger_is_done). The caller frees `pending`. */
enum status dispatch_make(const struct plan *plan, int shard, const struct ledger *ledger,
                          struct dispatch *dispatch, struct error *error);

/**
 * Take the next batch: at most the job's batch, and towards the end less, so that `n_workers` finish
 * together; a chain is never divided. Returns how many run numbers stand in `runs` (room for
 * plan_batch_capacity); 0: nothing left.
 */
int dispatch_take(struct dispatch *dispatch, int n_workers, int64_t *runs);

#endif
