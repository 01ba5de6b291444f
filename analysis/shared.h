/* SPDX-License-Identifier: MIT */
/** The units that several subjects of a file have in common: the same layer, kind, channel and position. */
#ifndef MEICENSUS_ANALYSIS_SHARED_H
#define MEICENSUS_ANALYSIS_SHARED_H

#include "input.h"

/** The shared units of one layer, as one generator and method searched them. */
struct shared_set {
    const char *generator, *method;
    int generator_index, method_index; /**< place in the order of first mention in the file */
    const struct layer *layer;         /**< of the first subject that has it */
    int layer_index;                   /**< place in the order of first mention */
    const struct group **groups;       /**< [subject] NULL: the subject lacks the group */
    size_t n_units;                    /**< each of two subjects at least */
    int64_t *rows;                     /**< [unit][subject] row of the subject's group; -1: not searched */
};

/** Every set has a unit at least; sets of one generator and method stand together, in network order. */
struct shared {
    const struct input *input;
    int n_layers; /**< layer_index is below it */
    int n_sets;
    struct shared_set *sets;
};

/** The caller calls shared_free, also after a failure. */
enum status shared_find(const struct input *input, struct shared *shared, struct error *error);
void shared_free(struct shared *shared);

/** A unit of a set, as the first subject that has it knows it. */
const struct unit *shared_unit(const struct shared *shared, const struct shared_set *set, size_t unit);

#endif
