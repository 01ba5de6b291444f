/* SPDX-License-Identifier: MIT */
/**
 * A census whose units share their images, in rounds that all ranks do together: searches are asked for
 * children, the images are dealt out, every unit looks at each, what came into a list is exchanged, and
 * everybody takes the round over. Every round is a frame of a journal, so one that was done once is not shown
 * again: searches are asked and told, and the frame answers.
 *
 * A round depends on the key of the census and the rounds before, not on ranks. What goes round: the codes
 * that were asked (4 d bytes an image, to every rank), a score an image, and 16 bytes of news for every place
 * in a list that a rank's images may take; the last grows with ranks in the first rounds, at most by lists x
 * elite x 16 bytes a rank, and hardly later, when few images are news to anybody.
 */
#ifndef MEICENSUS_SHARED_CENSUS_H
#define MEICENSUS_SHARED_CENSUS_H

#include "../ledger.h"
#include "../progress.h"
#include "../ranks.h"
#include "../worker.h"
#include "state.h"

/** What a rank brings. */
struct shared_place {
    const struct ranks *ranks;
    struct worker *worker;       /**< NULL: the master of others, who shows no images */
    const struct ledger *ledger; /**< rank 0: what the journals have; NULL elsewhere */
    struct progress *progress;   /**< rank 0; NULL elsewhere */
};

/**
 * Do the rounds of a pool that its journals do not have, after those that they have. Collective; the state is
 * the same on all ranks. STATUS_STOPPED after a signal; STATUS_MISMATCH: ranks that compute differently;
 * STATUS_DAMAGED: a journal's round that cannot be one of this census. Rank 0 has the message.
 */
enum status shared_census_do(const struct shared_place *place, struct shared_state *state,
                             struct error *error);

/** Print how many images and rounds it came to, and what ranks told each other. */
void shared_census_report(const struct shared_state *state);

#endif
