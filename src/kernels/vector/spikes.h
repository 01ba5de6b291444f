/* SPDX-License-Identifier: MIT */
/** Spikes as bits; the arguments are those of struct spike_kernels. */
#ifndef MEICENSUS_VECTOR_SPIKES_H
#define MEICENSUS_VECTOR_SPIKES_H

#include "kernels.h"
#include "neurons.h"

void spikes_pack(int n_channels, int time, int n_pixels, const float *values, uint64_t *spikes);
void spikes_unpack(int n_channels, int time, int n_pixels, const uint64_t *spikes, float *values);
void spikes_max_pool(const struct pool_shape *shape, size_t n_words, const uint64_t *in, uint64_t *out,
                     float *scratch);
void spikes_count(int n_channels, size_t n_places, const uint64_t *spikes, int32_t *counts);
void spikes_of_static(const struct neuron *neuron, int n_channels, int time, int n_pixels,
                      const float *current, uint64_t *spikes, float *scratch);

/** Where the neurons of one pixel take their currents, and where their spikes go. */
struct pixel_neurons {
    const float *currents; /**< [time][current_step], the latter 0 where they are static */
    size_t current_step;
    const uint64_t *added;          /**< spikes to be added, of this pixel's first word; or NULL */
    uint64_t *spikes;               /**< of this pixel's first word */
    size_t n_words_frame;           /**< from one time step to the next, of both */
    size_t first, last, n_channels; /**< channels [first, last), whole vectors; n_channels there are */
    int time;
};

/** Run neurons over time from v_reset. */
void spikes_run_pixel(const struct neuron_constants *constants, const struct pixel_neurons *at);

extern const struct spike_kernels lanes_spikes;

#endif
