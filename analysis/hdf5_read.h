/* SPDX-License-Identifier: MIT */
/** Reading HDF5 with checked shapes and messages that name the file and the dataset. */
#ifndef MEICENSUS_ANALYSIS_HDF5_READ_H
#define MEICENSUS_ANALYSIS_HDF5_READ_H

#include <stdbool.h>
#include <stdint.h>

#include <hdf5.h>

#include "status.h"

enum { HDF5_MAX_RANK = 6 };

/** Sizes of a dataset or of a part of one. */
struct extent {
    int rank;
    hsize_t size[HDF5_MAX_RANK];
};

/** Elements of an extent. */
size_t extent_count(const struct extent *extent);

/** Opens the file read-only. STATUS_IO: cannot be opened; STATUS_BAD_INPUT: no HDF5; STATUS_DAMAGED: cut off.
 */
enum status hdf5_open(const char *path, hid_t *file, struct error *error);

/** Whether `location` has a link `name`, a path below it. */
bool hdf5_exists(hid_t location, const char *name);

/** Sizes of dataset `name` below `location`; `where` (file and group) is for the message. */
enum status hdf5_extent(hid_t location, const char *where, const char *name, struct extent *extent,
                        struct error *error);

/**
 * Rows [first, first + n) of the leading dimension into `buffer`, converted to `memory_type`.
 * STATUS_BAD_INPUT if the dataset is missing or has other trailing sizes than `expected`, whose leading
 * size is that of the whole dataset.
 */
enum status hdf5_read_rows(hid_t location, const char *where, const char *name, hid_t memory_type,
                           const struct extent *expected, hsize_t first, hsize_t n, void *buffer,
                           struct error *error);

/** All texts of a one-dimensional dataset: *texts [n] and its texts are freed with hdf5_free_texts. */
enum status hdf5_read_texts(hid_t location, const char *where, const char *name, hsize_t n, char ***texts,
                            struct error *error);
void hdf5_free_texts(char **texts, size_t n);

/** Attribute with one whole number. */
enum status hdf5_read_number(hid_t location, const char *where, const char *name, int64_t *number,
                             struct error *error);

/** Attribute with one real number. */
enum status hdf5_read_real(hid_t location, const char *where, const char *name, double *number,
                           struct error *error);

/** Text attribute; cut to `capacity`. */
enum status hdf5_read_text(hid_t location, const char *where, const char *name, char *text, size_t capacity,
                           struct error *error);

#endif
