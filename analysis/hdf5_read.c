/* SPDX-License-Identifier: MIT */
#include "hdf5_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

enum { TEXT_LIMIT = 4096 }; /**< bytes of one fixed-length text */

size_t extent_count(const struct extent *extent)
{
    size_t count = 1;
    for (int i = 0; i < extent->rank; i++)
        if (__builtin_mul_overflow(count, extent->size[i], &count))
            return SIZE_MAX; /* which no allocation grants */
    return count;
}

enum status hdf5_open(const char *path, hid_t *file, struct error *error)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    int descriptor = open(path, O_RDONLY);
    if (descriptor < 0 || close(descriptor) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    if (H5Fis_hdf5(path) <= 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: is not an HDF5 file; give the results file that 'meicensus gather' wrote",
                         path);
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file < 0)
        return error_set(
            error, STATUS_DAMAGED,
            "%s: begins as HDF5 but cannot be opened: it is cut off or damaged; gather it again, or "
            "copy it again",
            path);
    return STATUS_OK;
}

bool hdf5_exists(hid_t location, const char *name)
{
    return H5Lexists(location, name, H5P_DEFAULT) > 0;
}

static enum status open_dataset(hid_t location, const char *where, const char *name, hid_t *dataset,
                                struct error *error)
{
    *dataset = H5Dopen2(location, name, H5P_DEFAULT);
    if (*dataset < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s/%s: no such dataset in the results file", where, name);
    return STATUS_OK;
}

static enum status dataset_extent(hid_t dataset, const char *where, const char *name, struct extent *extent,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    hid_t space = H5Dget_space(dataset);
    int rank = H5Sget_simple_extent_ndims(space);
    *extent = (struct extent){0};
    if (rank < 0 || rank > HDF5_MAX_RANK)
        status = error_set(error, STATUS_BAD_INPUT, "%s/%s: has %d dimensions, expected at most %d", where,
                           name, rank, HDF5_MAX_RANK);
    else
        extent->rank = H5Sget_simple_extent_dims(space, extent->size, NULL);
    H5Sclose(space);
    return status;
}

enum status hdf5_extent(hid_t location, const char *where, const char *name, struct extent *extent,
                        struct error *error)
{
    hid_t dataset;
    TRY(open_dataset(location, where, name, &dataset, error));
    enum status status = dataset_extent(dataset, where, name, extent, error);
    H5Dclose(dataset);
    return status;
}

/** HDF5 itself counts the elements of a selection without a look at overflow, and would read none of them. */
static enum status check_extent(const struct extent *expected, const struct extent *found, const char *where,
                                const char *name, struct error *error)
{
    if (found->rank != expected->rank)
        return error_set(error, STATUS_BAD_INPUT, "%s/%s: has %d dimensions, expected %d", where, name,
                         found->rank, expected->rank);
    for (int i = 0; i < found->rank; i++)
        if (found->size[i] != expected->size[i])
            return error_set(error, STATUS_BAD_INPUT, "%s/%s: dimension %d has %llu elements, expected %llu",
                             where, name, i, (unsigned long long)found->size[i],
                             (unsigned long long)expected->size[i]);
    if (extent_count(found) == SIZE_MAX)
        return error_set(error, STATUS_BAD_INPUT, "%s/%s: has more elements than can be counted", where,
                         name);
    return STATUS_OK;
}

static enum status read_selection(hid_t dataset, hid_t memory_type, const struct extent *expected,
                                  hsize_t first, hsize_t n, void *buffer)
{
    hsize_t start[HDF5_MAX_RANK] = {first}, count[HDF5_MAX_RANK];
    memcpy(count, expected->size, sizeof count);
    count[0] = n;
    hid_t file_space = H5Dget_space(dataset), memory_space = H5Screate_simple(expected->rank, count, NULL);
    herr_t failed = H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL);
    if (failed >= 0)
        failed = H5Dread(dataset, memory_type, memory_space, file_space, H5P_DEFAULT, buffer);
    H5Sclose(memory_space);
    H5Sclose(file_space);
    return failed < 0 ? STATUS_DAMAGED : STATUS_OK;
}

enum status hdf5_read_rows(hid_t location, const char *where, const char *name, hid_t memory_type,
                           const struct extent *expected, hsize_t first, hsize_t n, void *buffer,
                           struct error *error)
{
    hid_t dataset;
    struct extent found;
    enum status status;
    TRY(open_dataset(location, where, name, &dataset, error));
    TRY_CLEANUP(dataset_extent(dataset, where, name, &found, error));
    TRY_CLEANUP(check_extent(expected, &found, where, name, error));
    if (n > 0 && extent_count(expected) > 0 &&
        read_selection(dataset, memory_type, expected, first, n, buffer) != STATUS_OK)
        status = error_set(
            error, STATUS_DAMAGED,
            "%s/%s: cannot be read: a checksum does not match, or the file is cut off or of another "
            "type",
            where, name);
cleanup:
    H5Dclose(dataset);
    return status;
}

/** Memory type for texts of `dataset`: as stored, so that the character set agrees. */
static enum status text_type(hid_t dataset, const char *where, const char *name, hid_t *type, size_t *bytes,
                             struct error *error)
{
    *type = H5Dget_type(dataset);
    *bytes = H5Tis_variable_str(*type) > 0 ? 0 : H5Tget_size(*type);
    if (H5Tget_class(*type) == H5T_STRING && *bytes <= TEXT_LIMIT)
        return STATUS_OK;
    H5Tclose(*type);
    return error_set(error, STATUS_BAD_INPUT, "%s/%s: expected texts of at most %d bytes", where, name,
                     TEXT_LIMIT);
}

static enum status copy_fixed_texts(const char *packed, size_t bytes, size_t n, char **texts,
                                    struct error *error)
{
    char text[TEXT_LIMIT + 1];
    for (size_t i = 0; i < n; i++) {
        memcpy(text, packed + i * bytes, bytes);
        text[bytes] = '\0';
        for (size_t end = strlen(text); end > 0 && text[end - 1] == ' '; end--)
            text[end - 1] = '\0'; /* Fortran-style padding */
        TRY(memory_copy_text(&texts[i], text, error));
    }
    return STATUS_OK;
}

static enum status copy_variable_texts(char **stored, size_t n, char **texts, struct error *error)
{
    for (size_t i = 0; i < n; i++)
        TRY(memory_copy_text(&texts[i], stored[i] == NULL ? "" : stored[i], error));
    return STATUS_OK;
}

enum status hdf5_read_texts(hid_t location, const char *where, const char *name, hsize_t n, char ***texts,
                            struct error *error)
{
    hid_t dataset, type = H5I_INVALID_HID;
    size_t bytes = 0;
    char *buffer = NULL;
    enum status status;
    *texts = NULL;
    TRY(open_dataset(location, where, name, &dataset, error));
    TRY_CLEANUP(text_type(dataset, where, name, &type, &bytes, error));
    TRY_CLEANUP(memory_allocate((void **)&buffer, n, bytes == 0 ? sizeof(char *) : bytes, name, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(*texts, n, error));
    const struct extent expected = {1, {n}};
    TRY_CLEANUP(hdf5_read_rows(location, where, name, type, &expected, 0, n, buffer, error));
    if (bytes > 0) {
        status = copy_fixed_texts(buffer, bytes, n, *texts, error);
    } else {
        status = copy_variable_texts((char **)(void *)buffer, n, *texts, error);
        hid_t space = H5Screate_simple(1, &n, NULL);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, buffer);
        H5Sclose(space);
    }
cleanup:
    if (status != STATUS_OK) {
        hdf5_free_texts(*texts, n);
        *texts = NULL;
    }
    free(buffer);
    if (type >= 0)
        H5Tclose(type);
    H5Dclose(dataset);
    return status;
}

void hdf5_free_texts(char **texts, size_t n)
{
    for (size_t i = 0; texts != NULL && i < n; i++)
        free(texts[i]);
    free(texts);
}

static const char *name_of_class(H5T_class_t class)
{
    return class == H5T_STRING ? "text" : class == H5T_INTEGER ? "whole number" : "real number";
}

/** Opens an attribute that must hold one element of the wanted class. */
static enum status open_attribute(hid_t location, const char *where, const char *name, H5T_class_t class,
                                  hid_t *attribute, struct error *error)
{
    *attribute = H5Aopen(location, name, H5P_DEFAULT);
    if (*attribute < 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: has no attribute '%s'; is it a meicensus results file?", where, name);
    hid_t space = H5Aget_space(*attribute), type = H5Aget_type(*attribute);
    bool fits = H5Sget_simple_extent_npoints(space) == 1 && H5Tget_class(type) == class;
    H5Tclose(type);
    H5Sclose(space);
    if (fits)
        return STATUS_OK;
    H5Aclose(*attribute);
    return error_set(error, STATUS_BAD_INPUT, "%s: attribute '%s' must be one %s", where, name,
                     name_of_class(class));
}

static enum status read_one(hid_t location, const char *where, const char *name, H5T_class_t class,
                            hid_t memory_type, void *number, struct error *error)
{
    hid_t attribute;
    TRY(open_attribute(location, where, name, class, &attribute, error));
    herr_t failed = H5Aread(attribute, memory_type, number);
    H5Aclose(attribute);
    return failed < 0 ? error_set(error, STATUS_DAMAGED, "%s: attribute '%s' cannot be read", where, name)
                      : STATUS_OK;
}

enum status hdf5_read_number(hid_t location, const char *where, const char *name, int64_t *number,
                             struct error *error)
{
    return read_one(location, where, name, H5T_INTEGER, H5T_NATIVE_INT64, number, error);
}

enum status hdf5_read_real(hid_t location, const char *where, const char *name, double *number,
                           struct error *error)
{
    return read_one(location, where, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, number, error);
}

/** Reads a text attribute of either kind; *text is freed by the caller. */
static herr_t read_attribute_text(hid_t attribute, hid_t type, char **text)
{
    if (H5Tis_variable_str(type) > 0) {
        char *stored = NULL;
        herr_t failed = H5Aread(attribute, type, &stored);
        *text = stored == NULL ? NULL : strdup(stored);
        H5free_memory(stored);
        return failed;
    }
    *text = calloc(H5Tget_size(type) + 1, 1);
    return *text == NULL ? -1 : H5Aread(attribute, type, *text);
}

enum status hdf5_read_text(hid_t location, const char *where, const char *name, char *text, size_t capacity,
                           struct error *error)
{
    hid_t attribute;
    char *stored = NULL;
    TRY(open_attribute(location, where, name, H5T_STRING, &attribute, error));
    hid_t type = H5Aget_type(attribute);
    herr_t failed = read_attribute_text(attribute, type, &stored);
    snprintf(text, capacity, "%s", stored == NULL ? "" : stored);
    free(stored);
    H5Tclose(type);
    H5Aclose(attribute);
    return failed < 0 ? error_set(error, STATUS_DAMAGED, "%s: attribute '%s' cannot be read", where, name)
                      : STATUS_OK;
}
