/* SPDX-License-Identifier: MIT */
/* `meicensus accuracy`: the fraction of labelled images that a subject classifies correctly. */
#include <stdio.h>
#include <stdlib.h>

#include "cifar.h"
#include "command.h"
#include "memory.h"
#include "network.h"
#include "counter.h"

static const struct command_option options[] = {
    NETWORK_MODEL_OPTION,
    {"data", "PATH", NULL, true, false, "binary CIFAR-10 file, or a folder: all its *.bin files"},
    {"limit", "N", NULL, false, false, "only the first N images"},
    NETWORK_TIMESTEPS_OPTION,
    NETWORK_NEURON_OPTION,
    NETWORK_KERNELS_OPTION,
    {0},
};

/** The class with the largest mean output; of equal ones the first. */
static int predicted_class(const struct network *network)
{
    const int last = model_output_layer(network->model);
    int best = 0;
    float largest = model_channel_activation(network->run, last, 0);
    for (int c = 1; c < model_n_classes(network->model); c++) {
        const float output = model_channel_activation(network->run, last, c);
        best = output > largest ? c : best;
        largest = output > largest ? output : largest;
    }
    return best;
}

static size_t count_correct(const struct network *network, const struct cifar_images *images, float *input)
{
    struct counter counter;
    size_t n_correct = 0;
    counter_begin(&counter, "images", images->n_images);
    for (size_t i = 0; i < images->n_images; i++) {
        cifar_normalised(images, i, network->model, input);
        model_forward(network->run, input, model_output_layer(network->model), NULL);
        n_correct += predicted_class(network) == cifar_label(images, i);
        counter_show(&counter, i + 1);
    }
    counter_end(&counter);
    return n_correct;
}

static enum status measure(const struct network *network, const struct cifar_images *images,
                           struct error *error)
{
    float *input = NULL;
    TRY(MEMORY_ALLOCATE(input, images->row_bytes, error));
    const size_t n_correct = count_correct(network, images, input);
    free(input);
    printf("accuracy %.4f (%zu of %zu images, T = %d, kernels %s)\n",
           (double)n_correct / (double)images->n_images, n_correct, images->n_images,
           model_timesteps(network->model), network->backend.kernels->name);
    return STATUS_OK;
}

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct network network = {0};
    struct cifar_images images = {0};
    long long limit = 0;
    enum status status;
    TRY_CLEANUP(arguments_integer(arguments, "limit", 1, 1000000000, &limit, error));
    TRY_CLEANUP(network_open(arguments, &network, error));
    if (model_role(network.model) != MODEL_SUBJECT) {
        status = error_set(error, STATUS_BAD_INPUT, "%s: a generator has no classes; expected a subject",
                           arguments_text(arguments, "model"));
        goto cleanup;
    }
    TRY_CLEANUP(cifar_read(arguments_text(arguments, "data"), network.model, (size_t)limit, &images, error));
    status = measure(&network, &images, error);
cleanup:
    cifar_free(&images);
    network_close(&network);
    return status;
}

const struct command command_accuracy = {
    .name = "accuracy",
    .summary = "classify labelled images with a subject and print the fraction that is right",
    .options = options,
    .run = run,
};
