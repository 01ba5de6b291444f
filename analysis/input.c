/* SPDX-License-Identifier: MIT */
#include "input.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_read.h"
#include "memory.h"
#include "statistics.h"

#define WEIGHT_NAMES RESULTS_PROVENANCE "/weights/name"

enum { ROWS_AT_ONCE = 256 };

static const struct {
    const char *name;
    enum record_type type;
    enum record_size shape[RECORD_MAX_RANK];
} fields[N_RECORD_FIELDS] = {
#define INPUT_FIELD(id, name, type, size_0, size_1, size_2, ...) {name, type, {size_0, size_1, size_2}},
    RECORD_FIELDS(INPUT_FIELD)
#undef INPUT_FIELD
};

/* ---- Fields ------------------------------------------------------------------------------------------- */

static hid_t memory_type(enum record_type type)
{
    switch (type) {
    case RECORD_FLOAT32:
        return H5T_NATIVE_FLOAT;
    case RECORD_FLOAT64:
        return H5T_NATIVE_DOUBLE;
    case RECORD_INT32:
        return H5T_NATIVE_INT32;
    case RECORD_INT64:
        return H5T_NATIVE_INT64;
    case RECORD_UINT64:
        return H5T_NATIVE_UINT64;
    case RECORD_UINT8:
        return H5T_NATIVE_UINT8;
    case RECORD_TEXT:
        break;
    }
    return H5I_INVALID_HID;
}

static hsize_t size_of(const struct record_sizes *sizes, enum record_size size)
{
    const int64_t values[] = {
        [EXTENT_NONE] = 1,
        [EXTENT_DIMENSIONS] = sizes->dimensions,
        [EXTENT_CHANNELS] = sizes->channels,
        [EXTENT_HEIGHT] = sizes->height,
        [EXTENT_WIDTH] = sizes->width,
        [EXTENT_HISTORY] = sizes->history,
        [EXTENT_TRACE] = sizes->trace,
        [EXTENT_TRIALS] = sizes->trials,
        [EXTENT_CLASSES] = sizes->classes,
        [EXTENT_CANDIDATES] = sizes->candidates,
    };
    return (hsize_t)values[size];
}

static struct extent field_extent(const struct group *group, enum record_field_id field)
{
    struct extent extent = {2, {group->n_rows, group->n_replicates}};
    for (int i = 0; i < RECORD_MAX_RANK && fields[field].shape[i] != EXTENT_NONE; i++)
        extent.size[extent.rank++] = size_of(&group->sizes, fields[field].shape[i]);
    return extent;
}

enum status input_read(const struct group *group, enum record_field_id field, size_t first, size_t n,
                       void *buffer, struct error *error)
{
    struct extent extent = field_extent(group, field);
    return hdf5_read_rows(group->id, group->where, fields[field].name, memory_type(fields[field].type),
                          &extent, first, n, buffer, error);
}

enum status input_read_message(const struct group *group, size_t row, size_t replicate,
                               char message[RECORD_TEXT_BYTES + 1], struct error *error)
{
    const char *name = fields[FIELD_MESSAGE].name;
    const struct extent extent = field_extent(group, FIELD_MESSAGE);
    char *texts = NULL;
    enum status status;
    message[0] = '\0';
    if (!hdf5_exists(group->id, name))
        return STATUS_OK;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, RECORD_TEXT_BYTES);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    TRY_CLEANUP(memory_allocate((void **)&texts, group->n_replicates, RECORD_TEXT_BYTES, name, error));
    TRY_CLEANUP(hdf5_read_rows(group->id, group->where, name, type, &extent, row, 1, texts, error));
    snprintf(message, RECORD_TEXT_BYTES + 1, "%.*s", RECORD_TEXT_BYTES,
             texts + replicate * RECORD_TEXT_BYTES);
cleanup:
    H5Tclose(type);
    free(texts);
    return status;
}

size_t input_row_elements(const struct group *group, enum record_field_id field)
{
    struct extent extent = field_extent(group, field);
    extent.size[0] = 1;
    return extent_count(&extent);
}

/** Size of dimension `place` of a field, as the file has it; 0 for the fields of a run without trials or
 * classes, which the file leaves out. */
static enum status learn_size(const struct group *group, enum record_field_id field, int place, int64_t *size,
                              struct error *error)
{
    struct extent extent;
    if (!hdf5_exists(group->id, fields[field].name) &&
        (field == FIELD_TRIAL_ENTROPY || field == FIELD_CLASS_PROBABILITY))
        return STATUS_OK;
    TRY(hdf5_extent(group->id, group->where, fields[field].name, &extent, error));
    if (place >= extent.rank)
        return error_set(error, STATUS_BAD_INPUT, "%s/%s: has %d dimensions, expected more than %d",
                         group->where, fields[field].name, extent.rank, place);
    *size = (int64_t)extent.size[place];
    return STATUS_OK;
}

static enum status learn_sizes(struct group *group, struct error *error)
{
    const struct {
        enum record_field_id field;
        int place;
        int64_t *size;
    } sources[] = {
        {FIELD_LATENT, 2, &group->sizes.dimensions},
        {FIELD_MEI_RGB8, 2, &group->sizes.height},
        {FIELD_MEI_RGB8, 3, &group->sizes.width},
        {FIELD_MEI_RGB8, 4, &group->sizes.channels},
        {FIELD_HISTORY, 2, &group->sizes.history},
        {FIELD_TRIAL_ENTROPY, 2, &group->sizes.trials},
        {FIELD_CLASS_PROBABILITY, 2, &group->sizes.classes},
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        TRY(learn_size(group, sources[i].field, sources[i].place, sources[i].size, error));
    return STATUS_OK;
}

/* ---- What became of a row ----------------------------------------------------------------------------- */

bool input_run_done(const struct group *group, size_t row, size_t replicate)
{
    return group->status[row * group->n_replicates + replicate] == RUN_DONE;
}

static enum status summarise_activation(struct group *group, struct error *error)
{
    double *values = NULL;
    TRY(MEMORY_ALLOCATE(values, group->n_replicates, error));
    for (size_t row = 0; row < group->n_rows; row++) {
        struct unit_result *result = &group->results[row];
        *result = (struct unit_result){0, -1, NAN, NAN, NAN, NAN, -1, NAN, NAN, NAN};
        double sum = 0, best = 0;
        for (size_t replicate = 0; replicate < group->n_replicates; replicate++) {
            double value = (double)group->activation[row * group->n_replicates + replicate];
            if (!input_run_done(group, row, replicate) || !isfinite(value))
                continue;
            if (result->n_done == 0 || (group->minimise ? value < best : value > best)) {
                best = value;
                result->best_replicate = (int)replicate;
            }
            sum += value;
            values[result->n_done++] = value;
        }
        if (result->n_done > 0)
            result->activation = sum / result->n_done;
        result->variation = statistics_variation(values, (size_t)result->n_done);
    }
    free(values);
    return STATUS_OK;
}

/** Mean entropy and relative perplexity of one row. entropy: [replicate][trial]. */
static void summarise_entropy(const struct group *group, size_t row, const float *entropy)
{
    double sum = 0, perplexity = 0;
    size_t n = 0, n_trials = (size_t)group->sizes.trials;
    for (size_t replicate = 0; replicate < group->n_replicates; replicate++)
        for (size_t trial = 0; input_run_done(group, row, replicate) && trial < n_trials; trial++) {
            double value = (double)entropy[replicate * n_trials + trial];
            if (!isfinite(value))
                continue;
            sum += value;
            /* 2^H / classes with H = value log2(classes) */
            perplexity += pow((double)group->sizes.classes, value - 1);
            n++;
        }
    if (n > 0) {
        group->results[row].entropy = sum / (double)n;
        group->results[row].perplexity = perplexity / (double)n;
    }
}

/** Most probable class of the best replicate of one row. probability: [replicate][class]. */
static void summarise_class(const struct group *group, size_t row, const float *probability)
{
    struct unit_result *result = &group->results[row];
    if (result->best_replicate < 0)
        return;
    const float *classes = probability + (size_t)result->best_replicate * (size_t)group->sizes.classes;
    for (int i = 0; i < (int)group->sizes.classes; i++)
        if (isfinite(classes[i]) && (result->top_class < 0 || (double)classes[i] > result->top_probability)) {
            result->top_class = i;
            result->top_probability = (double)classes[i];
        }
}

/** Calls `summarise` with every row of a float field, a block of rows at a time. */
static enum status for_each_row(struct group *group, enum record_field_id field,
                                void (*summarise)(const struct group *, size_t, const float *),
                                struct error *error)
{
    float *block = NULL;
    size_t row_elements = input_row_elements(group, field);
    enum status status = STATUS_OK;
    if (row_elements == 0)
        return STATUS_OK;
    TRY(memory_allocate((void **)&block, row_elements, ROWS_AT_ONCE * sizeof *block, fields[field].name,
                        error));
    for (size_t first = 0; first < group->n_rows; first += ROWS_AT_ONCE) {
        size_t n = group->n_rows - first < ROWS_AT_ONCE ? group->n_rows - first : ROWS_AT_ONCE;
        TRY_CLEANUP(input_read(group, field, first, n, block, error));
        for (size_t i = 0; i < n; i++)
            summarise(group, first + i, block + i * row_elements);
    }
cleanup:
    free(block);
    return status;
}

/* ---- Groups ------------------------------------------------------------------------------------------- */

static enum status read_attributes(struct group *group, struct error *error)
{
    int64_t minimise = 0;
    double distinct = 0;
    char kind[NAME_CAPACITY], mode[NAME_CAPACITY];
    TRY(hdf5_read_text(group->id, group->where, "mode", mode, sizeof mode, error));
    TRY(hdf5_read_number(group->id, group->where, "minimise", &minimise, error));
    TRY(hdf5_read_real(group->id, group->where, "distinct", &distinct, error));
    TRY(hdf5_read_number(group->id, group->where, "latent_points", &group->latent_points, error));
    TRY(hdf5_read_text(group->id, group->where, "noise", group->noise, sizeof group->noise, error));
    TRY(hdf5_read_text(group->id, group->where, "latent_kind", kind, sizeof kind, error));
    if (strcmp(kind, "grid") != 0 && strcmp(kind, "codebook") != 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: latent_kind is '%s', expected grid or codebook",
                         group->where, kind);
    group->minimise = minimise != 0;
    group->is_chained = distinct > 0;
    group->is_shared = strcmp(mode, "shared") == 0;
    group->codebook = strcmp(kind, "codebook") == 0;
    return STATUS_OK;
}

static enum status read_units_of_rows(struct group *group, size_t n_units, struct error *error)
{
    const struct extent extent = {1, {group->n_rows}};
    TRY(MEMORY_ALLOCATE(group->unit, group->n_rows, error));
    TRY(MEMORY_ALLOCATE(group->row_of_unit, n_units, error));
    TRY(hdf5_read_rows(group->id, group->where, RESULTS_UNIT, H5T_NATIVE_INT32, &extent, 0, group->n_rows,
                       group->unit, error));
    memset(group->row_of_unit, 0xff, n_units * sizeof *group->row_of_unit);
    for (size_t row = 0; row < group->n_rows; row++) {
        int32_t unit = group->unit[row];
        if (unit < 0 || (size_t)unit >= n_units || group->row_of_unit[unit] >= 0)
            return error_set(error, STATUS_BAD_INPUT,
                             "%s/%s: row %zu names unit %d, expected each of 0..%zu at most once",
                             group->where, RESULTS_UNIT, row, unit, n_units - 1);
        group->row_of_unit[unit] = (int64_t)row;
    }
    return STATUS_OK;
}

static enum status read_runs(struct group *group, struct error *error)
{
    const struct {
        enum record_field_id field;
        void **memory;
        size_t bytes;
    } small[] = {
        {FIELD_STATUS, (void **)&group->status, sizeof *group->status},
        {FIELD_STOP_REASON, (void **)&group->stop_reason, sizeof *group->stop_reason},
        {FIELD_SILENT, (void **)&group->silent, sizeof *group->silent},
        {FIELD_SATURATED, (void **)&group->saturated, sizeof *group->saturated},
        {FIELD_ACTIVATION, (void **)&group->activation, sizeof *group->activation},
        {FIELD_QUERIES, (void **)&group->queries, sizeof *group->queries},
    };
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        TRY(memory_allocate(small[i].memory, group->n_rows * group->n_replicates, small[i].bytes,
                            fields[small[i].field].name, error));
        TRY(input_read(group, small[i].field, 0, group->n_rows, *small[i].memory, error));
    }
    return STATUS_OK;
}

static enum status read_axes(struct group *group, struct error *error)
{
    const struct extent extent = {1, {(hsize_t)group->sizes.history}};
    TRY(MEMORY_ALLOCATE(group->history_queries, extent.size[0], error));
    TRY(hdf5_read_rows(group->id, group->where, RESULTS_HISTORY_QUERIES, H5T_NATIVE_INT64, &extent, 0,
                       extent.size[0], group->history_queries, error));
    if (group->sizes.classes == 0)
        return STATUS_OK;
    return hdf5_read_texts(group->id, group->where, RESULTS_CLASS_NAME, (hsize_t)group->sizes.classes,
                           &group->class_names, error);
}

static enum status read_group(struct group *group, size_t n_units, struct error *error)
{
    struct extent extent;
    TRY(hdf5_extent(group->id, group->where, fields[FIELD_STATUS].name, &extent, error));
    if (extent.rank != 2)
        return error_set(error, STATUS_BAD_INPUT, "%s/status: has %d dimensions, expected [unit][replicate]",
                         group->where, extent.rank);
    group->n_rows = extent.size[0];
    group->n_replicates = extent.size[1];
    TRY(read_attributes(group, error));
    TRY(learn_sizes(group, error));
    TRY(read_units_of_rows(group, n_units, error));
    TRY(read_runs(group, error));
    TRY(read_axes(group, error));
    TRY(MEMORY_ALLOCATE(group->results, group->n_rows, error));
    TRY(summarise_activation(group, error));
    TRY(for_each_row(group, FIELD_TRIAL_ENTROPY, summarise_entropy, error));
    return for_each_row(group, FIELD_CLASS_PROBABILITY, summarise_class, error);
}

static void free_group(struct group *group)
{
    free(group->unit);
    free(group->row_of_unit);
    free(group->status);
    free(group->stop_reason);
    free(group->silent);
    free(group->saturated);
    free(group->activation);
    free(group->queries);
    free(group->history_queries);
    free(group->results);
    hdf5_free_texts(group->class_names, (size_t)group->sizes.classes);
    if (group->id > 0)
        H5Gclose(group->id);
}

/* ---- Units and layers --------------------------------------------------------------------------------- */

struct unit_columns {
    char **layer;
    int32_t *layer_index, *channel, *y, *x;
    uint8_t *kind;
};

static enum status read_unit_columns(hid_t id, const char *where, size_t n, struct unit_columns *columns,
                                     struct error *error)
{
    const struct extent extent = {1, {n}};
    const struct {
        const char *name;
        int32_t **values;
    } numbers[] = {{RESULTS_LAYER_INDEX, &columns->layer_index},
                   {RESULTS_CHANNEL, &columns->channel},
                   {RESULTS_Y, &columns->y},
                   {RESULTS_X, &columns->x}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        TRY(memory_allocate((void **)numbers[i].values, n, sizeof(int32_t), numbers[i].name, error));
        TRY(hdf5_read_rows(id, where, numbers[i].name, H5T_NATIVE_INT32, &extent, 0, n, *numbers[i].values,
                           error));
    }
    TRY(MEMORY_ALLOCATE(columns->kind, n, error));
    TRY(hdf5_read_rows(id, where, RESULTS_KIND, H5T_NATIVE_UINT8, &extent, 0, n, columns->kind, error));
    return hdf5_read_texts(id, where, RESULTS_LAYER, n, &columns->layer, error);
}

/** Order of layers: class outputs last, else the network's, else kinds. */
static bool comes_before(const struct layer *layer, int index, enum unit_kind kind)
{
    if ((layer->kind == UNIT_CLASS) != (kind == UNIT_CLASS))
        return kind == UNIT_CLASS;
    return layer->network_index < index || (layer->network_index == index && layer->kind < kind);
}

/** Place of the layer (index, kind) in the sorted list, which it joins if it is new. */
static enum status find_or_add_layer(struct subject *subject, size_t *capacity, const char *name, int index,
                                     enum unit_kind kind, int *place, struct error *error)
{
    for (*place = subject->n_layers; *place > 0; (*place)--) {
        struct layer *layer = &subject->layers[*place - 1];
        if (comes_before(layer, index, kind))
            break;
        if (layer->network_index == index && layer->kind == kind) {
            (*place)--;
            return STATUS_OK;
        }
    }
    TRY(memory_grow((void **)&subject->layers, capacity, (size_t)subject->n_layers, sizeof *subject->layers,
                    error));
    struct layer *layer = &subject->layers[*place];
    memmove(layer + 1, layer, (size_t)(subject->n_layers - *place) * sizeof *layer);
    *layer = (struct layer){.network_index = index, .kind = kind};
    snprintf(layer->name, sizeof layer->name, "%s", name);
    subject->n_layers++;
    return STATUS_OK;
}

/** Two passes, because a later unit may insert a layer before the layers already met. */
static enum status assign_layers(struct subject *subject, const struct unit_columns *columns,
                                 struct error *error)
{
    size_t capacity = 0;
    int place;
    for (size_t i = 0; i < subject->n_units; i++)
        TRY(find_or_add_layer(subject, &capacity, columns->layer[i], columns->layer_index[i],
                              (enum unit_kind)columns->kind[i], &place, error));
    for (size_t i = 0; i < subject->n_units; i++) {
        TRY(find_or_add_layer(subject, &capacity, columns->layer[i], columns->layer_index[i],
                              (enum unit_kind)columns->kind[i], &place, error));
        subject->units[i] = (struct unit){place, (enum unit_kind)columns->kind[i], columns->channel[i],
                                          columns->y[i], columns->x[i]};
    }
    return STATUS_OK;
}

static enum status read_units(hid_t file, const char *path, struct subject *subject, struct error *error)
{
    char name[NAME_CAPACITY + 16], where[2 * NAME_CAPACITY];
    struct unit_columns columns = {0};
    struct extent extent;
    enum status status;
    snprintf(name, sizeof name, "%s/%s", RESULTS_UNITS, subject->name);
    snprintf(where, sizeof where, "%s:%s", path, name);
    hid_t id = H5Gopen2(file, name, H5P_DEFAULT);
    if (id < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: no such group, but " RESULTS_CENSUS " has the subject",
                         where);
    TRY_CLEANUP(hdf5_extent(id, where, RESULTS_KIND, &extent, error));
    subject->n_units = extent.rank == 1 ? extent.size[0] : 0;
    TRY_CLEANUP(read_unit_columns(id, where, subject->n_units, &columns, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(subject->units, subject->n_units, error));
    for (size_t i = 0; i < subject->n_units && status == STATUS_OK; i++)
        if (columns.kind[i] > UNIT_CLASS)
            status = error_set(error, STATUS_BAD_INPUT, "%s/%s: row %zu is %d, expected 0, 1 or 2", where,
                               RESULTS_KIND, i, columns.kind[i]);
    if (status == STATUS_OK)
        status = assign_layers(subject, &columns, error);
cleanup:
    free(columns.layer_index);
    free(columns.channel);
    free(columns.y);
    free(columns.x);
    free(columns.kind);
    hdf5_free_texts(columns.layer, subject->n_units);
    H5Gclose(id);
    return status;
}

/* ---- The tree ----------------------------------------------------------------------------------------- */

/** Names of the links below a group, in order of the alphabet. *names is freed by the caller. */
static enum status list_links(hid_t group, const char *where, char (**names)[NAME_CAPACITY], int *n,
                              struct error *error)
{
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0 || info.nlinks > INT32_MAX)
        return error_set(error, STATUS_DAMAGED, "%s: cannot be listed", where);
    TRY(memory_allocate((void **)names, info.nlinks, sizeof **names, "names in a group", error));
    for (*n = 0; (hsize_t)*n < info.nlinks; (*n)++) {
        ssize_t length = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)*n, (*names)[*n],
                                            sizeof **names, H5P_DEFAULT);
        if (length < 0 || (size_t)length >= sizeof **names)
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: has a name that is unreadable or longer than %zu bytes", where,
                             sizeof **names - 1);
    }
    return STATUS_OK;
}

/** Place of `name` in a list that grows; the list keeps the order of first mention. */
static enum status place_of_name(char (**list)[NAME_CAPACITY], int *n, size_t *capacity, const char *name,
                                 int *place, struct error *error)
{
    for (*place = 0; *place < *n; (*place)++)
        if (strcmp((*list)[*place], name) == 0)
            return STATUS_OK;
    TRY(memory_grow((void **)list, capacity, (size_t)*n, sizeof **list, error));
    snprintf((*list)[(*n)++], sizeof **list, "%s", name);
    return STATUS_OK;
}

/** Capacities of the growing lists while a subject is read. */
struct subject_reader {
    const char *path;
    struct subject *subject;
    size_t generators, methods, groups;
};

static enum status add_group(struct subject_reader *reader, hid_t parent, const char *where, int generator,
                             const char *method, struct error *error)
{
    struct subject *subject = reader->subject;
    TRY(memory_grow((void **)&subject->groups, &reader->groups, (size_t)subject->n_groups,
                    sizeof *subject->groups, error));
    struct group *group = &subject->groups[subject->n_groups];
    *group = (struct group){.generator = generator};
    subject->n_groups++;
    snprintf(group->where, sizeof group->where, "%.*s/%.*s", NAME_CAPACITY, where, NAME_CAPACITY - 2, method);
    TRY(place_of_name(&subject->methods, &subject->n_methods, &reader->methods, method, &group->method,
                      error));
    group->id = H5Gopen2(parent, method, H5P_DEFAULT);
    if (group->id < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: cannot be opened as a group", group->where);
    return read_group(group, subject->n_units, error);
}

static enum status read_generator(struct subject_reader *reader, hid_t parent, const char *name,
                                  struct error *error)
{
    char where[2 * NAME_CAPACITY], (*methods)[NAME_CAPACITY] = NULL;
    int generator = 0, n_methods = 0;
    enum status status;
    snprintf(where, sizeof where, "%.*s:%s/%.80s/%.80s", NAME_CAPACITY, reader->path, RESULTS_CENSUS,
             reader->subject->name, name);
    TRY(place_of_name(&reader->subject->generators, &reader->subject->n_generators, &reader->generators, name,
                      &generator, error));
    hid_t id = H5Gopen2(parent, name, H5P_DEFAULT);
    if (id < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: cannot be opened as a group", where);
    TRY_CLEANUP(list_links(id, where, &methods, &n_methods, error));
    for (int i = 0; i < n_methods && status == STATUS_OK; i++)
        status = add_group(reader, id, where, generator, methods[i], error);
cleanup:
    free(methods);
    H5Gclose(id);
    return status;
}

/** What the MEIs reach of the most exciting dataset image. */
static void compare_with_natural(const struct subject *subject, struct group *group)
{
    for (size_t row = 0; row < group->n_rows; row++) {
        struct unit_result *result = &group->results[row];
        result->natural = natural_best(&subject->natural, (size_t)group->unit[row]);
        if (result->natural > 0 && !group->minimise)
            result->relative = result->activation / result->natural;
    }
}

static enum status read_subject(hid_t file, hid_t census, const char *path, struct subject *subject,
                                struct error *error)
{
    struct subject_reader reader = {.path = path, .subject = subject};
    char(*generators)[NAME_CAPACITY] = NULL;
    int n_generators = 0;
    enum status status;
    TRY(read_units(file, path, subject, error));
    TRY(natural_open(file, path, subject->name, subject->n_units, &subject->natural, error));
    hid_t id = H5Gopen2(census, subject->name, H5P_DEFAULT);
    if (id < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s:%s/%s: cannot be opened as a group", path,
                         RESULTS_CENSUS, subject->name);
    TRY_CLEANUP(list_links(id, path, &generators, &n_generators, error));
    for (int i = 0; i < n_generators && status == STATUS_OK; i++)
        status = read_generator(&reader, id, generators[i], error);
    for (int i = 0; i < subject->n_groups && status == STATUS_OK; i++)
        compare_with_natural(subject, &subject->groups[i]);
cleanup:
    free(generators);
    H5Gclose(id);
    return status;
}

static enum status check_format(hid_t file, const char *path, struct error *error)
{
    char format[NAME_CAPACITY];
    int64_t version = 0;
    TRY(hdf5_read_text(file, path, "format", format, sizeof format, error));
    if (strcmp(format, RESULTS_FORMAT) != 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: format is '%s', expected '%s'", path, format,
                         RESULTS_FORMAT);
    TRY(hdf5_read_number(file, path, "format_version", &version, error));
    if (version == RESULTS_FORMAT_VERSION)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: format_version is %lld, this program reads version %d; use the %s", path,
                     (long long)version, RESULTS_FORMAT_VERSION,
                     version > RESULTS_FORMAT_VERSION ? "newer program that wrote the file"
                                                      : "program version that wrote the file");
}

/** Brings names of subjects into the job's order, in which the list of weights has them; unlisted ones come
 * last. */
static enum status sort_as_listed(const struct input *input, char (*names)[NAME_CAPACITY], int n,
                                  struct error *error)
{
    static const char list[] = RESULTS_PROVENANCE "/weights";
    struct extent extent;
    char **listed = NULL, name[NAME_CAPACITY];
    int n_sorted = 0;
    if (!hdf5_exists(input->file, RESULTS_PROVENANCE) || !hdf5_exists(input->file, list))
        return STATUS_OK;
    TRY(hdf5_extent(input->file, input->path, WEIGHT_NAMES, &extent, error));
    TRY(hdf5_read_texts(input->file, input->path, WEIGHT_NAMES, extent.size[0], &listed, error));
    for (hsize_t i = 0; i < extent.size[0]; i++)
        for (int j = n_sorted; j < n; j++)
            if (strcmp(names[j], listed[i]) == 0) {
                memcpy(name, names[j], sizeof name);
                memmove(names[n_sorted + 1], names[n_sorted], (size_t)(j - n_sorted) * sizeof *names);
                memcpy(names[n_sorted++], name, sizeof name);
            }
    hdf5_free_texts(listed, extent.size[0]);
    return STATUS_OK;
}

static enum status read_subjects(struct input *input, struct error *error)
{
    char(*names)[NAME_CAPACITY] = NULL;
    enum status status;
    hid_t census = H5Gopen2(input->file, RESULTS_CENSUS, H5P_DEFAULT);
    if (census < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: has no group %s", input->path, RESULTS_CENSUS);
    TRY_CLEANUP(list_links(census, input->path, &names, &input->n_subjects, error));
    TRY_CLEANUP(sort_as_listed(input, names, input->n_subjects, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(input->subjects, (size_t)input->n_subjects, error));
    for (int i = 0; i < input->n_subjects && status == STATUS_OK; i++) {
        snprintf(input->subjects[i].name, NAME_CAPACITY, "%s", names[i]);
        status = read_subject(input->file, census, input->path, &input->subjects[i], error);
    }
cleanup:
    free(names);
    H5Gclose(census);
    return status;
}

enum status input_open(const char *path, struct input *input, struct error *error)
{
    *input = (struct input){.path = path};
    TRY(hdf5_open(path, &input->file, error));
    TRY(check_format(input->file, path, error));
    TRY(read_subjects(input, error));
    if (input->n_subjects == 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: %s is empty: there is nothing to analyse", path,
                         RESULTS_CENSUS);
    return STATUS_OK;
}

static void free_subject(struct subject *subject)
{
    for (int i = 0; i < subject->n_groups; i++)
        free_group(&subject->groups[i]);
    free(subject->groups);
    free(subject->generators);
    free(subject->methods);
    free(subject->layers);
    free(subject->units);
    natural_close(&subject->natural);
}

void input_close(struct input *input)
{
    for (int i = 0; input->subjects != NULL && i < input->n_subjects; i++)
        free_subject(&input->subjects[i]);
    free(input->subjects);
    if (input->file > 0)
        H5Fclose(input->file);
    *input = (struct input){0};
}

/* ---- Questions ---------------------------------------------------------------------------------------- */

const struct group *input_find_group(const struct subject *subject, int generator, int method)
{
    for (int i = 0; i < subject->n_groups; i++)
        if (subject->groups[i].generator == generator && subject->groups[i].method == method)
            return &subject->groups[i];
    return NULL;
}

int input_layer_of(const struct subject *subject, const struct group *group, size_t row)
{
    return subject->units[group->unit[row]].layer;
}

void input_unit_label(const struct unit *unit, char label[UNIT_LABEL_CAPACITY])
{
    if (unit->kind == UNIT_NEURON)
        snprintf(label, UNIT_LABEL_CAPACITY, "%d,%d,%d", unit->channel, unit->y, unit->x);
    else
        snprintf(label, UNIT_LABEL_CAPACITY, "%d", unit->channel);
}

void input_layer_label(const struct layer *layer, char label[NAME_CAPACITY + 16])
{
    static const char *const suffix[] = {
        [UNIT_CHANNEL] = "", [UNIT_NEURON] = " (neurons)", [UNIT_CLASS] = " outputs"};
    snprintf(label, NAME_CAPACITY + 16, "%s%s", layer->name, suffix[layer->kind]);
}
