/* SPDX-License-Identifier: MIT */
/* Running a model forward: layer by layer, all time steps of one image at once. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "model_private.h"
#include "random.h"

struct layer_state {
    float *buffer; /**< [channel][time][height][width] room for the longest time; NULL if it passes through */
    float *membrane;  /**< spiking layers: [channel][height][width] */
    const float *out; /**< what later layers read */
    int time;
    bool needed, given;
};

struct model_run {
    const struct model *model;
    int n_frames; /**< that the buffers hold: time steps or images */
    struct layer_state *layers;
    float *scratch;
    float *noise; /**< [channel][time][height][width] of the largest spiking layer; made when first needed */
    size_t n_noise;
    double *seconds; /**< [n_layers], the caller's, where layers are measured; else NULL */
};

static size_t largest_scratch(const struct model *model, int n_frames)
{
    size_t largest = 0;
    for (int i = 0; i < model->n_layers; i++) {
        const struct layer *layer = &model->layers[i];
        const size_t n =
            layer->kind->scratch == NULL ? 0 : layer->kind->scratch(layer, model->kernels, n_frames);
        largest = n > largest ? n : largest;
    }
    return largest;
}

static enum status create_layer(const struct layer *layer, int n_frames, struct layer_state *state,
                                struct error *error)
{
    const size_t n_values = map_values(layer->out);
    TRY(MEMORY_ALLOCATE(state->buffer, n_values * (size_t)n_frames, error));
    if (layer->kind->is_spiking)
        TRY(MEMORY_ALLOCATE(state->membrane, n_values, error));
    return STATUS_OK;
}

static enum status create(const struct model *model, int n_frames, struct model_run *run, struct error *error)
{
    run->model = model;
    run->n_frames = n_frames;
    TRY(MEMORY_ALLOCATE(run->layers, (size_t)model->n_layers, error));
    for (int i = 0; i < model->n_layers; i++) {
        TRY(create_layer(&model->layers[i], n_frames, &run->layers[i], error));
        if (model->layers[i].kind->is_spiking && map_values(model->layers[i].out) > run->n_noise)
            run->n_noise = map_values(model->layers[i].out);
    }
    run->n_noise *= (size_t)n_frames;
    TRY(MEMORY_ALLOCATE(run->noise, run->n_noise, error));
    return MEMORY_ALLOCATE(run->scratch, largest_scratch(model, n_frames), error);
}

enum status model_run_create_batch(const struct model *model, int n_images, struct model_run **result,
                                   struct error *error)
{
    struct model_run *run = NULL;
    TRY(MEMORY_ALLOCATE(run, 1, error));
    enum status status = create(model, model->n_spiking > 0 ? model->timesteps : n_images, run, error);
    if (status != STATUS_OK) {
        model_run_free(run);
        return status;
    }
    *result = run;
    return STATUS_OK;
}

enum status model_run_create(const struct model *model, struct model_run **run, struct error *error)
{
    return model_run_create_batch(model, 1, run, error);
}

void model_run_free(struct model_run *run)
{
    if (run == NULL)
        return;
    for (int i = 0; run->layers != NULL && i < run->model->n_layers; i++) {
        free(run->layers[i].buffer);
        free(run->layers[i].membrane);
    }
    free(run->layers);
    free(run->scratch);
    free(run->noise);
    free(run);
}

/* ---- noise: counter words are {1 + trial, layer, neuron, step}; see trials.h ---- */

enum { STEP_INITIAL = 0, STEP_FIRST = 1 };

static float draw_normal(const struct presentation *p, int spiking_index, size_t neuron, uint32_t step)
{
    uint32_t words[4];
    double normal[2];
    const struct random_counter counter = {
        {1 + p->trial, 1 + (uint32_t)spiking_index, (uint32_t)neuron, step}};
    random_words(p->key, counter, words);
    random_normal_pair(words[0], words[1], normal);
    return (float)normal[0];
}

static void reset_membrane(const struct layer *layer, const struct presentation *p, float *membrane)
{
    const float v_reset = (float)layer->neuron.v_reset;
    const float scale = (float)(p->initial_membrane * layer->neuron.threshold);
    for (size_t i = 0; i < map_values(layer->out); i++)
        membrane[i] =
            v_reset + (scale == 0.0f ? 0.0f : scale * draw_normal(p, layer->spiking_index, i, STEP_INITIAL));
}

/** noise[c][t][pixel] = s threshold N(0, 1). */
static const float *membrane_noise(struct model_run *run, const struct layer *layer,
                                   const struct presentation *p)
{
    if (p->membrane == 0)
        return NULL;
    const float scale = (float)(p->membrane * layer->neuron.threshold);
    const size_t pixels = (size_t)map_pixels(layer->out), time = (size_t)run->model->timesteps;
    float *value = run->noise;
    for (size_t c = 0; c < (size_t)layer->out.channels; c++)
        for (size_t t = 0; t < time; t++)
            for (size_t i = 0; i < pixels; i++)
                *value++ =
                    scale * draw_normal(p, layer->spiking_index, c * pixels + i, STEP_FIRST + (uint32_t)t);
    return run->noise;
}

/* ---- forward ---- */

/** Mark last_layer and what it depends on, up to layers whose output was given. */
static void mark_needed(struct model_run *run, int last_layer)
{
    for (int i = 0; i < run->model->n_layers; i++)
        run->layers[i].needed = i == last_layer;
    for (int i = last_layer; i >= 0; i--) {
        if (!run->layers[i].needed || run->layers[i].given)
            continue;
        const struct layer *layer = &run->model->layers[i];
        for (int j = 0; j < layer->n_inputs; j++)
            if (layer->inputs[j] != MODEL_INPUT)
                run->layers[layer->inputs[j]].needed = true;
    }
}

static void compute_layer(struct model_run *run, int index, const float *input, const struct presentation *p)
{
    const struct layer *layer = &run->model->layers[index];
    struct layer_state *state = &run->layers[index];
    struct layer_call call = {.kernels = run->model->kernels,
                              .time = 1,
                              .out = state->buffer,
                              .scratch = run->scratch,
                              .membrane = state->membrane};
    for (int i = 0; i < layer->n_inputs; i++) {
        const bool from_input = layer->inputs[i] == MODEL_INPUT;
        call.in[i] = from_input ? input : run->layers[layer->inputs[i]].out;
        call.in_time[i] = !from_input       ? run->layers[layer->inputs[i]].time
                          : p->n_frames > 1 ? p->n_frames
                                            : 1;
        call.time = call.in_time[i] > call.time ? call.in_time[i] : call.time;
    }
    if (layer->passes_through) {
        state->out = call.in[0];
        state->time = call.time;
        return;
    }
    if (layer->kind->is_spiking) {
        call.time = run->model->timesteps;
        if (!p->keep_state)
            reset_membrane(layer, p, state->membrane);
        call.noise = membrane_noise(run, layer, p);
    }
    layer->kind->forward(layer, &call);
    state->out = state->buffer;
    state->time = call.time;
}

void model_forward(struct model_run *run, const float *input, int last_layer,
                   const struct presentation *presentation)
{
    static const struct presentation plain = {0};
    mark_needed(run, last_layer);
    for (int i = 0; i <= last_layer; i++) {
        if (!run->layers[i].needed || run->layers[i].given)
            continue;
        const double start = run->seconds == NULL ? 0 : clock_seconds();
        compute_layer(run, i, input, presentation == NULL ? &plain : presentation);
        if (run->seconds != NULL)
            run->seconds[i] += clock_seconds() - start;
    }
}

void model_measure_layers(struct model_run *run, double *seconds)
{
    run->seconds = seconds;
}

const float *model_output(const struct model_run *run, int layer, int *time)
{
    *time = run->layers[layer].time;
    return run->layers[layer].out;
}

void model_give_output(struct model_run *run, int layer, const float *values)
{
    struct layer_state *state = &run->layers[layer];
    state->given = values != NULL;
    if (values == NULL)
        return;
    state->time = run->model->timesteps;
    state->out = state->buffer;
    memcpy(state->buffer, values,
           sizeof *values * map_values(run->model->layers[layer].out) * (size_t)run->model->timesteps);
}

double model_layer_cost(const struct model *model, int last_layer)
{
    double cost = 0;
    bool varies = false;
    for (int i = 0; i <= last_layer; i++) {
        const struct layer *layer = &model->layers[i];
        if (layer->kind->cost != NULL)
            cost += layer->kind->cost(layer) * (varies ? model->timesteps : 1);
        varies = varies || layer->kind->is_spiking;
    }
    return cost;
}

/* ---- activations ---- */

float model_channel_activation(const struct model_run *run, int layer, int channel)
{
    const struct map_shape shape = run->model->layers[layer].out;
    const struct layer_state *state = &run->layers[layer];
    const size_t n = (size_t)state->time * (size_t)map_pixels(shape);
    double sum;
    run->model->kernels->channel_sums(1, n, state->out + (size_t)channel * n, &sum);
    return (float)(sum / (double)n);
}

float model_neuron_activation(const struct model_run *run, int layer, int channel, int y, int x)
{
    const struct map_shape shape = run->model->layers[layer].out;
    const struct layer_state *state = &run->layers[layer];
    const size_t pixels = (size_t)map_pixels(shape), time = (size_t)state->time;
    const float *values = state->out + (size_t)channel * time * pixels + (size_t)(y * shape.width + x);
    double sum = 0;
    for (size_t t = 0; t < time; t++)
        sum += (double)values[t * pixels];
    return (float)(sum / (double)time);
}
