/* SPDX-License-Identifier: MIT */
/**
 * Labelled images on disk, read one by one:
 *   binary CIFAR-10 files (https://www.cs.toronto.edu/~kriz/cifar.html), or files in their layout: rows of
 *   one label byte and the image, bytes [channel][height][width]; one file, or a folder of which every *.bin
 * in the order of their names; IDX files, as MNIST and Fashion-MNIST have them, unpacked:
 * NAME-images-idx3-ubyte, grey images (big-endian uint32 0x803, images, height, width; bytes), and
 * NAME-labels-idx1-ubyte beside it (0x801, labels; bytes); one file of images, or a folder of which every one
 * in the order of their names; PNG images, RGB or grey as the model has channels: a folder without the above,
 * of which every *.png, and every *.png of its sub-folders, in the order of their paths. A sub-folder is
 * named after the class of its images, or after its number; images that lie in no sub-folder have no label.
 * Files from outside are hostile until checked.
 */
#ifndef MEICENSUS_DATASET_H
#define MEICENSUS_DATASET_H

#include <stddef.h>

#include "hash.h"
#include "status.h"

/** What the images have to be. The texts must live as long as the dataset. */
struct dataset_request {
    const char *model; /**< its name, for messages */
    int channels, height, width;
    int n_classes;                  /**< 0: any label will do, and names of folders say nothing */
    const char *const *class_names; /**< [n_classes] */
    size_t limit;                   /**< images at most; 0: all */
};

struct dataset; /* opaque */

/**
 * List the images and check their labels and sizes. dataset_close it. STATUS_IO; STATUS_BAD_INPUT: not whole
 * rows, an IDX file that is cut or not like its labels, images of another size or other channels, a label
 * that the model has no class for, no image at all.
 */
enum status dataset_open(const char *path, const struct dataset_request *request, struct dataset **dataset,
                         struct error *error);
void dataset_close(struct dataset *dataset);

size_t dataset_n_images(const struct dataset *dataset);

/** Class of an image, or -1 if it has no label. */
int dataset_label(const struct dataset *dataset, size_t image);

/** Values of one image: channels x height x width. */
size_t dataset_image_values(const struct dataset *dataset);

/** Read an image: bytes [channel][height][width]. STATUS_IO, STATUS_BAD_INPUT: the file has changed since. */
enum status dataset_read(const struct dataset *dataset, size_t image, unsigned char *bytes,
                         struct error *error);

/** An image as a model takes it: [channel][height][width], (byte / 255 - mean) / std. mean, std: [channel] */
void dataset_normalise(const struct dataset *dataset, const unsigned char *bytes, const double *mean,
                       const double *std, float *values);

/**
 * Identity of what the images show, as 64 hexadecimal digits: SHA-256 over all images in turn, each block
 * being the digits so far, the label and the bytes. Equal for equal images in other files. Reads all.
 */
enum status dataset_sha256(const struct dataset *dataset, char text[SHA256_TEXT_CAPACITY],
                           struct error *error);

#endif
