/* SPDX-License-Identifier: MIT */
#include "encoder.h"

#include <stdlib.h>

#include "layer.h"
#include "memory.h"
#include "model_private.h"

struct encoder {
    struct model *model;
    struct model_run *run;
    int n_indices;
};

static enum status check_images(const struct model *generator, const char *path, const struct model *encoder,
                                struct error *error)
{
    const struct map_shape made = model_layer_shape(generator, model_output_layer(generator));
    const struct map_shape taken = model_input_shape(encoder);
    if (made.channels == taken.channels && made.height == taken.height && made.width == taken.width)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: its encoder %s takes images of %d x %d x %d, expected %d x %d x %d as the "
                     "generator makes them",
                     path, model_encoder_path(generator), taken.channels, taken.height, taken.width,
                     made.channels, made.height, made.width);
}

static enum status check_codes(const struct model *generator, const char *path, const struct model *encoder,
                               struct error *error)
{
    const struct latent_space *latent = model_latent(generator);
    const struct layer *last = &encoder->layers[model_output_layer(encoder)];
    if (latent->kind == LATENT_CODEBOOK && map_pixels(last->out) == latent->n_dimensions &&
        last->n_rows == latent->n_points)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: its encoder %s gives %d indices into a codebook of %d rows, which are no codes of "
                     "the generator",
                     path, model_encoder_path(generator), map_pixels(last->out), last->n_rows);
}

static enum status check_encoder(const struct model *generator, const char *path, const struct model *encoder,
                                 struct error *error)
{
    if (model_role(encoder) != MODEL_ENCODER)
        return error_set(error, STATUS_BAD_INPUT, "%s: its encoder %s is no 'role: encoder'", path,
                         model_encoder_path(generator));
    TRY(check_images(generator, path, encoder, error));
    return check_codes(generator, path, encoder, error);
}

enum status encoder_open(const struct model *generator, const char *path, const struct kernels *kernels,
                         struct encoder **result, struct error *error)
{
    struct encoder *encoder = NULL;
    enum status status = STATUS_OK;
    if (model_encoder_path(generator) == NULL)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: %s has no encoder; expected a generator whose file has the key 'encoder'", path,
                         model_name(generator));
    TRY_CLEANUP(MEMORY_ALLOCATE(encoder, 1, error));
    TRY_CLEANUP(model_load(model_encoder_path(generator), NULL, kernels, &encoder->model, error));
    TRY_CLEANUP(check_encoder(generator, path, encoder->model, error));
    TRY_CLEANUP(model_run_create(encoder->model, &encoder->run, error));
    encoder->n_indices = model_latent(generator)->n_dimensions;
    *result = encoder;
    encoder = NULL;
cleanup:
    encoder_close(encoder);
    return status;
}

void encoder_close(struct encoder *encoder)
{
    if (encoder == NULL)
        return;
    model_run_free(encoder->run);
    model_free(encoder->model);
    free(encoder);
}

const struct model *encoder_model(const struct encoder *encoder)
{
    return encoder->model;
}

void encoder_encode(struct encoder *encoder, const float *image, int32_t *code)
{
    int time;
    const int last = model_output_layer(encoder->model);
    model_forward(encoder->run, image, last, NULL);
    const float *indices = model_output(encoder->run, last, &time);
    for (int i = 0; i < encoder->n_indices; i++)
        code[i] = (int32_t)indices[i];
}
