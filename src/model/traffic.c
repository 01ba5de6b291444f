/* SPDX-License-Identifier: MIT */
/* What a layer has to move at least. */
#include "model_private.h"

/** Weights as the tensor has them, without the taps that never meet the map; the layout of a kernel may hold
 * more. */
static double weight_values(const struct layer *layer)
{
    const struct convolution_shape *s = &layer->convolution;
    if (s->time == 0)
        return layer->bias == NULL ? 0 : 2 * layer->out.channels;
    return (double)s->in_channels * s->out_channels * s->kernel_height * s->kernel_width +
           (layer->bias == NULL ? 0 : s->out_channels);
}

static int steps(const struct model *model, int index)
{
    return index == MODEL_INPUT || model->layers[index].is_static ? 1 : model->timesteps;
}

struct layer_traffic model_layer_traffic(const struct model *model, int index)
{
    const struct layer *layer = &model->layers[index];
    struct layer_traffic traffic = {0, 0, 0};
    if (layer->passes_through)
        return traffic;
    for (int i = 0; i < layer->n_inputs; i++)
        traffic.inputs += sizeof(float) * (double)map_values(layer->in[i]) * steps(model, layer->inputs[i]);
    traffic.output = sizeof(float) * (double)map_values(layer->out) * steps(model, index);
    traffic.weights = sizeof(float) * weight_values(layer);
    return traffic;
}

int model_layer_reader(const struct model *model, int index)
{
    for (int i = index + 1; i < model->n_layers; i++)
        for (int j = 0; j < model->layers[i].n_inputs; j++)
            if (model->layers[i].inputs[j] == index)
                return i;
    return -1;
}
