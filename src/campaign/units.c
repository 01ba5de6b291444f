/* SPDX-License-Identifier: MIT */
#include "units.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/** What one layer offers: its units in order, before any selection. */
struct offer {
    int layer;
    enum unit_kind kind;
    struct map_shape shape; /**< of a class: channels are classes */
};

static int64_t offer_size(const struct offer *offer)
{
    const int64_t pixels = (int64_t)offer->shape.height * offer->shape.width;
    return offer->shape.channels * (offer->kind == UNIT_NEURON ? pixels : 1);
}

static struct unit offer_unit(const struct offer *offer, int64_t index)
{
    const int64_t pixels = (int64_t)offer->shape.height * offer->shape.width;
    if (offer->kind != UNIT_NEURON)
        return (struct unit){offer->layer, offer->kind, (int)index, -1, -1};
    return (struct unit){offer->layer, UNIT_NEURON, (int)(index / pixels),
                         (int)(index % pixels / offer->shape.width), (int)(index % offer->shape.width)};
}

/* ---- `select`: numbers among the offer's units ---- */

struct selection {
    int64_t *indices;
    size_t n, capacity;
};

static enum status add_index(struct selection *selection, int64_t index, struct error *error)
{
    TRY(memory_grow((void **)&selection->indices, &selection->capacity, selection->n,
                    sizeof *selection->indices, error));
    selection->indices[selection->n++] = index;
    return STATUS_OK;
}

/** "5" or "5-9". */
static enum status read_range(const struct node *node, const char *layer, int64_t size, int64_t *first,
                              int64_t *last, struct error *error)
{
    const char *text = node->text == NULL ? "" : node->text;
    char *end;
    *first = strtoll(text, &end, 10);
    *last = *first;
    bool valid = end != text && text[0] >= '0' && text[0] <= '9';
    if (valid && *end == '-' && end[1] >= '0' && end[1] <= '9')
        *last = strtoll(end + 1, &end, 10);
    valid = valid && *end == '\0' && *first >= 0 && *first <= *last;
    if (!valid)
        return node_error(node, error, "'select': '%s' is neither a number nor a range such as 5-9", text);
    if (*last >= size)
        return node_error(node, error, "'select': layer '%s' has no unit %lld; valid are 0 to %lld", layer,
                          (long long)*last, (long long)size - 1);
    return STATUS_OK;
}

static enum status read_neuron(const struct node *node, const char *layer, const struct offer *offer,
                               int64_t *index, struct error *error)
{
    long long c, y, x;
    const struct map_shape s = offer->shape;
    if (node->kind != NODE_LIST || node->n_items != 3)
        return node_error(node, error, "'select': a neuron is [channel, y, x]");
    TRY(node_integer(node->items[0], "channel", LLONG_MIN, LLONG_MAX, &c, error));
    TRY(node_integer(node->items[1], "y", LLONG_MIN, LLONG_MAX, &y, error));
    TRY(node_integer(node->items[2], "x", LLONG_MIN, LLONG_MAX, &x, error));
    if (c < 0 || c >= s.channels || y < 0 || y >= s.height || x < 0 || x >= s.width)
        return node_error(
            node, error,
            "'select': layer '%s' has no neuron [%lld, %lld, %lld]; valid are [0-%d, 0-%d, 0-%d]", layer, c,
            y, x, s.channels - 1, s.height - 1, s.width - 1);
    *index = (c * s.height + y) * s.width + x;
    return STATUS_OK;
}

static enum status read_selection(const struct node *node, const char *layer, const struct offer *offer,
                                  struct selection *selection, struct error *error)
{
    const int64_t size = offer_size(offer);
    if (node == NULL || (node->kind == NODE_SCALAR && strcmp(node->text, "all") == 0)) {
        for (int64_t i = 0; i < size; i++)
            TRY(add_index(selection, i, error));
        return STATUS_OK;
    }
    if (node->kind != NODE_LIST || node->n_items == 0)
        return node_error(node, error, "'select' must be 'all' or a list");
    for (size_t i = 0; i < node->n_items; i++) {
        int64_t first = 0, last = 0;
        if (offer->kind == UNIT_NEURON) {
            TRY(read_neuron(node->items[i], layer, offer, &first, error));
            last = first;
        } else {
            TRY(read_range(node->items[i], layer, size, &first, &last, error));
        }
        for (int64_t index = first; index <= last; index++)
            TRY(add_index(selection, index, error));
    }
    return STATUS_OK;
}

/** Append the selected units of one layer, thinned out to `sample` of them. */
static enum status add_offer(const struct job_search *search, const char *layer, const struct offer *offer,
                             struct unit_list *list, struct error *error)
{
    struct selection selection = {0};
    enum status status = read_selection(search->select, layer, offer, &selection, error);
    const size_t n =
        search->sample > 0 && (size_t)search->sample < selection.n ? (size_t)search->sample : selection.n;
    for (size_t i = 0; i < n && status == STATUS_OK; i++) {
        status =
            memory_grow((void **)&list->items, &list->capacity, list->n_items, sizeof *list->items, error);
        if (status == STATUS_OK)
            list->items[list->n_items++] =
                offer_unit(offer, selection.indices[(2 * i + 1) * selection.n / (2 * n)]);
    }
    free(selection.indices);
    return status;
}

static enum status unknown_layer(const struct node *node, const struct model *model, struct error *error)
{
    const char *names[512];
    size_t n = 0;
    for (int i = 0; i < model_n_layers(model) && n < 511; i++)
        if (model_layer_is_selectable(model, i))
            names[n++] = model_layer_name(model, i);
    names[n] = NULL;
    const char *nearest = n == 0 ? NULL : nearest_name(node->text, names);
    return node_error(node, error,
                      "'%s' has no layer '%s' whose units can be selected%s%s%s; they run from '%s' to '%s'",
                      model_name(model), node->text, nearest == NULL ? "" : "; did you mean '",
                      nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?", n == 0 ? "" : names[0],
                      n == 0 ? "" : names[n - 1]);
}

static enum status add_layer(const struct job_search *search, const struct model *model, int layer,
                             struct unit_list *list, struct error *error)
{
    const struct offer offer = {layer, (enum unit_kind)search->unit, model_layer_shape(model, layer)};
    return add_offer(search, model_layer_name(model, layer), &offer, list, error);
}

enum status units_select(const struct job_search *search, const struct model *model, struct unit_list *list,
                         struct error *error)
{
    const struct node *layers = search->layers;
    const bool all = layers == NULL || (layers->kind == NODE_SCALAR && strcmp(layers->text, "all") == 0);
    if (search->unit == UNIT_CLASS) {
        const int output = model_output_layer(model);
        const struct offer offer = {output, UNIT_CLASS, model_layer_shape(model, output)};
        if (!all)
            return node_error(layers, error, "'layers' has no meaning for 'unit: class'");
        if (offer.shape.channels == 0)
            return node_error(search->node, error, "'%s' has no class outputs", model_name(model));
        return add_offer(search, "class outputs", &offer, list, error);
    }
    if (!all && (layers->kind != NODE_LIST || layers->n_items == 0))
        return node_error(layers, error, "'layers' must be 'all' or a list of names");
    for (int i = 0; all && i < model_n_layers(model); i++)
        if (model_layer_is_selectable(model, i))
            TRY(add_layer(search, model, i, list, error));
    for (size_t i = 0; !all && i < layers->n_items; i++) {
        const char *name;
        TRY(node_text(layers->items[i], "layers", &name, error));
        const int layer = model_find_layer(model, name);
        if (layer < 0 || !model_layer_is_selectable(model, layer))
            return unknown_layer(layers->items[i], model, error);
        TRY(add_layer(search, model, layer, list, error));
    }
    return STATUS_OK;
}

int unit_compare(const void *a, const void *b)
{
    const struct unit *u = a, *v = b;
    const int differences[] = {u->layer - v->layer, (int)u->kind - (int)v->kind, u->channel - v->channel,
                               u->y - v->y, u->x - v->x};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (differences[i] != 0)
            return differences[i];
    return 0;
}

void units_normalise(struct unit_list *list)
{
    size_t n = 0;
    if (list->n_items > 0)
        qsort(list->items, list->n_items, sizeof *list->items, unit_compare);
    for (size_t i = 0; i < list->n_items; i++)
        if (n == 0 || unit_compare(&list->items[n - 1], &list->items[i]) != 0)
            list->items[n++] = list->items[i];
    list->n_items = n;
}
