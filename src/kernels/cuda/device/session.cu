/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "cuda_device.h"

#define TEXT_OF(number)  #number
#define LIBRARY(version) "libcublas.so." TEXT_OF(version)

struct session *cuda_session(void)
{
    static struct session session;
    return &session;
}

/* ---- faults ---- */

void cuda_note(cudaError_t result, const char *what)
{
    struct session *session = cuda_session();
    if (result != cudaSuccess && session->fault[0] == '\0')
        snprintf(session->fault, sizeof session->fault, "%s: %s (%s)", what, cudaGetErrorString(result),
                 cudaGetErrorName(result));
}

void cuda_note_cublas(cublasStatus_t result, const char *what)
{
    struct session *session = cuda_session();
    if (result != CUBLAS_STATUS_SUCCESS && session->fault[0] == '\0')
        snprintf(session->fault, sizeof session->fault, "%s: cuBLAS status %d", what, (int)result);
}

static enum status check(struct error *error)
{
    struct session *session = cuda_session();
    cuda_note(cudaGetLastError(), "a kernel");
    if (session->fault[0] == '\0')
        return STATUS_OK;
    const enum status status = error_set(error, STATUS_INTERNAL, "CUDA: %s", session->fault);
    session->fault[0] = '\0';
    return status;
}

/* ---- memory ---- */

static enum status allocate(size_t n_bytes, void **memory, struct error *error)
{
    size_t n_free = 0, n_all = 0;
    cudaError_t result = cudaMalloc(memory, n_bytes > 0 ? n_bytes : 1);
    if (result == cudaSuccess)
        result = cudaMemset(*memory, 0, n_bytes);
    if (result == cudaSuccess)
        return STATUS_OK;
    cudaGetLastError(); /* asked for here, so not a fault of what comes later */
    cudaMemGetInfo(&n_free, &n_all);
    return error_set(error, STATUS_INTERNAL,
                     "CUDA: no room for %zu MiB on the device: %s (%zu of %zu MiB free)", n_bytes >> 20,
                     cudaGetErrorString(result), n_free >> 20, n_all >> 20);
}

static void release(void *memory)
{
    cuda_note(cudaFree(memory), "cudaFree");
}

static enum status allocate_shared(size_t n_bytes, void **memory, struct error *error)
{
    const cudaError_t result = cudaMallocHost(memory, n_bytes > 0 ? n_bytes : 1);
    if (result == cudaSuccess) {
        memset(*memory, 0, n_bytes);
        return STATUS_OK;
    }
    cudaGetLastError();
    return error_set(error, STATUS_INTERNAL, "CUDA: no room for %zu MiB of the host's memory: %s",
                     n_bytes >> 20, cudaGetErrorString(result));
}

static void release_shared(void *memory)
{
    cuda_note(cudaFreeHost(memory), "cudaFreeHost");
}

static void write_to(void *to, const void *from, size_t n_bytes)
{
    cuda_note(cudaMemcpy(to, from, n_bytes, cudaMemcpyHostToDevice), "copying to the device");
}

static void read_from(void *to, const void *from, size_t n_bytes)
{
    cuda_note(cudaMemcpy(to, from, n_bytes, cudaMemcpyDeviceToHost), "copying from the device");
}

static void send(void *to, const void *from, size_t n_bytes)
{
    cuda_note(cudaMemcpyAsync(to, from, n_bytes, cudaMemcpyHostToDevice), "copying to the device");
}

static void mark(int number)
{
    cuda_note(cudaEventRecord(cuda_session()->marks[number]), "cudaEventRecord");
}

static void wait_for(int number)
{
    cuda_note(cudaEventSynchronize(cuda_session()->marks[number]), "the device");
}

static void finish(void)
{
    cuda_note(cudaDeviceSynchronize(), "the device");
}

const struct kernel_memory cuda_memory = {
    allocate, release, allocate_shared, release_shared, write_to, read_from,
    send,     mark,    wait_for,        finish,         check};

/* ---- opening ---- */

static enum status load_cublas(struct cublas *cublas, struct error *error)
{
    cublas->library = dlopen(LIBRARY(CUBLAS_VER_MAJOR), RTLD_NOW | RTLD_LOCAL);
    if (cublas->library == NULL)
        return error_set(error, STATUS_INTERNAL, "CUDA: cuBLAS cannot be loaded: %s", dlerror());
    *(void **)&cublas->create = dlsym(cublas->library, "cublasCreate_v2");
    *(void **)&cublas->set_workspace = dlsym(cublas->library, "cublasSetWorkspace_v2");
    *(void **)&cublas->multiply = dlsym(cublas->library, "cublasGemmEx");
    if (cublas->create != NULL && cublas->set_workspace != NULL && cublas->multiply != NULL)
        return STATUS_OK;
    return error_set(error, STATUS_INTERNAL, "CUDA: %s lacks functions of cuBLAS", LIBRARY(CUBLAS_VER_MAJOR));
}

int cuda_n_devices(void)
{
    int n = 0;
    return cudaGetDeviceCount(&n) == cudaSuccess ? n : 0;
}

/** What the first opening makes, for all of them. */
static enum status start(struct session *session, struct error *error)
{
    const size_t workspace_bytes = (size_t)32 << 20; /* as cuBLAS recommends for its largest devices */
    TRY(load_cublas(&session->cublas, error));
    TRY(allocate(workspace_bytes, &session->workspace, error));
    cuda_note_cublas(session->cublas.create(&session->handle), "cublasCreate");
    cuda_note_cublas(session->cublas.set_workspace(session->handle, session->workspace, workspace_bytes),
                     "cublasSetWorkspace");
    for (int i = 0; i < KERNELS_MARKS; i++)
        cuda_note(cudaEventCreateWithFlags(&session->marks[i], cudaEventDisableTiming), "cudaEventCreate");
    finish();
    return check(error);
}

enum status cuda_open(int number, enum cuda_precision precision, struct cuda_device *device,
                      const struct kernels **kernels, struct error *error)
{
    struct session *session = cuda_session();
    struct cudaDeviceProp properties;
    cudaError_t result = cudaSetDevice(number);
    if (result == cudaSuccess)
        result = cudaGetDeviceProperties(&properties, number);
    if (result != cudaSuccess)
        return error_set(error, STATUS_BAD_INPUT, "CUDA: device %d of %d cannot be used: %s", number,
                         cuda_n_devices(), cudaGetErrorString(result));
    device->number = number;
    snprintf(device->name, sizeof device->name, "%.63s", properties.name);
    snprintf(device->capability, sizeof device->capability, "%d.%d", properties.major, properties.minor);
    session->compute = precision == CUDA_TF32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    cuda_make_kernels(precision == CUDA_BF16, &session->kernels);
    *kernels = &session->kernels;
    return session->handle != NULL ? STATUS_OK : start(session, error);
}
