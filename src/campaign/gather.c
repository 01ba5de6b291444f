/* SPDX-License-Identifier: MIT */
/* `meicensus gather`: from the journals of all shards to one results file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "campaign.h"
#include "clock.h"
#include "folder.h"
#include "ledger.h"
#include "memory.h"
#include "natural.h"
#include "ranks.h"
#include "results_file.h"
#include "start.h"
#include "trials.h"

/* seconds a dying earlier gather is waited for */
static const double lock_patience = 10.0;

/** Everything a gather holds; freed by gathering_free. */
struct gathering {
    struct ranks ranks;
    int lock;                               /**< rank 0 only; -1: none */
    char output_lock[FOLDER_PATH_CAPACITY]; /**< its file beside a file of another name; else "" */
    struct backend backend;
    const char *folder;
    struct folder_facts facts;
    struct job *job;
    struct plan *plan;
    struct ledger ledger;
    int64_t *group_starts; /**< [n_groups] number of the group's first run */
    char date[CLOCK_DATE_CAPACITY];
    struct results_description description;
    struct results_subject *subjects;
    struct results_group *groups;
    char **texts; /**< settings and how_to_read of the groups */
    size_t n_texts;
    struct results_incarnation *incarnations;
    struct results_weight *weights;
    struct start_files starts;
    struct results_natural *naturals; /**< rank 0 only */
    struct natural_table *natural_tables;
    char (*natural_sha256)[SHA256_TEXT_CAPACITY];
};

static enum status find_row(void *context, size_t group, size_t unit, size_t replicate,
                            struct results_row *row, struct error *error)
{
    const struct gathering *gathering = context;
    const struct plan_group *g = &gathering->plan->groups[group];
    const int64_t run = gathering->group_starts[group] + (int64_t)unit * g->replicates + (int64_t)replicate;
    const struct ledger_entry *entry = &gathering->ledger.entries[run];
    (void)error;
    *row = entry->record == NULL ? (struct results_row){NULL, -1}
                                 : (struct results_row){entry->record, (int32_t)entry->file};
    return STATUS_OK;
}

/* ---- what the file says ---- */

static enum status describe_subject(const struct gathering *gathering, int index,
                                    struct results_subject *subject, struct error *error)
{
    const struct plan_subject *planned = &gathering->plan->subjects[index];
    const struct model *model = planned->model;
    struct results_unit *units = NULL;
    const char **layers = NULL;
    *subject = (struct results_subject){.name = gathering->job->subjects[index].name,
                                        .n_units = (size_t)planned->n_units,
                                        .model_sha256 = model_sha256(model)};
    TRY(MEMORY_ALLOCATE(units, subject->n_units, error));
    subject->units = units;
    TRY(MEMORY_ALLOCATE(layers, (size_t)model_n_layers(model), error));
    subject->layers = layers;
    for (int64_t i = 0; i < planned->n_units; i++) {
        const struct unit *u = &planned->units[i];
        units[i] = (struct results_unit){u->kind == UNIT_CLASS ? "class" : model_layer_name(model, u->layer),
                                         plan_layer_index(model, u->layer),
                                         (uint8_t)u->kind,
                                         u->channel,
                                         u->y,
                                         u->x};
    }
    for (int i = 0; i < model_n_layers(model); i++)
        if (model_layer_is_selectable(model, i))
            layers[subject->n_layers++] = model_layer_name(model, i);
    return STATUS_OK;
}

static enum status keep_text(struct gathering *gathering, const char *text, const char **kept,
                             struct error *error)
{
    TRY(memory_copy_text(&gathering->texts[gathering->n_texts], text, error));
    *kept = gathering->texts[gathering->n_texts++];
    return STATUS_OK;
}

static enum status describe_settings(struct gathering *gathering, const struct job_method *method,
                                     const char **text, struct error *error)
{
    char *written = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&written, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "settings cannot be written to memory");
    fprintf(stream, "method: %s\n", method->method->name);
    keys_echo(method->method->keys, method->settings, 0, stream);
    fclose(stream);
    enum status status = keep_text(gathering, written, text, error);
    free(written);
    return status;
}

static enum status describe_latent(struct gathering *gathering, const struct latent_space *latent,
                                   const char **text, struct error *error)
{
    char line[256];
    if (latent->kind == LATENT_GRID)
        snprintf(line, sizeof line, "input[i] = %g + latent[i] * %.17g", latent->low,
                 (latent->high - latent->low) / (latent->n_points - 1));
    else
        snprintf(line, sizeof line, "input[i] = latent[i], a row of the codebook");
    return keep_text(gathering, line, text, error);
}

static enum status describe_group(struct gathering *gathering, int index, struct results_group *group,
                                  struct error *error)
{
    const struct job *job = gathering->job;
    const struct plan_group *planned = &gathering->plan->groups[index];
    const struct model *subject = gathering->plan->subjects[planned->subject].model;
    const struct latent_space *latent = model_latent(gathering->plan->generators[planned->generator]);
    const struct job_search *search = &job->searches[planned->search];
    const bool is_program = model_description(subject) != NULL; /* whose noise is its own */
    int32_t *rows = NULL;
    TRY(MEMORY_ALLOCATE(rows, (size_t)planned->n_units, error));
    for (int64_t i = 0; i < planned->n_units; i++)
        rows[i] = (int32_t)planned->units[i];
    *group = (struct results_group){
        .subject = job->subjects[planned->subject].name,
        .generator = job->generators[planned->generator].name,
        .method = job->methods[planned->method].name,
        .sizes = planned->layout.sizes,
        .mode = planned->is_shared ? "shared" : "independent",
        .first_budget = search->first_budget,
        .include_trace = job->trace,
        .n_units = (size_t)planned->n_units,
        .unit_rows = rows,
        .n_replicates = (size_t)planned->replicates,
        .class_names = model_class_names(subject),
        .minimise = planned->minimise,
        .timesteps = model_timesteps(subject),
        .noise = is_program ? "external" : noise_names[job->trials.noise],
        .noise_scale = is_program ? 0 : job->trials.scale,
        .search_noise = is_program ? "external" : noise_names[search->noise.noise],
        .search_noise_scale = search->noise.scale,
        .recheck_presentations = search->recheck.candidates > 0 ? search->recheck.presentations : 0,
        .mean = model_mean(subject),
        .std = model_std(subject),
        .latent_points = latent->n_points,
        .latent_kind = latent->kind == LATENT_GRID ? "grid" : "codebook"};
    TRY(describe_settings(gathering, &job->methods[planned->method], &group->settings, error));
    return describe_latent(gathering, latent, &group->how_to_read, error);
}

static enum status describe_groups(struct gathering *gathering, struct error *error)
{
    const struct plan *plan = gathering->plan;
    int64_t start = 0;
    TRY(MEMORY_ALLOCATE(gathering->groups, (size_t)plan->n_groups, error));
    TRY(MEMORY_ALLOCATE(gathering->group_starts, (size_t)plan->n_groups, error));
    TRY(MEMORY_ALLOCATE(gathering->texts, 2 * (size_t)plan->n_groups, error));
    for (int i = 0; i < plan->n_groups; i++) {
        gathering->group_starts[i] = start;
        start += plan->groups[i].n_units * plan->groups[i].replicates;
        TRY(describe_group(gathering, i, &gathering->groups[i], error));
    }
    return STATUS_OK;
}

static enum status describe_incarnations(struct gathering *gathering, size_t *n, struct error *error)
{
    *n = journal_folder_files(gathering->ledger.journals);
    TRY(MEMORY_ALLOCATE(gathering->incarnations, *n, error));
    for (size_t i = 0; i < *n; i++) {
        const char *path = journal_folder_path(gathering->ledger.journals, i);
        const char *slash = strrchr(path, '/');
        gathering->incarnations[i] = (struct results_incarnation){
            journal_folder_incarnation(gathering->ledger.journals, i), slash == NULL ? path : slash + 1};
    }
    return STATUS_OK;
}

static void describe_model(const char *name, const char *path, const struct model *model,
                           struct results_weight *weights)
{
    weights[0] = (struct results_weight){name, path, model_sha256(model)};
    weights[1] = (struct results_weight){name, model_tensors_path(model), model_tensors_sha256(model)};
}

static enum status describe_weights(struct gathering *gathering, size_t *n, struct error *error)
{
    const struct job *job = gathering->job;
    TRY(start_files_list(gathering->plan, &gathering->starts, error));
    const struct start_files *starts = &gathering->starts;
    *n = 2 * (size_t)(job->n_subjects + job->n_generators) + starts->n_items;
    TRY(MEMORY_ALLOCATE(gathering->weights, *n, error));
    struct results_weight *next = gathering->weights;
    for (int i = 0; i < job->n_subjects; i++, next += 2)
        describe_model(job->subjects[i].name, subject_source(&job->subjects[i]),
                       gathering->plan->subjects[i].model, next);
    for (int i = 0; i < job->n_generators; i++, next += 2)
        describe_model(job->generators[i].name, job->generators[i].model, gathering->plan->generators[i],
                       next);
    for (size_t i = 0; i < starts->n_items; i++)
        *next++ =
            (struct results_weight){starts->items[i].name, starts->items[i].path, starts->items[i].sha256};
    return STATUS_OK;
}

/** Into place n of the lists. */
static enum status describe_natural(struct gathering *gathering, int subject, size_t n, struct error *error)
{
    const struct job_subject *named = &gathering->job->subjects[subject];
    struct natural_table *table = &gathering->natural_tables[n];
    TRY(natural_of_subject(gathering->plan, subject, /*with_images=*/true, table, error));
    TRY(hash_file_sha256(named->natural, gathering->natural_sha256[n], error));
    gathering->naturals[n] = (struct results_natural){named->name, table, named->natural,
                                                      gathering->natural_sha256[n], table->origin.data};
    return STATUS_OK;
}

/** Rank 0 alone writes them. */
static enum status describe_naturals(struct gathering *gathering, size_t *n, struct error *error)
{
    const struct job *job = gathering->job;
    if (gathering->ranks.rank != 0)
        return STATUS_OK;
    TRY(MEMORY_ALLOCATE(gathering->naturals, (size_t)job->n_subjects, error));
    TRY(MEMORY_ALLOCATE(gathering->natural_tables, (size_t)job->n_subjects, error));
    TRY(MEMORY_ALLOCATE(gathering->natural_sha256, (size_t)job->n_subjects, error));
    for (int i = 0; i < job->n_subjects; i++)
        if (job->subjects[i].natural != NULL && gathering->plan->subjects[i].n_units > 0)
            TRY(describe_natural(gathering, i, (*n)++, error));
    return STATUS_OK;
}

static enum status describe(struct gathering *gathering, struct error *error)
{
    struct results_description *description = &gathering->description;
    TRY(MEMORY_ALLOCATE(gathering->subjects, (size_t)gathering->job->n_subjects, error));
    size_t n_subjects = 0; /* without those that no search names */
    for (int i = 0; i < gathering->job->n_subjects; i++)
        if (gathering->plan->subjects[i].n_units > 0)
            TRY(describe_subject(gathering, i, &gathering->subjects[n_subjects++], error));
    TRY(describe_groups(gathering, error));
    clock_date(gathering->date);
    *description = (struct results_description){.title = "Most exciting images of neural network units",
                                                .source = "meicensus",
                                                .n_subjects = n_subjects,
                                                .subjects = gathering->subjects,
                                                .n_groups = (size_t)gathering->plan->n_groups,
                                                .groups = gathering->groups,
                                                .find_row = find_row,
                                                .context = gathering,
                                                .job = gathering->facts.job,
                                                .settings = gathering->facts.settings,
                                                .program_version = build_version,
                                                .code_revision = gathering->facts.code_revision,
                                                .compiler = build_compiler,
                                                .flags = build_flags,
                                                .date = gathering->date,
                                                .duplicate_records = (int64_t)gathering->ledger.n_duplicates};
    TRY(describe_incarnations(gathering, &description->n_incarnations, error));
    description->incarnations = gathering->incarnations;
    TRY(describe_weights(gathering, &description->n_weights, error));
    description->weights = gathering->weights;
    TRY(describe_naturals(gathering, &description->n_naturals, error));
    description->naturals = gathering->naturals;
    return STATUS_OK;
}

/* ---- doing it ---- */

static enum status check_complete(const struct gathering *gathering, bool partial, struct error *error)
{
    const struct plan *plan = gathering->plan;
    const int64_t n_missing = plan->n_runs - gathering->ledger.n_finished;
    char name[RUN_NAME_CAPACITY] = "";
    if (n_missing == 0 || partial)
        return STATUS_OK;
    int64_t first = 0;
    while (gathering->ledger.entries[first].record != NULL)
        first++;
    plan_run_name(plan, first, name);
    return error_set(
        error, STATUS_INCOMPLETE,
        "%s: %lld of %lld runs are missing (the first: %s, shard %lld); finish them with `meicensus run`, or "
        "gather what is there with --partial",
        gathering->folder, (long long)n_missing, (long long)plan->n_runs, name,
        (long long)plan_shard_of(plan, first));
}

/** Two gathers into one file would destroy each other's; the campaign's folder need not be writable. */
static enum status lock_output(struct gathering *gathering, const char *output, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    if (snprintf(path, sizeof path, "%s.lock", output) >= (int)sizeof path)
        return error_set(error, STATUS_BAD_INPUT, "%s: the path is too long", output);
    const char *slash = strrchr(path, '/');
    char folder[FOLDER_PATH_CAPACITY] = ".";
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    TRY(folder_lock(folder, slash == NULL ? path : slash + 1, lock_patience, &gathering->lock, error));
    memcpy(gathering->output_lock, path, sizeof path);
    return STATUS_OK;
}

static void unlock(const struct gathering *gathering)
{
    if (gathering->output_lock[0] != '\0')
        unlink(gathering->output_lock);
    folder_unlock(gathering->lock);
}

static enum status read_facts(struct gathering *gathering, const char *output, struct error *error)
{
    TRY(folder_facts_read(gathering->folder, &gathering->facts, error));
    if (gathering->ranks.rank != 0)
        return STATUS_OK;
    return output == NULL
               ? folder_lock(gathering->folder, "gather.lock", lock_patience, &gathering->lock, error)
               : lock_output(gathering, output, error);
}

static enum status prepare(struct gathering *gathering, bool partial, struct error *error)
{
    struct folder_facts now;
    TRY(job_read_text(gathering->facts.job, "run.json", &gathering->job, error));
    TRY(folder_first_budgets(&gathering->facts, gathering->job, error));
    TRY(folder_facts_describe(&gathering->facts, gathering->job, error));
    TRY(backend_open_host(gathering->job->kernels, &gathering->backend, error));
    TRY(plan_make(gathering->job, &gathering->backend, &gathering->plan, error));
    enum status status = folder_facts_make(gathering->plan, &now, error);
    if (status == STATUS_OK && strcmp(now.weights, gathering->facts.weights) != 0)
        status = error_set(error, STATUS_MISMATCH,
                           "%s: the model files, or files that searches start from, have changed since the "
                           "campaign was started",
                           gathering->folder);
    folder_facts_free(&now);
    TRY(status);
    TRY(ledger_open(gathering->plan, gathering->folder, -1, &gathering->facts, &gathering->ledger, error));
    TRY(check_complete(gathering, partial, error));
    return describe(gathering, error);
}

static void gathering_free(struct gathering *gathering)
{
    for (int i = 0; gathering->subjects != NULL && i < gathering->job->n_subjects; i++) {
        free((void *)gathering->subjects[i].units);
        free((void *)gathering->subjects[i].layers);
    }
    for (int i = 0; gathering->groups != NULL && i < gathering->plan->n_groups; i++)
        free((void *)gathering->groups[i].unit_rows);
    for (size_t i = 0; i < gathering->n_texts; i++)
        free(gathering->texts[i]);
    free(gathering->texts);
    free(gathering->subjects);
    free(gathering->groups);
    free(gathering->group_starts);
    free(gathering->incarnations);
    free(gathering->weights);
    free(gathering->starts.items);
    for (int i = 0; gathering->natural_tables != NULL && i < gathering->job->n_subjects; i++)
        natural_table_free(&gathering->natural_tables[i]);
    free(gathering->natural_tables);
    free(gathering->natural_sha256);
    free(gathering->naturals);
    ledger_close(&gathering->ledger);
    plan_free(gathering->plan);
    job_free(gathering->job);
    folder_facts_free(&gathering->facts);
}

static enum status write_file(struct gathering *gathering, const char *output, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    struct results_summary summary;
    TRY(folder_path(gathering->folder, "results.h5", path, error));
    const char *target = output == NULL ? path : output;
    TRY(results_file_write(gathering->ranks.comm, target, &gathering->description, &summary, error));
    if (gathering->ranks.rank == 0)
        printf("%s: %zu runs done, %zu failed, %zu missing, in %zu groups\n", target, summary.n_done,
               summary.n_failed, summary.n_missing, summary.n_groups);
    return STATUS_OK;
}

/** Ranks read the journals one by one; workers may have gone on between. */
static enum status compare_ledgers(const struct gathering *gathering, struct error *error)
{
    char text[128];
    const struct ledger *ledger = &gathering->ledger;
    snprintf(text, sizeof text, "%zu %zu %zu", ledger->counts.n_files, ledger->counts.n_finished,
             ledger->n_duplicates);
    return ranks_hold_same(&gathering->ranks, text)
               ? STATUS_OK
               : error_set(error, STATUS_INCOMPLETE,
                           "%s: the journals grew while they were read; gather once more", gathering->folder);
}

enum status campaign_gather(const char *folder, const char *output, bool partial, struct error *error)
{
    struct gathering gathering = {.folder = folder, .lock = -1};
    enum status status = ranks_start(&gathering.ranks, error);
    if (status == STATUS_OK)
        status = read_facts(&gathering, output, error);
    status = ranks_agree(&gathering.ranks, status, error);
    if (status == STATUS_OK)
        status = ranks_agree(&gathering.ranks, prepare(&gathering, partial, error), error);
    if (status == STATUS_OK)
        status = ranks_agree(&gathering.ranks, compare_ledgers(&gathering, error), error);
    if (status == STATUS_OK) {
        status = write_file(&gathering, output, error);
        if (status != STATUS_OK && gathering.ranks.rank != 0)
            error->message[0] = '\0';
    }
    gathering_free(&gathering);
    unlock(&gathering);
    ranks_end();
    return status;
}
