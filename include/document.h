/* SPDX-License-Identifier: MIT */
/**
 * YAML files as trees whose every node knows its file and line (libyaml underneath).
 *
 * Refused, with file and line: syntax errors, duplicate keys in one mapping, anchors and aliases, explicit
 * tags, more than one document or none, more than 64 levels, files above 16 MiB, more than 1,000,000 values,
 * keys that are no scalar, empty or above 200 bytes, control characters and NUL.
 */
#ifndef MEICENSUS_DOCUMENT_H
#define MEICENSUS_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAPPING };

/** One value. Nodes belong to their document. */
struct node {
    enum node_kind kind;
    const char *file;
    int line;            /**< 1-based */
    const char *text;    /**< scalar: its text; else NULL */
    bool quoted;         /**< scalar: written in quotes */
    size_t n_items;      /**< list: elements; mapping: entries */
    struct node **items; /**< list: elements; mapping: values */
    const char **names;  /**< mapping: keys, in file order; else NULL */
    int *name_lines;     /**< mapping: line of each key; else NULL */
};

struct document;

/** Read a file (STATUS_IO, STATUS_BAD_INPUT) or a text (`name` stands for the file in messages). */
enum status document_read_file(const char *path, struct document **document, struct error *error);
enum status document_read_text(const char *text, const char *name, struct document **document,
                               struct error *error);
const struct node *document_root(const struct document *document);
void document_free(struct document *document);

/** Set `path` (dotted, e.g. "trials.count"; list elements by number) to the YAML value `value`: `--set`.
 *  Every mapping on the way is made where it is missing; the key tables then judge the name. A refused call
 *  changes nothing. What was read from the document before stays valid until document_free. */
enum status document_set(struct document *document, const char *path, const char *value, struct error *error);

/** The value of `name` in a mapping, or NULL. */
const struct node *node_find(const struct node *mapping, const char *name);

/**
 * `rest` becomes `mapping` without the entries named in `names` (ended by NULL); values are shared with the
 * document. The caller frees rest->items, rest->names and rest->name_lines (node_release).
 */
enum status node_without(const struct node *mapping, const char *const *names, struct node *rest,
                         struct error *error);
void node_release(struct node *rest);

/** error_set with "file:line: " in front. */
enum status node_error(const struct node *node, struct error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Whole-text conversions: no trailing junk, no overflow, finite. `name` is the key in the message.
 *  Integers are plain decimal digits (not 1e4, 0x10, 010); numbers and booleans are unquoted; booleans are
 *  true or false; a text is not empty, ~ or null unless quoted. */
enum status node_integer(const struct node *node, const char *name, long long minimum, long long maximum,
                         long long *value, struct error *error);
enum status node_real(const struct node *node, const char *name, double minimum, double maximum,
                      double *value, struct error *error);
enum status node_boolean(const struct node *node, const char *name, bool *value, struct error *error);
enum status node_text(const struct node *node, const char *name, const char **value, struct error *error);

/** The name in `names` (ended by NULL) nearest to `word` by edit distance, or NULL when none is near. */
const char *nearest_name(const char *word, const char *const *names);

#endif
