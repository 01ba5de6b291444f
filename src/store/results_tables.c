/* SPDX-License-Identifier: MIT */
#include "results_tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hdf5_hl.h>

#include "hdf5_calls.h"
#include "memory.h"
#include "results_array.h"

enum { VECTOR_CHUNK = 1 << 14 };

/* A file being completed. */
struct target {
    hid_t file;
    const char *path;
    struct error *error;
};

/* A column of a table whose rows are structs; RECORD_TEXT: a const char * in the row. */
struct column {
    const char *name;
    enum record_type type;
    size_t offset;
    const char *units, *long_name, *description;
};

struct table {
    const char *group;
    const struct results_scale *scale; /**< its rows */
    const struct column *columns;
    size_t n_columns;
    const void *rows;
    size_t row_bytes, n_rows;
};

static enum status fault(const struct target *target, const char *where)
{
    char what[RESULTS_PATH_CAPACITY + 32];
    snprintf(what, sizeof what, "%.*s cannot be written", RESULTS_PATH_CAPACITY, where);
    return hdf5_error(target->error, STATUS_IO, target->path, what);
}

/* ---- vectors and scales ---- */

struct vector {
    enum record_type type;
    size_t text_bytes; /**< RECORD_TEXT: of each text */
    size_t n;
    const void *values;
    const char *units, *long_name, *description;
};

static bool fill_vector(hid_t dataset, const struct vector *vector)
{
    hid_t type = hdf5_memory_type(vector->type, vector->text_bytes);
    bool written = H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, vector->values) >= 0;
    H5Tclose(type);
    return written && hdf5_describe(dataset, vector->units, vector->long_name, vector->description);
}

/* A one-dimensional dataset; is_scale: it names a dimension, else its dimension is the scale `scale_path`. */
static enum status write_vector(const struct target *target, const char *group, const char *name,
                                const struct vector *vector, const struct results_scale *scale)
{
    char path[RESULTS_PATH_CAPACITY + 64], scale_path[RESULTS_PATH_CAPACITY + 64];
    snprintf(path, sizeof path, "%.*s/%s", RESULTS_PATH_CAPACITY, group, name);
    snprintf(scale_path, sizeof scale_path, "%.*s/%s", RESULTS_PATH_CAPACITY, group, scale->name);
    const bool is_scale = strcmp(name, scale->name) == 0;
    const hsize_t extent = vector->n, chunk = extent < VECTOR_CHUNK ? extent : VECTOR_CHUNK;
    hid_t type = hdf5_file_type(vector->type, vector->text_bytes);
    hid_t dataset = hdf5_create_array(target->file, path, type, 1, &extent, &chunk, /*compressed=*/false);
    bool done = dataset >= 0 && fill_vector(dataset, vector);
    if (done && is_scale)
        done = H5DSset_scale(dataset, name) >= 0;
    if (done && !is_scale) {
        hid_t scale_dataset = H5Dopen2(target->file, scale_path, H5P_DEFAULT);
        done = scale_dataset >= 0 && H5DSattach_scale(dataset, scale_dataset, 0) >= 0 &&
               H5DSset_label(dataset, 0, scale->name) >= 0;
        H5Dclose(scale_dataset);
    }
    enum status status = done ? STATUS_OK : fault(target, path);
    H5Dclose(dataset);
    H5Tclose(type);
    return status;
}

/* The scale dataset of a dimension with given values. */
static enum status write_scale(const struct target *target, const char *group,
                               const struct results_scale *scale, enum record_type type, size_t text_bytes,
                               size_t n, const void *values)
{
    const struct vector vector = {.type = type,
                                  .text_bytes = text_bytes,
                                  .n = n,
                                  .values = values,
                                  .units = scale->units,
                                  .long_name = scale->long_name,
                                  .description = scale->description};
    return write_vector(target, group, scale->name, &vector, scale);
}

static enum status write_counting_scale(const struct target *target, const char *group,
                                        const struct results_scale *scale, int64_t first, size_t n)
{
    int64_t *wide = NULL;
    int32_t *narrow = NULL;
    enum status status;
    TRY(MEMORY_ALLOCATE(wide, n, target->error));
    TRY_CLEANUP(MEMORY_ALLOCATE(narrow, n, target->error));
    for (size_t i = 0; i < n; i++)
        narrow[i] = (int32_t)(wide[i] = first + (int64_t)i);
    /* counts of queries are 64-bit everywhere */
    if (strcmp(scale->units, "queries") == 0)
        status = write_scale(target, group, scale, RECORD_INT64, 0, n, wide);
    else
        status = write_scale(target, group, scale, RECORD_INT32, 0, n, narrow);
cleanup:
    free(narrow);
    free(wide);
    return status;
}

/* Fixed-length texts one after another, zero-padded to the longest. */
static enum status pack_texts(const char *const *texts, size_t n, char **packed, size_t *text_bytes,
                              struct error *error)
{
    *text_bytes = 1;
    for (size_t i = 0; i < n; i++)
        if (strlen(texts[i]) > *text_bytes)
            *text_bytes = strlen(texts[i]);
    TRY(memory_allocate((void **)packed, n, *text_bytes, "texts of the results file", error));
    for (size_t i = 0; i < n; i++)
        memcpy(*packed + i * *text_bytes, texts[i], strlen(texts[i]));
    return STATUS_OK;
}

/* ---- tables ---- */

static enum status column_texts(const struct table *table, const struct column *column, char **packed,
                                size_t *text_bytes, struct error *error)
{
    const char **texts = NULL;
    TRY(MEMORY_ALLOCATE(texts, table->n_rows, error));
    for (size_t i = 0; i < table->n_rows; i++)
        memcpy(&texts[i], (const char *)table->rows + i * table->row_bytes + column->offset, sizeof *texts);
    enum status status = pack_texts(texts, table->n_rows, packed, text_bytes, error);
    free(texts);
    return status;
}

static enum status column_numbers(const struct table *table, const struct column *column, char **packed,
                                  struct error *error)
{
    const size_t n_bytes = record_type_bytes(column->type);
    TRY(memory_allocate((void **)packed, table->n_rows, n_bytes, column->name, error));
    for (size_t i = 0; i < table->n_rows; i++)
        memcpy(*packed + i * n_bytes, (const char *)table->rows + i * table->row_bytes + column->offset,
               n_bytes);
    return STATUS_OK;
}

static enum status write_column(const struct target *target, const struct table *table,
                                const struct column *column)
{
    char *packed = NULL;
    struct vector vector = {.type = column->type,
                            .n = table->n_rows,
                            .units = column->units,
                            .long_name = column->long_name,
                            .description = column->description};
    if (column->type == RECORD_TEXT)
        TRY(column_texts(table, column, &packed, &vector.text_bytes, target->error));
    else
        TRY(column_numbers(table, column, &packed, target->error));
    vector.values = packed;
    enum status status = write_vector(target, table->group, column->name, &vector, table->scale);
    free(packed);
    return status;
}

static enum status write_table(const struct target *target, const struct table *table)
{
    if (table->n_rows == 0)
        return STATUS_OK;
    TRY(write_counting_scale(target, table->group, table->scale, 0, table->n_rows));
    for (size_t i = 0; i < table->n_columns; i++)
        TRY(write_column(target, table, &table->columns[i]));
    return STATUS_OK;
}

/** A column without unit: a member of struct `row`. */
#define COLUMN(row, member, type, long_name, description)                                                    \
    {                                                                                                        \
#member, type, offsetof(struct row, member), "1", long_name, description                             \
    }

static const struct column unit_columns[] = {
    COLUMN(results_unit, layer, RECORD_TEXT, "layer", "name of the layer in the subject's model file"),
    COLUMN(results_unit, layer_index, RECORD_INT32, "number of the layer", "0 is the first selectable layer"),
    COLUMN(results_unit, kind, RECORD_UINT8, "kind of unit", "0 channel, 1 single neuron, 2 class output"),
    COLUMN(results_unit, channel, RECORD_INT32, "channel", "channel in the layer, or number of the class"),
    COLUMN(results_unit, y, RECORD_INT32, "row", "row in the feature map; -1 where not meant"),
    COLUMN(results_unit, x, RECORD_INT32, "column", "column in the feature map; -1 where not meant"),
};

static const struct results_scale unit_scale = {RESULTS_UNIT, "1", "unit", "row of this table"};

static enum status write_subject(const struct target *target, const struct results_subject *subject)
{
    char path[RESULTS_PATH_CAPACITY];
    snprintf(path, sizeof path, "%s/%.400s", RESULTS_UNITS, subject->name);
    const struct table table = {.group = path,
                                .scale = &unit_scale,
                                .columns = unit_columns,
                                .n_columns = sizeof unit_columns / sizeof *unit_columns,
                                .rows = subject->units,
                                .row_bytes = sizeof *subject->units,
                                .n_rows = subject->n_units};
    TRY(write_table(target, &table));
    hid_t group = H5Gopen2(target->file, path, H5P_DEFAULT);
    bool done = group >= 0 && hdf5_set_texts(group, "layers", subject->n_layers, subject->layers) &&
                hdf5_set_text(group, "model_sha256", subject->model_sha256);
    enum status status = done ? STATUS_OK : fault(target, path);
    H5Gclose(group);
    return status;
}

/* ---- groups ---- */

static enum status write_history_scale(const struct target *target, const struct results_group *group,
                                       const char *path)
{
    int64_t queries[RECORD_HISTORY_MAX];
    int n = record_history_queries(group->sizes.budget, queries);
    if (n != group->sizes.history)
        return error_set(target->error, STATUS_INTERNAL,
                         "%s: %lld history points, expected %d for the budget", path,
                         (long long)group->sizes.history, n);
    return write_scale(target, path, results_scale_of(EXTENT_HISTORY), RECORD_INT64, 0, (size_t)n, queries);
}

static enum status write_class_scale(const struct target *target, const struct results_group *group,
                                     const char *path)
{
    char *packed = NULL;
    size_t text_bytes, n = (size_t)group->sizes.classes;
    TRY(pack_texts(group->class_names, n, &packed, &text_bytes, target->error));
    enum status status =
        write_scale(target, path, results_scale_of(EXTENT_CLASSES), RECORD_TEXT, text_bytes, n, packed);
    free(packed);
    return status;
}

static enum status write_extent_scale(const struct target *target, const struct results_group *group,
                                      const char *path, enum record_size extent)
{
    const int64_t n = record_size_value(&group->sizes, extent);
    if (n == 0 || (extent == EXTENT_TRACE && !group->include_trace))
        return STATUS_OK;
    if (extent == EXTENT_HISTORY)
        return write_history_scale(target, group, path);
    if (extent == EXTENT_CLASSES)
        return write_class_scale(target, group, path);
    return write_counting_scale(target, path, results_scale_of(extent), extent == EXTENT_TRACE ? 1 : 0,
                                (size_t)n);
}

static enum status write_run_scales(const struct target *target, const struct results_group *group,
                                    const char *path)
{
    TRY(write_scale(target, path, &results_scale_unit, RECORD_INT32, 0, group->n_units, group->unit_rows));
    return write_counting_scale(target, path, &results_scale_replicate, 0, group->n_replicates);
}

static bool set_fill_value(hid_t dataset, enum record_type type)
{
    const float none_32 = NAN;
    const double none_64 = (double)NAN;
    const int32_t none_index = -1;
    switch (type) {
    case RECORD_FLOAT32:
        return hdf5_set_numbers(dataset, "_FillValue", type, 0, &none_32);
    case RECORD_FLOAT64:
        return hdf5_set_numbers(dataset, "_FillValue", type, 0, &none_64);
    case RECORD_INT32:
        return hdf5_set_numbers(dataset, "_FillValue", type, 0, &none_index);
    default:
        return true;
    }
}

static bool attach_scales(hid_t file, hid_t dataset, const char *group, const struct results_array *array)
{
    for (int i = 0; i < array->n_dimensions; i++) {
        char path[RESULTS_PATH_CAPACITY + 64];
        snprintf(path, sizeof path, "%.*s/%s", RESULTS_PATH_CAPACITY, group, array->scales[i]->name);
        hid_t scale = H5Dopen2(file, path, H5P_DEFAULT);
        bool done = scale >= 0 && H5DSattach_scale(dataset, scale, (unsigned int)i) >= 0 &&
                    H5DSset_label(dataset, (unsigned int)i, array->scales[i]->name) >= 0;
        H5Dclose(scale);
        if (!done)
            return false;
    }
    return true;
}

static enum status describe_array(const struct target *target, const char *group,
                                  const struct results_array *array)
{
    const struct record_field *field = array->field;
    hid_t dataset = H5Dopen2(target->file, array->path, H5P_DEFAULT);
    bool done = dataset >= 0 && hdf5_describe(dataset, field->units, field->long_name, field->description) &&
                set_fill_value(dataset, field->type) && attach_scales(target->file, dataset, group, array);
    enum status status = done ? STATUS_OK : fault(target, array->path);
    H5Dclose(dataset);
    return status;
}

static bool set_group_attributes(hid_t object, const struct results_group *group)
{
    const uint8_t minimise = group->minimise;
    const size_t channels = (size_t)group->sizes.channels;
    return hdf5_set_text(object, "subject", group->subject) &&
           hdf5_set_text(object, "generator", group->generator) &&
           hdf5_set_text(object, "method", group->method) &&
           hdf5_set_text(object, "settings", group->settings) && hdf5_set_text(object, "mode", group->mode) &&
           hdf5_set_numbers(object, "budget", RECORD_INT64, 0, &group->sizes.budget) &&
           hdf5_set_numbers(object, "minimise", RECORD_UINT8, 0, &minimise) &&
           hdf5_set_text(object, "search_noise", group->search_noise) &&
           hdf5_set_numbers(object, "search_noise_scale", RECORD_FLOAT64, 0, &group->search_noise_scale) &&
           hdf5_set_numbers(object, "recheck_presentations", RECORD_INT64, 0,
                            &group->recheck_presentations) &&
           hdf5_set_numbers(object, "distinct", RECORD_FLOAT64, 0, &group->distinct) &&
           hdf5_set_numbers(object, "timesteps", RECORD_INT32, 0, &group->timesteps) &&
           hdf5_set_text(object, "noise", group->noise) &&
           hdf5_set_numbers(object, "noise_scale", RECORD_FLOAT64, 0, &group->noise_scale) &&
           hdf5_set_numbers(object, "mean", RECORD_FLOAT64, channels, group->mean) &&
           hdf5_set_numbers(object, "std", RECORD_FLOAT64, channels, group->std) &&
           hdf5_set_text(object, "how_to_read", group->how_to_read) &&
           hdf5_set_numbers(object, "latent_points", RECORD_INT32, 0, &group->latent_points) &&
           hdf5_set_text(object, "latent_kind", group->latent_kind);
}

static enum status write_group_attributes(const struct target *target, const struct results_group *group,
                                          const char *census, const char *provenance)
{
    hid_t object = H5Gopen2(target->file, census, H5P_DEFAULT);
    hid_t origin = H5Gopen2(target->file, provenance, H5P_DEFAULT);
    bool done = object >= 0 && origin >= 0 && set_group_attributes(object, group) &&
                hdf5_set_numbers(origin, "first_budget", RECORD_INT64, 0, &group->first_budget);
    enum status status = done ? STATUS_OK : fault(target, census);
    H5Gclose(origin);
    H5Gclose(object);
    return status;
}

static enum status write_group(const struct target *target, const struct results_group *group)
{
    char census[RESULTS_PATH_CAPACITY], provenance[RESULTS_PATH_CAPACITY];
    TRY(results_group_path(group, PLACE_CENSUS, census, target->error));
    TRY(results_group_path(group, PLACE_PROVENANCE, provenance, target->error));
    TRY(write_run_scales(target, group, census));
    TRY(write_run_scales(target, group, provenance));
    for (enum record_size extent = EXTENT_DIMENSIONS; extent <= EXTENT_CANDIDATES; extent++)
        TRY(write_extent_scale(target, group, census, extent));
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        struct results_array array;
        bool exists;
        TRY(results_array_make(group, (enum record_field_id)i, &array, &exists, target->error));
        if (exists)
            TRY(describe_array(target, array.field->place == PLACE_PROVENANCE ? provenance : census, &array));
    }
    return write_group_attributes(target, group, census, provenance);
}

/* ---- provenance ---- */

struct incarnation_row {
    const char *backend, *isa, *blas_core, *precision, *device, *host, *date, *program_version, *journal;
    int64_t batch, rank, pid;
};

static const struct column incarnation_columns[] = {
    COLUMN(incarnation_row, backend, RECORD_TEXT, "backend", "identity: cpu or cuda"),
    COLUMN(incarnation_row, isa, RECORD_TEXT, "instruction set", "identity: instruction set of the kernels"),
    COLUMN(incarnation_row, blas_core, RECORD_TEXT, "BLAS core", "identity: as the BLAS library names it"),
    COLUMN(incarnation_row, precision, RECORD_TEXT, "precision", "identity: precision of the arithmetic"),
    COLUMN(incarnation_row, device, RECORD_TEXT, "device", "identity: model of the device; empty on a CPU"),
    COLUMN(incarnation_row, batch, RECORD_INT64, "batch", "identity: images a call on a device; 0 on a CPU"),
    COLUMN(incarnation_row, host, RECORD_TEXT, "host", "name of the machine"),
    COLUMN(incarnation_row, rank, RECORD_INT64, "rank", "MPI rank"),
    COLUMN(incarnation_row, pid, RECORD_INT64, "process", "process number on the machine"),
    COLUMN(incarnation_row, date, RECORD_TEXT, "start", "start of the process, UTC"),
    COLUMN(incarnation_row, program_version, RECORD_TEXT, "program version",
           "version of the program that ran"),
    COLUMN(incarnation_row, journal, RECORD_TEXT, "journal", "file that held its records"),
};

static struct incarnation_row incarnation_row(const struct results_incarnation *entry)
{
    const struct journal_incarnation *incarnation = entry->incarnation;
    return (struct incarnation_row){.backend = incarnation->identity.backend,
                                    .isa = incarnation->identity.isa,
                                    .blas_core = incarnation->identity.blas_core,
                                    .precision = incarnation->identity.precision,
                                    .device = incarnation->identity.device,
                                    .batch = incarnation->identity.batch,
                                    .host = incarnation->host,
                                    .rank = incarnation->rank,
                                    .pid = incarnation->pid,
                                    .date = incarnation->date,
                                    .program_version = incarnation->program_version,
                                    .journal = entry->journal};
}

static enum status write_incarnations(const struct target *target,
                                      const struct results_description *description)
{
    static const struct results_scale scale = {"incarnation", "1", "process", "row of this table"};
    struct incarnation_row *rows = NULL;
    TRY(MEMORY_ALLOCATE(rows, description->n_incarnations, target->error));
    for (size_t i = 0; i < description->n_incarnations; i++)
        rows[i] = incarnation_row(&description->incarnations[i]);
    const struct table table = {.group = RESULTS_PROVENANCE "/incarnations",
                                .scale = &scale,
                                .columns = incarnation_columns,
                                .n_columns = sizeof incarnation_columns / sizeof *incarnation_columns,
                                .rows = rows,
                                .row_bytes = sizeof *rows,
                                .n_rows = description->n_incarnations};
    enum status status = write_table(target, &table);
    free(rows);
    return status;
}

static enum status write_weights(const struct target *target, const struct results_description *description)
{
    static const struct results_scale scale = {"file", "1", "file", "row of this table"};
    static const struct column columns[] = {
        {"name", RECORD_TEXT, offsetof(struct results_weight, name), "1", "name", "subject or generator"},
        {"path", RECORD_TEXT, offsetof(struct results_weight, path), "1", "path", "model or tensor file"},
        {"sha256", RECORD_TEXT, offsetof(struct results_weight, sha256), "1", "SHA-256",
         "of the file's content"},
    };
    const struct table table = {.group = RESULTS_PROVENANCE "/weights",
                                .scale = &scale,
                                .columns = columns,
                                .n_columns = sizeof columns / sizeof *columns,
                                .rows = description->weights,
                                .row_bytes = sizeof *description->weights,
                                .n_rows = description->n_weights};
    return write_table(target, &table);
}

static enum status write_naturals(const struct target *target, const struct results_description *description)
{
    static const struct results_scale scale = {"reference", "1", "natural references", "row of this table"};
    static const struct column columns[] = {
        COLUMN(results_natural, subject, RECORD_TEXT, "subject", "name of the subject"),
        COLUMN(results_natural, file, RECORD_TEXT, "file", "path of the natural references"),
        COLUMN(results_natural, sha256, RECORD_TEXT, "SHA-256", "of the file's content"),
        COLUMN(results_natural, data, RECORD_TEXT, "dataset", "where its images were"),
    };
    const struct table table = {.group = RESULTS_PROVENANCE "/natural",
                                .scale = &scale,
                                .columns = columns,
                                .n_columns = sizeof columns / sizeof *columns,
                                .rows = description->naturals,
                                .row_bytes = sizeof *description->naturals,
                                .n_rows = description->n_naturals};
    return write_table(target, &table);
}

/* A whole text as a scalar dataset: it has no dimension, hence no chunks; the seal covers it. */
static enum status write_text(const struct target *target, const char *path, const char *text,
                              const char *long_name, const char *about)
{
    const size_t n_bytes = strlen(text);
    hid_t type = hdf5_file_type(RECORD_TEXT, n_bytes > 0 ? n_bytes : 1);
    hid_t space = H5Screate(H5S_SCALAR), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, false);
    hid_t dataset = H5Dcreate2(target->file, path, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    bool done = dataset >= 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0 &&
                hdf5_describe(dataset, "1", long_name, about);
    enum status status = done ? STATUS_OK : fault(target, path);
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static bool set_provenance_attributes(hid_t object, const struct results_description *description,
                                      const struct results_circumstances *circumstances)
{
    char library[MPI_MAX_LIBRARY_VERSION_STRING] = "", version[HDF5_VERSION_CAPACITY];
    int length;
    MPI_Get_library_version(library, &length);
    library[strcspn(library, "\n")] = '\0';
    hdf5_version(version);
    return hdf5_set_text(object, "program_version", description->program_version) &&
           hdf5_set_text(object, "code_revision", description->code_revision) &&
           hdf5_set_text(object, "compiler", description->compiler) &&
           hdf5_set_text(object, "flags", description->flags) &&
           hdf5_set_text(object, "mpi_library", library) &&
           hdf5_set_text(object, "mpi_io", circumstances->mpi_io) &&
           hdf5_set_text(object, "hdf5_version", version) &&
           hdf5_set_numbers(object, "ranks", RECORD_INT32, 0, &circumstances->ranks) &&
           hdf5_set_text(object, "date", description->date) &&
           hdf5_set_numbers(object, "duplicate_records", RECORD_INT64, 0, &description->duplicate_records);
}

static enum status write_provenance(const struct target *target,
                                    const struct results_description *description,
                                    const struct results_circumstances *circumstances)
{
    TRY(write_text(target, RESULTS_PROVENANCE "/job", description->job, "job file", "as it was given"));
    TRY(write_text(target, RESULTS_PROVENANCE "/settings", description->settings, "settings in use",
                   "the job with all defaults filled in"));
    TRY(write_incarnations(target, description));
    TRY(write_weights(target, description));
    TRY(write_naturals(target, description));
    hid_t object = H5Gopen2(target->file, RESULTS_PROVENANCE, H5P_DEFAULT);
    bool done = object >= 0 && set_provenance_attributes(object, description, circumstances);
    enum status status = done ? STATUS_OK : fault(target, RESULTS_PROVENANCE);
    H5Gclose(object);
    return status;
}

static enum status write_root(const struct target *target, const struct results_description *description,
                              const struct results_circumstances *circumstances)
{
    const int32_t format_version = RESULTS_FORMAT_VERSION;
    const uint8_t complete = circumstances->complete;
    bool done = hdf5_set_text(target->file, "format", RESULTS_FORMAT) &&
                hdf5_set_numbers(target->file, "format_version", RECORD_INT32, 0, &format_version) &&
                hdf5_set_text(target->file, "Conventions", "CF-1.10") &&
                hdf5_set_text(target->file, "title", description->title) &&
                hdf5_set_text(target->file, "source", description->source) &&
                hdf5_set_numbers(target->file, "complete", RECORD_UINT8, 0, &complete);
    return done ? STATUS_OK : fault(target, "/");
}

static enum status write_everything(const struct target *target,
                                    const struct results_description *description,
                                    const struct results_circumstances *circumstances)
{
    TRY(write_root(target, description, circumstances));
    for (size_t i = 0; i < description->n_subjects; i++)
        TRY(write_subject(target, &description->subjects[i]));
    for (size_t i = 0; i < description->n_groups; i++)
        TRY(write_group(target, &description->groups[i]));
    return write_provenance(target, description, circumstances);
}

enum status results_tables_write(const char *path, const struct results_description *description,
                                 const struct results_circumstances *circumstances, struct error *error)
{
    struct target target = {.file = hdf5_open_alone(path, H5F_ACC_RDWR), .path = path, .error = error};
    if (target.file < 0)
        return hdf5_error(error, STATUS_IO, path, "cannot be opened again");
    enum status status = write_everything(&target, description, circumstances);
    if (H5Fclose(target.file) < 0 && status == STATUS_OK)
        status = hdf5_error(error, STATUS_IO, path, "cannot be closed");
    return status;
}
