/* SPDX-License-Identifier: MIT */
/* IDX files (MNIST, Fashion-MNIST): a magic number, sizes, bytes; all numbers big-endian. */
#include "dataset_files.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "memory.h"

enum { WORD = 4, IMAGES = 0x803, LABELS = 0x801, MAX_SIZES = 3 };

struct header {
    size_t n_sizes, n_bytes; /**< of the header itself */
    uint32_t sizes[MAX_SIZES];
};

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/** The sizes have to announce what the file holds. */
static enum status check_length(const struct header *header, const char *path, size_t n_file_bytes,
                                struct error *error)
{
    const size_t n_values = n_file_bytes - header->n_bytes;
    size_t n_announced = 1;
    bool overflows = false;
    for (size_t i = 0; i < header->n_sizes; i++)
        overflows |= __builtin_mul_overflow(n_announced, (size_t)header->sizes[i], &n_announced);
    if (!overflows && n_announced == n_values && n_values > 0)
        return STATUS_OK;
    if (header->n_sizes == 1)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: the header announces %" PRIu32 " labels, but %zu bytes follow it", path,
                         header->sizes[0], n_values);
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: the header announces %" PRIu32 " images of %" PRIu32 " x %" PRIu32
                     " bytes, but %zu bytes follow it",
                     path, header->sizes[0], header->sizes[1], header->sizes[2], n_values);
}

/** magic: IMAGES or LABELS, whose last byte is the number of sizes. */
static enum status read_header(const char *path, uint32_t magic, struct header *header, struct error *error)
{
    unsigned char bytes[WORD * (1 + MAX_SIZES)] = {0};
    struct stat information;
    if (stat(path, &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    const size_t n_file_bytes = S_ISREG(information.st_mode) ? (size_t)information.st_size : 0;
    header->n_sizes = magic & 0xff;
    header->n_bytes = WORD * (1 + header->n_sizes);
    if (n_file_bytes < header->n_bytes)
        return error_set(error, STATUS_BAD_INPUT, "%s: %zu bytes are too few for the header of an IDX file",
                         path, n_file_bytes);
    TRY(binary_file_read(path, 0, header->n_bytes, bytes, error));
    if (big_endian(bytes) != magic)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: begins with 0x%08" PRIx32
                         "; expected an IDX file of %s, unpacked: 0x%08" PRIx32,
                         path, big_endian(bytes), magic == IMAGES ? "images" : "labels", magic);
    for (size_t i = 0; i < header->n_sizes; i++)
        header->sizes[i] = big_endian(bytes + WORD * (1 + i));
    return check_length(header, path, n_file_bytes, error);
}

static enum status check_shape(const struct header *images, const char *path,
                               const struct dataset_request *request, struct error *error)
{
    if (request->channels == 1 && images->sizes[1] == (uint32_t)request->height &&
        images->sizes[2] == (uint32_t)request->width)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: the images are 1 x %" PRIu32 " x %" PRIu32
                     " (channels x height x width); %s takes %d x %d x %d",
                     path, images->sizes[1], images->sizes[2], request->model, request->channels,
                     request->height, request->width);
}

enum status idx_labels_path(const char *images_path, char **labels_path, struct error *error)
{
    TRY(memory_copy_text(labels_path, images_path, error));
    memcpy(*labels_path + strlen(images_path) - strlen(IDX_IMAGES_SUFFIX), IDX_LABELS_SUFFIX,
           strlen(IDX_LABELS_SUFFIX));
    return STATUS_OK;
}

enum status idx_file_labels(const char *images_path, const char *labels_path,
                            const struct dataset_request *request, unsigned char **labels, size_t *n_images,
                            struct error *error)
{
    struct header images = {0}, classes = {0};
    TRY(read_header(images_path, IMAGES, &images, error));
    TRY(check_shape(&images, images_path, request, error));
    TRY(read_header(labels_path, LABELS, &classes, error));
    if (classes.sizes[0] != images.sizes[0])
        return error_set(error, STATUS_BAD_INPUT, "%s: %" PRIu32 " labels for the %" PRIu32 " images of %s",
                         labels_path, classes.sizes[0], images.sizes[0], images_path);
    *n_images = images.sizes[0];
    TRY(MEMORY_ALLOCATE(*labels, *n_images, error));
    const enum status status =
        binary_file_read(labels_path, (long)classes.n_bytes, *n_images, *labels, error);
    if (status != STATUS_OK) {
        free(*labels);
        *labels = NULL;
    }
    return status;
}
