/* SPDX-License-Identifier: MIT */
#include "subject_sheets.h"

#include <stdlib.h>
#include <string.h>

#include "gallery.h"
#include "memory.h"

enum { IMAGE_GAP = 4, IMAGE_SIZE = 96, MOST_LINES = 32 };

static const char *const kind_names[] = {
    [UNIT_CHANNEL] = "channels", [UNIT_NEURON] = "neurons", [UNIT_CLASS] = "outputs"};

/** A set as its sheets show it: a unit is a strip of images, a subject each. */
struct sheet {
    const struct shared *shared;
    const struct shared_set *set;
    struct gallery *galleries; /**< [subject]; without a group: not searched */
    int slot, height;          /**< of the largest image */
    int columns, lines;        /**< strips of a page */
    int strip_width, strip_height;
};

static bool has_images(const struct group *group)
{
    return group != NULL && input_row_elements(group, FIELD_MEI_RGB8) > 0;
}

static void lay_out(struct sheet *sheet)
{
    const int n_subjects = sheet->shared->input->n_subjects;
    sheet->strip_width = n_subjects * (sheet->slot + IMAGE_GAP) - IMAGE_GAP + 2 * GALLERY_GAP;
    sheet->strip_height = GALLERY_LINE + sheet->height + GALLERY_CAPTION + GALLERY_GAP;
    const int most = (GALLERY_PICTURE_WIDTH - 2 * GALLERY_MARGIN) / sheet->strip_width;
    const int needed = ((int)sheet->set->n_units + 7) / 8; /* a short list stays narrow */
    sheet->columns = needed < most ? needed : most;
    sheet->columns = sheet->columns < 1 ? 1 : sheet->columns;
    sheet->lines = MOST_LINES;
}

static enum status sheet_make(const struct shared *shared, const struct shared_set *set, struct sheet *sheet,
                              struct error *error)
{
    const int n_subjects = shared->input->n_subjects;
    *sheet = (struct sheet){
        .shared = shared, .set = set, .slot = GALLERY_SLOT_WIDTH, .height = GALLERY_SLOT_WIDTH};
    TRY(MEMORY_ALLOCATE(sheet->galleries, (size_t)n_subjects, error));
    for (int i = 0; i < n_subjects; i++) {
        struct gallery *gallery = &sheet->galleries[i];
        if (!has_images(set->groups[i]))
            continue;
        *gallery = (struct gallery){.subject = &shared->input->subjects[i], .group = set->groups[i]};
        TRY(MEMORY_ALLOCATE(gallery->pixels, input_row_elements(gallery->group, FIELD_MEI_RGB8), error));
        gallery_choose_size(gallery, IMAGE_SIZE);
        sheet->slot = gallery->slot > sheet->slot ? gallery->slot : sheet->slot;
        sheet->height = gallery->height > sheet->height ? gallery->height : sheet->height;
    }
    lay_out(sheet);
    return STATUS_OK;
}

static void sheet_free(struct sheet *sheet)
{
    for (int i = 0; sheet->galleries != NULL && i < sheet->shared->input->n_subjects; i++)
        free(sheet->galleries[i].pixels);
    free(sheet->galleries);
}

/** The MEI of the best replicate of one subject, its name and the activation below it. */
static enum status draw_subject(struct image *image, int x, int y, const struct sheet *sheet, int subject,
                                int64_t row, struct error *error)
{
    const struct gallery *gallery = &sheet->galleries[subject];
    if (row < 0 || gallery->group == NULL) {
        image_text(image, x, y + sheet->height / 2, 1, sheet->slot, row < 0 ? "not searched" : "no image");
    } else {
        const int best = gallery->group->results[row].best_replicate;
        TRY(input_read(gallery->group, FIELD_MEI_RGB8, (size_t)row, 1, gallery->pixels, error));
        gallery_draw_run(image, x, y, gallery, (size_t)row, best < 0 ? 0 : (size_t)best);
    }
    image_text(image, x, y + (gallery->group == NULL ? sheet->height : gallery->height) + 4, 1, sheet->slot,
               sheet->shared->input->subjects[subject].name);
    return STATUS_OK;
}

static enum status draw_strip(struct image *image, int x, int y, const struct sheet *sheet, size_t unit,
                              struct error *error)
{
    const int n_subjects = sheet->shared->input->n_subjects;
    const int64_t *rows = sheet->set->rows + unit * (size_t)n_subjects;
    char text[GALLERY_TEXT_CAPACITY];
    for (int i = 0; i < n_subjects; i++)
        if (rows[i] >= 0) {
            const struct gallery named = {.subject = &sheet->shared->input->subjects[i],
                                          .group = sheet->set->groups[i]};
            gallery_describe_unit(&named, (size_t)rows[i], text);
            image_text(image, x, y, 1, sheet->strip_width, text);
            break;
        }
    for (int i = 0; i < n_subjects; i++)
        TRY(draw_subject(image, x + i * (sheet->slot + IMAGE_GAP), y + GALLERY_LINE, sheet, i, rows[i],
                         error));
    return STATUS_OK;
}

static void write_heading(struct heading *heading, const struct sheet *sheet, size_t page, size_t n_pages)
{
    const struct shared_set *set = sheet->set;
    char pages[64] = "";
    if (n_pages > 1)
        snprintf(pages, sizeof pages, "; page %zu of %zu", page + 1, n_pages);
    snprintf(heading->lines[0], GALLERY_TEXT_CAPACITY, "%s %s in %d subjects", set->layer->name,
             kind_names[set->layer->kind], sheet->shared->input->n_subjects);
    snprintf(heading->lines[1], GALLERY_TEXT_CAPACITY, "generator %s, method %s", set->generator,
             set->method);
    snprintf(heading->lines[2], GALLERY_TEXT_CAPACITY,
             "n = %zu units, subjects in the job's order; best replicate; numbers: %s%s", set->n_units,
             set->layer->kind == UNIT_CLASS ? "class output" : "activation", pages);
}

static enum status draw_page(const struct sheet *sheet, size_t page, const char *path, struct error *error)
{
    const size_t capacity = (size_t)(sheet->columns * sheet->lines), first = page * capacity;
    const size_t left = sheet->set->n_units - first, n = left < capacity ? left : capacity;
    const int lines = ((int)n + sheet->columns - 1) / sheet->columns;
    struct heading heading;
    struct image image = {0};
    enum status status;
    write_heading(&heading, sheet, page, (sheet->set->n_units + capacity - 1) / capacity);
    TRY_CLEANUP(
        image_make(gallery_picture_width(&heading, sheet->columns * sheet->strip_width - GALLERY_GAP),
                   2 * GALLERY_MARGIN + gallery_heading_height() + lines * sheet->strip_height - GALLERY_GAP,
                   &image, error));
    gallery_draw_heading(&image, &heading);
    for (size_t i = 0; i < n; i++)
        TRY_CLEANUP(
            draw_strip(&image, GALLERY_MARGIN + (int)i / lines * sheet->strip_width,
                       GALLERY_MARGIN + gallery_heading_height() + (int)i % lines * sheet->strip_height,
                       sheet, first + i, error));
    status = image_write(&image, path, error);
cleanup:
    image_free(&image);
    return status;
}

/** Makes sheets/GENERATOR/METHOD. */
static enum status make_folder(const struct figure_context *context, const struct shared_set *set,
                               char path[PATH_MAX], struct error *error)
{
    const char *const names[] = {"sheets", set->generator, set->method};
    size_t length = (size_t)snprintf(path, PATH_MAX, "%s", context->folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[FILE_NAME_CAPACITY];
        output_file_name(names[i], name);
        length += (size_t)snprintf(path + length, PATH_MAX - length, "/%s", name);
        TRY(output_make_folder(path, error));
    }
    return STATUS_OK;
}

static enum status draw_set(struct figure_context *context, const struct sheet *sheet, struct error *error)
{
    char folder[PATH_MAX], layer[FILE_NAME_CAPACITY], path[PATH_MAX];
    const struct shared_set *set = sheet->set;
    const size_t capacity = (size_t)(sheet->columns * sheet->lines);
    TRY(make_folder(context, set, folder, error));
    output_file_name(set->layer->name, layer);
    for (size_t page = 0; page * capacity < set->n_units; page++) {
        if (snprintf(path, sizeof path, "%s/%s_%s_%zu.png", folder, layer, kind_names[set->layer->kind],
                     page + 1) >= (int)sizeof path)
            return error_set(error, STATUS_USAGE, "%s: the path of the output folder is too long", folder);
        TRY(draw_page(sheet, page, path, error));
    }
    return STATUS_OK;
}

enum status subject_sheets(struct figure_context *context, const struct shared *shared, struct error *error)
{
    struct sheet sheet = {0};
    enum status status = STATUS_OK;
    for (int i = 0; i < shared->n_sets && status == STATUS_OK; i++) {
        progress_report(&context->output->progress, "sheets of subjects", (size_t)i, (size_t)shared->n_sets);
        status = sheet_make(shared, &shared->sets[i], &sheet, error);
        if (status == STATUS_OK)
            status = draw_set(context, &sheet, error);
        sheet_free(&sheet);
    }
    fprintf(
        context->output->index,
        "  sheets/GENERATOR/METHOD/LAYER_KIND_PAGE.png: the images, a unit a strip, a subject a column\n");
    return status;
}
