/* SPDX-License-Identifier: MIT */
/** What master and workers say to each other. One process on its own never sends any. */
#ifndef MEICENSUS_MESSAGES_H
#define MEICENSUS_MESSAGES_H

#include "lockstep.h"
#include "ranks.h"
#include "worker.h"

/** Worker to master: who one is; the wish for a batch; queries done since the last word; a batch is durable;
 * one is leaving because of a fault. */
void messages_send_hello(const struct ranks *ranks, const struct journal_identity *identity);
void messages_send_request(const struct ranks *ranks);
void messages_send_count(const struct ranks *ranks, int64_t n_queries);
void messages_send_report(const struct ranks *ranks, const struct batch_report *report);
void messages_send_fault(const struct ranks *ranks);

/** Master: something from a worker, if there is anything. */
enum message_kind {
    MESSAGE_NONE,
    MESSAGE_HELLO,
    MESSAGE_REQUEST,
    MESSAGE_COUNT,
    MESSAGE_REPORT,
    MESSAGE_FAULT
};

struct message {
    enum message_kind kind;
    int rank;
    struct journal_identity identity; /**< hello */
    int64_t n_queries;                /**< count */
    struct batch_report report;       /**< report */
};

void messages_receive(const struct ranks *ranks, struct message *message);

/** Master to worker: a batch with what is known of its runs (n_runs 0: there is none, and never will be). */
void messages_send_batch(const struct ranks *ranks, int to, const int64_t *runs, int n_runs,
                         const struct replay *replays);

/** Master to worker: leave the batch. */
void messages_send_stop(const struct ranks *ranks, int to);

/** Worker: has the master said so? True once. */
bool messages_stop_arrived(const struct ranks *ranks);

/** Worker: wait, asleep, for a batch. runs and replays have room for `capacity`; *scores (to be freed) holds
 *  what the replays point to. */
enum status messages_receive_batch(const struct ranks *ranks, int capacity, int64_t *runs, int *n_runs,
                                   struct replay *replays, float **scores, struct error *error);

#endif
