/* SPDX-License-Identifier: MIT */
#include "../layer.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct convolution_settings {
    long long stride, padding;
};

static const struct key convolution_keys[] = {
    {"stride", KEY_INTEGER, offsetof(struct convolution_settings, stride), 1, 64, "1", "pixels", NULL,
     "step of the window (of the output of a transposed convolution)"},
    {"padding", KEY_INTEGER, offsetof(struct convolution_settings, padding), 0, 64, "0", "pixels", NULL,
     "zeros around the map"},
    {0}};

static const struct key no_keys[] = {{0}};

/** Taps [first, last] of one axis that ever meet the map: the others multiply padding only and are dropped.
 */
static void useful_taps(int in_size, int out_size, int kernel, int stride, int padding, int *first, int *last)
{
    *first = kernel;
    *last = -1;
    for (int tap = 0; tap < kernel; tap++)
        for (int out = 0; out < out_size; out++) {
            const int in = out * stride + tap - padding;
            if (in < 0 || in >= in_size)
                continue;
            *first = tap < *first ? tap : *first;
            *last = tap;
        }
}

/** layer->weight = the taps [top..][left..] of the stored filters [n][kernel_height][kernel_width]. */
static enum status copy_taps(struct layer *layer, const struct tensor *stored, int top, int left,
                             struct error *error)
{
    const struct convolution_shape *s = &layer->convolution;
    const size_t n_filters = (size_t)stored->size[0] * (size_t)stored->size[1];
    const size_t stored_height = (size_t)stored->size[2], stored_width = (size_t)stored->size[3];
    layer->n_weights = n_filters * (size_t)s->kernel_height * (size_t)s->kernel_width;
    TRY(MEMORY_ALLOCATE(layer->weight, layer->n_weights, error));
    float *to = layer->weight;
    for (size_t f = 0; f < n_filters; f++)
        for (int i = 0; i < s->kernel_height; i++, to += s->kernel_width) {
            const float *from =
                stored->values + (f * stored_height + (size_t)(top + i)) * stored_width + (size_t)left;
            memcpy(to, from, sizeof *to * (size_t)s->kernel_width);
        }
    return STATUS_OK;
}

/** Shape of the map and of the window before any tap is dropped. */
static void set_shape(struct layer *layer, int kernel_height, int kernel_width, int stride, int padding)
{
    layer->convolution = (struct convolution_shape){
        .time = 1,
        .in_channels = layer->in[0].channels,
        .in_height = layer->in[0].height,
        .in_width = layer->in[0].width,
        .out_channels = layer->out.channels,
        .out_height = layer->out.height,
        .out_width = layer->out.width,
        .kernel_height = kernel_height,
        .kernel_width = kernel_width,
        .stride = stride,
        .pad_top = padding,
        .pad_left = padding,
    };
}

static enum status check_output(const struct layer *layer, struct error *error)
{
    if (layer->out.height < 1 || layer->out.width < 1 || layer->out.height > 4096 || layer->out.width > 4096)
        return node_error(layer->node, error, "layer '%s': a map of %d x %d does not fit its window",
                          layer->name, layer->in[0].height, layer->in[0].width);
    return STATUS_OK;
}

static enum status prepare_convolution(struct layer *layer, const struct tensor_file *tensors,
                                       struct error *error)
{
    const struct convolution_settings *settings = layer->settings;
    const struct tensor *weight;
    const int64_t expected[] = {-1, layer->in[0].channels, -1, -1};
    TRY(layer_tensor(layer, tensors, "weight", false, 4, expected, &weight, error));
    const int stride = (int)settings->stride, padding = (int)settings->padding;
    const int height = (int)weight->size[2], width = (int)weight->size[3];
    layer->out =
        (struct map_shape){(int)weight->size[0], (layer->in[0].height + 2 * padding - height) / stride + 1,
                           (layer->in[0].width + 2 * padding - width) / stride + 1};
    if (layer->in[0].height + 2 * padding < height || layer->in[0].width + 2 * padding < width)
        layer->out.height = 0;
    TRY(check_output(layer, error));
    int top, bottom, left, right;
    useful_taps(layer->in[0].height, layer->out.height, height, stride, padding, &top, &bottom);
    useful_taps(layer->in[0].width, layer->out.width, width, stride, padding, &left, &right);
    if (bottom < top || right < left)
        return node_error(layer->node, error, "layer '%s': its window meets nothing but padding",
                          layer->name);
    set_shape(layer, bottom - top + 1, right - left + 1, stride, padding);
    layer->convolution.pad_top -= top;
    layer->convolution.pad_left -= left;
    TRY(copy_taps(layer, weight, top, left, error));
    return layer_read_bias(layer, tensors, error);
}

static enum status prepare_transposed(struct layer *layer, const struct tensor_file *tensors,
                                      struct error *error)
{
    const struct convolution_settings *settings = layer->settings;
    const struct tensor *weight;
    const int64_t expected[] = {layer->in[0].channels, -1, -1, -1};
    TRY(layer_tensor(layer, tensors, "weight", false, 4, expected, &weight, error));
    const int stride = (int)settings->stride, padding = (int)settings->padding;
    const int height = (int)weight->size[2], width = (int)weight->size[3];
    layer->out =
        (struct map_shape){(int)weight->size[1], (layer->in[0].height - 1) * stride - 2 * padding + height,
                           (layer->in[0].width - 1) * stride - 2 * padding + width};
    TRY(check_output(layer, error));
    set_shape(layer, height, width, stride, padding);
    TRY(copy_taps(layer, weight, 0, 0, error));
    return layer_read_bias(layer, tensors, error);
}

/** A linear layer is a 1 x 1 convolution of 1 x 1 maps. */
static enum status prepare_linear(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    const struct tensor *weight;
    const int64_t expected[] = {-1, layer->in[0].channels};
    if (map_pixels(layer->in[0]) != 1)
        return node_error(layer->node, error,
                          "layer '%s': its input is a map of %d x %d; put a flatten before it", layer->name,
                          layer->in[0].height, layer->in[0].width);
    TRY(layer_tensor(layer, tensors, "weight", false, 2, expected, &weight, error));
    layer->out = (struct map_shape){(int)weight->size[0], 1, 1};
    set_shape(layer, 1, 1, 1, 0);
    TRY(layer_copy_weight(layer, weight, error));
    return layer_read_bias(layer, tensors, error);
}

/** Put the weights of `n_values` floats into another layout. */
static enum status arrange_weight(struct layer *layer, size_t n_values,
                                  void (*arrange)(const struct convolution_shape *, const float *, float *),
                                  struct error *error)
{
    float *arranged = NULL;
    TRY(MEMORY_ALLOCATE(arranged, n_values, error));
    arrange(&layer->convolution, layer->weight, arranged);
    free(layer->weight);
    layer->weight = arranged;
    layer->n_weights = n_values;
    return STATUS_OK;
}

static enum status arrange_convolution(struct layer *layer, const struct kernels *kernels,
                                       struct error *error)
{
    const size_t n_values = kernels->convolution_weight_size(&layer->convolution);
    return arrange_weight(layer, n_values, kernels->arrange_convolution, error);
}

static enum status arrange_transposed(struct layer *layer, const struct kernels *kernels, struct error *error)
{
    const size_t n_values = kernels->transposed_weight_size(&layer->convolution);
    return arrange_weight(layer, n_values, kernels->arrange_transposed, error);
}

static struct convolution_shape shape_over_time(const struct layer *layer, int time)
{
    struct convolution_shape shape = layer->convolution;
    shape.time = time;
    return shape;
}

static size_t convolution_scratch(const struct layer *layer, const struct kernels *kernels, int time)
{
    const struct convolution_shape shape = shape_over_time(layer, time);
    return kernels->convolution_scratch(&shape);
}

static size_t transposed_scratch(const struct layer *layer, const struct kernels *kernels, int time)
{
    const struct convolution_shape shape = shape_over_time(layer, time);
    return kernels->transposed_convolution_scratch(&shape);
}

static void forward_convolution(const struct layer *layer, const struct layer_call *call)
{
    const struct convolution_shape shape = shape_over_time(layer, call->n_frames);
    call->kernels->convolution(&shape, layer->weight, layer->bias, call->in[0], call->out, call->scratch);
}

static void forward_transposed(const struct layer *layer, const struct layer_call *call)
{
    const struct convolution_shape shape = shape_over_time(layer, call->n_frames);
    call->kernels->transposed_convolution(&shape, layer->weight, layer->bias, call->in[0], call->out,
                                          call->scratch);
}

static double convolution_cost(const struct layer *layer)
{
    const struct convolution_shape *s = &layer->convolution;
    return (double)s->out_channels * s->out_height * s->out_width * s->in_channels * s->kernel_height *
           s->kernel_width;
}

static double transposed_cost(const struct layer *layer)
{
    const struct convolution_shape *s = &layer->convolution;
    return (double)s->in_channels * s->in_height * s->in_width * s->out_channels * s->kernel_height *
           s->kernel_width;
}

const struct layer_kind layer_convolution = {
    .name = "convolution",
    .summary = "two-dimensional convolution; widths and window are read from the tensor",
    .keys = convolution_keys,
    .settings_size = sizeof(struct convolution_settings),
    .n_inputs = 1,
    .prepare = prepare_convolution,
    .arrange = arrange_convolution,
    .scratch = convolution_scratch,
    .forward = forward_convolution,
    .cost = convolution_cost,
};

const struct layer_kind layer_transposed_convolution = {
    .name = "transposed_convolution",
    .summary = "PyTorch's ConvTranspose2d",
    .keys = convolution_keys,
    .settings_size = sizeof(struct convolution_settings),
    .n_inputs = 1,
    .prepare = prepare_transposed,
    .arrange = arrange_transposed,
    .scratch = transposed_scratch,
    .forward = forward_transposed,
    .cost = transposed_cost,
};

const struct layer_kind layer_linear = {
    .name = "linear",
    .summary = "matrix product and bias",
    .keys = no_keys,
    .settings_size = 0,
    .n_inputs = 1,
    .prepare = prepare_linear,
    .arrange = arrange_convolution,
    .scratch = convolution_scratch,
    .forward = forward_convolution,
    .cost = convolution_cost,
};
