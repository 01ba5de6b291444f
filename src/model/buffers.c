/* SPDX-License-Identifier: MIT */
#include "buffers.h"

#include <stdlib.h>

#include "memory.h"
#include "placement.h"

/** A buffer while layers are given theirs. */
struct slot {
    size_t n_values;
    int last_use; /**< index of the last layer that reads what is in it */
};

/** Can its outputs be overwritten once later layers have read them? A subject's are looked at afterwards. */
static bool shares(const struct model *model)
{
    return model->role != MODEL_SUBJECT;
}

static void extend(const struct model *model, int input, int user, int *last_use)
{
    const int source = fusion_source(model, input);
    if (source != MODEL_INPUT && last_use[source] < user)
        last_use[source] = user;
}

/** The last layer that reads each one's output, alone or with others. */
static void find_last_uses(const struct model *model, int *last_use)
{
    for (int i = 0; i < model->n_layers; i++) {
        last_use[i] = i;
        for (int j = 0; j < model->layers[i].n_inputs; j++)
            extend(model, model->layers[i].inputs[j], i, last_use);
        for (int j = 0; j < model->fusions[i].n_inputs; j++)
            extend(model, model->fusions[i].inputs[j], i, last_use);
    }
    for (int i = 0; i < model->n_layers; i++)
        if (!shares(model) || i == model->n_layers - 1)
            last_use[i] = model->n_layers;
}

/** The smallest slot that is free and large enough, else the largest that is free; n_slots: none is. */
static int choose_slot(const struct slot *slots, int n_slots, int layer, size_t n_values)
{
    int chosen = n_slots;
    for (int s = 0; s < n_slots; s++) {
        if (slots[s].last_use >= layer)
            continue;
        const size_t n = slots[s].n_values, best = chosen == n_slots ? 0 : slots[chosen].n_values;
        if (chosen == n_slots || (best < n_values ? n > best : n >= n_values && n < best))
            chosen = s;
    }
    return chosen;
}

static int assign(const struct model *model, size_t n_frames, const int *last_use, struct slot *slots,
                  int *of_layer)
{
    int n_slots = 0;
    for (int i = 0; i < model->n_layers; i++) {
        const size_t n_values =
            model->layers[i].passes_through ? 0 : map_values(model->layers[i].out) * n_frames;
        const int slot = choose_slot(slots, n_slots, i, n_values);
        n_slots += slot == n_slots;
        slots[slot].last_use = last_use[i];
        slots[slot].n_values = slots[slot].n_values > n_values ? slots[slot].n_values : n_values;
        of_layer[i] = slot;
    }
    return n_slots;
}

enum status buffers_create(const struct model *model, int n_frames, struct buffers *buffers,
                           struct error *error)
{
    const size_t n_layers = (size_t)model->n_layers;
    int *last_use = NULL;
    struct slot *slots = NULL;
    enum status status = STATUS_OK;
    TRY_CLEANUP(MEMORY_ALLOCATE(last_use, n_layers, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(slots, n_layers, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(buffers->of_layer, n_layers, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(buffers->buffers, n_layers, error));
    find_last_uses(model, last_use);
    buffers->n_buffers = assign(model, (size_t)n_frames, last_use, slots, buffers->of_layer);
    for (int s = 0; s < buffers->n_buffers; s++)
        TRY_CLEANUP(placement_allocate(model->kernels, slots[s].n_values, &buffers->buffers[s], error));
cleanup:
    free(last_use);
    free(slots);
    return status;
}

void buffers_free(const struct model *model, struct buffers *buffers)
{
    for (int s = 0; s < buffers->n_buffers; s++)
        placement_free(model->kernels, buffers->buffers[s]);
    free(buffers->buffers);
    free(buffers->of_layer);
}
