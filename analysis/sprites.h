/* SPDX-License-Identifier: MIT */
/** Many small images of one size as a few PNG files: pages full of tiles, row by row. */
#ifndef MEICENSUS_ANALYSIS_SPRITES_H
#define MEICENSUS_ANALYSIS_SPRITES_H

#include <limits.h>
#include <stddef.h>

#include "image.h"

struct sprites {
    char path[PATH_MAX]; /**< of the pages, without their "-PAGE.png" */
    int64_t width, height, channels;
    size_t columns, rows; /**< tiles of a page */
    size_t n, page;       /**< all tiles; the open page */
    struct image image;
};

/** Shape of the pages for tiles of that size, each from 1 to 2^14 pixels wide and high. */
enum status sprites_begin(struct sprites *sprites, const char *path, size_t n, int64_t height, int64_t width,
                          int64_t channels, struct error *error);

/** Tiles come in rising order of their number; those left out stay white. pixels [height][width][channels] */
enum status sprites_add(struct sprites *sprites, size_t tile, const uint8_t *pixels, struct error *error);

/** Writes the last page. The caller calls sprites_free, also after a failure. */
enum status sprites_end(struct sprites *sprites, struct error *error);
void sprites_free(struct sprites *sprites);

#endif
