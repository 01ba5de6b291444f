/* SPDX-License-Identifier: MIT */
#include "fusion.h"

#include <stdlib.h>

#include "memory.h"
#include "model_private.h"

int fusion_source(const struct model *model, int layer)
{
    while (layer != MODEL_INPUT && model->layers[layer].passes_through)
        layer = model->layers[layer].inputs[0];
    return layer;
}

static int count_users(const struct model *model, int layer)
{
    int n = 0;
    for (int i = 0; i < model->n_layers; i++) {
        const struct layer *user = &model->layers[i];
        for (int j = 0; j < user->n_inputs; j++)
            if (user->inputs[j] == layer)
                n += user->passes_through ? count_users(model, i) : 1;
    }
    return n;
}

bool fusion_has_one_user(const struct model *model, int layer)
{
    return count_users(model, layer) == 1;
}

bool fusion_is_static(const struct model *model, int layer)
{
    if (layer == MODEL_INPUT)
        return true;
    if (model->layers[layer].kind->is_spiking)
        return false;
    for (int i = 0; i < model->layers[layer].n_inputs; i++)
        if (!fusion_is_static(model, model->layers[layer].inputs[i]))
            return false;
    return true;
}

bool fusion_carries_spikes(const struct model *model, int layer)
{
    if (layer == MODEL_INPUT || !model->layers[layer].kind->keeps_spikes)
        return layer != MODEL_INPUT && model->layers[layer].kind->is_spiking;
    for (int i = 0; i < model->layers[layer].n_inputs; i++)
        if (!fusion_carries_spikes(model, model->layers[layer].inputs[i]))
            return false;
    return true;
}

static enum status find(const struct model *model, int layer, struct fusion *fusion, struct error *error)
{
    for (const struct fusion_kind *const *kind = fusion_kinds; *kind != NULL; kind++) {
        *fusion = (struct fusion){.convolutions = {-1, -1}};
        if (!(*kind)->find(model, layer, fusion))
            continue;
        fusion->kind = *kind;
        return (*kind)->arrange == NULL ? STATUS_OK : (*kind)->arrange(model, layer, fusion, error);
    }
    return STATUS_OK;
}

enum status fusions_find(struct model *model, struct error *error)
{
    TRY(MEMORY_ALLOCATE(model->fusions, (size_t)model->n_layers, error));
    for (int i = 0; i < model->n_layers; i++)
        if (!model->layers[i].passes_through)
            TRY(find(model, i, &model->fusions[i], error));
    return STATUS_OK;
}

void fusions_free(struct model *model)
{
    for (int i = 0; model->fusions != NULL && i < model->n_layers; i++)
        free(model->fusions[i].weight);
    free(model->fusions);
}
