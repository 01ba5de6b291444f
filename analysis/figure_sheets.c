/* SPDX-License-Identifier: MIT */
/**
 * sheets: the MEIs themselves, as PNG files of a generator and method in sheets/GENERATOR/METHOD/ (after
 * figures 6 to 8 of arXiv 2401.10748): overview.png with the most active units of every layer,
 * LAYER_KIND_PAGE.png with all units.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"
#include "memory.h"

enum {
    REPLICATE_GAP = 4,
    SHEET_IMAGE = 128,
    SHEET_COLUMNS = 16,
    SHEET_IMAGES = 256,
    OVERVIEW_IMAGE = 96,
    OVERVIEW_UNITS = 8,
    OVERVIEW_LAYERS = 256,
    OVERVIEW_BLOCKS = 16,
    KIND_CHARACTERS = 9, /* "n = 10000" */
    BLOCK_GAP = 3 * GALLERY_GAP,
    NATURAL_NOTE_CAPACITY = 96
};

static const char *const kind_names[] = {
    [UNIT_CHANNEL] = "channels", [UNIT_NEURON] = "neurons", [UNIT_CLASS] = "outputs"};

/* ---- One unit ------------------------------------------------------------------------------------------ */

/** The dataset image that excites the unit of a row most; its class and the activation below it. */
static enum status draw_natural(struct image *image, int x, int y, const struct gallery *gallery, size_t row,
                                struct error *error)
{
    static const uint8_t blue[3] = {86, 180, 233};
    const struct group *group = gallery->group;
    const struct natural *natural = &gallery->subject->natural;
    const size_t unit = (size_t)group->unit[row];
    const struct natural_reference best = natural_reference(natural, unit);
    char text[GALLERY_TEXT_CAPACITY];
    if (!natural_has_image(natural, unit))
        return STATUS_OK;
    TRY(natural_read_image(natural, unit, gallery->natural, error));
    image_fill(image, x - 2, y - 2, gallery->width + 4, gallery->height + 4, blue);
    image_paste(image, x, y, gallery->width, gallery->height, gallery->natural, (int64_t)natural->width,
                (int64_t)natural->height, (int64_t)natural->channels);
    if (best.label >= 0 && best.label < group->sizes.classes)
        snprintf(text, sizeof text, "%s", group->class_names[best.label]);
    else
        snprintf(text, sizeof text, "image %lld", (long long)best.image);
    image_text(image, x, y + gallery->height + 4, 1, gallery->slot, text);
    gallery_describe_activation(natural_best(natural, unit), "", text);
    image_text(image, x, y + gallery->height + 4 + GALLERY_LINE, 1, gallery->slot, text);
    return STATUS_OK;
}

/** Replicates [first, first + n) of a row side by side, the unit's name below the first, and the most
 * exciting dataset image. */
static enum status draw_unit(struct image *image, int x, int y, const struct gallery *gallery, size_t row,
                             size_t first, size_t n, struct error *error)
{
    char text[GALLERY_TEXT_CAPACITY];
    TRY(input_read(gallery->group, FIELD_MEI_RGB8, row, 1, gallery->pixels, error));
    for (size_t i = 0; i < n; i++)
        gallery_draw_run(image, x + (int)i * (gallery->slot + REPLICATE_GAP), y, gallery, row, first + i);
    gallery_describe_unit(gallery, row, text);
    image_text(image, x, y + gallery->height + 4, 1, (int)n * (gallery->slot + REPLICATE_GAP) - REPLICATE_GAP,
               text);
    return gallery->natural == NULL
               ? STATUS_OK
               : draw_natural(image, x + (int)n * (gallery->slot + REPLICATE_GAP), y, gallery, row, error);
}

/** Width that n replicates of a unit take, with the dataset image. */
static int unit_width(const struct gallery *gallery, size_t n)
{
    return (int)(n + (gallery->natural != NULL)) * (gallery->slot + REPLICATE_GAP) - REPLICATE_GAP;
}

/** "; blue frame: the most exciting of 50000 dataset images", or nothing. */
static void describe_natural(const struct gallery *gallery, char text[NATURAL_NOTE_CAPACITY])
{
    text[0] = '\0';
    if (gallery->natural != NULL)
        snprintf(text, NATURAL_NOTE_CAPACITY, "; blue frame: the most exciting of %lld dataset images",
                 (long long)gallery->subject->natural.n_dataset);
}

/* ---- Sheets of a layer -------------------------------------------------------------------------------- */

/** Rows of the group that are units of the layer, in network order; returns how many. rows: room for all. */
static size_t select_rows(const struct gallery *gallery, int layer, size_t *rows)
{
    size_t n = 0;
    for (size_t unit = 0; unit < gallery->subject->n_units; unit++)
        if (gallery->subject->units[unit].layer == layer && gallery->group->row_of_unit[unit] >= 0)
            rows[n++] = (size_t)gallery->group->row_of_unit[unit];
    return n;
}

/** Units among these rows that have a finished run. */
static size_t count_finished(const struct group *group, const size_t *rows, size_t n)
{
    size_t n_finished = 0;
    for (size_t i = 0; i < n; i++)
        n_finished += group->results[rows[i]].n_done > 0;
    return n_finished;
}

/** What all sheets of a layer share. */
struct sheet {
    int layer;
    const size_t *rows;
    size_t n_units, n_replicates;
    int columns, lines; /**< units of a page */
    int cell_width, cell_height;
};

static size_t sheet_pages(const struct sheet *sheet)
{
    size_t page = (size_t)(sheet->columns * sheet->lines);
    return (sheet->n_units + page - 1) / page;
}

static void lay_out(struct sheet *sheet, const struct gallery *gallery)
{
    size_t n = gallery->group->n_replicates,
           most = (size_t)((GALLERY_PICTURE_WIDTH - 2 * GALLERY_MARGIN) / (gallery->slot + REPLICATE_GAP)) -
                  (gallery->natural != NULL);
    most = most < SHEET_COLUMNS ? most : SHEET_COLUMNS;
    sheet->n_replicates = n < most ? n : most;
    sheet->cell_width = unit_width(gallery, sheet->n_replicates) + GALLERY_GAP;
    sheet->cell_height = gallery->height + GALLERY_CAPTION + GALLERY_GAP;
    sheet->columns = (GALLERY_PICTURE_WIDTH - 2 * GALLERY_MARGIN + GALLERY_GAP) / sheet->cell_width;
    sheet->columns = sheet->columns < SHEET_COLUMNS ? sheet->columns : SHEET_COLUMNS;
    size_t n_lines = (sheet->n_units + (size_t)sheet->columns - 1) / (size_t)sheet->columns;
    sheet->columns = (int)((sheet->n_units + n_lines - 1) / n_lines); /* 10 units stand 5 + 5, not 8 + 2 */
    sheet->lines = SHEET_IMAGES / (sheet->columns * (int)sheet->n_replicates);
}

static void write_sheet_heading(struct heading *heading, const struct gallery *gallery,
                                const struct sheet *sheet, size_t page)
{
    const struct subject *subject = gallery->subject;
    const struct group *group = gallery->group;
    const struct layer *layer = &subject->layers[sheet->layer];
    size_t n = count_finished(group, sheet->rows, sheet->n_units);
    char unfinished[64] = "", pages[64] = "", replicates[96] = "", natural[NATURAL_NOTE_CAPACITY];
    if (n < sheet->n_units)
        snprintf(unfinished, sizeof unfinished, " of %zu units", sheet->n_units);
    if (sheet_pages(sheet) > 1)
        snprintf(pages, sizeof pages, "; page %zu of %zu", page + 1, sheet_pages(sheet));
    if (group->n_replicates > 1)
        snprintf(replicates, sizeof replicates, "; side by side: %zu of %zu replicates", sheet->n_replicates,
                 group->n_replicates);
    describe_natural(gallery, natural);
    snprintf(heading->lines[0], GALLERY_TEXT_CAPACITY, "%s, %s %s", subject->name, layer->name,
             kind_names[layer->kind]);
    snprintf(heading->lines[1], GALLERY_TEXT_CAPACITY, "generator %s, method %s%s",
             subject->generators[group->generator], subject->methods[group->method],
             group->minimise ? ", activation minimised" : "");
    snprintf(heading->lines[2], GALLERY_TEXT_CAPACITY, "n = %zu%s, in network order; numbers: %s%s%s%s", n,
             unfinished, layer->kind == UNIT_CLASS ? "class output" : "activation", replicates, natural,
             pages);
}

static enum status draw_page(const struct gallery *gallery, const struct sheet *sheet, size_t page,
                             const char *path, struct error *error)
{
    struct heading heading;
    struct image image = {0};
    enum status status;
    size_t capacity = (size_t)(sheet->columns * sheet->lines), first = page * capacity;
    size_t n = sheet->n_units - first < capacity ? sheet->n_units - first : capacity;
    int lines = (int)((n + (size_t)sheet->columns - 1) / (size_t)sheet->columns);
    write_sheet_heading(&heading, gallery, sheet, page);
    TRY_CLEANUP(
        image_make(gallery_picture_width(&heading, sheet->columns * sheet->cell_width - GALLERY_GAP),
                   2 * GALLERY_MARGIN + gallery_heading_height() + lines * sheet->cell_height - GALLERY_GAP,
                   &image, error));
    gallery_draw_heading(&image, &heading);
    for (size_t i = 0; i < n; i++) {
        int column = (int)(i % (size_t)sheet->columns), line = (int)(i / (size_t)sheet->columns);
        TRY_CLEANUP(draw_unit(&image, GALLERY_MARGIN + column * sheet->cell_width,
                              GALLERY_MARGIN + gallery_heading_height() + line * sheet->cell_height, gallery,
                              sheet->rows[first + i], 0, sheet->n_replicates, error));
    }
    status = image_write(&image, path, error);
cleanup:
    image_free(&image);
    return status;
}

static enum status path_of(const char *folder, const char *name, char path[PATH_MAX], struct error *error)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return error_set(error, STATUS_USAGE, "%s: the path of the output folder is too long", folder);
    return STATUS_OK;
}

/** All pages of a layer; none if the group has no unit of it. */
static enum status draw_sheets(const struct gallery *gallery, int layer, size_t *rows, const char *folder,
                               struct error *error)
{
    char name[FILE_NAME_CAPACITY], file_name[2 * FILE_NAME_CAPACITY], path[PATH_MAX];
    enum unit_kind kind = gallery->subject->layers[layer].kind;
    struct sheet sheet = {.layer = layer, .rows = rows, .n_units = select_rows(gallery, layer, rows)};
    if (sheet.n_units == 0)
        return STATUS_OK;
    lay_out(&sheet, gallery);
    output_file_name(gallery->subject->layers[layer].name, name);
    for (size_t page = 0; page < sheet_pages(&sheet); page++) {
        snprintf(file_name, sizeof file_name, "%s_%s_%zu.png", name, kind_names[kind], page + 1);
        TRY(path_of(folder, file_name, path, error));
        TRY(draw_page(gallery, &sheet, page, path, error));
    }
    return STATUS_OK;
}

/* ---- Overview ----------------------------------------------------------------------------------------- */

struct overview_row {
    int layer;
    size_t n_units; /**< that have a finished run */
    int n_shown;
    size_t shown[OVERVIEW_UNITS];
};

struct overview {
    struct overview_row *rows; /**< the layers of which the group has units, class outputs last */
    int n_rows;
    int label_width, slot_width, row_height;
    int n_blocks, rows_per_block; /**< the rows stand in blocks side by side, as columns of a newspaper */
};

static double best_activation(const struct group *group, size_t row)
{
    double activation =
        (double)group->activation[row * group->n_replicates + (size_t)group->results[row].best_replicate];
    return group->minimise ? -activation : activation;
}

/** Keeps the best OVERVIEW_UNITS units of a layer, of equal ones the first. */
static void consider_unit(struct overview_row *overview, const struct group *group, size_t row)
{
    int place = overview->n_shown;
    if (group->results[row].best_replicate < 0)
        return;
    while (place > 0 && best_activation(group, row) > best_activation(group, overview->shown[place - 1]))
        place--;
    if (place == OVERVIEW_UNITS)
        return;
    if (overview->n_shown < OVERVIEW_UNITS)
        overview->n_shown++;
    memmove(&overview->shown[place + 1], &overview->shown[place],
            (size_t)(overview->n_shown - 1 - place) * sizeof *overview->shown);
    overview->shown[place] = row;
}

static void add_overview_row(struct overview *overview, const struct gallery *gallery, int layer,
                             size_t *rows)
{
    size_t n = select_rows(gallery, layer, rows);
    if (n == 0 || overview->n_rows == OVERVIEW_LAYERS)
        return;
    struct overview_row *row = &overview->rows[overview->n_rows++];
    *row = (struct overview_row){.layer = layer, .n_units = count_finished(gallery->group, rows, n)};
    for (size_t i = 0; i < n; i++)
        consider_unit(row, gallery->group, rows[i]);
}

static void select_overview(struct overview *overview, const struct gallery *gallery, size_t *rows)
{
    const struct subject *subject = gallery->subject;
    for (int classes = 0; classes <= 1; classes++)
        for (int layer = 0; layer < subject->n_layers; layer++)
            if ((subject->layers[layer].kind == UNIT_CLASS) == (classes == 1))
                add_overview_row(overview, gallery, layer, rows);
}

/** As wide as the longest of its rows. */
static int block_width(const struct overview *overview, int block)
{
    int most = 1, first = block * overview->rows_per_block;
    for (int i = first; i < first + overview->rows_per_block && i < overview->n_rows; i++)
        most = overview->rows[i].n_shown > most ? overview->rows[i].n_shown : most;
    return overview->label_width + most * overview->slot_width;
}

/** Left edge of a block, counted from that of the first. */
static int block_left(const struct overview *overview, int block)
{
    int left = 0;
    for (int i = 0; i < block; i++)
        left += block_width(overview, i) + BLOCK_GAP;
    return left;
}

static int blocks_width(const struct overview *overview)
{
    return block_left(overview, overview->n_blocks) - BLOCK_GAP;
}

static int blocks_height(const struct overview *overview)
{
    return overview->rows_per_block * overview->row_height - GALLERY_GAP;
}

/** As many blocks as bring the picture nearest to a page of 4 : 3. */
static void choose_blocks(struct overview *overview)
{
    struct overview best = *overview;
    double best_distance = INFINITY;
    for (int n = 1; n <= overview->n_rows && n <= OVERVIEW_BLOCKS; n++) {
        overview->rows_per_block = (overview->n_rows + n - 1) / n;
        overview->n_blocks = (overview->n_rows + overview->rows_per_block - 1) / overview->rows_per_block;
        double distance = fabs(log(blocks_width(overview) / (blocks_height(overview) * 4.0 / 3)));
        if (distance < best_distance) {
            best = *overview;
            best_distance = distance;
        }
    }
    *overview = best;
}

static void lay_out_overview(struct overview *overview, const struct gallery *gallery)
{
    overview->label_width = KIND_CHARACTERS * IMAGE_FONT_WIDTH;
    for (int i = 0; i < overview->n_rows; i++) {
        struct short_name name = text_shorten(gallery->subject->layers[overview->rows[i].layer].name);
        int width = image_text_width(name.text, 1);
        overview->label_width = width > overview->label_width ? width : overview->label_width;
    }
    overview->slot_width = unit_width(gallery, 1) + GALLERY_GAP;
    overview->row_height = gallery->height + GALLERY_CAPTION + GALLERY_GAP;
    choose_blocks(overview);
}

static void write_overview_heading(struct heading *heading, const struct gallery *gallery,
                                   const struct overview *overview)
{
    const struct subject *subject = gallery->subject;
    const struct group *group = gallery->group;
    const bool has_classes = subject->layers[overview->rows[overview->n_rows - 1].layer].kind == UNIT_CLASS;
    char best[64] = "", natural[NATURAL_NOTE_CAPACITY];
    describe_natural(gallery, natural);
    if (group->n_replicates > 1)
        snprintf(best, sizeof best, "; best of %zu replicates", group->n_replicates);
    snprintf(heading->lines[0], GALLERY_TEXT_CAPACITY, "%s", subject->name);
    snprintf(heading->lines[1], GALLERY_TEXT_CAPACITY, "%s exciting images: generator %s, method %s",
             group->minimise ? "least" : "most", subject->generators[group->generator],
             subject->methods[group->method]);
    snprintf(heading->lines[2], GALLERY_TEXT_CAPACITY,
             "up to %d of the n units of a layer, %s active first; numbers: activation%s%s%s", OVERVIEW_UNITS,
             group->minimise ? "least" : "most", has_classes ? " or class output" : "", best, natural);
}

static enum status draw_overview_row(struct image *image, int x, int y, const struct gallery *gallery,
                                     const struct overview *overview, const struct overview_row *row,
                                     struct error *error)
{
    const struct layer *layer = &gallery->subject->layers[row->layer];
    char text[GALLERY_TEXT_CAPACITY];
    int middle = y + gallery->height / 2, first = x + overview->label_width + GALLERY_GAP;
    image_text(image, x, middle - 3 * GALLERY_LINE / 2, 1, overview->label_width,
               text_shorten(layer->name).text);
    image_text(image, x, middle - GALLERY_LINE / 2, 1, overview->label_width, kind_names[layer->kind]);
    snprintf(text, sizeof text, "n = %zu", row->n_units);
    image_text(image, x, middle + GALLERY_LINE / 2, 1, overview->label_width, text);
    if (row->n_shown == 0)
        image_text(image, first, middle - GALLERY_LINE / 2, 1, gallery->slot, "none finished");
    for (int i = 0; i < row->n_shown; i++)
        TRY(draw_unit(image, first + i * overview->slot_width, y, gallery, row->shown[i],
                      (size_t)gallery->group->results[row->shown[i]].best_replicate, 1, error));
    return STATUS_OK;
}

static enum status draw_overview(const struct gallery *gallery, size_t *rows, const char *folder,
                                 struct error *error)
{
    char path[PATH_MAX];
    struct heading heading;
    struct image image = {0};
    struct overview overview = {0};
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(overview.rows, OVERVIEW_LAYERS, error));
    select_overview(&overview, gallery, rows);
    lay_out_overview(&overview, gallery);
    write_overview_heading(&heading, gallery, &overview);
    TRY_CLEANUP(image_make(gallery_picture_width(&heading, blocks_width(&overview)),
                           2 * GALLERY_MARGIN + gallery_heading_height() + blocks_height(&overview), &image,
                           error));
    gallery_draw_heading(&image, &heading);
    for (int i = 0; i < overview.n_rows; i++) {
        int block = i / overview.rows_per_block, line = i % overview.rows_per_block;
        TRY_CLEANUP(draw_overview_row(&image, GALLERY_MARGIN + block_left(&overview, block),
                                      GALLERY_MARGIN + gallery_heading_height() + line * overview.row_height,
                                      gallery, &overview, &overview.rows[i], error));
    }
    TRY_CLEANUP(path_of(folder, "overview.png", path, error));
    status = image_write(&image, path, error);
cleanup:
    image_free(&image);
    free(overview.rows);
    return status;
}

/* ---- All ---------------------------------------------------------------------------------------------- */

/** Makes sheets/GENERATOR/METHOD; `path` is as short as output_subject promises for one file name. */
static enum status make_folder(struct figure_context *context, const struct group *group, char path[PATH_MAX],
                               struct error *error)
{
    const char *const names[] = {"sheets", context->subject->generators[group->generator],
                                 context->subject->methods[group->method]};
    size_t length = (size_t)snprintf(path, PATH_MAX, "%s", context->folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[FILE_NAME_CAPACITY];
        output_file_name(names[i], name);
        length += (size_t)snprintf(path + length, PATH_MAX - length, "/%s", name);
        TRY(output_make_folder(path, error));
    }
    fprintf(
        context->output->index,
        "  %s/overview.png: the most active units of every layer; beside it LAYER_KIND_PAGE.png: all units\n",
        path + strlen(context->folder) + 1);
    return STATUS_OK;
}

static enum status draw_group(struct figure_context *context, const struct group *group, struct error *error)
{
    char folder[PATH_MAX];
    size_t *rows = NULL;
    const struct natural *natural = &context->subject->natural;
    struct gallery gallery = {.subject = context->subject, .group = group};
    enum status status;
    TRY_CLEANUP(make_folder(context, group, folder, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(rows, group->n_rows, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(gallery.pixels, input_row_elements(group, FIELD_MEI_RGB8), error));
    if (natural->n_images > 0)
        TRY_CLEANUP(
            MEMORY_ALLOCATE(gallery.natural, natural->height * natural->width * natural->channels, error));
    gallery_choose_size(&gallery, OVERVIEW_IMAGE);
    TRY_CLEANUP(draw_overview(&gallery, rows, folder, error));
    gallery_choose_size(&gallery, SHEET_IMAGE);
    for (int layer = 0; layer < context->subject->n_layers && status == STATUS_OK; layer++) {
        progress_report(&context->output->progress, group->where, (size_t)layer,
                        (size_t)context->subject->n_layers);
        status = draw_sheets(&gallery, layer, rows, folder, error);
    }
cleanup:
    free(rows);
    free(gallery.pixels);
    free(gallery.natural);
    return status;
}

enum status figure_sheets(struct figure_context *context, struct error *error)
{
    for (int i = 0; i < context->subject->n_groups; i++) {
        const struct group *group = &context->subject->groups[i];
        if (group->n_rows == 0 || input_row_elements(group, FIELD_MEI_RGB8) == 0)
            fprintf(context->output->index, "  %s: no images\n", group->where);
        else
            TRY(draw_group(context, group, error));
    }
    return STATUS_OK;
}
