/* SPDX-License-Identifier: MIT */
#include "backend.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cblas.h>
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cuda_device.h"

/** A set of kernels and whether this processor can run it. */
struct kernel_set {
    const struct kernels *kernels;
    const char *precision;
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

/** Leave of the operating system for tiles, once a process; CPUID leaf 7: EDX bit 22 amx_bf16, 24 amx_tile;
 * its subleaf 1: EAX bit 5 avx512_bf16. */
static bool has_amx(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18, AMX = 1 << 22 | 1 << 24, BFLOAT16 = 1 << 5 };
    unsigned a, b, c, d, bfloat16;
    if (!has_avx512() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & AMX) != AMX)
        return false;
    return __get_cpuid_count(7, 1, &bfloat16, &b, &c, &d) != 0 && (bfloat16 & BFLOAT16) != 0 &&
           syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

/* Fastest first; those that are named only, last. */
static const struct kernel_set kernel_sets[] = {
    {&kernels_avx512, "float32", has_avx512}, {&kernels_avx2, "float32", has_avx2},
    {&kernels_openblas, "float32", always},   {&kernels_reference, "float32", always},
    {&kernels_amx, "bf16x3", has_amx},
};
enum { N_KERNEL_SETS = sizeof kernel_sets / sizeof *kernel_sets };

const char *backend_blas_core(const struct backend *backend)
{
    if (backend->device.name[0] != '\0')
        return "cublas";
    return backend->kernels == &kernels_openblas ? openblas_get_corename() : "none";
}

static void write_identity(struct backend *backend)
{
    const char *core = backend->kernels == &kernels_openblas ? openblas_get_corename() : NULL;
    snprintf(backend->identity, sizeof backend->identity, "cpu %s%s%s %s", backend->kernels->name,
             core == NULL ? "" : " ", core == NULL ? "" : core, backend->precision);
}

/* ---- devices ---- */

struct device_set {
    const char *name;
    enum cuda_precision precision;
    const char *precision_name;
};

static const struct device_set device_sets[] = {
    {"cuda", CUDA_FLOAT32, "float32"}, {"cuda-tf32", CUDA_TF32, "tf32"}, {"cuda-bf16", CUDA_BF16, "bf16"}};
enum { N_DEVICE_SETS = sizeof device_sets / sizeof *device_sets };

/** NULL: it is no device's name. */
static const struct device_set *find_device_set(const char *name)
{
    for (int i = 0; name != NULL && i < N_DEVICE_SETS; i++)
        if (strcmp(name, device_sets[i].name) == 0)
            return &device_sets[i];
    return NULL;
}

static enum status open_device(const struct device_set *set, int worker, struct backend *backend,
                               struct error *error)
{
    const int n = cuda_n_devices();
    TRY(cuda_open(n > 0 ? worker % n : 0, set->precision, &backend->device, &backend->kernels, error));
    backend->precision = set->precision_name;
    snprintf(backend->identity, sizeof backend->identity, "cuda %s %s", backend->device.name,
             set->precision_name);
    return STATUS_OK;
}

static enum status open_set(const struct kernel_set *set, struct backend *backend, struct error *error)
{
    if (!set->is_usable())
        return error_set(error, STATUS_BAD_INPUT,
                         "isa: '%s' needs instructions that this processor does not have",
                         set->kernels->name);
    backend->kernels = set->kernels;
    backend->precision = set->precision;
    write_identity(backend);
    return STATUS_OK;
}

enum status backend_open_worker(const char *kernels_name, int worker, struct backend *backend,
                                struct error *error)
{
    const struct device_set *device_set = find_device_set(kernels_name);
    openblas_set_num_threads(1);
    memset(backend, 0, sizeof *backend);
    if (device_set != NULL)
        return open_device(device_set, worker, backend, error);
    for (int i = 0; i < N_KERNEL_SETS; i++)
        if (kernels_name == NULL ? kernel_sets[i].is_usable()
                                 : strcmp(kernels_name, kernel_sets[i].kernels->name) == 0)
            return open_set(&kernel_sets[i], backend, error);
    return error_set(error, STATUS_BAD_INPUT,
                     "isa: there is no '%s' (valid: avx512, avx2, openblas, reference, amx, cuda, cuda-tf32, "
                     "cuda-bf16)",
                     kernels_name);
}

enum status backend_open(const char *kernels_name, struct backend *backend, struct error *error)
{
    return backend_open_worker(kernels_name, 0, backend, error);
}

bool backend_is_device(const char *kernels_name)
{
    return find_device_set(kernels_name) != NULL;
}

enum status backend_open_host(const char *kernels_name, struct backend *backend, struct error *error)
{
    return backend_open(backend_is_device(kernels_name) ? NULL : kernels_name, backend, error);
}
