/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "clock.h"
#include "hdf5_arrays.h"
#include "memory.h"
#include "natural_census.h"
#include "natural_statistics.h"

/** Everything that goes into the file; extents as in natural.h. */
struct table {
    char (*layer)[RECORD_TEXT_BYTES];
    int32_t *layer_index, *channel;
    uint8_t *kind;
    char (*class_name)[RECORD_TEXT_BYTES];
    int64_t *class_images;
    int64_t *top_image;
    int32_t *top_label;
    float *top_activation;
    uint8_t *top_rgb8;
    float *quantile, *mean, *std, *class_mean;
};

/** What a unit's row is made from. */
struct scratch {
    int32_t *labels; /**< [image] */
    float *values;   /**< [image] */
    float *sorted;   /**< [image] */
    unsigned char *bytes;
};

static enum status table_make(const struct natural *natural, struct table *table, struct error *error)
{
    const size_t n = natural->units.n_items, top = (size_t)natural->options->top;
    const size_t n_classes = (size_t)model_n_classes(natural->network.model);
    TRY(MEMORY_ALLOCATE(table->layer, n, error));
    TRY(MEMORY_ALLOCATE(table->layer_index, n, error));
    TRY(MEMORY_ALLOCATE(table->channel, n, error));
    TRY(MEMORY_ALLOCATE(table->kind, n, error));
    TRY(MEMORY_ALLOCATE(table->class_name, n_classes, error));
    TRY(MEMORY_ALLOCATE(table->class_images, n_classes, error));
    TRY(MEMORY_ALLOCATE(table->top_image, n * top, error));
    TRY(MEMORY_ALLOCATE(table->top_label, n * top, error));
    TRY(MEMORY_ALLOCATE(table->top_activation, n * top, error));
    if (natural->options->with_images)
        TRY(MEMORY_ALLOCATE(table->top_rgb8, n * top * dataset_image_values(natural->dataset), error));
    TRY(MEMORY_ALLOCATE(table->quantile, n * NATURAL_QUANTILES, error));
    TRY(MEMORY_ALLOCATE(table->mean, n, error));
    TRY(MEMORY_ALLOCATE(table->std, n, error));
    return MEMORY_ALLOCATE(table->class_mean, n * n_classes, error);
}

static void table_free(struct table *table)
{
    free(table->layer);
    free(table->layer_index);
    free(table->channel);
    free(table->kind);
    free(table->class_name);
    free(table->class_images);
    free(table->top_image);
    free(table->top_label);
    free(table->top_activation);
    free(table->top_rgb8);
    free(table->quantile);
    free(table->mean);
    free(table->std);
    free(table->class_mean);
}

/* ---- filling it ---- */

static void fill_classes(const struct natural *natural, const struct scratch *scratch, struct table *table)
{
    const struct model *model = natural->network.model;
    for (int c = 0; c < model_n_classes(model); c++)
        snprintf(table->class_name[c], RECORD_TEXT_BYTES, "%s", model_class_names(model)[c]);
    for (int64_t i = 0; i < natural->parts.n_images; i++)
        if (scratch->labels[i] >= 0)
            table->class_images[scratch->labels[i]]++;
}

static void name_unit(const struct natural *natural, size_t u, struct table *table)
{
    const struct model *model = natural->network.model;
    const struct unit *unit = &natural->units.items[u];
    snprintf(table->layer[u], RECORD_TEXT_BYTES, "%s", model_layer_name(model, unit->layer));
    table->layer_index[u] = plan_layer_index(model, unit->layer);
    table->kind[u] = (uint8_t)unit->kind;
    table->channel[u] = unit->channel;
}

/** [channel][y][x] -> [y][x][channel] */
static void interleave(struct map_shape shape, const unsigned char *bytes, uint8_t *pixels)
{
    const size_t n_pixels = (size_t)shape.height * (size_t)shape.width, channels = (size_t)shape.channels;
    for (size_t p = 0; p < n_pixels; p++)
        for (size_t c = 0; c < channels; c++)
            pixels[p * channels + c] = bytes[c * n_pixels + p];
}

static enum status fill_top(const struct natural *natural, size_t u, const struct scratch *scratch,
                            struct table *table, struct error *error)
{
    const int top = natural->options->top;
    const size_t n_values = dataset_image_values(natural->dataset);
    int64_t *images = table->top_image + u * (size_t)top;
    natural_rank(scratch->values, natural->parts.n_images, top, images);
    for (int k = 0; k < top; k++) {
        const size_t row = u * (size_t)top + (size_t)k;
        table->top_label[row] = scratch->labels[images[k]];
        table->top_activation[row] = scratch->values[images[k]];
        if (table->top_rgb8 == NULL)
            continue;
        TRY(dataset_read(natural->dataset, (size_t)images[k], scratch->bytes, error));
        interleave(model_input_shape(natural->network.model), scratch->bytes,
                   table->top_rgb8 + row * n_values);
    }
    return STATUS_OK;
}

static void collect_values(const struct natural_parts *parts, size_t u, float *values)
{
    for (int64_t chunk = 0; chunk < parts->n_chunks; chunk++) {
        const size_t n = (size_t)natural_chunk_images(parts, chunk);
        memcpy(values + natural_chunk_first(chunk), parts->chunks[chunk] + u * n, n * sizeof *values);
    }
}

static enum status fill_unit(const struct natural *natural, size_t u, const struct scratch *scratch,
                             struct table *table, struct error *error)
{
    const int64_t n = natural->parts.n_images;
    const int n_classes = model_n_classes(natural->network.model);
    name_unit(natural, u, table);
    collect_values(&natural->parts, u, scratch->values);
    natural_quantiles(scratch->values, n, scratch->sorted, table->quantile + u * NATURAL_QUANTILES);
    natural_moments(scratch->values, n, &table->mean[u], &table->std[u]);
    natural_class_means(scratch->values, scratch->labels, n, n_classes,
                        table->class_mean + u * (size_t)n_classes);
    return fill_top(natural, u, scratch, table, error);
}

static enum status fill(const struct natural *natural, struct table *table, struct error *error)
{
    const size_t n = (size_t)natural->parts.n_images;
    struct scratch scratch = {0};
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.labels, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.values, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.sorted, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch.bytes, dataset_image_values(natural->dataset), error));
    for (size_t i = 0; i < n; i++)
        scratch.labels[i] = dataset_label(natural->dataset, i);
    fill_classes(natural, &scratch, table);
    for (size_t u = 0; u < natural->units.n_items && status == STATUS_OK; u++)
        status = fill_unit(natural, u, &scratch, table, error);
cleanup:
    free(scratch.labels);
    free(scratch.values);
    free(scratch.sorted);
    free(scratch.bytes);
    return status;
}

/* ---- the file ---- */

/** An array of the file. A NULL `values` is left out. */
struct column {
    const char *name;
    enum record_type type;
    int n_dimensions;
    int64_t shape[5];
    const void *values;
    const char *units, *long_name, *description;
};

static enum status add_columns(struct hdf5_arrays *file, const struct column *columns, size_t n,
                               struct error *error)
{
    for (const struct column *c = columns; c < columns + n; c++) {
        if (c->values == NULL)
            continue;
        TRY(hdf5_arrays_add(file, c->name, c->type, c->n_dimensions, c->shape, c->values, c->units,
                            c->description, error));
        TRY(hdf5_arrays_set_text(file, c->name, "long_name", c->long_name, error));
    }
    return STATUS_OK;
}

static enum status write_names(const struct natural *natural, const struct table *table,
                               struct hdf5_arrays *file, struct error *error)
{
    const int64_t n = natural->parts.n_units, n_classes = model_n_classes(natural->network.model);
    const struct column columns[] = {
        {"unit/" RESULTS_LAYER, RECORD_TEXT, 1, {n}, table->layer, "1", "layer", "name of the unit's layer"},
        {"unit/" RESULTS_LAYER_INDEX,
         RECORD_INT32,
         1,
         {n},
         table->layer_index,
         "1",
         "number of the layer",
         "0 = first spiking (or selectable) layer; -1: class outputs"},
        {"unit/" RESULTS_KIND,
         RECORD_UINT8,
         1,
         {n},
         table->kind,
         "1",
         "kind of unit",
         "0 channel, 2 class output"},
        {"unit/" RESULTS_CHANNEL,
         RECORD_INT32,
         1,
         {n},
         table->channel,
         "1",
         "channel",
         "channel of the layer, or class, from 0"},
        {RESULTS_CLASS_NAME,
         RECORD_TEXT,
         1,
         {n_classes},
         table->class_name,
         "1",
         "class name",
         "name of the class output"},
        {"class_images",
         RECORD_INT64,
         1,
         {n_classes},
         table->class_images,
         "images",
         "images of the class",
         "images of the dataset with this label"},
        {"quantile_probability",
         RECORD_FLOAT64,
         1,
         {NATURAL_QUANTILES},
         natural_probabilities,
         "1",
         "probability",
         "probabilities of the quantiles"},
    };
    return add_columns(file, columns, sizeof columns / sizeof *columns, error);
}

static enum status write_values(const struct natural *natural, const struct table *table,
                                struct hdf5_arrays *file, struct error *error)
{
    const int64_t n = natural->parts.n_units, top = natural->options->top;
    const int64_t n_classes = model_n_classes(natural->network.model);
    const struct map_shape s = model_input_shape(natural->network.model);
    const struct column columns[] = {
        {"top_image",
         RECORD_INT64,
         2,
         {n, top},
         table->top_image,
         "1",
         "most exciting images",
         "[unit][place]: number of the image in the dataset, from 0; the most exciting first, of equally "
         "exciting ones the one with the lower number"},
        {"top_label",
         RECORD_INT32,
         2,
         {n, top},
         table->top_label,
         "1",
         "labels of the most exciting images",
         "[unit][place]: class of the image, -1 if it has no label"},
        {"top_activation",
         RECORD_FLOAT32,
         2,
         {n, top},
         table->top_activation,
         "1",
         "activations for the most exciting images",
         "[unit][place]: spiking channels: spikes / (T H W); other layers: mean output; classes: mean output "
         "over T"},
        {"top_rgb8",
         RECORD_UINT8,
         5,
         {n, top, s.height, s.width, s.channels},
         table->top_rgb8,
         "1",
         "most exciting images",
         "[unit][place][y][x][channel]: as in the dataset"},
        {"quantile",
         RECORD_FLOAT32,
         2,
         {n, NATURAL_QUANTILES},
         table->quantile,
         "1",
         "quantiles of the activation over the dataset",
         "[unit][probability]: at position p (n_images - 1) of the sorted activations, linear between "
         "neighbours"},
        {"mean", RECORD_FLOAT32, 1, {n}, table->mean, "1", "mean activation over the dataset", "[unit]"},
        {"std",
         RECORD_FLOAT32,
         1,
         {n},
         table->std,
         "1",
         "standard deviation of the activation over the dataset",
         "[unit]: divided by n_images"},
        {"class_mean",
         RECORD_FLOAT32,
         2,
         {n, n_classes},
         table->class_mean,
         "1",
         "mean activation over the images of each class",
         "[unit][class]: by the images' labels; NaN for a class without images"},
    };
    return add_columns(file, columns, sizeof columns / sizeof *columns, error);
}

static enum status write_attributes(const struct natural *natural, struct hdf5_arrays *file,
                                    struct error *error)
{
    const struct model *model = natural->network.model;
    const char *neuron = natural->options->network.neuron;
    const char *const texts[][2] = {
        {"format", "meicensus natural references"},
        {"title", "most exciting images of a dataset for every unit"},
        {"source", "meicensus natural"},
        {"model", model_name(model)},
        {"model_sha256", model_sha256(model)},
        {"tensors_sha256", model_tensors_sha256(model)},
        {"neuron", neuron == NULL ? "as in the model file" : neuron},
        {"kernels", natural->network.backend.identity},
        {"dataset_sha256", natural->dataset_sha256},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        TRY(hdf5_arrays_set_text(file, "/", texts[i][0], texts[i][1], error));
    TRY(hdf5_arrays_set_number(file, "/", "format_version", 1, error));
    TRY(hdf5_arrays_set_number(file, "/", "timesteps", model_timesteps(model), error));
    return hdf5_arrays_set_number(file, "/", "n_images", (double)natural->parts.n_images, error);
}

static enum status write_provenance(const struct natural *natural, struct hdf5_arrays *file,
                                    struct error *error)
{
    char host[128] = "?", date[CLOCK_DATE_CAPACITY];
    const double seconds = clock_seconds() - natural->started;
    const struct column column = {"provenance/seconds",
                                  RECORD_FLOAT64,
                                  1,
                                  {1},
                                  &seconds,
                                  "s",
                                  "wall time",
                                  "of the last start of the command"};
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
    TRY(add_columns(file, &column, 1, error)); /* makes the group */
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        TRY(hdf5_arrays_set_text(file, "provenance", texts[i][0], texts[i][1], error));
    TRY(hdf5_arrays_set_number(file, "provenance", "images_shown", (double)natural->n_shown, error));
    return hdf5_arrays_set_number(file, "provenance", "ranks", natural->ranks.n_ranks, error);
}

static enum status write_file(const struct natural *natural, const struct table *table, struct error *error)
{
    struct hdf5_arrays *file = NULL;
    enum status status;
    TRY(hdf5_arrays_create(natural->options->output, &file, error));
    TRY_CLEANUP(write_attributes(natural, file, error));
    TRY_CLEANUP(write_names(natural, table, file, error));
    TRY_CLEANUP(write_values(natural, table, file, error));
    TRY_CLEANUP(write_provenance(natural, file, error));
    status = hdf5_arrays_publish(file, error);
    file = NULL;
cleanup:
    hdf5_arrays_discard(file);
    return status;
}

enum status natural_write(const struct natural *natural, struct error *error)
{
    struct table table = {0};
    enum status status = table_make(natural, &table, error);
    if (status == STATUS_OK)
        status = fill(natural, &table, error);
    if (status == STATUS_OK)
        status = write_file(natural, &table, error);
    table_free(&table);
    return status;
}
