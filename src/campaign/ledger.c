/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "run_record.h"

/** What a visit needs. */
struct reading {
    const struct plan *plan;
    const struct folder_facts *facts;
    struct ledger *ledger;
};

/** Fields that differ between executions do not make two records unequal. */
static bool same_result(const struct record_layout *layout, const void *a, const void *b)
{
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        const enum record_field_id field = (enum record_field_id)i;
        const size_t bytes = layout->n_elements[field] * record_type_bytes(record_fields[field].type);
        if (record_fields[field].place != PLACE_PROVENANCE &&
            memcmp(record_at_const(layout, a, field), record_at_const(layout, b, field), bytes) != 0)
            return false;
    }
    return true;
}

/** Was the frame written before the campaign was extended? */
static bool is_of_earlier_stage(const struct reading *reading, const struct journal_frame *frame)
{
    for (size_t i = 0; i < reading->facts->n_earlier; i++)
        if (strcmp(frame->incarnation->job_digest, reading->facts->earlier[i].digest) == 0)
            return true;
    return false;
}

static enum status check_frame(const struct reading *reading, const struct journal_frame *frame, int64_t *run,
                               struct error *error)
{
    if (strcmp(frame->incarnation->job_digest, reading->facts->digest) != 0 &&
        !is_of_earlier_stage(reading, frame))
        return error_set(error, STATUS_MISMATCH,
                         "%s: a journal of another job or code version lies in this campaign's folder",
                         frame->path);
    *run = frame->kind == JOURNAL_ROUND ? plan_find_pool(reading->plan, frame->key)
                                        : plan_find(reading->plan, frame->key);
    if (*run < 0)
        return error_set(error, STATUS_DAMAGED, "%s: a frame at byte %llu belongs to no run of this campaign",
                         frame->path, (unsigned long long)frame->offset);
    return STATUS_OK;
}

/** Does the new incarnation come before the old? By start; equal starts by place in the folder. */
static bool is_earlier(const struct journal_incarnation *new, const struct journal_incarnation *old)
{
    return strcmp(new->date, old->date) < 0;
}

static enum status check_sizes(const struct record_layout *layout, const struct journal_frame *frame,
                               struct error *error)
{
    if (memcmp(frame->sizes, &layout->sizes, sizeof layout->sizes) == 0 &&
        frame->record_bytes == layout->n_bytes)
        return STATUS_OK;
    return error_set(error, STATUS_MISMATCH,
                     "%s: a record at byte %llu was made with other sizes (budget, trials)", frame->path,
                     (unsigned long long)frame->offset);
}

/** Must a second execution of this run give the same bits? Not where a program varies, or fails now and then;
 * nor where time ends searches, and with them what later replicates look away from. */
static bool can_be_repeated(const struct plan *plan, int64_t run)
{
    const struct model *subject = plan->subjects[plan->groups[plan->runs[run].group].subject].model;
    return model_description(subject) == NULL && plan->job->stop.seconds == 0;
}

/** Equal identities must have equal results. */
static enum status compare_records(const struct reading *reading, int64_t run, const struct ledger_entry *a,
                                   const struct ledger_entry *b, struct error *error)
{
    const struct journal_folder *journals = reading->ledger->journals;
    char name[RUN_NAME_CAPACITY];
    if (!can_be_repeated(reading->plan, run) ||
        !journal_identity_equal(&a->incarnation->identity, &b->incarnation->identity) ||
        same_result(&reading->plan->groups[reading->plan->runs[run].group].layout, a->record, b->record))
        return STATUS_OK;
    plan_run_name(reading->plan, run, name);
    return error_set(error, STATUS_DAMAGED,
                     "run %s has two different results of equal identity, in %s and %s: one of the machines "
                     "computes wrongly; move one of the journals away",
                     name, journal_folder_path(journals, a->file), journal_folder_path(journals, b->file));
}

/** A further record of a run: compared with all earlier ones; the earliest process's counts. */
static enum status take_duplicate(const struct reading *reading, int64_t run, struct ledger_entry found,
                                  struct error *error)
{
    struct ledger *ledger = reading->ledger;
    struct ledger_entry *entry = &ledger->entries[run];
    for (const struct ledger_entry *other = entry; other != NULL;
         other = other->n_earlier == 0 ? NULL : &ledger->duplicates[other->n_earlier - 1])
        TRY(compare_records(reading, run, other, &found, error));
    TRY(memory_grow((void **)&ledger->duplicates, &ledger->duplicate_capacity, ledger->n_duplicates,
                    sizeof *ledger->duplicates, error));
    struct ledger_entry *kept = &ledger->duplicates[ledger->n_duplicates++];
    found.n_earlier = entry->n_earlier;
    *kept = found;
    if (is_earlier(found.incarnation, entry->incarnation)) {
        *kept = *entry;
        *entry = found;
    }
    entry->n_earlier = ledger->n_duplicates;
    return STATUS_OK;
}

/** A record of the group's layout. */
static enum status take_record(const struct reading *reading, const struct journal_frame *frame,
                               const void *record, int64_t run, struct error *error)
{
    struct ledger_entry *entry = &reading->ledger->entries[run];
    const struct ledger_entry found = {
        .record = record, .file = frame->file, .incarnation = frame->incarnation};
    if (entry->record != NULL)
        return take_duplicate(reading, run, found, error);
    *entry = found;
    return STATUS_OK;
}

static void take_progress(struct ledger_entry *entry, const struct journal_frame *frame,
                          const struct journal_progress *progress, const float *scores)
{
    if (entry->record != NULL || progress->n_told <= entry->progress.n_told)
        return;
    *entry = (struct ledger_entry){
        .file = frame->file, .progress = *progress, .scores = scores, .incarnation = frame->incarnation};
}

/* ---- before an extension ---- */

/** The layout that a record had then; it may have been smaller in what an extension makes larger. */
static enum status read_earlier_layout(const struct record_layout *layout, const struct journal_frame *frame,
                                       struct record_layout *earlier, struct error *error)
{
    struct record_sizes grown = *frame->sizes;
    struct journal_frame as_now = *frame;
    as_now.sizes = &grown;
    TRY(record_layout_make(frame->sizes, earlier, error));
    if (grown.budget <= layout->sizes.budget && grown.trials <= layout->sizes.trials &&
        frame->record_bytes == earlier->n_bytes) {
        grown.budget = layout->sizes.budget;
        grown.trace = layout->sizes.trace;
        grown.history = layout->sizes.history;
        grown.trials = layout->sizes.trials;
        as_now.record_bytes = layout->n_bytes;
    }
    return check_sizes(layout, &as_now, error);
}

static enum status keep_refitted(const struct reading *reading, const struct journal_frame *frame,
                                 const struct record_layout *earlier, int64_t run, struct error *error)
{
    struct ledger *ledger = reading->ledger;
    const struct plan_group *group = &reading->plan->groups[reading->plan->runs[run].group];
    TRY(memory_grow((void **)&ledger->refitted, &ledger->refitted_capacity, ledger->n_refitted,
                    sizeof *ledger->refitted, error));
    void **record = &ledger->refitted[ledger->n_refitted];
    TRY(memory_allocate(record, 1, group->layout.n_bytes, "record", error));
    ledger->n_refitted++;
    run_record_refit(earlier, frame->record, &group->layout, group->minimise, *record);
    return take_record(reading, frame, *record, run, error);
}

/** Stopped for good: a larger budget would not have changed anything. */
static bool is_final(const struct record_layout *earlier, const void *record)
{
    const uint8_t reason = *(const uint8_t *)record_at_const(earlier, record, FIELD_STOP_REASON);
    return reason != STOP_NONE && reason != STOP_BUDGET;
}

static enum status take_earlier(const struct reading *reading, const struct journal_frame *frame, int64_t run,
                                struct error *error)
{
    const struct plan_group *group = &reading->plan->groups[reading->plan->runs[run].group];
    const struct record_layout *layout = &group->layout;
    struct record_layout earlier;
    TRY(read_earlier_layout(layout, frame, &earlier, error));
    if (memcmp(frame->sizes, &layout->sizes, sizeof layout->sizes) == 0)
        return take_record(reading, frame, frame->record, run, error);
    if (group->is_shared) /* its rounds are kept, and made more */
        return STATUS_OK;
    if (frame->sizes->trials == layout->sizes.trials && is_final(&earlier, frame->record))
        return keep_refitted(reading, frame, &earlier, run, error);
    const struct journal_progress progress = {
        *(const int64_t *)record_at_const(&earlier, frame->record, FIELD_QUERIES),
        *(const uint64_t *)record_at_const(&earlier, frame->record, FIELD_CODES_HASH)};
    take_progress(&reading->ledger->entries[run], frame, &progress,
                  record_at_const(&earlier, frame->record, FIELD_TRACE));
    return STATUS_OK;
}

/* ---- reading ---- */

static enum status take_finished(const struct reading *reading, const struct journal_frame *frame,
                                 int64_t run, struct error *error)
{
    if (is_of_earlier_stage(reading, frame))
        return take_earlier(reading, frame, run, error);
    TRY(check_sizes(&reading->plan->groups[reading->plan->runs[run].group].layout, frame, error));
    return take_record(reading, frame, frame->record, run, error);
}

/** Later replicates of a chain looked away from what the first had found then; they find something else now.
 */
static bool is_outdated(const struct reading *reading, const struct journal_frame *frame, int64_t run)
{
    const struct record_layout *layout = &reading->plan->groups[reading->plan->runs[run].group].layout;
    return plan_run_follows(reading->plan, run) && is_of_earlier_stage(reading, frame) &&
           (frame->kind != JOURNAL_FINISHED ||
            memcmp(frame->sizes, &layout->sizes, sizeof layout->sizes) != 0);
}

/* ---- rounds ---- */

static enum status take_round(const struct reading *reading, const struct journal_frame *frame, int pool,
                              struct error *error)
{
    struct ledger *ledger = reading->ledger;
    TRY(memory_grow((void **)&ledger->rounds, &ledger->round_capacity, ledger->n_rounds,
                    sizeof *ledger->rounds, error));
    ledger->rounds[ledger->n_rounds++] = (struct ledger_round){pool, *frame};
    return STATUS_OK;
}

static int compare_rounds(const void *a, const void *b)
{
    const struct ledger_round *v = a, *w = b;
    const int64_t m = v->frame.round->number, n = w->frame.round->number;
    if (v->pool != w->pool)
        return v->pool < w->pool ? -1 : 1;
    if (m != n)
        return m < n ? -1 : 1;
    const int by_date = strcmp(v->frame.incarnation->date, w->frame.incarnation->date);
    return by_date != 0 ? by_date : (v->frame.file > w->frame.file) - (v->frame.file < w->frame.file);
}

static bool same_round(const struct journal_frame *a, const struct journal_frame *b)
{
    const struct journal_round *round = a->round;
    return memcmp(round, b->round, sizeof *round) == 0 &&
           memcmp(a->asked, b->asked, (size_t)round->n_asked * sizeof *a->asked) == 0 &&
           memcmp(a->round_scores, b->round_scores, (size_t)round->n_images * sizeof *a->round_scores) == 0 &&
           memcmp(a->news, b->news, (size_t)round->n_news * sizeof *a->news) == 0;
}

/** Rounds of one number must be equal where identities are. */
static enum status compare_all_rounds(const struct ledger *ledger, struct error *error)
{
    for (size_t i = 1; i < ledger->n_rounds; i++) {
        const struct ledger_round *a = &ledger->rounds[i - 1], *b = &ledger->rounds[i];
        if (a->pool == b->pool && a->frame.round->number == b->frame.round->number &&
            journal_identity_equal(&a->frame.incarnation->identity, &b->frame.incarnation->identity) &&
            !same_round(&a->frame, &b->frame))
            return error_set(error, STATUS_DAMAGED,
                             "round %lld of a shared census has two different results of equal identity, in "
                             "%s and %s: one of the machines computes wrongly; move one of the journals away",
                             (long long)a->frame.round->number, a->frame.path, b->frame.path);
    }
    return STATUS_OK;
}

const struct journal_frame *ledger_find_round(const struct ledger *ledger, int pool, int64_t number,
                                              const struct journal_identity *identity)
{
    size_t low = 0, high = ledger->n_rounds;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct ledger_round *round = &ledger->rounds[middle];
        if (round->pool < pool || (round->pool == pool && round->frame.round->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < ledger->n_rounds; low++) {
        const struct ledger_round *round = &ledger->rounds[low];
        if (round->pool != pool || round->frame.round->number != number)
            break;
        if (journal_identity_equal(&round->frame.incarnation->identity, identity))
            return &round->frame;
    }
    return NULL;
}

/* ---- all frames ---- */

static enum status visit(void *context, const struct journal_frame *frame, struct error *error)
{
    const struct reading *reading = context;
    int64_t run = -1;
    if (frame->incarnation->job_digest[0] == '\0')
        return STATUS_OK; /* its first frame is damaged: the scan says so */
    TRY(check_frame(reading, frame, &run, error));
    if (frame->kind == JOURNAL_ROUND)
        return take_round(reading, frame, (int)run, error);
    if (is_outdated(reading, frame, run))
        return STATUS_OK;
    if (frame->kind == JOURNAL_FINISHED)
        return take_finished(reading, frame, run, error);
    if (frame->kind == JOURNAL_UNFINISHED)
        take_progress(&reading->ledger->entries[run], frame, &frame->progress, frame->scores);
    return STATUS_OK;
}

static void count_finished(const struct plan *plan, struct ledger *ledger)
{
    for (int64_t r = 0; r < plan->n_runs; r++) {
        const void *record = ledger->entries[r].record;
        const struct record_layout *layout = &plan->groups[plan->runs[r].group].layout;
        if (record == NULL)
            continue;
        ledger->n_finished++;
        ledger->n_failed += *(const uint8_t *)record_at_const(layout, record, FIELD_STATUS) == RUN_FAILED;
        ledger->n_silent += *(const uint8_t *)record_at_const(layout, record, FIELD_SILENT) != 0;
    }
}

enum status ledger_open(const struct plan *plan, const char *folder, int shard,
                        const struct folder_facts *facts, struct ledger *ledger, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    const struct reading reading = {plan, facts, ledger};
    const int read = facts->n_earlier == 0 ? shard : -1; /* new replicates move runs between shards */
    *ledger = (struct ledger){.plan = plan};
    TRY(folder_path(folder, "journal", path, error));
    TRY(MEMORY_ALLOCATE(ledger->entries, (size_t)plan->n_runs, error));
    TRY(journal_folder_open(path, read, &ledger->journals, error));
    TRY(journal_folder_scan(ledger->journals, visit, (void *)&reading, &ledger->counts, error));
    if (ledger->n_rounds > 0)
        qsort(ledger->rounds, ledger->n_rounds, sizeof *ledger->rounds, compare_rounds);
    count_finished(plan, ledger);
    return compare_all_rounds(ledger, error);
}

bool ledger_is_done(const struct plan *plan, const struct ledger *ledger, int64_t run)
{
    int64_t first = run, last = run + 1;
    while (plan_run_follows(plan, first))
        first--;
    while (last < plan->n_runs && plan_run_follows(plan, last))
        last++;
    for (int64_t r = first; r < last; r++)
        if (ledger->entries[r].record == NULL)
            return false;
    return true;
}

void ledger_close(struct ledger *ledger)
{
    journal_folder_close(ledger->journals);
    for (size_t i = 0; i < ledger->n_refitted; i++)
        free(ledger->refitted[i]);
    free(ledger->refitted);
    free(ledger->rounds);
    free(ledger->entries);
    free(ledger->duplicates);
    *ledger = (struct ledger){0};
}
