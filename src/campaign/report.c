/* SPDX-License-Identifier: MIT */
/* `meicensus plan` and `meicensus status`: what a campaign will be, and how far it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign.h"
#include "clock.h"
#include "evaluator.h"
#include "folder.h"
#include "ledger.h"
#include "memory.h"
#include "natural.h"
#include "start.h"
#include "trials.h"

/* ---- plan ---- */

/** Seconds of one generated image, and of one whole forward pass of the subject or answer of the program,
 * measured here: as the search shows an image, and as a trial does. */
struct pair_speed {
    double generator, subject, trial;
};

/** Show an image once under `noise`. A program is asked for a unit of the group: it may have no class
 * outputs. */
static enum status show_once(const struct plan *plan, const struct plan_group *group,
                             struct evaluator *evaluator, const struct job_trials *noise, const float *image,
                             struct error *error)
{
    const struct plan_subject *subject = &plan->subjects[group->subject];
    const struct unit output = {model_output_layer(subject->model), UNIT_CLASS, 0, -1, -1};
    float activation;
    if (evaluator_asks_program(evaluator))
        return evaluator_ask_image(evaluator, &subject->units[group->units[0]], image, 1, NULL, &activation,
                                   error);
    evaluator_noisy_activation(evaluator, &output, noise, 0, 0, image);
    return STATUS_OK;
}

static enum status measure_pair(const struct plan *plan, const struct plan_group *group,
                                struct pair_speed *speed, struct error *error)
{
    struct evaluator *evaluator = NULL;
    int32_t *code = NULL;
    const struct model *generator = plan->generators[group->generator];
    const struct job_trials *noise = &plan->job->searches[group->search].noise;
    enum status status = STATUS_OK;
    TRY_CLEANUP(evaluator_create(plan, group->subject, group->generator, &evaluator, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(code, (size_t)model_latent(generator)->n_dimensions, error));
    for (int round = 0; round < 3; round++) { /* the first warms up; the last counts */
        const double start = clock_seconds();
        const float *image = evaluator_image(evaluator, code);
        const double made = clock_seconds();
        TRY_CLEANUP(show_once(plan, group, evaluator, noise, image, error));
        const double shown = clock_seconds();
        TRY_CLEANUP(show_once(plan, group, evaluator, &plan->job->trials, image, error));
        *speed = (struct pair_speed){made - start, shown - made, clock_seconds() - shown};
    }
cleanup:
    free(code);
    evaluator_free(evaluator);
    return status;
}

/** What one shard or the whole campaign amounts to. */
struct amount {
    int64_t runs;
    double queries, seconds, journal_bytes;
};

/** What a forward pass to a unit costs, as a share of one through the whole subject. */
static double depth_of(const struct plan *plan, const struct plan_group *group, int64_t unit)
{
    const struct plan_subject *subject = &plan->subjects[group->subject];
    return model_description(subject->model) != NULL
               ? 1
               : model_layer_cost(subject->model, subject->units[unit].layer) /
                     model_layer_cost(subject->model, model_output_layer(subject->model));
}

/** A unit's part of a census whose images all units share: made once, and shown as deep as the group's units
 * lie. */
static void add_shared_run(const struct plan *plan, const struct run *run, const struct pair_speed *speed,
                           struct amount *amount)
{
    const struct plan_group *group = &plan->groups[run->group];
    const double images = (double)group->layout.sizes.budget;
    const double queries = images / (double)plan->pools[run->pool].n_runs;
    const double depth = depth_of(plan, group, group->units[group->n_units - 1]);
    amount->runs++;
    amount->queries += queries;
    amount->seconds += queries * speed->generator + images / (double)group->n_units * depth * speed->subject +
                       (double)(group->layout.sizes.trials + 1) * speed->trial;
    amount->journal_bytes += (double)group->layout.n_bytes + 200 + queries * sizeof(float);
}

static void add_lone_run(const struct plan *plan, const struct run *run, const struct pair_speed *speed,
                         struct amount *amount)
{
    const struct plan_group *group = &plan->groups[run->group];
    const double share = depth_of(plan, group, run->unit);
    const double queries = (double)group->layout.sizes.budget;
    const struct job_search *search = &plan->job->searches[group->search];
    const double rechecks = (double)(search->recheck.candidates * search->recheck.presentations);
    amount->runs++;
    amount->queries += queries;
    amount->seconds += queries * (speed->generator + share * speed->subject) +
                       rechecks * share * speed->subject +
                       (double)(group->layout.sizes.trials + 1) * speed->trial;
    amount->journal_bytes += (double)group->layout.n_bytes + 200;
}

static void add_run(const struct plan *plan, const struct run *run, const struct pair_speed *speed,
                    struct amount *amount)
{
    if (run->pool >= 0)
        add_shared_run(plan, run, speed, amount);
    else
        add_lone_run(plan, run, speed, amount);
}

static void print_amount(const char *name, const struct amount *amount)
{
    char hours[32] = "";
    if (amount->seconds >= 3600)
        snprintf(hours, sizeof hours, "  (%.1f h)", amount->seconds / 3600);
    printf("%-10s %10lld runs %14.0f queries %12.0f s %12.1f MB%s\n", name, (long long)amount->runs,
           amount->queries, amount->seconds, amount->journal_bytes * 1e-6, hours);
}

/** Who minimises from nothing is told so: most codes give no activation at all. */
static void print_start(const struct plan_group *group)
{
    if (group->n_start > 0 || group->minimise) {
        printf("; starts from ");
        start_describe(group, stdout);
    }
    if (group->n_start > 0)
        printf(", %d codes a unit", group->n_start);
    printf("\n");
}

static void print_groups(const struct plan *plan)
{
    for (int i = 0; i < plan->n_groups; i++) {
        const struct plan_group *group = &plan->groups[i];
        const struct latent_space *latent = model_latent(plan->generators[group->generator]);
        printf("%s/%s/%s: %lld units x %d replicates, budget %lld%s%s%s",
               plan->job->subjects[group->subject].name, plan->job->generators[group->generator].name,
               plan->job->methods[group->method].name, (long long)group->n_units, group->replicates,
               (long long)group->layout.sizes.budget, group->is_shared ? " of all units together" : "",
               group->minimise ? ", minimised" : "",
               latent->kind == LATENT_CODEBOOK ? "; codebook indices are treated as ordered numbers" : "");
        print_start(group);
    }
}

static enum status measure_groups(const struct plan *plan, struct pair_speed *speeds, struct error *error)
{
    for (int i = 0; i < plan->n_groups; i++)
        TRY(measure_pair(plan, &plan->groups[i], &speeds[i], error));
    return STATUS_OK;
}

static enum status print_plan(const struct plan *plan, struct error *error)
{
    struct pair_speed *speeds = NULL;
    struct amount *shards = NULL, total = {0};
    enum status status = STATUS_OK;
    TRY_CLEANUP(MEMORY_ALLOCATE(speeds, (size_t)plan->n_groups, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(shards, (size_t)plan->job->shards, error));
    TRY_CLEANUP(measure_groups(plan, speeds, error));
    print_groups(plan);
    for (int64_t r = 0; r < plan->n_runs; r++) {
        add_run(plan, &plan->runs[r], &speeds[plan->runs[r].group], &shards[plan_shard_of(plan, r)]);
        add_run(plan, &plan->runs[r], &speeds[plan->runs[r].group], &total);
    }
    printf("estimated for one worker on this machine, from one measured query of each group%s; at most, as "
           "searches may stop early:\n",
           backend_is_device(plan->job->kernels) ? " on its processor, not on a GPU" : "");
    for (int64_t i = 0; plan->job->shards > 1 && i < plan->job->shards; i++) {
        char name[32];
        snprintf(name, sizeof name, "shard %lld", (long long)i);
        print_amount(name, &shards[i]);
    }
    print_amount("in all", &total);
cleanup:
    free(speeds);
    free(shards);
    return status;
}

enum status campaign_print_plan(const struct job *job, struct error *error)
{
    struct backend backend;
    struct plan *plan = NULL;
    TRY(backend_open_host(job->kernels, &backend, error));
    TRY(plan_make(job, &backend, &plan, error));
    enum status status = natural_check(plan, stdout, error);
    if (status == STATUS_OK)
        status = plan_load_starts(plan, &backend, error);
    if (status == STATUS_OK)
        status = print_plan(plan, error);
    plan_free(plan);
    return status;
}

/* ---- status ---- */

static void print_shard(const struct plan *plan, const struct ledger *ledger, int shard)
{
    int64_t finished = 0, failed = 0, silent = 0, under_way = 0;
    for (int64_t r = 0; r < plan->n_runs; r++) {
        const struct ledger_entry *entry = &ledger->entries[r];
        const struct record_layout *layout = &plan->groups[plan->runs[r].group].layout;
        if (plan_shard_of(plan, r) != shard)
            continue;
        under_way += entry->record == NULL && entry->scores != NULL;
        if (entry->record == NULL)
            continue;
        finished++;
        failed += *(const uint8_t *)record_at_const(layout, entry->record, FIELD_STATUS) == RUN_FAILED;
        silent += *(const uint8_t *)record_at_const(layout, entry->record, FIELD_SILENT) != 0;
    }
    printf("shard %d: %lld of %lld runs finished, %lld failed, %lld silent, %lld saved on the way\n", shard,
           (long long)finished, (long long)plan_shard_runs(plan, shard), (long long)failed, (long long)silent,
           (long long)under_way);
}

static enum status print_status(const char *folder, const struct folder_facts *facts, struct error *error)
{
    struct job *job = NULL;
    struct backend backend;
    struct plan *plan = NULL;
    struct ledger ledger = {0};
    enum status status = STATUS_OK;
    TRY_CLEANUP(job_read_text(facts->job, "run.json", &job, error));
    TRY_CLEANUP(folder_facts_describe(facts, job, error));
    TRY_CLEANUP(backend_open_host(job->kernels, &backend, error));
    TRY_CLEANUP(plan_make(job, &backend, &plan, error));
    TRY_CLEANUP(ledger_open(plan, folder, -1, facts, &ledger, error));
    for (int i = 0; i < job->shards; i++)
        print_shard(plan, &ledger, i);
    printf("in all: %lld of %lld runs finished, %lld failed, %lld silent; %zu journals, %zu torn, %lld "
           "duplicate records\n",
           (long long)ledger.n_finished, (long long)plan->n_runs, (long long)ledger.n_failed,
           (long long)ledger.n_silent, ledger.counts.n_files, ledger.counts.n_torn,
           (long long)ledger.n_duplicates);
    if (plan->n_pools > 0)
        printf("%zu rounds of shared images in the journals\n", ledger.counts.n_rounds);
cleanup:
    ledger_close(&ledger);
    plan_free(plan);
    job_free(job);
    return status;
}

enum status campaign_status(const char *folder, struct error *error)
{
    struct folder_facts facts;
    TRY(folder_facts_read(folder, &facts, error));
    enum status status = print_status(folder, &facts, error);
    folder_facts_free(&facts);
    return status;
}
