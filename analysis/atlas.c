/* SPDX-License-Identifier: MIT */
#include "atlas.h"

#include <stdlib.h>
#include <string.h>

#include "atlas_layer.h"
#include "json.h"
#include "memory.h"
#include "sprites.h"

/* ---- The page ----------------------------------------------------------------------------------------- */

/* Names that the linker gives to embedded files. */
extern const char _binary_index_html_start[], _binary_index_html_end[];
extern const char _binary_atlas_css_start[], _binary_atlas_css_end[];
extern const char _binary_atlas_js_start[], _binary_atlas_js_end[];

static enum status open_file(const char *folder, const char *name, char path[PATH_MAX], FILE **file,
                             struct error *error)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX - NAME_MAX)
        return error_set(error, STATUS_USAGE, "%s: the path of the output folder is too long", folder);
    *file = fopen(path, "w");
    return *file != NULL ? STATUS_OK : error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
}

/** `status` if that is a fault already. */
static enum status close_file(FILE *file, const char *path, enum status status, struct error *error)
{
    const bool failed = ferror(file) != 0;
    if ((fclose(file) != 0 || failed) && status == STATUS_OK)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    return status;
}

static enum status write_pages(const char *folder, struct error *error)
{
    const struct {
        const char *name, *start, *end;
    } pages[] = {{"index.html", _binary_index_html_start, _binary_index_html_end},
                 {"atlas.css", _binary_atlas_css_start, _binary_atlas_css_end},
                 {"atlas.js", _binary_atlas_js_start, _binary_atlas_js_end}};
    char path[PATH_MAX];
    FILE *file = NULL;
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        TRY(open_file(folder, pages[i].name, path, &file, error));
        fwrite(pages[i].start, 1, (size_t)(pages[i].end - pages[i].start), file);
        TRY(close_file(file, path, STATUS_OK, error));
    }
    return STATUS_OK;
}

/* ---- The index ---------------------------------------------------------------------------------------- */

static void write_sheet(FILE *file, size_t n, int64_t height, int64_t width, const char *name)
{
    struct sprites sprites;
    struct error error = {0};
    if (n == 0 || sprites_begin(&sprites, "", n, height, width, 1, &error) != STATUS_OK) {
        fputs(",\"sheet\":null", file);
        return;
    }
    fprintf(file, ",\"sheet\":{\"width\":%lld,\"height\":%lld,\"columns\":%zu,\"rows\":%zu,\"name\":\"%s\"}",
            (long long)width, (long long)height, sprites.columns, sprites.rows, name);
}

static void write_group(FILE *file, const struct subject *subject, const struct group *group)
{
    fputs("{\"generator\":", file);
    json_text(file, subject->generators[group->generator]);
    fputs(",\"method\":", file);
    json_text(file, subject->methods[group->method]);
    fputs(",\"noise\":", file);
    json_text(file, group->noise);
    fprintf(file,
            ",\"replicates\":%zu,\"trials\":%lld,\"latent_points\":%lld,\"minimise\":%s,\"shared\":%s,"
            "\"chained\":%s",
            group->n_replicates, (long long)group->sizes.trials, (long long)group->latent_points,
            group->minimise ? "true" : "false", group->is_shared ? "true" : "false",
            group->is_chained ? "true" : "false");
    write_sheet(file, input_row_elements(group, FIELD_MEI_RGB8), group->sizes.height, group->sizes.width, "");
    fputs(",\"history_queries\":[", file);
    for (int64_t i = 0; i < group->sizes.history; i++)
        fprintf(file, "%s%lld", i == 0 ? "" : ",", (long long)group->history_queries[i]);
    fputs("],\"classes\":[", file);
    for (int64_t i = 0; i < group->sizes.classes; i++) {
        fputs(i == 0 ? "" : ",", file);
        json_text(file, group->class_names[i]);
    }
    fputs("]}", file);
}

/** With the units of the layer that each group was to search. */
static void write_layer_entry(FILE *file, const struct subject *subject, int layer)
{
    char label[NAME_CAPACITY + 16];
    input_layer_label(&subject->layers[layer], label);
    fputs("{\"label\":", file);
    json_text(file, label);
    fprintf(file, ",\"kind\":%d,\"units\":[", (int)subject->layers[layer].kind);
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *group = &subject->groups[i];
        size_t n = 0;
        for (size_t row = 0; row < group->n_rows; row++)
            n += input_layer_of(subject, group, row) == layer;
        fprintf(file, "%s%zu", i == 0 ? "" : ",", n);
    }
    fputs("]}", file);
}

static void write_subject(FILE *file, const struct subject *subject, int number)
{
    char name[32];
    snprintf(name, sizeof name, "%d-natural", number);
    fputs("{\"name\":", file);
    json_text(file, subject->name);
    fputs(",\"groups\":[", file);
    for (int i = 0; i < subject->n_groups; i++) {
        fputs(i == 0 ? "\n" : ",\n", file);
        write_group(file, subject, &subject->groups[i]);
    }
    fputs("],\n\"layers\":[", file);
    for (int i = 0; i < subject->n_layers; i++) {
        fputs(i == 0 ? "\n" : ",\n", file);
        write_layer_entry(file, subject, i);
    }
    fprintf(file, "],\n\"natural\":{\"images\":%lld", (long long)subject->natural.n_dataset);
    write_sheet(file, subject->natural.n_images, (int64_t)subject->natural.height,
                (int64_t)subject->natural.width, name);
    fputs("}}", file);
}

static enum status write_index(const char *folder, const struct input *input, struct error *error)
{
    const char *slash = strrchr(input->path, '/');
    char path[PATH_MAX];
    FILE *file = NULL;
    TRY(open_file(folder, "data/index.js", path, &file, error));
    fputs("atlasIndex({\"file\":", file);
    json_text(file, slash == NULL ? input->path : slash + 1);
    fputs(",\"subjects\":[\n", file);
    for (int i = 0; i < input->n_subjects; i++) {
        fputs(i == 0 ? "" : ",\n", file);
        write_subject(file, &input->subjects[i], i);
    }
    fputs("]});\n", file);
    return close_file(file, path, STATUS_OK, error);
}

/* ---- Layers ------------------------------------------------------------------------------------------- */

static enum status write_layer(const char *folder, const struct subject *subject, int number, int layer,
                               struct error *error)
{
    char name[64], path[PATH_MAX];
    FILE *file = NULL;
    snprintf(name, sizeof name, "data/%d-%d.js", number, layer);
    TRY(open_file(folder, name, path, &file, error));
    fprintf(file, "atlasLayer(\"%d-%d\",", number, layer);
    enum status status = atlas_layer(file, subject, layer, error);
    fputs(");\n", file);
    return close_file(file, path, status, error);
}

/** MEIs of all finished runs of a layer: tile = place of the unit in the layer * replicates + replicate. */
static enum status write_images(const char *path, const struct subject *subject, const struct group *group,
                                int layer, struct error *error)
{
    const size_t n_pixels = (size_t)(group->sizes.height * group->sizes.width * group->sizes.channels);
    struct sprites sprites = {0};
    uint8_t *pixels = NULL;
    size_t n_units = 0, place = 0;
    enum status status;
    for (size_t unit = 0; unit < subject->n_units; unit++)
        n_units += subject->units[unit].layer == layer;
    TRY_CLEANUP(sprites_begin(&sprites, path, n_units * group->n_replicates, group->sizes.height,
                              group->sizes.width, group->sizes.channels, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(pixels, group->n_replicates * n_pixels, error));
    for (size_t unit = 0; unit < subject->n_units; unit++) {
        const int64_t row = group->row_of_unit[unit];
        if (subject->units[unit].layer != layer)
            continue;
        if (row >= 0)
            TRY_CLEANUP(input_read(group, FIELD_MEI_RGB8, (size_t)row, 1, pixels, error));
        for (size_t i = 0; row >= 0 && i < group->n_replicates; i++)
            if (input_run_done(group, (size_t)row, i))
                TRY_CLEANUP(
                    sprites_add(&sprites, place * group->n_replicates + i, pixels + i * n_pixels, error));
        place++;
    }
    status = sprites_end(&sprites, error);
cleanup:
    sprites_free(&sprites);
    free(pixels);
    return status;
}

static enum status write_natural_images(const char *path, const struct natural *natural, struct error *error)
{
    struct sprites sprites = {0};
    uint8_t *pixels = NULL;
    enum status status;
    TRY_CLEANUP(sprites_begin(&sprites, path, natural->n_images, (int64_t)natural->height,
                              (int64_t)natural->width, (int64_t)natural->channels, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(pixels, natural->height * natural->width * natural->channels, error));
    for (size_t i = 0; i < natural->n_images; i++) {
        TRY_CLEANUP(natural_read_pixels(natural, i, pixels, error));
        TRY_CLEANUP(sprites_add(&sprites, i, pixels, error));
    }
    status = sprites_end(&sprites, error);
cleanup:
    sprites_free(&sprites);
    free(pixels);
    return status;
}

static enum status write_subject_files(struct output *output, const char *folder,
                                       const struct subject *subject, int number, struct error *error)
{
    char path[2 * PATH_MAX];
    for (int layer = 0; layer < subject->n_layers; layer++) {
        progress_report(&output->progress, "atlas", (size_t)layer, (size_t)subject->n_layers);
        TRY(write_layer(folder, subject, number, layer, error));
        for (int i = 0; i < subject->n_groups; i++) {
            snprintf(path, sizeof path, "%s/images/%d-%d-%d", folder, number, i, layer);
            if (input_row_elements(&subject->groups[i], FIELD_MEI_RGB8) > 0)
                TRY(write_images(path, subject, &subject->groups[i], layer, error));
        }
    }
    snprintf(path, sizeof path, "%s/images/%d-natural", folder, number);
    return subject->natural.n_images == 0 ? STATUS_OK : write_natural_images(path, &subject->natural, error);
}

enum status atlas_write(struct output *output, const struct input *input, struct error *error)
{
    static const char *const folders[] = {"", "/data", "/images"};
    char folder[PATH_MAX], path[PATH_MAX + 16];
    if (snprintf(folder, sizeof folder, "%s/" OUTPUT_ATLAS, output->folder) >= PATH_MAX - NAME_MAX)
        return error_set(error, STATUS_USAGE, "%s: the path of the output folder is too long",
                         output->folder);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", folder, folders[i]);
        TRY(output_make_folder(path, error));
    }
    TRY(write_pages(folder, error));
    TRY(write_index(folder, input, error));
    for (int i = 0; i < input->n_subjects; i++)
        TRY(write_subject_files(output, folder, &input->subjects[i], i, error));
    fprintf(output->index, "\n\n" OUTPUT_ATLAS
                           "/index.html: every unit, to look at in a browser; the folder can be moved\n");
    return STATUS_OK;
}
