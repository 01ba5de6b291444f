/* SPDX-License-Identifier: MIT */
/** A model as the command line asks for it: shared by the commands that run one themselves. */
#ifndef MEICENSUS_NETWORK_H
#define MEICENSUS_NETWORK_H

#include "backend.h"
#include "command.h"
#include "model.h"

/** The options that network_open reads: rows of an option table. */
#define NETWORK_MODEL_OPTION                                                                                 \
    {                                                                                                        \
        "model", "FILE", NULL, true, false, "architecture file of the network, e.g. weights/vq_vae.yaml"     \
    }
#define NETWORK_TIMESTEPS_OPTION                                                                             \
    {                                                                                                        \
        "timesteps", "T", NULL, false, false,                                                                \
            "presentations of each image to a spiking network, instead of the model file's number"           \
    }
#define NETWORK_NEURON_OPTION                                                                                \
    {                                                                                                        \
        "neuron", "MAPPING", NULL, false, false,                                                             \
            "constants of the spiking layers instead of the model file's, e.g. '{tau: 3.0}'"                 \
    }
#define NETWORK_KERNELS_OPTION                                                                               \
    {                                                                                                        \
        "kernels", "NAME", NULL, false, false, "avx512, openblas or reference, instead of the fastest"       \
    }

struct network {
    struct backend backend;
    struct model *model;
    struct model_run *run;
};

/**
 * Load --model with --timesteps, --neuron and --kernels, and make its buffers. network_close it, also after
 * a fault; zero-initialise it.
 */
enum status network_open(const struct arguments *arguments, struct network *network, struct error *error);
void network_close(struct network *network);

#endif
