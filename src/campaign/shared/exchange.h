/* SPDX-License-Identifier: MIT */
/** What ranks tell each other of a round. All functions are collective. */
#ifndef MEICENSUS_SHARED_EXCHANGE_H
#define MEICENSUS_SHARED_EXCHANGE_H

#include "../ranks.h"
#include "breeders.h"
#include "state.h"

/** Buffers; zero-initialise, free with exchange_free. */
struct exchange {
    const struct ranks *ranks;
    struct ranks_bytes all; /**< of all ranks, one after another */
    int64_t n_bytes;        /**< that this rank has been told so far, its own included */
};

void exchange_free(struct exchange *exchange);

/** The codes that were asked everywhere, in the order of the round. */
enum status exchange_codes(struct exchange *exchange, const struct breeders *breeders,
                           struct shared_round *round, struct error *error);

/** Scores of a block begin .. end - 1 that was shown here (blocks rise with ranks), and all news. */
enum status exchange_findings(struct exchange *exchange, struct shared_round *round, int begin, int end,
                              struct error *error);

/** The round that rank 0 has, if `found` there; *found on all ranks. */
enum status exchange_recorded(struct exchange *exchange, const struct journal_frame *frame, bool *found,
                              struct journal_round *head, struct shared_round *round, struct error *error);

#endif
