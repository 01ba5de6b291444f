/* SPDX-License-Identifier: MIT */
/**
 * Networks as data: an architecture file (YAML) and tensors (safetensors) become a list of layers that is
 * run forward. Subjects and generators are both models.
 *
 * Legend: image [channel][height][width] float32; maps inside a model are [channel][image][time][height]
 * [width], most often of one image.
 */
#ifndef MEICENSUS_MODEL_H
#define MEICENSUS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "kernels.h"
#include "status.h"

struct node;

enum model_role {
    MODEL_SUBJECT,
    MODEL_GENERATOR,
    MODEL_ENCODER, /**< image to code of a generator: the numbers of rows of its codebook */
};

/** How a generator's latent code [d] of indices 0..n-1 becomes its input. */
enum latent_kind {
    LATENT_GRID,     /**< input[i] = low + code[i] * (high - low) / (n - 1) */
    LATENT_CODEBOOK, /**< input[i] = code[i], an index into a dictionary */
};

struct latent_space {
    enum latent_kind kind;
    int n_dimensions, n_points;
    double low, high; /**< LATENT_GRID */
};

/** Shape of a map at one time step. */
struct map_shape {
    int channels, height, width;
};

/** What a job may change of a subject; zero-initialise for "as in the file". */
struct model_overrides {
    int timesteps;             /**< 0: as in the file */
    const char *tensors;       /**< path of another tensor file, or NULL */
    const struct node *neuron; /**< mapping with neuron keys (e.g. `{tau: 3.0}`), or NULL */
};

struct model; /* opaque */

/**
 * Read an architecture file and its tensors, fold batch norms, check every shape.
 * The model belongs to the caller (model_free). STATUS_BAD_INPUT and STATUS_IO name file, line, layer,
 * tensor.
 */
enum status model_load(const char *path, const struct model_overrides *overrides,
                       const struct kernels *kernels, struct model **model, struct error *error);

/**
 * A subject that is a program: its layers can be named, but not run here. `description` is what the program
 * says of itself (README.md); STATUS_BAD_INPUT names `command` and the line. model_sha256 is the
 * description's, model_tensors_sha256 and model_tensors_path are the command's; there are no classes to be
 * stored with each run, but class outputs can be units.
 */
enum status model_from_description(const char *description, const char *command, struct model **model,
                                   struct error *error);
void model_free(struct model *model);

/** The description of a subject that is a program; NULL for all others. */
const char *model_description(const struct model *model);

/** Does the same image always give the same activation? A program may say no. */
bool model_is_deterministic(const struct model *model);

const char *model_name(const struct model *model);
enum model_role model_role(const struct model *model);

/** Do its kernels work in the memory of a device? That memory; NULL: no. */
bool model_is_on_device(const struct model *model);
const struct kernel_memory *model_memory(const struct model *model);
int model_timesteps(const struct model *model); /**< 1 for a generator and for a network without spikes */
struct map_shape model_input_shape(const struct model *model);
const struct latent_space *model_latent(const struct model *model); /**< generator; NULL for a subject */

/** RGB in [0, 1] = value * std + mean per channel: of a generator's output, of a subject's input. */
const double *model_mean(const struct model *model);
const double *model_std(const struct model *model);

int model_n_classes(const struct model *model);                  /**< 0 for a generator */
const char *const *model_class_names(const struct model *model); /**< [n_classes] */

/** Architecture file of a generator's encoder, or NULL. */
const char *model_encoder_path(const struct model *model);

/** SHA-256 of the architecture file and of the tensor file; path of the latter. */
const char *model_sha256(const struct model *model);
const char *model_tensors_sha256(const struct model *model);
const char *model_tensors_path(const struct model *model);

/** Layers, in network order. Index -1 stands for nothing found. */
int model_n_layers(const struct model *model);
int model_find_layer(const struct model *model, const char *name);
const char *model_layer_name(const struct model *model, int layer);
struct map_shape model_layer_shape(const struct model *model, int layer);
bool model_layer_is_spiking(const struct model *model, int layer);
bool model_layer_is_selectable(
    const struct model *model,
    int layer); /**< its units can be named in a job: spiking layers, or relu where nothing spikes */
int model_output_layer(const struct model *model); /**< its last layer: class outputs, or the image */
double model_layer_cost(const struct model *model,
                        int layer); /**< multiply-adds of one forward pass up to it */

/** Bytes of what a layer reads and writes in one forward pass, each once, float32. All 0 where it only passes
 * on what it gets. */
struct layer_traffic {
    double inputs, output; /**< maps of one image, all time steps */
    double weights;        /**< once a call, whatever the images in it */
};
struct layer_traffic model_layer_traffic(const struct model *model, int layer);

/** The first layer that reads the output of `layer`, or -1. */
int model_layer_reader(const struct model *model, int layer);

/* ---- running ---- */

/** Buffers of one model; one per thread of execution. Belongs to the caller. */
struct model_run;

/** For one image at a time. */
enum status model_run_create(const struct model *model, struct model_run **run, struct error *error);

/** For up to n_images at a time. */
enum status model_run_create_batch(const struct model *model, int n_images, struct model_run **run,
                                   struct error *error);
int model_image_batch(const struct model *model); /**< images that are worth one call: many on a device, else
                                                       more than 1 only where nothing spikes */
void model_run_free(struct model_run *run);

/** Noise of a presentation; all zero for none. See design of trials in trials.h. */
struct presentation {
    bool keep_state;         /**< go on from the membranes that the last presentation left */
    bool leave_state;        /**< leave the membranes to the next one */
    double initial_membrane; /**< s: v0 = v_reset + s v_threshold N(0,1) */
    double membrane;         /**< s: s v_threshold N(0,1) added to h at every step */
    int n_images;            /**< 0: one; membrane noise is that of a single image */
    int n_frames;            /**< of each image, the model's time steps; 0 or 1 for a static one */
    bool is_shared;          /**< the input lies in memory that is shared with the device, and stays there */
    uint64_t key;            /**< Philox key of the noise */
    uint32_t trial;          /**< counter word 0 is 1 + trial */
};

/**
 * Run layers up to and including `last_layer` (only those it depends on) on one input.
 * input: images [channel][image][frame][height][width] or latent inputs [d][image], as many as `presentation`
 * says. presentation NULL: fresh state, no noise.
 */
void model_forward(struct model_run *run, const float *input, int last_layer,
                   const struct presentation *presentation);

/** The same from a fresh state without noise, of which only one channel of `last_layer` is wanted: what there
 * is of others is undefined. */
void model_forward_channel(struct model_run *run, const float *input, int last_layer, int channel);

/** The same layer by layer, so that model_output has each that was needed. */
void model_forward_each(struct model_run *run, const float *input, int last_layer);

/**
 * From now on model_forward_made shows `run` the images that `maker`, a generator's, made last, in the space
 * of run's model. Both models are on the same device, and the images fit the input.
 */
enum status model_run_follow(struct model_run *run, const struct model_run *maker, struct error *error);
void model_forward_made(struct model_run *run, int last_layer);

/** Output of a layer that a later one was computed from by the last forward: of model_forward, the last one
 * and all spiking ones; [channel][image][time][height][width]; *time is 1 if static. */
const float *model_output(const struct model_run *run, int layer, int *time);

/**
 * Give a layer its output, [channel][time][height][width] with time = model_timesteps: later forwards take it
 * as it is and do not run what only it depends on. NULL takes the gift back.
 */
void model_give_output(struct model_run *run, int layer, const float *values);

/** What went wrong since this was asked last with the device that the kernels work on, if they do: what
 * forwards found meanwhile does not count then. STATUS_INTERNAL. */
enum status model_check(const struct model *model, struct error *error);

/** From now on every forward adds the seconds that each layer takes to seconds [n_layers], the caller's; NULL
 * ends it. A layer that is computed together with its reader takes none. */
void model_measure_layers(struct model_run *run, double *seconds);

/**
 * Activations after a forward that computed `layer`. Channel: mean over time, height and width (of spikes: in
 * [0, 1]). Neuron: mean over time. Both are sums in double precision, rounded once; of the first image, or of
 * any of those of a forward.
 */
float model_image_activation(const struct model_run *run, int image, int layer, int channel);

/** A place in a layer: a channel, or one of its neurons. */
struct model_place {
    int channel, y, x; /**< y and x are -1 for the whole channel */
};

/**
 * Start adding up what the activations of a forward are means of: places[i] for image i, all of one kind.
 * first, sums [n_images]: as struct kernels' `sums` takes them; sums[i] / the number that is returned is the
 * activation, once a device has been waited for.
 */
double model_start_sums(const struct model_run *run, int layer, const struct model_place *places,
                        size_t *first, double *sums);

/** The same of all of n_places places of a layer for every image of the last forward: first, sums
 * [image][n_places]. */
double model_start_place_sums(const struct model_run *run, int layer, int n_places,
                              const struct model_place *places, size_t *first, double *sums);
float model_channel_activation(const struct model_run *run, int layer, int channel);
float model_neuron_activation(const struct model_run *run, int layer, int channel, int y, int x);

#endif
