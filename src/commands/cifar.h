/* SPDX-License-Identifier: MIT */
/**
 * Labelled images in the layout of the binary CIFAR-10 files: rows of one label byte and the image, bytes
 * [channel][height][width]. https://www.cs.toronto.edu/~kriz/cifar.html
 */
#ifndef MEICENSUS_CIFAR_H
#define MEICENSUS_CIFAR_H

#include <stddef.h>

#include "model.h"
#include "status.h"

struct cifar_images {
    size_t n_images, row_bytes;
    unsigned char *rows; /**< [n_images][row_bytes] */
};

/**
 * Read `path`: one file, or a folder, of which every *.bin in the order of their names; at most `limit`
 * images (0: all). cifar_free it, also after a fault. STATUS_IO, STATUS_BAD_INPUT: not whole rows, a label
 * that the model has no class for, no image at all.
 */
enum status cifar_read(const char *path, const struct model *model, size_t limit, struct cifar_images *images,
                       struct error *error);
void cifar_free(struct cifar_images *images);

int cifar_label(const struct cifar_images *images, size_t image);

/** The image as the model takes it: [channel][height][width] float32, normalised with its mean and std. */
void cifar_normalised(const struct cifar_images *images, size_t image, const struct model *model,
                      float *values);

#endif
