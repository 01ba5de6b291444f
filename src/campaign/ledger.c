/* SPDX-License-Identifier: MIT */
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "folder.h"
#include "memory.h"

/** What a visit needs. */
struct reading {
    const struct plan *plan;
    const char *digest;
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

static enum status check_frame(const struct reading *reading, const struct journal_frame *frame, int64_t *run,
                               struct error *error)
{
    if (strcmp(frame->incarnation->job_digest, reading->digest) != 0)
        return error_set(error, STATUS_MISMATCH,
                         "%s: a journal of another job or code version lies in this campaign's folder",
                         frame->path);
    *run = plan_find(reading->plan, frame->key);
    if (*run < 0)
        return error_set(error, STATUS_DAMAGED,
                         "%s: a record at byte %llu belongs to no run of this campaign", frame->path,
                         (unsigned long long)frame->offset);
    return STATUS_OK;
}

static void count_finished(struct ledger *ledger, const struct record_layout *layout, const void *record)
{
    ledger->n_finished++;
    ledger->n_failed += *(const uint8_t *)record_at_const(layout, record, FIELD_STATUS) == RUN_FAILED;
    ledger->n_silent += *(const uint8_t *)record_at_const(layout, record, FIELD_SILENT) != 0;
}

/** Does the new incarnation come before the old? By start; equal starts by place in the folder. */
static bool is_earlier(const struct journal_incarnation *new, const struct journal_incarnation *old)
{
    return strcmp(new->date, old->date) < 0;
}

static enum status take_finished(const struct reading *reading, const struct journal_frame *frame,
                                 int64_t run, struct error *error)
{
    const struct record_layout *layout = &reading->plan->groups[reading->plan->runs[run].group].layout;
    struct ledger_entry *entry = &reading->ledger->entries[run];
    if (memcmp(frame->sizes, &layout->sizes, sizeof layout->sizes) != 0 ||
        frame->record_bytes != layout->n_bytes)
        return error_set(error, STATUS_MISMATCH,
                         "%s: a record at byte %llu was made with other sizes (budget, trials)", frame->path,
                         (unsigned long long)frame->offset);
    const struct ledger_entry found = {
        .record = frame->record, .file = frame->file, .incarnation = frame->incarnation};
    if (entry->record == NULL) {
        count_finished(reading->ledger, layout, frame->record);
        *entry = found;
        return STATUS_OK;
    }
    reading->ledger->n_duplicates++;
    if (journal_identity_equal(&entry->incarnation->identity, &frame->incarnation->identity) &&
        !same_result(layout, entry->record, frame->record)) {
        char name[RUN_NAME_CAPACITY];
        plan_run_name(reading->plan, run, name);
        return error_set(error, STATUS_DAMAGED,
                         "run %s has two different results of equal identity, in %s and %s", name,
                         journal_folder_path(reading->ledger->journals, entry->file), frame->path);
    }
    if (is_earlier(frame->incarnation, entry->incarnation))
        *entry = found;
    return STATUS_OK;
}

static void take_unfinished(struct ledger_entry *entry, const struct journal_frame *frame)
{
    if (entry->record != NULL || frame->progress.n_told <= entry->progress.n_told)
        return;
    *entry = (struct ledger_entry){.file = frame->file,
                                   .progress = frame->progress,
                                   .scores = frame->scores,
                                   .incarnation = frame->incarnation};
}

static enum status visit(void *context, const struct journal_frame *frame, struct error *error)
{
    const struct reading *reading = context;
    int64_t run = -1;
    TRY(check_frame(reading, frame, &run, error));
    if (frame->kind == JOURNAL_FINISHED)
        return take_finished(reading, frame, run, error);
    take_unfinished(&reading->ledger->entries[run], frame);
    return STATUS_OK;
}

enum status ledger_open(const struct plan *plan, const char *folder, int shard, const char *digest,
                        struct ledger *ledger, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    const struct reading reading = {plan, digest, ledger};
    *ledger = (struct ledger){0};
    TRY(folder_path(folder, "journal", path, error));
    TRY(MEMORY_ALLOCATE(ledger->entries, (size_t)plan->n_runs, error));
    TRY(journal_folder_open(path, shard, &ledger->journals, error));
    return journal_folder_scan(ledger->journals, visit, (void *)&reading, &ledger->counts, error);
}

void ledger_close(struct ledger *ledger)
{
    journal_folder_close(ledger->journals);
    free(ledger->entries);
    *ledger = (struct ledger){0};
}
