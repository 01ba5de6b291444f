/* SPDX-License-Identifier: MIT */
/**
 * Strict reader of safetensors files (https://github.com/huggingface/safetensors, format as of 0.5).
 *
 * Refused, naming file and tensor: header above 16 MiB or not JSON, duplicate names, types other than F32
 * and F16, offsets that overlap, leave holes or do not end with the file, sizes that do not fit the shape,
 * values that are not finite.
 */
#ifndef MEICENSUS_SAFETENSORS_H
#define MEICENSUS_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum { TENSOR_MAX_DIMENSIONS = 8 };

struct tensor {
    char *name;
    int n_dimensions;
    int64_t size[TENSOR_MAX_DIMENSIONS];
    size_t n_values;
    float *values; /**< float32, whatever the file holds; belongs to the file */
    bool is_used;  /**< set by whoever takes it, so that what nobody takes can be refused */
};

struct tensor_file {
    char *path;
    size_t n_tensors;
    struct tensor *tensors;
};

/** Read and check the whole file. The caller frees it with tensor_file_free. STATUS_IO, STATUS_BAD_INPUT. */
enum status tensor_file_read(const char *path, struct tensor_file **file, struct error *error);
void tensor_file_free(struct tensor_file *file);

/** The tensor of that name, or NULL. */
const struct tensor *tensor_find(const struct tensor_file *file, const char *name);

/** "[64, 3, 7, 7]" for messages. */
enum { TENSOR_SHAPE_CAPACITY = 128 };
void tensor_shape_text(const struct tensor *tensor, char text[TENSOR_SHAPE_CAPACITY]);

#endif
