/* SPDX-License-Identifier: MIT */
#include "document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "document_tree.h"
#include "memory.h"
#include "node_text.h"

enum { MAX_BYTES = 16 * 1024 * 1024 };

/** One pass over one text. */
struct reader {
    yaml_parser_t parser;
    struct document *document;
    const char *file;
    const char *text;
    size_t bytes;
};

static int line_of(const yaml_mark_t *mark)
{
    return (int)mark->line + 1;
}

static int line_of_offset(const struct reader *reader, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset && i < reader->bytes; i++)
        line += reader->text[i] == '\n';
    return line;
}

static enum status refuse(const struct reader *reader, const yaml_event_t *event, struct error *error,
                          const char *what)
{
    return error_set(error, STATUS_BAD_INPUT, "%s:%d: %s", reader->file, line_of(&event->start_mark), what);
}

/** What libyaml has to say, with the place. */
static enum status syntax_error(const struct reader *reader, struct error *error)
{
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "unreadable";
    if (parser->error == YAML_MEMORY_ERROR)
        return error_set(error, STATUS_INTERNAL, "%s: out of memory", reader->file);
    if (parser->error == YAML_READER_ERROR)
        return error_set(error, STATUS_BAD_INPUT, "%s:%d: not a YAML text: %s (byte %zu)", reader->file,
                         line_of_offset(reader, parser->problem_offset), problem, parser->problem_offset);
    if (parser->context == NULL)
        return error_set(error, STATUS_BAD_INPUT, "%s:%d: YAML syntax: %s", reader->file,
                         line_of(&parser->problem_mark), problem);
    return error_set(error, STATUS_BAD_INPUT, "%s:%d: YAML syntax: %s (%s that begins in line %d)",
                     reader->file, line_of(&parser->problem_mark), problem, parser->context,
                     line_of(&parser->context_mark));
}

/** The next event, which the caller deletes. */
static enum status next_event(struct reader *reader, yaml_event_t *event, struct error *error)
{
    if (!yaml_parser_parse(&reader->parser, event))
        return syntax_error(reader, error);
    return STATUS_OK;
}

static enum status refuse_anchor_and_tag(const struct reader *reader, const yaml_event_t *event,
                                         const yaml_char_t *anchor, const yaml_char_t *tag,
                                         struct error *error)
{
    if (anchor != NULL)
        return refuse(reader, event, error, "anchors (&name) are not supported; write the value out");
    if (tag != NULL)
        return refuse(reader, event, error, "tags (!name) are not supported; write the value without it");
    return STATUS_OK;
}

static enum status read_text(struct reader *reader, const yaml_event_t *event, const char **text,
                             struct error *error)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    TRY(refuse_anchor_and_tag(reader, event, event->data.scalar.anchor, event->data.scalar.tag, error));
    if (memchr(value, '\0', length) != NULL)
        return refuse(reader, event, error, "a NUL character (\\0) inside a text");
    return document_copy_text(reader->document, value, length, text, error);
}

static enum status read_name(struct reader *reader, const yaml_event_t *event, const char **name,
                             struct error *error)
{
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(reader, event, error, "aliases (*name) are not supported; write the key out");
    if (event->type != YAML_SCALAR_EVENT)
        return refuse(reader, event, error, "a key must be a text, not a list or mapping");
    if (event->data.scalar.length == 0)
        return refuse(reader, event, error, "an empty key; expected 'name: value'");
    if (event->data.scalar.length > DOCUMENT_MAX_KEY_BYTES)
        return refuse(reader, event, error, "a key of more than 200 bytes");
    return read_text(reader, event, name, error);
}

/** A key of a mapping under check: sorted by name, then by place. */
struct named_place {
    const char *name;
    size_t index;
};

static int compare_names(const void *left, const void *right)
{
    const struct named_place *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static enum status refuse_duplicates(const struct node *mapping, struct error *error)
{
    struct named_place *places = NULL;
    TRY(MEMORY_ALLOCATE(places, mapping->n_items, error));
    for (size_t i = 0; i < mapping->n_items; i++)
        places[i] = (struct named_place){mapping->names[i], i};
    qsort(places, mapping->n_items, sizeof *places, compare_names);
    enum status status = STATUS_OK;
    for (size_t i = 1; i < mapping->n_items && status == STATUS_OK; i++) {
        if (strcmp(places[i - 1].name, places[i].name) != 0)
            continue;
        char excerpt[EXCERPT_CAPACITY];
        status = error_set(error, STATUS_BAD_INPUT, "%s:%d: duplicate key '%s' (first in line %d)",
                           mapping->file, mapping->name_lines[places[i].index],
                           text_excerpt(places[i].name, excerpt), mapping->name_lines[places[i - 1].index]);
    }
    free(places);
    return status;
}

static enum status read_value(struct reader *reader, const yaml_event_t *event, int levels,
                              struct node **value, struct error *error);

static enum status read_next_value(struct reader *reader, int levels, struct node **value,
                                   struct error *error)
{
    yaml_event_t event;
    TRY(next_event(reader, &event, error));
    enum status status = read_value(reader, &event, levels, value, error);
    yaml_event_delete(&event);
    return status;
}

/** One element of a list, or one `name: value`; `event` is its first. */
static enum status read_item(struct reader *reader, const yaml_event_t *event, int levels,
                             struct node *parent, size_t *capacity, struct error *error)
{
    TRY(document_reserve(reader->document, parent, capacity, error));
    struct node **item = &parent->items[parent->n_items];
    if (parent->kind == NODE_MAPPING) {
        TRY(read_name(reader, event, &parent->names[parent->n_items], error));
        parent->name_lines[parent->n_items] = line_of(&event->start_mark);
        TRY(read_next_value(reader, levels, item, error));
    } else {
        TRY(read_value(reader, event, levels, item, error));
    }
    parent->n_items++;
    return STATUS_OK;
}

static enum status read_items(struct reader *reader, int levels, struct node *parent, struct error *error)
{
    size_t capacity = 0;
    bool at_end = false;
    while (!at_end) {
        yaml_event_t event;
        TRY(next_event(reader, &event, error));
        at_end = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        enum status status = STATUS_OK;
        if (!at_end)
            status = read_item(reader, &event, levels, parent, &capacity, error);
        yaml_event_delete(&event);
        TRY(status);
    }
    return parent->kind == NODE_MAPPING ? refuse_duplicates(parent, error) : STATUS_OK;
}

static enum status read_collection(struct reader *reader, const yaml_event_t *event, int levels,
                                   struct node **value, struct error *error)
{
    bool is_list = event->type == YAML_SEQUENCE_START_EVENT;
    const yaml_char_t *anchor =
        is_list ? event->data.sequence_start.anchor : event->data.mapping_start.anchor;
    const yaml_char_t *tag = is_list ? event->data.sequence_start.tag : event->data.mapping_start.tag;
    TRY(refuse_anchor_and_tag(reader, event, anchor, tag, error));
    if (levels >= DOCUMENT_MAX_LEVELS)
        return refuse(reader, event, error, "lists and mappings are nested more than 64 levels deep");
    TRY(document_add_node(reader->document, is_list ? NODE_LIST : NODE_MAPPING, reader->file,
                          line_of(&event->start_mark), value, error));
    return read_items(reader, levels + 1, *value, error);
}

/** The value that begins with `event`, inside `levels` collections. */
static enum status read_value(struct reader *reader, const yaml_event_t *event, int levels,
                              struct node **value, struct error *error)
{
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(reader, event, error, "aliases (*name) are not supported; write the value out");
    if (event->type != YAML_SCALAR_EVENT)
        return read_collection(reader, event, levels, value, error);
    TRY(document_add_node(reader->document, NODE_SCALAR, reader->file, line_of(&event->start_mark), value,
                          error));
    (*value)->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return read_text(reader, event, &(*value)->text, error);
}

/** The events of a whole text: stream start, at most one document, stream end. */
static enum status read_stream(struct reader *reader, int levels, struct node **root, struct error *error)
{
    bool at_end = false;
    while (!at_end) {
        yaml_event_t event;
        TRY(next_event(reader, &event, error));
        at_end = event.type == YAML_STREAM_END_EVENT;
        enum status status = STATUS_OK;
        if (event.type == YAML_DOCUMENT_START_EVENT && *root != NULL)
            status = refuse(reader, &event, error, "a second YAML document begins; only one is allowed");
        else if (event.type == YAML_DOCUMENT_START_EVENT)
            status = read_next_value(reader, levels, root, error);
        yaml_event_delete(&event);
        TRY(status);
    }
    return STATUS_OK;
}

enum status document_parse(struct document *document, const char *text, size_t bytes, const char *file,
                           int levels, struct node **root, struct error *error)
{
    struct reader reader = {.document = document, .file = file, .text = text, .bytes = bytes};
    *root = NULL;
    if (bytes > MAX_BYTES)
        return error_set(error, STATUS_BAD_INPUT, "%s: larger than 16 MiB; this is not a job or model file",
                         file);
    if (!yaml_parser_initialize(&reader.parser))
        return error_set(error, STATUS_INTERNAL, "%s: out of memory", file);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, bytes);
    enum status status = read_stream(&reader, levels, root, error);
    yaml_parser_delete(&reader.parser);
    return status;
}

static enum status read_bytes(const char *text, size_t bytes, const char *name, struct document **document,
                              struct error *error)
{
    const char *file = NULL;
    struct document *result = NULL;
    TRY(MEMORY_ALLOCATE(result, 1, error));
    enum status status = document_copy_text(result, name, strlen(name), &file, error);
    if (status == STATUS_OK)
        status = document_parse(result, text, bytes, file, 0, &result->root, error);
    if (status == STATUS_OK && result->root == NULL)
        status = error_set(error, STATUS_BAD_INPUT, "%s: empty: no value, or only comments", name);
    if (status == STATUS_OK)
        *document = result;
    else
        document_free(result);
    return status;
}

enum status document_read_text(const char *text, const char *name, struct document **document,
                               struct error *error)
{
    return read_bytes(text, strlen(text), name, document, error);
}

enum status document_read_file(const char *path, struct document **document, struct error *error)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    char *text = NULL;
    size_t bytes = 0;
    enum status status = MEMORY_ALLOCATE(text, MAX_BYTES + 1, error);
    if (status == STATUS_OK) {
        bytes = fread(text, 1, MAX_BYTES + 1, file);
        if (ferror(file))
            status = error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    }
    fclose(file);
    if (status == STATUS_OK)
        status = read_bytes(text, bytes, path, document, error);
    free(text);
    return status;
}
