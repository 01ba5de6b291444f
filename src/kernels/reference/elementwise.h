/* SPDX-License-Identifier: MIT */
/**
 * Kernels without a sum whose order could matter: one plain implementation serves every kernel set until
 * measuring shows that a faster one pays.
 */
#ifndef MEICENSUS_KERNELS_ELEMENTWISE_H
#define MEICENSUS_KERNELS_ELEMENTWISE_H

#include "kernels.h"

void elementwise_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                       const float *current, const float *noise, float *membrane, float *spikes);
void elementwise_relu(size_t n, const float *in, float *out);
void elementwise_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                             const float *in, float *out);
void elementwise_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b,
                     int b_time, float *out);
void elementwise_copy(int n_channels, int time, int n_pixels, const float *in, int in_time, float *out);
void elementwise_max_pool(const struct pool_shape *shape, const float *in, float *out);
void elementwise_average_pool(const struct pool_shape *shape, const float *in, float *out);
void elementwise_upsample(int n_planes, int height, int width, const float *in, float *out);
void elementwise_tanh(size_t n, const float *in, float *out);
void elementwise_embedding(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                           const float *index, float *out);
void elementwise_nearest_row(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                             const float *in, float *index);
void elementwise_swap_time(int n_channels, int time, int n_pixels, const float *in, float *out);
void elementwise_fill(size_t n, float value, float *out);
void elementwise_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in,
                      double *sums);

/** The slots of struct kernels that these fill: those that no other set has, and all. */
#define SCALAR_KERNELS                                                                                       \
    .copy = elementwise_copy, .average_pool = elementwise_average_pool, .tanh = elementwise_tanh,            \
    .embedding = elementwise_embedding, .nearest_row = elementwise_nearest_row,                              \
    .swap_time = elementwise_swap_time, .fill = elementwise_fill, .sums = elementwise_sums
#define ELEMENTWISE_KERNELS                                                                                  \
    SCALAR_KERNELS, .spike = elementwise_spike, .relu = elementwise_relu,                                    \
                    .scale_shift = elementwise_scale_shift, .add = elementwise_add,                          \
                    .max_pool = elementwise_max_pool, .upsample = elementwise_upsample

#endif
