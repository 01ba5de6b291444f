/* SPDX-License-Identifier: MIT */
#include "hdf5_arrays.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5_hl.h>

#include "files.h"
#include "hdf5_calls.h"
#include "memory.h"

/* Deflate packs 1032 to 1 at best: a dataset that claims more bytes than this times its file is no honest
 * one. */
enum { PACKING_LIMIT = 1100, CHUNK_BYTES = 1 << 20 };

/* ---- reading ---- */

struct source {
    const char *path, *dataset;
    hid_t file, id, space;
    struct error *error;
};

static enum status refuse(const struct source *source, const char *what)
{
    return error_set(source->error, STATUS_BAD_INPUT, "%s: dataset %s: %s", source->path, source->dataset,
                     what);
}

static enum status file_size(const char *path, size_t *n_bytes, struct error *error)
{
    struct stat information;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 || fstat(descriptor, &information) != 0) {
        enum status status = error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
        if (descriptor >= 0)
            close(descriptor);
        return status;
    }
    close(descriptor);
    if (!S_ISREG(information.st_mode))
        return error_set(error, STATUS_BAD_INPUT, "%s: is no regular file", path);
    *n_bytes = (size_t)information.st_size;
    return STATUS_OK;
}

static enum status read_shape(const struct source *source, struct hdf5_array *array)
{
    hsize_t shape[H5S_MAX_RANK];
    array->n_dimensions = H5Sget_simple_extent_ndims(source->space);
    if (H5Sget_simple_extent_type(source->space) != H5S_SIMPLE || array->n_dimensions < 1 ||
        array->n_dimensions > HDF5_ARRAY_MAX_RANK)
        return refuse(source, "expected an array of 1 to 8 dimensions");
    H5Sget_simple_extent_dims(source->space, shape, NULL);
    array->n_values = 1;
    for (int i = 0; i < array->n_dimensions; i++) {
        if (shape[i] == 0)
            return refuse(source, "is empty");
        if (__builtin_mul_overflow(array->n_values, shape[i], &array->n_values) ||
            array->n_values > INT64_MAX / 8)
            return refuse(source, "is larger than any file");
        array->shape[i] = (int64_t)shape[i];
    }
    return STATUS_OK;
}

static enum status check_type(const struct source *source, size_t *element_bytes)
{
    hid_t type = H5Dget_type(source->id);
    const H5T_class_t class = H5Tget_class(type);
    *element_bytes = H5Tget_size(type);
    H5Tclose(type);
    return class == H5T_INTEGER || class == H5T_FLOAT
               ? STATUS_OK
               : refuse(source, "expected integers or floating-point numbers");
}

/* Values that lie in other files, which the writer of this one may have no right to show, are not followed.
 */
static enum status check_storage(const struct source *source)
{
    hid_t creation = H5Dget_create_plist(source->id);
    const bool own = H5Pget_layout(creation) != H5D_VIRTUAL && H5Pget_external_count(creation) <= 0;
    H5Pclose(creation);
    return own ? STATUS_OK : refuse(source, "its values lie in another file");
}

static herr_t refuse_external_link(const char *parent_file, const char *parent_group, const char *child_file,
                                   const char *child_object, unsigned int *flags, hid_t access, void *context)
{
    (void)parent_file, (void)parent_group, (void)child_file, (void)child_object;
    (void)flags, (void)access, (void)context;
    return -1;
}

static hid_t open_dataset(hid_t file, const char *name)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_elink_cb(access, refuse_external_link, NULL);
    hid_t dataset = H5Dopen2(file, name, access);
    H5Pclose(access);
    return dataset;
}

static enum status read_values(const struct source *source, size_t file_bytes, void *result)
{
    struct hdf5_array *array = result;
    size_t element_bytes;
    TRY(check_type(source, &element_bytes));
    TRY(check_storage(source));
    TRY(read_shape(source, array));
    if (array->n_values / PACKING_LIMIT > file_bytes / element_bytes)
        return refuse(source, "claims more values than a file of this length can hold");
    TRY(MEMORY_ALLOCATE(array->values, array->n_values, source->error));
    if (H5Dread(source->id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->values) < 0)
        return hdf5_error(source->error, STATUS_BAD_INPUT, source->path, "a dataset cannot be read");
    return STATUS_OK;
}

static enum status open_dataset_of(struct source *source)
{
    if (H5Fis_hdf5(source->path) <= 0)
        return error_set(source->error, STATUS_BAD_INPUT, "%s: is no HDF5 file", source->path);
    source->file = hdf5_open_alone(source->path, H5F_ACC_RDONLY);
    if (source->file < 0)
        return hdf5_error(source->error, STATUS_BAD_INPUT, source->path, "cannot be opened as HDF5");
    source->id = open_dataset(source->file, source->dataset);
    if (source->id < 0)
        return refuse(source, "no such dataset");
    source->space = H5Dget_space(source->id);
    return STATUS_OK;
}

/** What opens the dataset of `source`, hands it to `take`, and closes everything again. */
typedef enum status take_dataset(const struct source *source, size_t file_bytes, void *result);

static enum status with_dataset(const char *path, const char *dataset, take_dataset *take, void *result,
                                struct error *error)
{
    struct source source = {.path = path,
                            .dataset = dataset,
                            .file = H5I_INVALID_HID,
                            .id = H5I_INVALID_HID,
                            .space = H5I_INVALID_HID,
                            .error = error};
    size_t file_bytes = 0;
    hdf5_prepare();
    TRY(file_size(path, &file_bytes, error));
    enum status status = open_dataset_of(&source);
    if (status == STATUS_OK)
        status = take(&source, file_bytes, result);
    H5Sclose(source.space);
    H5Dclose(source.id);
    H5Fclose(source.file);
    return status;
}

enum status hdf5_array_read(const char *path, const char *dataset, struct hdf5_array *array,
                            struct error *error)
{
    *array = (struct hdf5_array){.values = NULL};
    enum status status = with_dataset(path, dataset, read_values, array, error);
    if (status != STATUS_OK)
        hdf5_array_free(array);
    return status;
}

static enum status read_text(const struct source *source, size_t file_bytes, void *result)
{
    char **text = result;
    hid_t type = H5Dget_type(source->id);
    const size_t n_bytes = H5Tget_size(type);
    const bool fits = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) <= 0 &&
                      H5Sget_simple_extent_npoints(source->space) == 1 && n_bytes <= file_bytes;
    enum status status = fits ? check_storage(source) : refuse(source, "expected one text of fixed length");
    if (status == STATUS_OK)
        status = MEMORY_ALLOCATE(*text, n_bytes + 1, source->error);
    if (status == STATUS_OK && H5Dread(source->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *text) < 0)
        status = hdf5_error(source->error, STATUS_BAD_INPUT, source->path, "a text cannot be read");
    H5Tclose(type);
    return status;
}

enum status hdf5_text_read(const char *path, const char *dataset, char **text, struct error *error)
{
    *text = NULL;
    enum status status = with_dataset(path, dataset, read_text, text, error);
    if (status != STATUS_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

/** What hdf5_values_read wants, and what it gets. */
struct wanted_values {
    enum record_type type;
    int n_dimensions;
    int64_t *shape;
    void **values;
};

static enum status check_class(const struct source *source, enum record_type type, size_t *element_bytes)
{
    hid_t found = H5Dget_type(source->id), expected = hdf5_file_type(type, RECORD_TEXT_BYTES);
    const bool is_text = type == RECORD_TEXT;
    const bool fits =
        H5Tget_class(found) == H5Tget_class(expected) &&
        (!is_text || (H5Tis_variable_str(found) <= 0 && H5Tget_size(found) <= RECORD_TEXT_BYTES));
    *element_bytes = H5Tget_size(found);
    H5Tclose(expected);
    H5Tclose(found);
    return fits ? STATUS_OK : refuse(source, is_text ? "expected short texts" : "expected another type");
}

static enum status take_shape(const struct source *source, const struct wanted_values *wanted,
                              size_t *n_values)
{
    char text[96];
    struct hdf5_array array = {0};
    TRY(read_shape(source, &array));
    if (array.n_dimensions != wanted->n_dimensions) {
        snprintf(text, sizeof text, "has %d dimensions, expected %d", array.n_dimensions,
                 wanted->n_dimensions);
        return refuse(source, text);
    }
    for (int i = 0; i < array.n_dimensions; i++) {
        if (wanted->shape[i] >= 0 && wanted->shape[i] != array.shape[i]) {
            snprintf(text, sizeof text, "its dimension %d has %lld elements, expected %lld", i,
                     (long long)array.shape[i], (long long)wanted->shape[i]);
            return refuse(source, text);
        }
        wanted->shape[i] = array.shape[i];
    }
    *n_values = array.n_values;
    return STATUS_OK;
}

static enum status read_wanted(const struct source *source, size_t file_bytes, void *result)
{
    const struct wanted_values *wanted = result;
    size_t element_bytes, n_values = 0;
    TRY(check_class(source, wanted->type, &element_bytes));
    TRY(check_storage(source));
    TRY(take_shape(source, wanted, &n_values));
    if (n_values / PACKING_LIMIT > file_bytes / element_bytes)
        return refuse(source, "claims more values than a file of this length can hold");
    TRY(memory_allocate(wanted->values, n_values, record_type_bytes(wanted->type), source->dataset,
                        source->error));
    hid_t type = hdf5_memory_type(wanted->type, RECORD_TEXT_BYTES);
    const bool done = H5Dread(source->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *wanted->values) >= 0;
    hid_t complaint = hdf5_keep_complaint();
    H5Tclose(type);
    hdf5_restore_complaint(complaint);
    return done ? STATUS_OK
                : hdf5_error(source->error, STATUS_DAMAGED, source->path, "a dataset cannot be read");
}

enum status hdf5_values_read(const char *path, const char *dataset, enum record_type type, int n_dimensions,
                             int64_t *shape, void **values, struct error *error)
{
    struct wanted_values wanted = {type, n_dimensions, shape, values};
    *values = NULL;
    enum status status = with_dataset(path, dataset, read_wanted, &wanted, error);
    if (status != STATUS_OK) {
        free(*values);
        *values = NULL;
    }
    return status;
}

bool hdf5_dataset_exists(const char *path, const char *dataset)
{
    hdf5_prepare();
    hid_t file = hdf5_open_alone(path, H5F_ACC_RDONLY);
    hid_t id = file < 0 ? H5I_INVALID_HID : open_dataset(file, dataset);
    const bool exists = id >= 0;
    H5Dclose(id);
    H5Fclose(file);
    return exists;
}

/** Hands the open attribute with one value to `take`; `source->dataset` is its name, for messages. */
static enum status with_attribute(const char *path, const char *object, const char *name,
                                  enum status (*take)(hid_t attribute, void *result, struct error *error),
                                  void *result, struct error *error)
{
    size_t file_bytes = 0;
    hdf5_prepare();
    TRY(file_size(path, &file_bytes, error));
    if (H5Fis_hdf5(path) <= 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: is no HDF5 file", path);
    hid_t file = hdf5_open_alone(path, H5F_ACC_RDONLY);
    hid_t attribute =
        file < 0 ? H5I_INVALID_HID : H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = attribute < 0 ? H5I_INVALID_HID : H5Aget_space(attribute);
    enum status status = space >= 0 && H5Sget_simple_extent_npoints(space) == 1
                             ? take(attribute, result, error)
                             : STATUS_BAD_INPUT;
    if (status == STATUS_BAD_INPUT)
        error_set(error, status, "%s: attribute %s of %s is missing, or not what is expected", path, name,
                  object);
    H5Sclose(space);
    H5Aclose(attribute);
    H5Fclose(file);
    return status;
}

static enum status take_text_attribute(hid_t attribute, void *result, struct error *error)
{
    char *found = NULL;
    hid_t type = H5Aget_type(attribute), variable = H5Tcopy(H5T_C_S1);
    H5Tset_size(variable, H5T_VARIABLE);
    H5Tset_cset(variable, H5Tget_cset(type));
    const bool done = H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0 &&
                      H5Aread(attribute, variable, &found) >= 0 && found != NULL;
    const enum status status = done ? memory_copy_text(result, found, error) : STATUS_BAD_INPUT;
    H5free_memory(found);
    H5Tclose(variable);
    H5Tclose(type);
    return status;
}

static enum status take_number_attribute(hid_t attribute, void *result, struct error *error)
{
    hid_t type = H5Aget_type(attribute);
    const H5T_class_t class = H5Tget_class(type);
    H5Tclose(type);
    (void)error;
    return (class == H5T_INTEGER || class == H5T_FLOAT) && H5Aread(attribute, H5T_NATIVE_DOUBLE, result) >= 0
               ? STATUS_OK
               : STATUS_BAD_INPUT;
}

enum status hdf5_attribute_text(const char *path, const char *object, const char *name, char **text,
                                struct error *error)
{
    return with_attribute(path, object, name, take_text_attribute, text, error);
}

enum status hdf5_attribute_number(const char *path, const char *object, const char *name, double *value,
                                  struct error *error)
{
    return with_attribute(path, object, name, take_number_attribute, value, error);
}

void hdf5_array_free(struct hdf5_array *array)
{
    free(array->values);
    *array = (struct hdf5_array){.values = NULL};
}

/* ---- writing ---- */

struct hdf5_arrays {
    hid_t file;
    char *path;
    char *part; /**< NULL: the file is written in place */
};

static const char *name_of(const struct hdf5_arrays *arrays)
{
    return arrays->part == NULL ? arrays->path : arrays->part;
}

enum status hdf5_arrays_create(const char *path, struct hdf5_arrays **arrays, struct error *error)
{
    struct hdf5_arrays *made = NULL;
    enum status status;
    hdf5_prepare();
    TRY(MEMORY_ALLOCATE(made, 1, error));
    made->file = H5I_INVALID_HID;
    TRY_CLEANUP(memory_copy_text(&made->path, path, error));
    TRY_CLEANUP(file_part_name(path, &made->part, error));
    hid_t access = hdf5_access_alone();
    made->file = H5Fcreate(made->part, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t complaint = hdf5_keep_complaint();
    H5Pclose(access);
    hdf5_restore_complaint(complaint);
    if (made->file < 0)
        status = hdf5_error(error, STATUS_IO, made->part, "cannot be created");
cleanup:
    if (status == STATUS_OK)
        *arrays = made;
    else
        hdf5_arrays_discard(made);
    return status;
}

static bool write_values(hid_t dataset, enum record_type type, const void *values)
{
    hid_t memory_type = hdf5_memory_type(type, RECORD_TEXT_BYTES);
    bool done = H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    hid_t complaint = hdf5_keep_complaint();
    H5Tclose(memory_type);
    hdf5_restore_complaint(complaint);
    return done;
}

enum status hdf5_arrays_add(struct hdf5_arrays *arrays, const char *name, enum record_type type,
                            int n_dimensions, const int64_t *shape, const void *values, const char *units,
                            const char *description, struct error *error)
{
    hsize_t extents[HDF5_ARRAY_MAX_RANK], chunk[HDF5_ARRAY_MAX_RANK];
    if (n_dimensions < 1 || n_dimensions > HDF5_ARRAY_MAX_RANK)
        return error_set(error, STATUS_INTERNAL, "%s: array %s: not an array of 1 to 8 dimensions",
                         arrays->path, name);
    for (int i = 0; i < n_dimensions; i++) {
        if (shape[i] < 1)
            return error_set(error, STATUS_INTERNAL, "%s: array %s: dimension %d has %lld elements",
                             arrays->path, name, i, (long long)shape[i]);
        extents[i] = (hsize_t)shape[i];
    }
    hdf5_choose_chunk(n_dimensions, extents, record_type_bytes(type), CHUNK_BYTES, chunk);
    hid_t file_type = hdf5_file_type(type, RECORD_TEXT_BYTES);
    hid_t dataset = hdf5_create_array(arrays->file, name, file_type, n_dimensions, extents, chunk,
                                      /*compressed=*/true);
    bool done = dataset >= 0 && write_values(dataset, type, values) &&
                hdf5_set_text(dataset, "units", units) && hdf5_set_text(dataset, "description", description);
    H5Dclose(dataset);
    H5Tclose(file_type);
    return done ? STATUS_OK : hdf5_error(error, STATUS_IO, name_of(arrays), name);
}

/** The name of a member of a group, "" standing for the file. */
static void member_name(const char *group, const char *name, char path[512])
{
    snprintf(path, 512, "%s%s%s", group, group[0] == '\0' ? "" : "/", name);
}

static bool attach_dimension(hid_t file, hid_t dataset, const char *group, const char *name, int dimension)
{
    char path[512];
    member_name(group, name, path);
    hid_t scale = H5Dopen2(file, path, H5P_DEFAULT);
    const bool done = scale >= 0 && H5DSattach_scale(dataset, scale, (unsigned int)dimension) >= 0 &&
                      H5DSset_label(dataset, (unsigned int)dimension, name) >= 0;
    H5Dclose(scale);
    return done;
}

enum status hdf5_arrays_add_described(struct hdf5_arrays *arrays, const char *group,
                                      const struct hdf5_described *array, struct error *error)
{
    char path[512];
    member_name(group, array->name, path);
    TRY(hdf5_arrays_add(arrays, path, array->type, array->n_dimensions, array->shape, array->values,
                        array->units, array->description, error));
    hid_t dataset = H5Dopen2(arrays->file, path, H5P_DEFAULT);
    bool done = dataset >= 0 && hdf5_set_text(dataset, "long_name", array->long_name);
    if (strcmp(array->dimensions[0], array->name) == 0)
        done = done && H5DSset_scale(dataset, array->name) >= 0;
    else
        for (int i = 0; i < array->n_dimensions && done; i++)
            done = attach_dimension(arrays->file, dataset, group, array->dimensions[i], i);
    enum status status = done ? STATUS_OK : hdf5_error(error, STATUS_IO, name_of(arrays), path);
    H5Dclose(dataset);
    return status;
}

enum status hdf5_arrays_open(const char *path, struct hdf5_arrays **arrays, struct error *error)
{
    struct hdf5_arrays *made = NULL;
    hdf5_prepare();
    TRY(MEMORY_ALLOCATE(made, 1, error));
    enum status status = memory_copy_text(&made->path, path, error);
    made->file = status == STATUS_OK ? hdf5_open_alone(path, H5F_ACC_RDWR) : H5I_INVALID_HID;
    if (status == STATUS_OK && made->file < 0)
        status = hdf5_error(error, STATUS_IO, path, "cannot be opened again");
    if (status == STATUS_OK)
        *arrays = made;
    else
        hdf5_arrays_discard(made);
    return status;
}

enum status hdf5_arrays_close(struct hdf5_arrays *arrays, struct error *error)
{
    enum status status = STATUS_OK;
    if (H5Fclose(arrays->file) < 0)
        status = hdf5_error(error, STATUS_IO, arrays->path, "cannot be closed");
    arrays->file = H5I_INVALID_HID;
    hdf5_arrays_discard(arrays);
    return status;
}

enum status hdf5_arrays_set_text(struct hdf5_arrays *arrays, const char *object, const char *name,
                                 const char *text, struct error *error)
{
    hid_t target = H5Oopen(arrays->file, object, H5P_DEFAULT);
    bool done = target >= 0 && hdf5_set_text(target, name, text);
    enum status status = done ? STATUS_OK : hdf5_error(error, STATUS_IO, name_of(arrays), name);
    H5Oclose(target);
    return status;
}

static enum status set_number(struct hdf5_arrays *arrays, const char *object, const char *name,
                              enum record_type type, const void *value, struct error *error)
{
    hid_t target = H5Oopen(arrays->file, object, H5P_DEFAULT);
    bool done = target >= 0 && hdf5_set_numbers(target, name, type, 0, value);
    enum status status = done ? STATUS_OK : hdf5_error(error, STATUS_IO, name_of(arrays), name);
    H5Oclose(target);
    return status;
}

enum status hdf5_arrays_set_number(struct hdf5_arrays *arrays, const char *object, const char *name,
                                   double value, struct error *error)
{
    return set_number(arrays, object, name, RECORD_FLOAT64, &value, error);
}

enum status hdf5_arrays_set_integer(struct hdf5_arrays *arrays, const char *object, const char *name,
                                    int64_t value, struct error *error)
{
    return set_number(arrays, object, name, RECORD_INT64, &value, error);
}

enum status hdf5_arrays_publish(struct hdf5_arrays *arrays, struct error *error)
{
    enum status status = STATUS_OK;
    if (H5Fclose(arrays->file) < 0)
        status = hdf5_error(error, STATUS_IO, name_of(arrays), "cannot be closed");
    arrays->file = H5I_INVALID_HID;
    if (status == STATUS_OK)
        status = file_publish(arrays->part, arrays->path, error);
    hdf5_arrays_discard(arrays);
    return status;
}

void hdf5_arrays_discard(struct hdf5_arrays *arrays)
{
    if (arrays == NULL)
        return;
    H5Fclose(arrays->file);
    if (arrays->part != NULL)
        unlink(arrays->part); /* gone already once published */
    free(arrays->part);
    free(arrays->path);
    free(arrays);
}
