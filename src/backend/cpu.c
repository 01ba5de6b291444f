/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <stdio.h>
#include <string.h>

#include <cblas.h>

static const struct kernels *const kernel_sets[] = {&kernels_openblas, &kernels_reference};
enum { N_KERNEL_SETS = sizeof kernel_sets / sizeof *kernel_sets };

const char *backend_blas_core(void)
{
    return openblas_get_corename();
}

static void write_identity(struct backend *backend)
{
    if (backend->kernels == &kernels_reference)
        snprintf(backend->identity, sizeof backend->identity, "cpu reference float32");
    else
        snprintf(backend->identity, sizeof backend->identity, "cpu %s %s float32", backend->kernels->name,
                 openblas_get_corename());
}

enum status backend_open(const char *kernels_name, struct backend *backend, struct error *error)
{
    openblas_set_num_threads(1);
    for (int i = 0; i < N_KERNEL_SETS; i++)
        if (kernels_name == NULL || strcmp(kernels_name, kernel_sets[i]->name) == 0) {
            backend->kernels = kernel_sets[i];
            write_identity(backend);
            return STATUS_OK;
        }
    return error_set(error, STATUS_BAD_INPUT, "unknown kernels '%s' (valid: openblas, reference)",
                     kernels_name);
}
