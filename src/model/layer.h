/* SPDX-License-Identifier: MIT */
/**
 * Layers of a model. Adding a layer kind = one file in src/model/layers/ with a `const struct layer_kind`,
 * one line in src/model/layers/table.c.
 */
#ifndef MEICENSUS_LAYER_H
#define MEICENSUS_LAYER_H

#include <stdbool.h>
#include <stddef.h>

#include "keys.h"
#include "kernels.h"
#include "model.h"
#include "safetensors.h"
#include "status.h"

enum { LAYER_MAX_INPUTS = 2, MODEL_INPUT = -1 };

/** One layer. Shapes are of one time step. */
struct layer {
    char *name;
    char *prefix; /**< of its tensors */
    const struct layer_kind *kind;
    const struct node *node; /**< in the architecture file, for messages; not valid after loading */
    void *settings;          /**< what kind->keys filled; texts in it are not valid after loading */
    int n_inputs;
    int inputs[LAYER_MAX_INPUTS]; /**< layer indices, or MODEL_INPUT */
    struct map_shape in[LAYER_MAX_INPUTS], out;
    float *weight;                        /**< layout as the kernel wants it, or NULL */
    size_t n_weights;                     /**< floats of weight */
    float *bias;                          /**< [out.channels], or NULL */
    bool is_placed;                       /**< both lie where the kernels work */
    struct neuron neuron;                 /**< spiking layers */
    struct convolution_shape convolution; /**< convolutions and linear layers; time is set at each call */
    int n_rows;                           /**< of the codebook */
    int spiking_index;                    /**< 0, 1, .. for spiking layers in network order; else -1 */
    bool
        passes_through; /**< its output is its input's buffer (a folded batch norm, a change of shape only) */
    bool is_static;     /**< its output is the same at all time steps */
    bool carries_spikes; /**< its output is spikes, perhaps pooled or reordered */
    int n_users;         /**< inputs of layers that are its output, what passes through not counted */
};

/** What one forward call of one layer works on. Maps are [channel][image][time][height][width]; where images
 * and time steps make no difference, they are frames. */
struct layer_call {
    const struct kernels *kernels;
    const float *in[LAYER_MAX_INPUTS];
    int in_time[LAYER_MAX_INPUTS];
    int n_images;
    int time;     /**< of the output: 1 where everything before is static */
    int n_frames; /**< of the output: n_images x time */
    float *out;
    float *scratch;
    float *membrane;    /**< spiking layers: [channel][image][height][width], updated */
    const float *noise; /**< spiking layers: [channel][image][time][height][width] or NULL */
};

struct layer_kind {
    const char *name;
    const char *summary;
    const struct key
        *keys; /**< beside the common ones (name, kind, from, inputs, prefix); ends with NULL name */
    size_t settings_size;
    int n_inputs;
    bool is_spiking;
    bool keeps_spikes; /**< makes no other values of 0 and 1 */

    /** Check the layer against its input shapes and tensors; set `out`, weights, constants. */
    enum status (*prepare)(struct layer *layer, const struct tensor_file *tensors, struct error *error);

    /** Bring the weights into the layout of these kernels, once nothing is folded into them any more; NULL:
     * none. */
    enum status (*arrange)(struct layer *layer, const struct kernels *kernels, struct error *error);

    /** Floats of scratch at this time extent; NULL: none. */
    size_t (*scratch)(const struct layer *layer, const struct kernels *kernels, int time);

    /** NULL for kinds that only ever pass through. */
    void (*forward)(const struct layer *layer, const struct layer_call *call);

    /** Multiply-adds of one time step; NULL: not worth counting. */
    double (*cost)(const struct layer *layer);
};

extern const struct layer_kind *const layer_kinds[]; /**< ended by NULL */

/** Values of a map at one time step; its pixels. */
size_t map_values(struct map_shape shape);
int map_pixels(struct map_shape shape);

/**
 * The tensor `<prefix>.<suffix>`, with exactly these dimensions (-1: any).
 * STATUS_BAD_INPUT names file, tensor, the shape it has and the one expected. *tensor is NULL if absent and
 * `optional`.
 */
enum status layer_tensor(const struct layer *layer, const struct tensor_file *tensors, const char *suffix,
                         bool optional, int n_dimensions, const int64_t *expected,
                         const struct tensor **tensor, struct error *error);

/** layer->bias from `<prefix>.bias`, if it is there. */
enum status layer_read_bias(struct layer *layer, const struct tensor_file *tensors, struct error *error);

/** layer->weight, a copy of a tensor. */
enum status layer_copy_weight(struct layer *layer, const struct tensor *tensor, struct error *error);

/** Multiply the weights that make output channel c by scale[c] and its bias, then add shift[c] (folds a batch
 * norm). */
enum status layer_fold(struct layer *layer, const double *scale, const double *shift, struct error *error);
bool layer_can_fold(const struct layer *layer);

/** Scale and shift that a batch norm layer applies, [channels] each, from its tensors; the caller frees both.
 */
enum status batch_norm_constants(const struct layer *layer, const struct tensor_file *tensors, double **scale,
                                 double **shift, struct error *error);
extern const struct layer_kind layer_batch_norm, layer_embedding, layer_nearest_row, layer_add,
    layer_max_pool, layer_relu, layer_upsample, layer_convolution;

/** The window of a pool over `time` steps of all channels. */
struct pool_shape layer_pool_shape(const struct layer *layer, int time);

/** Key table of `neuron:` mappings; `own` (or NULL) goes before `fallback`. */
enum status neuron_read(const struct node *own, const struct node *fallback, struct neuron *neuron,
                        struct error *error);

#endif
