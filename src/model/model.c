/* SPDX-License-Identifier: MIT */
/* Reading of architecture files, and what a model tells about itself. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model_private.h"
#include "placement.h"

#define MODEL_FORMAT "meicensus model 1"

struct model_settings {
    const char *format, *name, *description, *tensors, *encoder;
    int role;
    long long timesteps;
    const struct node *input, *image, *neuron, *classes, *latent, *layers, *unused_tensors;
};

static const char *const roles[] = {"subject", "generator", "encoder", NULL};

static const struct key model_keys[] = {
    {"format", KEY_TEXT, offsetof(struct model_settings, format), 0, 0, NULL, "", NULL, MODEL_FORMAT},
    {"name", KEY_TEXT, offsetof(struct model_settings, name), 0, 0, NULL, "", NULL, "short name"},
    {"role", KEY_CHOICE, offsetof(struct model_settings, role), 0, 0, NULL, "", roles, "what it is for"},
    {"description", KEY_TEXT, offsetof(struct model_settings, description), 0, 0, "", "", NULL, "one line"},
    {"tensors", KEY_TEXT, offsetof(struct model_settings, tensors), 0, 0, NULL, "", NULL,
     "safetensors file, relative to this one"},
    {"input", KEY_NODE, offsetof(struct model_settings, input), 0, 0, "", "", NULL,
     "subjects and encoders: {channels, height, width}"},
    {"image", KEY_NODE, offsetof(struct model_settings, image), 0, 0, "", "", NULL,
     "{mean, std}: RGB in [0, 1] = value * std + mean"},
    {"timesteps", KEY_INTEGER, offsetof(struct model_settings, timesteps), 1, 100000, "1", "time steps", NULL,
     "presentations of the image to a spiking subject"},
    {"neuron", KEY_NODE, offsetof(struct model_settings, neuron), 0, 0, "", "", NULL,
     "constants of the spiking layers"},
    {"classes", KEY_NODE, offsetof(struct model_settings, classes), 0, 0, "", "", NULL,
     "subjects: names of the outputs"},
    {"latent", KEY_NODE, offsetof(struct model_settings, latent), 0, 0, "", "", NULL,
     "generators: {kind: grid or codebook, dimensions, points, low, high}"},
    {"encoder", KEY_TEXT, offsetof(struct model_settings, encoder), 0, 0, "", "", NULL,
     "generators: architecture file of the way back from images to codes, relative to this one"},
    {"unused_tensors", KEY_NODE, offsetof(struct model_settings, unused_tensors), 0, 0, "", "", NULL,
     "prefixes of tensors in the file that no layer uses"},
    {"layers", KEY_NODE, offsetof(struct model_settings, layers), 0, 0, "", "", NULL,
     "list of layers, in order"},
    {0}};

struct input_settings {
    long long channels, height, width;
};

static const struct key input_keys[] = {{"channels", KEY_INTEGER, offsetof(struct input_settings, channels),
                                         1, MODEL_MAX_CHANNELS, NULL, "1", NULL, "of the image"},
                                        {"height", KEY_INTEGER, offsetof(struct input_settings, height), 1,
                                         4096, NULL, "pixels", NULL, "of the image"},
                                        {"width", KEY_INTEGER, offsetof(struct input_settings, width), 1,
                                         4096, NULL, "pixels", NULL, "of the image"},
                                        {0}};

static const char *const latent_kinds[] = {"grid", "codebook", NULL};

struct latent_settings {
    int kind;
    long long dimensions, points;
    double low, high;
};

static const struct key latent_keys[] = {
    {"kind", KEY_CHOICE, offsetof(struct latent_settings, kind), 0, 0, NULL, "", latent_kinds,
     "grid: evenly spaced values; codebook: indices"},
    {"dimensions", KEY_INTEGER, offsetof(struct latent_settings, dimensions), 1, 1000000, NULL, "1", NULL,
     "indices in a code"},
    {"points", KEY_INTEGER, offsetof(struct latent_settings, points), 2, 1 << 24, NULL, "1", NULL,
     "values an index can take"},
    {"low", KEY_REAL, offsetof(struct latent_settings, low), -1e6, 1e6, "-4", "1", NULL,
     "grid: value of index 0"},
    {"high", KEY_REAL, offsetof(struct latent_settings, high), -1e6, 1e6, "4", "1", NULL,
     "grid: value of the last index"},
    {0}};

static enum status read_reals(const struct node *image, const struct node *list, const char *name, int n,
                              double *values, struct error *error)
{
    if (list == NULL || list->kind != NODE_LIST || list->n_items != (size_t)n)
        return node_error(list == NULL ? image : list, error,
                          "'image.%s' must list %d numbers, one a channel", name, n);
    for (int i = 0; i < n; i++)
        TRY(node_real(list->items[i], name, -1e6, 1e6, &values[i], error));
    return STATUS_OK;
}

enum status model_read_image(struct model *model, const struct node *root, const struct node *image,
                             int n_channels, struct error *error)
{
    if (image == NULL || image->kind != NODE_MAPPING)
        return node_error(root, error, "'image: {mean: [..], std: [..]}' is missing");
    if (n_channels > MODEL_MAX_CHANNELS)
        return node_error(image, error, "an image of %d channels; at most %d", n_channels,
                          MODEL_MAX_CHANNELS);
    TRY(read_reals(image, node_find(image, "mean"), "mean", n_channels, model->mean, error));
    TRY(read_reals(image, node_find(image, "std"), "std", n_channels, model->std, error));
    for (int i = 0; i < n_channels; i++)
        if (model->std[i] <= 0)
            return node_error(image, error, "'image.std' must be above 0");
    return STATUS_OK;
}

static enum status read_classes(struct model *model, const struct node *root, const struct node *classes,
                                struct error *error)
{
    const int n = model->layers[model->n_layers - 1].out.channels;
    if (classes == NULL || classes->kind != NODE_LIST || classes->n_items != (size_t)n)
        return node_error(classes == NULL ? root : classes, error,
                          "'classes' must list %d names, one for each output of the last layer", n);
    if (map_pixels(model->layers[model->n_layers - 1].out) != 1)
        return node_error(root, error, "the last layer of a subject must give class outputs, not a map");
    TRY(MEMORY_ALLOCATE(model->class_names, (size_t)n, error));
    model->n_classes = n;
    for (int i = 0; i < n; i++) {
        const char *name;
        TRY(node_text(classes->items[i], "classes", &name, error));
        TRY(memory_copy_text(&model->class_names[i], name, error));
    }
    return STATUS_OK;
}

enum status model_read_input(struct model *model, const struct node *root, const struct node *mapping,
                             struct error *error)
{
    struct input_settings input;
    if (mapping == NULL)
        return node_error(root, error, "a subject or an encoder needs 'input: {channels, height, width}'");
    TRY(keys_read(input_keys, mapping, "input", &input, error));
    model->input = (struct map_shape){(int)input.channels, (int)input.height, (int)input.width};
    return STATUS_OK;
}

static enum status read_input(struct model *model, const struct node *root,
                              const struct model_settings *settings, struct error *error)
{
    if (model->role != MODEL_GENERATOR)
        return model_read_input(model, root, settings->input, error);
    struct latent_settings latent;
    if (settings->latent == NULL)
        return node_error(root, error, "a generator needs 'latent: {kind, dimensions, points}'");
    TRY(keys_read(latent_keys, settings->latent, "latent", &latent, error));
    if (latent.kind == LATENT_GRID && !(latent.low < latent.high))
        return node_error(settings->latent, error, "'latent.low' must be below 'latent.high'");
    model->latent = (struct latent_space){(enum latent_kind)latent.kind, (int)latent.dimensions,
                                          (int)latent.points, latent.low, latent.high};
    model->input = (struct map_shape){(int)latent.dimensions, 1, 1};
    return STATUS_OK;
}

/** A path in an architecture file is relative to it. */
static enum status resolve_path(const char *base, const char *path, char **resolved, struct error *error)
{
    const char *slash = strrchr(base, '/');
    const size_t folder = path[0] == '/' || slash == NULL ? 0 : (size_t)(slash - base) + 1;
    TRY(MEMORY_ALLOCATE(*resolved, folder + strlen(path) + 1, error));
    memcpy(*resolved, base, folder);
    memcpy(*resolved + folder, path, strlen(path) + 1);
    return STATUS_OK;
}

/** Indices of a codebook must be rows of the dictionary that they are looked up in. */
static enum status check_embedding(const struct model *model, const struct node *root,
                                   const struct layer *layer, struct error *error)
{
    const bool is_codebook = model->role == MODEL_GENERATOR && model->latent.kind == LATENT_CODEBOOK;
    if (layer->inputs[0] != MODEL_INPUT || !is_codebook)
        return node_error(layer->node, error,
                          "layer '%s': only the codes of a generator with 'latent: {kind: codebook}' can be "
                          "looked up",
                          layer->name);
    if (layer->n_rows != model->latent.n_points)
        return node_error(root, error, "'latent.points' is %d, but the dictionary of layer '%s' has %d rows",
                          model->latent.n_points, layer->name, layer->n_rows);
    return STATUS_OK;
}

/** Numbers of rows are what an encoder ends with, and nothing else does. */
static enum status check_codebooks(const struct model *model, const struct node *root, struct error *error)
{
    for (int i = 0; i < model->n_layers; i++) {
        const struct layer *layer = &model->layers[i];
        const bool is_end = model->role == MODEL_ENCODER && i == model->n_layers - 1;
        if (layer->kind == &layer_embedding)
            TRY(check_embedding(model, root, layer, error));
        if (is_end != (layer->kind == &layer_nearest_row))
            return node_error(layer->node, error,
                              is_end ? "layer '%s' ends an encoder: its kind must be nearest_row"
                                     : "layer '%s': only the last layer of an encoder can be a nearest_row",
                              layer->name);
    }
    return STATUS_OK;
}

static enum status read_layers(struct model *model, const struct node *root,
                               const struct model_settings *settings, const struct model_overrides *overrides,
                               struct error *error)
{
    struct tensor_file *tensors = NULL;
    TRY(tensor_file_read(model->tensors_path, &tensors, error));
    const struct node *neuron = overrides == NULL ? NULL : overrides->neuron;
    enum status status = architecture_read_layers(model, root, neuron, tensors, error);
    tensor_file_free(tensors);
    TRY(status);
    TRY(check_codebooks(model, root, error));
    if (model->n_spiking == 0 && model->timesteps != 1)
        return node_error(root, error, "%d time steps, but no layer spikes", model->timesteps);
    if (model->role != MODEL_SUBJECT && model->n_spiking > 0)
        return node_error(root, error, "a generator or an encoder cannot have spiking layers");
    if (model->role == MODEL_GENERATOR)
        return model_read_image(model, root, settings->image, model->layers[model->n_layers - 1].out.channels,
                                error);
    TRY(model_read_image(model, root, settings->image, model->input.channels, error));
    if (model->role == MODEL_ENCODER)
        return STATUS_OK;
    return read_classes(model, root, settings->classes, error);
}

static enum status read_encoder(struct model *model, const char *path, const struct node *root,
                                const char *encoder, struct error *error)
{
    if (encoder == NULL)
        return STATUS_OK;
    if (model->role != MODEL_GENERATOR)
        return node_error(root, error, "'encoder' is a key of generators");
    return resolve_path(path, encoder, &model->encoder_path, error);
}

static enum status read_model(struct model *model, const char *path, const struct node *root,
                              const struct model_overrides *overrides, struct error *error)
{
    struct model_settings settings;
    if (root == NULL || root->kind != NODE_MAPPING)
        return error_set(error, STATUS_BAD_INPUT, "%s: not a model file (expected 'format: %s')", path,
                         MODEL_FORMAT);
    TRY(keys_read(model_keys, root, "", &settings, error));
    if (strcmp(settings.format, MODEL_FORMAT) != 0)
        return node_error(root, error, "format is '%s', expected '%s'", settings.format, MODEL_FORMAT);
    TRY(memory_copy_text(&model->name, settings.name, error));
    model->role = (enum model_role)settings.role;
    model->timesteps = (int)settings.timesteps;
    if (overrides != NULL && overrides->timesteps != 0)
        model->timesteps = overrides->timesteps;
    if (overrides != NULL && overrides->tensors != NULL)
        TRY(memory_copy_text(&model->tensors_path, overrides->tensors, error));
    else
        TRY(resolve_path(path, settings.tensors, &model->tensors_path, error));
    TRY(read_encoder(model, path, root, settings.encoder, error));
    TRY(hash_file_sha256(path, model->sha256, error));
    TRY(hash_file_sha256(model->tensors_path, model->tensors_sha256, error));
    TRY(read_input(model, root, &settings, error));
    return read_layers(model, root, &settings, overrides, error);
}

enum status model_load(const char *path, const struct model_overrides *overrides,
                       const struct kernels *kernels, struct model **result, struct error *error)
{
    struct document *document = NULL;
    struct model *model = NULL;
    enum status status = STATUS_OK;
    TRY_CLEANUP(document_read_file(path, &document, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(model, 1, error));
    model->kernels = kernels;
    TRY_CLEANUP(read_model(model, path, document_root(document), overrides, error));
    for (int i = 0; i < model->n_layers; i++)
        model->layers[i].node = NULL;
    *result = model;
    model = NULL;
cleanup:
    document_free(document);
    model_free(model);
    return status;
}

static void free_weights(const struct model *model, struct layer *layer)
{
    if (layer->is_placed) {
        placement_free(model->kernels, layer->weight);
        placement_free(model->kernels, layer->bias);
    } else {
        free(layer->weight);
        free(layer->bias);
    }
}

void model_free(struct model *model)
{
    if (model == NULL)
        return;
    fusions_free(model);
    for (int i = 0; i < model->n_layers; i++) {
        struct layer *layer = &model->layers[i];
        free(layer->name);
        free(layer->prefix);
        free(layer->settings);
        free_weights(model, layer);
    }
    for (int i = 0; i < model->n_classes; i++)
        free(model->class_names[i]);
    free(model->class_names);
    free(model->layers);
    free(model->name);
    free(model->tensors_path);
    free(model->encoder_path);
    free(model->description);
    free(model);
}

const char *model_name(const struct model *model)
{
    return model->name;
}

enum model_role model_role(const struct model *model)
{
    return model->role;
}

int model_timesteps(const struct model *model)
{
    return model->timesteps;
}

struct map_shape model_input_shape(const struct model *model)
{
    return model->input;
}

const struct latent_space *model_latent(const struct model *model)
{
    return model->role == MODEL_GENERATOR ? &model->latent : NULL;
}

const double *model_mean(const struct model *model)
{
    return model->mean;
}

const double *model_std(const struct model *model)
{
    return model->std;
}

int model_n_classes(const struct model *model)
{
    return model->n_classes;
}

const char *const *model_class_names(const struct model *model)
{
    return (const char *const *)model->class_names;
}

const char *model_encoder_path(const struct model *model)
{
    return model->encoder_path;
}

const char *model_description(const struct model *model)
{
    return model->description;
}

bool model_is_deterministic(const struct model *model)
{
    return !model->is_noisy;
}

const char *model_sha256(const struct model *model)
{
    return model->sha256;
}

const char *model_tensors_sha256(const struct model *model)
{
    return model->tensors_sha256;
}

const char *model_tensors_path(const struct model *model)
{
    return model->tensors_path;
}

int model_n_layers(const struct model *model)
{
    return model->n_layers;
}

int model_find_layer(const struct model *model, const char *name)
{
    for (int i = 0; i < model->n_layers; i++)
        if (strcmp(model->layers[i].name, name) == 0)
            return i;
    return -1;
}

const char *model_layer_name(const struct model *model, int layer)
{
    return model->layers[layer].name;
}

struct map_shape model_layer_shape(const struct model *model, int layer)
{
    return model->layers[layer].out;
}

bool model_layer_is_spiking(const struct model *model, int layer)
{
    return model->layers[layer].kind->is_spiking;
}

bool model_layer_is_selectable(const struct model *model, int layer)
{
    const struct layer_kind *kind = model->layers[layer].kind;
    if (model->description != NULL)
        return layer != model_output_layer(model);
    return model->role == MODEL_SUBJECT &&
           (model->n_spiking > 0 ? kind->is_spiking : strcmp(kind->name, "relu") == 0);
}

const struct kernel_memory *model_memory(const struct model *model)
{
    return model->kernels == NULL ? NULL : model->kernels->memory; /* a program has no kernels */
}

bool model_is_on_device(const struct model *model)
{
    return model_memory(model) != NULL;
}

int model_image_batch(const struct model *model)
{
    if (model_is_on_device(model))
        return model->kernels->image_batch;
    return model->n_spiking > 0 ? 1 : model->kernels->image_batch;
}

int model_output_layer(const struct model *model)
{
    return model->n_layers - 1;
}
