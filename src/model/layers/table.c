/* SPDX-License-Identifier: MIT */
#include "../layer.h"

extern const struct layer_kind layer_convolution, layer_transposed_convolution, layer_linear, layer_spiking,
    layer_relu, layer_tanh, layer_concatenate, layer_average_pool, layer_global_mean, layer_upsample,
    layer_flatten, layer_unflatten;

const struct layer_kind *const layer_kinds[] = {
    &layer_convolution,  &layer_transposed_convolution,
    &layer_linear,       &layer_batch_norm,
    &layer_spiking,      &layer_relu,
    &layer_tanh,         &layer_add,
    &layer_concatenate,  &layer_max_pool,
    &layer_average_pool, &layer_global_mean,
    &layer_upsample,     &layer_flatten,
    &layer_unflatten,    &layer_embedding,
    &layer_nearest_row,  NULL,
};
