/* SPDX-License-Identifier: MIT */
#include "document_tree.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { BLOCK_BYTES = 32 * 1024, BLOCK_ALIGNMENT = 16 };

struct memory_block {
    struct memory_block *next;
    size_t used, capacity;
    char *bytes;
};

static enum status add_block(struct document *document, size_t bytes, struct error *error)
{
    struct memory_block *block = NULL;
    TRY(MEMORY_ALLOCATE(block, 1, error));
    block->capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    enum status status = MEMORY_ALLOCATE(block->bytes, block->capacity, error);
    if (status != STATUS_OK) {
        free(block);
        return status;
    }
    block->next = document->blocks;
    document->blocks = block;
    return STATUS_OK;
}

enum status document_allocate(struct document *document, size_t bytes, void **memory, struct error *error)
{
    bytes = (bytes + BLOCK_ALIGNMENT - 1) / BLOCK_ALIGNMENT * BLOCK_ALIGNMENT;
    if (document->blocks == NULL || document->blocks->capacity - document->blocks->used < bytes)
        TRY(add_block(document, bytes, error));
    *memory = document->blocks->bytes + document->blocks->used;
    document->blocks->used += bytes;
    return STATUS_OK;
}

enum status document_copy_text(struct document *document, const char *text, size_t length, const char **copy,
                               struct error *error)
{
    void *memory = NULL;
    TRY(document_allocate(document, length + 1, &memory, error));
    memcpy(memory, text, length);
    *copy = memory;
    return STATUS_OK;
}

enum status document_add_node(struct document *document, enum node_kind kind, const char *file, int line,
                              struct node **node, struct error *error)
{
    if (++document->n_values > DOCUMENT_MAX_VALUES)
        return error_set(error, STATUS_BAD_INPUT, "%s:%d: more than %d values", file, line,
                         DOCUMENT_MAX_VALUES);
    void *memory = NULL;
    TRY(document_allocate(document, sizeof **node, &memory, error));
    *node = memory;
    **node = (struct node){.kind = kind, .file = file, .line = line};
    return STATUS_OK;
}

/** A copy of `n_items` elements of `size` bytes with room for `capacity` of them. */
static enum status enlarge(struct document *document, const void *items, size_t n_items, size_t size,
                           size_t capacity, void **larger, struct error *error)
{
    TRY(document_allocate(document, capacity * size, larger, error));
    if (n_items > 0)
        memcpy(*larger, items, n_items * size);
    return STATUS_OK;
}

enum status document_reserve(struct document *document, struct node *node, size_t *capacity,
                             struct error *error)
{
    if (node->n_items < *capacity)
        return STATUS_OK;
    size_t larger = *capacity < 4 ? 4 : *capacity * 2;
    void *items = NULL, *names = NULL, *name_lines = NULL;
    TRY(enlarge(document, node->items, node->n_items, sizeof *node->items, larger, &items, error));
    if (node->kind == NODE_MAPPING) {
        TRY(enlarge(document, node->names, node->n_items, sizeof *node->names, larger, &names, error));
        TRY(enlarge(document, node->name_lines, node->n_items, sizeof *node->name_lines, larger, &name_lines,
                    error));
    }
    node->items = items;
    node->names = names;
    node->name_lines = name_lines;
    *capacity = larger;
    return STATUS_OK;
}

const struct node *document_root(const struct document *document)
{
    return document->root;
}

void document_free(struct document *document)
{
    if (document == NULL)
        return;
    while (document->blocks != NULL) {
        struct memory_block *block = document->blocks;
        document->blocks = block->next;
        free(block->bytes);
        free(block);
    }
    free(document);
}
