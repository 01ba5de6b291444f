/* SPDX-License-Identifier: MIT */
/* `meicensus accuracy`: the fraction of labelled images that a subject classifies correctly. */
#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "counter.h"
#include "memory.h"
#include "network_options.h"

static const struct command_option options[] = {
    NETWORK_MODEL_OPTION,
    {"data", "PATH", NULL, true, false,
     "binary CIFAR-10 file, MNIST's *-images-idx3-ubyte, or a folder of them or of PNG images, in one "
     "folder a class"},
    {"limit", "N", NULL, false, false, "only the first N images"},
    NETWORK_TENSORS_OPTION,
    NETWORK_TIMESTEPS_OPTION,
    NETWORK_NEURON_OPTION,
    NETWORK_ISA_OPTION,
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

/** Room for an image: as it is read, and as the network takes it. */
struct buffers {
    unsigned char *bytes;
    float *input;
};

static enum status count_correct(const struct network *network, const struct dataset *dataset,
                                 const struct buffers *buffers, size_t *n_correct, struct error *error)
{
    const struct model *model = network->model;
    const size_t n_images = dataset_n_images(dataset);
    enum status status = STATUS_OK;
    struct counter counter;
    counter_begin(&counter, "images", n_images);
    for (size_t i = 0; i < n_images; i++) {
        status = dataset_read(dataset, i, buffers->bytes, error);
        if (status != STATUS_OK)
            break;
        dataset_normalise(dataset, buffers->bytes, model_mean(model), model_std(model), buffers->input);
        model_forward(network->run, buffers->input, model_output_layer(model), NULL);
        *n_correct += predicted_class(network) == dataset_label(dataset, i);
        counter_show(&counter, i + 1);
    }
    counter_end(&counter);
    return status == STATUS_OK ? model_check(model, error) : status;
}

static enum status check_labels(const char *path, const struct dataset *dataset, struct error *error)
{
    for (size_t i = 0; i < dataset_n_images(dataset); i++)
        if (dataset_label(dataset, i) < 0)
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: image %zu has no label; expected PNG images in one folder a class", path,
                             i);
    return STATUS_OK;
}

static enum status measure(const struct network *network, const struct dataset *dataset, struct error *error)
{
    struct buffers buffers = {0};
    size_t n_correct = 0;
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(buffers.bytes, dataset_image_values(dataset), error));
    TRY_CLEANUP(MEMORY_ALLOCATE(buffers.input, dataset_image_values(dataset), error));
    TRY_CLEANUP(count_correct(network, dataset, &buffers, &n_correct, error));
    printf("accuracy %.4f (%zu of %zu images, T = %d, kernels %s)\n",
           (double)n_correct / (double)dataset_n_images(dataset), n_correct, dataset_n_images(dataset),
           model_timesteps(network->model), network->backend.kernels->name);
cleanup:
    free(buffers.bytes);
    free(buffers.input);
    return status;
}

static enum status run(const struct arguments *arguments, struct error *error)
{
    const char *data = arguments_text(arguments, "data");
    struct network network = {0};
    struct dataset *dataset = NULL;
    long long limit = 0;
    enum status status;
    TRY_CLEANUP(arguments_integer(arguments, "limit", 1, 1000000000, &limit, error));
    TRY_CLEANUP(network_options_open(arguments, &network, error));
    TRY_CLEANUP(model_dataset_open(network.model, data, (size_t)limit, &dataset, error));
    TRY_CLEANUP(check_labels(data, dataset, error));
    status = measure(&network, dataset, error);
cleanup:
    dataset_close(dataset);
    network_close(&network);
    return status;
}

const struct command command_accuracy = {
    .name = "accuracy",
    .summary = "classify labelled images with a subject and print the fraction that is right",
    .options = options,
    .run = run,
};
