/* SPDX-License-Identifier: MIT */
/** Rank 0: hands out batches, counts, shows progress, sleeps in between. */
#ifndef MEICENSUS_MASTER_H
#define MEICENSUS_MASTER_H

#include "dispatch.h"
#include "progress.h"
#include "ranks.h"

/** Serve all other ranks until each has been told that there is nothing left. *stopped: a signal came. */
enum status master_serve(const struct ranks *ranks, struct dispatch *dispatch, const struct ledger *ledger,
                         struct progress *progress, bool *stopped, struct error *error);

/** What the ledger knows of an unfinished run, if it was computed under this identity. */
struct replay master_replay(const struct ledger *ledger, int64_t run,
                            const struct journal_identity *identity);

#endif
