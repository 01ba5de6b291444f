/* SPDX-License-Identifier: MIT */
#include "cifar.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "memory.h"

static size_t image_bytes(const struct model *model)
{
    const struct map_shape shape = model_input_shape(model);
    return (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
}

static enum status check_labels(const char *path, const struct model *model,
                                const struct cifar_images *images, size_t first, struct error *error)
{
    for (size_t i = first; i < images->n_images; i++)
        if (cifar_label(images, i) >= model_n_classes(model))
            return error_set(error, STATUS_BAD_INPUT, "%s: image %zu has label %d, but %s has %d classes",
                             path, i - first, cifar_label(images, i), model_name(model),
                             model_n_classes(model));
    return STATUS_OK;
}

/** Add up to `n_rows` rows of an open file. */
static enum status append_rows(FILE *stream, const char *path, size_t n_rows, struct cifar_images *images,
                               struct error *error)
{
    const size_t old_bytes = images->n_images * images->row_bytes, new_bytes = n_rows * images->row_bytes;
    unsigned char *larger = realloc(images->rows, old_bytes + new_bytes);
    if (larger == NULL)
        return error_set(error, STATUS_INTERNAL, "%s: out of memory (%zu images)", path, n_rows);
    images->rows = larger;
    errno = 0;
    if (fread(larger + old_bytes, 1, new_bytes, stream) != new_bytes)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read to its end", path);
    images->n_images += n_rows;
    return STATUS_OK;
}

static enum status read_stream(FILE *stream, const char *path, size_t limit, struct cifar_images *images,
                               struct error *error)
{
    struct stat information;
    if (fstat(fileno(stream), &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    const size_t n_bytes = (size_t)information.st_size;
    if (!S_ISREG(information.st_mode) || n_bytes == 0 || n_bytes % images->row_bytes != 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: %zu bytes are not whole rows of %zu bytes (label and image); expected a binary "
                         "CIFAR-10 file, unpacked",
                         path, n_bytes, images->row_bytes);
    size_t n_rows = n_bytes / images->row_bytes;
    if (limit > 0 && n_rows > limit - images->n_images)
        n_rows = limit - images->n_images;
    return append_rows(stream, path, n_rows, images, error);
}

static enum status read_file(const char *path, const struct model *model, size_t limit,
                             struct cifar_images *images, struct error *error)
{
    const size_t first = images->n_images;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    enum status status = read_stream(stream, path, limit, images, error);
    fclose(stream);
    return status == STATUS_OK ? check_labels(path, model, images, first, error) : status;
}

/** Every *.bin of a folder, by name. */
static enum status read_folder(const char *path, const struct model *model, size_t limit,
                               struct cifar_images *images, struct error *error)
{
    char *pattern = NULL;
    glob_t found;
    const size_t capacity = strlen(path) + sizeof "/*.bin";
    TRY(MEMORY_ALLOCATE(pattern, capacity, error));
    snprintf(pattern, capacity, "%s/*.bin", path);
    const int code = glob(pattern, 0, NULL, &found);
    free(pattern);
    if (code != 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: no file *.bin in this folder", path);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < found.gl_pathc && status == STATUS_OK && (limit == 0 || images->n_images < limit);
         i++)
        status = read_file(found.gl_pathv[i], model, limit, images, error);
    globfree(&found);
    return status;
}

enum status cifar_read(const char *path, const struct model *model, size_t limit, struct cifar_images *images,
                       struct error *error)
{
    struct stat information;
    *images = (struct cifar_images){.row_bytes = 1 + image_bytes(model)};
    if (stat(path, &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    if (S_ISDIR(information.st_mode))
        return read_folder(path, model, limit, images, error);
    return read_file(path, model, limit, images, error);
}

void cifar_free(struct cifar_images *images)
{
    free(images->rows);
}

int cifar_label(const struct cifar_images *images, size_t image)
{
    return images->rows[image * images->row_bytes];
}

void cifar_normalised(const struct cifar_images *images, size_t image, const struct model *model,
                      float *values)
{
    const struct map_shape shape = model_input_shape(model);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    const unsigned char *bytes = images->rows + image * images->row_bytes + 1;
    for (size_t c = 0; c < (size_t)shape.channels; c++) {
        const float mean = (float)model_mean(model)[c], deviation = (float)model_std(model)[c];
        for (size_t p = 0; p < pixels; p++)
            values[c * pixels + p] = ((float)bytes[c * pixels + p] / 255.0f - mean) / deviation;
    }
}
