/* SPDX-License-Identifier: MIT */
#include "gallery.h"

#include <math.h>
#include <stdio.h>

/* ---- Headings ----------------------------------------------------------------------------------------- */

static int heading_scale(int line)
{
    return line == 0 ? 2 : 1;
}

int gallery_heading_height(void)
{
    return (GALLERY_HEADING_LINES + 1) * GALLERY_LINE + GALLERY_GAP;
}

int gallery_picture_width(const struct heading *heading, int content)
{
    int widest = 0;
    for (int i = 0; i < GALLERY_HEADING_LINES; i++) {
        int width = image_text_width(heading->lines[i], heading_scale(i));
        widest = width > widest ? width : widest;
    }
    widest = widest < GALLERY_PICTURE_WIDTH - 2 * GALLERY_MARGIN ? widest
                                                                 : GALLERY_PICTURE_WIDTH - 2 * GALLERY_MARGIN;
    return 2 * GALLERY_MARGIN + (content > widest ? content : widest);
}

void gallery_draw_heading(struct image *image, const struct heading *heading)
{
    for (int i = 0, y = GALLERY_MARGIN; i < GALLERY_HEADING_LINES; y += heading_scale(i) * GALLERY_LINE, i++)
        image_text(image, GALLERY_MARGIN, y, heading_scale(i), image->width - 2 * GALLERY_MARGIN,
                   heading->lines[i]);
}

/* ---- One MEI ------------------------------------------------------------------------------------------ */

void gallery_choose_size(struct gallery *gallery, int wanted)
{
    int64_t height = gallery->group->sizes.height, width = gallery->group->sizes.width;
    int64_t longest = height > width ? height : width, limit = 2 * wanted;
    if (longest <= limit) {
        int64_t factor = longest <= wanted ? wanted / longest : 1;
        gallery->width = (int)(width * factor);
        gallery->height = (int)(height * factor);
    } else {
        gallery->width = (int)(width * limit / longest) + (width * limit < longest);
        gallery->height = (int)(height * limit / longest) + (height * limit < longest);
    }
    gallery->slot = gallery->width > GALLERY_SLOT_WIDTH ? gallery->width : GALLERY_SLOT_WIDTH;
}

void gallery_describe_unit(const struct gallery *gallery, size_t row, char text[GALLERY_TEXT_CAPACITY])
{
    const struct unit *unit = &gallery->subject->units[gallery->group->unit[row]];
    if (unit->kind == UNIT_NEURON)
        snprintf(text, GALLERY_TEXT_CAPACITY, "%d @ %d,%d", unit->channel, unit->y, unit->x);
    else if (unit->kind == UNIT_CHANNEL)
        snprintf(text, GALLERY_TEXT_CAPACITY, "channel %d", unit->channel);
    else if (unit->channel >= 0 && unit->channel < gallery->group->sizes.classes)
        snprintf(text, GALLERY_TEXT_CAPACITY, "%s", gallery->group->class_names[unit->channel]);
    else
        snprintf(text, GALLERY_TEXT_CAPACITY, "class %d", unit->channel);
}

void gallery_describe_activation(double activation, const char *word, char text[GALLERY_TEXT_CAPACITY])
{
    if (!isfinite(activation))
        snprintf(text, GALLERY_TEXT_CAPACITY, "no number");
    else
        snprintf(text, GALLERY_TEXT_CAPACITY, fabs(activation) < 100 ? "%#.3g%s" : "%.3g%s", activation,
                 word);
}

static void describe_run(const struct group *group, size_t run, char text[GALLERY_TEXT_CAPACITY])
{
    gallery_describe_activation((double)group->activation[run],
                                group->silent[run]      ? " silent"
                                : group->saturated[run] ? " saturated"
                                                        : "",
                                text);
}

void gallery_draw_run(struct image *image, int x, int y, const struct gallery *gallery, size_t row,
                      size_t replicate)
{
    static const uint8_t grey[3] = {208, 208, 208};
    const struct group *group = gallery->group;
    const struct record_sizes *sizes = &group->sizes;
    size_t run = row * group->n_replicates + replicate;
    char text[GALLERY_TEXT_CAPACITY];
    /* of a finished run only a frame remains, which keeps pale images apart from the page */
    image_fill(image, x - 1, y - 1, gallery->width + 2, gallery->height + 2, grey);
    if (input_run_done(group, row, replicate)) {
        image_paste(image, x, y, gallery->width, gallery->height,
                    gallery->pixels + replicate * (size_t)(sizes->height * sizes->width * sizes->channels),
                    sizes->width, sizes->height, sizes->channels);
        describe_run(group, run, text);
        image_text(image, x, y + gallery->height + 4 + GALLERY_LINE, 1, gallery->slot, text);
    } else {
        const char *word = group->status[run] == RUN_FAILED ? "failed" : "missing";
        image_text(image, x + (gallery->width - image_text_width(word, 1)) / 2,
                   y + (gallery->height - IMAGE_FONT_HEIGHT) / 2, 1, gallery->slot, word);
    }
}
