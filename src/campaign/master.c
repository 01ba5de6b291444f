/* SPDX-License-Identifier: MIT */
#include "master.h"

#include <stdlib.h>

#include "clock.h"
#include "memory.h"
#include "messages.h"
#include "signals.h"

struct master {
    const struct ranks *ranks;
    struct dispatch *dispatch;
    const struct ledger *ledger;
    struct progress *progress;
    struct journal_identity *identities; /**< [rank] */
    bool *is_serving;                    /**< [rank]: not yet told that there is nothing left */
    int n_serving;
    bool stopping, has_fault;
    int64_t *runs; /**< room for a batch */
    struct replay *replays;
};

/** Of a finished run that is done again, for the sake of those after it in its chain. */
static struct replay whole_replay(const struct record_layout *layout, const void *record)
{
    return (struct replay){*(const int64_t *)record_at_const(layout, record, FIELD_QUERIES),
                           *(const uint64_t *)record_at_const(layout, record, FIELD_CODES_HASH),
                           record_at_const(layout, record, FIELD_TRACE),
                           (enum stop_reason) *
                               (const uint8_t *)record_at_const(layout, record, FIELD_STOP_REASON)};
}

struct replay master_replay(const struct ledger *ledger, int64_t run, const struct journal_identity *identity)
{
    const struct ledger_entry *entry = &ledger->entries[run];
    if (entry->incarnation == NULL || !journal_identity_equal(&entry->incarnation->identity, identity))
        return (struct replay){0};
    if (entry->record != NULL)
        return whole_replay(&ledger->plan->groups[ledger->plan->runs[run].group].layout, entry->record);
    return (struct replay){entry->progress.n_told, entry->progress.codes_hash, entry->scores, STOP_NONE};
}

/** This worker will ask for nothing more. */
static void dismiss(struct master *master, int rank)
{
    master->n_serving -= master->is_serving[rank];
    master->is_serving[rank] = false;
}

static void hand_out(struct master *master, int rank)
{
    int n = 0;
    if (!master->stopping)
        n = dispatch_take(master->dispatch, master->ranks->n_ranks - 1, master->runs);
    for (int i = 0; i < n; i++)
        master->replays[i] = master_replay(master->ledger, master->runs[i], &master->identities[rank]);
    messages_send_batch(master->ranks, rank, master->runs, n, master->replays);
    if (n == 0)
        dismiss(master, rank);
}

static void handle(struct master *master, const struct message *message)
{
    struct progress *progress = master->progress;
    switch (message->kind) {
    case MESSAGE_HELLO:
        master->identities[message->rank] = message->identity;
        break;
    case MESSAGE_REQUEST:
        hand_out(master, message->rank);
        break;
    case MESSAGE_COUNT:
        progress->n_queries += message->n_queries;
        break;
    case MESSAGE_REPORT:
        progress->n_finished += message->report.n_finished;
        progress->n_failed += message->report.n_failed;
        progress->n_silent += message->report.n_silent;
        /* A worker that got the signal itself leaves runs undone: then all shall stop. */
        master->stopping = master->stopping || message->report.n_unfinished > 0;
        break;
    case MESSAGE_FAULT:
        master->has_fault = true;
        master->stopping = true;
        dismiss(master, message->rank);
        break;
    case MESSAGE_NONE:
        break;
    }
}

/** Tell everybody once. */
static void stop_workers(struct master *master, bool *told)
{
    if (*told)
        return;
    *told = true;
    for (int rank = 1; rank < master->ranks->n_ranks; rank++)
        if (master->is_serving[rank])
            messages_send_stop(master->ranks, rank);
}

static void serve(struct master *master)
{
    bool told = false;
    double pause = 1e-4;
    while (master->n_serving > 0) {
        struct message message;
        messages_receive(master->ranks, &message);
        handle(master, &message);
        master->stopping = master->stopping || signals_arrived();
        if (master->stopping)
            stop_workers(master, &told);
        progress_show(master->progress, master->stopping ? "stopping" : "running", false);
        pause = message.kind != MESSAGE_NONE ? 1e-4 : pause < 5e-3 ? pause * 2 : pause;
        if (message.kind == MESSAGE_NONE)
            clock_sleep(pause);
    }
}

enum status master_serve(const struct ranks *ranks, struct dispatch *dispatch, const struct ledger *ledger,
                         struct progress *progress, enum ending *ending, struct error *error)
{
    struct master master = {.ranks = ranks,
                            .dispatch = dispatch,
                            .ledger = ledger,
                            .progress = progress,
                            .n_serving = ranks->n_ranks - 1};
    const size_t batch = (size_t)plan_batch_capacity(dispatch->plan);
    enum status status = STATUS_OK;
    TRY_CLEANUP(MEMORY_ALLOCATE(master.identities, (size_t)ranks->n_ranks, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(master.is_serving, (size_t)ranks->n_ranks, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(master.runs, batch, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(master.replays, batch, error));
    for (int rank = 1; rank < ranks->n_ranks; rank++)
        master.is_serving[rank] = true;
    serve(&master);
    *ending = master.has_fault ? ENDING_FAULT : master.stopping ? ENDING_STOPPED : ENDING_DONE;
cleanup:
    free(master.identities);
    free(master.is_serving);
    free(master.runs);
    free(master.replays);
    return status;
}
