/* SPDX-License-Identifier: MIT */
/** Convolutions as matrix products: what is multiplied, and where the products belong. */
#ifndef MEICENSUS_COLUMNS_H
#define MEICENSUS_COLUMNS_H

#include "kernels.h"

/** Values under a filter: in_channels x taps. Output positions: time x out_height x out_width. */
size_t columns_filter(const struct convolution_shape *shape);
size_t columns_positions(const struct convolution_shape *shape);

/** Weights in the layout of the tensor: their number, and a copy. */
size_t columns_weight_size(const struct convolution_shape *shape);
void columns_copy_weight(const struct convolution_shape *shape, const float *weight, float *arranged);

/** Output and input of one size, step 1: what a tap sees is the whole map, shifted. */
bool columns_keep_size(const struct convolution_shape *shape);

/** columns [filter][n_times x out_height x out_width] from the map `in` (im2col), from time step first_time
 * on. */
void columns_gather(const struct convolution_shape *shape, const float *in, int first_time, int n_times,
                    float *columns);

/** out[o][:] = bias[o] (0 if bias is NULL), so that a product can be added to it. */
void columns_spread_bias(int n_channels, size_t n_values, const float *bias, float *out);

/** A transposed convolution's products [out_channels x taps][time x in_height x in_width], added up where
 * they reach, on top of the bias. */
void columns_scatter(const struct convolution_shape *shape, const float *products, const float *bias,
                     float *out);

#endif
