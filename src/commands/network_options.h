/* SPDX-License-Identifier: MIT */
/** A model as the command line asks for it: shared by the commands that run one themselves. */
#ifndef MEICENSUS_NETWORK_OPTIONS_H
#define MEICENSUS_NETWORK_OPTIONS_H

#include "command.h"
#include "network.h"

/** The options that network_options_read reads: rows of an option table. */
#define NETWORK_MODEL_OPTION                                                                                 \
    {                                                                                                        \
        "model", "FILE", NULL, true, false, "architecture file of the network, e.g. weights/vq_vae.yaml"     \
    }
#define NETWORK_TENSORS_OPTION                                                                               \
    {                                                                                                        \
        "tensors", "FILE", NULL, false, false,                                                               \
            "safetensors file instead of the model file's, e.g. a checkpoint of a training"                  \
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
#define NETWORK_ISA_OPTION                                                                                   \
    {                                                                                                        \
        "isa", "NAME", NULL, false, false,                                                                   \
            "avx512, avx2, openblas, reference, amx, cuda, cuda-tf32 or cuda-bf16; else the fastest in "     \
            "float32 "                                                                                       \
            "of this processor"                                                                              \
    }

/** --model, --tensors, --timesteps, --neuron and --isa. The texts stay the arguments'. STATUS_USAGE. */
enum status network_options_read(const struct arguments *arguments, struct network_request *request,
                                 struct error *error);

/** The same, and network_open. */
enum status network_options_open(const struct arguments *arguments, struct network *network,
                                 struct error *error);

#endif
