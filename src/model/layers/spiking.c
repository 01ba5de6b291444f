/* SPDX-License-Identifier: MIT */
#include "../layer.h"

#include <stdlib.h>
#include <string.h>

struct spiking_settings {
    const struct node *neuron;
};

static const struct key spiking_keys[] = {{"neuron", KEY_NODE, offsetof(struct spiking_settings, neuron), 0,
                                           0, "", "", NULL, "constants of this layer instead of the model's"},
                                          {0}};

static const char *const neuron_kinds[] = {"lif", "leaky", NULL};
static const char *const resets[] = {"hard", "soft", NULL};

struct neuron_settings {
    int kind, reset;
    bool decay_input;
    double tau, beta, threshold, v_reset;
};

static const struct key neuron_keys[] = {
    {"kind", KEY_CHOICE, offsetof(struct neuron_settings, kind), 0, 0, NULL, "", neuron_kinds,
     "lif: SpikingJelly's LIFNode; leaky: snnTorch's Leaky, the paper's eq. 2-3"},
    {"tau", KEY_REAL, offsetof(struct neuron_settings, tau), 1.0000001, 1e9, "2.0", "time steps", NULL,
     "membrane time constant (lif)"},
    {"decay_input", KEY_BOOLEAN, offsetof(struct neuron_settings, decay_input), 0, 0, "true", "", NULL,
     "divide the input by tau, too (lif)"},
    {"reset", KEY_CHOICE, offsetof(struct neuron_settings, reset), 0, 0, "hard", "", resets,
     "hard: to v_reset; soft: subtract the threshold (lif)"},
    {"v_reset", KEY_REAL, offsetof(struct neuron_settings, v_reset), -1e9, 1e9, "0.0", "1", NULL,
     "resting and reset potential (lif with hard reset)"},
    {"beta", KEY_REAL, offsetof(struct neuron_settings, beta), 0, 1, "0.9", "1", NULL,
     "membrane decay a step (leaky)"},
    {"threshold", KEY_REAL, offsetof(struct neuron_settings, threshold), -1e9, 1e9, "1.0", "1", NULL,
     "membrane potential at which a neuron spikes"},
    {0}};

/** The entries of `own` and those of `fallback` that it does not have; arrays belong to the caller. */
struct merged_mapping {
    struct node node;
    struct node **items;
    const char **names;
    int *name_lines;
};

static void add_entries(struct merged_mapping *merged, const struct node *from)
{
    for (size_t i = 0; from != NULL && i < from->n_items; i++) {
        if (merged->node.n_items > 0 && node_find(&merged->node, from->names[i]) != NULL)
            continue;
        const size_t n = merged->node.n_items++;
        merged->items[n] = from->items[i];
        merged->names[n] = from->names[i];
        merged->name_lines[n] = from->name_lines[i];
    }
}

static enum status merge(const struct node *own, const struct node *fallback, struct merged_mapping *merged,
                         struct error *error)
{
    const size_t capacity = (own == NULL ? 0 : own->n_items) + (fallback == NULL ? 0 : fallback->n_items);
    merged->items = calloc(capacity + 1, sizeof *merged->items);
    merged->names = calloc(capacity + 1, sizeof *merged->names);
    merged->name_lines = calloc(capacity + 1, sizeof *merged->name_lines);
    if (merged->items == NULL || merged->names == NULL || merged->name_lines == NULL)
        return error_set(error, STATUS_INTERNAL, "out of memory");
    merged->node = own == NULL ? *fallback : *own;
    merged->node.n_items = 0;
    merged->node.items = merged->items;
    merged->node.names = merged->names;
    merged->node.name_lines = merged->name_lines;
    add_entries(merged, own);
    add_entries(merged, fallback);
    return STATUS_OK;
}

/** A constant that the chosen kind of neuron does not have is a mistake, not a detail. */
static enum status check_meaning(const struct node *mapping, const struct neuron_settings *settings,
                                 struct error *error)
{
    static const char *const lif_only[] = {"tau", "decay_input", "reset", "v_reset", NULL};
    if (settings->kind == NEURON_LIF && node_find(mapping, "beta") != NULL)
        return node_error(mapping, error, "neuron: 'beta' has no meaning for kind lif (it has tau)");
    for (int i = 0; settings->kind == NEURON_LEAKY && lif_only[i] != NULL; i++)
        if (node_find(mapping, lif_only[i]) != NULL)
            return node_error(mapping, error, "neuron: '%s' has no meaning for kind leaky (it has beta)",
                              lif_only[i]);
    if (settings->reset == 1 && settings->v_reset != 0)
        return node_error(mapping, error, "neuron: with 'reset: soft', v_reset must be 0");
    return STATUS_OK;
}

enum status neuron_read(const struct node *own, const struct node *fallback, struct neuron *neuron,
                        struct error *error)
{
    const struct node *const given[] = {own, fallback};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i] != NULL && given[i]->kind != NODE_MAPPING)
            return node_error(given[i], error, "neuron: expected a mapping such as {tau: 2.0}");
    struct merged_mapping merged = {0};
    struct neuron_settings settings;
    enum status status = STATUS_OK;
    TRY_CLEANUP(merge(own, fallback, &merged, error));
    TRY_CLEANUP(keys_read(neuron_keys, &merged.node, "neuron", &settings, error));
    TRY_CLEANUP(check_meaning(&merged.node, &settings, error));
    *neuron = (struct neuron){.kind = (enum neuron_kind)settings.kind,
                              .decay_input = settings.decay_input,
                              .soft_reset = settings.reset == 1,
                              .tau = settings.tau,
                              .beta = settings.beta,
                              .threshold = settings.threshold,
                              .v_reset = settings.kind == NEURON_LIF ? settings.v_reset : 0};
cleanup:
    free(merged.items);
    free(merged.names);
    free(merged.name_lines);
    return status;
}

/** The constants come in two steps: here the shape; the model reads layer->neuron, as it knows the default.
 */
static enum status prepare(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    (void)tensors;
    (void)error;
    layer->out = layer->in[0];
    return STATUS_OK;
}

static void forward(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->spike(&layer->neuron, layer->out.channels * call->n_images, call->time, call->in_time[0],
                         map_pixels(layer->out), call->in[0], call->noise, call->membrane, call->out);
}

const struct layer_kind layer_spiking = {
    .name = "spiking",
    .summary = "leaky integrate-and-fire neurons",
    .keys = spiking_keys,
    .settings_size = sizeof(struct spiking_settings),
    .n_inputs = 1,
    .is_spiking = true,
    .prepare = prepare,
    .forward = forward,
};
