/* SPDX-License-Identifier: MIT */
#include "placement.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum status placement_allocate(const struct kernels *kernels, size_t n, float **values, struct error *error)
{
    if (kernels->memory == NULL)
        return MEMORY_ALLOCATE(*values, n, error);
    void *memory = NULL;
    TRY(kernels->memory->allocate(n * sizeof **values, &memory, error));
    *values = memory;
    return STATUS_OK;
}

void placement_free(const struct kernels *kernels, float *values)
{
    if (kernels->memory == NULL)
        free(values);
    else if (values != NULL)
        kernels->memory->release(values);
}

enum status placement_allocate_shared(const struct kernels *kernels, size_t n_bytes, void **memory,
                                      struct error *error)
{
    return kernels->memory == NULL ? memory_allocate(memory, n_bytes, 1, "shared memory", error)
                                   : kernels->memory->allocate_shared(n_bytes, memory, error);
}

void placement_free_shared(const struct kernels *kernels, void *memory)
{
    if (kernels->memory == NULL)
        free(memory);
    else if (memory != NULL)
        kernels->memory->release_shared(memory);
}

void placement_write(const struct kernels *kernels, size_t n, const float *from, float *to)
{
    if (kernels->memory == NULL)
        memcpy(to, from, n * sizeof *to);
    else
        kernels->memory->write(to, from, n * sizeof *to);
}

void placement_read(const struct kernels *kernels, size_t n, const float *from, float *to)
{
    if (kernels->memory == NULL)
        memcpy(to, from, n * sizeof *to);
    else
        kernels->memory->read(to, from, n * sizeof *to);
}

enum status placement_copy(const struct kernels *kernels, size_t n, const float *values, float **copy,
                           struct error *error)
{
    if (values == NULL)
        return STATUS_OK;
    TRY(placement_allocate(kernels, n, copy, error));
    placement_write(kernels, n, values, *copy);
    return STATUS_OK;
}

enum status placement_move(const struct kernels *kernels, size_t n, float *values, float **placed,
                           struct error *error)
{
    if (kernels->memory == NULL) {
        *placed = values;
        return STATUS_OK;
    }
    const enum status status = placement_copy(kernels, n, values, placed, error);
    free(values);
    return status;
}
