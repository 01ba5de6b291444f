/* SPDX-License-Identifier: MIT */
/* The `layers:` list of an architecture file: names, wiring, shapes, tensors. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model_private.h"
#include "placement.h"

/** Keys that every layer has; the rest of its mapping belongs to its kind. */
static const char *const common_names[] = {"name", "kind", "from", "inputs", "prefix", NULL};

static int find_layer(const struct model *model, int n_layers, const char *name)
{
    for (int i = 0; i < n_layers; i++)
        if (strcmp(model->layers[i].name, name) == 0)
            return i;
    return -1;
}

static enum status read_kind(struct layer *layer, const struct node *node, struct error *error)
{
    const struct node *kind_node = node_find(node, "kind");
    const char *kind;
    const char *names[64];
    if (kind_node == NULL)
        return node_error(node, error, "layer '%s' has no 'kind'", layer->name);
    TRY(node_text(kind_node, "kind", &kind, error));
    size_t n = 0;
    for (; layer_kinds[n] != NULL; n++) {
        names[n] = layer_kinds[n]->name;
        if (strcmp(kind, layer_kinds[n]->name) == 0)
            layer->kind = layer_kinds[n];
    }
    names[n] = NULL;
    if (layer->kind != NULL)
        return STATUS_OK;
    const char *nearest = nearest_name(kind, names);
    return node_error(kind_node, error, "layer '%s': unknown kind '%s'%s%s%s", layer->name, kind,
                      nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
                      nearest == NULL ? "" : "'?");
}

/** Settings of the kind: its mapping without the common names. */
static enum status read_settings(struct layer *layer, const struct node *node, struct error *error)
{
    struct node own;
    if (layer->kind->settings_size > 0)
        TRY(memory_allocate(&layer->settings, 1, layer->kind->settings_size, "layer settings", error));
    TRY(node_without(node, common_names, &own, error));
    enum status status = keys_read(layer->kind->keys, &own, layer->name, layer->settings, error);
    node_release(&own);
    return status;
}

static enum status connect(const struct model *model, struct layer *layer, int own_index, int slot,
                           const struct node *source, struct error *error)
{
    const char *name;
    TRY(node_text(source, "from", &name, error));
    layer->inputs[slot] = find_layer(model, own_index, name);
    if (layer->inputs[slot] < 0 && strcmp(name, "input") != 0)
        return node_error(source, error, "layer '%s': its input '%s' is not a layer above it", layer->name,
                          name);
    return STATUS_OK;
}

static enum status read_wiring(const struct model *model, struct layer *layer, int own_index,
                               const struct node *node, struct error *error)
{
    const struct node *from = node_find(node, "from"), *inputs = node_find(node, "inputs");
    layer->n_inputs = layer->kind->n_inputs;
    if (layer->n_inputs == 1) {
        if (inputs != NULL)
            return node_error(inputs, error, "layer '%s' has one input: use 'from'", layer->name);
        layer->inputs[0] = own_index - 1;
        return from == NULL ? STATUS_OK : connect(model, layer, own_index, 0, from, error);
    }
    if (from != NULL || inputs == NULL || inputs->kind != NODE_LIST ||
        inputs->n_items != (size_t)layer->n_inputs)
        return node_error(node, error, "layer '%s' needs 'inputs: [A, B]', two layers above it", layer->name);
    for (int i = 0; i < layer->n_inputs; i++)
        TRY(connect(model, layer, own_index, i, inputs->items[i], error));
    return STATUS_OK;
}

static enum status read_names(const struct model *model, struct layer *layer, int own_index,
                              const struct node *node, struct error *error)
{
    const struct node *name_node = node->kind == NODE_MAPPING ? node_find(node, "name") : NULL;
    const struct node *prefix_node = node->kind == NODE_MAPPING ? node_find(node, "prefix") : NULL;
    const char *name, *prefix;
    if (name_node == NULL)
        return node_error(node, error, "a layer needs a mapping with 'name' and 'kind'");
    TRY(node_text(name_node, "name", &name, error));
    if (name[0] == '\0' || strlen(name) > 128 || strchr(name, '/') != NULL || strcmp(name, "input") == 0)
        return node_error(name_node, error, "'%s' cannot be the name of a layer", name);
    if (find_layer(model, own_index, name) >= 0)
        return node_error(name_node, error, "a layer named '%s' is already there", name);
    TRY(memory_copy_text(&layer->name, name, error));
    prefix = name;
    if (prefix_node != NULL)
        TRY(node_text(prefix_node, "prefix", &prefix, error));
    return memory_copy_text(&layer->prefix, prefix, error);
}

static enum status read_layer(struct model *model, int index, const struct node *node,
                              const struct node *neuron, const struct node *neuron_override,
                              const struct tensor_file *tensors, struct error *error)
{
    struct layer *layer = &model->layers[index];
    layer->node = node;
    layer->spiking_index = -1;
    TRY(read_names(model, layer, index, node, error));
    TRY(read_kind(layer, node, error));
    TRY(read_settings(layer, node, error));
    TRY(read_wiring(model, layer, index, node, error));
    for (int i = 0; i < layer->n_inputs; i++)
        layer->in[i] = layer->inputs[i] == MODEL_INPUT ? model->input : model->layers[layer->inputs[i]].out;
    if (layer->kind->is_spiking) {
        layer->spiking_index = model->n_spiking++;
        const struct node *own = node_find(node, "neuron");
        if (own == NULL && neuron == NULL)
            return node_error(node, error, "layer '%s' spikes, but there is no 'neuron:' mapping",
                              layer->name);
        TRY(neuron_read(neuron_override, own != NULL ? own : neuron, &layer->neuron, error));
    }
    TRY(layer->kind->prepare(layer, tensors, error));
    if (layer->out.height > KERNELS_LARGEST_SIDE || layer->out.width > KERNELS_LARGEST_SIDE)
        return node_error(node, error, "layer '%s': a map of %d x %d is larger than %d x %d", layer->name,
                          layer->out.height, layer->out.width, KERNELS_LARGEST_SIDE, KERNELS_LARGEST_SIDE);
    if (map_values(layer->out) > (size_t)1 << 26 ||
        map_values(layer->out) * (size_t)model->timesteps > INT32_MAX)
        return node_error(node, error, "layer '%s': a map of %zu values at %d time steps is too large",
                          layer->name, map_values(layer->out), model->timesteps);
    return STATUS_OK;
}

static int count_users(const struct model *model, int index)
{
    int n = 0;
    for (int i = 0; i < model->n_layers; i++)
        for (int j = 0; j < model->layers[i].n_inputs; j++)
            n += model->layers[i].inputs[j] == index;
    return n;
}

/** A batch norm whose input nothing else uses becomes part of the convolution before it. */
static enum status fold_batch_norm(struct model *model, struct layer *layer,
                                   const struct tensor_file *tensors, struct error *error)
{
    const int source = layer->inputs[0];
    if (layer->kind != &layer_batch_norm || source < 0 || !layer_can_fold(&model->layers[source]) ||
        count_users(model, source) != 1)
        return STATUS_OK;
    double *scale = NULL, *shift = NULL;
    enum status status = batch_norm_constants(layer, tensors, &scale, &shift, error);
    if (status == STATUS_OK)
        status = layer_fold(&model->layers[source], scale, shift, error);
    layer->passes_through = status == STATUS_OK;
    free(scale);
    free(shift);
    return status;
}

static bool is_listed(const struct node *prefixes, const char *name)
{
    for (size_t i = 0; prefixes != NULL && i < prefixes->n_items; i++) {
        const char *prefix = prefixes->items[i]->text;
        if (prefix != NULL && strncmp(prefix, name, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

/** Every tensor of the file must be somebody's: a layer's, or listed under `unused_tensors` by its prefix. */
static enum status check_all_used(const struct node *root, const struct tensor_file *tensors,
                                  struct error *error)
{
    const struct node *unused = node_find(root, "unused_tensors");
    if (unused != NULL && unused->kind != NODE_LIST)
        return node_error(unused, error, "'unused_tensors' must be a list of prefixes of tensor names");
    for (size_t i = 0; i < tensors->n_tensors; i++)
        if (!tensors->tensors[i].is_used && !is_listed(unused, tensors->tensors[i].name))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: tensor '%s' belongs to no layer of the architecture; list its prefix under "
                             "'unused_tensors' if that is meant",
                             tensors->path, tensors->tensors[i].name);
    return STATUS_OK;
}

/** What nothing reads would never be computed on the way to the output. */
static enum status check_all_lead_on(const struct model *model, struct error *error)
{
    for (int i = 0; i < model->n_layers - 1; i++)
        if (count_users(model, i) == 0)
            return node_error(model->layers[i].node, error,
                              "layer '%s' leads nowhere: no later layer has it as its input",
                              model->layers[i].name);
    return STATUS_OK;
}

/** What a layer's output is like follows from those of its inputs, who uses it from the layers behind. */
static void follow_maps(struct model *model)
{
    for (int i = 0; i < model->n_layers; i++) {
        struct layer *layer = &model->layers[i];
        layer->is_static = !layer->kind->is_spiking;
        layer->carries_spikes = layer->kind->is_spiking || layer->kind->keeps_spikes;
        for (int j = 0; j < layer->n_inputs && !layer->kind->is_spiking; j++) {
            const int source = layer->inputs[j];
            if (source != MODEL_INPUT && !model->layers[source].is_static)
                layer->is_static = false;
            if (source == MODEL_INPUT || !model->layers[source].carries_spikes)
                layer->carries_spikes = false;
        }
    }
    for (int i = model->n_layers - 1; i >= 0; i--) {
        const struct layer *user = &model->layers[i];
        for (int j = 0; j < user->n_inputs; j++)
            if (user->inputs[j] != MODEL_INPUT)
                model->layers[user->inputs[j]].n_users += user->passes_through ? user->n_users : 1;
    }
}

/** Weight and bias move to the memory of a device, if that is where the kernels work. */
static enum status place_weights(const struct model *model, struct layer *layer, struct error *error)
{
    float *weight = NULL, *bias = NULL;
    if (model->kernels->memory == NULL)
        return STATUS_OK;
    TRY(placement_copy(model->kernels, layer->n_weights, layer->weight, &weight, error));
    const enum status status =
        placement_copy(model->kernels, (size_t)layer->out.channels, layer->bias, &bias, error);
    if (status != STATUS_OK) {
        placement_free(model->kernels, weight);
        return status;
    }
    free(layer->weight);
    free(layer->bias);
    layer->weight = weight;
    layer->bias = bias;
    layer->is_placed = true;
    return STATUS_OK;
}

static void set_convolution(struct model *model, struct layer *layer)
{
    const int source = layer->inputs[0];
    layer->convolution.takes_spikes = source != MODEL_INPUT && model->layers[source].carries_spikes;
    layer->convolution.feeds_spikes = model->n_spiking > 0;
}

enum status architecture_read_layers(struct model *model, const struct node *root,
                                     const struct node *neuron_override, const struct tensor_file *tensors,
                                     struct error *error)
{
    const struct node *list = node_find(root, "layers"), *neuron = node_find(root, "neuron");
    if (list == NULL || list->kind != NODE_LIST || list->n_items == 0 || list->n_items > 10000)
        return node_error(root, error, "'layers' must be a list of 1 to 10000 layers");
    TRY(MEMORY_ALLOCATE(model->layers, list->n_items, error));
    for (size_t i = 0; i < list->n_items; i++) {
        model->n_layers = (int)i + 1;
        TRY(read_layer(model, (int)i, list->items[i], neuron, neuron_override, tensors, error));
    }
    TRY(check_all_lead_on(model, error));
    for (int i = 0; i < model->n_layers; i++)
        TRY(fold_batch_norm(model, &model->layers[i], tensors, error));
    follow_maps(model);
    for (int i = 0; i < model->n_layers; i++)
        set_convolution(model, &model->layers[i]);
    TRY(fusions_find(model, error));
    for (int i = 0; i < model->n_layers; i++)
        if (model->layers[i].kind->arrange != NULL)
            TRY(model->layers[i].kind->arrange(&model->layers[i], model->kernels, error));
    for (int i = 0; i < model->n_layers; i++)
        TRY(place_weights(model, &model->layers[i], error));
    return check_all_used(root, tensors, error);
}
