/* SPDX-License-Identifier: MIT */
/*
 * A generator's convolution with the batch norm, relu and upsampling before it, and the relu or the shortcut
 * behind it. In a subject such layers are units, whose outputs are wanted.
 */
#include "../model_private.h"
#include "memory.h"

enum { NONE = -2 };

/** Layers of a group, each NONE where it has none; `from` and `added_from` are outside. */
struct group {
    int convolution;
    int batch_norm, head_relu, head_upsample, from;
    int tail_relu, added_upsample, added_from;
};

/** The layer that an input is computed by, if of this kind and for nothing but that input; else NONE. */
static int lone_source(const struct model *model, int input, const struct layer_kind *kind)
{
    const int source = fusion_source(model, input);
    if (source == MODEL_INPUT || model->layers[source].kind != kind || !fusion_has_one_user(model, source))
        return NONE;
    return source;
}

/** Go back from *from over a layer of this kind, if there is one. */
static int step_back(const struct model *model, const struct layer_kind *kind, int *from)
{
    const int source = lone_source(model, *from, kind);
    if (source != NONE)
        *from = fusion_source(model, model->layers[source].inputs[0]);
    return source;
}

/** A relu that rather is part of the convolution before it, which writes its output only once. */
static bool follows_convolution(const struct model *model, int relu)
{
    return relu != MODEL_INPUT && model->layers[relu].kind == &layer_relu &&
           lone_source(model, model->layers[relu].inputs[0], &layer_convolution) != NONE;
}

static void find_head(const struct model *model, struct group *group)
{
    group->from = fusion_source(model, model->layers[group->convolution].inputs[0]);
    group->head_upsample = step_back(model, &layer_upsample, &group->from);
    group->head_relu = group->batch_norm = NONE;
    if (!follows_convolution(model, group->from))
        group->head_relu = step_back(model, &layer_relu, &group->from);
    group->batch_norm = step_back(model, &layer_batch_norm, &group->from);
}

static void find_shortcut(const struct model *model, int input, struct group *group)
{
    group->added_from = fusion_source(model, input);
    group->added_upsample = step_back(model, &layer_upsample, &group->added_from);
}

/** The convolution that ends with this layer. */
static struct group find_tail(const struct model *model, int index)
{
    const struct layer *layer = &model->layers[index];
    struct group group = {.convolution = NONE, .tail_relu = NONE, .added_upsample = NONE, .added_from = NONE};
    if (layer->kind == &layer_convolution) {
        group.convolution = index;
    } else if (layer->kind == &layer_relu) {
        group.convolution = lone_source(model, layer->inputs[0], &layer_convolution);
        group.tail_relu = index;
    } else if (layer->kind == &layer_add) {
        for (int i = 0; i < 2 && group.convolution == NONE; i++) {
            group.convolution = lone_source(model, layer->inputs[i], &layer_convolution);
            find_shortcut(model, layer->inputs[1 - i], &group);
        }
    }
    return group;
}

static struct group find_group(const struct model *model, int index)
{
    struct group group = find_tail(model, index);
    if (group.convolution != NONE)
        find_head(model, &group);
    return group;
}

/** Its weight and its pointers into maps are the caller's to set, the latter where they are not NULL. */
static struct generator_convolution make_call(const struct model *model, const struct group *group,
                                              const struct convolution_shape *shape)
{
    static const float something;
    struct generator_convolution call = {.shape = shape,
                                         .bias = model->layers[group->convolution].bias,
                                         .added = group->added_from == NONE ? NULL : &something,
                                         .rectifies_input = group->head_relu != NONE,
                                         .upsamples = group->head_upsample != NONE,
                                         .added_is_half = group->added_upsample != NONE,
                                         .rectifies_output = group->tail_relu != NONE};
    if (group->batch_norm != NONE) {
        call.scale = model->layers[group->batch_norm].weight;
        call.shift = model->layers[group->batch_norm].bias;
    }
    return call;
}

static struct convolution_shape shape_of(const struct model *model, const struct group *group, int time)
{
    struct convolution_shape shape = model->layers[group->convolution].convolution;
    shape.time = time;
    return shape;
}

/** Can the kernels do it, with something to spare the reading or writing of? */
static bool fits(const struct model *model, const struct group *group)
{
    if (group->convolution == NONE ||
        (group->from == fusion_source(model, model->layers[group->convolution].inputs[0]) &&
         group->tail_relu == NONE && group->added_from == NONE))
        return false;
    const struct convolution_shape shape = shape_of(model, group, 1);
    const struct generator_convolution call = make_call(model, group, &shape);
    return model->kernels->generators->fits(&call);
}

/** Does a group that ends later compute this convolution? */
static bool belongs_to_later(const struct model *model, int index)
{
    for (int i = index + 1; i < model->n_layers; i++) {
        const struct group group = find_group(model, i);
        if (group.convolution == index && fits(model, &group))
            return true;
    }
    return false;
}

static bool find(const struct model *model, int index, struct fusion *fusion)
{
    if (model->kernels->generators == NULL || model->role != MODEL_GENERATOR)
        return false;
    const struct group group = find_group(model, index);
    if (!fits(model, &group) || (group.convolution == index && belongs_to_later(model, index)))
        return false;
    fusion->convolutions[0] = group.convolution;
    fusion->inputs[fusion->n_inputs++] = group.from;
    if (group.added_from != NONE)
        fusion->inputs[fusion->n_inputs++] = group.added_from;
    return true;
}

static enum status arrange(const struct model *model, int index, struct fusion *fusion, struct error *error)
{
    const struct group group = find_group(model, index);
    const struct convolution_shape shape = shape_of(model, &group, 1);
    const struct generator_convolution call = make_call(model, &group, &shape);
    TRY(MEMORY_ALLOCATE(fusion->weight, model->kernels->generators->weight_size(&call), error));
    model->kernels->generators->arrange(&call, model->layers[group.convolution].weight, fusion->weight);
    return STATUS_OK;
}

static size_t scratch(const struct model *model, int index, int time)
{
    const struct group group = find_group(model, index);
    const struct convolution_shape shape = shape_of(model, &group, time);
    const struct generator_convolution call = make_call(model, &group, &shape);
    return model->kernels->generators->scratch(&call);
}

static void forward(const struct model *model, int index, const struct fusion_call *fusion_call)
{
    const struct group group = find_group(model, index);
    const struct convolution_shape shape = shape_of(model, &group, fusion_call->time);
    struct generator_convolution call = make_call(model, &group, &shape);
    call.weight = model->fusions[index].weight;
    call.in = fusion_call->values[0];
    call.added = group.added_from == NONE ? NULL : fusion_call->values[1];
    model->kernels->generators->convolution(&call, fusion_call->out, fusion_call->scratch);
}

const struct fusion_kind fusion_generator_convolution = {.name = "generator convolution",
                                                         .find = find,
                                                         .arrange = arrange,
                                                         .scratch = scratch,
                                                         .forward = forward};
