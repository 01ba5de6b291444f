/* SPDX-License-Identifier: MIT */
#include "keys.h"

#include <string.h>

#include "key_bounds.h"
#include "node_text.h"

enum { MAX_NAMES = 128, PLACE_CAPACITY = 256 };

/** The names of a table as a list ended by NULL (for messages, so a cut at MAX_NAMES does no harm). */
static void table_names(const struct key *table, const char *names[MAX_NAMES + 1])
{
    size_t n_names = 0;
    for (; n_names < MAX_NAMES && table[n_names].name != NULL; n_names++)
        names[n_names] = table[n_names].name;
    names[n_names] = NULL;
}

static const struct key *find_key(const struct key *table, const char *name)
{
    for (; table->name != NULL; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

/** "unknown key 'budgett' in 'runs[0]'; did you mean 'budget'? (valid: a, b, c)"; `advice` where no name is
 *  near. */
static enum status unknown_word(const struct node *place, const char *what, const char *word,
                                const char *where, const char *const *names, const char *advice,
                                struct error *error)
{
    char excerpt[EXCERPT_CAPACITY], hint[EXCERPT_CAPACITY + 64], list[NAME_LIST_CAPACITY];
    const char *nearest = nearest_name(word, names);
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "; did you mean '%s'?", nearest);
    else
        snprintf(hint, sizeof hint, "%s", advice);
    const bool is_inside = where[0] != '\0';
    return node_error(place, error, "unknown %s '%s'%s%s%s%s (valid: %s)", what, text_excerpt(word, excerpt),
                      is_inside ? " in '" : "", where, is_inside ? "'" : "", hint, name_list(names, list));
}

/** A key alone, as what is behind a comma in {command: program a,b} is. */
static bool is_bare(const struct node *value)
{
    return value->kind == NODE_SCALAR && !value->quoted && value->text[0] == '\0';
}

static enum status refuse_unknown_keys(const struct key *table, const struct node *mapping,
                                       const char *section, struct error *error)
{
    for (size_t i = 0; i < mapping->n_items; i++) {
        if (find_key(table, mapping->names[i]) != NULL)
            continue;
        const char *names[MAX_NAMES + 1];
        table_names(table, names);
        /* the key stands where its value does: in the file, or in a --set */
        struct node place = {.file = mapping->items[i]->file, .line = mapping->name_lines[i]};
        return unknown_word(&place, "key", mapping->names[i], section, names,
                            is_bare(mapping->items[i]) ? "; a value with a comma stands between quotes" : "",
                            error);
    }
    return STATUS_OK;
}

static enum status read_choice(const struct key *key, const struct node *node, const char *place, int *value,
                               struct error *error)
{
    const char *text = NULL;
    TRY(node_text(node, place, &text, error));
    for (int i = 0; key->choices[i] != NULL; i++) {
        if (strcmp(key->choices[i], text) == 0) {
            *value = i;
            return STATUS_OK;
        }
    }
    return unknown_word(node, "value", text, place, key->choices, "", error);
}

static enum status read_value(const struct key *key, const struct node *node, const char *place, void *member,
                              struct error *error)
{
    switch (key->type) {
    case KEY_INTEGER:
        return node_integer_in(node, place, key_integer_minimum(key), key_integer_maximum(key), key->unit,
                               member, error);
    case KEY_REAL:
        return node_real_in(node, place, key_minimum(key), key_maximum(key), key->unit, member, error);
    case KEY_BOOLEAN:
        return node_boolean(node, place, member, error);
    case KEY_TEXT:
        return node_text(node, place, member, error);
    case KEY_CHOICE:
        return read_choice(key, node, place, member, error);
    case KEY_NODE:
        *(const struct node **)member = node;
        return STATUS_OK;
    }
    return error_set(error, STATUS_INTERNAL, "key '%s': unknown type in its table", key->name);
}

/** A default goes through the same checks as a value; if it fails, its table is wrong, not the input. */
static enum status read_default(const struct key *key, const char *place, void *member, struct error *error)
{
    if (key_may_be_absent(key)) {
        *(const void **)member = NULL;
        return STATUS_OK;
    }
    if (key->type == KEY_NODE)
        return error_set(error, STATUS_INTERNAL, "key '%s': a KEY_NODE has no default but \"\"", place);
    struct node node = {.kind = NODE_SCALAR, .file = "built-in default", .text = key->default_value};
    if (read_value(key, &node, place, member, error) == STATUS_OK)
        return STATUS_OK;
    error->status = STATUS_INTERNAL;
    return STATUS_INTERNAL;
}

static enum status missing_key(const struct key *key, const struct node *mapping, const char *section,
                               struct error *error)
{
    const bool is_inside = section[0] != '\0';
    const char *before = is_inside ? " in '" : "", *after = is_inside ? "'" : "";
    if (mapping == NULL)
        return error_set(error, STATUS_BAD_INPUT, "the key '%s' is missing%s%s%s (%s)", key->name, before,
                         section, after, key->description);
    return node_error(mapping, error, "the key '%s' is missing%s%s%s (%s)", key->name, before, section, after,
                      key->description);
}

static enum status read_key(const struct key *key, const struct node *mapping, const char *section,
                            void *settings, struct error *error)
{
    char place[PLACE_CAPACITY];
    void *member = (char *)settings + key->offset;
    const struct node *node = node_find(mapping, key->name);
    snprintf(place, sizeof place, "%s%s%s", section, section[0] != '\0' ? "." : "", key->name);
    if (node != NULL)
        return read_value(key, node, place, member, error);
    if (key->default_value == NULL)
        return missing_key(key, mapping, section, error);
    return read_default(key, place, member, error);
}

enum status keys_read(const struct key *table, const struct node *mapping, const char *section,
                      void *settings, struct error *error)
{
    if (mapping != NULL && mapping->kind == NODE_MAPPING)
        TRY(refuse_unknown_keys(table, mapping, section, error));
    else if (mapping != NULL && !node_is_empty(mapping))
        return node_error(mapping, error, "'%s': expected a mapping ('key: value' lines), found %s",
                          section[0] != '\0' ? section : "the file",
                          mapping->kind == NODE_LIST ? "a list" : "a single value");
    for (; table->name != NULL; table++)
        TRY(read_key(table, mapping, section, settings, error));
    return STATUS_OK;
}
