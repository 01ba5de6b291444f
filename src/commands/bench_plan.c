/* SPDX-License-Identifier: MIT */
#include "bench_plan.h"

#include <stdlib.h>
#include <string.h>

#include "../campaign/trials.h"
#include "memory.h"

/** Is `wanted` (NULL: any) among the names, which lie `stride` bytes apart? Else say which there are. */
static enum status check_name(const struct job *job, const char *option, const char *wanted,
                              const void *names, int n, size_t stride, struct error *error)
{
    char valid[512] = "";
    size_t length = 0;
    for (int i = 0; i < n; i++) {
        const char *name = *(const char *const *)((const char *)names + (size_t)i * stride);
        if (wanted == NULL || strcmp(name, wanted) == 0)
            return STATUS_OK;
        if (length < sizeof valid)
            length +=
                (size_t)snprintf(valid + length, sizeof valid - length, "%s%s", i == 0 ? "" : ", ", name);
    }
    return error_set(error, STATUS_BAD_INPUT, "--%s %.200s: not in %s (valid: %s)", option, wanted, job->path,
                     valid);
}

static void only_search(struct job *job)
{
    job->stop = (struct job_stop){.at_bound = false};
    job->trials = (struct job_trials){.count = 1, .noise = NOISE_NONE};
    for (int i = 0; i < job->n_searches; i++) {
        job->searches[i].recheck = (struct job_recheck){0};
        job->searches[i].distinct = 0;
    }
}

enum status bench_job_prepare(struct job *job, const struct bench_names *names, struct error *error)
{
    TRY(check_name(job, "subject", names->subject, &job->subjects->name, job->n_subjects,
                   sizeof *job->subjects, error));
    TRY(check_name(job, "generator", names->generator, &job->generators->name, job->n_generators,
                   sizeof *job->generators, error));
    TRY(check_name(job, "method", names->method, &job->methods->name, job->n_methods, sizeof *job->methods,
                   error));
    only_search(job);
    return STATUS_OK;
}

/* ---- the group ---- */

static bool is_wanted(const char *name, const char *wanted)
{
    return wanted == NULL || strcmp(name, wanted) == 0;
}

static bool fits(const struct job *job, const struct plan_group *group, const struct bench_names *names)
{
    return is_wanted(job->subjects[group->subject].name, names->subject) &&
           is_wanted(job->generators[group->generator].name, names->generator) &&
           is_wanted(job->methods[group->method].name, names->method);
}

static enum status find_group(struct bench_plan *bench, const struct bench_names *names, struct error *error)
{
    const struct plan *plan = bench->plan;
    const struct job *job = plan->job;
    char searched[512] = "";
    size_t length = 0;
    for (int i = 0; i < plan->n_groups; i++) {
        const struct plan_group *group = &plan->groups[i];
        if (fits(job, group, names)) {
            bench->group = group;
            return STATUS_OK;
        }
        if (length < sizeof searched)
            length +=
                (size_t)snprintf(searched + length, sizeof searched - length, "%s%s/%s/%s",
                                 i == 0 ? "" : ", ", job->subjects[group->subject].name,
                                 job->generators[group->generator].name, job->methods[group->method].name);
    }
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: does not search that combination of subject, generator and method (it does: %s)",
                     job->path, searched);
}

/* ---- its layers ---- */

static const struct unit *unit_of_run(const struct bench_plan *bench, int64_t run)
{
    return &bench->plan->subjects[bench->group->subject].units[bench->plan->runs[run].unit];
}

static void add_run(struct bench_plan *bench, int64_t run)
{
    const struct unit *unit = unit_of_run(bench, run);
    struct bench_target *last = bench->targets + bench->n_targets - 1;
    if (bench->n_targets == 0 || last->layer != unit->layer) {
        last = &bench->targets[bench->n_targets++];
        *last = (struct bench_target){.layer = unit->layer, .first_run = run};
        last->name =
            unit->kind == UNIT_CLASS ? "class outputs" : model_layer_name(bench->subject, unit->layer);
    }
    last->n_runs++;
    last->n_units += bench->plan->runs[run].replicate == 0;
}

static enum status find_targets(struct bench_plan *bench, struct error *error)
{
    TRY(MEMORY_ALLOCATE(bench->targets, (size_t)model_n_layers(bench->subject), error));
    for (int64_t run = 0; run < bench->plan->n_runs; run++)
        if (&bench->plan->groups[bench->plan->runs[run].group] == bench->group)
            add_run(bench, run);
    return STATUS_OK;
}

enum status bench_plan_open(const struct job *job, const struct bench_names *names, struct bench_plan *bench,
                            struct error *error)
{
    TRY(backend_open(job->kernels, &bench->backend, error));
    TRY(plan_make(job, &bench->backend, &bench->plan, error));
    plan_stop_programs(bench->plan);
    TRY(find_group(bench, names, error));
    bench->subject = bench->plan->subjects[bench->group->subject].model;
    bench->generator = bench->plan->generators[bench->group->generator];
    if (model_description(bench->subject) != NULL)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: subject '%s' is a program, whose time is its own; expected one with a model file "
            "(--subject NAME)",
            job->path, job->subjects[bench->group->subject].name);
    return find_targets(bench, error);
}

void bench_plan_close(struct bench_plan *bench)
{
    free(bench->targets);
    plan_free(bench->plan);
}
