/* SPDX-License-Identifier: MIT */
/* In place of all of src/kernels/cuda/ where there is no nvcc. */
#include "cuda_device.h"

int cuda_n_devices(void)
{
    return 0;
}

enum status cuda_open(int number, enum cuda_precision precision, struct cuda_device *device,
                      const struct kernels **kernels, struct error *error)
{
    (void)number;
    (void)precision;
    (void)device;
    (void)kernels;
    return error_set(error, STATUS_BAD_INPUT,
                     "this meicensus was built without CUDA: build it where nvcc is, or choose another isa");
}
