/* SPDX-License-Identifier: MIT */
/*
 * A generator's convolution with the batch norm, relu and upsampling before it, and the relu or the shortcut
 * behind it. In a subject such layers are units, whose outputs are wanted.
 */
#include "../model_private.h"
#include "../placement.h"
#include "memory.h"

/* Of fusion->layers, and of fusion->inputs: what the convolution reads, and what is added to its output. */
enum { CONVOLUTION, BATCH_NORM, HEAD_RELU, HEAD_UPSAMPLE, TAIL_RELU, ADDED_UPSAMPLE };
enum { MAP, ADDED };

static bool has(const struct fusion *fusion, int part)
{
    return fusion->layers[part] != NO_LAYER;
}

/** The layer that an input is computed by, if of this kind and for nothing but that input; else NO_LAYER. */
static int lone_source(const struct model *model, int input, const struct layer_kind *kind)
{
    const int source = fusion_source(model, input);
    if (source == MODEL_INPUT || model->layers[source].kind != kind || !fusion_has_one_user(model, source))
        return NO_LAYER;
    return source;
}

/** Go back from *from over a layer of this kind, if there is one. */
static int step_back(const struct model *model, const struct layer_kind *kind, int *from)
{
    const int source = lone_source(model, *from, kind);
    if (source != NO_LAYER)
        *from = fusion_source(model, model->layers[source].inputs[0]);
    return source;
}

/** A relu that rather is part of the convolution before it, which writes its output only once. */
static bool follows_convolution(const struct model *model, int relu)
{
    return relu != MODEL_INPUT && model->layers[relu].kind == &layer_relu &&
           lone_source(model, model->layers[relu].inputs[0], &layer_convolution) != NO_LAYER;
}

static void find_head(const struct model *model, struct fusion *fusion)
{
    int *from = &fusion->inputs[MAP];
    *from = fusion_source(model, model->layers[fusion->layers[CONVOLUTION]].inputs[0]);
    fusion->layers[HEAD_UPSAMPLE] = step_back(model, &layer_upsample, from);
    if (!follows_convolution(model, *from))
        fusion->layers[HEAD_RELU] = step_back(model, &layer_relu, from);
    fusion->layers[BATCH_NORM] = step_back(model, &layer_batch_norm, from);
}

/** The convolution among the inputs of a sum, the other one of which is added to it. */
static void find_sum(const struct model *model, const struct layer *sum, struct fusion *fusion)
{
    for (int i = 0; i < 2 && !has(fusion, CONVOLUTION); i++) {
        fusion->layers[CONVOLUTION] = lone_source(model, sum->inputs[i], &layer_convolution);
        fusion->inputs[ADDED] = fusion_source(model, sum->inputs[1 - i]);
    }
    fusion->layers[ADDED_UPSAMPLE] = step_back(model, &layer_upsample, &fusion->inputs[ADDED]);
    fusion->n_inputs = 2;
}

/** The convolution that ends with this layer, if one does. */
static void find_tail(const struct model *model, int index, struct fusion *fusion)
{
    const struct layer *layer = &model->layers[index];
    fusion->n_inputs = 1;
    if (layer->kind == &layer_convolution) {
        fusion->layers[CONVOLUTION] = index;
    } else if (layer->kind == &layer_relu) {
        fusion->layers[CONVOLUTION] = lone_source(model, layer->inputs[0], &layer_convolution);
        fusion->layers[TAIL_RELU] = index;
    } else if (layer->kind == &layer_add) {
        find_sum(model, layer, fusion);
    }
}

/** Its pointers into maps, and its weight, are the caller's to set. */
static struct generator_convolution make_call(const struct model *model, const struct fusion *fusion,
                                              const struct convolution_shape *shape)
{
    struct generator_convolution call = {.shape = shape,
                                         .bias = model->layers[fusion->layers[CONVOLUTION]].bias,
                                         .rectifies_input = has(fusion, HEAD_RELU),
                                         .upsamples = has(fusion, HEAD_UPSAMPLE),
                                         .adds = fusion->n_inputs > ADDED,
                                         .added_is_half = has(fusion, ADDED_UPSAMPLE),
                                         .rectifies_output = has(fusion, TAIL_RELU)};
    if (has(fusion, BATCH_NORM)) {
        call.scale = model->layers[fusion->layers[BATCH_NORM]].weight;
        call.shift = model->layers[fusion->layers[BATCH_NORM]].bias;
    }
    return call;
}

static struct convolution_shape shape_of(const struct model *model, const struct fusion *fusion, int n_frames)
{
    struct convolution_shape shape = model->layers[fusion->layers[CONVOLUTION]].convolution;
    shape.time = n_frames;
    return shape;
}

/** Is there something to spare the reading or writing of? */
static bool spares_maps(const struct fusion *fusion)
{
    return has(fusion, HEAD_UPSAMPLE) || has(fusion, HEAD_RELU) || has(fusion, BATCH_NORM) ||
           has(fusion, TAIL_RELU) || fusion->n_inputs > ADDED;
}

static bool find(const struct model *model, int index, struct fusion *fusion)
{
    if (model->kernels->generators == NULL || model->role != MODEL_GENERATOR)
        return false;
    find_tail(model, index, fusion);
    if (!has(fusion, CONVOLUTION))
        return false;
    find_head(model, fusion);
    const struct convolution_shape shape = shape_of(model, fusion, 1);
    const struct generator_convolution call = make_call(model, fusion, &shape);
    return spares_maps(fusion) && model->kernels->generators->fits(&call);
}

static enum status arrange(const struct model *model, struct fusion *fusion, struct error *error)
{
    const struct convolution_shape shape = shape_of(model, fusion, 1);
    const struct generator_convolution call = make_call(model, fusion, &shape);
    const struct layer *convolution = &model->layers[fusion->layers[CONVOLUTION]];
    const size_t n = model->kernels->generators->weight_size(&call);
    float *arranged = NULL;
    TRY(MEMORY_ALLOCATE(arranged, n, error));
    model->kernels->generators->arrange(&call, convolution->weight, arranged);
    return placement_move(model->kernels, n, arranged, &fusion->weight, error);
}

static size_t scratch(const struct model *model, int index, int n_frames)
{
    const struct fusion *fusion = &model->fusions[index];
    const struct convolution_shape shape = shape_of(model, fusion, n_frames);
    const struct generator_convolution call = make_call(model, fusion, &shape);
    return model->kernels->generators->scratch(&call);
}

static void forward(const struct model *model, int index, const struct fusion_call *fusion_call)
{
    const struct fusion *fusion = &model->fusions[index];
    const struct convolution_shape shape = shape_of(model, fusion, fusion_call->n_frames);
    struct generator_convolution call = make_call(model, fusion, &shape);
    call.weight = fusion->weight;
    call.in = fusion_call->values[MAP];
    call.added = fusion_call->values[ADDED];
    model->kernels->generators->convolution(&call, fusion_call->out, fusion_call->scratch);
}

const struct fusion_kind fusion_generator_convolution = {.name = "generator convolution",
                                                         .find = find,
                                                         .arrange = arrange,
                                                         .scratch = scratch,
                                                         .forward = forward};
