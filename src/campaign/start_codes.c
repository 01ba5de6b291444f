/* SPDX-License-Identifier: MIT */
#include "start_codes.h"

#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "hdf5_arrays.h"
#include "memory.h"
#include "natural.h"

enum { MOST_COLUMNS = 100000 };

static const struct model *generator_of(const struct start_codes *codes)
{
    return codes->plan->generators[codes->group->generator];
}

static const char *generator_name(const struct start_codes *codes)
{
    return codes->plan->job->generators[codes->group->generator].name;
}

enum status start_codes_add(struct start_codes *codes, const int32_t *code, const char *path, int64_t where,
                            int64_t *row, struct error *error)
{
    const struct latent_space *latent = model_latent(generator_of(codes));
    const size_t d = (size_t)latent->n_dimensions;
    for (size_t i = 0; i < d; i++)
        if (code[i] < 0 || code[i] >= latent->n_points)
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: index %zu of code %lld is %d; generator '%s' takes 0 to %d", path, i,
                             (long long)where, code[i], generator_name(codes), latent->n_points - 1);
    TRY(memory_grow((void **)&codes->pool, &codes->pool_capacity, codes->n_pool, d * sizeof *codes->pool,
                    error));
    memcpy(codes->pool + codes->n_pool * d, code, d * sizeof *code);
    *row = (int64_t)codes->n_pool++;
    return STATUS_OK;
}

enum status start_codes_widen(struct start_codes *codes, int64_t n, int *first, struct error *error)
{
    const int64_t n_units = codes->group->n_units, old = codes->n_columns;
    int64_t *wider = NULL;
    if (n > MOST_COLUMNS - old)
        return error_set(error, STATUS_BAD_INPUT, "%s: %lld start codes of a unit are too many; at most %d",
                         codes->plan->job->path, (long long)(n + old), MOST_COLUMNS);
    TRY(MEMORY_ALLOCATE(wider, (size_t)(n_units * (old + n)), error));
    for (int64_t unit = 0; unit < n_units && old > 0; unit++)
        memcpy(wider + unit * (old + n), codes->rows + unit * old, (size_t)old * sizeof *wider);
    free(codes->rows);
    codes->rows = wider;
    codes->n_columns = (int)(old + n);
    *first = (int)old;
    return STATUS_OK;
}

/* ---- a file of codes ---- */

static enum status check_generator(const struct start_codes *codes, const char *path, struct error *error)
{
    char *sha256 = NULL;
    const struct model *generator = generator_of(codes);
    TRY(hdf5_attribute_text(path, "/", "generator_sha256", &sha256, error));
    enum status status = STATUS_OK;
    if (strcmp(sha256, model_sha256(generator)) != 0)
        status = error_set(error, STATUS_BAD_INPUT,
                           "%s: its codes are of another generator (SHA-256 of the model file): found %.64s, "
                           "but '%s' has %s",
                           path, sha256, generator_name(codes), model_sha256(generator));
    free(sha256);
    return status;
}

static enum status read_file(struct start_codes *codes, struct error *error)
{
    const char *path = codes->group->start.codes;
    int64_t shape[] = {-1, codes->group->layout.sizes.dimensions};
    int32_t *found = NULL;
    int first;
    TRY(check_generator(codes, path, error));
    TRY(hdf5_values_read(path, "code", RECORD_INT32, 2, shape, (void **)&found, error));
    enum status status = start_codes_widen(codes, shape[0], &first, error);
    for (int64_t i = 0; i < shape[0] && status == STATUS_OK; i++) {
        int64_t row = 0;
        status = start_codes_add(codes, found + i * shape[1], path, i, &row, error);
        for (int64_t unit = 0; unit < codes->group->n_units && status == STATUS_OK; unit++)
            codes->rows[unit * codes->n_columns + first + i] = row;
    }
    free(found);
    return status;
}

/* ---- natural images ---- */

/** Natural images on their way to codes. */
struct encoding {
    struct start_codes *codes;
    const char *path; /**< of the natural references */
    struct natural_table table;
    struct encoder *encoder;
    float *image;       /**< as the encoder takes it */
    int32_t *code;      /**< [d] */
    int64_t *pool_rows; /**< [image of the table] + 1; 0: not encoded yet */
};

static void normalise(const struct encoding *encoding, const uint8_t *rgb)
{
    const struct model *encoder = encoder_model(encoding->encoder);
    const struct map_shape shape = model_input_shape(encoder);
    const size_t channels = (size_t)shape.channels, pixels = (size_t)shape.height * (size_t)shape.width;
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < pixels; p++)
            encoding->image[c * pixels + p] =
                (float)((rgb[p * channels + c] / 255.0 - model_mean(encoder)[c]) / model_std(encoder)[c]);
}

static enum status encode_image(struct encoding *encoding, int64_t number, int64_t *row, struct error *error)
{
    const struct natural_table *table = &encoding->table;
    const int64_t *size = table->size;
    const int64_t image = number < 0 ? -1 : natural_table_find_image(table, number);
    if (image < 0)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: holds no pixels of image %lld, one of the %lld best of a unit; make it with more "
            "--images",
            encoding->path, (long long)number, encoding->codes->group->start.natural);
    if (encoding->pool_rows[image] == 0) {
        normalise(encoding,
                  table->rgb8 + image * size[NATURAL_ROWS] * size[NATURAL_COLUMNS] * size[NATURAL_COLOURS]);
        encoder_encode(encoding->encoder, encoding->image, encoding->code);
        TRY(start_codes_add(encoding->codes, encoding->code, encoding->path, number, row, error));
        encoding->pool_rows[image] = *row + 1;
    }
    *row = encoding->pool_rows[image] - 1;
    return STATUS_OK;
}

/** The row of the references for a unit of the group. */
static enum status find_reference(const struct encoding *encoding, int64_t unit, int64_t *row,
                                  struct error *error)
{
    const struct start_codes *codes = encoding->codes;
    const struct plan_subject *subject = &codes->plan->subjects[codes->group->subject];
    const int64_t wanted = codes->group->units[unit];
    for (*row = 0; *row < encoding->table.size[NATURAL_UNITS]; ++*row)
        if (encoding->table.unit[*row] == wanted)
            return STATUS_OK;
    return error_set(
        error, STATUS_BAD_INPUT,
        "%s: has no images of neuron [%d, %d, %d] of layer '%s': natural references are of channels "
        "and classes",
        encoding->path, subject->units[wanted].channel, subject->units[wanted].y, subject->units[wanted].x,
        model_layer_name(subject->model, subject->units[wanted].layer));
}

static enum status encode_all(struct encoding *encoding, struct error *error)
{
    struct start_codes *codes = encoding->codes;
    const int64_t n = codes->group->start.natural, n_places = encoding->table.size[NATURAL_PLACES];
    int first;
    if (n > n_places)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: holds the %lld best images of a unit; 'start.natural' is %lld, expected 1 to %lld",
            encoding->path, (long long)n_places, (long long)n, (long long)n_places);
    TRY(start_codes_widen(codes, n, &first, error));
    for (int64_t unit = 0; unit < codes->group->n_units; unit++) {
        int64_t reference = 0;
        TRY(find_reference(encoding, unit, &reference, error));
        for (int64_t place = 0; place < n; place++)
            TRY(encode_image(encoding, encoding->table.top_image[reference * n_places + place],
                             &codes->rows[unit * codes->n_columns + first + place], error));
    }
    return STATUS_OK;
}

static enum status open_encoding(struct encoding *encoding, struct error *error)
{
    const struct start_codes *codes = encoding->codes;
    const char *generator = codes->plan->job->generators[codes->group->generator].model;
    TRY(encoder_open(generator_of(codes), generator, codes->backend->kernels, &encoding->encoder, error));
    TRY(natural_of_subject(codes->plan, codes->group->subject, /*with_images=*/true, &encoding->table,
                           error));
    const struct record_sizes *sizes = &codes->group->layout.sizes;
    TRY(MEMORY_ALLOCATE(encoding->image, (size_t)(sizes->channels * sizes->height * sizes->width), error));
    TRY(MEMORY_ALLOCATE(encoding->code, (size_t)sizes->dimensions, error));
    return MEMORY_ALLOCATE(encoding->pool_rows, (size_t)encoding->table.size[NATURAL_IMAGES], error);
}

static enum status encode_natural(struct start_codes *codes, struct error *error)
{
    struct encoding encoding = {.codes = codes,
                                .path = codes->plan->job->subjects[codes->group->subject].natural};
    enum status status = open_encoding(&encoding, error);
    if (status == STATUS_OK)
        status = encode_all(&encoding, error);
    natural_table_free(&encoding.table);
    encoder_close(encoding.encoder);
    free(encoding.image);
    free(encoding.code);
    free(encoding.pool_rows);
    return status;
}

/* ---- all of them ---- */

enum status start_codes_read(struct start_codes *codes, struct error *error)
{
    const struct job_start *start = &codes->group->start;
    if (start->results != NULL)
        TRY(start_codes_of_results(codes, error));
    if (start->natural > 0)
        TRY(encode_natural(codes, error));
    return start->codes == NULL ? STATUS_OK : read_file(codes, error);
}
