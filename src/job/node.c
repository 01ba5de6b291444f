/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "node_text.h"

enum { RANGE_CAPACITY = EXCERPT_CAPACITY * 2 };

const struct node *node_find(const struct node *mapping, const char *name)
{
    if (mapping == NULL || mapping->kind != NODE_MAPPING)
        return NULL;
    for (size_t i = 0; i < mapping->n_items; i++)
        if (strcmp(mapping->names[i], name) == 0)
            return mapping->items[i];
    return NULL;
}

enum status node_error(const struct node *node, struct error *error, const char *format, ...)
{
    char message[ERROR_MESSAGE_CAPACITY];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(error, STATUS_BAD_INPUT, "%s:%d: %s", node->file, node->line, message);
}

bool node_is_empty(const struct node *node)
{
    return node->kind == NODE_SCALAR && !node->quoted && node->text[0] == '\0';
}

/** What stands there, for "expected ..., found ...". */
static const char *node_describe(const struct node *node, char buffer[EXCERPT_CAPACITY + 16])
{
    char excerpt[EXCERPT_CAPACITY];
    if (node->kind == NODE_LIST)
        return "a list";
    if (node->kind == NODE_MAPPING)
        return "a mapping";
    if (node_is_empty(node))
        return "nothing";
    snprintf(buffer, EXCERPT_CAPACITY + 16, node->quoted ? "the quoted text '%s'" : "'%s'",
             text_excerpt(node->text, excerpt));
    return buffer;
}

static enum status wrong_type(const struct node *node, const char *name, const char *expected,
                              struct error *error)
{
    char buffer[EXCERPT_CAPACITY + 16];
    return node_error(node, error, "'%s': expected %s, found %s", name, expected,
                      node_describe(node, buffer));
}

const char *range_text(const char *minimum, const char *maximum, const char *unit,
                       char buffer[EXCERPT_CAPACITY * 2])
{
    const bool has_unit = unit[0] != '\0' && strcmp(unit, "1") != 0;
    const char *gap = has_unit ? " " : "", *shown_unit = has_unit ? unit : "";
    if (minimum != NULL && maximum != NULL)
        snprintf(buffer, RANGE_CAPACITY, "%s to %s%s%s", minimum, maximum, gap, shown_unit);
    else if (minimum != NULL)
        snprintf(buffer, RANGE_CAPACITY, "at least %s%s%s", minimum, gap, shown_unit);
    else if (maximum != NULL)
        snprintf(buffer, RANGE_CAPACITY, "at most %s%s%s", maximum, gap, shown_unit);
    else
        snprintf(buffer, RANGE_CAPACITY, "any number%s%s%s", has_unit ? " (" : "", shown_unit,
                 has_unit ? ")" : "");
    return buffer;
}

static enum status out_of_range(const struct node *node, const char *name, const char *minimum,
                                const char *maximum, const char *unit, struct error *error)
{
    char excerpt[EXCERPT_CAPACITY], range[RANGE_CAPACITY];
    return node_error(node, error, "'%s': %s is out of range; expected %s", name,
                      text_excerpt(node->text, excerpt), range_text(minimum, maximum, unit, range));
}

/** Digits only, at most one '-' in front, no leading zero (which some YAML readers take for octal). */
static bool is_plain_decimal(const char *text)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t n_digits = strspn(digits, "0123456789");
    return n_digits > 0 && digits[n_digits] == '\0' && (digits[0] != '0' || n_digits == 1);
}

enum status node_integer_in(const struct node *node, const char *name, long long minimum, long long maximum,
                            const char *unit, long long *value, struct error *error)
{
    if (node->kind != NODE_SCALAR || node->quoted || !is_plain_decimal(node->text))
        return wrong_type(node, name, "an integer in plain decimal digits, like 10000 (not 1e4)", error);
    errno = 0;
    long long result = strtoll(node->text, NULL, 10);
    if (errno == ERANGE || result < minimum || result > maximum) {
        char low[32], high[32];
        snprintf(low, sizeof low, "%lld", minimum);
        snprintf(high, sizeof high, "%lld", maximum);
        return out_of_range(node, name, low, high, unit, error);
    }
    *value = result;
    return STATUS_OK;
}

/** Has only characters of a decimal number: what strtod also takes (nan, inf, hexadecimal) has others. */
static bool is_real(const char *text, double *value)
{
    char *end = NULL;
    if (text[0] == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
        return false;
    *value = strtod(text, &end);
    return *end == '\0';
}

enum status node_real_in(const struct node *node, const char *name, double minimum, double maximum,
                         const char *unit, double *value, struct error *error)
{
    double result = 0.0;
    errno = 0;
    if (node->kind != NODE_SCALAR || node->quoted || !is_real(node->text, &result))
        return wrong_type(node, name, "a finite number, like 0.05 or 1e-3", error);
    if (errno == ERANGE)
        return wrong_type(node, name, "a number that double precision can hold", error);
    if (result < minimum || result > maximum) {
        char low[32], high[32];
        snprintf(low, sizeof low, "%.15g", minimum);
        snprintf(high, sizeof high, "%.15g", maximum);
        return out_of_range(node, name, isfinite(minimum) ? low : NULL, isfinite(maximum) ? high : NULL, unit,
                            error);
    }
    *value = result;
    return STATUS_OK;
}

enum status node_integer(const struct node *node, const char *name, long long minimum, long long maximum,
                         long long *value, struct error *error)
{
    return node_integer_in(node, name, minimum, maximum, "", value, error);
}

enum status node_real(const struct node *node, const char *name, double minimum, double maximum,
                      double *value, struct error *error)
{
    return node_real_in(node, name, minimum, maximum, "", value, error);
}

enum status node_boolean(const struct node *node, const char *name, bool *value, struct error *error)
{
    bool is_true = node->kind == NODE_SCALAR && !node->quoted && strcmp(node->text, "true") == 0;
    bool is_false = node->kind == NODE_SCALAR && !node->quoted && strcmp(node->text, "false") == 0;
    if (!is_true && !is_false)
        return wrong_type(node, name, "true or false", error);
    *value = is_true;
    return STATUS_OK;
}

/** Other YAML readers take these for "no value", so they are no texts unless quoted. */
static bool is_null(const struct node *node)
{
    return node_is_empty(node) ||
           (!node->quoted && (strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0));
}

enum status node_text(const struct node *node, const char *name, const char **value, struct error *error)
{
    if (node->kind != NODE_SCALAR)
        return wrong_type(node, name, "a text", error);
    if (is_null(node))
        return wrong_type(node, name, "a text (quote it, or leave the key out)", error);
    *value = node->text;
    return STATUS_OK;
}
