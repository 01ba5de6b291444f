/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "clock.h"
#include "memory.h"
#include "natural_census.h"
#include "natural_statistics.h"

/** What a unit's row is made from. */
struct scratch {
    int32_t *labels;      /**< [image] */
    float *values, *part; /**< [image] */
    double *class_sums;   /**< [class] */
};

/* ---- sizes and names ---- */

static enum status describe(const struct natural *natural, struct natural_origin *origin, struct error *error)
{
    const struct model *model = natural->network.model;
    origin->timesteps = model_timesteps(model);
    origin->n_images = natural->parts.n_images;
    TRY(memory_copy_text(&origin->model, model_name(model), error));
    TRY(memory_copy_text(&origin->model_sha256, model_sha256(model), error));
    TRY(memory_copy_text(&origin->tensors_sha256, model_tensors_sha256(model), error));
    TRY(memory_copy_text(&origin->neuron, natural->constants, error));
    TRY(memory_copy_text(&origin->kernels, natural->network.backend.identity, error));
    return memory_copy_text(&origin->dataset_sha256, natural->dataset_sha256, error);
}

static enum status make_table(const struct natural *natural, struct natural_table *table, struct error *error)
{
    const struct map_shape shape = model_input_shape(natural->network.model);
    table->size[NATURAL_UNITS] = natural->parts.n_units;
    table->size[NATURAL_PLACES] = natural->options->top;
    table->size[NATURAL_PROBABILITIES] = NATURAL_QUANTILES;
    table->size[NATURAL_CLASSES] = model_n_classes(natural->network.model);
    table->size[NATURAL_ROWS] = shape.height;
    table->size[NATURAL_COLUMNS] = shape.width;
    table->size[NATURAL_COLOURS] = shape.channels;
    TRY(natural_table_make(table, error));
    memcpy(table->probability, natural_probabilities, sizeof natural_probabilities);
    return describe(natural, &table->origin, error);
}

static void name_unit(const struct natural *natural, size_t u, struct natural_table *table)
{
    const struct model *model = natural->network.model;
    const struct unit *unit = &natural->units.items[u];
    snprintf(table->layer[u], sizeof table->layer[u], "%s",
             unit->kind == UNIT_CLASS ? "class" : model_layer_name(model, unit->layer));
    table->layer_index[u] = plan_layer_index(model, unit->layer);
    table->kind[u] = (uint8_t)unit->kind;
    table->channel[u] = unit->channel;
}

/* ---- units ---- */

static void fill_classes(const struct natural *natural, const struct scratch *scratch,
                         struct natural_table *table)
{
    const struct model *model = natural->network.model;
    for (int c = 0; c < model_n_classes(model); c++)
        snprintf(table->class_name[c], sizeof table->class_name[c], "%s", model_class_names(model)[c]);
    for (int64_t i = 0; i < natural->parts.n_images; i++)
        if (scratch->labels[i] >= 0)
            table->class_images[scratch->labels[i]]++;
}

static void fill_top(const struct natural *natural, size_t u, const struct scratch *scratch,
                     struct natural_table *table)
{
    const int top = natural->options->top;
    int64_t *images = table->top_image + u * (size_t)top;
    natural_rank(scratch->values, natural->parts.n_images, top, images);
    for (int k = 0; k < top; k++) {
        table->top_label[u * (size_t)top + (size_t)k] = scratch->labels[images[k]];
        table->top_activation[u * (size_t)top + (size_t)k] = scratch->values[images[k]];
    }
}

static void collect_values(const struct natural_parts *parts, size_t u, float *values)
{
    for (int64_t chunk = 0; chunk < parts->n_chunks; chunk++) {
        const size_t n = (size_t)natural_chunk_images(parts, chunk);
        memcpy(values + natural_chunk_first(chunk), parts->chunks[chunk] + u * n, n * sizeof *values);
    }
}

static void fill_unit(const struct natural *natural, size_t u, const struct scratch *scratch,
                      struct natural_table *table)
{
    const int64_t n = natural->parts.n_images, n_classes = table->size[NATURAL_CLASSES];
    name_unit(natural, u, table);
    collect_values(&natural->parts, u, scratch->values);
    natural_quantiles(scratch->values, n, scratch->part, table->quantile + u * NATURAL_QUANTILES);
    natural_moments(scratch->values, n, &table->mean[u], &table->std[u]);
    natural_class_means(scratch->values, scratch->labels, n, table->class_images, (int)n_classes,
                        scratch->class_sums, table->class_mean + u * (size_t)n_classes);
    fill_top(natural, u, scratch, table);
}

static enum status fill(const struct natural *natural, struct natural_table *table, struct error *error)
{
    const size_t n = (size_t)natural->parts.n_images;
    struct scratch scratch = {0};
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.labels, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.values, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.part, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.class_sums, (size_t)table->size[NATURAL_CLASSES], error));
    for (size_t i = 0; i < n; i++)
        scratch.labels[i] = dataset_label(natural->dataset, i);
    fill_classes(natural, &scratch, table);
    for (size_t u = 0; u < natural->units.n_items; u++)
        fill_unit(natural, u, &scratch, table);
cleanup:
    free(scratch.labels);
    free(scratch.values);
    free(scratch.part);
    free(scratch.class_sums);
    return status;
}

/* ---- images ---- */

/** [channel][y][x] -> [y][x][channel] */
static void interleave(struct map_shape shape, const unsigned char *bytes, uint8_t *pixels)
{
    const size_t n_pixels = (size_t)shape.height * (size_t)shape.width, channels = (size_t)shape.channels;
    for (size_t p = 0; p < n_pixels; p++)
        for (size_t c = 0; c < channels; c++)
            pixels[p * channels + c] = bytes[c * n_pixels + p];
}

static enum status read_images(const struct natural *natural, const struct natural_table *table,
                               struct error *error)
{
    const size_t n_values = dataset_image_values(natural->dataset);
    unsigned char *bytes = NULL;
    TRY(MEMORY_ALLOCATE(bytes, n_values, error));
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < table->size[NATURAL_IMAGES] && status == STATUS_OK; i++) {
        status = dataset_read(natural->dataset, (size_t)table->image[i], bytes, error);
        if (status == STATUS_OK)
            interleave(model_input_shape(natural->network.model), bytes, table->rgb8 + (size_t)i * n_values);
    }
    free(bytes);
    return status;
}

/* ---- the file ---- */

static enum status write_provenance(const struct natural *natural, struct hdf5_arrays *file,
                                    struct error *error)
{
    char host[128] = "?", date[CLOCK_DATE_CAPACITY];
    const double seconds = clock_seconds() - natural->started;
    const int64_t one = 1;
    gethostname(host, sizeof host - 1);
    clock_date(date);
    const char *const texts[][2] = {
        {"program_version", build_version},
        {"code_revision", build_code_revision},
        {"compiler", build_compiler},
        {"flags", build_flags},
        {"host", host},
        {"date", date},
        {"data", natural->options->data},
        {"model_file", natural->options->network.model},
        {"settings", natural->parts.facts},
    };
    TRY(hdf5_arrays_add(file, "provenance/seconds", RECORD_FLOAT64, 1, &one, &seconds, "s",
                        "wall time of the last start of the command", error)); /* makes the group */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        TRY(hdf5_arrays_set_text(file, "provenance", texts[i][0], texts[i][1], error));
    TRY(hdf5_arrays_set_number(file, "provenance", "images_shown", (double)natural->n_shown, error));
    return hdf5_arrays_set_number(file, "provenance", "ranks", natural->ranks.n_ranks, error);
}

static enum status write_file(const struct natural *natural, const struct natural_table *table,
                              struct error *error)
{
    struct hdf5_arrays *file = NULL;
    enum status status;
    TRY(hdf5_arrays_create(natural->options->output, &file, error));
    TRY_CLEANUP(natural_file_add(file, table, error));
    TRY_CLEANUP(write_provenance(natural, file, error));
    status = hdf5_arrays_publish(file, error);
    file = NULL;
cleanup:
    hdf5_arrays_discard(file);
    return status;
}

enum status natural_write(const struct natural *natural, struct error *error)
{
    struct natural_table table = {0};
    enum status status;
    TRY_CLEANUP(make_table(natural, &table, error));
    TRY_CLEANUP(fill(natural, &table, error));
    if (natural->options->images > 0) {
        TRY_CLEANUP(natural_table_list_images(&table, natural->options->images, NULL, error));
        TRY_CLEANUP(read_images(natural, &table, error));
    }
    status = write_file(natural, &table, error);
cleanup:
    natural_table_free(&table);
    return status;
}
