/* SPDX-License-Identifier: MIT */
/** The inside of a document, shared by the reader and by `--set`. */
#ifndef MEICENSUS_DOCUMENT_TREE_H
#define MEICENSUS_DOCUMENT_TREE_H

#include "document.h"

enum { DOCUMENT_MAX_LEVELS = 64, DOCUMENT_MAX_KEY_BYTES = 200, DOCUMENT_MAX_VALUES = 1000000 };

struct memory_block;

/** Nodes, texts and arrays live in `blocks` until document_free, so what was replaced stays valid. */
struct document {
    struct node *root;
    struct memory_block *blocks;
    size_t n_values;
};

/** Zeroed memory that lives as long as the document. */
enum status document_allocate(struct document *document, size_t bytes, void **memory, struct error *error);
enum status document_copy_text(struct document *document, const char *text, size_t length, const char **copy,
                               struct error *error);

/** A new value at file:line; it counts towards DOCUMENT_MAX_VALUES. `file` must live as long as the document.
 */
enum status document_add_node(struct document *document, enum node_kind kind, const char *file, int line,
                              struct node **node, struct error *error);

/** Room for one more item in a list or mapping; *capacity is that of its arrays (updated). */
enum status document_reserve(struct document *document, struct node *node, size_t *capacity,
                             struct error *error);

/** Parse `bytes` of YAML below `levels` collections; *root is NULL where the text holds no value. */
enum status document_parse(struct document *document, const char *text, size_t bytes, const char *file,
                           int levels, struct node **root, struct error *error);

#endif
