/* SPDX-License-Identifier: MIT */
/**
 * What the journals know about the runs of a plan: which are finished, which were left on the way. Built by
 * reading all journals of a folder; the journals stay mapped while the ledger lives.
 */
#ifndef MEICENSUS_LEDGER_H
#define MEICENSUS_LEDGER_H

#include "campaign.h"
#include "folder.h"
#include "journal.h"

/** The latest words on one run. */
struct ledger_entry {
    const void *record;               /**< finished: the record that counts; else NULL */
    size_t file;                      /**< its journal */
    struct journal_progress progress; /**< unfinished: the furthest execution */
    const float *scores;
    const struct journal_incarnation *incarnation; /**< of record or scores; NULL: nothing known */
    size_t n_earlier; /**< finished: the run's next record is duplicates[n_earlier - 1]; 0: there is none */
};

/** A round of a census whose units share their images. */
struct ledger_round {
    int pool;
    struct journal_frame frame;
};

struct ledger {
    const struct plan *plan;
    struct journal_folder *journals;
    struct ledger_entry *entries;    /**< [plan->n_runs] */
    struct ledger_entry *duplicates; /**< further records of finished runs */
    size_t n_duplicates, duplicate_capacity;
    struct ledger_round *rounds; /**< sorted: pool, number, start of the process */
    size_t n_rounds, round_capacity;
    void **refitted; /**< records from before an extension that stand as they are */
    size_t n_refitted, refitted_capacity;
    struct journal_counts counts;
    int64_t n_finished, n_failed, n_silent; /**< runs */
};

/**
 * Read `<folder>/journal` (shard -1: of all shards). Where the campaign was extended, its earlier journals
 * are read too: a run that had used its budget, or has more trials now, counts as left on the way with all
 * its scores; one that had stopped for another reason counts as finished.
 * STATUS_DAMAGED: a damaged journal, or two records of one run, or two rounds of one number, with equal
 * identity and unequal bytes;
 * STATUS_MISMATCH: a journal of another job than `facts` tell.
 * The caller frees it with ledger_close, also after a failure.
 */
enum status ledger_open(const struct plan *plan, const char *folder, int shard,
                        const struct folder_facts *facts, struct ledger *ledger, struct error *error);
/** Is the run finished, and its whole chain? Who searches for the next MEI of a chain needs those before it.
 */
bool ledger_is_done(const struct plan *plan, const struct ledger *ledger, int64_t run);

/**
 * The round of that number of a pool that was shown under an equal identity, by the earliest process: NULL if
 * there is none.
 */
const struct journal_frame *ledger_find_round(const struct ledger *ledger, int pool, int64_t number,
                                              const struct journal_identity *identity);
void ledger_close(struct ledger *ledger);

#endif
