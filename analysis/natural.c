/* SPDX-License-Identifier: MIT */
#include "natural.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_read.h"
#include "memory.h"
#include "results.h"

static enum status check_rank(const struct natural *natural, const char *name, const struct extent *extent,
                              int expected, struct error *error)
{
    if (extent->rank == expected && extent_count(extent) > 0)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT, "%s/%s: has %d dimensions, expected %d, none of them empty",
                     natural->where, name, extent->rank, expected);
}

static enum status read_units(struct natural *natural, size_t n_units, struct error *error)
{
    const struct extent extent = {1, {natural->n_rows}};
    int32_t *units = NULL;
    enum status status;
    TRY(MEMORY_ALLOCATE(natural->row_of_unit, n_units, error));
    memset(natural->row_of_unit, 0xff, n_units * sizeof *natural->row_of_unit);
    TRY_CLEANUP(MEMORY_ALLOCATE(units, natural->n_rows, error));
    TRY_CLEANUP(hdf5_read_rows(natural->id, natural->where, RESULTS_UNIT, H5T_NATIVE_INT32, &extent, 0,
                               natural->n_rows, units, error));
    for (size_t row = 0; row < natural->n_rows && status == STATUS_OK; row++) {
        if (units[row] < 0 || (size_t)units[row] >= n_units || natural->row_of_unit[units[row]] >= 0)
            status = error_set(error, STATUS_BAD_INPUT,
                               "%s/%s: row %zu names unit %d, expected each of 0..%zu at most once",
                               natural->where, RESULTS_UNIT, row, units[row], n_units - 1);
        else
            natural->row_of_unit[units[row]] = (int64_t)row;
    }
cleanup:
    free(units);
    return status;
}

static enum status read_best(struct natural *natural, struct error *error)
{
    const struct extent extent = {2, {natural->n_rows, natural->n_places}};
    const size_t n = natural->n_rows * natural->n_places;
    TRY(MEMORY_ALLOCATE(natural->top_image, n, error));
    TRY(MEMORY_ALLOCATE(natural->top_label, n, error));
    TRY(MEMORY_ALLOCATE(natural->top_activation, n, error));
    TRY(hdf5_read_rows(natural->id, natural->where, NATURAL_TOP_IMAGE, H5T_NATIVE_INT64, &extent, 0,
                       natural->n_rows, natural->top_image, error));
    TRY(hdf5_read_rows(natural->id, natural->where, NATURAL_TOP_LABEL, H5T_NATIVE_INT32, &extent, 0,
                       natural->n_rows, natural->top_label, error));
    return hdf5_read_rows(natural->id, natural->where, NATURAL_TOP_ACTIVATION, H5T_NATIVE_FLOAT, &extent, 0,
                          natural->n_rows, natural->top_activation, error);
}

/** The pixels themselves are read when they are shown. */
static enum status read_image_list(struct natural *natural, struct error *error)
{
    struct extent extent;
    if (!hdf5_exists(natural->id, NATURAL_RGB8))
        return STATUS_OK;
    TRY(hdf5_extent(natural->id, natural->where, NATURAL_RGB8, &extent, error));
    TRY(check_rank(natural, NATURAL_RGB8, &extent, 4, error));
    if (extent.size[3] != 1 && extent.size[3] != 3)
        return error_set(error, STATUS_BAD_INPUT, "%s/%s: has %llu colour channels, expected 1 or 3",
                         natural->where, NATURAL_RGB8, (unsigned long long)extent.size[3]);
    natural->height = extent.size[1];
    natural->width = extent.size[2];
    natural->channels = extent.size[3];
    const struct extent numbers = {1, {extent.size[0]}};
    TRY(MEMORY_ALLOCATE(natural->image, extent.size[0], error));
    TRY(hdf5_read_rows(natural->id, natural->where, NATURAL_IMAGE, H5T_NATIVE_INT64, &numbers, 0,
                       extent.size[0], natural->image, error));
    natural->n_images = extent.size[0];
    return STATUS_OK;
}

enum status natural_open(hid_t file, const char *path, const char *subject, size_t n_units,
                         struct natural *natural, struct error *error)
{
    char group[320];
    struct extent extent;
    *natural = (struct natural){.id = H5I_INVALID_HID};
    snprintf(group, sizeof group, "%s/%s", RESULTS_NATURAL, subject);
    snprintf(natural->where, sizeof natural->where, "%.*s:%s", 180, path, group);
    if (!hdf5_exists(file, group + 1))
        return STATUS_OK;
    natural->id = H5Gopen2(file, group, H5P_DEFAULT);
    if (natural->id < 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: cannot be opened as a group", natural->where);
    TRY(hdf5_read_number(natural->id, natural->where, NATURAL_N_IMAGES, &natural->n_dataset, error));
    TRY(hdf5_extent(natural->id, natural->where, NATURAL_TOP_ACTIVATION, &extent, error));
    TRY(check_rank(natural, NATURAL_TOP_ACTIVATION, &extent, 2, error));
    natural->n_rows = extent.size[0];
    natural->n_places = extent.size[1];
    TRY(read_units(natural, n_units, error));
    TRY(read_best(natural, error));
    return read_image_list(natural, error);
}

void natural_close(struct natural *natural)
{
    free(natural->row_of_unit);
    free(natural->top_image);
    free(natural->top_label);
    free(natural->top_activation);
    free(natural->image);
    if (natural->id > 0)
        H5Gclose(natural->id);
}

/** Of the best image of a unit; -1: it has none. */
static int64_t best_place(const struct natural *natural, size_t unit)
{
    const int64_t row = natural->n_rows == 0 ? -1 : natural->row_of_unit[unit];
    return row < 0 ? -1 : row * (int64_t)natural->n_places;
}

struct natural_reference natural_reference(const struct natural *natural, size_t unit)
{
    const int64_t place = best_place(natural, unit);
    return place < 0 ? (struct natural_reference){-1, -1}
                     : (struct natural_reference){natural->top_image[place], natural->top_label[place]};
}

double natural_best(const struct natural *natural, size_t unit)
{
    const int64_t place = best_place(natural, unit);
    return place >= 0 && isfinite(natural->top_activation[place]) ? (double)natural->top_activation[place]
                                                                  : NAN;
}

static int compare_numbers(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t natural_find(const struct natural *natural, int64_t image)
{
    const int64_t *found = natural->n_images == 0 ? NULL
                                                  : bsearch(&image, natural->image, natural->n_images,
                                                            sizeof *natural->image, compare_numbers);
    return found == NULL ? -1 : found - natural->image;
}

enum status natural_read_pixels(const struct natural *natural, size_t place, uint8_t *pixels,
                                struct error *error)
{
    const struct extent extent = {4, {natural->n_images, natural->height, natural->width, natural->channels}};
    return hdf5_read_rows(natural->id, natural->where, NATURAL_RGB8, H5T_NATIVE_UINT8, &extent, place, 1,
                          pixels, error);
}

/** Of the pixels of a unit's best image; -1: they are not there. */
static int64_t place_of_pixels(const struct natural *natural, size_t unit)
{
    const int64_t place = best_place(natural, unit);
    return place < 0 ? -1 : natural_find(natural, natural->top_image[place]);
}

bool natural_has_image(const struct natural *natural, size_t unit)
{
    return place_of_pixels(natural, unit) >= 0;
}

enum status natural_read_image(const struct natural *natural, size_t unit, uint8_t *pixels,
                               struct error *error)
{
    return natural_read_pixels(natural, (size_t)place_of_pixels(natural, unit), pixels, error);
}
