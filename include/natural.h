/* SPDX-License-Identifier: MIT */
/**
 * Natural references: which images of a dataset excite each unit most, and how its activation is distributed
 * over the dataset. Units are all channels of all selectable layers, and all class outputs.
 *
 * The file natural.h5 (K: --top; 9 quantiles):
 *   unit/layer, layer_index, kind, channel     [unit] as in /units of a results file (results.h)
 *   class_name, class_images                   [class] text; int64: images with that label
 *   quantile_probability                       [9] float64: 0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1
 *   top_image, top_label, top_activation       [unit][K] int64, int32, float32; best first, of equally good
 *                                              images the one with the lower number first
 *   top_rgb8                                   [unit][K][y][x][channel] uint8, only if wanted
 *   quantile                                   [unit][9] float32: order statistics, linear between neighbours
 *   mean, std                                  [unit] float32; std divides by the number of images
 *   class_mean                                 [unit][class] float32; NaN for a class without images
 *   provenance/                                whatever may differ between two executions
 *   attributes of /: format, format_version, title, source, model, model_sha256, tensors_sha256, timesteps,
 *   neuron, kernels, dataset_sha256 (dataset.h), n_images
 * Everything outside provenance/ is equal bit for bit whatever the number of ranks and interruptions.
 */
#ifndef MEICENSUS_NATURAL_H
#define MEICENSUS_NATURAL_H

#include <stdbool.h>

#include "network.h"
#include "status.h"

struct natural_options {
    struct network_request network;
    const char *data;   /**< see dataset.h */
    const char *output; /**< file to write; an older one is replaced */
    long long limit;    /**< images at most; 0: all */
    int top;
    bool with_images;
};

/**
 * Show every image once and write the file; starts and ends MPI itself. Collective. What was computed lies
 * in the folder `<output>.parts` until the file is written: the same call goes on from there after an
 * interruption. STATUS_MISMATCH: it holds parts for other weights, constants, images or kernels.
 * STATUS_STOPPED after a signal. On a fault only rank 0 has a message; the others' is empty.
 */
enum status natural_run(const struct natural_options *options, struct error *error);

#endif
