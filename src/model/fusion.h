/* SPDX-License-Identifier: MIT */
/**
 * Layers that are computed together with layers before them, by one kernel that does not write what lies
 * between: a convolution and the neurons that it charges, say.
 *
 * A fusion is only a faster way: a forward that is asked for a layer within, or that has noise, goes layer by
 * layer. Adding a fusion = one file in src/model/fusions/ with a `const struct fusion_kind`, one line in
 * src/model/fusions/table.c.
 */
#ifndef MEICENSUS_FUSION_H
#define MEICENSUS_FUSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"
#include "status.h"

enum { FUSION_MAX_INPUTS = 2, FUSION_MAX_LAYERS = 6, NO_LAYER = -1, ALL_CHANNELS = -1 };

struct model;

/** How a layer of a model is computed with layers before it; zero: alone. */
struct fusion {
    const struct fusion_kind *kind;
    int n_inputs;
    int inputs[FUSION_MAX_INPUTS];        /**< layers outside whose output is read, or MODEL_INPUT */
    bool takes_spikes[FUSION_MAX_INPUTS]; /**< as bits; else as values */
    int layers[FUSION_MAX_LAYERS];        /**< within, or NO_LAYER; in which order, is the kind's business */
    float *weight;                        /**< arranged for the kind where it needs that, or NULL */
};

/** What one call works on; see struct layer_call. */
struct fusion_call {
    int n_frames; /**< images x time steps; where neurons are part of it, of one image */
    const float *values[FUSION_MAX_INPUTS];
    const uint64_t *spikes[FUSION_MAX_INPUTS]; /**< as bits, see struct spike_kernels */
    float *out;                                /**< the layer's output: values, */
    uint64_t *out_spikes;                      /**< or spikes where kind->makes_spikes */
    float *scratch;
    int channel; /**< the only one whose output is wanted, or ALL_CHANNELS */
};

struct fusion_kind {
    const char *name;
    bool makes_spikes; /**< as bits, not as values */

    /** Whether the layer can be computed in this way by the model's kernels; fills what is needed to do so.
     */
    bool (*find)(const struct model *model, int layer, struct fusion *fusion);

    /** Arrange weights, before those of the layers within are arranged; NULL: nothing. */
    enum status (*arrange)(const struct model *model, struct fusion *fusion, struct error *error);

    /** Floats of scratch for so many frames; NULL: none. */
    size_t (*scratch)(const struct model *model, int layer, int n_frames);

    void (*forward)(const struct model *model, int layer, const struct fusion_call *call);
};

extern const struct fusion_kind *const fusion_kinds[]; /**< first that fits is taken; ended by NULL */

/** Find model->fusions [n_layers], once batch norms are folded. */
enum status fusions_find(struct model *model, struct error *error);
void fusions_free(struct model *model);

/* ---- for the kinds ---- */

/** The layer whose buffer an input's is: what passes through is skipped. May be MODEL_INPUT. */
int fusion_source(const struct model *model, int layer);

/** Does nothing but one input want what `layer` makes, what passes through not counted? */
bool fusion_has_one_user(const struct model *model, int layer);

#endif
