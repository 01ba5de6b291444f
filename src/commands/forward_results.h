/* SPDX-License-Identifier: MIT */
/** What a network gave for a number of inputs, and the HDF5 file of it. */
#ifndef MEICENSUS_FORWARD_RESULTS_H
#define MEICENSUS_FORWARD_RESULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "hdf5_arrays.h"
#include "network.h"

/** What one selectable layer gave, for all inputs. */
struct layer_results {
    int layer; /**< of the model */
    struct map_shape shape;
    float *rate;     /**< [n_inputs][channels] */
    uint8_t *spikes; /**< [n_inputs][T][channels][height][row_bytes], or NULL */
};

struct forward_results {
    size_t n_inputs;
    size_t output_values; /**< of one input */
    float *output;        /**< [n_inputs][output_values] */
    int n_layers;
    struct layer_results *layers;
};

/** Room for n_inputs inputs. forward_results_free it, also after a fault; zero-initialise it. */
enum status forward_results_make(const struct network *network, int64_t n_inputs, bool wants_spikes,
                                 struct forward_results *results, struct error *error);
void forward_results_free(struct forward_results *results);

/** Keep what the last forward, to the output layer, gave for input number `input`. */
void forward_results_keep(const struct network *network, struct forward_results *results, size_t input);

enum status forward_results_write(const struct network *network, const struct forward_results *results,
                                  struct hdf5_arrays *file, struct error *error);

#endif
