/* SPDX-License-Identifier: MIT */
/* What searches start from: the choice, the files, and the codes of all units of a group. */
#include "start.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "start_codes.h"

/* ---- the choice ---- */

bool start_is_warm(const struct job_start *start)
{
    return start->results != NULL || start->natural > 0 || start->codes != NULL;
}

/** Where nothing is said, who looks for the least activation begins where there is some. */
static bool starts_from_nature(const struct plan *plan, const struct job_search *search,
                               const struct plan_group *group)
{
    return search->start_node == NULL && search->minimise && search->unit != UNIT_NEURON &&
           plan->job->subjects[group->subject].natural != NULL &&
           model_encoder_path(plan->generators[group->generator]) != NULL &&
           plan->job->methods[group->method].method->inform != NULL;
}

enum status start_choose(const struct plan *plan, const struct job_search *search, struct plan_group *group,
                         struct error *error)
{
    const struct job *job = plan->job;
    struct job_start *start = &group->start;
    *start = search->start;
    if (starts_from_nature(plan, search, group))
        start->natural = 1;
    start->subject = start->subject == NULL ? job->subjects[group->subject].name : start->subject;
    start->generator = start->generator == NULL ? job->generators[group->generator].name : start->generator;
    start->method = start->method == NULL ? job->methods[group->method].name : start->method;
    if (start_is_warm(start) && job->methods[group->method].method->inform == NULL)
        return node_error(
            search->start_node, error,
            "method '%s' (%s) has no use for start codes; take 'start' out, or name other methods",
            job->methods[group->method].name, job->methods[group->method].method->name);
    if (start->natural > 0 && job->subjects[group->subject].natural == NULL)
        return node_error(
            search->start_node, error,
            "'start.natural': subject '%s' has no key 'natural' that names its natural references",
            job->subjects[group->subject].name);
    return STATUS_OK;
}

void start_describe(const struct plan_group *group, FILE *out)
{
    const struct job_start *start = &group->start;
    const char *comma = "";
    if (!start_is_warm(start))
        fprintf(out, "nothing");
    if (start->results != NULL) {
        fprintf(out, "results: %s (%s/%s/%s)", start->results, start->subject, start->generator,
                start->method);
        comma = ", ";
    }
    if (start->results != NULL && start->neighbours > 0)
        fprintf(out, ", neighbours: %lld", start->neighbours);
    if (start->natural > 0) {
        fprintf(out, "%snatural: %lld", comma, start->natural);
        comma = ", ";
    }
    if (start->codes != NULL)
        fprintf(out, "%scodes: %s", comma, start->codes);
}

/* ---- files ---- */

/** sha256 NULL: of the file. */
static enum status add_file(struct start_files *files, const char *group, const char *what, const char *path,
                            const char *sha256, struct error *error)
{
    TRY(memory_grow((void **)&files->items, &files->capacity, files->n_items, sizeof *files->items, error));
    struct start_file *file = &files->items[files->n_items];
    *file = (struct start_file){.path = path};
    snprintf(file->name, sizeof file->name, "start of %s: %s", group, what);
    if (sha256 != NULL)
        memcpy(file->sha256, sha256, sizeof file->sha256);
    for (size_t i = 0; i < files->n_items && file->sha256[0] == '\0'; i++)
        if (strcmp(files->items[i].path, path) == 0)
            memcpy(file->sha256, files->items[i].sha256, sizeof file->sha256);
    if (file->sha256[0] == '\0')
        TRY(hash_file_sha256(path, file->sha256, error));
    files->n_items++;
    return STATUS_OK;
}

/** An encoder is two files, as every model. */
static enum status add_encoder(struct start_files *files, const char *group, const struct model *generator,
                               struct error *error)
{
    struct model *encoder = NULL;
    TRY(model_load(model_encoder_path(generator), NULL, &kernels_reference, &encoder, error));
    const char *path = model_encoder_path(generator);
    enum status status = add_file(files, group, "encoder", path, model_sha256(encoder), error);
    if (status == STATUS_OK)
        status = add_file(files, group, "tensors of the encoder", path, model_tensors_sha256(encoder), error);
    model_free(encoder);
    return status;
}

static enum status list_group(const struct plan *plan, const struct plan_group *group,
                              struct start_files *files, struct error *error)
{
    const struct job *job = plan->job;
    const struct job_start *start = &group->start;
    char name[200];
    snprintf(name, sizeof name, "%s/%s/%s", job->subjects[group->subject].name,
             job->generators[group->generator].name, job->methods[group->method].name);
    if (start->results != NULL)
        TRY(add_file(files, name, "results", start->results, NULL, error));
    if (start->natural > 0) {
        TRY(add_file(files, name, "natural", job->subjects[group->subject].natural, NULL, error));
        TRY(add_encoder(files, name, plan->generators[group->generator], error));
    }
    return start->codes == NULL ? STATUS_OK : add_file(files, name, "codes", start->codes, NULL, error);
}

enum status start_files_list(const struct plan *plan, struct start_files *files, struct error *error)
{
    for (int i = 0; i < plan->n_groups; i++)
        TRY(list_group(plan, &plan->groups[i], files, error));
    return STATUS_OK;
}

/* ---- codes ---- */

/** A method that has seen nothing but its start codes has not searched. */
static enum status check_budget(const struct plan *plan, const struct plan_group *group, struct error *error)
{
    const struct job_search *search = &plan->job->searches[group->search];
    const struct job_method *method = &plan->job->methods[group->method];
    const int64_t batch = method->method->batch(method->settings, (int)group->layout.sizes.dimensions);
    if (group->layout.sizes.budget >= group->n_start + batch)
        return STATUS_OK;
    return node_error(
        search->node, error,
        "a budget of %lld queries is less than %d start codes and the first population of method "
        "'%s'; expected %lld to 1000000000 queries",
        search->budget, group->n_start, method->name, (long long)(group->n_start + batch));
}

static enum status load_group(struct plan *plan, const struct backend *backend, struct plan_group *group,
                              struct error *error)
{
    struct start_codes codes = {.plan = plan, .group = group, .backend = backend};
    enum status status = start_codes_read(&codes, error);
    group->n_start = codes.n_columns;
    group->start_pool = codes.pool;
    group->start_rows = codes.rows;
    return status == STATUS_OK ? check_budget(plan, group, error) : status;
}

enum status plan_load_starts(struct plan *plan, const struct backend *backend, struct error *error)
{
    for (int i = 0; i < plan->n_groups; i++)
        if (start_is_warm(&plan->groups[i].start))
            TRY(load_group(plan, backend, &plan->groups[i], error));
    return STATUS_OK;
}

const int32_t *plan_start_code(const struct plan_group *group, int64_t unit, int i)
{
    return group->start_pool + group->start_rows[unit * group->n_start + i] * group->layout.sizes.dimensions;
}
