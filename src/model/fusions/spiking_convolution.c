/* SPDX-License-Identifier: MIT */
/*
 * Neurons that convolutions of spikes charge: one convolution, or one and a shortcut, which is a convolution
 * of spikes, too, or spikes. Currents are never written for the whole map.
 */
#include "../model_private.h"

/** The convolution of spikes that nothing but this input takes; else NO_LAYER. */
static int convolution_before(const struct model *model, int input)
{
    const int source = fusion_source(model, input);
    if (source == MODEL_INPUT || !model->layers[source].convolution.takes_spikes ||
        !layer_can_fold(&model->layers[source]) || !fusion_has_one_user(model, source))
        return NO_LAYER;
    return model->kernels->spikes->fits(&model->layers[source].convolution) ? source : NO_LAYER;
}

static void put_convolution(const struct model *model, int slot, int convolution, struct fusion *fusion)
{
    fusion->layers[slot] = convolution;
    fusion->inputs[slot] = model->layers[convolution].inputs[0];
    fusion->takes_spikes[slot] = true;
    fusion->n_inputs = slot + 1;
}

/** Another convolution, or spikes that are added as they are. */
static bool find_shortcut(const struct model *model, int input, struct fusion *fusion)
{
    const int convolution = convolution_before(model, input);
    if (convolution != NO_LAYER) {
        put_convolution(model, 1, convolution, fusion);
        return true;
    }
    if (input == MODEL_INPUT || !model->layers[input].carries_spikes)
        return false;
    fusion->inputs[1] = input;
    fusion->takes_spikes[1] = true;
    fusion->n_inputs = 2;
    return true;
}

static bool find(const struct model *model, int index, struct fusion *fusion)
{
    const struct layer *layer = &model->layers[index];
    if (model->kernels->spikes == NULL || !layer->kind->is_spiking)
        return false;
    const int source = fusion_source(model, layer->inputs[0]);
    if (source == MODEL_INPUT)
        return false;
    const struct layer *sum = &model->layers[source];
    int convolution = convolution_before(model, source);
    if (convolution != NO_LAYER) {
        put_convolution(model, 0, convolution, fusion);
        return true;
    }
    for (int first = 0; sum->kind == &layer_add && fusion_has_one_user(model, source) && first < 2; first++) {
        convolution = convolution_before(model, sum->inputs[first]);
        if (convolution == NO_LAYER)
            continue;
        put_convolution(model, 0, convolution, fusion);
        return find_shortcut(model, sum->inputs[1 - first], fusion);
    }
    return false;
}

/** Shapes are the caller's: [2]. */
static struct spiking_convolution make_call(const struct model *model, int index, int n_frames,
                                            struct convolution_shape *shapes)
{
    const struct fusion *fusion = &model->fusions[index];
    struct spiking_convolution result = {.neuron = &model->layers[index].neuron};
    for (int i = 0; i < fusion->n_inputs && fusion->layers[i] != NO_LAYER; i++) {
        const struct layer *convolution = &model->layers[fusion->layers[i]];
        shapes[i] = convolution->convolution;
        shapes[i].time = n_frames;
        result.shapes[i] = &shapes[i];
        result.weights[i] = convolution->weight;
        result.biases[i] = convolution->bias;
        result.n_convolutions = i + 1;
    }
    return result;
}

static size_t scratch(const struct model *model, int index, int n_frames)
{
    struct convolution_shape shapes[FUSION_MAX_INPUTS];
    const struct spiking_convolution call = make_call(model, index, n_frames, shapes);
    return model->kernels->spikes->convolution_scratch(&call);
}

static void forward(const struct model *model, int index, const struct fusion_call *call)
{
    struct convolution_shape shapes[FUSION_MAX_INPUTS];
    struct spiking_convolution convolution = make_call(model, index, call->n_frames, shapes);
    for (int i = 0; i < convolution.n_convolutions; i++)
        convolution.in[i] = call->spikes[i];
    if (convolution.n_convolutions == 1)
        convolution.added = call->spikes[1];
    convolution.channel = call->channel;
    model->kernels->spikes->convolution(&convolution, call->out_spikes, call->scratch);
}

const struct fusion_kind fusion_spiking_convolution = {.name = "spiking convolution",
                                                       .makes_spikes = true,
                                                       .find = find,
                                                       .scratch = scratch,
                                                       .forward = forward};
