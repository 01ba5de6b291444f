/* SPDX-License-Identifier: MIT */
/**
 * Key tables: what may stand in a mapping of a job or model file. One table per thing (search method,
 * layer kind, noise, job section), beside the code that uses it; this module reads, checks, echoes and
 * documents them all. No default is hidden anywhere else.
 */
#ifndef MEICENSUS_KEYS_H
#define MEICENSUS_KEYS_H

#include <stddef.h>
#include <stdio.h>

#include "document.h"
#include "status.h"

enum key_type {
    KEY_INTEGER, /**< long long */
    KEY_REAL,    /**< double */
    KEY_BOOLEAN, /**< bool */
    KEY_TEXT,    /**< const char *, belongs to the document (or to the table, for a default) */
    KEY_CHOICE,  /**< int: index into `choices` */
    KEY_NODE     /**< const struct node *: any value, judged by the owner; NULL when absent */
};

struct key {
    const char *name;
    enum key_type type;
    size_t offset;              /**< of the member in the settings struct */
    double minimum, maximum;    /**< KEY_INTEGER and KEY_REAL, inclusive; both 0: no bound */
    const char *default_value;  /**< YAML text; NULL: the key is required; "" for KEY_NODE/KEY_TEXT: may be
                                   absent (NULL) */
    const char *unit;           /**< "1", "queries", "s", ...; "" where it has no meaning */
    const char *const *choices; /**< KEY_CHOICE: names, ended by NULL */
    const char *description;    /**< one line */
};

/** A table is an array ended by a key whose name is NULL. */

/**
 * Fill `settings` from a mapping (NULL, or `section:` with nothing behind it: all defaults). Refuses unknown
 * keys (line, nearest valid name), missing required keys, wrong types, trailing junk, values out of range
 * (with the range). `section` is the dotted place for messages, e.g. "methods.tt_b"; "" for a whole file.
 * STATUS_INTERNAL: the table itself is wrong (a default out of range; a KEY_NODE with a default other than
 * "").
 */
enum status keys_read(const struct key *table, const struct node *mapping, const char *section,
                      void *settings, struct error *error);

/** Write the settings in use as YAML lines, `indent` spaces deep (KEY_NODE values are written back as read).
 */
void keys_echo(const struct key *table, const void *settings, int indent, FILE *out);

/** Write the table as commented YAML with defaults: the manual. Optional keys are commented out with "# ". */
void keys_document(const struct key *table, int indent, FILE *out);

/** Write any node as YAML, block style, `indent` spaces deep. */
void node_echo(const struct node *node, int indent, FILE *out);

#endif
