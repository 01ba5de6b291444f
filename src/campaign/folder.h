/* SPDX-License-Identifier: MIT */
/**
 * The results folder of a campaign:
 *   run.json            what the campaign is; written with the first start, and again when it is extended
 *   journal/            one journal per worker process (journal.h)
 *   progress.<k>.json   how far shard k is, replaced every few seconds
 *   shard.<k>.lock      held while shard k is being worked on
 *   gather.lock         held while results.h5 is being made; beside another file, FILE.lock, for so long
 *   run.lock            held while run.json is being extended
 *   results.h5          made by gather
 */
#ifndef MEICENSUS_FOLDER_H
#define MEICENSUS_FOLDER_H

#include "campaign.h"
#include "hash.h"

enum { FOLDER_PATH_CAPACITY = 4096 };

/** What a campaign was before it was extended. */
struct folder_stage {
    char *job;
    char digest[SHA256_TEXT_CAPACITY];
};

/** What run.json says. Texts belong to it; free with folder_facts_free. */
struct folder_facts {
    char *job;      /**< the job with every setting, as YAML */
    char *settings; /**< what results depend on */
    char *program_version, *code_revision;
    char *weights;                     /**< one line a file: "sha256  name: path"; start codes, too */
    char *descriptions;                /**< JSON, {subject: text}: of subjects that are programs */
    char digest[SHA256_TEXT_CAPACITY]; /**< of settings, weights, code and earlier digests */
    int64_t shards, n_runs;
    size_t n_earlier;
    struct folder_stage *earlier; /**< [n_earlier], the first start first */
};

/** What the campaign of this plan is. */
enum status folder_facts_make(const struct plan *plan, struct folder_facts *facts, struct error *error);

/** Read run.json of a folder. STATUS_BAD_INPUT if the folder is not a campaign's. */
enum status folder_facts_read(const char *folder, struct folder_facts *facts, struct error *error);
void folder_facts_free(struct folder_facts *facts);

/** Where a subject comes from beside its tensors: its model file, or itself. */
const char *subject_source(const struct job_subject *subject);

/** Give the job's programs the descriptions that they had when the campaign was started: none of them will
 * run.
 */
enum status folder_facts_describe(const struct folder_facts *facts, struct job *job, struct error *error);

/**
 * Make the folder and run.json, or compare with the run.json that is there, and take over from it what the
 * campaign was earlier. extend: budgets, trials and replicates may be larger than there; run.json then says
 * so. STATUS_MISMATCH names the first difference: job, code version or weights.
 */
enum status folder_prepare(const char *folder, bool extend, struct folder_facts *facts, struct error *error);

/** Set first_budget of the job's searches: that of the campaign's first start. */
enum status folder_first_budgets(const struct folder_facts *facts, struct job *job, struct error *error);

/** Make a folder and those above it, where they are missing. */
enum status folder_make(const char *path, struct error *error);

/** The first line in which two texts differ, without its indent, of each text; cut to the capacity. */
enum { FOLDER_LINE_CAPACITY = 128 };
void folder_first_difference(const char *a, const char *b, char line_a[FOLDER_LINE_CAPACITY],
                             char line_b[FOLDER_LINE_CAPACITY]);

/** `<folder>/<name>`, or STATUS_BAD_INPUT if too long. */
enum status folder_path(const char *folder, const char *name, char path[FOLDER_PATH_CAPACITY],
                        struct error *error);

/**
 * Hold the lock file `name`, or STATUS_INCOMPLETE naming host and process that hold it, after waiting
 * `seconds` for them to end. *lock is given to folder_unlock; the system also frees it when the process dies.
 * Who holds it may delete the file.
 */
enum status folder_lock(const char *folder, const char *name, double seconds, int *lock, struct error *error);
void folder_unlock(int lock);

/** Write a small text file so that readers see the old or the new one, never a part. Not made durable. */
enum status folder_replace(const char *path, const char *text, struct error *error);

#endif
