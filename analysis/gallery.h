/* SPDX-License-Identifier: MIT */
/** What pictures full of MEIs share: a heading, the size of the images, one image with its caption. */
#ifndef MEICENSUS_ANALYSIS_GALLERY_H
#define MEICENSUS_ANALYSIS_GALLERY_H

#include "image.h"
#include "input.h"

enum {
    GALLERY_MARGIN = 20,
    GALLERY_GAP = 14,
    GALLERY_LINE = IMAGE_FONT_HEIGHT + 3,
    GALLERY_CAPTION = 2 * GALLERY_LINE + 4,
    GALLERY_SLOT_WIDTH = 14 * IMAGE_FONT_WIDTH, /**< at least: "1.00 saturated" */
    GALLERY_PICTURE_WIDTH = 2400,
    GALLERY_TEXT_CAPACITY = 4 * NAME_CAPACITY,
    GALLERY_HEADING_LINES = 3
};

struct heading {
    char lines[GALLERY_HEADING_LINES][GALLERY_TEXT_CAPACITY]; /**< the first is the title, twice as large */
};

int gallery_heading_height(void);

/** Width of a picture that shows the heading and `content`: the heading may widen it up to
 * GALLERY_PICTURE_WIDTH. */
int gallery_picture_width(const struct heading *heading, int content);

void gallery_draw_heading(struct image *image, const struct heading *heading);

/** The MEIs of a group at one size. */
struct gallery {
    const struct subject *subject;
    const struct group *group;
    int width, height; /**< of a shown image, in pixels of the picture */
    int slot;          /**< width that an image and its caption take */
    uint8_t *pixels;   /**< [replicate][height][width][channels] of one row */
    uint8_t *natural;  /**< [height][width][channels] of a dataset image; NULL: the file has none */
};

/** Images up to `wanted` pixels are enlarged a whole number of times, those up to twice that stay as they
 * are, larger ones are reduced. */
void gallery_choose_size(struct gallery *gallery, int wanted);

/** "channel 12", "12 @ 3,4" or the name of a class. */
void gallery_describe_unit(const struct gallery *gallery, size_t row, char text[GALLERY_TEXT_CAPACITY]);

/** Activation with three significant digits, and what is special about it, in a word. */
void gallery_describe_activation(double activation, const char *word, char text[GALLERY_TEXT_CAPACITY]);

/** A run's MEI out of `pixels`, which hold its row, with the activation below; or what became of the run. */
void gallery_draw_run(struct image *image, int x, int y, const struct gallery *gallery, size_t row,
                      size_t replicate);

#endif
