/* SPDX-License-Identifier: MIT */
#include "layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

size_t map_values(struct map_shape shape)
{
    return (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
}

int map_pixels(struct map_shape shape)
{
    return shape.height * shape.width;
}

static enum status shape_error(const struct tensor_file *tensors, const struct tensor *tensor,
                               int n_dimensions, const int64_t *expected, struct error *error)
{
    char found[TENSOR_SHAPE_CAPACITY], wanted[TENSOR_SHAPE_CAPACITY] = "[";
    size_t length = 1;
    tensor_shape_text(tensor, found);
    for (int i = 0; i < n_dimensions; i++) {
        const char *comma = i == 0 ? "" : ", ";
        if (expected[i] < 0)
            length += (size_t)snprintf(wanted + length, sizeof wanted - length, "%sany", comma);
        else
            length += (size_t)snprintf(wanted + length, sizeof wanted - length, "%s%lld", comma,
                                       (long long)expected[i]);
    }
    return error_set(error, STATUS_BAD_INPUT, "%s: tensor '%s' has shape %s, expected %s]", tensors->path,
                     tensor->name, found, wanted);
}

enum status layer_tensor(const struct layer *layer, const struct tensor_file *tensors, const char *suffix,
                         bool optional, int n_dimensions, const int64_t *expected,
                         const struct tensor **tensor, struct error *error)
{
    char name[512];
    snprintf(name, sizeof name, "%s.%s", layer->prefix, suffix);
    *tensor = tensor_find(tensors, name);
    if (*tensor == NULL && optional)
        return STATUS_OK;
    if (*tensor == NULL)
        return node_error(layer->node, error, "layer '%s' needs tensor '%s', which %s does not have",
                          layer->name, name, tensors->path);
    bool fits = (*tensor)->n_dimensions == n_dimensions;
    for (int i = 0; fits && i < n_dimensions; i++)
        fits = (*tensor)->size[i] > 0 && (expected[i] < 0 || (*tensor)->size[i] == expected[i]);
    tensors->tensors[*tensor - tensors->tensors].is_used = true;
    return fits ? STATUS_OK : shape_error(tensors, *tensor, n_dimensions, expected, error);
}

static enum status copy_values(float **copy, const struct tensor *tensor, struct error *error)
{
    TRY(MEMORY_ALLOCATE(*copy, tensor->n_values, error));
    memcpy(*copy, tensor->values, sizeof **copy * tensor->n_values);
    return STATUS_OK;
}

enum status layer_copy_weight(struct layer *layer, const struct tensor *tensor, struct error *error)
{
    layer->n_weights = tensor->n_values;
    return copy_values(&layer->weight, tensor, error);
}

enum status layer_read_bias(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    const struct tensor *bias;
    const int64_t expected[] = {layer->out.channels};
    TRY(layer_tensor(layer, tensors, "bias", true, 1, expected, &bias, error));
    return bias == NULL ? STATUS_OK : copy_values(&layer->bias, bias, error);
}

bool layer_can_fold(const struct layer *layer)
{
    return strcmp(layer->kind->name, "convolution") == 0 || strcmp(layer->kind->name, "linear") == 0;
}

enum status layer_fold(struct layer *layer, const double *scale, const double *shift, struct error *error)
{
    const struct convolution_shape *s = &layer->convolution;
    const size_t filter = (size_t)s->in_channels * (size_t)s->kernel_height * (size_t)s->kernel_width;
    const size_t n_channels = (size_t)layer->out.channels;
    if (layer->bias == NULL)
        TRY(MEMORY_ALLOCATE(layer->bias, n_channels, error));
    for (size_t c = 0; c < n_channels; c++) {
        for (size_t i = 0; i < filter; i++)
            layer->weight[c * filter + i] = (float)(scale[c] * (double)layer->weight[c * filter + i]);
        layer->bias[c] = (float)(scale[c] * (double)layer->bias[c] + shift[c]);
    }
    return STATUS_OK;
}
