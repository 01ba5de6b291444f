/* SPDX-License-Identifier: MIT */
#include "safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cJSON.h>

#include "memory.h"

enum { HEADER_LENGTH_BYTES = 8, MAX_HEADER_BYTES = 1 << 24 };

struct file_bytes {
    unsigned char *bytes;
    size_t n_bytes;
};

/** One entry of the header, before its values are read. */
struct entry {
    uint64_t begin, end; /**< bytes, relative to the end of the header */
    bool is_half;
};

static enum status read_stream(FILE *stream, const char *path, struct file_bytes *content,
                               struct error *error)
{
    struct stat information;
    if (fstat(fileno(stream), &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    if (!S_ISREG(information.st_mode))
        return error_set(error, STATUS_BAD_INPUT, "%s: not a file", path);
    content->n_bytes = (size_t)information.st_size;
    TRY(MEMORY_ALLOCATE(content->bytes, content->n_bytes + 1, error));
    if (fread(content->bytes, 1, content->n_bytes, stream) != content->n_bytes)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read to its end", path);
    return STATUS_OK;
}

static enum status read_bytes(const char *path, struct file_bytes *content, struct error *error)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return error_set_errno(error, STATUS_IO, "%s: the tensor file cannot be opened", path);
    enum status status = read_stream(stream, path, content, error);
    fclose(stream);
    return status;
}

static uint64_t little_endian(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = HEADER_LENGTH_BYTES - 1; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/** A whole number that a double holds exactly. */
static bool json_whole(const cJSON *item, uint64_t *value)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 0x1p53 ||
        item->valuedouble != floor(item->valuedouble))
        return false;
    *value = (uint64_t)item->valuedouble;
    return true;
}

static enum status read_shape(const char *path, const cJSON *item, struct tensor *tensor, struct error *error)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(item, "shape");
    const int n = cJSON_IsArray(shape) ? cJSON_GetArraySize(shape) : -1;
    if (n < 0 || n > TENSOR_MAX_DIMENSIONS)
        return error_set(error, STATUS_BAD_INPUT, "%s: tensor '%s': expected a shape of 0 to %d dimensions",
                         path, item->string, TENSOR_MAX_DIMENSIONS);
    tensor->n_dimensions = n;
    tensor->n_values = 1;
    for (int i = 0; i < n; i++) {
        uint64_t size;
        if (!json_whole(cJSON_GetArrayItem(shape, i), &size) || size > INT32_MAX ||
            __builtin_mul_overflow(tensor->n_values, size, &tensor->n_values))
            return error_set(error, STATUS_BAD_INPUT, "%s: tensor '%s': its shape is not valid", path,
                             item->string);
        tensor->size[i] = (int64_t)size;
    }
    return STATUS_OK;
}

static enum status read_entry(const char *path, const cJSON *item, struct tensor *tensor, struct entry *entry,
                              struct error *error)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(item, "data_offsets");
    if (!cJSON_IsString(type) ||
        (strcmp(type->valuestring, "F32") != 0 && strcmp(type->valuestring, "F16") != 0))
        return error_set(error, STATUS_BAD_INPUT, "%s: tensor '%s': type is %s, expected F32 or F16", path,
                         item->string, cJSON_IsString(type) ? type->valuestring : "missing");
    entry->is_half = strcmp(type->valuestring, "F16") == 0;
    TRY(read_shape(path, item, tensor, error));
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !json_whole(cJSON_GetArrayItem(offsets, 0), &entry->begin) ||
        !json_whole(cJSON_GetArrayItem(offsets, 1), &entry->end) || entry->end < entry->begin)
        return error_set(error, STATUS_BAD_INPUT, "%s: tensor '%s': data_offsets are not two rising numbers",
                         path, item->string);
    const size_t value_bytes = entry->is_half ? 2 : 4;
    if ((entry->end - entry->begin) / value_bytes != tensor->n_values ||
        (entry->end - entry->begin) % value_bytes != 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: tensor '%s': %llu bytes do not fit its shape (%zu values)", path, item->string,
                         (unsigned long long)(entry->end - entry->begin), tensor->n_values);
    return memory_copy_text(&tensor->name, item->string, error);
}

/** Exponent and fraction moved to their places in a float32; what the biases differ by is made up by a
 * product. */
static float half_to_float(uint16_t half)
{
    const uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    magnitude =
        (half & 0x7c00) == 0x7c00 ? NAN : magnitude * 0x1p112f; /* infinite and undefined: refused alike */
    return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

static enum status read_values(const char *path, const unsigned char *data, const struct entry *entry,
                               struct tensor *tensor, struct error *error)
{
    TRY(MEMORY_ALLOCATE(tensor->values, tensor->n_values, error));
    for (size_t i = 0; i < tensor->n_values; i++) {
        if (entry->is_half) {
            uint16_t half;
            memcpy(&half, data + entry->begin + 2 * i, sizeof half);
            tensor->values[i] = half_to_float(half);
        } else {
            memcpy(&tensor->values[i], data + entry->begin + 4 * i, sizeof(float));
        }
        if (!isfinite(tensor->values[i]))
            return error_set(
                error, STATUS_BAD_INPUT,
                "%s: tensor '%s': value %zu is not finite; the file is damaged or the training diverged",
                path, tensor->name, i);
    }
    return STATUS_OK;
}

static int compare_begin(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/** The tensors must tile the data: no hole, no overlap, no bytes behind the last. */
static enum status check_tiling(const char *path, const struct entry *entries, size_t n,
                                uint64_t n_data_bytes, struct error *error)
{
    struct entry *sorted = NULL;
    TRY(MEMORY_ALLOCATE(sorted, n, error));
    memcpy(sorted, entries, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_begin);
    uint64_t position = 0;
    bool tiles = true;
    for (size_t i = 0; i < n && tiles; i++) {
        tiles = sorted[i].begin == position;
        position = sorted[i].end;
    }
    free(sorted);
    if (!tiles)
        return error_set(error, STATUS_BAD_INPUT, "%s: its tensors overlap or leave holes", path);
    if (position != n_data_bytes)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: its tensors need %llu bytes, the file has %llu; it is truncated or has something appended",
            path, (unsigned long long)position, (unsigned long long)n_data_bytes);
    return STATUS_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct tensor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static enum status check_duplicates(const struct tensor_file *file, struct error *error)
{
    const struct tensor **sorted = NULL;
    const char *twice = NULL;
    TRY(MEMORY_ALLOCATE(sorted, file->n_tensors, error));
    for (size_t i = 0; i < file->n_tensors; i++)
        sorted[i] = &file->tensors[i];
    qsort(sorted, file->n_tensors, sizeof *sorted, compare_names);
    for (size_t i = 1; i < file->n_tensors && twice == NULL; i++)
        twice = strcmp(sorted[i - 1]->name, sorted[i]->name) == 0 ? sorted[i]->name : NULL;
    free(sorted);
    if (twice != NULL)
        return error_set(error, STATUS_BAD_INPUT, "%s: tensor '%s' is there twice", file->path, twice);
    return STATUS_OK;
}

static enum status read_tensors(struct tensor_file *file, const cJSON *header, const unsigned char *data,
                                uint64_t n_data_bytes, struct entry *entries, struct error *error)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, header)
    {
        if (strcmp(item->string, "__metadata__") == 0)
            continue;
        const size_t i = file->n_tensors++;
        TRY(read_entry(file->path, item, &file->tensors[i], &entries[i], error));
    }
    TRY(check_duplicates(file, error));
    TRY(check_tiling(file->path, entries, file->n_tensors, n_data_bytes, error));
    for (size_t i = 0; i < file->n_tensors; i++)
        TRY(read_values(file->path, data, &entries[i], &file->tensors[i], error));
    return STATUS_OK;
}

/** The header as JSON, or NULL: one value with nothing but blanks behind it. */
static cJSON *read_json(const char *text, size_t n_bytes)
{
    const char *end = NULL;
    cJSON *header = cJSON_ParseWithLengthOpts(text, n_bytes, &end, /*require_null_terminated=*/0);
    while (header != NULL && end < text + n_bytes && strchr(" \t\r\n", *end) != NULL && *end != '\0')
        end++;
    if (header != NULL && end == text + n_bytes)
        return header;
    cJSON_Delete(header);
    return NULL;
}

static enum status parse_header(struct tensor_file *file, const struct file_bytes *content,
                                uint64_t header_bytes, struct error *error)
{
    cJSON *header = read_json((const char *)content->bytes + HEADER_LENGTH_BYTES, (size_t)header_bytes);
    struct entry *entries = NULL;
    enum status status = STATUS_OK;
    if (!cJSON_IsObject(header)) {
        status = error_set(error, STATUS_BAD_INPUT, "%s: its header is not a JSON object", file->path);
        goto cleanup;
    }
    const size_t n_items = (size_t)cJSON_GetArraySize(header);
    TRY_CLEANUP(MEMORY_ALLOCATE(file->tensors, n_items, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(entries, n_items, error));
    const uint64_t start = HEADER_LENGTH_BYTES + header_bytes;
    status = read_tensors(file, header, content->bytes + start, content->n_bytes - start, entries, error);
cleanup:
    free(entries);
    cJSON_Delete(header);
    return status;
}

static enum status parse(struct tensor_file *file, const struct file_bytes *content, struct error *error)
{
    if (content->n_bytes < HEADER_LENGTH_BYTES)
        return error_set(error, STATUS_BAD_INPUT, "%s: %zu bytes are no safetensors file", file->path,
                         content->n_bytes);
    const uint64_t header_bytes = little_endian(content->bytes);
    if (header_bytes > MAX_HEADER_BYTES || header_bytes > content->n_bytes - HEADER_LENGTH_BYTES)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: no safetensors file, or truncated: it announces a header of %llu bytes (file: %zu bytes)",
            file->path, (unsigned long long)header_bytes, content->n_bytes);
    return parse_header(file, content, header_bytes, error);
}

enum status tensor_file_read(const char *path, struct tensor_file **result, struct error *error)
{
    struct tensor_file *file = NULL;
    struct file_bytes content = {NULL, 0};
    enum status status = STATUS_OK;
    TRY_CLEANUP(MEMORY_ALLOCATE(file, 1, error));
    TRY_CLEANUP(memory_copy_text(&file->path, path, error));
    TRY_CLEANUP(read_bytes(path, &content, error));
    TRY_CLEANUP(parse(file, &content, error));
    *result = file;
    file = NULL;
cleanup:
    free(content.bytes);
    tensor_file_free(file);
    return status;
}

void tensor_file_free(struct tensor_file *file)
{
    if (file == NULL)
        return;
    for (size_t i = 0; i < file->n_tensors; i++) {
        free(file->tensors[i].name);
        free(file->tensors[i].values);
    }
    free(file->tensors);
    free(file->path);
    free(file);
}

const struct tensor *tensor_find(const struct tensor_file *file, const char *name)
{
    for (size_t i = 0; i < file->n_tensors; i++)
        if (file->tensors[i].name != NULL && strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

void tensor_shape_text(const struct tensor *tensor, char text[TENSOR_SHAPE_CAPACITY])
{
    int length = snprintf(text, TENSOR_SHAPE_CAPACITY, "[");
    for (int i = 0; i < tensor->n_dimensions && length < TENSOR_SHAPE_CAPACITY; i++)
        length += snprintf(text + length, TENSOR_SHAPE_CAPACITY - (size_t)length, "%s%lld", i ? ", " : "",
                           (long long)tensor->size[i]);
    if (length < TENSOR_SHAPE_CAPACITY - 1)
        snprintf(text + length, TENSOR_SHAPE_CAPACITY - (size_t)length, "]");
}
