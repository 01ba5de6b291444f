/* SPDX-License-Identifier: MIT */
/**
 * Plain arrays in HDF5 files: images in, activations out. One process, no MPI. Nothing here prints, and files
 * from outside are hostile until checked.
 */
#ifndef MEICENSUS_HDF5_ARRAYS_H
#define MEICENSUS_HDF5_ARRAYS_H

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

/** An attribute of an array, or of the file (object "/"). */
enum status hdf5_arrays_set_text(struct hdf5_arrays *arrays, const char *object, const char *name,
                                 const char *text, struct error *error);
enum status hdf5_arrays_set_number(struct hdf5_arrays *arrays, const char *object, const char *name,
                                   double value, struct error *error);

/** Close, make durable, rename to `path`; frees `arrays`, also on a fault (then `path` is as it was). */
enum status hdf5_arrays_publish(struct hdf5_arrays *arrays, struct error *error);

/** Give up: delete `<path>.part` and free. NULL is allowed. */
void hdf5_arrays_discard(struct hdf5_arrays *arrays);

#endif
