/* SPDX-License-Identifier: MIT */
/* Subjects that are programs: what they say of themselves becomes a model whose layers have only names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child_process.h"
#include "memory.h"
#include "model_private.h"

#define DESCRIPTION_FORMAT "meicensus subject 1"

struct description_settings {
    const char *format, *name;
    const struct node *input, *image, *layers;
    long long timesteps, classes;
    bool deterministic;
};

#define DESCRIPTION_KEY(name, type, low, high, fallback, unit, text)                                         \
    {                                                                                                        \
#name, type, offsetof(struct description_settings, name), low, high, fallback, unit, NULL, text      \
    }

static const struct key description_keys[] = {
    DESCRIPTION_KEY(format, KEY_TEXT, 0, 0, NULL, "", DESCRIPTION_FORMAT),
    DESCRIPTION_KEY(name, KEY_TEXT, 0, 0, NULL, "", "short name"),
    DESCRIPTION_KEY(input, KEY_NODE, 0, 0, "", "", "{channels, height, width} of the images"),
    DESCRIPTION_KEY(image, KEY_NODE, 0, 0, "", "",
                    "{mean, std}: RGB in [0, 1] = value * std + mean; absent: values are RGB"),
    DESCRIPTION_KEY(timesteps, KEY_INTEGER, 1, 100000, "1", "time steps",
                    "of a presentation, for the record"),
    DESCRIPTION_KEY(deterministic, KEY_BOOLEAN, 0, 0, "false", "",
                    "the same image gives the same activation"),
    DESCRIPTION_KEY(classes, KEY_INTEGER, 0, 1000000, "0", "1", "class outputs that can be asked for"),
    DESCRIPTION_KEY(layers, KEY_NODE, 0, 0, "", "", "list of layers, in order"),
    {0}};

struct described_layer {
    const char *name;
    long long channels, height, width;
    bool spiking;
};

#define LAYER_KEY(name, type, low, high, fallback, text)                                                     \
    {                                                                                                        \
#name, type, offsetof(struct described_layer, name), low, high, fallback, "1", NULL, text            \
    }

static const struct key layer_keys[] = {
    LAYER_KEY(name, KEY_TEXT, 0, 0, NULL, "of the layer"),
    LAYER_KEY(channels, KEY_INTEGER, 1, 1000000, NULL, "of its map"),
    LAYER_KEY(height, KEY_INTEGER, 1, 4096, "1", "of its map"),
    LAYER_KEY(width, KEY_INTEGER, 1, 4096, "1", "of its map"),
    LAYER_KEY(spiking, KEY_BOOLEAN, 0, 0, "false", "its activations lie in [0, 1]"),
    {0}};

/* Kinds that no architecture file can name. */
static const struct layer_kind spiking_kind = {.name = "described spiking", .is_spiking = true};
static const struct layer_kind plain_kind = {.name = "described"};

static enum status check_name(const struct model *model, const struct node *node, const char *name,
                              struct error *error)
{
    if (name[0] == '\0' || strlen(name) > 128 || strchr(name, '/') != NULL || strcmp(name, "class") == 0)
        return node_error(node, error, "'%s' cannot be the name of a layer", name);
    for (int i = 0; i < model->n_layers; i++)
        if (strcmp(model->layers[i].name, name) == 0)
            return node_error(node, error, "a layer named '%s' is already there", name);
    return STATUS_OK;
}

static enum status add_layer(struct model *model, const char *name, struct map_shape shape, bool is_spiking,
                             struct error *error)
{
    struct layer *layer = &model->layers[model->n_layers];
    TRY(memory_copy_text(&layer->name, name, error));
    layer->kind = is_spiking ? &spiking_kind : &plain_kind;
    layer->out = shape;
    layer->spiking_index = is_spiking ? model->n_spiking++ : -1;
    model->n_layers++;
    return STATUS_OK;
}

static enum status read_layer(struct model *model, const struct node *node, struct error *error)
{
    struct described_layer layer;
    TRY(keys_read(layer_keys, node, "layers", &layer, error));
    TRY(check_name(model, node, layer.name, error));
    const struct map_shape shape = {(int)layer.channels, (int)layer.height, (int)layer.width};
    return add_layer(model, layer.name, shape, layer.spiking, error);
}

/** The class outputs, if only to be counted, stand behind the layers, as in every model. */
static enum status read_layers(struct model *model, const struct node *root,
                               const struct description_settings *settings, struct error *error)
{
    const struct node *layers = settings->layers;
    if (layers == NULL || layers->kind != NODE_LIST || (layers->n_items == 0 && settings->classes == 0))
        return node_error(layers == NULL ? root : layers, error,
                          "'layers' must list the layers whose units can be asked for");
    TRY(MEMORY_ALLOCATE(model->layers, layers->n_items + 1, error));
    for (size_t i = 0; i < layers->n_items; i++)
        TRY(read_layer(model, layers->items[i], error));
    return add_layer(model, "class", (struct map_shape){(int)settings->classes, 1, 1}, false, error);
}

static enum status read_description(struct model *model, const struct node *root, struct error *error)
{
    struct description_settings settings;
    if (root->kind != NODE_MAPPING)
        return node_error(root, error, "expected a mapping with 'format: %s'", DESCRIPTION_FORMAT);
    TRY(keys_read(description_keys, root, "", &settings, error));
    if (strcmp(settings.format, DESCRIPTION_FORMAT) != 0)
        return node_error(root, error, "format is '%s', expected '%s'", settings.format, DESCRIPTION_FORMAT);
    TRY(memory_copy_text(&model->name, settings.name, error));
    model->timesteps = (int)settings.timesteps;
    model->is_noisy = !settings.deterministic;
    TRY(model_read_input(model, root, settings.input, error));
    for (int i = 0; i < MODEL_MAX_CHANNELS; i++)
        model->std[i] = 1;
    if (settings.image != NULL)
        TRY(model_read_image(model, root, settings.image, model->input.channels, error));
    return read_layers(model, root, &settings, error);
}

static enum status describe(struct model *model, const char *description, const char *command,
                            struct error *error)
{
    char program[CHILD_NAME_CAPACITY], name[CHILD_NAME_CAPACITY + 32];
    struct document *document = NULL;
    model->role = MODEL_SUBJECT;
    TRY(memory_copy_text(&model->description, description, error));
    TRY(memory_copy_text(&model->tensors_path, command, error));
    TRY(hash_bytes_sha256(description, strlen(description), model->sha256, error));
    TRY(hash_bytes_sha256(command, strlen(command), model->tensors_sha256, error));
    child_name(command, program);
    snprintf(name, sizeof name, "the description of %s by itself", program);
    enum status status = document_read_text(description, name, &document, error);
    if (status == STATUS_OK)
        status = read_description(model, document_root(document), error);
    document_free(document);
    return status;
}

enum status model_from_description(const char *description, const char *command, struct model **result,
                                   struct error *error)
{
    struct model *model = NULL;
    TRY(MEMORY_ALLOCATE(model, 1, error));
    const enum status status = describe(model, description, command, error);
    if (status != STATUS_OK) {
        model_free(model);
        return status;
    }
    *result = model;
    return STATUS_OK;
}
