/* SPDX-License-Identifier: MIT */
#include "network_options.h"

enum { MAX_TIMESTEPS = 100000 };

enum status network_options_read(const struct arguments *arguments, struct network_request *request,
                                 struct error *error)
{
    long long timesteps = 0;
    TRY(arguments_integer(arguments, "timesteps", 1, MAX_TIMESTEPS, &timesteps, error));
    *request = (struct network_request){.model = arguments_text(arguments, "model"),
                                        .tensors = arguments_text(arguments, "tensors"),
                                        .neuron = arguments_text(arguments, "neuron"),
                                        .kernels = arguments_text(arguments, "isa"),
                                        .timesteps = (int)timesteps};
    return STATUS_OK;
}

enum status network_options_open(const struct arguments *arguments, struct network *network,
                                 struct error *error)
{
    struct network_request request;
    TRY(network_options_read(arguments, &request, error));
    return network_open(&request, network, error);
}
