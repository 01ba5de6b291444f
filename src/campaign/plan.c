/* SPDX-License-Identifier: MIT */
/* From a job to the sorted list of its runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign.h"
#include "hash.h"
#include "memory.h"
#include "pools.h"
#include "start.h"
#include "trials.h"
#include "units.h"

enum { LONGEST_CHAIN = 4096 }; /* as many runs as a batch may have */

/** One (group, unit) that an entry of `searches` asks for. */
struct wish {
    int group;
    struct unit unit;
};

struct wish_list {
    struct wish *items;
    size_t n_items, capacity;
};

/** Index of `name` in a list of structs that begin with a name; -1 if it is not there. */
static int find_name(const void *items, int n_items, size_t size, const char *name)
{
    for (int i = 0; i < n_items; i++)
        if (strcmp(*(const char *const *)((const char *)items + (size_t)i * size), name) == 0)
            return i;
    return -1;
}

/** chosen[i] = whether the list node (or its absence: all) names item i. */
static enum status choose(const struct node *node, const char *what, const void *items, int n_items,
                          size_t size, bool *chosen, struct error *error)
{
    for (int i = 0; i < n_items; i++)
        chosen[i] = node == NULL;
    if (node == NULL)
        return STATUS_OK;
    if (node->kind != NODE_LIST || node->n_items == 0)
        return node_error(node, error, "'%s' must be a list of names from the section of that name", what);
    for (size_t i = 0; i < node->n_items; i++) {
        const char *name;
        TRY(node_text(node->items[i], what, &name, error));
        const int index = find_name(items, n_items, size, name);
        if (index < 0)
            return node_error(node->items[i], error, "'%s' is not in the section '%s' of the job", name,
                              what);
        if (chosen[index])
            return node_error(node->items[i], error, "'%s' is named twice", name);
        chosen[index] = true;
    }
    return STATUS_OK;
}

/* ---- models ---- */

static enum status load_subject(const struct job *job, const struct job_subject *named,
                                const struct backend *backend, struct plan_subject *subject,
                                struct error *error)
{
    const struct model_overrides overrides = {
        .timesteps = (int)named->timesteps, .tensors = named->tensors, .neuron = named->neuron};
    TRY(model_load(named->model, &overrides, backend->kernels, &subject->model, error));
    if (model_role(subject->model) != MODEL_SUBJECT)
        return error_set(error, STATUS_BAD_INPUT, "%s: subject '%s': %s is no 'role: subject'", job->path,
                         named->name, named->model);
    return STATUS_OK;
}

/** A program whose description is known need not run. */
static enum status meet_program(const struct job_subject *named, struct plan_subject *subject,
                                struct error *error)
{
    if (named->description == NULL)
        TRY(external_open_subject(&named->program, &subject->program, error));
    return model_from_description(named->description != NULL ? named->description
                                                             : external_description(subject->program),
                                  named->program.command, &subject->model, error);
}

static enum status load_models(struct plan *plan, const struct backend *backend, struct error *error)
{
    const struct job *job = plan->job;
    TRY(MEMORY_ALLOCATE(plan->subjects, (size_t)job->n_subjects, error));
    TRY(MEMORY_ALLOCATE(plan->generators, (size_t)job->n_generators, error));
    for (int i = 0; i < job->n_subjects; i++)
        TRY(job->subjects[i].model == NULL
                ? meet_program(&job->subjects[i], &plan->subjects[i], error)
                : load_subject(job, &job->subjects[i], backend, &plan->subjects[i], error));
    for (int i = 0; i < job->n_generators; i++) {
        TRY(model_load(job->generators[i].model, NULL, backend->kernels, &plan->generators[i], error));
        if (model_role(plan->generators[i]) != MODEL_GENERATOR)
            return error_set(error, STATUS_BAD_INPUT, "%s: generator '%s': %s is no 'role: generator'",
                             job->path, job->generators[i].name, job->generators[i].model);
    }
    return STATUS_OK;
}

static enum status check_image_size(const struct job *job, const struct plan *plan, int subject,
                                    int generator, struct error *error)
{
    const struct model *maker = plan->generators[generator];
    const struct map_shape made = model_layer_shape(maker, model_output_layer(maker));
    const struct map_shape wanted = model_input_shape(plan->subjects[subject].model);
    if (made.channels == wanted.channels && made.height == wanted.height && made.width == wanted.width)
        return STATUS_OK;
    return error_set(
        error, STATUS_BAD_INPUT,
        "%s: generator '%s' makes images of %d x %d x %d (channels x height x width), subject '%s' takes "
        "%d x %d x %d",
        job->path, job->generators[generator].name, made.channels, made.height, made.width,
        job->subjects[subject].name, wanted.channels, wanted.height, wanted.width);
}

/* ---- groups ---- */

static int find_group(const struct plan *plan, int subject, int generator, int method)
{
    for (int i = 0; i < plan->n_groups; i++)
        if (plan->groups[i].subject == subject && plan->groups[i].generator == generator &&
            plan->groups[i].method == method)
            return i;
    return -1;
}

static enum status check_points(const struct job *job, const struct latent_space *latent, int generator,
                                int method, struct error *error)
{
    const int n = latent->n_points;
    int below = 1;
    while (2 * below < n)
        below *= 2;
    if (job->methods[method].method->needs_power_of_two && (n & (n - 1)) != 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: method '%s' needs a power of two as number of points (such as %d or %d), "
                         "generator '%s' has %d",
                         job->path, job->methods[method].name, below, 2 * below,
                         job->generators[generator].name, n);
    return STATUS_OK;
}

/** A method that cannot learn from a single batch is no search. */
static enum status check_budget(const struct job_search *search, const struct job_method *method,
                                const struct latent_space *latent, struct error *error)
{
    const int batch = method->method->batch(method->settings, latent->n_dimensions);
    if (method->method->is_baseline || search->budget >= batch)
        return STATUS_OK;
    return node_error(search->node, error,
                      "a budget of %lld queries is less than the first population of method '%s'; expected "
                      "%d to 1000000000 queries",
                      search->budget, method->name, batch);
}

/** Settings that are wrong together show when a search is made of them. */
static enum status check_settings(const struct job *job, const struct job_search *search,
                                  const struct latent_space *latent, const struct job_method *method,
                                  struct error *error)
{
    const struct search_problem problem = {.n_dimensions = latent->n_dimensions,
                                           .n_points = latent->n_points,
                                           .budget = search->budget,
                                           .low = latent->kind == LATENT_GRID ? latent->low : 0,
                                           .high = latent->kind == LATENT_GRID ? latent->high : 0};
    struct search *made = NULL;
    struct error found = {0};
    const enum status status = search_create(method->method, &problem, method->settings, &made, &found);
    if (status != STATUS_OK)
        return error_set(error, status, "%s: '%s': %s", job->path, method->name, found.message);
    search_destroy(method->method, made);
    return STATUS_OK;
}

static enum status make_group(struct plan *plan, const struct job_search *search, int subject, int generator,
                              int method, struct plan_group *group, struct error *error)
{
    const struct job *job = plan->job;
    const struct latent_space *latent = model_latent(plan->generators[generator]);
    const struct map_shape image = model_input_shape(plan->subjects[subject].model);
    int64_t queries[RECORD_HISTORY_MAX];
    if (job->subjects[subject].model == NULL && search->noise.noise != NOISE_NONE)
        return node_error(search->node, error,
                          "subject '%s' is a program, whose noise is its own: leave 'noise' out",
                          job->subjects[subject].name);
    TRY(pools_check_search(job, search, subject, method, error));
    TRY(check_image_size(job, plan, subject, generator, error));
    TRY(check_points(job, latent, generator, method, error));
    TRY(check_budget(search, &job->methods[method], latent, error));
    TRY(check_settings(job, search, latent, &job->methods[method], error));
    const struct record_sizes sizes = {.dimensions = latent->n_dimensions,
                                       .channels = image.channels,
                                       .height = image.height,
                                       .width = image.width,
                                       .history = record_history_queries(search->budget, queries),
                                       .budget = search->budget,
                                       .trace = search->mode == MODE_SHARED ? 0 : search->budget,
                                       .trials = trials_count(&job->trials),
                                       .classes = model_n_classes(plan->subjects[subject].model),
                                       .candidates = search->recheck.candidates};
    *group = (struct plan_group){.subject = subject,
                                 .generator = generator,
                                 .method = method,
                                 .search = (int)(search - job->searches),
                                 .minimise = search->minimise,
                                 .is_shared = search->mode == MODE_SHARED,
                                 .is_chained = search->distinct > 0 && search->replicates > 1,
                                 .replicates = (int)search->replicates};
    if (group->is_chained && search->replicates > LONGEST_CHAIN)
        return node_error(search->node, error, "'replicates' is %lld with 'distinct', expected 1 to %d",
                          search->replicates, LONGEST_CHAIN);
    TRY(start_choose(plan, search, group, error));
    return record_layout_make(&sizes, &group->layout, error);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/** Does the entry ask for what the group is? */
static bool agrees(const struct plan_group *group, const struct job_search *first,
                   const struct job_search *search)
{
    const struct job_start *a = &first->start, *b = &search->start;
    return group->layout.sizes.budget == search->budget && group->replicates == search->replicates &&
           group->minimise == search->minimise &&
           (first->start_node == NULL) == (search->start_node == NULL) &&
           is_same_text(a->results, b->results) && is_same_text(a->subject, b->subject) &&
           is_same_text(a->generator, b->generator) && is_same_text(a->method, b->method) &&
           is_same_text(a->codes, b->codes) && a->neighbours == b->neighbours && a->natural == b->natural &&
           first->noise.noise == search->noise.noise && first->noise.scale == search->noise.scale &&
           first->recheck.candidates == search->recheck.candidates &&
           first->recheck.presentations == search->recheck.presentations &&
           first->distinct == search->distinct && first->mode == search->mode &&
           pools_are_alike(first, search);
}

/** The group of a combination; entries that share one must agree in all but units. */
static enum status use_group(struct plan *plan, const struct job_search *search, int subject, int generator,
                             int method, int *index, struct error *error)
{
    *index = find_group(plan, subject, generator, method);
    if (*index < 0) {
        *index = plan->n_groups++;
        return make_group(plan, search, subject, generator, method, &plan->groups[*index], error);
    }
    if (agrees(&plan->groups[*index], &plan->job->searches[plan->groups[*index].search], search))
        return STATUS_OK;
    return node_error(search->node, error,
                      "%s/%s/%s is searched above with another budget, number of replicates, direction, "
                      "distinctness, start, noise or mode; give the "
                      "method a second name in 'methods' (name: {method: %s})",
                      plan->job->subjects[subject].name, plan->job->generators[generator].name,
                      plan->job->methods[method].name, plan->job->methods[method].method->name);
}

static enum status add_wishes(struct wish_list *wishes, int group, const struct unit_list *units,
                              struct error *error)
{
    for (size_t i = 0; i < units->n_items; i++) {
        TRY(memory_grow((void **)&wishes->items, &wishes->capacity, wishes->n_items, sizeof *wishes->items,
                        error));
        wishes->items[wishes->n_items++] = (struct wish){group, units->items[i]};
    }
    return STATUS_OK;
}

/** All combinations of one `searches` entry for one subject. */
static enum status add_subject_search(struct plan *plan, const struct job_search *search, int subject,
                                      const bool *generators, const bool *methods, struct wish_list *wishes,
                                      struct error *error)
{
    struct unit_list units = {0};
    enum status status = units_select(search, plan->subjects[subject].model, &units, error);
    for (int g = 0; g < plan->job->n_generators; g++)
        for (int m = 0; m < plan->job->n_methods; m++) {
            int group;
            if (status != STATUS_OK || !generators[g] || !methods[m])
                continue;
            status = use_group(plan, search, subject, g, m, &group, error);
            if (status == STATUS_OK)
                status = add_wishes(wishes, group, &units, error);
        }
    free(units.items);
    return status;
}

static enum status add_search(struct plan *plan, const struct job_search *search, struct wish_list *wishes,
                              struct error *error)
{
    const struct job *job = plan->job;
    bool *subjects = NULL, *generators = NULL, *methods = NULL;
    enum status status = STATUS_OK;
    TRY_CLEANUP(MEMORY_ALLOCATE(subjects, (size_t)job->n_subjects, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(generators, (size_t)job->n_generators, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(methods, (size_t)job->n_methods, error));
    TRY_CLEANUP(choose(search->subjects, "subjects", job->subjects, job->n_subjects, sizeof *job->subjects,
                       subjects, error));
    TRY_CLEANUP(choose(search->generators, "generators", job->generators, job->n_generators,
                       sizeof *job->generators, generators, error));
    TRY_CLEANUP(choose(search->methods, "methods", job->methods, job->n_methods, sizeof *job->methods,
                       methods, error));
    for (int i = 0; i < job->n_subjects; i++)
        if (subjects[i])
            TRY_CLEANUP(add_subject_search(plan, search, i, generators, methods, wishes, error));
cleanup:
    free(subjects);
    free(generators);
    free(methods);
    return status;
}

/* ---- units and runs ---- */

/** Position in a list like search_methods that later additions do not change: the order of the names. */
static int group_compare(const void *a, const void *b)
{
    const struct plan_group *g = a, *h = b;
    const int differences[] = {g->subject - h->subject, g->generator - h->generator, g->method - h->method};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (differences[i] != 0)
            return differences[i];
    return 0;
}

static int wish_compare(const void *a, const void *b)
{
    const struct wish *v = a, *w = b;
    return v->group != w->group ? v->group - w->group : unit_compare(&v->unit, &w->unit);
}

static enum status make_unit_table(struct plan *plan, int subject, const struct wish_list *wishes,
                                   struct error *error)
{
    struct unit_list list = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < wishes->n_items && status == STATUS_OK; i++) {
        if (plan->groups[wishes->items[i].group].subject != subject)
            continue;
        status = memory_grow((void **)&list.items, &list.capacity, list.n_items, sizeof *list.items, error);
        if (status == STATUS_OK)
            list.items[list.n_items++] = wishes->items[i].unit;
    }
    units_normalise(&list);
    plan->subjects[subject].units = list.items;
    plan->subjects[subject].n_units = (int64_t)list.n_items;
    return status;
}

static int64_t unit_row(const struct plan_subject *subject, const struct unit *unit)
{
    const struct unit *found =
        bsearch(unit, subject->units, (size_t)subject->n_units, sizeof *subject->units, unit_compare);
    return found - subject->units;
}

/** The wishes of one group, sorted and without duplicates, become its units. */
static enum status fill_group(struct plan *plan, int index, const struct wish *wishes, size_t n,
                              struct error *error)
{
    struct plan_group *group = &plan->groups[index];
    TRY(MEMORY_ALLOCATE(group->units, n, error));
    for (size_t i = 0; i < n; i++) {
        const int64_t row = unit_row(&plan->subjects[group->subject], &wishes[i].unit);
        if (group->n_units == 0 || group->units[group->n_units - 1] != row)
            group->units[group->n_units++] = row;
    }
    return STATUS_OK;
}

static uint64_t run_key(const struct plan *plan, const struct run *run)
{
    const struct plan_group *group = &plan->groups[run->group];
    const struct plan_subject *subject = &plan->subjects[group->subject];
    const struct unit *unit = &subject->units[run->unit];
    char text[768];
    const char *layer = unit->kind == UNIT_CLASS ? "class" : model_layer_name(subject->model, unit->layer);
    int length = snprintf(
        text, sizeof text, "%lld/%s/%s/%s/%s/%d/%d/%d/%d", plan->job->seed,
        plan->job->subjects[group->subject].name, plan->job->generators[group->generator].name,
        plan->job->methods[group->method].name, layer, unit->channel, unit->y, unit->x, run->replicate);
    return hash_bytes(text, (size_t)length);
}

static enum status make_runs(struct plan *plan, struct error *error)
{
    for (int g = 0; g < plan->n_groups; g++)
        plan->n_runs += plan->groups[g].n_units * plan->groups[g].replicates;
    TRY(MEMORY_ALLOCATE(plan->runs, (size_t)plan->n_runs, error));
    int64_t r = 0;
    for (int g = 0; g < plan->n_groups; g++)
        for (int64_t u = 0; u < plan->groups[g].n_units; u++)
            for (int k = 0; k < plan->groups[g].replicates; k++, r++) {
                plan->runs[r] =
                    (struct run){.group = g, .replicate = k, .pool = -1, .unit = plan->groups[g].units[u]};
                plan->runs[r].key = run_key(plan, &plan->runs[r]);
            }
    return STATUS_OK;
}

struct keyed {
    uint64_t key;
    int64_t run;
};

static int keyed_compare(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static enum status index_keys(struct plan *plan, struct error *error)
{
    struct keyed *sorted = NULL;
    const size_t n = (size_t)plan->n_runs;
    TRY(MEMORY_ALLOCATE(plan->by_key, n, error));
    TRY(MEMORY_ALLOCATE(sorted, n, error));
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct keyed){plan->runs[i].key, (int64_t)i};
    qsort(sorted, n, sizeof *sorted, keyed_compare);
    bool unique = true;
    for (size_t i = 0; i < n; i++) {
        plan->by_key[i] = sorted[i].run;
        unique = unique && (i == 0 || sorted[i - 1].key != sorted[i].key);
    }
    free(sorted);
    return unique ? STATUS_OK
                  : error_set(error, STATUS_BAD_INPUT,
                              "%s: two runs have the same random key; change the seed", plan->job->path);
}

static enum status sort_groups(struct plan *plan, struct wish_list *wishes, struct error *error)
{
    struct plan_group *before = NULL;
    const size_t n = (size_t)plan->n_groups;
    TRY(MEMORY_ALLOCATE(before, n, error));
    memcpy(before, plan->groups, n * sizeof *before);
    qsort(plan->groups, n, sizeof *plan->groups, group_compare);
    for (size_t i = 0; i < wishes->n_items; i++) {
        const struct plan_group *old = &before[wishes->items[i].group];
        wishes->items[i].group = find_group(plan, old->subject, old->generator, old->method);
    }
    free(before);
    return STATUS_OK;
}

static enum status lay_out(struct plan *plan, struct wish_list *wishes, struct error *error)
{
    TRY(sort_groups(plan, wishes, error));
    for (int i = 0; i < plan->job->n_subjects; i++)
        TRY(make_unit_table(plan, i, wishes, error));
    qsort(wishes->items, wishes->n_items, sizeof *wishes->items, wish_compare);
    for (size_t first = 0, last; first < wishes->n_items; first = last) {
        for (last = first; last < wishes->n_items && wishes->items[last].group == wishes->items[first].group;)
            last++;
        TRY(fill_group(plan, wishes->items[first].group, wishes->items + first, last - first, error));
    }
    TRY(make_runs(plan, error));
    TRY(index_keys(plan, error));
    return pools_make(plan, error);
}

static enum status make(struct plan *plan, const struct backend *backend, struct error *error)
{
    const struct job *job = plan->job;
    struct wish_list wishes = {0};
    const size_t most = (size_t)job->n_subjects * (size_t)job->n_generators * (size_t)job->n_methods;
    enum status status = STATUS_OK;
    TRY_CLEANUP(load_models(plan, backend, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(plan->groups, most, error));
    for (int i = 0; i < job->n_searches; i++)
        TRY_CLEANUP(add_search(plan, &job->searches[i], &wishes, error));
    status = lay_out(plan, &wishes, error);
cleanup:
    free(wishes.items);
    return status;
}

enum status plan_make(const struct job *job, const struct backend *backend, struct plan **result,
                      struct error *error)
{
    struct plan *plan = NULL;
    TRY(MEMORY_ALLOCATE(plan, 1, error));
    plan->job = job;
    enum status status = make(plan, backend, error);
    if (status != STATUS_OK) {
        plan_free(plan);
        return status;
    }
    *result = plan;
    return STATUS_OK;
}

static void free_group(struct plan_group *group)
{
    free(group->units);
    free(group->start_pool);
    free(group->start_rows);
}

void plan_stop_programs(struct plan *plan)
{
    for (int i = 0; plan->subjects != NULL && i < plan->job->n_subjects; i++) {
        external_close(plan->subjects[i].program);
        plan->subjects[i].program = NULL;
    }
}

void plan_free(struct plan *plan)
{
    if (plan == NULL)
        return;
    plan_stop_programs(plan);
    for (int i = 0; plan->subjects != NULL && i < plan->job->n_subjects; i++) {
        model_free(plan->subjects[i].model);
        free(plan->subjects[i].units);
    }
    for (int i = 0; plan->generators != NULL && i < plan->job->n_generators; i++)
        model_free(plan->generators[i]);
    for (int i = 0; plan->groups != NULL && i < plan->n_groups; i++)
        free_group(&plan->groups[i]);
    free(plan->subjects);
    free(plan->generators);
    free(plan->groups);
    free(plan->runs);
    free(plan->by_key);
    pools_free(plan);
    free(plan);
}

int64_t plan_find(const struct plan *plan, uint64_t key)
{
    int64_t low = 0, high = plan->n_runs - 1;
    while (low <= high) {
        const int64_t middle = low + (high - low) / 2;
        const uint64_t here = plan->runs[plan->by_key[middle]].key;
        if (here == key)
            return plan->by_key[middle];
        if (here < key)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return -1;
}

int plan_shard_of(const struct plan *plan, int64_t run)
{
    const struct run *r = &plan->runs[run];
    const int64_t place = r->pool >= 0                        ? r->pool
                          : plan->groups[r->group].is_chained ? r->group + r->unit
                                                              : run;
    return (int)(place % plan->job->shards);
}

bool plan_run_follows(const struct plan *plan, int64_t run)
{
    return plan->groups[plan->runs[run].group].is_chained && plan->runs[run].replicate > 0;
}

int plan_batch_capacity(const struct plan *plan)
{
    int most = (int)plan->job->batch;
    for (int i = 0; i < plan->n_groups; i++)
        if (plan->groups[i].is_chained && plan->groups[i].replicates > most)
            most = plan->groups[i].replicates;
    return most;
}

int64_t plan_shard_runs(const struct plan *plan, int shard)
{
    int64_t n = 0;
    for (int64_t run = 0; run < plan->n_runs; run++)
        n += plan_shard_of(plan, run) == shard;
    return n;
}

/** "layer4.1.sn2/7", "layer4.1.sn2/7,0,1" or "class/3", behind what is there already. */
static void add_unit_name(const struct model *model, const struct unit *unit, char name[RUN_NAME_CAPACITY])
{
    size_t length = strlen(name);
    snprintf(name + length, RUN_NAME_CAPACITY - length, "%s/%d",
             unit->kind == UNIT_CLASS ? "class" : model_layer_name(model, unit->layer), unit->channel);
    length = strlen(name);
    if (unit->kind == UNIT_NEURON)
        snprintf(name + length, RUN_NAME_CAPACITY - length, ",%d,%d", unit->y, unit->x);
}

void plan_run_name(const struct plan *plan, int64_t index, char name[RUN_NAME_CAPACITY])
{
    const struct run *run = &plan->runs[index];
    const struct plan_group *group = &plan->groups[run->group];
    const struct plan_subject *subject = &plan->subjects[group->subject];
    snprintf(name, RUN_NAME_CAPACITY, "%s/%s/%s/", plan->job->subjects[group->subject].name,
             plan->job->generators[group->generator].name, plan->job->methods[group->method].name);
    add_unit_name(subject->model, &subject->units[run->unit], name);
    const size_t length = strlen(name);
    if (group->replicates > 1)
        snprintf(name + length, RUN_NAME_CAPACITY - length, " replicate %d", run->replicate);
}

void plan_unit_name(const struct plan *plan, int subject, const struct unit *unit,
                    char name[RUN_NAME_CAPACITY])
{
    snprintf(name, RUN_NAME_CAPACITY, "%s/", plan->job->subjects[subject].name);
    add_unit_name(plan->subjects[subject].model, unit, name);
}

int plan_layer_index(const struct model *model, int layer)
{
    int index = 0;
    if (!model_layer_is_selectable(model, layer))
        return -1;
    for (int i = 0; i < layer; i++)
        index += model_layer_is_selectable(model, i);
    return index;
}
