/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

enum status memory_allocate(void **memory, size_t count, size_t size, const char *what, struct error *error)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - ALIGNMENT)
        return error_set(error, STATUS_INTERNAL, "%s: %zu elements of %zu bytes are too many", what, count,
                         size);
    bytes = bytes == 0 ? ALIGNMENT : (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *result = aligned_alloc(ALIGNMENT, bytes);
    if (result == NULL)
        return error_set(error, STATUS_INTERNAL, "%s: out of memory (%zu bytes)", what, bytes);
    memset(result, 0, bytes);
    *memory = result;
    return STATUS_OK;
}

enum status memory_copy_text(char **copy, const char *text, struct error *error)
{
    size_t bytes = strlen(text) + 1;
    TRY(MEMORY_ALLOCATE(*copy, bytes, error));
    memcpy(*copy, text, bytes);
    return STATUS_OK;
}

enum status memory_grow(void **items, size_t *capacity, size_t n_items, size_t size, struct error *error)
{
    if (n_items < *capacity)
        return STATUS_OK;
    size_t new_capacity = *capacity == 0 ? 16 : *capacity * 2;
    void *larger = NULL;
    TRY(memory_allocate(&larger, new_capacity, size, "a growing list", error));
    if (n_items > 0)
        memcpy(larger, *items, n_items * size);
    free(*items);
    *items = larger;
    *capacity = new_capacity;
    return STATUS_OK;
}
