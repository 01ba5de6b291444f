/* SPDX-License-Identifier: MIT */
#include "natural_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "results.h"

enum { MAX_DIMENSIONS = 4, PATH_CAPACITY = 512 };

/** Names of the dimensions, and of their scales. */
static const char *const extent_names[N_NATURAL_EXTENTS] = {
    [NATURAL_UNITS] = RESULTS_UNIT,          [NATURAL_PLACES] = NATURAL_PLACE,
    [NATURAL_PROBABILITIES] = "probability", [NATURAL_CLASSES] = RESULTS_CLASS_NAME,
    [NATURAL_IMAGES] = NATURAL_IMAGE,        [NATURAL_ROWS] = RESULTS_Y,
    [NATURAL_COLUMNS] = RESULTS_X,           [NATURAL_COLOURS] = "colour",
};

/** An array: where it is in the table and in a file. */
struct field {
    const char *name;
    enum record_type type;
    int n_dimensions;
    enum natural_extent extents[MAX_DIMENSIONS];
    size_t offset;
    bool of_images; /**< left out where there are none */
    bool of_units;  /**< says which units these are: natural.h5 only, results files have /units */
    const char *units, *long_name, *description;
};

#define ARRAY(name, type, member, units, long_name, description, ...)                                        \
    {                                                                                                        \
        name, type, sizeof((enum natural_extent[]){__VA_ARGS__}) / sizeof(enum natural_extent),              \
            {__VA_ARGS__}, offsetof(struct natural_table, member), false, false, units, long_name,           \
            description                                                                                      \
    }
#define IMAGE_ARRAY(name, type, member, units, long_name, description, ...)                                  \
    {                                                                                                        \
        name, type, sizeof((enum natural_extent[]){__VA_ARGS__}) / sizeof(enum natural_extent),              \
            {__VA_ARGS__}, offsetof(struct natural_table, member), true, false, units, long_name,            \
            description                                                                                      \
    }
#define UNIT_ARRAY(name, type, member, long_name, description)                                               \
    {                                                                                                        \
        name, type, 1, {NATURAL_UNITS}, offsetof(struct natural_table, member), false, true, "1", long_name, \
            description                                                                                      \
    }

/* Scales go before the arrays that have their dimension. */
static const struct field fields[] = {
    ARRAY(RESULTS_UNIT, RECORD_INT32, unit, "1", "unit",
          "row of the subject's table in /units; in a file of natural references, from 0", NATURAL_UNITS),
    ARRAY(NATURAL_PLACE, RECORD_INT32, place, "1", "place", "0 is the most exciting image", NATURAL_PLACES),
    ARRAY("probability", RECORD_FLOAT64, probability, "1", "probability", "of the quantiles",
          NATURAL_PROBABILITIES),
    ARRAY(RESULTS_CLASS_NAME, RECORD_TEXT, class_name, "1", "class name", "name of the class output",
          NATURAL_CLASSES),
    IMAGE_ARRAY(NATURAL_IMAGE, RECORD_INT64, image, "1", "image",
                "number of the image in the dataset, from 0; rising", NATURAL_IMAGES),
    IMAGE_ARRAY(RESULTS_Y, RECORD_INT32, row, "pixels", "image row", "from 0 at the top", NATURAL_ROWS),
    IMAGE_ARRAY(RESULTS_X, RECORD_INT32, column, "pixels", "image column", "from 0 at the left",
                NATURAL_COLUMNS),
    IMAGE_ARRAY("colour", RECORD_INT32, colour, "1", "colour channel", "red, green, blue; or grey",
                NATURAL_COLOURS),
    UNIT_ARRAY(RESULTS_LAYER, RECORD_TEXT, layer, "layer", "name of the unit's layer"),
    UNIT_ARRAY(RESULTS_LAYER_INDEX, RECORD_INT32, layer_index, "number of the layer",
               "0 is the first selectable layer; -1: class outputs"),
    UNIT_ARRAY(RESULTS_KIND, RECORD_UINT8, kind, "kind of unit", "0 channel, 2 class output"),
    UNIT_ARRAY(RESULTS_CHANNEL, RECORD_INT32, channel, "channel",
               "channel in the layer, or number of the class"),
    ARRAY("class_images", RECORD_INT64, class_images, "images", "images of the class",
          "images of the dataset with this label", NATURAL_CLASSES),
    ARRAY(NATURAL_TOP_IMAGE, RECORD_INT64, top_image, "1", "most exciting images",
          "number of the image in the dataset, from 0; the most exciting first, of equally exciting ones the "
          "one with the lower number",
          NATURAL_UNITS, NATURAL_PLACES),
    ARRAY(NATURAL_TOP_LABEL, RECORD_INT32, top_label, "1", "labels of the most exciting images",
          "class of the image, -1 if it has no label", NATURAL_UNITS, NATURAL_PLACES),
    ARRAY(NATURAL_TOP_ACTIVATION, RECORD_FLOAT32, top_activation, "1",
          "activations for the most exciting images",
          "spiking channels: spikes / (T H W); other layers: mean output; classes: mean output over T",
          NATURAL_UNITS, NATURAL_PLACES),
    ARRAY("quantile", RECORD_FLOAT32, quantile, "1", "quantiles of the activation over the dataset",
          "at position p (n_images - 1) of the sorted activations, linear between neighbours", NATURAL_UNITS,
          NATURAL_PROBABILITIES),
    ARRAY("mean", RECORD_FLOAT32, mean, "1", "mean activation over the dataset", "over all its images",
          NATURAL_UNITS),
    ARRAY("std", RECORD_FLOAT32, std, "1", "standard deviation of the activation over the dataset",
          "divided by n_images", NATURAL_UNITS),
    ARRAY("class_mean", RECORD_FLOAT32, class_mean, "1", "mean activation over the images of each class",
          "by the images' labels; NaN for a class without images", NATURAL_UNITS, NATURAL_CLASSES),
    IMAGE_ARRAY(NATURAL_RGB8, RECORD_UINT8, rgb8, "1", "most exciting images",
                "every image that top_image names, once, as in the dataset", NATURAL_IMAGES, NATURAL_ROWS,
                NATURAL_COLUMNS, NATURAL_COLOURS),
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

/** Texts and numbers about the whole. */
static const struct {
    const char *name;
    size_t offset;
} origin_texts[] = {
    {"model", offsetof(struct natural_origin, model)},
    {"model_sha256", offsetof(struct natural_origin, model_sha256)},
    {"tensors_sha256", offsetof(struct natural_origin, tensors_sha256)},
    {"neuron", offsetof(struct natural_origin, neuron)},
    {"kernels", offsetof(struct natural_origin, kernels)},
    {"dataset_sha256", offsetof(struct natural_origin, dataset_sha256)},
};
enum { N_ORIGIN_TEXTS = sizeof origin_texts / sizeof *origin_texts };

static void **member(struct natural_table *table, const struct field *field)
{
    return (void **)((char *)table + field->offset);
}

static const void *values_of(const struct natural_table *table, const struct field *field)
{
    return *(void *const *)((const char *)table + field->offset);
}

static char **origin_text(struct natural_table *table, int i)
{
    return (char **)((char *)&table->origin + origin_texts[i].offset);
}

/** Elements of a field; its shape. */
static size_t shape_of(const struct natural_table *table, const struct field *field,
                       int64_t shape[MAX_DIMENSIONS])
{
    size_t n = 1;
    for (int i = 0; i < field->n_dimensions; i++)
        n *= (size_t)(shape[i] = table->size[field->extents[i]]);
    return n;
}

/** Has the table this array at all? */
static bool exists(const struct natural_table *table, const struct field *field)
{
    int64_t shape[MAX_DIMENSIONS];
    return shape_of(table, field, shape) > 0 && !(field->of_images && table->size[NATURAL_IMAGES] == 0);
}

/* ---- in memory ---- */

/** A new scale counts from 0. */
static void count_up(int32_t *scale, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        scale[i] = (int32_t)i;
}

enum status natural_table_make(struct natural_table *table, struct error *error)
{
    int64_t shape[MAX_DIMENSIONS];
    for (const struct field *field = fields; field < fields + N_FIELDS; field++) {
        if (!exists(table, field) || values_of(table, field) != NULL)
            continue;
        const size_t n = shape_of(table, field, shape);
        TRY(memory_allocate(member(table, field), n, record_type_bytes(field->type), field->name, error));
        if (field->type == RECORD_INT32 && strcmp(field->name, extent_names[field->extents[0]]) == 0)
            count_up(*member(table, field), (int64_t)n);
    }
    return STATUS_OK;
}

void natural_table_free(struct natural_table *table)
{
    for (const struct field *field = fields; field < fields + N_FIELDS; field++)
        free(*member(table, field));
    for (int i = 0; i < N_ORIGIN_TEXTS; i++)
        free(*origin_text(table, i));
    free(table->origin.data);
    *table = (struct natural_table){0};
}

static int compare_images(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t natural_table_find_image(const struct natural_table *table, int64_t image)
{
    const int64_t *found = table->size[NATURAL_IMAGES] == 0
                               ? NULL
                               : bsearch(&image, table->image, (size_t)table->size[NATURAL_IMAGES],
                                         sizeof image, compare_images);
    return found == NULL ? -1 : found - table->image;
}

/** Sort and drop duplicates; returns how many are left. */
static int64_t sort_images(int64_t *images, int64_t n)
{
    int64_t n_unlike = 0;
    qsort(images, (size_t)n, sizeof *images, compare_images);
    for (int64_t i = 0; i < n; i++)
        if (n_unlike == 0 || images[n_unlike - 1] != images[i])
            images[n_unlike++] = images[i];
    return n_unlike;
}

enum status natural_table_list_images(struct natural_table *table, int64_t n_places,
                                      const struct natural_table *among, struct error *error)
{
    const int64_t n_units = table->size[NATURAL_UNITS], stride = table->size[NATURAL_PLACES];
    int64_t *images = NULL, n = 0;
    TRY(MEMORY_ALLOCATE(images, (size_t)(n_units * stride), error));
    for (int64_t i = 0; i < n_units * stride; i++)
        if (i % stride < n_places &&
            (among == NULL || natural_table_find_image(among, table->top_image[i]) >= 0))
            images[n++] = table->top_image[i];
    table->size[NATURAL_IMAGES] = sort_images(images, n);
    enum status status = natural_table_make(table, error);
    if (status == STATUS_OK)
        memcpy(table->image, images, (size_t)table->size[NATURAL_IMAGES] * sizeof *images);
    free(images);
    return status;
}

size_t natural_table_bytes(const struct natural_table *table)
{
    enum { OVERHEAD = 1 << 14 }; /* of an array: header, attributes, index of chunks, what does not shrink */
    int64_t shape[MAX_DIMENSIONS];
    size_t n_bytes = 0;
    for (const struct field *field = fields; field < fields + N_FIELDS; field++) {
        const size_t bytes = shape_of(table, field, shape) * record_type_bytes(field->type);
        n_bytes += exists(table, field) ? bytes + bytes / 100 + OVERHEAD : 0;
    }
    return n_bytes;
}

/* ---- writing ---- */

static enum status add_arrays(struct hdf5_arrays *file, const char *group, const struct natural_table *table,
                              bool with_units, struct error *error)
{
    for (const struct field *field = fields; field < fields + N_FIELDS; field++) {
        const char *dimensions[MAX_DIMENSIONS];
        int64_t shape[MAX_DIMENSIONS];
        if (!exists(table, field) || (field->of_units && !with_units))
            continue;
        shape_of(table, field, shape);
        for (int i = 0; i < field->n_dimensions; i++)
            dimensions[i] = extent_names[field->extents[i]];
        const struct hdf5_described array = {.name = field->name,
                                             .type = field->type,
                                             .n_dimensions = field->n_dimensions,
                                             .shape = shape,
                                             .values = values_of(table, field),
                                             .dimensions = dimensions,
                                             .units = field->units,
                                             .long_name = field->long_name,
                                             .description = field->description};
        TRY(hdf5_arrays_add_described(file, group, &array, error));
    }
    return STATUS_OK;
}

static enum status add_origin(struct hdf5_arrays *file, const char *object, const struct natural_table *table,
                              struct error *error)
{
    for (int i = 0; i < N_ORIGIN_TEXTS; i++) {
        const char *text = *(char *const *)((const char *)&table->origin + origin_texts[i].offset);
        TRY(hdf5_arrays_set_text(file, object, origin_texts[i].name, text, error));
    }
    TRY(hdf5_arrays_set_integer(file, object, "timesteps", table->origin.timesteps, error));
    return hdf5_arrays_set_integer(file, object, NATURAL_N_IMAGES, table->origin.n_images, error);
}

enum status natural_file_add(struct hdf5_arrays *file, const struct natural_table *table, struct error *error)
{
    TRY(hdf5_arrays_set_text(file, "/", "format", NATURAL_FORMAT, error));
    TRY(hdf5_arrays_set_integer(file, "/", "format_version", NATURAL_FORMAT_VERSION, error));
    TRY(hdf5_arrays_set_text(file, "/", "Conventions", "CF-1.10", error));
    TRY(hdf5_arrays_set_text(file, "/", "title", "most exciting images of a dataset for every unit", error));
    TRY(hdf5_arrays_set_text(file, "/", "source", "meicensus natural", error));
    TRY(add_origin(file, "/", table, error));
    return add_arrays(file, "", table, true, error);
}

enum status natural_group_add(struct hdf5_arrays *file, const char *subject,
                              const struct natural_table *table, struct error *error)
{
    char group[PATH_CAPACITY];
    snprintf(group, sizeof group, "%s/%.400s", RESULTS_NATURAL, subject);
    TRY(add_arrays(file, group, table, false, error));
    return add_origin(file, group, table, error);
}

/* ---- reading ---- */

static enum status check_format(const char *path, struct error *error)
{
    char *format = NULL;
    double version = 0;
    enum status status = hdf5_attribute_text(path, "/", "format", &format, error);
    const bool is_ours = status == STATUS_OK && strcmp(format, NATURAL_FORMAT) == 0;
    free(format);
    if (status == STATUS_IO)
        return status;
    if (!is_ours)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: not natural references (expected a file that `meicensus natural` made)", path);
    TRY(hdf5_attribute_number(path, "/", "format_version", &version, error));
    if (version != NATURAL_FORMAT_VERSION)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: format_version is %g, this program reads version %d; make it again with "
                         "`meicensus natural`",
                         path, version, NATURAL_FORMAT_VERSION);
    return STATUS_OK;
}

static enum status read_whole_number(const char *path, const char *name, double largest, int64_t *value,
                                     struct error *error)
{
    double number = 0;
    TRY(hdf5_attribute_number(path, "/", name, &number, error));
    if (!(number >= 1 && number <= largest && floor(number) == number))
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: attribute %s is %g, expected a whole number, 1 or more", path, name, number);
    *value = (int64_t)number;
    return STATUS_OK;
}

static enum status read_origin(const char *path, struct natural_table *table, struct error *error)
{
    for (int i = 0; i < N_ORIGIN_TEXTS; i++)
        TRY(hdf5_attribute_text(path, "/", origin_texts[i].name, origin_text(table, i), error));
    TRY(hdf5_attribute_text(path, "provenance", "data", &table->origin.data, error));
    TRY(read_whole_number(path, "timesteps", 1e9, &table->origin.timesteps, error));
    return read_whole_number(path, NATURAL_N_IMAGES, 0x1p53, &table->origin.n_images, error);
}

/** Scales come first: they tell the sizes that the others must have. */
static enum status read_field(const char *path, const struct field *field, struct natural_table *table,
                              struct error *error)
{
    int64_t shape[MAX_DIMENSIONS];
    for (int i = 0; i < field->n_dimensions; i++)
        shape[i] = table->size[field->extents[i]] > 0 ? table->size[field->extents[i]] : -1;
    TRY(hdf5_values_read(path, field->name, field->type, field->n_dimensions, shape, member(table, field),
                         error));
    for (int i = 0; i < field->n_dimensions; i++)
        table->size[field->extents[i]] = shape[i];
    return STATUS_OK;
}

static enum status check_texts(const char *path, const char *name, const natural_text *texts, int64_t n,
                               struct error *error)
{
    for (int64_t i = 0; i < n; i++)
        if (memchr(texts[i], '\0', sizeof texts[i]) == NULL)
            return error_set(error, STATUS_BAD_INPUT, "%s: %s: text %lld has no end", path, name,
                             (long long)i);
    return STATUS_OK;
}

static enum status check_best(const char *path, const struct natural_table *table, struct error *error)
{
    const int64_t n = table->size[NATURAL_UNITS] * table->size[NATURAL_PLACES];
    const bool has_images = table->size[NATURAL_IMAGES] > 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t image = table->top_image[i];
        const bool is_known = image >= 0 && image < table->origin.n_images && table->top_label[i] >= -1 &&
                              table->top_label[i] < table->size[NATURAL_CLASSES];
        const bool lacks_pixels =
            has_images && i % table->size[NATURAL_PLACES] == 0 && natural_table_find_image(table, image) < 0;
        if (!is_known || lacks_pixels || !isfinite(table->top_activation[i]))
            return error_set(
                error, STATUS_BAD_INPUT,
                "%s: unit %lld, place %lld: image %lld, label %d, activation %g: expected an image "
                "of the %lld, a class or -1, a number%s",
                path, (long long)(i / table->size[NATURAL_PLACES]),
                (long long)(i % table->size[NATURAL_PLACES]), (long long)image, table->top_label[i],
                (double)table->top_activation[i], (long long)table->origin.n_images,
                lacks_pixels ? ", and its pixels" : "");
    }
    return STATUS_OK;
}

static enum status check_values(const char *path, const struct natural_table *table, struct error *error)
{
    TRY(check_texts(path, RESULTS_LAYER, table->layer, table->size[NATURAL_UNITS], error));
    TRY(check_texts(path, RESULTS_CLASS_NAME, table->class_name, table->size[NATURAL_CLASSES], error));
    for (int64_t i = 1; i < table->size[NATURAL_IMAGES]; i++)
        if (table->image[i] <= table->image[i - 1])
            return error_set(error, STATUS_BAD_INPUT, "%s: %s: the numbers do not rise", path, NATURAL_IMAGE);
    return check_best(path, table, error);
}

enum status natural_file_read(const char *path, bool with_images, struct natural_table *table,
                              struct error *error)
{
    TRY(check_format(path, error));
    const bool reads_images = with_images && hdf5_dataset_exists(path, NATURAL_RGB8);
    TRY(read_origin(path, table, error));
    for (const struct field *field = fields; field < fields + N_FIELDS; field++)
        if (!field->of_images || reads_images)
            TRY(read_field(path, field, table, error));
    return check_values(path, table, error);
}
