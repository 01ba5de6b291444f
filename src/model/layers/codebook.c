/* SPDX-License-Identifier: MIT */
/* A codebook [row][channel]: from numbers of rows to the rows, and back. */
#include "../layer.h"

struct grid_settings {
    long long height, width;
};

static const struct key grid_keys[] = {{"height", KEY_INTEGER, offsetof(struct grid_settings, height), 1,
                                        4096, NULL, "pixels", NULL, "of the map"},
                                       {"width", KEY_INTEGER, offsetof(struct grid_settings, width), 1, 4096,
                                        NULL, "pixels", NULL, "of the map"},
                                       {0}};

static const struct key no_keys[] = {{0}};

static enum status prepare_embedding(struct layer *layer, const struct tensor_file *tensors,
                                     struct error *error)
{
    const struct grid_settings *s = layer->settings;
    const struct tensor *table;
    const int64_t expected[] = {-1, -1};
    TRY(layer_tensor(layer, tensors, "weight", false, 2, expected, &table, error));
    if (layer->in[0].channels != s->height * s->width || map_pixels(layer->in[0]) != 1)
        return node_error(layer->node, error, "layer '%s': %d indices do not fill a grid of %lld x %lld",
                          layer->name, layer->in[0].channels, s->height, s->width);
    layer->out = (struct map_shape){(int)table->size[1], (int)s->height, (int)s->width};
    layer->n_rows = (int)table->size[0];
    return layer_copy_weight(layer, table, error);
}

static void forward_embedding(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->embedding(layer->n_rows, layer->out.channels, call->n_frames, map_pixels(layer->out),
                             layer->weight, call->in[0], call->out);
}

static enum status prepare_nearest_row(struct layer *layer, const struct tensor_file *tensors,
                                       struct error *error)
{
    const struct tensor *table;
    const int64_t expected[] = {-1, layer->in[0].channels};
    TRY(layer_tensor(layer, tensors, "weight", false, 2, expected, &table, error));
    layer->out = (struct map_shape){1, layer->in[0].height, layer->in[0].width};
    layer->n_rows = (int)table->size[0];
    return layer_copy_weight(layer, table, error);
}

static void forward_nearest_row(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->nearest_row(layer->n_rows, layer->in[0].channels, call->n_frames, map_pixels(layer->out),
                               layer->weight, call->in[0], call->out);
}

const struct layer_kind layer_embedding = {
    .name = "embedding",
    .summary = "codebook rows as channels of a map",
    .keys = grid_keys,
    .settings_size = sizeof(struct grid_settings),
    .n_inputs = 1,
    .prepare = prepare_embedding,
    .forward = forward_embedding,
};

const struct layer_kind layer_nearest_row = {
    .name = "nearest_row",
    .summary = "number of the codebook row nearest to each pixel's channels",
    .keys = no_keys,
    .n_inputs = 1,
    .prepare = prepare_nearest_row,
    .forward = forward_nearest_row,
};
