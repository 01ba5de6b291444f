/* SPDX-License-Identifier: MIT */
#include "network.h"

#include "document.h"

enum { MAX_TIMESTEPS = 100000 };

enum status network_open(const struct arguments *arguments, struct network *network, struct error *error)
{
    const char *neuron = arguments_text(arguments, "neuron");
    struct document *document = NULL;
    struct model_overrides overrides = {0};
    long long timesteps = 0;
    enum status status = STATUS_OK;
    TRY_CLEANUP(arguments_integer(arguments, "timesteps", 1, MAX_TIMESTEPS, &timesteps, error));
    TRY_CLEANUP(backend_open(arguments_text(arguments, "kernels"), &network->backend, error));
    if (neuron != NULL) {
        TRY_CLEANUP(document_read_text(neuron, "--neuron", &document, error));
        overrides.neuron = document_root(document);
    }
    overrides.timesteps = (int)timesteps;
    TRY_CLEANUP(model_load(arguments_text(arguments, "model"), &overrides, network->backend.kernels,
                           &network->model, error));
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
