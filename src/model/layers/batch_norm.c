/* SPDX-License-Identifier: MIT */
/* Batch norm in evaluation mode. Behind a convolution that nothing else uses it is folded into its weights.
 */
#include "../layer.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"

struct batch_norm_settings {
    double epsilon;
};

static const struct key batch_norm_keys[] = {{"epsilon", KEY_REAL,
                                              offsetof(struct batch_norm_settings, epsilon), 0, 1, "1e-5",
                                              "1", NULL, "added to the variance"},
                                             {0}};

static enum status read_vector(const struct layer *layer, const struct tensor_file *tensors,
                               const char *suffix, const float **values, struct error *error)
{
    const struct tensor *tensor;
    const int64_t expected[] = {layer->in[0].channels};
    TRY(layer_tensor(layer, tensors, suffix, false, 1, expected, &tensor, error));
    *values = tensor->values;
    return STATUS_OK;
}

enum status batch_norm_constants(const struct layer *layer, const struct tensor_file *tensors, double **scale,
                                 double **shift, struct error *error)
{
    const struct batch_norm_settings *settings = layer->settings;
    const float *gain, *bias, *mean, *variance;
    TRY(read_vector(layer, tensors, "weight", &gain, error));
    TRY(read_vector(layer, tensors, "bias", &bias, error));
    TRY(read_vector(layer, tensors, "running_mean", &mean, error));
    TRY(read_vector(layer, tensors, "running_var", &variance, error));
    const size_t n = (size_t)layer->in[0].channels;
    for (size_t c = 0; c < n; c++)
        if (!((double)variance[c] + settings->epsilon > 0))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: tensor '%s.running_var': variance %zu is %g, expected > 0", tensors->path,
                             layer->prefix, c, (double)variance[c]);
    TRY(MEMORY_ALLOCATE(*scale, n, error));
    TRY(MEMORY_ALLOCATE(*shift, n, error));
    for (size_t c = 0; c < n; c++) {
        (*scale)[c] = (double)gain[c] / sqrt((double)variance[c] + settings->epsilon);
        (*shift)[c] = (double)bias[c] - (double)mean[c] * (*scale)[c];
    }
    return STATUS_OK;
}

/** Unfolded form: weight holds the scale, bias the shift. */
static enum status prepare(struct layer *layer, const struct tensor_file *tensors, struct error *error)
{
    layer->out = layer->in[0];
    double *scale = NULL, *shift = NULL;
    const size_t n = (size_t)layer->in[0].channels;
    enum status status = STATUS_OK;
    TRY_CLEANUP(batch_norm_constants(layer, tensors, &scale, &shift, error));
    layer->n_weights = n;
    TRY_CLEANUP(MEMORY_ALLOCATE(layer->weight, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(layer->bias, n, error));
    for (size_t c = 0; c < n; c++) {
        layer->weight[c] = (float)scale[c];
        layer->bias[c] = (float)shift[c];
    }
cleanup:
    free(scale);
    free(shift);
    return status;
}

static void forward(const struct layer *layer, const struct layer_call *call)
{
    call->kernels->scale_shift(layer->out.channels, (size_t)call->n_frames * (size_t)map_pixels(layer->out),
                               layer->weight, layer->bias, call->in[0], call->out);
}

const struct layer_kind layer_batch_norm = {
    .name = "batch_norm",
    .summary = "batch norm in evaluation mode",
    .keys = batch_norm_keys,
    .settings_size = sizeof(struct batch_norm_settings),
    .n_inputs = 1,
    .prepare = prepare,
    .forward = forward,
};
