/* SPDX-License-Identifier: MIT */
#include "random_weights.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "random.h"

/** A tensor of the generator; a size of 0 ends the shape, -1 stands for the width. */
struct entry {
    const char *name;
    int size[4];
    float scale, offset; /**< values are offset + scale * N(0, 1) */
};

#define NORM(prefix)                                                                                         \
    {prefix ".weight", {-1}, 0.1f, 1}, {prefix ".bias", {-1}, 0.1f, 0},                                      \
        {prefix ".running_mean", {-1}, 0.1f, 0},                                                             \
    {                                                                                                        \
        prefix ".running_var", {-1}, 0, 1                                                                    \
    }
#define CONVOLUTION(prefix, out, side, scale)                                                                \
    {prefix ".weight", {out, -1, side, side}, scale, 0},                                                     \
    {                                                                                                        \
        prefix ".bias", {out}, 0.1f, 0                                                                       \
    }
#define BLOCK(prefix)                                                                                        \
    NORM(prefix ".b1"), NORM(prefix ".b2"), CONVOLUTION(prefix ".c1", -1, 3, 0.02f),                         \
        CONVOLUTION(prefix ".c2", -1, 3, 0.02f), CONVOLUTION(prefix ".c_sc", -1, 1, 0.05f)

static const struct entry entries[] = {{"l1.weight", {-16, 128}, 0.05f, 0},
                                       {"l1.bias", {-16}, 0.1f, 0},
                                       BLOCK("block2"),
                                       BLOCK("block3"),
                                       BLOCK("block4"),
                                       NORM("b5"),
                                       CONVOLUTION("c5", 3, 3, 0.02f)};
enum { N_ENTRIES = sizeof entries / sizeof *entries };

static size_t entry_values(const struct entry *entry, int width, char shape[64])
{
    size_t n = 1;
    int length = 0;
    shape[0] = '\0';
    for (int i = 0; i < 4 && entry->size[i] != 0; i++) {
        const int size = entry->size[i] < 0 ? -entry->size[i] * width : entry->size[i];
        n *= (size_t)size;
        length += snprintf(shape + length, 64 - (size_t)length, "%s%d", i ? "," : "", size);
    }
    return n;
}

static void write_header(FILE *out, int width)
{
    static char header[1 << 16];
    size_t length = 0, offset = 0;
    for (int i = 0; i < N_ENTRIES; i++) {
        char shape[64];
        const size_t bytes = 4 * entry_values(&entries[i], width, shape);
        length += (size_t)snprintf(header + length, sizeof header - length,
                                   "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                                   i ? "," : "{", entries[i].name, shape, offset, offset + bytes);
        offset += bytes;
    }
    length += (size_t)snprintf(header + length, sizeof header - length, "}");
    const uint64_t bytes = length;
    fwrite(&bytes, sizeof bytes, 1, out);
    fwrite(header, 1, length, out);
}

static void write_values(FILE *out, int index, int width)
{
    char shape[64];
    const size_t n = entry_values(&entries[index], width, shape);
    for (size_t i = 0; i < n; i++) {
        uint32_t words[4];
        double normal[2];
        random_words((uint64_t)index, (struct random_counter){{0, (uint32_t)i, 0, 0}}, words);
        random_normal_pair(words[0], words[1], normal);
        const float value = entries[index].offset + entries[index].scale * (float)normal[0];
        fwrite(&value, sizeof value, 1, out);
    }
}

static enum status copy_file(const char *from, const char *to, struct error *error)
{
    char block[4096];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    if (in == NULL || out == NULL)
        return error_set_errno(error, STATUS_IO, "%s cannot be copied to %s", from, to);
    for (size_t n; (n = fread(block, 1, sizeof block, in)) > 0;)
        fwrite(block, 1, n, out);
    fclose(in);
    return fclose(out) == 0 ? STATUS_OK : error_set_errno(error, STATUS_IO, "%s", to);
}

enum status random_weights_write(const char *architecture, const char *copy, const char *tensors, int width,
                                 struct error *error)
{
    TRY(copy_file(architecture, copy, error));
    FILE *out = fopen(tensors, "wb");
    if (out == NULL)
        return error_set_errno(error, STATUS_IO, "%s cannot be created", tensors);
    write_header(out, width);
    for (int i = 0; i < N_ENTRIES; i++)
        write_values(out, i, width);
    return fclose(out) == 0 ? STATUS_OK : error_set_errno(error, STATUS_IO, "%s cannot be written", tensors);
}
