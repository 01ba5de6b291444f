/* SPDX-License-Identifier: MIT */
#include "network.h"

#include "document.h"

enum status network_open(const struct network_request *request, struct network *network, struct error *error)
{
    struct document *document = NULL;
    struct model_overrides overrides = {.timesteps = request->timesteps, .tensors = request->tensors};
    enum status status = STATUS_OK;
    TRY_CLEANUP(backend_open(request->kernels, &network->backend, error));
    if (request->neuron != NULL) {
        TRY_CLEANUP(document_read_text(request->neuron, "--neuron", &document, error));
        overrides.neuron = document_root(document);
    }
    TRY_CLEANUP(model_load(request->model, &overrides, network->backend.kernels, &network->model, error));
    status = model_run_create(network->model, &network->run, error);
cleanup:
    document_free(document);
    return status;
}

void network_close(struct network *network)
{
    model_run_free(network->run);
    model_free(network->model);
}

enum status model_images_open(const struct model *model, const char *path, size_t limit,
                              struct dataset **dataset, struct error *error)
{
    const struct map_shape shape = model_input_shape(model);
    const struct dataset_request request = {.model = model_name(model),
                                            .channels = shape.channels,
                                            .height = shape.height,
                                            .width = shape.width,
                                            .n_classes = model_n_classes(model),
                                            .class_names = model_class_names(model),
                                            .limit = limit};
    return dataset_open(path, &request, dataset, error);
}

enum status model_dataset_open(const struct model *model, const char *path, size_t limit,
                               struct dataset **dataset, struct error *error)
{
    if (model_role(model) != MODEL_SUBJECT)
        return error_set(error, STATUS_BAD_INPUT, "%s: %s has no classes; expected a subject",
                         model_name(model),
                         model_role(model) == MODEL_GENERATOR ? "a generator" : "an encoder");
    return model_images_open(model, path, limit, dataset, error);
}
