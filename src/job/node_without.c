/* SPDX-License-Identifier: MIT */
#include "document.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static bool is_listed(const char *name, const char *const *names)
{
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static enum status copy_entries(const struct node *mapping, const char *const *names, struct node *rest,
                                struct error *error)
{
    TRY(MEMORY_ALLOCATE(rest->items, mapping->n_items, error));
    TRY(MEMORY_ALLOCATE(rest->names, mapping->n_items, error));
    TRY(MEMORY_ALLOCATE(rest->name_lines, mapping->n_items, error));
    for (size_t i = 0; i < mapping->n_items; i++) {
        if (is_listed(mapping->names[i], names))
            continue;
        rest->items[rest->n_items] = mapping->items[i];
        rest->name_lines[rest->n_items] = mapping->name_lines[i];
        rest->names[rest->n_items++] = mapping->names[i];
    }
    return STATUS_OK;
}

enum status node_without(const struct node *mapping, const char *const *names, struct node *rest,
                         struct error *error)
{
    *rest = *mapping;
    rest->n_items = 0;
    rest->items = NULL;
    rest->names = NULL;
    rest->name_lines = NULL;
    if (mapping->kind != NODE_MAPPING)
        return node_error(mapping, error, "expected a mapping (name: value)");
    enum status status = copy_entries(mapping, names, rest, error);
    if (status != STATUS_OK)
        node_release(rest);
    return status;
}

void node_release(struct node *rest)
{
    free(rest->items);
    free(rest->names);
    free(rest->name_lines);
}
