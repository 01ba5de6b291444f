/* SPDX-License-Identifier: MIT */
/* Neurons whose current is the same at every time step: the first ones of a network. Their spikes are made as
 * bits. */
#include "../model_private.h"

static bool find(const struct model *model, int index, struct fusion *fusion)
{
    const struct layer *layer = &model->layers[index];
    if (model->kernels->spikes == NULL || !layer->kind->is_spiking || layer->inputs[0] == MODEL_INPUT ||
        !model->layers[layer->inputs[0]].is_static)
        return false;
    fusion->n_inputs = 1;
    fusion->inputs[0] = layer->inputs[0];
    return true;
}

static size_t scratch(const struct model *model, int index, int n_frames)
{
    const struct map_shape shape = model->layers[index].out;
    (void)n_frames;
    return 64 * spike_words(shape.channels) * (size_t)map_pixels(shape);
}

static void forward(const struct model *model, int index, const struct fusion_call *call)
{
    const struct layer *layer = &model->layers[index];
    model->kernels->spikes->spike(&layer->neuron, layer->out.channels, call->n_frames, map_pixels(layer->out),
                                  call->values[0], call->out_spikes, call->scratch);
}

const struct fusion_kind fusion_static_spikes = {
    .name = "static spikes", .makes_spikes = true, .find = find, .scratch = scratch, .forward = forward};
