/* SPDX-License-Identifier: MIT */
/*
 * Two censuses of one job: are their MEIs as good? Each MEI is shown again, in float32, by this processor.
 *
 *   compare_censuses FIRST.h5 SECOND.h5
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/campaign/evaluator.h"
#include "backend.h"
#include "campaign.h"
#include "hdf5_arrays.h"
#include "memory.h"

enum { MOST_DIMENSIONS = 4096 };

struct comparison {
    struct job *job;
    struct plan *plan;
    struct evaluator *evaluator; /**< of the group that was compared last */
    int n_pairs, n_same_code, n_equal, n_first_better, n_second_better;
    double *differences; /**< [n_pairs] second / first - 1, of those that are not silent */
    int n_differences;
};

static enum status read_codes(const char *path, const struct comparison *c, const struct plan_group *group,
                              struct hdf5_array *codes, struct error *error)
{
    char dataset[512];
    const struct job *job = c->job;
    const size_t n = (size_t)(group->n_units * group->replicates * group->layout.sizes.dimensions);
    snprintf(dataset, sizeof dataset, "%s/%s/%s/%s/latent", RESULTS_CENSUS,
             job->subjects[group->subject].name, job->generators[group->generator].name,
             job->methods[group->method].name);
    if (group->layout.sizes.dimensions > MOST_DIMENSIONS)
        return error_set(error, STATUS_BAD_INPUT, "%s: codes of more than %d dimensions", path,
                         MOST_DIMENSIONS);
    TRY(hdf5_array_read(path, dataset, codes, error));
    if (codes->n_values != n)
        return error_set(error, STATUS_BAD_INPUT, "%s: %s has %zu values, expected %zu", path, dataset,
                         codes->n_values, n);
    return STATUS_OK;
}

/** Of the run's unit for the code at `latent`. */
static float activation(const struct comparison *c, int64_t run, const float *latent)
{
    const struct plan_group *group = &c->plan->groups[c->plan->runs[run].group];
    int32_t code[MOST_DIMENSIONS];
    for (int64_t i = 0; i < group->layout.sizes.dimensions; i++)
        code[i] = (int32_t)latent[i];
    return evaluator_activation(c->evaluator,
                                &c->plan->subjects[group->subject].units[c->plan->runs[run].unit],
                                evaluator_image(c->evaluator, code));
}

static void compare_run(struct comparison *c, int64_t run, size_t n, const float *first, const float *second)
{
    const float a = activation(c, run, first), b = activation(c, run, second);
    c->n_pairs++;
    c->n_same_code += memcmp(first, second, n * sizeof *first) == 0;
    c->n_equal += a == b;
    c->n_first_better += a > b;
    c->n_second_better += b > a;
    if (a > 0)
        c->differences[c->n_differences++] = (double)b / (double)a - 1;
}

static enum status compare_group(struct comparison *c, int64_t *run, const char *const *paths,
                                 struct error *error)
{
    const struct plan_group *group = &c->plan->groups[c->plan->runs[*run].group];
    const int64_t n_runs = group->n_units * group->replicates;
    const size_t n = (size_t)group->layout.sizes.dimensions;
    struct hdf5_array first = {0}, second = {0};
    enum status status;
    TRY_CLEANUP(read_codes(paths[0], c, group, &first, error));
    TRY_CLEANUP(read_codes(paths[1], c, group, &second, error));
    TRY_CLEANUP(evaluator_create(c->plan, group->subject, group->generator, &c->evaluator, error));
    for (size_t i = 0; i < (size_t)n_runs; i++, ++*run)
        compare_run(c, *run, n, first.values + i * n, second.values + i * n);
cleanup:
    evaluator_free(c->evaluator);
    c->evaluator = NULL;
    hdf5_array_free(&first);
    hdf5_array_free(&second);
    return status;
}

static int compare_numbers(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** Two-sided: how likely the smaller of two counts is, or less, where both are as likely. */
static double sign_test(int a, int b)
{
    const int n = a + b, least = a < b ? a : b;
    double p = 0;
    for (int k = 0; k <= least; k++)
        p += exp(lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) - n * log(2));
    return 2 * p < 1 ? 2 * p : 1;
}

static void print(const struct comparison *c)
{
    qsort(c->differences, (size_t)c->n_differences, sizeof *c->differences, compare_numbers);
    printf(
        "| MEIs | the same code | equally exciting | the first more | the second more | sign test, p | "
        "median of second / first - 1 |\n|---|---|---|---|---|---|---|\n| %d | %d | %d | %d | %d | %.3g | ",
        c->n_pairs, c->n_same_code, c->n_equal, c->n_first_better, c->n_second_better,
        sign_test(c->n_first_better, c->n_second_better));
    if (c->n_differences > 0)
        printf("%+.3f %% |\n", 100 * c->differences[(c->n_differences - 1) / 2]);
    else
        printf("all silent |\n");
}

static enum status compare(const char *const *paths, struct comparison *c, struct error *error)
{
    char *text = NULL;
    struct backend backend;
    enum status status;
    TRY_CLEANUP(hdf5_text_read(paths[0], RESULTS_PROVENANCE "/job", &text, error));
    TRY_CLEANUP(job_read_text(text, paths[0], &c->job, error));
    TRY_CLEANUP(backend_open(NULL, &backend, error));
    TRY_CLEANUP(plan_make(c->job, &backend, &c->plan, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(c->differences, (size_t)c->plan->n_runs, error));
    for (int64_t run = 0; run < c->plan->n_runs && status == STATUS_OK;)
        status = compare_group(c, &run, paths, error);
cleanup:
    free(text);
    return status;
}

int main(int argc, char **argv)
{
    struct comparison comparison = {0};
    struct error error = {0};
    enum status status = STATUS_USAGE;
    if (argc != 3)
        error_set(&error, STATUS_USAGE, "usage: compare_censuses FIRST.h5 SECOND.h5");
    else
        status = compare((const char *const *)argv + 1, &comparison, &error);
    if (status == STATUS_OK)
        print(&comparison);
    else
        fprintf(stderr, "compare_censuses: %s\n", error.message);
    plan_free(comparison.plan);
    job_free(comparison.job);
    free(comparison.differences);
    return status_exit_code(status);
}
