/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cblas.h>

/** A set of kernels and whether this processor can run it. */
struct kernel_set {
    const struct kernels *kernels;
    bool (*is_usable)(void);
};

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("popcnt");
}

static bool always(void)
{
    return true;
}

/* Fastest first. */
static const struct kernel_set kernel_sets[] = {
    {&kernels_avx512, has_avx512},
    {&kernels_avx2, has_avx2},
    {&kernels_openblas, always},
    {&kernels_reference, always},
};
enum { N_KERNEL_SETS = sizeof kernel_sets / sizeof *kernel_sets };

const char *backend_blas_core(const struct backend *backend)
{
    return backend->kernels == &kernels_openblas ? openblas_get_corename() : "none";
}

static void write_identity(struct backend *backend)
{
    const char *core = backend->kernels == &kernels_openblas ? openblas_get_corename() : NULL;
    snprintf(backend->identity, sizeof backend->identity, "cpu %s%s%s float32", backend->kernels->name,
             core == NULL ? "" : " ", core == NULL ? "" : core);
}

enum status backend_open(const char *kernels_name, struct backend *backend, struct error *error)
{
    openblas_set_num_threads(1);
    for (int i = 0; i < N_KERNEL_SETS; i++) {
        const struct kernel_set *set = &kernel_sets[i];
        if (kernels_name != NULL ? strcmp(kernels_name, set->kernels->name) != 0 : !set->is_usable())
            continue;
        if (!set->is_usable())
            return error_set(error, STATUS_BAD_INPUT,
                             "isa: '%s' needs instructions that this processor does not have", kernels_name);
        backend->kernels = set->kernels;
        write_identity(backend);
        return STATUS_OK;
    }
    return error_set(error, STATUS_BAD_INPUT,
                     "isa: there is no '%s' (valid: avx512, avx2, openblas, reference)", kernels_name);
}
