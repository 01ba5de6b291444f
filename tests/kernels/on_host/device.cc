/* SPDX-License-Identifier: MIT */
#include "device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cuda_device.h"
#include "cuda_kernels.h"

/* ---- memory: pieces one behind the other, none of which is used again ---- */

namespace
{

const size_t CAPACITY = (size_t)1 << 34, ALIGNMENT = 4096;
const int BATCH = 12;

struct {
    unsigned char *memory;
    size_t used, limit, n_pieces;
    const char *fault;
    struct kernels kernels;
} device;

void protect(int protection)
{
    if (device.used > 0 && mprotect(device.memory, device.used, protection) != 0)
        abort();
}

enum status allocate(size_t n_bytes, void **memory, struct error *error)
{
    const size_t n = (n_bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
    if (device.memory == NULL) {
        void *room = mmap(NULL, CAPACITY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (room == MAP_FAILED)
            abort();
        device.memory = (unsigned char *)room;
        device.limit = CAPACITY;
    }
    if (n > device.limit - device.used)
        return error_set(error, STATUS_INTERNAL, "no room for %zu bytes", n_bytes);
    *memory = device.memory + device.used;
    device.used += n;
    device.n_pieces++;
    return STATUS_OK;
}

void release(void *memory)
{
    if (memory != NULL)
        device.n_pieces--;
}

void copy(void *to, const void *from, size_t n_bytes)
{
    device_open();
    memcpy(to, from, n_bytes);
    device_close();
}

enum status check(struct error *error)
{
    const char *fault = device.fault;
    device.fault = NULL;
    return fault == NULL ? STATUS_OK : error_set(error, STATUS_INTERNAL, "CUDA: %s", fault);
}

} // namespace

void device_fail(const char *fault)
{
    device.fault = fault;
}

void device_open(void)
{
    protect(PROT_READ | PROT_WRITE);
}

void device_close(void)
{
    protect(PROT_NONE);
}

void device_limit(size_t n_bytes)
{
    device.limit = device.used + n_bytes;
}

size_t device_n_pieces(void)
{
    return device.n_pieces;
}

const struct kernel_memory cuda_memory = {allocate, release, copy, copy, check};

int cuda_n_devices(void)
{
    return 2;
}

enum status cuda_open(int number, enum cuda_precision precision, struct cuda_device *chosen,
                      const struct kernels **kernels, struct error *error)
{
    (void)precision;
    if (number < 0 || number >= cuda_n_devices())
        return error_set(error, STATUS_BAD_INPUT, "CUDA: device %d of %d cannot be used", number,
                         cuda_n_devices());
    snprintf(chosen->name, sizeof chosen->name, "host");
    snprintf(chosen->capability, sizeof chosen->capability, "0.%d", number);
    device.kernels = kernels_cuda;
    device.kernels.image_batch = BATCH;
    *kernels = &device.kernels;
    return STATUS_OK;
}

/* ---- what kernels leave to a library: here, each sum on its own, in order ---- */

void cuda_product(int n_rows, size_t n_columns, int n_terms, const float *weight, const float *columns,
                  float *out, size_t out_stride)
{
    device_open();
    for (size_t row = 0; row < (size_t)n_rows; row++, out += out_stride)
        for (size_t k = 0; k < (size_t)n_terms; k++)
            for (size_t i = 0; i < n_columns; i++)
                out[i] += weight[row * (size_t)n_terms + k] * columns[k * n_columns + i];
    device_close();
}

void cuda_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in, double *sums)
{
    device_open();
    for (int i = 0; i < n_sums; i++) {
        sums[i] = 0;
        for (size_t j = 0; j < n_values; j++)
            sums[i] += (double)in[first[i] + j * stride];
    }
    device_close();
}
