/* SPDX-License-Identifier: MIT */
#include "widen.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "safetensors.h"

enum { HEADER_CAPACITY = 1 << 16, COPIES = 2 };

/** How often a tensor's rows, and the inputs of each row, are repeated. The channels of images stay 3. */
struct widening {
    int rows, inputs;
};

static struct widening widening_of(const struct tensor *tensor)
{
    const bool makes_images = strncmp(tensor->name, "c5.", strlen("c5.")) == 0;
    const bool reads_channels = tensor->n_dimensions == 4;
    return (struct widening){makes_images ? 1 : COPIES, reads_channels ? COPIES : 1};
}

static size_t widened_bytes(const struct tensor *tensor)
{
    const struct widening by = widening_of(tensor);
    return sizeof(float) * tensor->n_values * (size_t)by.rows * (size_t)by.inputs;
}

/** The entry of a tensor in the header; returns its length. */
static int print_entry(const struct tensor *tensor, size_t offset, char *text, size_t capacity)
{
    const struct widening by = widening_of(tensor);
    char shape[TENSOR_SHAPE_CAPACITY] = "";
    int length = 0;
    for (int i = 0; i < tensor->n_dimensions; i++)
        length += snprintf(shape + length, sizeof shape - (size_t)length, "%s%lld", i == 0 ? "" : ",",
                           (long long)tensor->size[i] * (i == 0   ? by.rows
                                                         : i == 1 ? by.inputs
                                                                  : 1));
    return snprintf(text, capacity, "\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                    tensor->name, shape, offset, offset + widened_bytes(tensor));
}

static enum status write_header(const struct tensor_file *file, FILE *out, struct error *error)
{
    char *header = NULL;
    size_t offset = 0;
    TRY(MEMORY_ALLOCATE(header, HEADER_CAPACITY, error));
    uint64_t length = 0;
    for (size_t i = 0; i < file->n_tensors && length < HEADER_CAPACITY; i++) {
        header[length++] = i == 0 ? '{' : ',';
        length += (uint64_t)print_entry(&file->tensors[i], offset, header + length, HEADER_CAPACITY - length);
        offset += widened_bytes(&file->tensors[i]);
    }
    if (length + 1 >= HEADER_CAPACITY) {
        free(header);
        return error_set(error, STATUS_BAD_INPUT, "%s: too many tensors", file->path);
    }
    header[length++] = '}';
    fwrite(&length, sizeof length, 1, out);
    fwrite(header, 1, length, out);
    free(header);
    return STATUS_OK;
}

static void write_tensor(const struct tensor *tensor, FILE *out)
{
    const struct widening by = widening_of(tensor);
    const size_t n_rows = (size_t)tensor->size[0], row = tensor->n_values / n_rows;
    const float share = 1.0f / (float)by.inputs;
    for (size_t r = 0; r < n_rows * (size_t)by.rows; r++)
        for (size_t i = 0; i < row * (size_t)by.inputs; i++) {
            const float value = share * tensor->values[(r % n_rows) * row + i % row];
            fwrite(&value, sizeof value, 1, out);
        }
}

static enum status write_file(const struct tensor_file *file, const char *to, struct error *error)
{
    FILE *out = fopen(to, "wb");
    if (out == NULL)
        return error_set_errno(error, STATUS_IO, "%s cannot be created", to);
    enum status status = write_header(file, out, error);
    for (size_t i = 0; i < file->n_tensors && status == STATUS_OK; i++)
        write_tensor(&file->tensors[i], out);
    const bool is_written = !ferror(out);
    if ((fclose(out) != 0 || !is_written) && status == STATUS_OK)
        return error_set_errno(error, STATUS_IO, "%s cannot be written", to);
    return status;
}

enum status widen_generator(const char *from, const char *to, struct error *error)
{
    struct tensor_file *file;
    TRY(tensor_file_read(from, &file, error));
    const enum status status = write_file(file, to, error);
    tensor_file_free(file);
    return status;
}
