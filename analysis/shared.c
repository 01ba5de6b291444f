/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* ---- One unit in all subjects ------------------------------------------------------------------------- */

/** What a unit is called, whatever the subject. */
struct named_unit {
    const struct layer *layer;
    const struct unit *unit;
    size_t place; /**< in subject->units */
};

static int compare_layers(const struct layer *a, const struct layer *b)
{
    const int names = strcmp(a->name, b->name);
    return names != 0 ? names : (a->kind > b->kind) - (a->kind < b->kind);
}

static int compare_units(const void *a, const void *b)
{
    const struct named_unit *first = a, *second = b;
    const int x[] = {first->unit->channel, first->unit->y, first->unit->x},
              y[] = {second->unit->channel, second->unit->y, second->unit->x};
    int order = compare_layers(first->layer, second->layer);
    for (int i = 0; i < 3 && order == 0; i++)
        order = (x[i] > y[i]) - (x[i] < y[i]);
    return order;
}

static struct named_unit named_unit(const struct subject *subject, size_t place)
{
    const struct unit *unit = &subject->units[place];
    return (struct named_unit){&subject->layers[unit->layer], unit, place};
}

/** Units of every subject in an order in which they are found. */
struct finder {
    const struct input *input;
    struct named_unit **units; /**< [subject][unit] */
};

static enum status finder_make(const struct input *input, struct finder *finder, struct error *error)
{
    *finder = (struct finder){.input = input};
    TRY(MEMORY_ALLOCATE(finder->units, (size_t)input->n_subjects, error));
    for (int i = 0; i < input->n_subjects; i++) {
        const struct subject *subject = &input->subjects[i];
        TRY(MEMORY_ALLOCATE(finder->units[i], subject->n_units, error));
        for (size_t place = 0; place < subject->n_units; place++)
            finder->units[i][place] = named_unit(subject, place);
        if (subject->n_units > 0)
            qsort(finder->units[i], subject->n_units, sizeof **finder->units, compare_units);
    }
    return STATUS_OK;
}

static void finder_free(struct finder *finder)
{
    for (int i = 0; finder->units != NULL && i < finder->input->n_subjects; i++)
        free(finder->units[i]);
    free(finder->units);
}

/** Row of the unit in a subject's group; -1: the subject or the group does not have it. */
static int64_t find_row(const struct finder *finder, int subject, const struct group *group,
                        const struct named_unit *wanted)
{
    const size_t n = finder->input->subjects[subject].n_units;
    if (group == NULL || n == 0)
        return -1;
    const struct named_unit *found =
        bsearch(wanted, finder->units[subject], n, sizeof *wanted, compare_units);
    return found == NULL ? -1 : group->row_of_unit[found->place];
}

/** Fills rows [subject] of the unit. True if two subjects have it, and `owner` is the first of them. */
static bool find_rows(const struct finder *finder, const struct shared_set *set, int owner,
                      const struct named_unit *unit, int64_t *rows)
{
    int n = 0, first = -1;
    for (int i = 0; i < finder->input->n_subjects; i++) {
        rows[i] = find_row(finder, i, set->groups[i], unit);
        first = rows[i] >= 0 && n == 0 ? i : first;
        n += rows[i] >= 0;
    }
    return n > 1 && first == owner;
}

/* ---- Sets --------------------------------------------------------------------------------------------- */

/** Layer `layer` of subject `owner` is what no earlier subject has. */
static bool is_new_layer(const struct input *input, int owner, int layer)
{
    for (int i = 0; i < owner; i++)
        for (int j = 0; j < input->subjects[i].n_layers; j++)
            if (compare_layers(&input->subjects[i].layers[j], &input->subjects[owner].layers[layer]) == 0)
                return false;
    return true;
}

/** Adds the units that `owner` is the first to have. */
static enum status add_units(const struct finder *finder, struct shared_set *set, int owner, size_t *capacity,
                             struct error *error)
{
    const struct subject *subject = &finder->input->subjects[owner];
    const size_t n_subjects = (size_t)finder->input->n_subjects;
    for (size_t place = 0; place < subject->n_units; place++) {
        const struct named_unit unit = named_unit(subject, place);
        if (compare_layers(unit.layer, set->layer) != 0)
            continue;
        TRY(memory_grow((void **)&set->rows, capacity, set->n_units, n_subjects * sizeof *set->rows, error));
        if (find_rows(finder, set, owner, &unit, set->rows + set->n_units * n_subjects))
            set->n_units++;
    }
    return STATUS_OK;
}

static void free_set(struct shared_set *set)
{
    free(set->groups);
    free(set->rows);
}

/** The set of that layer, if it has units, joins the list. */
static enum status add_set(const struct finder *finder, struct shared *shared, size_t *capacity,
                           struct shared_set set, struct error *error)
{
    const struct group **groups = set.groups;
    size_t n_allocated = 0;
    enum status status;
    set.groups = NULL;
    TRY_CLEANUP(memory_allocate((void **)&set.groups, (size_t)finder->input->n_subjects, sizeof *groups,
                                "groups of the subjects", error));
    memcpy(set.groups, groups, (size_t)finder->input->n_subjects * sizeof *groups);
    for (int owner = 0; owner < finder->input->n_subjects && status == STATUS_OK; owner++)
        status = add_units(finder, &set, owner, &n_allocated, error);
    if (status == STATUS_OK && set.n_units > 0)
        status = memory_grow((void **)&shared->sets, capacity, (size_t)shared->n_sets, sizeof set, error);
    if (status == STATUS_OK && set.n_units > 0) {
        shared->sets[shared->n_sets++] = set;
        return STATUS_OK;
    }
cleanup:
    free_set(&set);
    return status;
}

static enum status add_layers(const struct finder *finder, struct shared *shared, size_t *capacity,
                              struct shared_set set, struct error *error)
{
    const struct input *input = finder->input;
    for (int owner = 0; owner < input->n_subjects; owner++)
        for (int layer = 0; layer < input->subjects[owner].n_layers; layer++) {
            if (!is_new_layer(input, owner, layer))
                continue;
            set.layer = &input->subjects[owner].layers[layer];
            TRY(add_set(finder, shared, capacity, set, error));
            set.layer_index++;
        }
    shared->n_layers = set.layer_index;
    return STATUS_OK;
}

/* ---- Generators and methods --------------------------------------------------------------------------- */

/** Names in the order of first mention. */
struct names {
    const char **list;
    size_t n, capacity;
};

static enum status add_names(struct names *names, char (*list)[NAME_CAPACITY], int n, struct error *error)
{
    for (int i = 0; i < n; i++) {
        size_t place = 0;
        while (place < names->n && strcmp(names->list[place], list[i]) != 0)
            place++;
        if (place < names->n)
            continue;
        TRY(memory_grow((void **)&names->list, &names->capacity, names->n, sizeof *names->list, error));
        names->list[names->n++] = list[i];
    }
    return STATUS_OK;
}

static const struct group *find_group(const struct subject *subject, const char *generator,
                                      const char *method)
{
    for (int i = 0; i < subject->n_groups; i++)
        if (strcmp(subject->generators[subject->groups[i].generator], generator) == 0 &&
            strcmp(subject->methods[subject->groups[i].method], method) == 0)
            return &subject->groups[i];
    return NULL;
}

static enum status find_sets(const struct finder *finder, struct shared *shared,
                             const struct names *generators, const struct names *methods,
                             const struct group **groups, struct error *error)
{
    size_t capacity = 0;
    for (size_t i = 0; i < generators->n; i++)
        for (size_t j = 0; j < methods->n; j++) {
            for (int subject = 0; subject < finder->input->n_subjects; subject++)
                groups[subject] =
                    find_group(&finder->input->subjects[subject], generators->list[i], methods->list[j]);
            const struct shared_set set = {.generator = generators->list[i],
                                           .generator_index = (int)i,
                                           .method = methods->list[j],
                                           .method_index = (int)j,
                                           .groups = groups};
            TRY(add_layers(finder, shared, &capacity, set, error));
        }
    return STATUS_OK;
}

enum status shared_find(const struct input *input, struct shared *shared, struct error *error)
{
    struct finder finder;
    struct names generators = {0}, methods = {0};
    const struct group **groups = NULL;
    enum status status;
    *shared = (struct shared){.input = input};
    TRY_CLEANUP(finder_make(input, &finder, error));
    for (int i = 0; i < input->n_subjects; i++) {
        const struct subject *subject = &input->subjects[i];
        TRY_CLEANUP(add_names(&generators, subject->generators, subject->n_generators, error));
        TRY_CLEANUP(add_names(&methods, subject->methods, subject->n_methods, error));
    }
    TRY_CLEANUP(memory_allocate((void **)&groups, (size_t)input->n_subjects, sizeof *groups,
                                "groups of the subjects", error));
    status = find_sets(&finder, shared, &generators, &methods, groups, error);
cleanup:
    finder_free(&finder);
    free(generators.list);
    free(methods.list);
    free(groups);
    return status;
}

void shared_free(struct shared *shared)
{
    for (int i = 0; i < shared->n_sets; i++)
        free_set(&shared->sets[i]);
    free(shared->sets);
    shared->sets = NULL;
}

const struct unit *shared_unit(const struct shared *shared, const struct shared_set *set, size_t unit)
{
    const int64_t *rows = set->rows + unit * (size_t)shared->input->n_subjects;
    int subject = 0;
    while (rows[subject] < 0)
        subject++;
    return &shared->input->subjects[subject].units[set->groups[subject]->unit[rows[subject]]];
}
