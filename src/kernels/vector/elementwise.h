/* SPDX-License-Identifier: MIT */
/** Elementwise kernels that vectors make faster; the same bits as those of kernels/reference/elementwise.h.
 */
#ifndef MEICENSUS_VECTOR_ELEMENTWISE_H
#define MEICENSUS_VECTOR_ELEMENTWISE_H

#include "kernels.h"

void lanes_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                 const float *current, const float *noise, float *membrane, float *spikes);
void lanes_relu(size_t n, const float *in, float *out);
void lanes_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                       const float *in, float *out);
void lanes_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b, int b_time,
               float *out);
void lanes_max_pool(const struct pool_shape *shape, const float *in, float *out);
void lanes_upsample(int n_planes, int height, int width, const float *in, float *out);

#endif
