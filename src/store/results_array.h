/* SPDX-License-Identifier: MIT */
/** A record field of a group as an array in the results file: where it is, its shape, how it is divided. */
#ifndef MEICENSUS_RESULTS_ARRAY_H
#define MEICENSUS_RESULTS_ARRAY_H

#include <hdf5.h>

#include "results_file.h"

enum { RESULTS_PATH_CAPACITY = 1024, ARRAY_MAX_RANK = 2 + RECORD_MAX_RANK };

/** Dimension scale of a record extent: a dataset in the group, named after the dimension. */
struct results_scale {
    const char *name, *units, *long_name, *description;
};

extern const struct results_scale results_scale_unit, results_scale_replicate;

/** NULL for EXTENT_NONE. */
const struct results_scale *results_scale_of(enum record_size extent);

struct results_array {
    enum record_field_id id;
    const struct record_field *field;
    char path[RESULTS_PATH_CAPACITY];
    int n_dimensions;
    hsize_t shape[ARRAY_MAX_RANK]; /**< [unit][replicate][field's own extents] */
    hsize_t chunk[ARRAY_MAX_RANK];
    const struct results_scale *scales[ARRAY_MAX_RANK];
    size_t run_bytes; /**< of one (unit, replicate) */
    bool compressed;
};

/** Path of the group in /census or, for provenance fields, in /provenance/runs. */
enum status results_group_path(const struct results_group *group, enum record_place place,
                               char path[RESULTS_PATH_CAPACITY], struct error *error);

/**
 * The array of `field` in `group`, of which subject, generator, method, sizes, n_units, n_replicates and
 * include_trace are used. *exists is false, and the array not set, for a trace that is not wanted and for a
 * field without elements.
 */
enum status results_array_make(const struct results_group *group, enum record_field_id field,
                               struct results_array *array, bool *exists, struct error *error);

/** Bytes the array takes in the file at most. */
size_t results_array_bytes(const struct results_array *array);

/** A part of an array: whole runs. */
struct results_block {
    hsize_t first_unit, n_units;
    hsize_t first_replicate, n_replicates;
};

/** How the ranks go through an array: each has a contiguous block of whole chunks, in equally many steps. */
struct results_division {
    hsize_t first_unit, end_unit; /**< of this rank */
    hsize_t units_a_step, replicates_a_step, n_replicates;
    size_t replicate_steps;
    size_t n_steps;      /**< equal on all ranks */
    size_t buffer_bytes; /**< that hold any block */
};

struct results_division results_divide(const struct results_array *array, int rank, int size);

/** Block of a step; n_units is 0 when this rank has nothing (more) to do. */
struct results_block results_block_at(const struct results_division *division, size_t step);

/** Select a block in the array's file space; the matching memory space is returned (to be closed). */
hid_t results_select(hid_t file_space, const struct results_array *array, const struct results_block *block);

#endif
