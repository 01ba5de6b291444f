/* SPDX-License-Identifier: MIT */
/* `verify --recompute`: some MEIs of a results file shown again, by the reference kernels. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign.h"
#include "evaluator.h"
#include "hdf5_arrays.h"
#include "memory.h"
#include "random.h"

/** What a comparison works on. */
struct comparison {
    const char *path;
    struct plan *plan;
    struct evaluator **evaluators; /**< [group], made when first needed */
    float largest, largest_spikes;
    int64_t largest_run;
    int64_t n_compared, n_passed_over, n_different;
    double stored, found; /**< sums of activations */
};

static enum status read_field(const struct comparison *comparison, const struct plan_group *group,
                              const char *field, struct hdf5_array *array, struct error *error)
{
    char dataset[512];
    const struct job *job = comparison->plan->job;
    snprintf(dataset, sizeof dataset, "%s/%s/%s/%s/%s", RESULTS_CENSUS, job->subjects[group->subject].name,
             job->generators[group->generator].name, job->methods[group->method].name, field);
    return hdf5_array_read(comparison->path, dataset, array, error);
}

/** Place of a run in its group's arrays [unit][replicate]. */
static size_t row_of_run(const struct plan *plan, int64_t run)
{
    int64_t first = 0;
    for (int g = 0; g < plan->runs[run].group; g++)
        first += plan->groups[g].n_units * plan->groups[g].replicates;
    return (size_t)(run - first);
}

/** Smallest step of an activation: one spike. */
static float one_spike(const struct model *subject, const struct unit *unit)
{
    const struct map_shape shape = model_layer_shape(subject, unit->layer);
    const int n = unit->kind == UNIT_CHANNEL ? shape.height * shape.width : 1;
    return 1.0f / (float)(n * model_timesteps(subject));
}

static enum status compare(struct comparison *comparison, int64_t run, const float *latent, float stored,
                           struct error *error)
{
    const struct plan_group *group = &comparison->plan->groups[comparison->plan->runs[run].group];
    const struct plan_subject *subject = &comparison->plan->subjects[group->subject];
    const struct unit *unit = &subject->units[comparison->plan->runs[run].unit];
    struct evaluator *evaluator = comparison->evaluators[comparison->plan->runs[run].group];
    int32_t *code = NULL;
    TRY(MEMORY_ALLOCATE(code, (size_t)group->layout.sizes.dimensions, error));
    for (int64_t i = 0; i < group->layout.sizes.dimensions; i++)
        code[i] = (int32_t)latent[i];
    const float found = evaluator_activation(evaluator, unit, evaluator_image(evaluator, code));
    const float difference = fabsf(found - stored);
    free(code);
    comparison->n_compared++;
    comparison->n_different += found != stored;
    comparison->found += (double)found;
    comparison->stored += (double)stored;
    if (!(difference > comparison->largest) && comparison->largest_run >= 0)
        return STATUS_OK;
    comparison->largest = difference;
    comparison->largest_run = run;
    comparison->largest_spikes = model_layer_is_spiking(subject->model, unit->layer)
                                     ? difference / one_spike(subject->model, unit)
                                     : 0;
    return STATUS_OK;
}

static enum status compare_run(struct comparison *comparison, int64_t run, struct error *error)
{
    const int g = comparison->plan->runs[run].group;
    const struct plan_group *group = &comparison->plan->groups[g];
    const size_t row = row_of_run(comparison->plan, run), n = (size_t)group->layout.sizes.dimensions;
    struct hdf5_array status_field = {0}, latent = {0}, activation = {0};
    enum status status = STATUS_OK;
    TRY_CLEANUP(read_field(comparison, group, "status", &status_field, error));
    TRY_CLEANUP(read_field(comparison, group, "latent", &latent, error));
    TRY_CLEANUP(read_field(comparison, group, "activation", &activation, error));
    if (row >= status_field.n_values || row >= activation.n_values || (row + 1) * n > latent.n_values) {
        status = error_set(error, STATUS_DAMAGED,
                           "%s: its arrays do not have the shape that its job asks for", comparison->path);
        goto cleanup;
    }
    if (comparison->evaluators[g] == NULL)
        TRY_CLEANUP(evaluator_create(comparison->plan, group->subject, group->generator,
                                     &comparison->evaluators[g], error));
    if ((int)status_field.values[row] == RUN_DONE)
        status = compare(comparison, run, latent.values + row * n, activation.values[row], error);
    else
        comparison->n_passed_over++;
cleanup:
    hdf5_array_free(&status_field);
    hdf5_array_free(&latent);
    hdf5_array_free(&activation);
    return status;
}

static enum status compare_some(struct comparison *comparison, int64_t n_wanted, struct error *error)
{
    enum { CHOICE_KEY = 1 }; /* always the same runs of a file: a check can be repeated */
    const int64_t n_runs = comparison->plan->n_runs;
    TRY(MEMORY_ALLOCATE(comparison->evaluators, (size_t)comparison->plan->n_groups, error));
    for (int64_t i = 0; i < n_wanted && i < n_runs; i++) {
        uint32_t words[4];
        random_words(CHOICE_KEY, (struct random_counter){{(uint32_t)i, 0, 0, 0}}, words);
        const int64_t run = n_wanted >= n_runs ? i : (int64_t)random_below(words[0], (uint32_t)n_runs);
        TRY(compare_run(comparison, run, error));
    }
    return STATUS_OK;
}

static void print_comparison(const struct comparison *comparison)
{
    const double n = (double)(comparison->n_compared > 0 ? comparison->n_compared : 1);
    char name[RUN_NAME_CAPACITY] = "";
    if (comparison->largest_run >= 0)
        plan_run_name(comparison->plan, comparison->largest_run, name);
    printf("%s: %lld runs recomputed by the reference kernels (%lld without a result passed over): largest "
           "difference of an activation %g, %.2f spikes (%s); %lld differ, mean activation %.6g instead of "
           "%.6g\n",
           comparison->path, (long long)comparison->n_compared, (long long)comparison->n_passed_over,
           (double)comparison->largest, (double)comparison->largest_spikes, name,
           (long long)comparison->n_different, comparison->found / n, comparison->stored / n);
}

static enum status check_subjects(const struct job *job, const char *path, struct error *error)
{
    char program[CHILD_NAME_CAPACITY];
    for (int i = 0; i < job->n_subjects; i++) {
        if (job->subjects[i].model != NULL)
            continue;
        child_name(job->subjects[i].program.command, program);
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: subject '%s' is the program %s, whose answers cannot be computed again", path,
                         job->subjects[i].name, program);
    }
    return STATUS_OK;
}

enum status campaign_recompute(const char *path, int64_t n_runs, struct error *error)
{
    char *text = NULL;
    struct job *job = NULL;
    struct backend backend;
    struct comparison comparison = {.path = path, .largest_run = -1};
    enum status status = STATUS_OK;
    TRY_CLEANUP(hdf5_text_read(path, RESULTS_PROVENANCE "/job", &text, error));
    TRY_CLEANUP(job_read_text(text, path, &job, error));
    TRY_CLEANUP(check_subjects(job, path, error));
    TRY_CLEANUP(backend_open(kernels_reference.name, &backend, error));
    TRY_CLEANUP(plan_make(job, &backend, &comparison.plan, error));
    TRY_CLEANUP(compare_some(&comparison, n_runs, error));
    print_comparison(&comparison);
cleanup:
    for (int i = 0; comparison.evaluators != NULL && i < comparison.plan->n_groups; i++)
        evaluator_free(comparison.evaluators[i]);
    free(comparison.evaluators);
    plan_free(comparison.plan);
    job_free(job);
    free(text);
    return status;
}
