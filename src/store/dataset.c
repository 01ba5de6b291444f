/* SPDX-License-Identifier: MIT */
#include "dataset.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "dataset_files.h"
#include "memory.h"

/** What the files of a dataset are. */
enum file_kind { BINARY_ROWS, IDX, PNG };

/** A file of images. */
struct source {
    char *path;
    int label; /**< of a PNG; -1: none */
};

/** Where an image is. */
struct place {
    size_t source;
    int label;
    long offset; /**< of its bytes in a file of many images; -1: the source is a PNG */
};

struct dataset {
    struct dataset_request request;
    struct source *sources;
    size_t n_sources, source_capacity;
    struct place *images;
    size_t n_images, image_capacity;
};

size_t dataset_n_images(const struct dataset *dataset)
{
    return dataset->n_images;
}

int dataset_label(const struct dataset *dataset, size_t image)
{
    return dataset->images[image].label;
}

size_t dataset_image_values(const struct dataset *dataset)
{
    const struct dataset_request *request = &dataset->request;
    return (size_t)request->channels * (size_t)request->height * (size_t)request->width;
}

/* ---- which files there are ---- */

static enum status add_source(struct dataset *dataset, const char *folder, const char *name, int label,
                              struct error *error)
{
    const size_t length = strlen(folder) + strlen(name) + 2;
    TRY(memory_grow((void **)&dataset->sources, &dataset->source_capacity, dataset->n_sources,
                    sizeof *dataset->sources, error));
    struct source *source = &dataset->sources[dataset->n_sources];
    *source = (struct source){.label = label};
    TRY(MEMORY_ALLOCATE(source->path, length, error));
    snprintf(source->path, length, "%s%s%s", folder, folder[0] == '\0' ? "" : "/", name);
    dataset->n_sources++;
    return STATUS_OK;
}

static bool ends_with(const char *name, const char *suffix)
{
    const size_t length = strlen(name), n = strlen(suffix);
    return name[0] != '.' && length > n && strcasecmp(name + length - n, suffix) == 0;
}

/** Every file of a folder whose name ends so. */
static enum status add_files(struct dataset *dataset, const char *folder, const char *suffix, int label,
                             struct error *error)
{
    enum status status = STATUS_OK;
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return error_set_errno(error, STATUS_IO, "%s: the folder cannot be read", folder);
    for (const struct dirent *entry; status == STATUS_OK && (entry = readdir(stream)) != NULL;)
        if (ends_with(entry->d_name, suffix))
            status = add_source(dataset, folder, entry->d_name, label, error);
    closedir(stream);
    return status;
}

/** A sub-folder's name is a class of the model, or its number. */
static enum status class_of_folder(const struct dataset *dataset, const char *path, const char *name,
                                   int *label, struct error *error)
{
    const struct dataset_request *request = &dataset->request;
    char *end;
    *label = -1;
    if (request->n_classes == 0)
        return STATUS_OK;
    for (*label = 0; *label < request->n_classes; ++*label)
        if (strcmp(request->class_names[*label], name) == 0)
            return STATUS_OK;
    errno = 0;
    const long number = strtol(name, &end, 10);
    *label = (int)number;
    if (errno == 0 && name[0] >= '0' && name[0] <= '9' && *end == '\0' && number < request->n_classes)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: '%s' is no class of %s; expected the name of a class ('%s', ..) or its number, 0 "
                     "to %d",
                     path, name, request->model, request->n_classes > 0 ? request->class_names[0] : "",
                     request->n_classes - 1);
}

static bool is_folder(const char *path)
{
    struct stat information;
    return stat(path, &information) == 0 && S_ISDIR(information.st_mode);
}

static enum status add_class_folder(struct dataset *dataset, const char *folder, const char *name,
                                    struct error *error)
{
    const size_t length = strlen(folder) + strlen(name) + 2, before = dataset->n_sources;
    char *path = NULL;
    int label;
    TRY(MEMORY_ALLOCATE(path, length, error));
    snprintf(path, length, "%s/%s", folder, name);
    enum status status = is_folder(path) ? add_files(dataset, path, ".png", -1, error) : STATUS_OK;
    if (status == STATUS_OK && dataset->n_sources > before)
        status = class_of_folder(dataset, path, name, &label, error);
    for (size_t i = before; status == STATUS_OK && i < dataset->n_sources; i++)
        dataset->sources[i].label = label;
    free(path);
    return status;
}

static enum status add_class_folders(struct dataset *dataset, const char *folder, struct error *error)
{
    enum status status = STATUS_OK;
    DIR *stream = opendir(folder);
    if (stream == NULL)
        return error_set_errno(error, STATUS_IO, "%s: the folder cannot be read", folder);
    for (const struct dirent *entry; status == STATUS_OK && (entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.')
            status = add_class_folder(dataset, folder, entry->d_name, error);
    closedir(stream);
    return status;
}

static int compare_sources(const void *a, const void *b)
{
    const struct source *x = a, *y = b;
    return strcmp(x->path, y->path);
}

/* ---- which images they hold ---- */

static enum status add_image(struct dataset *dataset, size_t source, int label, long offset,
                             struct error *error)
{
    TRY(memory_grow((void **)&dataset->images, &dataset->image_capacity, dataset->n_images,
                    sizeof *dataset->images, error));
    dataset->images[dataset->n_images++] = (struct place){source, label, offset};
    return STATUS_OK;
}

static bool is_full(const struct dataset *dataset)
{
    return dataset->request.limit > 0 && dataset->n_images == dataset->request.limit;
}

/** Where the images of a file lie, and where their labels come from. */
struct layout {
    const char *labels_path;
    size_t first, stride; /**< bytes to the first image, and from one to the next */
};

/** The images of a file of which `labels` are read already. */
static enum status add_images(struct dataset *dataset, size_t source, const struct layout *layout,
                              const unsigned char *labels, size_t n_images, struct error *error)
{
    const struct dataset_request *request = &dataset->request;
    for (size_t i = 0; i < n_images && !is_full(dataset); i++) {
        if (request->n_classes > 0 && labels[i] >= request->n_classes)
            return error_set(error, STATUS_BAD_INPUT, "%s: image %zu has label %d, but %s has %d classes",
                             layout->labels_path, i, labels[i], request->model, request->n_classes);
        TRY(add_image(dataset, source, labels[i], (long)(layout->first + i * layout->stride), error));
    }
    return STATUS_OK;
}

static enum status add_binary(struct dataset *dataset, size_t source, struct error *error)
{
    const char *path = dataset->sources[source].path;
    const struct layout layout = {path, 1, 1 + dataset_image_values(dataset)};
    unsigned char *labels = NULL;
    size_t n_rows;
    TRY(binary_file_labels(path, layout.stride, &labels, &n_rows, error));
    enum status status = add_images(dataset, source, &layout, labels, n_rows, error);
    free(labels);
    return status;
}

static enum status add_idx(struct dataset *dataset, size_t source, struct error *error)
{
    const char *path = dataset->sources[source].path;
    char *labels_path = NULL;
    unsigned char *labels = NULL;
    size_t n_images;
    enum status status = STATUS_OK;
    TRY_CLEANUP(idx_labels_path(path, &labels_path, error));
    TRY_CLEANUP(idx_file_labels(path, labels_path, &dataset->request, &labels, &n_images, error));
    const struct layout layout = {labels_path, IDX_IMAGES_HEADER, dataset_image_values(dataset)};
    status = add_images(dataset, source, &layout, labels, n_images, error);
cleanup:
    free(labels);
    free(labels_path);
    return status;
}

static enum status add_png(struct dataset *dataset, size_t source, struct error *error)
{
    TRY(png_file_check(dataset->sources[source].path, &dataset->request, error));
    return add_image(dataset, source, dataset->sources[source].label, -1, error);
}

/** Every file of the first kind of which the folder has any. */
static enum status list_folder(struct dataset *dataset, const char *path, enum file_kind *kind,
                               struct error *error)
{
    *kind = BINARY_ROWS;
    TRY(add_files(dataset, path, ".bin", -1, error));
    if (dataset->n_sources == 0) {
        *kind = IDX;
        TRY(add_files(dataset, path, IDX_IMAGES_SUFFIX, -1, error));
    }
    if (dataset->n_sources == 0) {
        *kind = PNG;
        TRY(add_files(dataset, path, ".png", -1, error));
        TRY(add_class_folders(dataset, path, error));
    }
    if (dataset->n_sources == 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: no file *.bin (binary CIFAR-10), *" IDX_IMAGES_SUFFIX
                         " (unpacked) or *.png in this folder or, of the latter, in a folder of it",
                         path);
    qsort(dataset->sources, dataset->n_sources, sizeof *dataset->sources, compare_sources);
    return STATUS_OK;
}

static enum status list_images(struct dataset *dataset, const char *path, struct error *error)
{
    static enum status (*const add[])(struct dataset *, size_t, struct error *) = {
        [BINARY_ROWS] = add_binary, [IDX] = add_idx, [PNG] = add_png};
    struct stat information;
    const char *slash = strrchr(path, '/');
    enum file_kind kind = ends_with(slash != NULL ? slash + 1 : path, IDX_IMAGES_SUFFIX) ? IDX : BINARY_ROWS;
    if (stat(path, &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    TRY(S_ISDIR(information.st_mode) ? list_folder(dataset, path, &kind, error)
                                     : add_source(dataset, "", path, -1, error));
    for (size_t i = 0; i < dataset->n_sources && !is_full(dataset); i++)
        TRY(add[kind](dataset, i, error));
    return STATUS_OK;
}

enum status dataset_open(const char *path, const struct dataset_request *request, struct dataset **dataset,
                         struct error *error)
{
    struct dataset *made = NULL;
    TRY(MEMORY_ALLOCATE(made, 1, error));
    made->request = *request;
    enum status status = list_images(made, path, error);
    if (status == STATUS_OK)
        *dataset = made;
    else
        dataset_close(made);
    return status;
}

void dataset_close(struct dataset *dataset)
{
    if (dataset == NULL)
        return;
    for (size_t i = 0; i < dataset->n_sources; i++)
        free(dataset->sources[i].path);
    free(dataset->sources);
    free(dataset->images);
    free(dataset);
}

/* ---- images ---- */

enum status dataset_read(const struct dataset *dataset, size_t image, unsigned char *bytes,
                         struct error *error)
{
    const struct place *place = &dataset->images[image];
    const char *path = dataset->sources[place->source].path;
    if (place->offset < 0)
        return png_file_read(path, &dataset->request, bytes, error);
    return binary_file_read(path, place->offset, dataset_image_values(dataset), bytes, error);
}

void dataset_normalise(const struct dataset *dataset, const unsigned char *bytes, const double *mean,
                       const double *std, float *values)
{
    const size_t pixels = (size_t)dataset->request.height * (size_t)dataset->request.width;
    for (size_t c = 0; c < (size_t)dataset->request.channels; c++) {
        const float channel_mean = (float)mean[c], deviation = (float)std[c];
        for (size_t p = 0; p < pixels; p++)
            values[c * pixels + p] = ((float)bytes[c * pixels + p] / 255.0f - channel_mean) / deviation;
    }
}

enum status dataset_sha256(const struct dataset *dataset, char text[SHA256_TEXT_CAPACITY],
                           struct error *error)
{
    enum { DIGITS = SHA256_TEXT_CAPACITY - 1, LABEL_BYTES = 4, HEAD = DIGITS + LABEL_BYTES };
    const size_t n_values = dataset_image_values(dataset);
    unsigned char *block = NULL;
    enum status status = STATUS_OK;
    memset(text, '0', DIGITS);
    text[DIGITS] = '\0';
    TRY(MEMORY_ALLOCATE(block, HEAD + n_values, error));
    for (size_t i = 0; status == STATUS_OK && i < dataset->n_images; i++) {
        const unsigned int label = (unsigned int)dataset->images[i].label;
        memcpy(block, text, DIGITS);
        for (int b = 0; b < LABEL_BYTES; b++)
            block[DIGITS + b] = (unsigned char)(label >> (8 * b));
        status = dataset_read(dataset, i, block + HEAD, error);
        if (status == STATUS_OK)
            status = hash_bytes_sha256(block, HEAD + n_values, text, error);
    }
    free(block);
    return status;
}
