/* SPDX-License-Identifier: MIT */
/* `meicensus natural`: the images of a dataset that excite each unit most. */
#include "command.h"
#include "natural.h"
#include "network_options.h"

enum { MAX_TOP = 1000, MAX_IMAGES = 1000000000 };

static const struct command_option options[] = {
    NETWORK_MODEL_OPTION,
    {"data", "DIR", NULL, true, false,
     "binary CIFAR-10 file, MNIST's *-images-idx3-ubyte, or a folder of them or of PNG images, in one folder "
     "a "
     "class"},
    {"output", "FILE", NULL, true, false, "HDF5 file to write; an older one is replaced"},
    NETWORK_TENSORS_OPTION,
    NETWORK_TIMESTEPS_OPTION,
    NETWORK_NEURON_OPTION,
    NETWORK_ISA_OPTION,
    {"limit", "N", NULL, false, false, "only the first N images"},
    {"top", "K", "9", false, false, "most exciting images to keep of each unit"},
    {"images", "N", NULL, false, false, "write the pixels of the N most exciting only; all K if not given"},
    {"no-images", NULL, NULL, false, false, "write no pixels: numbers, labels and activations only"},
    {0},
};

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct natural_options natural = {.data = arguments_text(arguments, "data"),
                                      .output = arguments_text(arguments, "output")};
    long long top = 0, images = MAX_TOP;
    TRY(network_options_read(arguments, &natural.network, error));
    TRY(arguments_integer(arguments, "limit", 1, MAX_IMAGES, &natural.limit, error));
    TRY(arguments_integer(arguments, "top", 1, MAX_TOP, &top, error));
    TRY(arguments_integer(arguments, "images", 1, MAX_TOP, &images, error));
    if (arguments_given(arguments, "images") && arguments_given(arguments, "no-images"))
        return error_set(error, STATUS_USAGE, "--images and --no-images exclude each other");
    natural.top = (int)top;
    natural.images = arguments_given(arguments, "no-images") ? 0 : (int)images;
    return natural_run(&natural, error);
}

const struct command command_natural = {
    .name = "natural",
    .summary = "find the images of a dataset that excite each unit most",
    .details = "\n"
               "Every channel of every layer that `meicensus list layers` shows, and every class output: its "
               "most\n"
               "exciting images, and quantiles, mean and deviation of its activation over all images. Start "
               "it with\n"
               "mpirun on one rank more than there are cores. The same command again continues what was "
               "stopped.",
    .options = options,
    .run = run,
};
