/* SPDX-License-Identifier: MIT */
/**
 * Natural references in files: natural.h5, and /natural/<subject> of a results file (results.h).
 *
 * natural.h5 (dimensions: unit; place; probability; class_name; image; y, x, colour; each with its scale):
 *   layer, layer_index, kind, channel          [unit] as in /units of a results file (results.h)
 *   class_name, class_images                   [class_name] text; int64: images with that label
 *   probability                                [9] float64: 0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1
 *   top_image, top_label, top_activation       [unit][place] int64, int32, float32; best first, of equally
 * good images the one with the lower number first quantile [unit][probability] float32: order statistics,
 * linear between neighbours mean, std                                  [unit] float32; std divides by the
 * number of images class_mean                                 [unit][class_name] float32; NaN for a class
 * without images image, rgb8                                int64, uint8 [image][y][x][colour]: every image
 * that top_image names, once, by rising number; both left out if not wanted attributes of /: format,
 * format_version, title, source, model, model_sha256, tensors_sha256, timesteps, neuron (the constants in
 * use, as text), kernels, dataset_sha256 (dataset.h), n_images provenance/ whatever may differ between two
 * executions; attribute data: the dataset's place
 */
#ifndef MEICENSUS_NATURAL_FILE_H
#define MEICENSUS_NATURAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hdf5_arrays.h"
#include "record.h"
#include "status.h"

#define NATURAL_FORMAT "meicensus natural references"

enum { NATURAL_FORMAT_VERSION = 2 };

enum natural_extent {
    NATURAL_UNITS,
    NATURAL_PLACES,
    NATURAL_PROBABILITIES,
    NATURAL_CLASSES,
    NATURAL_IMAGES, /**< 0: without images */
    NATURAL_ROWS,
    NATURAL_COLUMNS,
    NATURAL_COLOURS,
    N_NATURAL_EXTENTS
};

typedef char natural_text[RECORD_TEXT_BYTES];

/** What the references belong to; the texts belong to the table. */
struct natural_origin {
    char *model, *model_sha256, *tensors_sha256, *neuron, *kernels, *dataset_sha256;
    char *data; /**< where the dataset was */
    int64_t timesteps, n_images;
};

/** All arrays; shapes as above. Zero-initialise it; natural_table_free it. */
struct natural_table {
    int64_t size[N_NATURAL_EXTENTS];
    struct natural_origin origin;
    natural_text *layer;
    int32_t *layer_index, *channel;
    uint8_t *kind;
    int32_t *unit, *place, *row, *column, *colour; /**< scales */
    double *probability;
    natural_text *class_name;
    int64_t *class_images;
    int64_t *top_image;
    int32_t *top_label;
    float *top_activation;
    float *quantile, *mean, *std, *class_mean;
    int64_t *image;
    uint8_t *rgb8;
};

/** Allocate what `size` asks for and is not there yet, zeroed; new scales count from 0. */
enum status natural_table_make(struct natural_table *table, struct error *error);
void natural_table_free(struct natural_table *table);

/** Make `image`: the numbers in the first n_places of top_image, of those that `among` has images of (NULL:
 * all); and room for them in rgb8 (size y, x, colour). */
enum status natural_table_list_images(struct natural_table *table, int64_t n_places,
                                      const struct natural_table *among, struct error *error);

/** Row of an image in rgb8, or -1. */
int64_t natural_table_find_image(const struct natural_table *table, int64_t image);

/** Add the arrays and the attributes of natural.h5, without provenance. */
enum status natural_file_add(struct hdf5_arrays *file, const struct natural_table *table,
                             struct error *error);

/**
 * Read and check natural.h5. STATUS_IO; STATUS_BAD_INPUT: another format or version, an array that is missing
 * or of another shape, a value that makes no sense. Images are left out (size 0) unless wanted and there.
 */
enum status natural_file_read(const char *path, bool with_images, struct natural_table *table,
                              struct error *error);

/** Add /natural/<subject> to a file; `unit` holds rows of /units/<subject>. */
enum status natural_group_add(struct hdf5_arrays *file, const char *subject,
                              const struct natural_table *table, struct error *error);

/** Bytes that the arrays take in a file at most. */
size_t natural_table_bytes(const struct natural_table *table);

#endif
