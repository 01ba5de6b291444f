/* SPDX-License-Identifier: MIT */
/** Where the arithmetic runs: the chosen kernel table and the name under which results are filed. */
#ifndef MEICENSUS_BACKEND_H
#define MEICENSUS_BACKEND_H

#include <stdbool.h>

#include "cuda_device.h"
#include "kernels.h"
#include "status.h"

enum { BACKEND_IDENTITY_CAPACITY = 128 };

struct backend {
    const struct kernels *kernels;
    char identity[BACKEND_IDENTITY_CAPACITY]; /**< for people: "cpu openblas SkylakeX float32" */
    const char *precision;                    /**< float32; amx: bf16x3; on a device also tf32, bf16 */
    struct cuda_device device;                /**< empty on a processor */
};

/**
 * Choose the kernels: "avx512", "avx2", "openblas", "reference", "amx", "cuda", "cuda-tf32", "cuda-bf16", or
 * NULL for the fastest in float32 that this processor can run. OpenBLAS is set to one thread.
 * STATUS_BAD_INPUT lists the valid names.
 */
enum status backend_open(const char *kernels_name, struct backend *backend, struct error *error);

/** The same on a device for the w-th of a host's workers, which takes the visible device w mod n. */
enum status backend_open_worker(const char *kernels_name, int worker, struct backend *backend,
                                struct error *error);

/** The same for a process that shows no images and so needs no device: kernels of the processor in its place.
 */
enum status backend_open_host(const char *kernels_name, struct backend *backend, struct error *error);

/** Are these the kernels of a device? NULL: no. */
bool backend_is_device(const char *kernels_name);

/** The core that OpenBLAS runs for, e.g. "SkylakeX"; it may have been chosen by OPENBLAS_CORETYPE. "cublas"
 * on a device, "none" for kernels that use neither. */
const char *backend_blas_core(const struct backend *backend);

#endif
