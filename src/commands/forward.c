/* SPDX-License-Identifier: MIT */
/* `meicensus forward`: a network on given inputs, for comparison with other programs. */
#include <math.h>
#include <stdint.h>

#include "command.h"
#include "forward_results.h"
#include "hdf5_arrays.h"
#include "network_options.h"
#include "counter.h"

static const struct command_option options[] = {
    NETWORK_MODEL_OPTION,
    {"input", "FILE", NULL, true, false, "HDF5 file with the dataset 'input'"},
    {"output", "FILE", NULL, true, false, "HDF5 file to write; an older one is replaced"},
    NETWORK_TENSORS_OPTION,
    NETWORK_TIMESTEPS_OPTION,
    NETWORK_NEURON_OPTION,
    NETWORK_ISA_OPTION,
    {"spikes", NULL, NULL, false, false, "write the spike train of every neuron, too"},
    {0},
};

/* ---- input ---- */

static enum status wrong_shape(const char *path, const struct model *model, const struct hdf5_array *array,
                               struct error *error)
{
    char found[128] = "";
    int length = 0;
    for (int i = 0; i < array->n_dimensions && length < (int)sizeof found - 32; i++)
        length += snprintf(found + length, sizeof found - (size_t)length, "%s%lld", i == 0 ? "" : ", ",
                           (long long)array->shape[i]);
    const struct map_shape shape = model_input_shape(model);
    if (model_role(model) == MODEL_GENERATOR)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: dataset 'input' has shape [%s], expected [N, %d] (latent codes of %s)", path,
                         found, shape.channels, model_name(model));
    return error_set(
        error, STATUS_BAD_INPUT,
        "%s: dataset 'input' has shape [%s], expected [N, %d, %d, %d] (normalised images for %s)", path,
        found, shape.channels, shape.height, shape.width, model_name(model));
}

static enum status check_shape(const char *path, const struct model *model, const struct hdf5_array *array,
                               struct error *error)
{
    const struct map_shape shape = model_input_shape(model);
    const bool is_generator = model_role(model) == MODEL_GENERATOR;
    const int64_t expected[] = {shape.channels, shape.height, shape.width};
    bool fits = array->n_dimensions == (is_generator ? 2 : 4);
    for (int i = 1; fits && i < array->n_dimensions; i++)
        fits = array->shape[i] == expected[i - 1];
    return fits ? STATUS_OK : wrong_shape(path, model, array, error);
}

static enum status check_values(const char *path, const struct model *model, const struct hdf5_array *array,
                                struct error *error)
{
    const struct latent_space *latent = model_latent(model);
    const bool is_codebook = latent != NULL && latent->kind == LATENT_CODEBOOK;
    for (size_t i = 0; i < array->n_values; i++) {
        const float value = array->values[i];
        if (!isfinite(value))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: dataset 'input': value %zu is not a finite float32", path, i);
        if (is_codebook && (value != floorf(value) || value < 0 || value >= (float)latent->n_points))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: dataset 'input': value %zu is %g, expected a whole number from 0 to %d "
                             "(index into the codebook of %s)",
                             path, i, (double)value, latent->n_points - 1, model_name(model));
    }
    return STATUS_OK;
}

static enum status read_input(const char *path, const struct model *model, struct hdf5_array *input,
                              struct error *error)
{
    TRY(hdf5_array_read(path, "input", input, error));
    TRY(check_shape(path, model, input, error));
    return check_values(path, model, input, error);
}

/* ---- running ---- */

static void run_all(const struct network *network, const struct hdf5_array *input,
                    struct forward_results *results)
{
    const size_t values = input->n_values / results->n_inputs;
    struct counter counter;
    counter_begin(&counter, "inputs", results->n_inputs);
    for (size_t i = 0; i < results->n_inputs; i++) {
        model_forward(network->run, input->values + i * values, model_output_layer(network->model), NULL);
        forward_results_keep(network, results, i);
        counter_show(&counter, i + 1);
    }
    counter_end(&counter);
}

/* ---- the command ---- */

static bool has_spikes(const struct model *model)
{
    for (int i = 0; i < model_n_layers(model); i++)
        if (model_layer_is_spiking(model, i))
            return true;
    return false;
}

static enum status check_spikes(const struct arguments *arguments, const struct model *model,
                                struct error *error)
{
    if (arguments_given(arguments, "spikes") && !has_spikes(model))
        return error_set(error, STATUS_USAGE, "--spikes: no layer of %s spikes", model_name(model));
    return STATUS_OK;
}

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct network network = {0};
    struct hdf5_array input = {0};
    struct hdf5_arrays *file = NULL;
    struct forward_results results = {0};
    enum status status;
    TRY_CLEANUP(network_options_open(arguments, &network, error));
    TRY_CLEANUP(check_spikes(arguments, network.model, error));
    TRY_CLEANUP(read_input(arguments_text(arguments, "input"), network.model, &input, error));
    TRY_CLEANUP(hdf5_arrays_create(arguments_text(arguments, "output"), &file, error));
    TRY_CLEANUP(forward_results_make(&network, input.shape[0], arguments_given(arguments, "spikes"), &results,
                                     error));
    run_all(&network, &input, &results);
    TRY_CLEANUP(model_check(network.model, error));
    TRY_CLEANUP(forward_results_write(&network, &results, file, error));
    status = hdf5_arrays_publish(file, error);
    file = NULL;
cleanup:
    hdf5_arrays_discard(file);
    forward_results_free(&results);
    hdf5_array_free(&input);
    network_close(&network);
    return status;
}

const struct command command_forward = {
    .name = "forward",
    .summary = "run a network on given inputs and write what its layers give",
    .details = "\n"
               "Input, dataset 'input': images [N][channel][height][width], already normalised, for a "
               "subject;\n"
               "latent values [N][d] for a generator (grid: the values, not their numbers; codebook: "
               "indices).\n"
               "Output: 'output' ([N][class], mean over time, or images); of a subject rate/LAYER "
               "[N][channel]\n"
               "for every layer that `meicensus list layers` shows; with --spikes, spikes/LAYER.",
    .options = options,
    .run = run,
};
