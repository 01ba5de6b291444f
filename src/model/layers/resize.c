/* SPDX-License-Identifier: MIT */
/* Layers without weights that change the map's size: pools, upsampling, flatten and its inverse. */
#include "../layer.h"

struct pool_settings {
    long long kernel, stride, padding;
};

static const struct key pool_keys[] = {{"kernel", KEY_INTEGER, offsetof(struct pool_settings, kernel), 1, 64,
                                        NULL, "pixels", NULL, "side of the window"},
                                       {"stride", KEY_INTEGER, offsetof(struct pool_settings, stride), 1, 64,
                                        NULL, "pixels", NULL, "step of the window"},
                                       {"padding", KEY_INTEGER, offsetof(struct pool_settings, padding), 0,
                                        32, "0", "pixels", NULL,
                                        "border around the map, at most half the window"},
                                       {0}};

struct size_settings {
    long long height, width;
};

static const struct key size_keys[] = {{"height", KEY_INTEGER, offsetof(struct size_settings, height), 1,
                                        4096, NULL, "pixels", NULL, "of the map"},
                                       {"width", KEY_INTEGER, offsetof(struct size_settings, width), 1, 4096,
                                        NULL, "pixels", NULL, "of the map"},
                                       {0}};

static const struct key no_keys[] = {{0}};

/* ---- pools ---- */

static enum status prepare_pool(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    (void)tensors;
    const struct pool_settings *s = layer->settings;
    const int kernel = (int)s->kernel, stride = (int)s->stride, padding = (int)s->padding;
    if (2 * padding > kernel)
        return node_error(layer->node, error, "layer '%s': padding %d is more than half the window of %d",
                          layer->name, padding, kernel);
    if (layer->in[0].height + 2 * padding < kernel || layer->in[0].width + 2 * padding < kernel)
        return node_error(layer->node, error, "layer '%s': a map of %d x %d is smaller than its window",
                          layer->name, layer->in[0].height, layer->in[0].width);
    layer->out =
        (struct map_shape){layer->in[0].channels, (layer->in[0].height + 2 * padding - kernel) / stride + 1,
                           (layer->in[0].width + 2 * padding - kernel) / stride + 1};
    return STATUS_OK;
}

struct pool_shape layer_pool_shape(const struct layer *layer, int time)
{
    const struct pool_settings *s = layer->settings;
    return (struct pool_shape){layer->in[0].channels * time,
                               layer->in[0].height,
                               layer->in[0].width,
                               layer->out.height,
                               layer->out.width,
                               (int)s->kernel,
                               (int)s->stride,
                               (int)s->padding};
}

static void forward_max_pool(const struct layer *layer, const struct layer_call *call)
{
    const struct pool_shape shape = layer_pool_shape(layer, call->n_frames);
    call->kernels->max_pool(&shape, call->in[0], call->out);
}

static void forward_average_pool(const struct layer *layer, const struct layer_call *call)
{
    const struct pool_shape shape = layer_pool_shape(layer, call->n_frames);
    call->kernels->average_pool(&shape, call->in[0], call->out);
}

static enum status prepare_global_mean(struct layer *layer, const struct tensor_file *tensors,
                                       struct error *error)
{
    (void)tensors;
    if (layer->in[0].height != layer->in[0].width)
        return node_error(layer->node, error, "layer '%s': its map is %d x %d, expected a square",
                          layer->name, layer->in[0].height, layer->in[0].width);
    layer->out = (struct map_shape){layer->in[0].channels, 1, 1};
    layer->passes_through = map_pixels(layer->in[0]) == 1;
    return STATUS_OK;
}

static void forward_global_mean(const struct layer *layer, const struct layer_call *call)
{
    const int side = layer->in[0].height;
    const struct pool_shape shape = {layer->in[0].channels * call->n_frames, side, side, 1, 1, side, 1, 0};
    call->kernels->average_pool(&shape, call->in[0], call->out);
}

/* ---- upsampling ---- */

static enum status prepare_upsample(struct layer *layer, const struct tensor_file *tensors,
                                    struct error *error)
{
    (void)tensors;
    (void)error;
    layer->out = (struct map_shape){layer->in[0].channels, 2 * layer->in[0].height, 2 * layer->in[0].width};
    return STATUS_OK;
}

static void forward_upsample(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->upsample(layer->in[0].channels * call->n_frames, layer->in[0].height, layer->in[0].width,
                            call->in[0], call->out);
}

/* ---- flatten: [channel][time][pixel] <-> [feature = channel x pixel][time] ---- */

static enum status prepare_flatten(struct layer *layer, const struct tensor_file *tensors,
                                   struct error *error)
{
    (void)tensors;
    (void)error;
    layer->out = (struct map_shape){(int)map_values(layer->in[0]), 1, 1};
    layer->passes_through = map_pixels(layer->in[0]) == 1;
    return STATUS_OK;
}

static enum status prepare_unflatten(struct layer *layer, const struct tensor_file *tensors,
                                     struct error *error)
{
    (void)tensors;
    const struct size_settings *s = layer->settings;
    const long long pixels = s->height * s->width;
    if (map_pixels(layer->in[0]) != 1 || layer->in[0].channels % pixels != 0)
        return node_error(
            layer->node, error, "layer '%s': %d features of %d x %d do not make maps of %lld x %lld",
            layer->name, layer->in[0].channels, layer->in[0].height, layer->in[0].width, s->height, s->width);
    layer->out = (struct map_shape){(int)(layer->in[0].channels / pixels), (int)s->height, (int)s->width};
    return STATUS_OK;
}

static void forward_flatten(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->swap_time(layer->in[0].channels, call->n_frames, map_pixels(layer->in[0]), call->in[0],
                             call->out);
}

static void forward_unflatten(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->swap_time(layer->out.channels, map_pixels(layer->out), call->n_frames, call->in[0],
                             call->out);
}

const struct layer_kind layer_max_pool = {
    .name = "max_pool",
    .keeps_spikes = true,
    .summary = "largest value of each window",
    .keys = pool_keys,
    .settings_size = sizeof(struct pool_settings),
    .n_inputs = 1,
    .prepare = prepare_pool,
    .forward = forward_max_pool,
};

const struct layer_kind layer_average_pool = {
    .name = "average_pool",
    .summary = "mean of each window; padding counts as zeros",
    .keys = pool_keys,
    .settings_size = sizeof(struct pool_settings),
    .n_inputs = 1,
    .prepare = prepare_pool,
    .forward = forward_average_pool,
};

const struct layer_kind layer_global_mean = {
    .name = "global_mean",
    .summary = "mean over height and width",
    .keys = no_keys,
    .n_inputs = 1,
    .prepare = prepare_global_mean,
    .forward = forward_global_mean,
};

const struct layer_kind layer_upsample = {
    .name = "upsample",
    .summary = "bilinear, factor 2, align_corners off",
    .keys = no_keys,
    .n_inputs = 1,
    .prepare = prepare_upsample,
    .forward = forward_upsample,
};

const struct layer_kind layer_flatten = {
    .name = "flatten",
    .keeps_spikes = true,
    .summary = "maps to features, channel slowest",
    .keys = no_keys,
    .n_inputs = 1,
    .prepare = prepare_flatten,
    .forward = forward_flatten,
};

const struct layer_kind layer_unflatten = {
    .name = "unflatten",
    .keeps_spikes = true,
    .summary = "features to maps, channel slowest",
    .keys = size_keys,
    .settings_size = sizeof(struct size_settings),
    .n_inputs = 1,
    .prepare = prepare_unflatten,
    .forward = forward_unflatten,
};
