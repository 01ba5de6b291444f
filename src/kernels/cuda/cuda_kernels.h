/* SPDX-License-Identifier: MIT */
/** The functions of the CUDA kernel table: those of struct kernels, on memory of the device. */
#ifndef MEICENSUS_CUDA_KERNELS_H
#define MEICENSUS_CUDA_KERNELS_H

#ifdef __cplusplus
extern "C" {
#endif

#include "kernels.h"

extern const struct kernel_memory cuda_memory;

/** All kernels; float32 numbers are multiplied as such, or as the bfloat16 that they are stored as. */
void cuda_make_kernels(bool in_bfloat16, struct kernels *kernels);

/** Parts of that. */
void cuda_put_convolutions(bool in_bfloat16, struct kernels *kernels);
const struct generator_kernels *cuda_generators(bool in_bfloat16);

void cuda_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                const float *current, const float *noise, float *membrane, float *spikes);
void cuda_relu(size_t n, const float *in, float *out);
void cuda_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                      const float *in, float *out);
void cuda_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b, int b_time,
              float *out);
void cuda_copy(int n_channels, int time, int n_pixels, const float *in, int in_time, float *out);
void cuda_tanh(size_t n, const float *in, float *out);

void cuda_max_pool(const struct pool_shape *shape, const float *in, float *out);
void cuda_average_pool(const struct pool_shape *shape, const float *in, float *out);
void cuda_upsample(int n_planes, int height, int width, const float *in, float *out);
void cuda_embedding(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                    const float *index, float *out);
void cuda_nearest_row(int n_rows, int n_channels, int time, int n_pixels, const float *table, const float *in,
                      float *index);
void cuda_swap_time(int n_channels, int time, int n_pixels, const float *in, float *out);

void cuda_fill(size_t n, float value, float *out);

void cuda_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in,
               double *sums);

#ifdef __cplusplus
}
#endif

#endif
