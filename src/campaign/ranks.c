/* SPDX-License-Identifier: MIT */
#include "ranks.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "hash.h"
#include "memory.h"

/* Seconds. */
static const double LEAST_PAUSE = 5e-5, MOST_PAUSE = 5e-3;

/** Variables by which launchers tell a process how many there are. */
static const char *const size_variables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                             "SLURM_STEP_NUM_TASKS", NULL};

/** And by which they tell it its number, in the same order. */
static const char *const rank_variables[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK",
                                             "SLURM_PROCID", NULL};

/** The first variable that is set counts: the others may come from a launcher further out. */
static const char *first_set(const char *const *variables, int *i)
{
    const char *text = NULL;
    for (*i = 0; text == NULL && variables[*i] != NULL; ++*i)
        text = getenv(variables[*i]);
    return text;
}

bool ranks_started_first(void)
{
    int i;
    const char *text = first_set(rank_variables, &i);
    return text == NULL || atol(text) == 0;
}

static enum status check_launcher(int n_ranks, struct error *error)
{
    int i;
    const char *text = first_set(size_variables, &i);
    if (n_ranks > 1 || text == NULL || atol(text) <= 1)
        return STATUS_OK;
    return error_set(
        error, STATUS_USAGE,
        "the launcher started %s processes (%s), but each believes it is alone: use the mpirun of "
        "the MPI that meicensus was built with (for srun: --mpi=pmix)",
        text, size_variables[i - 1]);
}

enum status ranks_start(struct ranks *ranks, struct error *error)
{
    MPI_Comm node;
    int first, level;
    /* a device's searches are told by several threads, none of which but the first calls MPI */
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return error_set(error, STATUS_INTERNAL, "MPI_Init failed");
    ranks->comm = MPI_COMM_WORLD;
    MPI_Comm_rank(ranks->comm, &ranks->rank);
    MPI_Comm_size(ranks->comm, &ranks->n_ranks);
    MPI_Comm_split_type(ranks->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &ranks->node_rank);
    MPI_Allreduce(&ranks->rank, &first, 1, MPI_INT, MPI_MIN, node);
    MPI_Comm_free(&node);
    ranks->node_worker = ranks->node_rank - (first == 0 && ranks->node_rank > 0);
    return check_launcher(ranks->n_ranks, error);
}

void ranks_end(void)
{
    MPI_Finalize();
}

/**
 * MPI's own waiting would burn a core, and others may work for hours before they come here; but where they
 * come soon, sleep would hold all of them up. So one part in a hundred of the time that it has taken is slept
 * at a time, at most MOST_PAUSE; what is too short for that goes to whoever wants the core.
 */
static void wait_looking(MPI_Request *request, void (*look)(void *context), void *context)
{
    const double begin = clock_seconds();
    int done = 0;
    for (;;) {
        MPI_Test(request, &done, MPI_STATUS_IGNORE);
        if (done)
            return;
        if (look != NULL)
            look(context);
        const double pause = (clock_seconds() - begin) / 100;
        if (pause < LEAST_PAUSE)
            sched_yield();
        else
            clock_sleep(pause < MOST_PAUSE ? pause : MOST_PAUSE);
    }
}

static void wait_asleep(MPI_Request *request)
{
    wait_looking(request, NULL, NULL);
}

static void broadcast(const struct ranks *ranks, void *buffer, size_t n_bytes, int from)
{
    MPI_Request request;
    MPI_Ibcast(buffer, (int)n_bytes, MPI_BYTE, from, ranks->comm, &request);
    wait_asleep(&request);
}

enum status ranks_agree(const struct ranks *ranks, enum status status, struct error *error)
{
    const int mine = status == STATUS_OK ? ranks->n_ranks : ranks->rank;
    int first = ranks->n_ranks;
    MPI_Request request;
    MPI_Iallreduce(&mine, &first, 1, MPI_INT, MPI_MIN, ranks->comm, &request);
    wait_asleep(&request);
    if (first == ranks->n_ranks)
        return STATUS_OK;
    struct error told = *error;
    told.status = status;
    broadcast(ranks, &told, sizeof told, first);
    *error = told;
    if (ranks->rank != 0)
        error->message[0] = '\0';
    return told.status;
}

void ranks_share(const struct ranks *ranks, void *buffer, size_t n_bytes)
{
    broadcast(ranks, buffer, n_bytes, 0);
}

/** Where the bytes of each rank begin, and how many there are in all. */
static size_t lay_out(const struct ranks *ranks, const int *counts, int *places)
{
    size_t n = 0;
    for (int rank = 0; rank < ranks->n_ranks; rank++) {
        places[rank] = n <= INT_MAX ? (int)n : 0;
        n += (size_t)counts[rank];
    }
    return n;
}

static enum status make_room(struct ranks_bytes *all, size_t n, struct error *error)
{
    all->n = n;
    if (n > INT_MAX)
        return error_set(error, STATUS_INTERNAL, "%zu bytes are too many for one exchange among ranks", n);
    if (n <= all->capacity)
        return STATUS_OK;
    free(all->bytes);
    all->bytes = NULL;
    all->capacity = 0;
    TRY(MEMORY_ALLOCATE(all->bytes, n, error));
    all->capacity = n;
    return STATUS_OK;
}

enum status ranks_collect(const struct ranks *ranks, const void *mine, size_t n_bytes,
                          struct ranks_bytes *all, struct error *error)
{
    const int count = n_bytes > INT_MAX ? INT_MAX : (int)n_bytes;
    int *counts = NULL, *places = NULL;
    MPI_Request request;
    enum status status = MEMORY_ALLOCATE(counts, (size_t)ranks->n_ranks, error);
    if (status == STATUS_OK)
        status = MEMORY_ALLOCATE(places, (size_t)ranks->n_ranks, error);
    TRY_CLEANUP(ranks_agree(ranks, status, error));
    MPI_Iallgather(&count, 1, MPI_INT, counts, 1, MPI_INT, ranks->comm, &request);
    wait_asleep(&request);
    status = make_room(all, lay_out(ranks, counts, places), error);
    TRY_CLEANUP(ranks_agree(ranks, status, error));
    MPI_Iallgatherv(mine, count, MPI_BYTE, all->bytes, counts, places, MPI_BYTE, ranks->comm, &request);
    wait_asleep(&request);
cleanup:
    free(counts);
    free(places);
    return status;
}

void ranks_meet(const struct ranks *ranks, void (*look)(void *context), void *context)
{
    MPI_Request request;
    MPI_Ibarrier(ranks->comm, &request);
    wait_looking(&request, look, context);
}

bool ranks_hold_same(const struct ranks *ranks, const char *text)
{
    const uint64_t mine = hash_bytes(text, strlen(text));
    uint64_t first = mine;
    broadcast(ranks, &first, sizeof first, 0);
    return mine == first;
}

void ranks_abort(const struct ranks *ranks, const struct error *error)
{
    fprintf(stderr, "meicensus: error on rank %d: %s\n", ranks->rank, error->message);
    fflush(NULL);
    MPI_Abort(ranks->comm, status_exit_code(error->status));
    abort();
}
