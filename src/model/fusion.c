/* SPDX-License-Identifier: MIT */
#include "fusion.h"

#include <stdlib.h>

#include "memory.h"
#include "model_private.h"
#include "placement.h"

int fusion_source(const struct model *model, int layer)
{
    while (layer != MODEL_INPUT && model->layers[layer].passes_through)
        layer = model->layers[layer].inputs[0];
    return layer;
}

bool fusion_has_one_user(const struct model *model, int layer)
{
    return model->layers[layer].n_users == 1;
}

static struct fusion make_fusion(const struct fusion_kind *kind)
{
    struct fusion fusion = {.kind = kind};
    for (int i = 0; i < FUSION_MAX_LAYERS; i++)
        fusion.layers[i] = NO_LAYER;
    return fusion;
}

static enum status find(const struct model *model, int layer, struct fusion *fusion, struct error *error)
{
    for (const struct fusion_kind *const *kind = fusion_kinds; *kind != NULL; kind++) {
        struct fusion found = make_fusion(*kind);
        if (!(*kind)->find(model, layer, &found))
            continue;
        *fusion = found;
        return (*kind)->arrange == NULL ? STATUS_OK : (*kind)->arrange(model, fusion, error);
    }
    return STATUS_OK;
}

static void mark_layers(const struct fusion *fusion, bool *is_within)
{
    for (int i = 0; fusion->kind != NULL && i < FUSION_MAX_LAYERS; i++)
        if (fusion->layers[i] != NO_LAYER)
            is_within[fusion->layers[i]] = true;
}

/** A layer that is part of what is behind it is no fusion's end. */
static enum status find_all(struct model *model, bool *is_within, struct error *error)
{
    for (int i = model->n_layers - 1; i >= 0; i--) {
        if (model->layers[i].passes_through || is_within[i])
            continue;
        TRY(find(model, i, &model->fusions[i], error));
        mark_layers(&model->fusions[i], is_within);
    }
    return STATUS_OK;
}

enum status fusions_find(struct model *model, struct error *error)
{
    bool *is_within = NULL;
    TRY(MEMORY_ALLOCATE(model->fusions, (size_t)model->n_layers, error));
    TRY(MEMORY_ALLOCATE(is_within, (size_t)model->n_layers, error));
    const enum status status = find_all(model, is_within, error);
    free(is_within);
    return status;
}

void fusions_free(struct model *model)
{
    for (int i = 0; model->fusions != NULL && i < model->n_layers; i++)
        placement_free(model->kernels, model->fusions[i].weight);
    free(model->fusions);
}
