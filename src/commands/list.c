/* SPDX-License-Identifier: MIT */
/* `meicensus list`: what can stand in a job file. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../campaign/trials.h"
#include "backend.h"
#include "campaign.h"
#include "command.h"
#include "document.h"
#include "memory.h"
#include "model.h"
#include "search.h"

static const struct command_option options[] = {
    {"model", "FILE", NULL, false, false, "list layers: architecture file of the subject"},
    {"folder", "DIR", "weights", false, false, "list models: folder with the architecture files"},
    {0},
};

static enum status list_methods(const struct arguments *arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    for (const struct search_method *const *method = search_methods; *method != NULL; method++) {
        printf("%s: # %s%s\n", (*method)->name, (*method)->summary,
               (*method)->inform == NULL ? "" : "; can start from codes, and share images");
        keys_document((*method)->keys, 2, stdout);
    }
    return STATUS_OK;
}

static enum status list_noises(const struct arguments *arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    printf("%-17s %-7s %s\n", "noise", "scale", "what it does (the scale is the default)");
    for (int i = 0; noise_names[i] != NULL; i++)
        printf("%-17s %-7g %s\n", noise_names[i], noise_default_scale(i), noise_description(i));
    return STATUS_OK;
}

static enum status list_keys(const struct arguments *arguments, struct error *error)
{
    (void)arguments;
    (void)error;
    job_document(stdout);
    return STATUS_OK;
}

/* ---- models ---- */

static void print_subject(const struct model *model)
{
    const struct map_shape in = model_input_shape(model);
    int n_layers = 0, n_channels = 0;
    for (int i = 0; i < model_n_layers(model); i++)
        if (model_layer_is_selectable(model, i)) {
            n_layers++;
            n_channels += model_layer_shape(model, i).channels;
        }
    printf("  subject: images %d x %d x %d, T = %d, %d selectable layers with %d channels, %d classes, %.0f "
           "million multiply-adds\n",
           in.channels, in.height, in.width, model_timesteps(model), n_layers, n_channels,
           model_n_classes(model), model_layer_cost(model, model_output_layer(model)) / 1e6);
}

static void print_generator(const struct model *model)
{
    const struct latent_space *latent = model_latent(model);
    const struct map_shape out = model_layer_shape(model, model_output_layer(model));
    printf(
        "  generator: codes of %d indices, 0 to %d (%s), images %d x %d x %d, %.0f million multiply-adds\n",
        latent->n_dimensions, latent->n_points - 1,
        latent->kind == LATENT_GRID ? "points of a grid" : "rows of a codebook", out.channels, out.height,
        out.width, model_layer_cost(model, model_output_layer(model)) / 1e6);
}

static void print_encoder(const struct model *model)
{
    const struct map_shape in = model_input_shape(model);
    const struct map_shape out = model_layer_shape(model, model_output_layer(model));
    printf("  encoder: images %d x %d x %d, codes of %d indices, %.0f million multiply-adds\n", in.channels,
           in.height, in.width, out.height * out.width,
           model_layer_cost(model, model_output_layer(model)) / 1e6);
}

/** Its `description`, whatever else is wrong with the file. */
static void print_description(const char *path)
{
    struct document *document = NULL;
    struct error ignored = {0};
    if (document_read_file(path, &document, &ignored) != STATUS_OK)
        return;
    const struct node *node = node_find(document_root(document), "description");
    if (node != NULL && node->text != NULL)
        printf("  %s\n", node->text);
    document_free(document);
}

/** A file that cannot be used is shown with the reason. */
static void print_model(const struct backend *backend, const char *path)
{
    struct model *model = NULL;
    struct error error = {0};
    const enum status status = model_load(path, NULL, backend->kernels, &model, &error);
    printf("%s\n", path);
    print_description(path);
    if (status != STATUS_OK)
        printf("  not usable: %s\n", error.message);
    else if (model_role(model) == MODEL_SUBJECT)
        print_subject(model);
    else if (model_role(model) == MODEL_GENERATOR)
        print_generator(model);
    else
        print_encoder(model);
    model_free(model);
}

static enum status list_models(const struct arguments *arguments, struct error *error)
{
    const char *folder = arguments_text(arguments, "folder");
    const size_t capacity = strlen(folder) + sizeof "/*.yaml";
    struct backend backend;
    char *pattern = NULL;
    glob_t found;
    TRY(backend_open(NULL, &backend, error));
    TRY(MEMORY_ALLOCATE(pattern, capacity, error));
    snprintf(pattern, capacity, "%s/*.yaml", folder);
    const int code = glob(pattern, 0, NULL, &found);
    free(pattern);
    if (code != 0)
        return error_set(error, STATUS_IO, "%s: no architecture file *.yaml in this folder (--folder DIR)",
                         folder);
    for (size_t i = 0; i < found.gl_pathc; i++)
        print_model(&backend, found.gl_pathv[i]);
    globfree(&found);
    return STATUS_OK;
}

/* ---- layers ---- */

static void print_layers(const struct model *model)
{
    printf("%-20s %18s %9s %9s %15s\n", "layer", "channels x h x w", "channels", "neurons", "multiply-adds");
    for (int i = 0; i < model_n_layers(model); i++) {
        const struct map_shape shape = model_layer_shape(model, i);
        char text[48];
        if (!model_layer_is_selectable(model, i))
            continue;
        snprintf(text, sizeof text, "%d x %d x %d", shape.channels, shape.height, shape.width);
        printf("%-20s %18s %9d %9d %15.0f\n", model_layer_name(model, i), text, shape.channels,
               shape.channels * shape.height * shape.width, model_layer_cost(model, i));
    }
    printf("classes: %d; multiply-adds: of one query up to the layer, T = %d\n", model_n_classes(model),
           model_timesteps(model));
}

static enum status list_layers(const struct arguments *arguments, struct error *error)
{
    const char *path = arguments_text(arguments, "model");
    struct backend backend;
    struct model *model = NULL;
    if (path == NULL)
        return error_set(error, STATUS_USAGE, "meicensus list layers needs --model FILE");
    TRY(backend_open(NULL, &backend, error));
    TRY(model_load(path, NULL, backend.kernels, &model, error));
    enum status status = STATUS_OK;
    if (model_role(model) == MODEL_SUBJECT)
        print_layers(model);
    else
        status = error_set(error, STATUS_BAD_INPUT, "%s: only a subject has layers to select", path);
    model_free(model);
    return status;
}

/* ---- the command ---- */

struct topic {
    const char *name;
    enum status (*list)(const struct arguments *arguments, struct error *error);
};

static const struct topic topics[] = {
    {"methods", list_methods}, {"models", list_models}, {"layers", list_layers},
    {"noises", list_noises},   {"keys", list_keys},
};

static enum status run(const struct arguments *arguments, struct error *error)
{
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        if (strcmp(topics[i].name, arguments->positionals[0]) == 0)
            return topics[i].list(arguments, error);
    return error_set(error, STATUS_USAGE,
                     "list '%.60s': expected one of methods, models, layers, noises, keys",
                     arguments->positionals[0]);
}

const struct command command_list = {
    .name = "list",
    .summary = "print what can stand in a job file",
    .positionals = {{"WHAT",
                     "methods, models, layers, noises, or keys (a job file with every key explained)"}},
    .options = options,
    .run = run,
};
