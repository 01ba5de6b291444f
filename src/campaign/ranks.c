/* SPDX-License-Identifier: MIT */
#include "ranks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Variables by which launchers tell a process how many there are. */
static const char *const size_variables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE",
                                             "SLURM_STEP_NUM_TASKS", NULL};

static enum status check_launcher(int n_ranks, struct error *error)
{
    for (int i = 0; n_ranks == 1 && size_variables[i] != NULL; i++) {
        const char *text = getenv(size_variables[i]);
        if (text != NULL && atol(text) > 1)
            return error_set(
                error, STATUS_USAGE,
                "the launcher started %s processes (%s), but each believes it is alone: use the mpirun of "
                "the MPI that meicensus was built with (for srun: --mpi=pmix)",
                text, size_variables[i]);
    }
    return STATUS_OK;
}

enum status ranks_start(struct ranks *ranks, struct error *error)
{
    MPI_Comm node;
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS)
        return error_set(error, STATUS_INTERNAL, "MPI_Init failed");
    ranks->comm = MPI_COMM_WORLD;
    MPI_Comm_rank(ranks->comm, &ranks->rank);
    MPI_Comm_size(ranks->comm, &ranks->n_ranks);
    MPI_Comm_split_type(ranks->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &ranks->node_rank);
    MPI_Comm_free(&node);
    return check_launcher(ranks->n_ranks, error);
}

void ranks_end(void)
{
    MPI_Finalize();
}

enum status ranks_agree(const struct ranks *ranks, enum status status, struct error *error)
{
    const int mine = status == STATUS_OK ? ranks->n_ranks : ranks->rank;
    int first = ranks->n_ranks;
    MPI_Allreduce(&mine, &first, 1, MPI_INT, MPI_MIN, ranks->comm);
    if (first == ranks->n_ranks)
        return STATUS_OK;
    struct error told = *error;
    told.status = status;
    MPI_Bcast(&told, sizeof told, MPI_BYTE, first, ranks->comm);
    *error = told;
    if (ranks->rank != 0)
        error->message[0] = '\0';
    return told.status;
}

void ranks_abort(const struct ranks *ranks, const struct error *error)
{
    fprintf(stderr, "meicensus: error on rank %d: %s\n", ranks->rank, error->message);
    fflush(NULL);
    MPI_Abort(ranks->comm, status_exit_code(error->status));
    abort();
}
