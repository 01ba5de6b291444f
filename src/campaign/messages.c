/* SPDX-License-Identifier: MIT */
/* All sends are small or are being waited for, so that blocking ones cannot lock two ranks. Whoever waits
 * looks a few hundred times a second and sleeps in between: MPI's own waiting would burn a core. */
#include "messages.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"

enum tag { TAG_HELLO = 1, TAG_REQUEST, TAG_COUNT, TAG_REPORT, TAG_FAULT, TAG_BATCH, TAG_SCORES, TAG_STOP };

enum { MASTER = 0, LARGEST_BATCH = 4096 }; /* as the job file allows */

/** One run of a batch on its way to a worker. */
struct batch_item {
    int64_t run;
    int64_t n_scores;
    uint64_t codes_hash;
    int64_t end;
};

void messages_send_hello(const struct ranks *ranks, const struct journal_identity *identity)
{
    MPI_Send(identity, sizeof *identity, MPI_BYTE, MASTER, TAG_HELLO, ranks->comm);
}

void messages_send_request(const struct ranks *ranks)
{
    MPI_Send(NULL, 0, MPI_BYTE, MASTER, TAG_REQUEST, ranks->comm);
}

void messages_send_count(const struct ranks *ranks, int64_t n_queries)
{
    MPI_Send(&n_queries, 1, MPI_INT64_T, MASTER, TAG_COUNT, ranks->comm);
}

void messages_send_report(const struct ranks *ranks, const struct batch_report *report)
{
    MPI_Send(report, sizeof *report, MPI_BYTE, MASTER, TAG_REPORT, ranks->comm);
}

void messages_send_fault(const struct ranks *ranks)
{
    MPI_Send(NULL, 0, MPI_BYTE, MASTER, TAG_FAULT, ranks->comm);
}

static void receive(const struct ranks *ranks, const MPI_Status *probed, void *buffer, int n_bytes)
{
    MPI_Recv(buffer, n_bytes, MPI_BYTE, probed->MPI_SOURCE, probed->MPI_TAG, ranks->comm, MPI_STATUS_IGNORE);
}

void messages_receive(const struct ranks *ranks, struct message *message)
{
    MPI_Status status;
    int arrived;
    *message = (struct message){.kind = MESSAGE_NONE};
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, ranks->comm, &arrived, &status);
    if (!arrived)
        return;
    message->rank = status.MPI_SOURCE;
    switch (status.MPI_TAG) {
    case TAG_HELLO:
        message->kind = MESSAGE_HELLO;
        receive(ranks, &status, &message->identity, sizeof message->identity);
        break;
    case TAG_REQUEST:
        message->kind = MESSAGE_REQUEST;
        receive(ranks, &status, NULL, 0);
        break;
    case TAG_COUNT:
        message->kind = MESSAGE_COUNT;
        receive(ranks, &status, &message->n_queries, sizeof message->n_queries);
        break;
    case TAG_REPORT:
        message->kind = MESSAGE_REPORT;
        receive(ranks, &status, &message->report, sizeof message->report);
        break;
    case TAG_FAULT:
        message->kind = MESSAGE_FAULT;
        receive(ranks, &status, NULL, 0);
        break;
    default:
        break;
    }
}

void messages_send_batch(const struct ranks *ranks, int to, const int64_t *runs, int n_runs,
                         const struct replay *replays)
{
    struct batch_item items[LARGEST_BATCH] = {{0}};
    for (int i = 0; i < n_runs; i++)
        items[i] =
            (struct batch_item){runs[i], replays[i].n_scores, replays[i].codes_hash, (int64_t)replays[i].end};
    MPI_Send(items, (int)sizeof *items * n_runs, MPI_BYTE, to, TAG_BATCH, ranks->comm);
    for (int i = 0; i < n_runs; i++)
        if (replays[i].n_scores > 0)
            MPI_Send(replays[i].scores, (int)replays[i].n_scores, MPI_FLOAT, to, TAG_SCORES, ranks->comm);
}

void messages_send_stop(const struct ranks *ranks, int to)
{
    MPI_Send(NULL, 0, MPI_BYTE, to, TAG_STOP, ranks->comm);
}

bool messages_stop_arrived(const struct ranks *ranks)
{
    int arrived;
    MPI_Iprobe(MASTER, TAG_STOP, ranks->comm, &arrived, MPI_STATUS_IGNORE);
    if (arrived)
        MPI_Recv(NULL, 0, MPI_BYTE, MASTER, TAG_STOP, ranks->comm, MPI_STATUS_IGNORE);
    return arrived;
}

static void wait_for(const struct ranks *ranks, int tag, MPI_Status *status)
{
    int arrived = 0;
    double pause = 1e-4;
    while (!arrived) {
        MPI_Iprobe(MASTER, tag, ranks->comm, &arrived, status);
        if (!arrived)
            clock_sleep(pause);
        pause = pause < 5e-3 ? pause * 2 : pause;
    }
}

/** The scores follow the list, one message for each run that has any. */
static enum status receive_scores(const struct ranks *ranks, const struct batch_item *items, int n_runs,
                                  struct replay *replays, float **scores, struct error *error)
{
    size_t n = 0;
    for (int i = 0; i < n_runs; i++)
        n += (size_t)items[i].n_scores;
    TRY(MEMORY_ALLOCATE(*scores, n, error));
    float *next = *scores;
    for (int i = 0; i < n_runs; i++) {
        replays[i] =
            (struct replay){items[i].n_scores, items[i].codes_hash, next, (enum stop_reason)items[i].end};
        if (items[i].n_scores > 0)
            MPI_Recv(next, (int)items[i].n_scores, MPI_FLOAT, MASTER, TAG_SCORES, ranks->comm,
                     MPI_STATUS_IGNORE);
        next += items[i].n_scores;
    }
    return STATUS_OK;
}

enum status messages_receive_batch(const struct ranks *ranks, int capacity, int64_t *runs, int *n_runs,
                                   struct replay *replays, float **scores, struct error *error)
{
    struct batch_item *items = NULL;
    MPI_Status status;
    int n_bytes;
    *scores = NULL;
    TRY(MEMORY_ALLOCATE(items, (size_t)capacity, error));
    wait_for(ranks, TAG_BATCH, &status);
    MPI_Get_count(&status, MPI_BYTE, &n_bytes);
    receive(ranks, &status, items, n_bytes);
    *n_runs = n_bytes / (int)sizeof *items;
    for (int i = 0; i < *n_runs; i++)
        runs[i] = items[i].run;
    enum status result = receive_scores(ranks, items, *n_runs, replays, scores, error);
    free(items);
    return result;
}
