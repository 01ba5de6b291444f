/* SPDX-License-Identifier: MIT */
/** A picture in memory: rectangles, enlarged images, small text, PNG. What lies outside the picture is cut
 * off. */
#ifndef MEICENSUS_ANALYSIS_IMAGE_H
#define MEICENSUS_ANALYSIS_IMAGE_H

#include <stdint.h>

#include "status.h"

struct image {
    int width, height;
    uint8_t *rgb; /**< [height][width][3] */
};

/** White; width and height are at least 1. The caller frees with image_free. */
enum status image_make(int width, int height, struct image *image, struct error *error);
void image_free(struct image *image);

void image_fill(struct image *image, int x, int y, int width, int height, const uint8_t colour[3]);

/** Pixels [height][width][channels] (one channel is grey, three are RGB) at (x, y), as shown_width x
 * shown_height pixels: nearest neighbour, so that a whole multiple of the size shows every pixel as a square.
 */
void image_paste(struct image *image, int x, int y, int shown_width, int shown_height, const uint8_t *pixels,
                 int64_t width, int64_t height, int64_t channels);

enum { IMAGE_FONT_WIDTH = 7, IMAGE_FONT_HEIGHT = 13 };

/** Pixels that a text takes with every pixel of the font a square of `scale`. */
int image_text_width(const char *text, int scale);

/** Black text; (x, y) is its upper left corner. What is wider than max_width ends in "..". UTF-8 characters
 * that are not printable ASCII show as '?'. */
void image_text(struct image *image, int x, int y, int scale, int max_width, const char *text);

/** Writes a PNG: the same bytes for the same picture. STATUS_IO */
enum status image_write(const struct image *image, const char *path, struct error *error);

#endif
