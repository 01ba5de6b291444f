/* SPDX-License-Identifier: MIT */
/* The natural references that a job names: do they belong to its subjects, and have they its units? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "natural.h"

/** A subject of a plan, and the references that the job names for it. */
struct reference {
    const struct job_subject *named;
    const struct plan_subject *planned;
    const struct natural_table *table; /**< the whole file */
};

/* ---- messages ---- */

static void write_neuron(const struct node *neuron, FILE *out)
{
    fprintf(out, " --neuron '{");
    for (size_t i = 0; i < neuron->n_items; i++)
        fprintf(out, "%s%s: %s", i == 0 ? "" : ", ", neuron->names[i],
                neuron->items[i]->text == NULL ? "" : neuron->items[i]->text);
    fprintf(out, "}'");
}

/** The command that makes the right file. */
static enum status write_command(const struct job_subject *named, char **text, struct error *error)
{
    size_t length = 0;
    FILE *stream = open_memstream(text, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "no memory to write to");
    fprintf(stream, "meicensus natural --model %s --data DIR --output %s", named->model, named->natural);
    if (named->tensors != NULL)
        fprintf(stream, " --tensors %s", named->tensors);
    if (named->timesteps > 0)
        fprintf(stream, " --timesteps %lld", named->timesteps);
    if (named->neuron != NULL)
        write_neuron(named->neuron, stream);
    return fclose(stream) == 0 ? STATUS_OK : error_set_errno(error, STATUS_INTERNAL, "no memory to write to");
}

/** "FILE: <what>; subject 'NAME' needs <needed>; make it with `<command>`" */
static enum status refuse(const struct reference *reference, const char *what, const char *found,
                          const char *expected, struct error *error)
{
    char *command = NULL;
    enum status status = write_command(reference->named, &command, error);
    if (status == STATUS_OK)
        status =
            error_set(error, STATUS_BAD_INPUT, "%s: %s: found %s, but subject '%s' has %s; make it with `%s`",
                      reference->named->natural, what, found, reference->named->name, expected, command);
    free(command);
    return status;
}

/* ---- does it belong to the subject? ---- */

static enum status compare_texts(const struct reference *reference, const char *what, const char *found,
                                 const char *expected, struct error *error)
{
    return strcmp(found, expected) == 0 ? STATUS_OK : refuse(reference, what, found, expected, error);
}

static enum status compare_constants(const struct reference *reference, struct error *error)
{
    char *constants = NULL;
    TRY(model_constants(reference->planned->model, &constants, error));
    enum status status = compare_texts(reference, "made with other neuron constants",
                                       reference->table->origin.neuron, constants, error);
    free(constants);
    return status;
}

static enum status compare_sizes(const struct reference *reference, struct error *error)
{
    char found[64], expected[64];
    const struct natural_table *table = reference->table;
    const struct map_shape shape = model_input_shape(reference->planned->model);
    snprintf(found, sizeof found, "T = %lld", (long long)table->origin.timesteps);
    snprintf(expected, sizeof expected, "T = %d", model_timesteps(reference->planned->model));
    TRY(compare_texts(reference, "made with another number of time steps", found, expected, error));
    if (table->size[NATURAL_IMAGES] == 0)
        return STATUS_OK;
    snprintf(found, sizeof found, "%lld x %lld x %lld", (long long)table->size[NATURAL_COLOURS],
             (long long)table->size[NATURAL_ROWS], (long long)table->size[NATURAL_COLUMNS]);
    snprintf(expected, sizeof expected, "%d x %d x %d", shape.channels, shape.height, shape.width);
    return compare_texts(reference, "its images have another size", found, expected, error);
}

static enum status compare_origin(const struct reference *reference, struct error *error)
{
    const struct natural_origin *origin = &reference->table->origin;
    const struct model *model = reference->planned->model;
    TRY(compare_texts(reference, "made for other weights (SHA-256)", origin->tensors_sha256,
                      model_tensors_sha256(model), error));
    TRY(compare_texts(reference, "made for another model file (SHA-256)", origin->model_sha256,
                      model_sha256(model), error));
    TRY(compare_sizes(reference, error));
    return compare_constants(reference, error);
}

/* ---- rows of units ---- */

/** A unit as both sides name it. */
struct unit_name {
    const char *layer;
    int kind, channel;
    int64_t row;
};

static int compare_names(const void *a, const void *b)
{
    const struct unit_name *x = a, *y = b;
    const int layers = strcmp(x->layer, y->layer);
    if (layers != 0)
        return layers;
    return x->kind != y->kind ? x->kind - y->kind : (x->channel > y->channel) - (x->channel < y->channel);
}

static enum status sort_names(const struct natural_table *table, struct unit_name **names,
                              struct error *error)
{
    const size_t n = (size_t)table->size[NATURAL_UNITS];
    TRY(MEMORY_ALLOCATE(*names, n, error));
    for (size_t i = 0; i < n; i++)
        (*names)[i] = (struct unit_name){table->layer[i], table->kind[i], table->channel[i], (int64_t)i};
    qsort(*names, n, sizeof **names, compare_names);
    return STATUS_OK;
}

/** Rows of the file for the units of the plan; single neurons are left out. rows, units: [n_units], filled up
 * to *n. */
static enum status find_rows(const struct reference *reference, int64_t *rows, int32_t *units, int64_t *n,
                             struct error *error)
{
    const struct plan_subject *planned = reference->planned;
    const size_t n_names = (size_t)reference->table->size[NATURAL_UNITS];
    struct unit_name *names = NULL;
    char expected[300];
    enum status status = sort_names(reference->table, &names, error);
    *n = 0;
    for (int64_t i = 0; i < planned->n_units && status == STATUS_OK; i++) {
        const struct unit *unit = &planned->units[i];
        const bool is_class = unit->kind == UNIT_CLASS;
        const struct unit_name wanted = {is_class ? "class" : model_layer_name(planned->model, unit->layer),
                                         (int)unit->kind, unit->channel, 0};
        if (unit->kind == UNIT_NEURON)
            continue;
        const struct unit_name *found = bsearch(&wanted, names, n_names, sizeof *names, compare_names);
        snprintf(expected, sizeof expected, "%s %d of layer '%s' to search", is_class ? "class" : "channel",
                 unit->channel, wanted.layer);
        if (found == NULL) {
            status = refuse(reference, "lacks a unit", "none", expected, error);
            continue;
        }
        rows[*n] = found->row;
        units[(*n)++] = (int32_t)i;
    }
    free(names);
    return status;
}

/* ---- the part that the plan asks for ---- */

static enum status copy_origin(const struct natural_origin *from, struct natural_origin *to,
                               struct error *error)
{
    to->timesteps = from->timesteps;
    to->n_images = from->n_images;
    TRY(memory_copy_text(&to->model, from->model, error));
    TRY(memory_copy_text(&to->model_sha256, from->model_sha256, error));
    TRY(memory_copy_text(&to->tensors_sha256, from->tensors_sha256, error));
    TRY(memory_copy_text(&to->neuron, from->neuron, error));
    TRY(memory_copy_text(&to->kernels, from->kernels, error));
    TRY(memory_copy_text(&to->dataset_sha256, from->dataset_sha256, error));
    return memory_copy_text(&to->data, from->data, error);
}

/** Rows `rows` of an array with `width` elements a row. */
#define COPY_ROWS(to, from, member, width, rows, n)                                                          \
    for (int64_t i_ = 0; i_ < (n); i_++)                                                                     \
    memcpy((to)->member + i_ * (width), (from)->member + (rows)[i_] * (width),                               \
           (size_t)(width) * sizeof *(to)->member)

static void copy_rows(const struct natural_table *from, const int64_t *rows, struct natural_table *to)
{
    const int64_t n = to->size[NATURAL_UNITS], n_places = to->size[NATURAL_PLACES];
    COPY_ROWS(to, from, layer, 1, rows, n);
    COPY_ROWS(to, from, layer_index, 1, rows, n);
    COPY_ROWS(to, from, channel, 1, rows, n);
    COPY_ROWS(to, from, kind, 1, rows, n);
    COPY_ROWS(to, from, top_image, n_places, rows, n);
    COPY_ROWS(to, from, top_label, n_places, rows, n);
    COPY_ROWS(to, from, top_activation, n_places, rows, n);
    COPY_ROWS(to, from, quantile, to->size[NATURAL_PROBABILITIES], rows, n);
    COPY_ROWS(to, from, mean, 1, rows, n);
    COPY_ROWS(to, from, std, 1, rows, n);
    COPY_ROWS(to, from, class_mean, to->size[NATURAL_CLASSES], rows, n);
}

/** The images that these units name, of those that the file has. */
static enum status copy_images(const struct natural_table *from, struct natural_table *to,
                               struct error *error)
{
    const size_t n_values =
        (size_t)(to->size[NATURAL_ROWS] * to->size[NATURAL_COLUMNS] * to->size[NATURAL_COLOURS]);
    if (from->size[NATURAL_IMAGES] == 0)
        return STATUS_OK;
    TRY(natural_table_list_images(to, to->size[NATURAL_PLACES], from, error));
    for (int64_t i = 0; i < to->size[NATURAL_IMAGES]; i++)
        memcpy(to->rgb8 + (size_t)i * n_values,
               from->rgb8 + (size_t)natural_table_find_image(from, to->image[i]) * n_values, n_values);
    return STATUS_OK;
}

static enum status copy_part(const struct natural_table *from, const int64_t *rows, const int32_t *units,
                             int64_t n, struct natural_table *to, struct error *error)
{
    memcpy(to->size, from->size, sizeof to->size);
    to->size[NATURAL_UNITS] = n;
    to->size[NATURAL_IMAGES] = 0;
    TRY(copy_origin(&from->origin, &to->origin, error));
    TRY(natural_table_make(to, error));
    memcpy(to->unit, units, (size_t)n * sizeof *units);
    memcpy(to->probability, from->probability,
           (size_t)to->size[NATURAL_PROBABILITIES] * sizeof *to->probability);
    memcpy(to->class_name, from->class_name, (size_t)to->size[NATURAL_CLASSES] * sizeof *to->class_name);
    memcpy(to->class_images, from->class_images,
           (size_t)to->size[NATURAL_CLASSES] * sizeof *to->class_images);
    copy_rows(from, rows, to);
    return copy_images(from, to, error);
}

static enum status take_part(const struct reference *reference, struct natural_table *table,
                             struct error *error)
{
    int64_t *rows = NULL, n = 0;
    int32_t *units = NULL;
    enum status status;
    TRY_CLEANUP(compare_origin(reference, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(rows, (size_t)reference->planned->n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(units, (size_t)reference->planned->n_units, error));
    TRY_CLEANUP(find_rows(reference, rows, units, &n, error));
    if (n == 0)
        status =
            error_set(error, STATUS_BAD_INPUT,
                      "subject '%s': %s: the job searches single neurons only, and natural references are "
                      "about channels and classes; take 'natural' out of the job",
                      reference->named->name, reference->named->natural);
    else
        status = copy_part(reference->table, rows, units, n, table, error);
cleanup:
    free(units);
    free(rows);
    return status;
}

static enum status read_whole(const struct job_subject *named, bool with_images, struct natural_table *table,
                              struct error *error)
{
    char *command = NULL, message[ERROR_MESSAGE_CAPACITY];
    const enum status found = natural_file_read(named->natural, with_images, table, error);
    if (found != STATUS_IO)
        return found;
    TRY(write_command(named, &command, error));
    snprintf(message, sizeof message, "%.500s", error->message);
    enum status status = error_set(error, STATUS_BAD_INPUT, "subject '%s': natural: %s; make it with `%s`",
                                   named->name, message, command);
    free(command);
    return status;
}

enum status natural_of_subject(const struct plan *plan, int subject, bool with_images,
                               struct natural_table *table, struct error *error)
{
    struct natural_table whole = {0};
    const struct reference reference = {&plan->job->subjects[subject], &plan->subjects[subject], &whole};
    enum status status = read_whole(reference.named, with_images, &whole, error);
    if (status == STATUS_OK)
        status = take_part(&reference, table, error);
    natural_table_free(&whole);
    return status;
}

static void tell(const struct plan *plan, int subject, const struct natural_table *table, FILE *out)
{
    const int64_t n_left_out = plan->subjects[subject].n_units - table->size[NATURAL_UNITS];
    fprintf(out, "%s: natural references of %lld units, %lld best of %lld images each (%s)",
            plan->job->subjects[subject].name, (long long)table->size[NATURAL_UNITS],
            (long long)table->size[NATURAL_PLACES], (long long)table->origin.n_images,
            plan->job->subjects[subject].natural);
    if (n_left_out > 0)
        fprintf(out, "; %lld single neurons have none", (long long)n_left_out);
    fprintf(out, "\n");
}

enum status natural_check(const struct plan *plan, FILE *out, struct error *error)
{
    enum status status = STATUS_OK;
    for (int i = 0; i < plan->job->n_subjects && status == STATUS_OK; i++) {
        struct natural_table table = {0};
        if (plan->job->subjects[i].natural == NULL || plan->subjects[i].n_units == 0)
            continue;
        status = natural_of_subject(plan, i, /*with_images=*/false, &table, error);
        if (status == STATUS_OK && out != NULL)
            tell(plan, i, &table, out);
        natural_table_free(&table);
    }
    return status;
}
