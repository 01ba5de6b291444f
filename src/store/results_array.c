/* SPDX-License-Identifier: MIT */
#include "results_array.h"

#include <stdio.h>
#include <string.h>

#include "hdf5_calls.h"

/* A chunk is cheap to read for one unit, and large enough to be worth its place in the index. */
enum { CHUNK_BYTES = 1 << 18, STEP_BYTES = 1 << 25 };

const struct results_scale results_scale_unit = {RESULTS_UNIT, "1", "unit",
                                                 "row of the subject's table in /units"};
const struct results_scale results_scale_replicate = {RESULTS_REPLICATE, "1", "replicate",
                                                      "number of the repetition of the search, from 0"};

static const struct results_scale extent_scales[] = {
    [EXTENT_DIMENSIONS] = {"dimension", "1", "latent dimension", "number of the latent index, from 0"},
    [EXTENT_CHANNELS] = {"channel", "1", "colour channel", "number of the image channel, from 0"},
    [EXTENT_HEIGHT] = {"y", "pixels", "image row", "number of the image row, from 0 at the top"},
    [EXTENT_WIDTH] = {"x", "pixels", "image column", "number of the image column, from 0 at the left"},
    [EXTENT_HISTORY] = {RESULTS_HISTORY_QUERIES, "queries", "queries used",
                        "queries after which history was sampled"},
    [EXTENT_TRACE] = {"query", "queries", "query", "1-based number of the query"},
    [EXTENT_TRIALS] = {"trial", "1", "trial", "number of the presentation of the MEI, from 0"},
    [EXTENT_CLASSES] = {RESULTS_CLASS_NAME, "1", "class name", "name of the class output"},
    [EXTENT_CANDIDATES] = {"candidate", "1", "candidate",
                           "number of the code in the recheck, best score first"},
};

const struct results_scale *results_scale_of(enum record_size extent)
{
    return extent == EXTENT_NONE ? NULL : &extent_scales[extent];
}

static bool is_name(const char *name)
{
    return name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

enum status results_group_path(const struct results_group *group, enum record_place place,
                               char path[RESULTS_PATH_CAPACITY], struct error *error)
{
    const char *root = place == PLACE_PROVENANCE ? RESULTS_PROVENANCE "/runs" : RESULTS_CENSUS;
    int length = snprintf(path, RESULTS_PATH_CAPACITY, "%s/%s/%s/%s", root, group->subject, group->generator,
                          group->method);
    if (!is_name(group->subject) || !is_name(group->generator) || !is_name(group->method) || length < 0 ||
        length >= RESULTS_PATH_CAPACITY / 2)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: names of subject, generator and method must be short, not empty, and without '/'", path);
    return STATUS_OK;
}

static void add_dimension(struct results_array *array, hsize_t extent, const struct results_scale *scale)
{
    array->shape[array->n_dimensions] = extent;
    array->scales[array->n_dimensions++] = scale;
}

enum status results_array_make(const struct results_group *group, enum record_field_id id,
                               struct results_array *array, bool *exists, struct error *error)
{
    const struct record_field *field = &record_fields[id];
    struct record_layout layout;
    TRY(record_layout_make(&group->sizes, &layout, error));
    *exists = layout.n_elements[id] > 0 && (field->place != PLACE_TRACE || group->include_trace);
    if (!*exists)
        return STATUS_OK;
    *array = (struct results_array){.id = id, .field = field};
    TRY(results_group_path(group, field->place, array->path, error));
    size_t length = strlen(array->path);
    snprintf(array->path + length, sizeof array->path - length, "/%s", field->name);
    add_dimension(array, group->n_units, &results_scale_unit);
    add_dimension(array, group->n_replicates, &results_scale_replicate);
    for (int i = 0; i < RECORD_MAX_RANK && field->shape[i] != EXTENT_NONE; i++)
        add_dimension(array, (hsize_t)record_size_value(&group->sizes, field->shape[i]),
                      results_scale_of(field->shape[i]));
    array->run_bytes = layout.n_elements[id] * record_type_bytes(field->type);
    array->compressed = array->n_dimensions > 2 || field->type == RECORD_TEXT;
    hdf5_choose_chunk(array->n_dimensions, array->shape, record_type_bytes(field->type), CHUNK_BYTES,
                      array->chunk);
    return STATUS_OK;
}

static hsize_t ceiling(hsize_t a, hsize_t b)
{
    return (a + b - 1) / b;
}

static hsize_t smaller(hsize_t a, hsize_t b)
{
    return a < b ? a : b;
}

size_t results_array_bytes(const struct results_array *array)
{
    enum { CHUNK_OVERHEAD = 256 }; /* checksum, place in the index, blocks that do not shrink */
    size_t n_chunks = 1, chunk_bytes = record_type_bytes(array->field->type);
    for (int i = 0; i < array->n_dimensions; i++) {
        n_chunks *= ceiling(array->shape[i], array->chunk[i]);
        chunk_bytes *= array->chunk[i];
    }
    return n_chunks * (chunk_bytes + chunk_bytes / 1000 + CHUNK_OVERHEAD);
}

struct results_division results_divide(const struct results_array *array, int rank, int size)
{
    const hsize_t n_units = array->shape[0], chunk = array->chunk[0];
    const hsize_t n_chunks = ceiling(n_units, chunk), chunks_a_rank = ceiling(n_chunks, (hsize_t)size);
    const hsize_t row_bytes = array->shape[1] * array->run_bytes;
    struct results_division division = {.n_replicates = array->shape[1],
                                        .first_unit = smaller(n_units, (hsize_t)rank * chunks_a_rank * chunk),
                                        .end_unit =
                                            smaller(n_units, ((hsize_t)rank + 1) * chunks_a_rank * chunk),
                                        .replicates_a_step = array->shape[1]};
    if (chunk * row_bytes > STEP_BYTES)
        division.replicates_a_step = array->chunk[1];
    const hsize_t chunk_row_bytes = chunk * division.replicates_a_step * array->run_bytes;
    const hsize_t chunks_a_step = STEP_BYTES > chunk_row_bytes ? STEP_BYTES / chunk_row_bytes : 1;
    division.units_a_step = chunk * smaller(chunks_a_step, chunks_a_rank);
    division.replicate_steps = ceiling(array->shape[1], division.replicates_a_step);
    division.n_steps = ceiling(chunks_a_rank * chunk, division.units_a_step) * division.replicate_steps;
    division.buffer_bytes = division.units_a_step * division.replicates_a_step * array->run_bytes;
    return division;
}

struct results_block results_block_at(const struct results_division *division, size_t step)
{
    const hsize_t unit =
        division->first_unit + (hsize_t)(step / division->replicate_steps) * division->units_a_step;
    const hsize_t replicate = (hsize_t)(step % division->replicate_steps) * division->replicates_a_step;
    struct results_block block = {.first_unit = unit, .first_replicate = replicate};
    if (unit < division->end_unit) {
        block.n_units = smaller(division->units_a_step, division->end_unit - unit);
        block.n_replicates = smaller(division->replicates_a_step, division->n_replicates - replicate);
    }
    return block;
}

hid_t results_select(hid_t file_space, const struct results_array *array, const struct results_block *block)
{
    hsize_t start[ARRAY_MAX_RANK] = {block->first_unit, block->first_replicate}, count[ARRAY_MAX_RANK];
    memcpy(count, array->shape, sizeof count);
    count[0] = block->n_units;
    count[1] = block->n_replicates;
    if (block->n_units == 0) {
        hid_t nothing = H5Scopy(file_space);
        H5Sselect_none(nothing);
        H5Sselect_none(file_space);
        return nothing;
    }
    if (H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) < 0)
        return H5I_INVALID_HID;
    return H5Screate_simple(array->n_dimensions, count, NULL);
}
