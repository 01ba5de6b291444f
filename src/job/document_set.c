/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "document_tree.h"
#include "node_text.h"

/** A path taken apart: names[0] is a key of the root. */
struct path {
    const char *origin; /**< "--set a.b.c", the file name in messages */
    const char *names[DOCUMENT_MAX_LEVELS];
    int n_names;
};

static enum status path_error(const struct path *path, struct error *error, const char *what)
{
    return error_set(error, STATUS_BAD_INPUT, "%s: %s", path->origin, what);
}

static enum status path_split(struct document *document, const char *text, struct path *path,
                              struct error *error)
{
    char excerpt[EXCERPT_CAPACITY], origin[EXCERPT_CAPACITY + 8];
    snprintf(origin, sizeof origin, "--set %s", text_excerpt(text, excerpt));
    TRY(document_copy_text(document, origin, strlen(origin), &path->origin, error));
    for (const char *rest = text; rest != NULL;) {
        size_t length = strcspn(rest, ".");
        if (length == 0)
            return path_error(path, error, "an empty name in the path; expected --set name.name=value");
        if (length > DOCUMENT_MAX_KEY_BYTES)
            return path_error(path, error, "a name of more than 200 bytes in the path");
        if (path->n_names == DOCUMENT_MAX_LEVELS)
            return path_error(path, error, "the path is more than 64 levels deep");
        TRY(document_copy_text(document, rest, length, &path->names[path->n_names++], error));
        rest = rest[length] == '.' ? rest + length + 1 : NULL;
    }
    return STATUS_OK;
}

static enum status parse_value(struct document *document, const struct path *path, const char *text,
                               struct node **value, struct error *error)
{
    if (text[0] == '\0') {
        TRY(document_add_node(document, NODE_SCALAR, path->origin, 1, value, error));
        (*value)->text = "";
        return STATUS_OK;
    }
    TRY(document_parse(document, text, strlen(text), path->origin, path->n_names, value, error));
    if (*value == NULL)
        return path_error(path, error, "the value is only a comment or blanks; put it in quotes");
    return STATUS_OK;
}

/** The element of a list that `name` stands for. */
static enum status list_slot(const struct path *path, const struct node *list, const char *name,
                             struct node ***slot, struct error *error)
{
    char excerpt[EXCERPT_CAPACITY];
    char *end = NULL;
    bool is_number = strspn(name, "0123456789") == strlen(name) && strlen(name) < 10;
    unsigned long index = is_number ? strtoul(name, &end, 10) : 0;
    if (is_number && index < list->n_items) {
        *slot = &list->items[index];
        return STATUS_OK;
    }
    if (list->n_items == 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: '%s' is asked of an empty list (%s:%d)", path->origin,
                         text_excerpt(name, excerpt), list->file, list->line);
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: '%s' is no element of the list at %s:%d; expected a number from 0 to %zu",
                     path->origin, text_excerpt(name, excerpt), list->file, list->line, list->n_items - 1);
}

/** The place of `name` in a mapping, added (empty) where it is missing. */
static enum status mapping_slot(struct document *document, const struct path *path, struct node *mapping,
                                const char *name, struct node ***slot, struct error *error)
{
    size_t i = 0;
    while (i < mapping->n_items && strcmp(mapping->names[i], name) != 0)
        i++;
    if (i == mapping->n_items) {
        size_t capacity = mapping->n_items;
        struct node *empty = NULL;
        TRY(document_add_node(document, NODE_SCALAR, path->origin, 1, &empty, error));
        TRY(document_reserve(document, mapping, &capacity, error));
        empty->text = "";
        mapping->items[i] = empty;
        mapping->names[i] = name;
        mapping->name_lines[i] = 1;
        mapping->n_items++;
    }
    *slot = &mapping->items[i];
    return STATUS_OK;
}

static enum status find_slot(struct document *document, const struct path *path, struct node **parent,
                             const char *name, struct node ***slot, struct error *error)
{
    char excerpt[EXCERPT_CAPACITY], part[EXCERPT_CAPACITY];
    if (node_is_empty(*parent))
        TRY(document_add_node(document, NODE_MAPPING, path->origin, 1, parent, error));
    if ((*parent)->kind == NODE_LIST)
        return list_slot(path, *parent, name, slot, error);
    if ((*parent)->kind == NODE_MAPPING)
        return mapping_slot(document, path, *parent, name, slot, error);
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: '%s' is asked of a single value ('%s'); only mappings and lists have parts",
                     path->origin, text_excerpt(name, part), text_excerpt((*parent)->text, excerpt));
}

enum status document_set(struct document *document, const char *path_text, const char *value,
                         struct error *error)
{
    struct path path = {.n_names = 0};
    struct node *node = NULL;
    TRY(path_split(document, path_text, &path, error));
    TRY(parse_value(document, &path, value, &node, error));
    struct node **slot = &document->root;
    for (int i = 0; i < path.n_names; i++)
        TRY(find_slot(document, &path, slot, path.names[i], &slot, error));
    *slot = node;
    return STATUS_OK;
}
