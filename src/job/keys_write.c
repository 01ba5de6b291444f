/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_bounds.h"
#include "keys.h"
#include "node_text.h"

enum { COMMENT_COLUMNS = 110, COMMENT_CAPACITY = 1024, STEP = 2 };

static void write_spaces(int count, FILE *out)
{
    fprintf(out, "%*s", count, "");
}

/** A text that every YAML reader takes as it stands: chosen narrowly, the rest is quoted. */
static bool is_plain(const char *text)
{
    const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-./ ,()%@=~<>";
    size_t length = strlen(text);
    if (length == 0 || text[length - 1] == ' ' || strspn(text, allowed) != length)
        return false;
    if (strchr("-+.", text[0]) != NULL)
        return isalnum((unsigned char)text[1]) || (text[0] != '.' && text[1] == '.' && text[2] != '.');
    return isalnum((unsigned char)text[0]) || strchr("_/~<", text[0]) != NULL;
}

/** Bytes of the UTF-8 character that begins with `first`, in a valid text. */
static int character_bytes(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static unsigned long character_code(const char *text, int n_bytes)
{
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned long code = n_bytes == 1 ? bytes[0] : bytes[0] & (0x7Fu >> n_bytes);
    for (int i = 1; i < n_bytes && (bytes[i] & 0xC0) == 0x80; i++)
        code = code << 6 | (bytes[i] & 0x3Fu);
    return code;
}

/** Control characters, breaks and marks that a YAML reader would refuse or change. */
static bool needs_escape(unsigned long code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
           code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

static void write_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    while (*text != '\0') {
        int n_bytes = character_bytes((unsigned char)*text);
        unsigned long code = character_code(text, n_bytes);
        if (needs_escape(code))
            fprintf(out, "\\u%04lx", code);
        else
            fprintf(out, "%s%.*s", code == '"' || code == '\\' ? "\\" : "", n_bytes, text);
        text += strnlen(text, (size_t)n_bytes);
    }
    fputc('"', out);
}

static void write_scalar(const char *text, bool quoted, FILE *out)
{
    if (!quoted && (text[0] == '\0' || is_plain(text)))
        fputs(text, out);
    else
        write_quoted(text, out);
}

static bool is_filled_collection(const struct node *node)
{
    return node->kind != NODE_SCALAR && node->n_items > 0;
}

static void write_single_line(const struct node *node, FILE *out)
{
    if (node->kind == NODE_SCALAR)
        write_scalar(node->text, node->quoted, out);
    else
        fputs(node->kind == NODE_LIST ? "[]" : "{}", out);
    fputc('\n', out);
}

/** `key:` was written: its value follows, on the same line or below. */
static void write_after_key(const struct node *node, int indent, FILE *out)
{
    fputs(is_filled_collection(node) ? "\n" : node_is_empty(node) ? "" : " ", out);
    if (is_filled_collection(node))
        node_echo(node, indent + STEP, out);
    else
        write_single_line(node, out);
}

/** As node_echo, but the first line is indented already (it follows "- "). */
static void write_node(const struct node *node, int indent, FILE *out)
{
    if (!is_filled_collection(node)) {
        write_single_line(node, out);
        return;
    }
    for (size_t i = 0; i < node->n_items; i++) {
        if (i > 0)
            write_spaces(indent, out);
        if (node->kind == NODE_LIST) {
            fputs(node_is_empty(node->items[i]) ? "-" : "- ", out);
            write_node(node->items[i], indent + STEP, out);
        } else {
            write_scalar(node->names[i], false, out);
            fputc(':', out);
            write_after_key(node->items[i], indent, out);
        }
    }
}

void node_echo(const struct node *node, int indent, FILE *out)
{
    write_spaces(indent, out);
    write_node(node, indent, out);
}

/** The shortest decimal that reads back as the same number. */
static void write_real(double value, FILE *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static void write_setting(const struct key *key, const void *member, FILE *out)
{
    fprintf(out, "%s: ", key->name);
    switch (key->type) {
    case KEY_INTEGER:
        fprintf(out, "%lld", *(const long long *)member);
        break;
    case KEY_REAL:
        write_real(*(const double *)member, out);
        break;
    case KEY_BOOLEAN:
        fputs(*(const bool *)member ? "true" : "false", out);
        break;
    case KEY_TEXT:
        write_quoted(*(const char *const *)member, out);
        break;
    case KEY_CHOICE:
        write_scalar(key->choices[*(const int *)member], false, out);
        break;
    case KEY_NODE:
        break;
    }
    fputc('\n', out);
}

void keys_echo(const struct key *table, const void *settings, int indent, FILE *out)
{
    for (; table->name != NULL; table++) {
        const void *member = (const char *)settings + table->offset;
        const bool is_pointer = table->type == KEY_TEXT || table->type == KEY_NODE;
        if (is_pointer && *(const void *const *)member == NULL)
            continue;
        write_spaces(indent, out);
        if (table->type == KEY_NODE) {
            fprintf(out, "%s:", table->name);
            write_after_key(*(const struct node *const *)member, indent, out);
        } else {
            write_setting(table, member, out);
        }
    }
}

/** "integer, 1 to 1000 queries": what a key takes. */
static void describe_type(const struct key *key, char *buffer, size_t capacity)
{
    static const char *const type_names[] = {
        [KEY_INTEGER] = "integer", [KEY_REAL] = "real",     [KEY_BOOLEAN] = "boolean",
        [KEY_TEXT] = "text",       [KEY_CHOICE] = "one of", [KEY_NODE] = "value"};
    char minimum[32], maximum[32], range[EXCERPT_CAPACITY * 2], list[NAME_LIST_CAPACITY];
    const char *details = "", *separator = ", ";
    if (key->type == KEY_INTEGER || key->type == KEY_REAL) {
        const char *format = key->type == KEY_INTEGER ? "%.0f" : "%.15g";
        snprintf(minimum, sizeof minimum, format, key_minimum(key));
        snprintf(maximum, sizeof maximum, format, key_maximum(key));
        details = range_text(isfinite(key_minimum(key)) ? minimum : NULL,
                             isfinite(key_maximum(key)) ? maximum : NULL, key->unit, range);
    } else if (key->type == KEY_CHOICE) {
        separator = " ";
        details = name_list(key->choices, list);
    } else {
        separator = "";
    }
    snprintf(buffer, capacity, "%s%s%s", type_names[key->type], separator, details);
}

static void describe_default(const struct key *key, char *buffer, size_t capacity)
{
    if (key->default_value == NULL)
        snprintf(buffer, capacity, "required");
    else if (key_may_be_absent(key))
        snprintf(buffer, capacity, "optional");
    else
        snprintf(buffer, capacity, "default %s", key->default_value);
}

static void write_comment(const struct key *key, int indent, FILE *out)
{
    char type[COMMENT_CAPACITY], default_value[COMMENT_CAPACITY];
    describe_type(key, type, sizeof type);
    describe_default(key, default_value, sizeof default_value);
    size_t columns = strlen(key->description) + strlen(type) + strlen(default_value) + sizeof "#  [; ]";
    write_spaces(indent, out);
    fprintf(out, "# %s", key->description);
    if ((size_t)indent + columns > COMMENT_COLUMNS) {
        fputc('\n', out);
        write_spaces(indent, out);
        fputc('#', out);
    }
    fprintf(out, " [%s; %s]\n", type, default_value);
}

void keys_document(const struct key *table, int indent, FILE *out)
{
    for (; table->name != NULL; table++) {
        write_comment(table, indent, out);
        write_spaces(indent, out);
        if (table->default_value == NULL)
            fprintf(out, "%s: <required>", table->name);
        else if (key_may_be_absent(table))
            fprintf(out, "# %s: <%s>", table->name, table->type == KEY_TEXT ? "text" : "value");
        else {
            fprintf(out, "%s: ", table->name);
            write_scalar(table->default_value, false, out);
        }
        fputc('\n', out);
    }
}
