/* SPDX-License-Identifier: MIT */
/** A picture in memory: rectangles, enlarged images, small text, PNG. */
#ifndef MEICENSUS_ANALYSIS_IMAGE_H
#define MEICENSUS_ANALYSIS_IMAGE_H

#include <stdint.h>

#include "status.h"

struct image {
    int width, height;
    uint8_t *rgb; /**< [height][width][3] */
};

/** White. The caller frees with image_free. */
enum status image_make(int width, int height, struct image *image, struct error *error);
void image_free(struct image *image);

/** What lies outside the picture is cut off. */
void image_fill(struct image *image, int x, int y, int width, int height, const uint8_t colour[3]);

/** Pixels [height][width][channels] (1 or 3 channels) at (x, y), every pixel a square of `scale`. */
void image_paste(struct image *image, int x, int y, const uint8_t *pixels, int width, int height, int channels,
                 int scale);

/** Text in a 5 x 7 font enlarged `scale` times, black; (x, y) is its upper left corner. Bytes that are not
 *  printable ASCII show as '?'. */
void image_text(struct image *image, int x, int y, int scale, const char *text);

enum { IMAGE_FONT_ADVANCE = 6, IMAGE_FONT_HEIGHT = 7 };
int image_text_width(const char *text, int scale);

enum status image_write(const struct image *image, const char *path, struct error *error);

#endif
