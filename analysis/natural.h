/* SPDX-License-Identifier: MIT */
/** The dataset images that excite the units of a subject most, as a results file may hold them. */
#ifndef MEICENSUS_ANALYSIS_NATURAL_H
#define MEICENSUS_ANALYSIS_NATURAL_H

#include <stdbool.h>
#include <stdint.h>

#include <hdf5.h>

#include "status.h"

struct natural {
    char where[512]; /**< file and group, for messages */
    hid_t id;
    size_t n_rows;        /**< units that have references; 0: the file has none */
    size_t n_places;      /**< best images of each */
    int64_t n_dataset;    /**< images of the dataset */
    int64_t *row_of_unit; /**< [unit] -1: none */
    int64_t *top_image;   /**< [row][place] number in the dataset, best first */
    int32_t *top_label;   /**< [row][place] class, -1: none */
    float *top_activation;
    size_t n_images; /**< whose pixels are there; 0: none */
    int64_t *image;  /**< [image] their numbers, rising */
    size_t height, width, channels;
};

/** Reads /natural/<subject> if the file has it. natural_close it, also after a fault. */
enum status natural_open(hid_t file, const char *path, const char *subject, size_t n_units,
                         struct natural *natural, struct error *error);
void natural_close(struct natural *natural);

/** The best image of a unit. */
struct natural_reference {
    int64_t image; /**< number in the dataset; -1: the unit has no reference */
    int32_t label; /**< class; -1: none */
};
struct natural_reference natural_reference(const struct natural *natural, size_t unit);

/** Activation of a unit for its best image; NAN if it has no reference. */
double natural_best(const struct natural *natural, size_t unit);

/** Place of an image's pixels in the list of those that are there; -1: they are not. */
int64_t natural_find(const struct natural *natural, int64_t image);

/** Pixels [height][width][channels] of the image at that place. */
enum status natural_read_pixels(const struct natural *natural, size_t place, uint8_t *pixels,
                                struct error *error);

/** Whether the pixels of a unit's best image are there. */
bool natural_has_image(const struct natural *natural, size_t unit);

/** Pixels [height][width][channels] of a unit's best image, which is there. */
enum status natural_read_image(const struct natural *natural, size_t unit, uint8_t *pixels,
                               struct error *error);

#endif
