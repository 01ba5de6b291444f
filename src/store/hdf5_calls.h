/* SPDX-License-Identifier: MIT */
/** The HDF5 calls that several files of this folder need, with messages instead of HDF5's error stack. */
#ifndef MEICENSUS_HDF5_CALLS_H
#define MEICENSUS_HDF5_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include <hdf5.h>

#include "record.h"
#include "status.h"

/** Before any other HDF5 call: HDF5 prints nothing and does nothing at exit of the program. */
void hdf5_prepare(void);

/**
 * Every HDF5 call forgets the complaints of the one before. Between a call that may have failed and its
 * hdf5_error, calls that clean up stand between these two.
 */
hid_t hdf5_keep_complaint(void);
void hdf5_restore_complaint(hid_t complaint);

/** error_set with "<path>: <what>" and the innermost complaint of HDF5, if any. */
enum status hdf5_error(struct error *error, enum status status, const char *path, const char *what);

/** Open (H5F_ACC_RDONLY or H5F_ACC_RDWR) by this process alone, without file locks. Negative on a fault. */
hid_t hdf5_open_alone(const char *path, unsigned int flags);

/** Access properties for one process; to be closed. */
hid_t hdf5_access_alone(void);

/** Copy of the type in the file (little-endian) or in memory; text_bytes: length of RECORD_TEXT. To be
 * closed. */
hid_t hdf5_file_type(enum record_type type, size_t text_bytes);
hid_t hdf5_memory_type(enum record_type type, size_t text_bytes);

/** Chunk of at most `n_bytes` (if any): the whole array, its outermost dimensions halved as often as needed.
 */
void hdf5_choose_chunk(int n_dimensions, const hsize_t *shape, size_t element_bytes, size_t n_bytes,
                       hsize_t *chunk);

/**
 * Create a dataset with missing groups, in chunks with Fletcher-32, no time stamps, fill never written.
 * compressed: shuffle and deflate too. Negative on a fault. Collective if the file was opened so.
 */
hid_t hdf5_create_array(hid_t file, const char *path, hid_t type, int n_dimensions, const hsize_t *shape,
                        const hsize_t *chunk, bool compressed);

/** Attributes: false on a fault. Texts are of variable length, UTF-8. n = 0: one number, no array. */
bool hdf5_set_text(hid_t object, const char *name, const char *text);
bool hdf5_set_texts(hid_t object, const char *name, size_t n, const char *const *texts);
bool hdf5_set_numbers(hid_t object, const char *name, enum record_type type, size_t n, const void *values);

/** Attributes units, long_name and description of an array. */
bool hdf5_describe(hid_t dataset, const char *units, const char *long_name, const char *description);

#endif
