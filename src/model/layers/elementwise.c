/* SPDX-License-Identifier: MIT */
/* Layers without weights that keep the map's size: relu, tanh, add, concatenate. */
#include "../layer.h"

static const struct key no_keys[] = {{0}};

static enum status prepare_same(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    (void)tensors;
    (void)error;
    layer->out = layer->in[0];
    return STATUS_OK;
}

static enum status prepare_add(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    (void)tensors;
    const struct map_shape a = layer->in[0], b = layer->in[1];
    if (a.channels != b.channels || a.height != b.height || a.width != b.width)
        return node_error(layer->node, error, "layer '%s': cannot add %d x %d x %d and %d x %d x %d",
                          layer->name, a.channels, a.height, a.width, b.channels, b.height, b.width);
    layer->out = a;
    return STATUS_OK;
}

static enum status prepare_concatenate(struct layer *layer, const struct tensor_file *tensors,
                                       struct error *error)
{
    (void)tensors;
    const struct map_shape a = layer->in[0], b = layer->in[1];
    if (a.height != b.height || a.width != b.width)
        return node_error(layer->node, error,
                          "layer '%s': cannot concatenate the channels of maps of %d x %d and %d x %d",
                          layer->name, a.height, a.width, b.height, b.width);
    layer->out = (struct map_shape){a.channels + b.channels, a.height, a.width};
    return STATUS_OK;
}

static size_t n_values(const struct layer *layer, const struct layer_call *call)
{
    return (size_t)call->n_frames * map_values(layer->out);
}

static void forward_relu(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->relu(n_values(layer, call), call->in[0], call->out);
}

static void forward_tanh(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->tanh(n_values(layer, call), call->in[0], call->out);
}

static void forward_add(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->add(layer->out.channels * call->n_images, call->time, map_pixels(layer->out), call->in[0],
                       call->in_time[0], call->in[1], call->in_time[1], call->out);
}

static void forward_concatenate(const struct layer *layer, const struct layer_call *call)
{
    float *out = call->out;
    for (int i = 0; i < 2; i++) {
        const struct map_shape in = layer->in[i];
        call->kernels->copy(in.channels * call->n_images, call->time, map_pixels(in), call->in[i],
                            call->in_time[i], out);
        out += map_values(in) * (size_t)call->n_frames;
    }
}

const struct layer_kind layer_relu = {
    .name = "relu",
    .summary = "max(x, 0)",
    .keys = no_keys,
    .n_inputs = 1,
    .prepare = prepare_same,
    .forward = forward_relu,
};

const struct layer_kind layer_tanh = {
    .name = "tanh",
    .summary = "hyperbolic tangent",
    .keys = no_keys,
    .n_inputs = 1,
    .prepare = prepare_same,
    .forward = forward_tanh,
};

const struct layer_kind layer_concatenate = {
    .name = "concatenate",
    .summary = "channels of one layer, then those of another",
    .keys = no_keys,
    .keeps_spikes = true,
    .n_inputs = 2,
    .prepare = prepare_concatenate,
    .forward = forward_concatenate,
};

const struct layer_kind layer_add = {
    .name = "add",
    .summary = "sum of two layers of one shape",
    .keys = no_keys,
    .n_inputs = 2,
    .prepare = prepare_add,
    .forward = forward_add,
};
