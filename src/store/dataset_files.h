/* SPDX-License-Identifier: MIT */
/** Files that hold images of a dataset: binary rows, IDX, PNG. */
#ifndef MEICENSUS_DATASET_FILES_H
#define MEICENSUS_DATASET_FILES_H

#include <stddef.h>

#include "dataset.h"

/** The first byte of every row of a file of whole rows; to be freed. STATUS_IO, STATUS_BAD_INPUT. */
enum status binary_file_labels(const char *path, size_t row_bytes, unsigned char **labels, size_t *n_rows,
                               struct error *error);

enum status binary_file_read(const char *path, long offset, size_t n_bytes, unsigned char *bytes,
                             struct error *error);

/** How the names of IDX files end: the images, and the labels that lie beside them. */
#define IDX_IMAGES_SUFFIX "-images-idx3-ubyte"
#define IDX_LABELS_SUFFIX "-labels-idx1-ubyte"

/** Bytes before the images of an IDX file. */
enum { IDX_IMAGES_HEADER = 16 };

/** Path of the labels of a file whose name ends with IDX_IMAGES_SUFFIX; to be freed. */
enum status idx_labels_path(const char *images_path, char **labels_path, struct error *error);

/** The labels of all images of an IDX file, after a check of both files; to be freed. STATUS_IO,
 * STATUS_BAD_INPUT. */
enum status idx_file_labels(const char *images_path, const char *labels_path,
                            const struct dataset_request *request, unsigned char **labels, size_t *n_images,
                            struct error *error);

/** Is it a PNG of 8 bits, RGB or grey as the model has channels, and of the size that is asked for?
 * STATUS_BAD_INPUT says what was found. */
enum status png_file_check(const char *path, const struct dataset_request *request, struct error *error);

/** The same, and its pixels as [channel][height][width]. */
enum status png_file_read(const char *path, const struct dataset_request *request, unsigned char *bytes,
                          struct error *error);

#endif
