/* SPDX-License-Identifier: MIT */
/** The choice of a CUDA device; without nvcc, absent.c says that there is none. */
#ifndef MEICENSUS_CUDA_DEVICE_H
#define MEICENSUS_CUDA_DEVICE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "kernels.h"
#include "status.h"

/** How products of float32 numbers are made: as such, or of numbers rounded to 11 or 8 bits. */
enum cuda_precision { CUDA_FLOAT32, CUDA_TF32, CUDA_BF16 };

/** What a device says of itself. */
struct cuda_device {
    int number; /**< among those that this process sees */
    char name[64];
    char capability[16]; /**< "9.0" */
};

/** Devices that this process sees. */
int cuda_n_devices(void);

/**
 * Choose one of the devices 0 .. cuda_n_devices() - 1 and a precision, for this process from now on; *kernels
 * work there. STATUS_BAD_INPUT: there is no such device, or the program was built without CUDA;
 * STATUS_INTERNAL: it cannot be worked on.
 */
enum status cuda_open(int number, enum cuda_precision precision, struct cuda_device *device,
                      const struct kernels **kernels, struct error *error);

#ifdef __cplusplus
}
#endif

#endif
