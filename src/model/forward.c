/* SPDX-License-Identifier: MIT */
/* Running a model forward: layer by layer, all images and time steps at once. */
#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "clock.h"
#include "memory.h"
#include "model_private.h"
#include "placement.h"
#include "random.h"

/** What a layer's output is there as; both where it has been converted. */
struct layer_state {
    float *buffer;    /**< [channel][image][time][height][width], room for the most; of run->buffers */
    uint64_t *bits;   /**< the same as spikes, see struct spike_kernels; NULL where no kernel asks for them */
    float *membrane;  /**< spiking layers: [channel][image][height][width] */
    int32_t *counts;  /**< spiking layers: spikes of every channel */
    const float *out; /**< what later layers read; NULL: only bits are there */
    int time;         /**< steps of each image; 1 if static */
    bool needed, given, has_bits, has_counts;
};

struct model_run {
    const struct model *model;
    int n_images; /**< of the last forward */
    struct layer_state *layers;
    struct buffers buffers;
    float *scratch;
    float *input;                  /**< of a device: what is shown, there; else NULL */
    float *noise;                  /**< [channel][time][height][width] of the largest spiking layer */
    float *host;                   /**< the largest map, where kernels work in a device's memory; else NULL */
    const struct model_run *maker; /**< of what model_forward_made shows; NULL: nobody */
    float *scale, *shift;          /**< [input channel], from the maker's space; NULL: it is the same */
    size_t *first;                 /**< of one sum; shared with the device, if there is one */
    double *sum;                   /**< likewise */
    size_t n_noise;
    double *seconds; /**< [n_layers], the caller's, where layers are measured; else NULL */
};

static size_t largest_scratch(const struct model *model, int n_frames)
{
    size_t largest = 0;
    for (int i = 0; i < model->n_layers; i++) {
        const struct layer *layer = &model->layers[i];
        const struct fusion_kind *fusion = model->fusions[i].kind;
        const size_t alone =
            layer->kind->scratch == NULL ? 0 : layer->kind->scratch(layer, model->kernels, n_frames);
        const size_t together =
            fusion == NULL || fusion->scratch == NULL ? 0 : fusion->scratch(model, i, n_frames);
        largest = alone > largest ? alone : largest;
        largest = together > largest ? together : largest;
    }
    return largest;
}

/** What the buffers hold. */
struct extent {
    int n_images, n_frames; /**< frames: images x time steps */
};

static enum status create_layer(const struct model *model, int index, struct extent extent,
                                struct layer_state *state, struct error *error)
{
    const struct layer *layer = &model->layers[index];
    const size_t n_values = map_values(layer->out);
    if (layer->kind->is_spiking) {
        TRY(placement_allocate(model->kernels, n_values * (size_t)extent.n_images, &state->membrane, error));
        TRY(MEMORY_ALLOCATE(state->counts, (size_t)layer->out.channels, error));
    }
    if (model->kernels->spikes == NULL || !model->layers[index].carries_spikes)
        return STATUS_OK;
    const size_t n_places = (size_t)map_pixels(layer->out) * (size_t)extent.n_frames;
    return MEMORY_ALLOCATE(state->bits, n_places * spike_words(layer->out.channels), error);
}

/** Values of an input: an image, or a latent input [d]. */
static size_t input_values(const struct model *model)
{
    return model->role == MODEL_GENERATOR ? (size_t)model->latent.n_dimensions : map_values(model->input);
}

/** Where kernels work in a device's memory: room for an input there, and for what goes there and comes back.
 */
static enum status create_staging(const struct model *model, struct extent extent, struct model_run *run,
                                  struct error *error)
{
    const size_t n_frames = (size_t)extent.n_frames;
    size_t largest = input_values(model);
    if (model->kernels->memory == NULL)
        return STATUS_OK;
    TRY(placement_allocate(model->kernels, input_values(model) * n_frames, &run->input, error));
    for (int i = 0; i < model->n_layers; i++)
        if (map_values(model->layers[i].out) > largest)
            largest = map_values(model->layers[i].out);
    return MEMORY_ALLOCATE(run->host, largest * n_frames, error);
}

static enum status create(const struct model *model, struct extent extent, struct model_run *run,
                          struct error *error)
{
    run->model = model;
    TRY(MEMORY_ALLOCATE(run->layers, (size_t)model->n_layers, error));
    TRY(buffers_create(model, extent.n_frames, &run->buffers, error));
    for (int i = 0; i < model->n_layers; i++) {
        run->layers[i].buffer = run->buffers.buffers[run->buffers.of_layer[i]];
        TRY(create_layer(model, i, extent, &run->layers[i], error));
        if (model->layers[i].kind->is_spiking && map_values(model->layers[i].out) > run->n_noise)
            run->n_noise = map_values(model->layers[i].out);
    }
    run->n_noise *= (size_t)model->timesteps;
    TRY(placement_allocate_shared(model->kernels, sizeof *run->first, (void **)&run->first, error));
    TRY(placement_allocate_shared(model->kernels, sizeof *run->sum, (void **)&run->sum, error));
    TRY(create_staging(model, extent, run, error));
    TRY(placement_allocate(model->kernels, run->n_noise, &run->noise, error));
    return placement_allocate(model->kernels, largest_scratch(model, extent.n_frames), &run->scratch, error);
}

enum status model_run_create_batch(const struct model *model, int n_images, struct model_run **result,
                                   struct error *error)
{
    struct model_run *run = NULL;
    TRY(MEMORY_ALLOCATE(run, 1, error));
    const int time = model->n_spiking > 0 ? model->timesteps : 1;
    enum status status = create(model, (struct extent){n_images, n_images * time}, run, error);
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
        free(run->layers[i].bits);
        free(run->layers[i].counts);
        placement_free(run->model->kernels, run->layers[i].membrane);
    }
    buffers_free(run->model, &run->buffers);
    free(run->layers);
    placement_free(run->model->kernels, run->scratch);
    placement_free(run->model->kernels, run->input);
    placement_free(run->model->kernels, run->noise);
    free(run->host);
    placement_free(run->model->kernels, run->scale);
    placement_free(run->model->kernels, run->shift);
    placement_free_shared(run->model->kernels, run->first);
    placement_free_shared(run->model->kernels, run->sum);
    free(run);
}

/* ---- noise: counter words are {1 + trial, layer, four values, purpose}; see trials.h ---- */

enum { AT_START, IN_STEPS };

/** values[i] = shift + scale N(0, 1). */
static void draw_normals(const struct presentation *p, int spiking_index, uint32_t purpose, float shift,
                         float scale, size_t n, float *values)
{
    const struct random_counter counter = {{1 + p->trial, 1 + (uint32_t)spiking_index, 0, purpose}};
    random_normals(p->key, counter, n, values);
    for (size_t i = 0; i < n; i++)
        values[i] = shift + scale * values[i];
}

/** Where the host writes what goes to `place`. */
static float *staging_of(const struct model_run *run, float *place)
{
    return run->host == NULL ? place : run->host;
}

/** What the host wrote there goes to `place`. */
static void send_staging(const struct model_run *run, size_t n, float *place)
{
    if (run->host != NULL)
        placement_write(run->model->kernels, n, run->host, place);
}

static void reset_membrane(const struct model_run *run, const struct layer *layer,
                           const struct presentation *p, float *membrane)
{
    const float v_reset = (float)layer->neuron.v_reset;
    const float scale = (float)(p->initial_membrane * layer->neuron.threshold);
    const size_t n = map_values(layer->out) * (size_t)run->n_images;
    float *values = staging_of(run, membrane);
    if (scale == 0.0f) {
        run->model->kernels->fill(n, v_reset, membrane);
        return;
    }
    draw_normals(p, layer->spiking_index, AT_START, v_reset, scale, n, values);
    send_staging(run, n, membrane);
}

/** noise[c][t][pixel] = s threshold N(0, 1). */
static const float *membrane_noise(const struct model_run *run, const struct layer *layer,
                                   const struct presentation *p)
{
    if (p->membrane == 0)
        return NULL;
    const float scale = (float)(p->membrane * layer->neuron.threshold);
    const size_t n = map_values(layer->out) * (size_t)run->model->timesteps;
    draw_normals(p, layer->spiking_index, IN_STEPS, 0, scale, n, staging_of(run, run->noise));
    send_staging(run, n, run->noise);
    return run->noise;
}

/* ---- outputs, as values or as spikes ---- */

/** A layer's output as values. */
static const float *values_of(const struct model_run *run, int index)
{
    struct layer_state *state = &run->layers[index];
    const struct map_shape shape = run->model->layers[index].out;
    if (state->out == NULL) {
        run->model->kernels->spikes->unpack(shape.channels, state->time, map_pixels(shape), state->bits,
                                            state->buffer);
        state->out = state->buffer;
    }
    return state->out;
}

/** The output of a layer that carries spikes, as bits. */
static const uint64_t *spikes_of(const struct model_run *run, int index)
{
    struct layer_state *state = &run->layers[index];
    const struct map_shape shape = run->model->layers[index].out;
    if (!state->has_bits)
        run->model->kernels->spikes->pack(shape.channels, state->time, map_pixels(shape), state->out,
                                          state->bits);
    state->has_bits = true;
    return state->bits;
}

/** Spikes of a channel of a spiking layer. */
static int32_t count_of(const struct model_run *run, int index, int channel)
{
    struct layer_state *state = &run->layers[index];
    const struct map_shape shape = run->model->layers[index].out;
    if (!state->has_counts)
        run->model->kernels->spikes->count(shape.channels, (size_t)state->time * (size_t)map_pixels(shape),
                                           state->bits, state->counts);
    state->has_counts = true;
    return state->counts[channel];
}

static void put_values(struct layer_state *state, const float *values, int time)
{
    state->out = values;
    state->time = time;
    state->has_bits = state->has_counts = false;
}

static void put_bits(struct layer_state *state, int time)
{
    state->out = NULL;
    state->time = time;
    state->has_bits = true;
    state->has_counts = false;
}

/* ---- forward ---- */

/** A forward: up to where, and what of it. */
struct pass {
    const float *input;
    int last_layer, channel; /**< the only one of the last layer that is wanted, or ALL_CHANNELS */
    const struct presentation *presentation;
    bool fuses;
};

/** Noise and kept membranes are matters of single layers. */
static bool is_plain(const struct model *model, const struct presentation *p)
{
    return !p->keep_state && !p->leave_state && p->initial_membrane == 0 && p->membrane == 0 &&
           (model->n_spiking == 0 || (p->n_frames <= 1 && p->n_images <= 1));
}

/** How this pass computes a layer, if not alone. */
static const struct fusion *fusion_of(const struct model_run *run, const struct pass *pass, int index)
{
    const struct fusion *fusion = &run->model->fusions[index];
    return pass->fuses && fusion->kind != NULL ? fusion : NULL;
}

static void mark_inputs(struct model_run *run, const int *inputs, int n_inputs)
{
    for (int j = 0; j < n_inputs; j++)
        if (inputs[j] != MODEL_INPUT)
            run->layers[inputs[j]].needed = true;
}

/** Mark the last layer and what it depends on, up to layers whose output was given. */
static void mark_needed(struct model_run *run, const struct pass *pass)
{
    for (int i = 0; i < run->model->n_layers; i++)
        run->layers[i].needed = i == pass->last_layer;
    for (int i = pass->last_layer; i >= 0; i--) {
        const struct layer *layer = &run->model->layers[i];
        const struct fusion *fusion = fusion_of(run, pass, i);
        if (!run->layers[i].needed || run->layers[i].given)
            continue;
        if (fusion != NULL)
            mark_inputs(run, fusion->inputs, fusion->n_inputs);
        else
            mark_inputs(run, layer->inputs, layer->n_inputs);
    }
}

static int time_of(const struct model_run *run, const struct pass *pass, int index)
{
    if (index != MODEL_INPUT)
        return run->layers[index].time;
    return pass->presentation->n_frames > 1 ? pass->presentation->n_frames : 1;
}

static int longest(int a, int b)
{
    return a > b ? a : b;
}

/** One layer with those that are fused into it. */
static void compute_together(struct model_run *run, const struct pass *pass, int index)
{
    const struct model *model = run->model;
    const struct fusion *fusion = &model->fusions[index];
    struct layer_state *state = &run->layers[index];
    int time = model->layers[index].kind->is_spiking ? model->timesteps : 1;
    struct fusion_call call = {.out = state->buffer,
                               .out_spikes = state->bits,
                               .scratch = run->scratch,
                               .channel = index == pass->last_layer ? pass->channel : ALL_CHANNELS};
    for (int i = 0; i < fusion->n_inputs; i++) {
        const int source = fusion->inputs[i];
        time = longest(time, time_of(run, pass, source));
        if (fusion->takes_spikes[i])
            call.spikes[i] = spikes_of(run, source);
        else
            call.values[i] = source == MODEL_INPUT ? pass->input : values_of(run, source);
    }
    call.n_frames = time * run->n_images;
    fusion->kind->forward(model, index, &call);
    if (fusion->kind->makes_spikes)
        put_bits(state, time);
    else
        put_values(state, state->buffer, time);
}

static void compute_alone(struct model_run *run, const struct pass *pass, int index)
{
    const struct layer *layer = &run->model->layers[index];
    struct layer_state *state = &run->layers[index];
    struct layer_call call = {.kernels = run->model->kernels,
                              .n_images = run->n_images,
                              .time = 1,
                              .out = state->buffer,
                              .scratch = run->scratch,
                              .membrane = state->membrane};
    for (int i = 0; i < layer->n_inputs; i++) {
        const int source = layer->inputs[i];
        call.in[i] = source == MODEL_INPUT ? pass->input : values_of(run, source);
        call.in_time[i] = time_of(run, pass, source);
        call.time = longest(call.time, call.in_time[i]);
    }
    if (layer->passes_through) {
        put_values(state, call.in[0], call.time);
        return;
    }
    if (layer->kind->is_spiking) {
        call.time = run->model->timesteps;
        if (!pass->presentation->keep_state)
            reset_membrane(run, layer, pass->presentation, state->membrane);
        call.noise = membrane_noise(run, layer, pass->presentation);
    }
    call.n_frames = call.n_images * call.time;
    layer->kind->forward(layer, &call);
    put_values(state, state->buffer, call.time);
}

/** The time, once all that was started is done: a device is waited for. */
static double time_when_done(const struct model_run *run)
{
    if (model_is_on_device(run->model))
        run->model->kernels->memory->finish();
    return clock_seconds();
}

static void compute_layer(struct model_run *run, const struct pass *pass, int index)
{
    const double start = run->seconds == NULL ? 0 : time_when_done(run);
    if (fusion_of(run, pass, index) != NULL)
        compute_together(run, pass, index);
    else
        compute_alone(run, pass, index);
    if (run->seconds != NULL)
        run->seconds[index] += time_when_done(run) - start;
}

/** The input where the kernels work. */
static const float *place_input(const struct model_run *run, const struct pass *pass)
{
    const size_t n = input_values(run->model) * (size_t)(run->n_images * time_of(run, pass, MODEL_INPUT));
    if (run->host == NULL)
        return pass->input;
    if (pass->presentation->is_shared)
        run->model->kernels->memory->send(run->input, pass->input, n * sizeof *run->input);
    else
        placement_write(run->model->kernels, n, pass->input, run->input);
    return run->input;
}

static void forward(struct model_run *run, const struct pass *pass)
{
    mark_needed(run, pass);
    for (int i = 0; i <= pass->last_layer; i++)
        if (run->layers[i].needed && !run->layers[i].given)
            compute_layer(run, pass, i);
}

static const struct presentation plain_presentation;

/** The input is the host's. */
static void show(struct model_run *run, struct pass *pass)
{
    run->n_images = pass->presentation->n_images > 1 ? pass->presentation->n_images : 1;
    pass->input = place_input(run, pass);
    forward(run, pass);
}

void model_forward(struct model_run *run, const float *input, int last_layer,
                   const struct presentation *presentation)
{
    const struct presentation *p = presentation == NULL ? &plain_presentation : presentation;
    show(run, &(struct pass){input, last_layer, ALL_CHANNELS, p, is_plain(run->model, p)});
}

void model_forward_channel(struct model_run *run, const float *input, int last_layer, int channel)
{
    show(run, &(struct pass){input, last_layer, channel, &plain_presentation, true});
}

void model_forward_each(struct model_run *run, const float *input, int last_layer)
{
    show(run, &(struct pass){input, last_layer, ALL_CHANNELS, &plain_presentation, false});
}

/** value = made made_std + made_mean in RGB = value std + mean. */
static void map_to_space(const struct model *made, const struct model *model, float *scale, float *shift)
{
    for (int c = 0; c < model->input.channels; c++) {
        scale[c] = (float)(made->std[c] / model->std[c]);
        shift[c] = (float)((made->mean[c] - model->mean[c]) / model->std[c]);
    }
}

enum status model_run_follow(struct model_run *run, const struct model_run *maker, struct error *error)
{
    const struct model *model = run->model;
    const size_t n_channels = (size_t)model->input.channels;
    float scale[MODEL_MAX_CHANNELS], shift[MODEL_MAX_CHANNELS];
    map_to_space(maker->model, model, scale, shift);
    run->maker = maker;
    TRY(placement_copy(model->kernels, n_channels, scale, &run->scale, error));
    return placement_copy(model->kernels, n_channels, shift, &run->shift, error);
}

void model_forward_made(struct model_run *run, int last_layer)
{
    const struct model_run *maker = run->maker;
    const struct presentation presentation = {.n_images = maker->n_images};
    const size_t n = (size_t)(map_pixels(run->model->input) * maker->n_images);
    run->n_images = maker->n_images;
    run->model->kernels->scale_shift(run->model->input.channels, n, run->scale, run->shift,
                                     values_of(maker, maker->model->n_layers - 1), run->input);
    forward(run, &(struct pass){run->input, last_layer, ALL_CHANNELS, &presentation,
                                is_plain(run->model, &presentation)});
}

enum status model_check(const struct model *model, struct error *error)
{
    if (!model_is_on_device(model))
        return STATUS_OK;
    model->kernels->memory->finish();
    return model->kernels->memory->check(error);
}

void model_measure_layers(struct model_run *run, double *seconds)
{
    run->seconds = seconds;
}

const float *model_output(const struct model_run *run, int layer, int *time)
{
    *time = run->layers[layer].time;
    const float *values = values_of(run, layer);
    if (run->host == NULL)
        return values;
    const size_t n_frames = (size_t)(run->n_images * *time);
    placement_read(run->model->kernels, map_values(run->model->layers[layer].out) * n_frames, values,
                   run->host);
    return run->host;
}

void model_give_output(struct model_run *run, int layer, const float *values)
{
    struct layer_state *state = &run->layers[layer];
    state->given = values != NULL;
    if (values == NULL)
        return;
    put_values(state, state->buffer, run->model->timesteps);
    placement_write(run->model->kernels,
                    map_values(run->model->layers[layer].out) * (size_t)run->model->timesteps, values,
                    state->buffer);
}

double model_layer_cost(const struct model *model, int last_layer)
{
    double cost = 0;
    for (int i = 0; i <= last_layer; i++) {
        const struct layer *layer = &model->layers[i];
        if (layer->kind->cost != NULL)
            cost += layer->kind->cost(layer) * (layer->is_static ? 1 : model->timesteps);
    }
    return cost;
}

/* ---- activations ---- */

/** Where what a place sums up begins for an image, how many values that are, and how far apart. */
struct summands {
    size_t first, n, stride;
};

static struct summands summands_of(const struct model_run *run, int layer, int image,
                                   struct model_place place)
{
    const struct map_shape shape = run->model->layers[layer].out;
    const size_t pixels = (size_t)map_pixels(shape), time = (size_t)run->layers[layer].time;
    const size_t map = ((size_t)place.channel * (size_t)run->n_images + (size_t)image) * time * pixels;
    if (place.y < 0)
        return (struct summands){map, time * pixels, 1};
    return (struct summands){map + (size_t)(place.y * shape.width + place.x), time, pixels};
}

static float activation(const struct model_run *run, int layer, int image, struct model_place place)
{
    const struct summands summands = summands_of(run, layer, image, place);
    *run->first = summands.first;
    run->model->kernels->sums(1, run->first, summands.n, summands.stride, values_of(run, layer), run->sum);
    if (model_is_on_device(run->model))
        run->model->kernels->memory->finish();
    return (float)(*run->sum / (double)summands.n);
}

double model_start_sums(const struct model_run *run, int layer, const struct model_place *places,
                        size_t *first, double *sums)
{
    struct summands summands = {0};
    for (int i = 0; i < run->n_images; i++) {
        summands = summands_of(run, layer, i, places[i]);
        first[i] = summands.first;
    }
    run->model->kernels->sums(run->n_images, first, summands.n, summands.stride, values_of(run, layer), sums);
    return (double)summands.n;
}

double model_start_place_sums(const struct model_run *run, int layer, int n_places,
                              const struct model_place *places, size_t *first, double *sums)
{
    struct summands summands = {0};
    for (int image = 0; image < run->n_images; image++)
        for (int i = 0; i < n_places; i++) {
            summands = summands_of(run, layer, image, places[i]);
            first[image * n_places + i] = summands.first;
        }
    run->model->kernels->sums(run->n_images * n_places, first, summands.n, summands.stride,
                              values_of(run, layer), sums);
    return (double)summands.n;
}

float model_image_activation(const struct model_run *run, int image, int layer, int channel)
{
    const struct layer_state *state = &run->layers[layer];
    if (state->out != NULL || state->counts == NULL)
        return activation(run, layer, image, (struct model_place){channel, -1, -1});
    const double n = (double)state->time * map_pixels(run->model->layers[layer].out);
    return (float)((double)count_of(run, layer, channel) / n);
}

float model_channel_activation(const struct model_run *run, int layer, int channel)
{
    return model_image_activation(run, 0, layer, channel);
}

float model_neuron_activation(const struct model_run *run, int layer, int channel, int y, int x)
{
    return activation(run, layer, 0, (struct model_place){channel, y, x});
}
