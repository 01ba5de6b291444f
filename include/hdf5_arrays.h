/* SPDX-License-Identifier: MIT */
/**
 * Plain arrays in HDF5 files: images in, activations out. One process, no MPI. Nothing here prints, and files
 * from outside are hostile until checked.
 */
#ifndef MEICENSUS_HDF5_ARRAYS_H
#define MEICENSUS_HDF5_ARRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "status.h"

enum { HDF5_ARRAY_MAX_RANK = 8 };

struct hdf5_array {
    float *values; /**< [shape[0]] .. [shape[n_dimensions - 1]], C order */
    size_t n_values;
    int n_dimensions;
    int64_t shape[HDF5_ARRAY_MAX_RANK];
};

/**
 * Read a dataset of any integer or floating-point type, converted to float32 (large integers are rounded,
 * float64 beyond the range of float32 becomes infinite). Free with hdf5_array_free.
 * STATUS_IO: the file cannot be read. STATUS_BAD_INPUT: no HDF5 file, no such dataset, not numeric, more than
 * 8 dimensions, empty, or larger than what the file can hold.
 */
enum status hdf5_array_read(const char *path, const char *dataset, struct hdf5_array *array,
                            struct error *error);
void hdf5_array_free(struct hdf5_array *array);

/** Read a single text of fixed length; the caller frees it. Faults as above. */
enum status hdf5_text_read(const char *path, const char *dataset, char **text, struct error *error);

/**
 * Read a dataset as values of this type (of the same class: integers, floating-point numbers, or texts of
 * RECORD_TEXT_BYTES). shape: [n_dimensions], -1 for any extent, which is filled in. The caller frees *values.
 * Faults as above; another number of dimensions or another extent is STATUS_BAD_INPUT.
 */
enum status hdf5_values_read(const char *path, const char *dataset, enum record_type type, int n_dimensions,
                             int64_t *shape, void **values, struct error *error);

/** Is there a dataset of that name in a file that can be opened? */
bool hdf5_dataset_exists(const char *path, const char *dataset);

/** Attributes of an object ("/": of the file). The caller frees *text. Faults as above. */
enum status hdf5_attribute_text(const char *path, const char *object, const char *name, char **text,
                                struct error *error);
enum status hdf5_attribute_number(const char *path, const char *object, const char *name, double *value,
                                  struct error *error);

/** A file of arrays in the making: written as `<path>.part`. */
struct hdf5_arrays;

enum status hdf5_arrays_create(const char *path, struct hdf5_arrays **arrays, struct error *error);

/**
 * Add an array [shape[0]] .. with a checksum, compressed, with attributes units and description.
 * name: "a" or "group/a". RECORD_TEXT: texts of RECORD_TEXT_BYTES, zero-padded. No extent may be 0.
 */
enum status hdf5_arrays_add(struct hdf5_arrays *arrays, const char *name, enum record_type type,
                            int n_dimensions, const int64_t *shape, const void *values, const char *units,
                            const char *description, struct error *error);

/** An array with all that describes it. */
struct hdf5_described {
    const char *name; /**< in its group */
    enum record_type type;
    int n_dimensions;
    const int64_t *shape;
    const void *values;
    const char *const *dimensions; /**< [n_dimensions] names; one that is its own is the scale of it */
    const char *units, *long_name, *description;
};

/**
 * hdf5_arrays_add to `group` ("" for the file), with long_name and with its dimensions: each is the array of
 * that name in the group, added before.
 */
enum status hdf5_arrays_add_described(struct hdf5_arrays *arrays, const char *group,
                                      const struct hdf5_described *array, struct error *error);

/** Go on with a closed file, in place; ended by hdf5_arrays_close, which frees `arrays`, also on a fault. */
enum status hdf5_arrays_open(const char *path, struct hdf5_arrays **arrays, struct error *error);
enum status hdf5_arrays_close(struct hdf5_arrays *arrays, struct error *error);

/** An attribute of an array, or of the file (object "/"). */
enum status hdf5_arrays_set_text(struct hdf5_arrays *arrays, const char *object, const char *name,
                                 const char *text, struct error *error);
enum status hdf5_arrays_set_number(struct hdf5_arrays *arrays, const char *object, const char *name,
                                   double value, struct error *error);
enum status hdf5_arrays_set_integer(struct hdf5_arrays *arrays, const char *object, const char *name,
                                    int64_t value, struct error *error);

/** Close, make durable, rename to `path`; frees `arrays`, also on a fault (then `path` is as it was). */
enum status hdf5_arrays_publish(struct hdf5_arrays *arrays, struct error *error);

/** Give up: delete `<path>.part` and free. NULL is allowed. */
void hdf5_arrays_discard(struct hdf5_arrays *arrays);

#endif
