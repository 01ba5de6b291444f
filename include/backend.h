/* SPDX-License-Identifier: MIT */
/** Where the arithmetic runs: the chosen kernel table and the name under which results are filed. */
#ifndef MEICENSUS_BACKEND_H
#define MEICENSUS_BACKEND_H

#include "kernels.h"
#include "status.h"

enum { BACKEND_IDENTITY_CAPACITY = 128 };

struct backend {
    const struct kernels *kernels;
    char identity[BACKEND_IDENTITY_CAPACITY]; /**< for people: "cpu openblas SkylakeX float32" */
};

/**
 * Choose the kernels: "avx512", "avx2", "openblas", "reference", or NULL for the fastest that this processor
 * can run. OpenBLAS is set to one thread. STATUS_BAD_INPUT lists the valid names.
 */
enum status backend_open(const char *kernels_name, struct backend *backend, struct error *error);

/** The core that OpenBLAS runs for, e.g. "SkylakeX"; it may have been chosen by OPENBLAS_CORETYPE. "none" for
 * kernels that do not use it. */
const char *backend_blas_core(const struct backend *backend);

#endif
