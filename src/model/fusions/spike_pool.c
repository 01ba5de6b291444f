/* SPDX-License-Identifier: MIT */
/* The largest of some spikes: one of them, or none. */
#include "../model_private.h"

static bool find(const struct model *model, int index, struct fusion *fusion)
{
    const struct layer *layer = &model->layers[index];
    if (model->kernels->spikes == NULL || layer->kind != &layer_max_pool || layer->inputs[0] == MODEL_INPUT ||
        !model->layers[layer->inputs[0]].carries_spikes)
        return false;
    fusion->n_inputs = 1;
    fusion->inputs[0] = layer->inputs[0];
    fusion->takes_spikes[0] = true;
    return true;
}

static size_t scratch(const struct model *model, int index, int n_frames)
{
    const struct map_shape in = model->layers[index].in[0];
    (void)n_frames;
    return 2 * (size_t)in.width * spike_words(in.channels);
}

static void forward(const struct model *model, int index, const struct fusion_call *call)
{
    const struct layer *layer = &model->layers[index];
    struct pool_shape shape = layer_pool_shape(layer, call->n_frames);
    shape.n_planes = call->n_frames;
    model->kernels->spikes->max_pool(&shape, spike_words(layer->out.channels), call->spikes[0],
                                     call->out_spikes, call->scratch);
}

const struct fusion_kind fusion_spike_pool = {
    .name = "spike pool", .makes_spikes = true, .find = find, .scratch = scratch, .forward = forward};
