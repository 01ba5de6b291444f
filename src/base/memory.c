/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Whole cache lines and vectors; of what is large, whole huge pages, of which a processor finds more at once.
 */
enum { CACHE_LINE = 64, HUGE_PAGE = 2 << 20 };

/** Zeroed memory, or NULL. */
static void *zeroed(size_t bytes)
{
    const size_t page = bytes < HUGE_PAGE ? CACHE_LINE : HUGE_PAGE;
    const size_t whole = bytes == 0 ? page : (bytes + page - 1) / page * page;
    void *memory = aligned_alloc(page, whole);
    if (memory == NULL)
        return NULL;
    if (page == HUGE_PAGE)
        (void)madvise(memory, whole, MADV_HUGEPAGE); /* a wish: small pages do as well */
    return memset(memory, 0, bytes);
}

enum status memory_allocate(void **memory, size_t count, size_t size, const char *what, struct error *error)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE)
        return error_set(error, STATUS_INTERNAL, "%s: %zu elements of %zu bytes are too many", what, count,
                         size);
    void *result = zeroed(bytes);
    if (result == NULL)
        return error_set(error, STATUS_INTERNAL, "%s: out of memory (%zu bytes)", what, bytes);
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
