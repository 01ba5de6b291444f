/* SPDX-License-Identifier: MIT */
/** Files that hold images of a dataset: binary rows, PNG. */
#ifndef MEICENSUS_DATASET_FILES_H
#define MEICENSUS_DATASET_FILES_H

#include <stddef.h>

#include "dataset.h"

/** The first byte of every row of a file of whole rows; to be freed. STATUS_IO, STATUS_BAD_INPUT. */
enum status binary_file_labels(const char *path, size_t row_bytes, unsigned char **labels, size_t *n_rows,
                               struct error *error);

enum status binary_file_read(const char *path, long offset, size_t n_bytes, unsigned char *bytes,
                             struct error *error);

/** Is it a PNG of 8-bit RGB of the size that is asked for? STATUS_BAD_INPUT says what was found. */
enum status png_file_check(const char *path, const struct dataset_request *request, struct error *error);

/** The same, and its pixels as [channel][height][width]. */
enum status png_file_read(const char *path, const struct dataset_request *request, unsigned char *bytes,
                          struct error *error);

#endif
