/* SPDX-License-Identifier: MIT */
/** What a model consists of; shared by the files of src/model/ only. */
#ifndef MEICENSUS_MODEL_PRIVATE_H
#define MEICENSUS_MODEL_PRIVATE_H

#include "fusion.h"
#include "layer.h"
#include "model.h"

enum { MODEL_MAX_CHANNELS = 16 };

struct model {
    const struct kernels *kernels;
    char *name;
    enum model_role role;
    int timesteps;
    struct map_shape input;
    struct latent_space latent;
    double mean[MODEL_MAX_CHANNELS], std[MODEL_MAX_CHANNELS];
    int n_classes;
    char **class_names;
    int n_layers, n_spiking;
    struct layer *layers;
    struct fusion *fusions; /**< [n_layers], how each is computed where nothing asks for what is between */
    char *tensors_path, *encoder_path;
    char *description; /**< of a subject that is a program, else NULL */
    bool is_noisy;     /**< a program whose answers vary */
    char sha256[SHA256_TEXT_CAPACITY], tensors_sha256[SHA256_TEXT_CAPACITY];
};

/** Read `input: {channels, height, width}`. */
enum status model_read_input(struct model *model, const struct node *root, const struct node *input,
                             struct error *error);

/** Read `image: {mean, std}` for `n_channels` channels: the last layer's of a generator, the input's of a
 * subject. */
enum status model_read_image(struct model *model, const struct node *root, const struct node *image,
                             int n_channels, struct error *error);

/** Read `layers:` into model->layers, with tensors; fold batch norms. */
enum status architecture_read_layers(struct model *model, const struct node *root,
                                     const struct node *neuron_override, const struct tensor_file *tensors,
                                     struct error *error);

#endif
