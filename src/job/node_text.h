/* SPDX-License-Identifier: MIT */
/** Values and messages: what the readers of documents and key tables share. */
#ifndef MEICENSUS_NODE_TEXT_H
#define MEICENSUS_NODE_TEXT_H

#include "document.h"

enum { EXCERPT_CAPACITY = 72, NAME_LIST_CAPACITY = 512 };

/** The beginning of a text, fit for a message: no control characters, "..." where it was cut. Returns buffer.
 */
const char *text_excerpt(const char *text, char buffer[EXCERPT_CAPACITY]);

/** "a, b, c", "..." where it was cut. `names` is ended by NULL. Returns buffer. */
const char *name_list(const char *const *names, char buffer[NAME_LIST_CAPACITY]);

/** A value that was left out (`key:`). */
bool node_is_empty(const struct node *node);

/** "1 to 10 queries", "at least 0 s"; minimum or maximum NULL: no bound. Units "" and "1" are not written. */
const char *range_text(const char *minimum, const char *maximum, const char *unit,
                       char buffer[EXCERPT_CAPACITY * 2]);

/** As node_integer and node_real, with the unit in the message about the range. */
enum status node_integer_in(const struct node *node, const char *name, long long minimum, long long maximum,
                            const char *unit, long long *value, struct error *error);
enum status node_real_in(const struct node *node, const char *name, double minimum, double maximum,
                         const char *unit, double *value, struct error *error);

#endif
