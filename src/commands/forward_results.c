/* SPDX-License-Identifier: MIT */
#include "forward_results.h"

#include <stdio.h>
#include <stdlib.h>

#include "build_info.h"
#include "memory.h"

/** A row of --spikes: the bits of `width` neurons, padded to whole bytes. */
static int64_t row_bytes(struct map_shape shape)
{
    return (shape.width + 7) / 8;
}

enum status forward_results_make(const struct network *network, int64_t n_inputs, bool wants_spikes,
                                 struct forward_results *results, struct error *error)
{
    const struct model *model = network->model;
    const struct map_shape out = model_layer_shape(model, model_output_layer(model));
    const size_t time = (size_t)model_timesteps(model);
    results->n_inputs = (size_t)n_inputs;
    results->output_values = (size_t)out.channels * (size_t)out.height * (size_t)out.width;
    TRY(MEMORY_ALLOCATE(results->output, results->n_inputs * results->output_values, error));
    TRY(MEMORY_ALLOCATE(results->layers, (size_t)model_n_layers(model), error));
    for (int i = 0; i < model_n_layers(model); i++) {
        if (!model_layer_is_selectable(model, i))
            continue;
        struct layer_results *layer = &results->layers[results->n_layers++];
        layer->layer = i;
        layer->shape = model_layer_shape(model, i);
        const size_t channels = (size_t)layer->shape.channels;
        TRY(MEMORY_ALLOCATE(layer->rate, results->n_inputs * channels, error));
        if (wants_spikes)
            TRY(MEMORY_ALLOCATE(layer->spikes,
                                results->n_inputs * time * channels * (size_t)layer->shape.height *
                                    (size_t)row_bytes(layer->shape),
                                error));
    }
    return STATUS_OK;
}

void forward_results_free(struct forward_results *results)
{
    for (int i = 0; i < results->n_layers; i++) {
        free(results->layers[i].rate);
        free(results->layers[i].spikes);
    }
    free(results->layers);
    free(results->output);
}

/** spikes [channel][time][height][width] -> packed [time][channel][height][row_bytes], first neuron in the
 *  highest bit. */
static void pack_spikes(struct map_shape shape, int time, const float *spikes, uint8_t *packed)
{
    const size_t width = (size_t)shape.width, height = (size_t)shape.height;
    for (int t = 0; t < time; t++)
        for (int c = 0; c < shape.channels; c++) {
            const float *map = spikes + (size_t)(c * time + t) * height * width;
            for (size_t y = 0; y < height; y++, packed += row_bytes(shape))
                for (size_t x = 0; x < width; x++)
                    if (map[y * width + x] != 0)
                        packed[x / 8] |= (uint8_t)(0x80 >> x % 8);
        }
}

static void keep_layer(const struct network *network, struct layer_results *layer, size_t input)
{
    const size_t channels = (size_t)layer->shape.channels;
    int time;
    for (size_t c = 0; c < channels; c++)
        layer->rate[input * channels + c] = model_channel_activation(network->run, layer->layer, (int)c);
    if (layer->spikes == NULL)
        return;
    const float *spikes = model_output(network->run, layer->layer, &time);
    const size_t bytes =
        (size_t)time * channels * (size_t)layer->shape.height * (size_t)row_bytes(layer->shape);
    pack_spikes(layer->shape, time, spikes, layer->spikes + input * bytes);
}

/** The mean over time of each class output, or the map that another network ends with. */
static void keep_output(const struct network *network, struct forward_results *results, size_t input)
{
    const int last = model_output_layer(network->model);
    float *output = results->output + input * results->output_values;
    int time;
    if (model_role(network->model) == MODEL_SUBJECT) {
        for (size_t c = 0; c < results->output_values; c++)
            output[c] = model_channel_activation(network->run, last, (int)c);
        return;
    }
    const float *image = model_output(network->run, last, &time);
    for (size_t i = 0; i < results->output_values; i++)
        output[i] = image[i];
}

void forward_results_keep(const struct network *network, struct forward_results *results, size_t input)
{
    keep_output(network, results, input);
    for (int i = 0; i < results->n_layers; i++)
        keep_layer(network, &results->layers[i], input);
}

/* ---- output ---- */

static enum status write_layer(struct hdf5_arrays *file, const struct network *network,
                               const struct forward_results *results, int order, struct error *error)
{
    const struct layer_results *layer = &results->layers[order];
    const struct map_shape shape = layer->shape;
    const bool spiking = model_layer_is_spiking(network->model, layer->layer);
    char name[160], text[96];
    const int64_t rate_shape[] = {(int64_t)results->n_inputs, shape.channels};
    snprintf(name, sizeof name, "rate/%s", model_layer_name(network->model, layer->layer));
    TRY(hdf5_arrays_add(file, name, RECORD_FLOAT32, 2, rate_shape, layer->rate, "1",
                        spiking ? "spikes averaged over time, height and width: [input][channel]"
                                : "output averaged over height and width: [input][channel]",
                        error));
    TRY(hdf5_arrays_set_number(file, name, "order", order, error));
    if (layer->spikes == NULL)
        return STATUS_OK;
    const int time = model_timesteps(network->model);
    const int64_t spike_shape[] = {(int64_t)results->n_inputs, time, shape.channels, shape.height,
                                   row_bytes(shape)};
    snprintf(name, sizeof name, "spikes/%s", model_layer_name(network->model, layer->layer));
    TRY(hdf5_arrays_add(file, name, RECORD_UINT8, 5, spike_shape, layer->spikes, "1",
                        "spikes: [input][time][channel][height][width], bits packed along the last axis, "
                        "first in the highest bit (numpy.packbits)",
                        error));
    snprintf(text, sizeof text, "[%lld, %d, %d, %d, %d]", (long long)results->n_inputs, time, shape.channels,
             shape.height, shape.width);
    return hdf5_arrays_set_text(file, name, "shape", text, error);
}

static enum status write_output(struct hdf5_arrays *file, const struct network *network,
                                const struct forward_results *results, struct error *error)
{
    const struct map_shape shape = model_layer_shape(network->model, model_output_layer(network->model));
    const int64_t extents[] = {(int64_t)results->n_inputs, shape.channels, shape.height, shape.width};
    const char *const descriptions[] = {
        [MODEL_SUBJECT] = "class outputs, mean over time: [input][class]",
        [MODEL_GENERATOR] =
            "images: [input][channel][height][width]; the model file's mean and std lead to RGB",
        [MODEL_ENCODER] = "codebook indices, a code row by row: [input][1][height][width]"};
    const enum model_role role = model_role(network->model);
    return hdf5_arrays_add(file, "output", RECORD_FLOAT32, role == MODEL_SUBJECT ? 2 : 4, extents,
                           results->output, "1", descriptions[role], error);
}

static enum status write_attributes(struct hdf5_arrays *file, const struct network *network,
                                    struct error *error)
{
    const struct model *model = network->model;
    TRY(hdf5_arrays_set_text(file, "/", "source", "meicensus forward", error));
    TRY(hdf5_arrays_set_text(file, "/", "program_version", build_version, error));
    TRY(hdf5_arrays_set_text(file, "/", "code_revision", build_code_revision, error));
    TRY(hdf5_arrays_set_text(file, "/", "identity", network->backend.identity, error));
    TRY(hdf5_arrays_set_text(file, "/", "model", model_name(model), error));
    TRY(hdf5_arrays_set_text(file, "/", "model_sha256", model_sha256(model), error));
    TRY(hdf5_arrays_set_text(file, "/", "tensors_sha256", model_tensors_sha256(model), error));
    return hdf5_arrays_set_number(file, "/", "timesteps", model_timesteps(model), error);
}

enum status forward_results_write(const struct network *network, const struct forward_results *results,
                                  struct hdf5_arrays *file, struct error *error)
{
    TRY(write_attributes(file, network, error));
    TRY(write_output(file, network, results, error));
    for (int i = 0; i < results->n_layers; i++)
        TRY(write_layer(file, network, results, i, error));
    return STATUS_OK;
}
