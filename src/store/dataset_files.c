/* SPDX-License-Identifier: MIT */
#include "dataset_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <png.h>

#include "memory.h"

enum { GREY = 1, RGB = 3 };

/* ---- binary rows ---- */

static enum status open_file(const char *path, FILE **stream, struct error *error)
{
    *stream = fopen(path, "rb");
    return *stream != NULL ? STATUS_OK : error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
}

static enum status count_rows(FILE *stream, const char *path, size_t row_bytes, size_t *n_rows,
                              struct error *error)
{
    struct stat information;
    if (fstat(fileno(stream), &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    const size_t n_bytes = (size_t)information.st_size;
    *n_rows = n_bytes / row_bytes;
    if (S_ISREG(information.st_mode) && n_bytes > 0 && n_bytes % row_bytes == 0)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: %zu bytes are not whole rows of %zu bytes (label and image); expected a binary "
                     "CIFAR-10 file, unpacked, or one named *-images-idx3-ubyte",
                     path, n_bytes, row_bytes);
}

static enum status read_at(FILE *stream, const char *path, long offset, size_t n_bytes, unsigned char *bytes,
                           struct error *error)
{
    errno = 0;
    if (fseek(stream, offset, SEEK_SET) != 0 || fread(bytes, 1, n_bytes, stream) != n_bytes)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read at byte %ld", path, offset);
    return STATUS_OK;
}

enum status binary_file_labels(const char *path, size_t row_bytes, unsigned char **labels, size_t *n_rows,
                               struct error *error)
{
    FILE *stream;
    TRY(open_file(path, &stream, error));
    enum status status = count_rows(stream, path, row_bytes, n_rows, error);
    *labels = NULL;
    if (status == STATUS_OK)
        status = MEMORY_ALLOCATE(*labels, *n_rows, error);
    for (size_t i = 0; status == STATUS_OK && i < *n_rows; i++)
        status = read_at(stream, path, (long)(i * row_bytes), 1, *labels + i, error);
    fclose(stream);
    if (status != STATUS_OK)
        free(*labels);
    return status;
}

enum status binary_file_read(const char *path, long offset, size_t n_bytes, unsigned char *bytes,
                             struct error *error)
{
    FILE *stream;
    TRY(open_file(path, &stream, error));
    const enum status status = read_at(stream, path, offset, n_bytes, bytes, error);
    fclose(stream);
    return status;
}

/* ---- PNG ---- */

static enum status check_format(const png_image *png, const char *path, const struct dataset_request *request,
                                struct error *error)
{
    const png_uint_32 format = png->format & ~(png_uint_32)PNG_FORMAT_FLAG_COLORMAP;
    if (request->channels != RGB && request->channels != GREY)
        return error_set(error, STATUS_BAD_INPUT, "%s: PNG images are RGB or grey, but %s takes %d channels",
                         path, request->model, request->channels);
    if (png->width != (png_uint_32)request->width || png->height != (png_uint_32)request->height)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: the image is %u x %u pixels (width x height); %s takes %d x %d", path,
                         (unsigned int)png->width, (unsigned int)png->height, request->model, request->width,
                         request->height);
    if (format == (request->channels == RGB ? PNG_FORMAT_FLAG_COLOR : 0))
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT, "%s: the image is %s%s%s; expected %s of 8 bits", path,
                     (png->format & PNG_FORMAT_FLAG_COLOR) != 0 ? "RGB" : "grey",
                     (png->format & PNG_FORMAT_FLAG_ALPHA) != 0 ? " with transparency" : "",
                     (png->format & PNG_FORMAT_FLAG_LINEAR) != 0 ? " of 16 bits" : "",
                     request->channels == RGB ? "RGB" : "grey");
}

/** Begins to read `png`; png_image_free it in any case. */
static enum status begin_png(FILE *stream, const char *path, const struct dataset_request *request,
                             png_image *png, struct error *error)
{
    if (!png_image_begin_read_from_stdio(png, stream))
        return error_set(error, STATUS_BAD_INPUT, "%s: cannot be read as PNG (%s)", path, png->message);
    return check_format(png, path, request, error);
}

enum status png_file_check(const char *path, const struct dataset_request *request, struct error *error)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    FILE *stream;
    TRY(open_file(path, &stream, error));
    const enum status status = begin_png(stream, path, request, &png, error);
    png_image_free(&png);
    fclose(stream);
    return status;
}

/** [height][width][channel] -> [channel][height][width] */
static void split_channels(const unsigned char *pixels, size_t n_pixels, size_t n_channels,
                           unsigned char *bytes)
{
    for (size_t c = 0; c < n_channels; c++)
        for (size_t p = 0; p < n_pixels; p++)
            bytes[c * n_pixels + p] = pixels[p * n_channels + c];
}

static enum status finish_png(png_image *png, const char *path, size_t n_channels, unsigned char *bytes,
                              struct error *error)
{
    const size_t n_pixels = (size_t)png->width * png->height;
    unsigned char *pixels = NULL;
    enum status status = STATUS_OK;
    png->format = n_channels == RGB ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
    TRY(MEMORY_ALLOCATE(pixels, n_pixels * n_channels, error));
    if (png_image_finish_read(png, /*background=*/NULL, pixels, /*row_stride=*/0, /*colormap=*/NULL))
        split_channels(pixels, n_pixels, n_channels, bytes);
    else
        status = error_set(error, STATUS_BAD_INPUT, "%s: cannot be read as PNG (%s)", path, png->message);
    free(pixels);
    return status;
}

enum status png_file_read(const char *path, const struct dataset_request *request, unsigned char *bytes,
                          struct error *error)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    FILE *stream;
    TRY(open_file(path, &stream, error));
    enum status status = begin_png(stream, path, request, &png, error);
    if (status == STATUS_OK)
        status = finish_png(&png, path, (size_t)request->channels, bytes, error);
    png_image_free(&png);
    fclose(stream);
    return status;
}
