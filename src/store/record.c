/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <math.h>
#include <string.h>

enum { FIELD_ALIGNMENT = 8, HISTORY_DENSE_POINTS = 20, HISTORY_LOG_POINTS = 200 };
static const size_t record_bytes_limit = (size_t)1 << 40;

#define FIELD_ROW(id, name, type, shape_0, shape_1, shape_2, place, units, long_name, description)           \
    [id] = {name, type, {shape_0, shape_1, shape_2}, place, units, long_name, description},
const struct record_field record_fields[N_RECORD_FIELDS] = {RECORD_FIELDS(FIELD_ROW)};
#undef FIELD_ROW

size_t record_type_bytes(enum record_type type)
{
    switch (type) {
    case RECORD_FLOAT32:
    case RECORD_INT32:
        return 4;
    case RECORD_FLOAT64:
    case RECORD_INT64:
    case RECORD_UINT64:
        return 8;
    case RECORD_UINT8:
        return 1;
    case RECORD_TEXT:
        return RECORD_TEXT_BYTES;
    }
    return 0;
}

int64_t record_size_value(const struct record_sizes *sizes, enum record_size size)
{
    switch (size) {
    case EXTENT_NONE:
        return 1;
    case EXTENT_DIMENSIONS:
        return sizes->dimensions;
    case EXTENT_CHANNELS:
        return sizes->channels;
    case EXTENT_HEIGHT:
        return sizes->height;
    case EXTENT_WIDTH:
        return sizes->width;
    case EXTENT_HISTORY:
        return sizes->history;
    case EXTENT_TRACE:
        return sizes->trace;
    case EXTENT_TRIALS:
        return sizes->trials;
    case EXTENT_CLASSES:
        return sizes->classes;
    case EXTENT_CANDIDATES:
        return sizes->candidates;
    }
    return 0;
}

static enum status field_elements(const struct record_sizes *sizes, const struct record_field *field,
                                  size_t *n_elements, struct error *error)
{
    size_t product = 1;
    for (int i = 0; i < RECORD_MAX_RANK; i++) {
        int64_t extent = record_size_value(sizes, field->shape[i]);
        if (extent < 0)
            return error_set(error, STATUS_INTERNAL, "record field %s: negative size %lld", field->name,
                             (long long)extent);
        if (__builtin_mul_overflow(product, (size_t)extent, &product) || product > record_bytes_limit)
            return error_set(error, STATUS_INTERNAL, "record field %s: more than 2^40 elements", field->name);
    }
    *n_elements = product;
    return STATUS_OK;
}

enum status record_layout_make(const struct record_sizes *sizes, struct record_layout *layout,
                               struct error *error)
{
    struct record_layout made = {.sizes = *sizes};
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        TRY(field_elements(sizes, &record_fields[i], &made.n_elements[i], error));
        made.offset[i] = made.n_bytes;
        size_t n_bytes = made.n_elements[i] * record_type_bytes(record_fields[i].type);
        made.n_bytes += (n_bytes + FIELD_ALIGNMENT - 1) / FIELD_ALIGNMENT * FIELD_ALIGNMENT;
        if (made.n_bytes > record_bytes_limit)
            return error_set(error, STATUS_INTERNAL, "a record with these sizes exceeds 2^40 bytes");
    }
    *layout = made;
    return STATUS_OK;
}

void *record_at(const struct record_layout *layout, void *record, enum record_field_id field)
{
    return (unsigned char *)record + layout->offset[field];
}

const void *record_at_const(const struct record_layout *layout, const void *record,
                            enum record_field_id field)
{
    return (const unsigned char *)record + layout->offset[field];
}

static void set_missing(enum record_type type, void *values, size_t n_elements)
{
    for (size_t i = 0; i < n_elements; i++) {
        if (type == RECORD_FLOAT32)
            ((float *)values)[i] = NAN;
        else if (type == RECORD_FLOAT64)
            ((double *)values)[i] = (double)NAN;
        else if (type == RECORD_INT32)
            ((int32_t *)values)[i] = -1;
    }
}

void record_set_missing(const struct record_layout *layout, void *record)
{
    memset(record, 0, layout->n_bytes);
    for (int i = 0; i < N_RECORD_FIELDS; i++)
        set_missing(record_fields[i].type, record_at(layout, record, (enum record_field_id)i),
                    layout->n_elements[i]);
}

int record_history_queries(int64_t budget, int64_t *queries)
{
    int n = 0;
    for (int64_t query = 1; query <= budget && query <= HISTORY_DENSE_POINTS; query++)
        queries[n++] = query;
    if (budget <= HISTORY_DENSE_POINTS)
        return n;
    const double ratio = (double)budget / HISTORY_DENSE_POINTS;
    for (int i = 1; i <= HISTORY_LOG_POINTS; i++) {
        int64_t query = llround(HISTORY_DENSE_POINTS * pow(ratio, (double)i / HISTORY_LOG_POINTS));
        if (i == HISTORY_LOG_POINTS || query > budget)
            query = budget;
        if (query > queries[n - 1])
            queries[n++] = query;
    }
    return n;
}
