/* SPDX-License-Identifier: MIT */
/* The shapes that occur in the shipped models: every layer, run by itself on random input. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/model/model_private.h"
#include "clock.h"

/** A layer with everything that its forward function works on. */
struct layer_case {
    const struct layer *layer;
    struct layer_call call;
    struct guarded in[LAYER_MAX_INPUTS], out, scratch, membrane;
};

/** Time steps of a layer's output: 1 up to the first spiking layer. */
static int output_time(const struct model *model, int index)
{
    for (int i = 0; i <= index; i++)
        if (model->layers[i].kind->is_spiking)
            return model->timesteps;
    return 1;
}

static int input_time(const struct model *model, const struct layer *layer, int slot)
{
    return layer->inputs[slot] == MODEL_INPUT ? 1 : output_time(model, layer->inputs[slot]);
}

/** Spikes where the input comes from spiking neurons, indices for a dictionary, else any values. */
static void fill_input(const struct model *model, const struct layer *layer, int slot,
                       const struct guarded *in, struct stream *stream)
{
    int source = layer->inputs[slot];
    while (source != MODEL_INPUT && model->layers[source].passes_through)
        source = model->layers[source].inputs[0];
    const bool is_spikes = source != MODEL_INPUT && model->layers[source].kind->is_spiking;
    guarded_fill(in, stream, is_spikes ? FILL_SPIKES : FILL_NORMAL);
    for (size_t i = 0; layer->n_rows > 0 && i < in->n; i++)
        in->values[i] = (float)stream_integer(stream, 0, layer->n_rows - 1);
}

static struct layer_case make_case(const struct model *model, int index, struct stream *stream)
{
    const struct kernels *kernels = model->kernels;
    const struct layer *layer = &model->layers[index];
    struct layer_case c = {.layer = layer};
    c.call.kernels = kernels;
    c.call.n_images = 1;
    c.call.time = c.call.n_frames = output_time(model, index);
    for (int i = 0; i < layer->n_inputs; i++) {
        c.call.in_time[i] = input_time(model, layer, i);
        c.in[i] = guarded_make(map_values(layer->in[i]) * (size_t)c.call.in_time[i]);
        fill_input(model, layer, i, &c.in[i], stream);
        c.call.in[i] = c.in[i].values;
    }
    c.out = guarded_make(map_values(layer->out) * (size_t)c.call.time);
    c.scratch =
        guarded_make(layer->kind->scratch == NULL ? 0 : layer->kind->scratch(layer, kernels, c.call.time));
    c.membrane = guarded_make(map_values(layer->out));
    memset(c.membrane.values, 0, 4 * c.membrane.n);
    c.call.out = c.out.values;
    c.call.scratch = c.scratch.values;
    c.call.membrane = c.membrane.values;
    return c;
}

static void free_case(struct layer_case *c)
{
    for (int i = 0; i < c->layer->n_inputs; i++)
        guarded_free(&c->in[i]);
    guarded_free(&c->out);
    guarded_free(&c->scratch);
    guarded_free(&c->membrane);
}

static bool is_convolution(const struct layer *layer)
{
    return layer->kind->cost != NULL;
}

int model_convolutions(const struct model *model, struct convolution_case *cases, int capacity)
{
    int n = 0;
    for (int i = 0; i < model->n_layers && n < capacity; i++) {
        const struct layer *layer = &model->layers[i];
        struct convolution_case c = {.shape = layer->convolution, .has_bias = layer->bias != NULL};
        bool is_new = is_convolution(layer);
        c.shape.time = input_time(model, layer, 0);
        c.is_transposed = strcmp(layer->kind->name, "transposed_convolution") == 0;
        for (int j = 0; j < n; j++)
            is_new = is_new && memcmp(&cases[j].shape, &c.shape, sizeof c.shape) != 0;
        if (!is_new)
            continue;
        snprintf(c.name, sizeof c.name, "%.40s %.50s", model->name, layer->name);
        cases[n++] = c;
    }
    return n;
}

/** Kernels whose sums the tolerance table lets differ; all others must agree to the bit. */
static double allowed(const struct layer *layer, double value)
{
    static const char *const kinds[][2] = {{"tanh", "tanh"},
                                           {"upsample", "upsample"},
                                           {"batch_norm", "scale_shift"},
                                           {"average_pool", "average_pool"},
                                           {"global_mean", "average_pool"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(layer->kind->name, kinds[i][0]) == 0)
            return 4 * tolerance_factor(kinds[i][1]) * 0x1p-24 * (1 + fabs(value));
    return 0;
}

static void compare_with_reference(struct check *check, struct layer_case *c)
{
    struct guarded expected = guarded_make(c->out.n);
    struct layer_call call = c->call;
    c->layer->kind->forward(c->layer, &c->call);
    call.kernels = &kernels_reference;
    call.out = expected.values;
    memset(c->membrane.values, 0, 4 * c->membrane.n);
    c->layer->kind->forward(c->layer, &call);
    if (!guarded_is_intact(&c->out) || !guarded_is_intact(&c->membrane) || !guarded_is_filled(&c->out))
        check_fault(check, "%s: wrote outside of its output, or not all of it", c->layer->name);
    for (size_t i = 0; i < expected.n; i++)
        check_value(check, c->layer->name, i, (double)c->out.values[i], (double)expected.values[i],
                    allowed(c->layer, (double)expected.values[i]));
    guarded_free(&expected);
}

void check_model_layers(struct check *check, const struct model *model)
{
    char name[96];
    for (int i = 0; i < model->n_layers; i++) {
        if (is_convolution(&model->layers[i]) || model->layers[i].passes_through)
            continue;
        struct layer_case c = make_case(model, i, &check->stream);
        compare_with_reference(check, &c);
        free_case(&c);
    }
    snprintf(name, sizeof name, "layers of %.60s other than convolutions", model->name);
    check_end(check, name);
}

/* ---- speed ---- */

/** Seconds of one call: the best of several, each long enough to be measured. */
static double measure(const struct layer_case *c)
{
    enum { ROUNDS = 5 };
    const double round_s = 0.02, enough_s = 1;
    double best = INFINITY, total = 0;
    for (int round = 0; round < ROUNDS && total < enough_s; round++) {
        const double start = clock_seconds();
        double elapsed = 0;
        int n_calls = 0;
        for (; elapsed < round_s; n_calls++) {
            c->layer->kind->forward(c->layer, &c->call);
            elapsed = clock_seconds() - start;
        }
        best = fmin(best, elapsed / n_calls);
        total += elapsed;
    }
    return best;
}

static double measure_layer(const struct model *model, int index, struct stream *stream)
{
    struct layer_case c = make_case(model, index, stream);
    const double seconds = measure(&c);
    free_case(&c);
    return seconds;
}

static void bench_layer(const struct model *model, const struct model *reference, int index,
                        struct stream *stream)
{
    const struct layer *layer = &model->layers[index];
    const bool counts = is_convolution(layer);
    const int time = output_time(model, index);
    const double work = (counts ? 2 * layer->kind->cost(layer) : (double)map_values(layer->out)) * time;
    const double own_s = measure_layer(model, index, stream);
    const double reference_s = measure_layer(reference, index, stream);
    char shape[64];
    snprintf(shape, sizeof shape, "%d x %dx%dx%d", time, layer->out.channels, layer->out.height,
             layer->out.width);
    printf("%-24s %-22s %-18s %12.0f %9.2f %-9s %8.1f\n", layer->name, layer->kind->name, shape, own_s * 1e9,
           work / own_s / 1e9, counts ? "GFLOP/s" : "Gvalue/s", reference_s / own_s);
    fflush(stdout);
}

void bench_model(const struct model *model, const struct model *reference, struct stream *stream)
{
    printf("\n%s, kernels %s\n%-24s %-22s %-18s %12s %19s %8s\n", model->name, model->kernels->name, "layer",
           "kind", "T x out", "ns", "speed", "ratio");
    for (int i = 0; i < model->n_layers; i++)
        if (!model->layers[i].passes_through)
            bench_layer(model, reference, i, stream);
}
