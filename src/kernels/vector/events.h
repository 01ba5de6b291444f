/* SPDX-License-Identifier: MIT */
/**
 * Convolutions of spikes, event by event: every spike adds its rows of weights to the outputs it reaches, and
 * what is silent costs nothing. Spikes are 0 or 1, so that nothing is multiplied; weights are rounded to
 * whole numbers of a unit (relative to a filter's weights, 2^-31), so that sums are exact in any order. What
 * spikes at every time step is added up once.
 *
 * The arguments are those of struct kernels and struct spike_kernels.
 */
#ifndef MEICENSUS_VECTOR_EVENTS_H
#define MEICENSUS_VECTOR_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

/** Whether a convolution is done this way; does not depend on shape->time. */
bool events_fit(const struct convolution_shape *shape);

size_t events_weight_size(const struct convolution_shape *shape);

/** arranged [input][tap][output, up to a whole vector] int32, and the outputs' units [output] float32. */
void events_arrange(const struct convolution_shape *shape, const float *weight, float *arranged);

/* ---- on bits; on values see ways.h ---- */

size_t spiking_convolution_scratch(const struct spiking_convolution *call);

void spiking_convolution(const struct spiking_convolution *call, uint64_t *spikes, float *scratch);

/* ---- for both (event_lists.c) ---- */

/** The spikes under a convolution, as lists of where the rows of weights of their channels begin. */
struct event_lists {
    const struct convolution_shape *shape;
    const float *weight; /**< rows of `width` whole numbers */
    const float *units;  /**< [width] */
    float *bias;         /**< [width], 0 where there is none */
    size_t width;        /**< of a row */
    uint32_t *starts;    /**< [input pixel][2 + time]: where in `spikes` the list of who spikes always begins,
                              those of the others at each step, and where the last one ends */
    uint32_t *spikes;    /**< one list behind the other */
    uint32_t *rows;      /**< of one output pixel */
    int32_t *constant;   /**< [width], of one output pixel: what always spikes */
};

/** 32-bit words of scratch that the lists take, in whole lines. */
size_t event_lists_words(const struct convolution_shape *shape);

/** Make the lists of `in`, spikes as bits. */
void event_lists_make(struct event_lists *lists, const struct convolution_shape *shape, const float *weight,
                      const float *bias, const uint64_t *in, float *scratch);

/** Outputs [first, last) of one output pixel, whole vectors: at all time steps, or added to what is there.
 *  currents [time][width]. */
void event_lists_sum(const struct event_lists *lists, int y, int x, size_t first, size_t last, bool adds,
                     float *currents);

#endif
