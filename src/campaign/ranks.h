/* SPDX-License-Identifier: MIT */
/** MPI, as far as the campaign needs it: start and end, agreement on errors, an end that never hangs. */
#ifndef MEICENSUS_RANKS_H
#define MEICENSUS_RANKS_H

#include <stdbool.h>

#include <mpi.h>

#include "status.h"

/** This process among its ranks. */
struct ranks {
    MPI_Comm comm;
    int rank, n_ranks;
    int node_rank;   /**< among the ranks of this host */
    int node_worker; /**< likewise, without the master; 0 where the only rank is both */
};

/**
 * MPI_Init. Refuses (STATUS_USAGE) a process that the launcher started as one of several but whose MPI knows
 * of one only: every such process would do the whole campaign. Collective.
 */
enum status ranks_start(struct ranks *ranks, struct error *error);

/** Is this the first process of its launcher, or the only one? Asks the environment, so also before MPI_Init.
 */
bool ranks_started_first(void);

/** MPI_Finalize. Collective. */
void ranks_end(void);

/**
 * The same status on all ranks: that of the lowest rank that failed, whose message rank 0 gets; the other
 * ranks' messages become empty, so that a fault is told once. Collective.
 */
enum status ranks_agree(const struct ranks *ranks, enum status status, struct error *error);

/** What rank 0 has in `buffer` replaces what the others have. Collective. */
void ranks_share(const struct ranks *ranks, void *buffer, size_t n_bytes);

/** Bytes of all ranks, in the order of their numbers; zero-initialise, free `bytes`. */
struct ranks_bytes {
    unsigned char *bytes;
    size_t n, capacity;
};

/** Give n_bytes to all, and get those of all. At most 2^31 - 1 bytes together. Collective. */
enum status ranks_collect(const struct ranks *ranks, const void *mine, size_t n_bytes,
                          struct ranks_bytes *all, struct error *error);

/** Wait until all ranks have come here; `look`, unless NULL, is called now and then meanwhile. Collective. */
void ranks_meet(const struct ranks *ranks, void (*look)(void *context), void *context);

/** Is the text of this rank that of rank 0? Collective. */
bool ranks_hold_same(const struct ranks *ranks, const char *text);

/** Print the error as main would, and end all ranks with its exit code. For faults while others may wait. */
void ranks_abort(const struct ranks *ranks, const struct error *error) __attribute__((noreturn));

#endif
