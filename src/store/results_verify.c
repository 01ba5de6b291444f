/* SPDX-License-Identifier: MIT */
#include "results_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_calls.h"
#include "memory.h"
#include "results_array.h"
#include "results_seal.h"

enum { READ_BYTES = 1 << 25, NAME_CAPACITY = 256 };

struct check {
    const char *path;
    hid_t file;
    struct results_summary *summary;
    struct error *error;
};

static enum status damaged(const struct check *check, const char *where, const char *what)
{
    return error_set(check->error, STATUS_DAMAGED, "%s: %s: %s; gather it again", check->path, where, what);
}

/* ---- every dataset can be read: its Fletcher-32 checksums match ---- */

static bool read_in_parts(hid_t dataset, hid_t type, hid_t space, void *buffer, size_t row_bytes)
{
    hsize_t shape[H5S_MAX_RANK], start[H5S_MAX_RANK] = {0};
    int n_dimensions = H5Sget_simple_extent_dims(space, shape, NULL);
    const hsize_t n_rows = shape[0], rows_a_part = READ_BYTES > row_bytes ? READ_BYTES / row_bytes : 1;
    bool done = true;
    for (start[0] = 0; start[0] < n_rows && done; start[0] += rows_a_part) {
        shape[0] = rows_a_part < n_rows - start[0] ? rows_a_part : n_rows - start[0];
        hid_t memory = H5Screate_simple(n_dimensions, shape, NULL);
        done = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, shape, NULL) >= 0 &&
               H5Dread(dataset, type, memory, space, H5P_DEFAULT, buffer) >= 0;
        H5Sclose(memory);
    }
    return done;
}

static enum status read_dataset(const struct check *check, hid_t dataset, const char *name)
{
    hid_t type = H5Dget_type(dataset), space = H5Dget_space(dataset);
    hsize_t shape[H5S_MAX_RANK] = {1};
    const int n_dimensions = H5Sget_simple_extent_dims(space, shape, NULL);
    const hssize_t n_elements = H5Sget_simple_extent_npoints(space);
    const hsize_t rows = n_dimensions > 0 && shape[0] > 0 ? shape[0] : 1;
    const size_t row_bytes = n_elements <= 0 ? 1 : (size_t)((hsize_t)n_elements / rows) * H5Tget_size(type);
    const size_t parts = row_bytes < READ_BYTES ? READ_BYTES / row_bytes : 1;
    void *buffer = NULL;
    enum status status = memory_allocate(&buffer, parts < rows ? parts : rows, row_bytes, name, check->error);
    if (status == STATUS_OK) {
        bool done = n_dimensions == 0
                        ? H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) >= 0
                        : n_dimensions > 0 && read_in_parts(dataset, type, space, buffer, row_bytes);
        if (!done)
            status = damaged(check, name, "cannot be read (checksum)");
    }
    free(buffer);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *information, void *context)
{
    struct check *check = context;
    if (information->type != H5O_TYPE_DATASET)
        return 0;
    hid_t dataset = H5Dopen2(root, name, H5P_DEFAULT);
    enum status status =
        dataset < 0 ? damaged(check, name, "cannot be opened") : read_dataset(check, dataset, name);
    H5Dclose(dataset);
    check->summary->n_datasets++;
    return status == STATUS_OK ? 0 : -1;
}

static enum status read_all_datasets(struct check *check)
{
    if (H5Ovisit2(check->file, H5_INDEX_NAME, H5_ITER_INC, visit_object, check, H5O_INFO_BASIC) >= 0)
        return STATUS_OK;
    return check->error->status != STATUS_OK ? check->error->status
                                             : damaged(check, "/", "its groups cannot be read");
}

/* ---- attributes ---- */

static bool get_number(hid_t object, const char *name, int64_t *number)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    bool done = attribute >= 0 && H5Tget_class(type) == H5T_INTEGER &&
                H5Sget_simple_extent_npoints(space) == 1 && H5Aread(attribute, H5T_NATIVE_INT64, number) >= 0;
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return done;
}

static bool text_is(hid_t object, const char *name, const char *expected)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    char *text = NULL;
    bool same = attribute >= 0 && H5Tis_variable_str(type) > 0 && H5Sget_simple_extent_npoints(space) == 1 &&
                H5Aread(attribute, type, &text) >= 0 && text != NULL && strcmp(text, expected) == 0;
    H5free_memory(text);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return same;
}

static enum status check_format(const struct check *check, bool *complete)
{
    int64_t format_version, is_complete;
    if (!text_is(check->file, "format", RESULTS_FORMAT))
        return error_set(check->error, STATUS_BAD_INPUT, "%s: attribute format is not \"%s\"", check->path,
                         RESULTS_FORMAT);
    if (!get_number(check->file, "format_version", &format_version) ||
        format_version != RESULTS_FORMAT_VERSION)
        return error_set(check->error, STATUS_BAD_INPUT, "%s: this program reads format_version %d only",
                         check->path, RESULTS_FORMAT_VERSION);
    if (!get_number(check->file, "complete", &is_complete))
        return damaged(check, "/", "attribute complete is missing");
    *complete = is_complete != 0;
    return STATUS_OK;
}

/* ---- groups against the record table ---- */

/* Shape of a dataset: number of dimensions, -1 if it is not there. */
static int get_shape(hid_t file, const char *path, hsize_t shape[H5S_MAX_RANK])
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT);
    hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
    int n_dimensions = space >= 0 ? H5Sget_simple_extent_dims(space, shape, NULL) : -1;
    H5Sclose(space);
    H5Dclose(dataset);
    return n_dimensions;
}

static hsize_t scale_length(hid_t file, const char *group, const struct results_scale *scale)
{
    char path[2 * RESULTS_PATH_CAPACITY];
    hsize_t shape[H5S_MAX_RANK];
    snprintf(path, sizeof path, "%.*s/%s", RESULTS_PATH_CAPACITY, group, scale->name);
    return get_shape(file, path, shape) == 1 ? shape[0] : 0;
}

static enum status read_group_sizes(const struct check *check, const char *path, struct results_group *group)
{
    struct record_sizes *sizes = &group->sizes;
    const struct {
        enum record_size extent;
        int64_t *size;
    } extents[] = {{EXTENT_DIMENSIONS, &sizes->dimensions}, {EXTENT_CHANNELS, &sizes->channels},
                   {EXTENT_HEIGHT, &sizes->height},         {EXTENT_WIDTH, &sizes->width},
                   {EXTENT_HISTORY, &sizes->history},       {EXTENT_TRIALS, &sizes->trials},
                   {EXTENT_CLASSES, &sizes->classes},       {EXTENT_CANDIDATES, &sizes->candidates}};
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++)
        *extents[i].size = (int64_t)scale_length(check->file, path, results_scale_of(extents[i].extent));
    group->n_units = scale_length(check->file, path, &results_scale_unit);
    group->n_replicates = scale_length(check->file, path, &results_scale_replicate);
    group->include_trace = scale_length(check->file, path, results_scale_of(EXTENT_TRACE)) > 0;
    hid_t object = H5Gopen2(check->file, path, H5P_DEFAULT);
    bool done = get_number(object, "budget", &sizes->budget);
    H5Gclose(object);
    sizes->trace = group->include_trace ? sizes->budget : 0;
    return done && group->n_units > 0 && group->n_replicates > 0 && sizes->budget >= 0
               ? STATUS_OK
               : damaged(check, path, "budget, unit or replicate is missing");
}

static bool type_is(hid_t file, const char *path, enum record_type type)
{
    hid_t dataset = H5Dopen2(file, path, H5P_DEFAULT), found = H5Dget_type(dataset);
    hid_t expected = hdf5_file_type(type, RECORD_TEXT_BYTES);
    bool same = found >= 0 && H5Tequal(found, expected) > 0;
    H5Tclose(expected);
    H5Tclose(found);
    H5Dclose(dataset);
    return same;
}

static enum status check_array(const struct check *check, const struct results_array *array)
{
    hsize_t shape[H5S_MAX_RANK];
    const int n_dimensions = get_shape(check->file, array->path, shape);
    if (n_dimensions < 0)
        return damaged(check, array->path, "is missing");
    if (n_dimensions != array->n_dimensions ||
        memcmp(shape, array->shape, (size_t)n_dimensions * sizeof *shape) != 0)
        return damaged(check, array->path, "its shape does not fit the dimensions of the group");
    if (!type_is(check->file, array->path, array->field->type))
        return damaged(check, array->path, "its type is not that of the field");
    return STATUS_OK;
}

static enum status count_runs(const struct check *check, const struct results_array *array)
{
    uint8_t *runs = NULL;
    const size_t n_runs = (size_t)(array->shape[0] * array->shape[1]);
    TRY(MEMORY_ALLOCATE(runs, n_runs, check->error));
    enum status status = STATUS_OK;
    hid_t dataset = H5Dopen2(check->file, array->path, H5P_DEFAULT);
    if (H5Dread(dataset, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, runs) < 0)
        status = damaged(check, array->path, "cannot be read");
    for (size_t i = 0; i < n_runs && status == STATUS_OK; i++) {
        check->summary->n_missing += runs[i] == RUN_MISSING;
        check->summary->n_done += runs[i] == RUN_DONE;
        check->summary->n_failed += runs[i] == RUN_FAILED;
        if (runs[i] > RUN_FAILED)
            status = damaged(check, array->path, "a value that is no status");
    }
    H5Dclose(dataset);
    free(runs);
    return status;
}

/* `unit` of a group names rows of the subject's table, and nothing else. */
static enum status check_unit_rows(const struct check *check, const char *path, const char *subject,
                                   size_t n_rows)
{
    char units[2 * RESULTS_PATH_CAPACITY], rows_path[2 * RESULTS_PATH_CAPACITY];
    int32_t *rows = NULL;
    snprintf(units, sizeof units, "%s/%s", RESULTS_UNITS, subject);
    snprintf(rows_path, sizeof rows_path, "%s/%s", path, RESULTS_UNIT);
    const hsize_t n_units = scale_length(check->file, units, &results_scale_unit);
    TRY(MEMORY_ALLOCATE(rows, n_rows, check->error));
    hid_t dataset = H5Dopen2(check->file, rows_path, H5P_DEFAULT);
    bool done = H5Dread(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows) >= 0;
    for (size_t i = 0; i < n_rows && done; i++)
        done = rows[i] >= 0 && (hsize_t)rows[i] < n_units;
    H5Dclose(dataset);
    free(rows);
    return done ? STATUS_OK
                : damaged(check, rows_path, "names a unit that the subject's table does not have");
}

static enum status check_group(const struct check *check, struct results_group *group)
{
    char path[RESULTS_PATH_CAPACITY];
    TRY(results_group_path(group, PLACE_CENSUS, path, check->error));
    TRY(read_group_sizes(check, path, group));
    TRY(check_unit_rows(check, path, group->subject, group->n_units));
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        struct results_array array;
        bool exists;
        TRY(results_array_make(group, (enum record_field_id)i, &array, &exists, check->error));
        if (exists)
            TRY(check_array(check, &array));
        if (i == FIELD_STATUS)
            TRY(count_runs(check, &array));
    }
    check->summary->n_groups++;
    return STATUS_OK;
}

/* ---- the three levels subject, generator, method ---- */

static enum status count_members(const struct check *check, const char *path, hsize_t *n_members)
{
    H5G_info_t information;
    if (H5Gget_info_by_name(check->file, path, &information, H5P_DEFAULT) < 0)
        return damaged(check, path, "is no group");
    *n_members = information.nlinks;
    return STATUS_OK;
}

static enum status member_name(const struct check *check, const char *path, hsize_t i,
                               char name[NAME_CAPACITY])
{
    ssize_t length = H5Lget_name_by_idx(check->file, path, H5_INDEX_NAME, H5_ITER_INC, i, name, NAME_CAPACITY,
                                        H5P_DEFAULT);
    return length > 0 && length < NAME_CAPACITY ? STATUS_OK : damaged(check, path, "a name cannot be read");
}

/* depth 0: /census; names[0..depth) are known. */
static enum status check_level(const struct check *check, const char *path, int depth,
                               char names[3][NAME_CAPACITY])
{
    hsize_t n_members = 0;
    if (depth == 3) {
        struct results_group group = {.subject = names[0], .generator = names[1], .method = names[2]};
        return check_group(check, &group);
    }
    TRY(count_members(check, path, &n_members));
    for (hsize_t i = 0; i < n_members; i++) {
        char below[RESULTS_PATH_CAPACITY];
        TRY(member_name(check, path, i, names[depth]));
        if (snprintf(below, sizeof below, "%s/%s", path, names[depth]) >= (int)sizeof below)
            return damaged(check, path, "a name is too long");
        TRY(check_level(check, below, depth + 1, names));
    }
    return STATUS_OK;
}

/* ---- natural references ---- */

static enum status check_natural(const struct check *check, const char *path, const char *subject)
{
    char best[2 * RESULTS_PATH_CAPACITY];
    hsize_t shape[H5S_MAX_RANK];
    const size_t n_units = scale_length(check->file, path, &results_scale_unit);
    if (n_units == 0)
        return damaged(check, path, "its units are missing");
    snprintf(best, sizeof best, "%s/%s", path, NATURAL_TOP_ACTIVATION);
    if (get_shape(check->file, best, shape) != 2 || shape[0] != n_units)
        return damaged(check, best, "its shape does not fit the units of the group");
    return check_unit_rows(check, path, subject, n_units);
}

/* A results file need not have any. */
static enum status check_naturals(const struct check *check)
{
    hsize_t n_members = 0;
    if (H5Lexists(check->file, RESULTS_NATURAL, H5P_DEFAULT) <= 0)
        return STATUS_OK;
    TRY(count_members(check, RESULTS_NATURAL, &n_members));
    for (hsize_t i = 0; i < n_members; i++) {
        char path[RESULTS_PATH_CAPACITY], name[NAME_CAPACITY];
        TRY(member_name(check, RESULTS_NATURAL, i, name));
        snprintf(path, sizeof path, "%s/%s", RESULTS_NATURAL, name);
        TRY(check_natural(check, path, name));
    }
    return STATUS_OK;
}

static enum status check_content(struct check *check)
{
    char names[3][NAME_CAPACITY];
    bool complete = false;
    TRY(check_format(check, &complete));
    TRY(read_all_datasets(check));
    TRY(check_level(check, RESULTS_CENSUS, 0, names));
    TRY(check_naturals(check));
    if (complete != (check->summary->n_missing == 0))
        return damaged(check, "/", "attribute complete contradicts the runs");
    return STATUS_OK;
}

enum status results_file_verify(const char *path, struct results_summary *summary, struct error *error)
{
    struct results_summary own_summary = {.n_groups = 0};
    hdf5_prepare();
    *error = (struct error){.status = STATUS_OK};
    struct check check = {.path = path, .summary = summary != NULL ? summary : &own_summary, .error = error};
    *check.summary = (struct results_summary){.n_groups = 0};
    TRY(results_seal_check(path, error));
    check.file = hdf5_open_alone(path, H5F_ACC_RDONLY);
    if (check.file < 0)
        return hdf5_error(error, STATUS_DAMAGED, path, "cannot be opened as HDF5");
    enum status status = check_content(&check);
    H5Fclose(check.file);
    return status;
}
