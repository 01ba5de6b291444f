/* SPDX-License-Identifier: MIT */
/**
 * Room for the outputs of layers. Where only the last one is asked for, as of a generator, layers whose
 * outputs are not needed at the same time share theirs.
 */
#ifndef MEICENSUS_MODEL_BUFFERS_H
#define MEICENSUS_MODEL_BUFFERS_H

#include "model_private.h"

/** Floats of n_frames maps of each layer; belongs to the caller. */
struct buffers {
    int n_buffers;
    float **buffers;
    int *of_layer; /**< [n_layers], index of the layer's buffer */
};

enum status buffers_create(const struct model *model, int n_frames, struct buffers *buffers,
                           struct error *error);
void buffers_free(const struct model *model, struct buffers *buffers);

#endif
