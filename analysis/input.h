/* SPDX-License-Identifier: MIT */
/**
 * A results file, checked: subjects, their units and layers, and the groups (generator x method) with the
 * numbers of their runs. Per-run arrays are [row][replicate]; what is large (histories, codes, images) is
 * read on demand with input_read.
 */
#ifndef MEICENSUS_ANALYSIS_INPUT_H
#define MEICENSUS_ANALYSIS_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <hdf5.h>

#include "natural.h"
#include "record.h"
#include "results.h"
#include "status.h"

enum { NAME_CAPACITY = 256 };

struct unit {
    int layer; /**< place in subject->layers */
    enum unit_kind kind;
    int channel, y, x;
};

/** Units of one kind in one layer, in network order, class outputs last. Kinds are kept apart: their
 * activations differ in meaning. */
struct layer {
    char name[NAME_CAPACITY];
    int network_index;
    enum unit_kind kind;
};

/** What became of a row, over its replicates that are done. NAN where there are none. */
struct unit_result {
    int n_done;
    int best_replicate; /**< -1 if none is done */
    double activation;  /**< mean over replicates */
    double variation;   /**< standard deviation / mean over replicates */
    double entropy;     /**< normalised, mean over trials and replicates */
    double perplexity;  /**< relative: 2^H / classes, mean over trials and replicates */
    int top_class;      /**< most probable class for the best replicate's MEI; -1 if none */
    double top_probability;
    double natural;  /**< activation for the dataset image that excites the unit most */
    double relative; /**< activation / natural; NAN where natural is not above 0, or `activation` minimised */
};

struct group {
    int generator, method;         /**< places in the subject's lists */
    char where[2 * NAME_CAPACITY]; /**< file and path, for messages */
    hid_t id;
    size_t n_rows, n_replicates;
    struct record_sizes sizes; /**< budget is not known here: it sizes `trace` only */
    bool minimise, codebook;
    bool is_shared;  /**< its units shared their images: queries are those of all of them */
    bool is_chained; /**< its replicates had to be unlike those before: the history of the first alone is one
                        of activations */
    int64_t latent_points;
    char noise[NAME_CAPACITY];
    int32_t *unit;        /**< [row] place in subject->units */
    int64_t *row_of_unit; /**< [unit] row, -1 if the group does not have the unit */
    uint8_t *status, *stop_reason, *silent, *saturated;
    float *activation;
    int64_t *queries;
    int64_t *history_queries;
    char **class_names;
    struct unit_result *results; /**< [row] */
};

struct subject {
    char name[NAME_CAPACITY];
    size_t n_units;
    struct unit *units;
    int n_layers;
    struct layer *layers;
    int n_generators, n_methods;
    char (*generators)[NAME_CAPACITY], (*methods)[NAME_CAPACITY];
    int n_groups;
    struct group *groups;
    struct natural natural;
};

struct input {
    const char *path;
    hid_t file;
    int n_subjects;
    struct subject *subjects; /**< in the job's order */
};

/** Opens and reads; see hdf5_open for what is refused. The caller calls input_close, also after a failure. */
enum status input_open(const char *path, struct input *input, struct error *error);
void input_close(struct input *input);

/** Rows [first, first + n) of a field into `buffer` [n][replicate][...] of the field's own type. */
enum status input_read(const struct group *group, enum record_field_id field, size_t first, size_t n,
                       void *buffer, struct error *error);

/** Why a run failed; "" if the file does not say. */
enum status input_read_message(const struct group *group, size_t row, size_t replicate,
                               char message[RECORD_TEXT_BYTES + 1], struct error *error);

/** Elements of a field for one row (all replicates). */
size_t input_row_elements(const struct group *group, enum record_field_id field);

/** The group of that generator and method, or NULL. */
const struct group *input_find_group(const struct subject *subject, int generator, int method);

bool input_run_done(const struct group *group, size_t row, size_t replicate);

/** Layer of a row. */
int input_layer_of(const struct subject *subject, const struct group *group, size_t row);

/** "12" for a channel or class, "12,3,4" for a neuron (channel, y, x). */
enum { UNIT_LABEL_CAPACITY = 48 };
void input_unit_label(const struct unit *unit, char label[UNIT_LABEL_CAPACITY]);

/** The layer's name, with the kind where it is not a channel. */
void input_layer_label(const struct layer *layer, char label[NAME_CAPACITY + 16]);

#endif
