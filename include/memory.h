/* SPDX-License-Identifier: MIT */
/** Checked allocation: sizes are multiplied without overflow, memory is zeroed, failure is a status. */
#ifndef MEICENSUS_MEMORY_H
#define MEICENSUS_MEMORY_H

#include <stddef.h>

#include "status.h"

/**
 * `count` elements of `size` bytes, zeroed, 64-byte aligned (whole cache lines and vectors; huge pages, where
 * there are some, from 2 MiB on).
 * *memory is set on success; the caller frees it with free(). `what` names the thing in the message.
 */
enum status memory_allocate(void **memory, size_t count, size_t size, const char *what, struct error *error);

/** Assigns zeroed memory for `count` elements to the pointer variable `pointer`; evaluates to a status. */
#define MEMORY_ALLOCATE(pointer, count, error)                                                               \
    memory_allocate((void **)&(pointer), (count), sizeof *(pointer), #pointer, (error))

/** A copy of `text` that the caller frees. */
enum status memory_copy_text(char **copy, const char *text, struct error *error);

/**
 * Make room for one more element in an array that grows by doubling.
 * items: address of the array pointer (updated); capacity: updated; n_items: elements in use.
 */
enum status memory_grow(void **items, size_t *capacity, size_t n_items, size_t size, struct error *error);

#endif
