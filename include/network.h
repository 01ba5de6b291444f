/* SPDX-License-Identifier: MIT */
/** A model as somebody asks for it by name, with kernels and buffers: ready to be run. */
#ifndef MEICENSUS_NETWORK_H
#define MEICENSUS_NETWORK_H

#include "backend.h"
#include "dataset.h"
#include "model.h"
#include "status.h"

/** What is asked for. */
struct network_request {
    const char *model;   /**< architecture file */
    const char *tensors; /**< another tensor file than the architecture file names, or NULL */
    const char *neuron;  /**< YAML mapping of neuron constants, e.g. "{tau: 3.0}"; NULL: as in the file */
    const char *kernels; /**< as backend_open takes them */
    int timesteps;       /**< 0: as in the file */
};

struct network {
    struct backend backend;
    struct model *model;
    struct model_run *run; /**< for one image at a time */
};

/** Load it and make its buffers. network_close it, also after a fault; zero-initialise it. */
enum status network_open(const struct network_request *request, struct network *network, struct error *error);
void network_close(struct network *network);

/**
 * The neuron constants in use, after what a job or an option has changed, as text, e.g. "{kind: lif, tau: 2,
 * ..}": equal for models whose constants are equal as numbers. Where layers differ, each has its own; "none"
 * where nothing spikes. The caller frees it.
 */
enum status model_constants(const struct model *model, char **text, struct error *error);

/** Labelled images of the size and of the classes that a subject takes (see dataset_open). limit 0: all.
 * STATUS_BAD_INPUT: `model` is no subject. The model must live as long as the dataset. */
enum status model_dataset_open(const struct model *model, const char *path, size_t limit,
                               struct dataset **dataset, struct error *error);

/** The same for an encoder, too, which has no classes. */
enum status model_images_open(const struct model *model, const char *path, size_t limit,
                              struct dataset **dataset, struct error *error);

#endif
