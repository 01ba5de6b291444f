/* SPDX-License-Identifier: MIT */
/** Rank 0: hands out batches, counts, shows progress, sleeps in between. */
#ifndef MEICENSUS_MASTER_H
#define MEICENSUS_MASTER_H

#include "dispatch.h"
#include "lockstep.h"
#include "progress.h"
#include "ranks.h"

/** Why the work ended: all is done, a signal came, a worker met a fault (which it has kept for ranks_agree).
 */
enum ending { ENDING_DONE, ENDING_STOPPED, ENDING_FAULT };

/** Serve all other ranks until each has been told that there is nothing left. After a fault of one the others
 * are stopped as by a signal: they save what they have. */
enum status master_serve(const struct ranks *ranks, struct dispatch *dispatch, const struct ledger *ledger,
                         struct progress *progress, enum ending *ending, struct error *error);

/** What the ledger knows of a run that is not done (or is, as a part of a chain that is not), if it was
 * computed under this identity. */
struct replay master_replay(const struct ledger *ledger, int64_t run,
                            const struct journal_identity *identity);

#endif
