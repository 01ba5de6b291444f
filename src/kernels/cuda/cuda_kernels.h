/* SPDX-License-Identifier: MIT */
/** The functions of the CUDA kernel table: those of struct kernels, on memory of the device. */
#ifndef MEICENSUS_CUDA_KERNELS_H
#define MEICENSUS_CUDA_KERNELS_H

#ifdef __cplusplus
extern "C" {
#endif

#include "kernels.h"

extern const struct kernels kernels_cuda;
extern const struct kernel_memory cuda_memory;

size_t cuda_convolution_scratch(const struct convolution_shape *shape);
void cuda_convolution(const struct convolution_shape *shape, const float *weight, const float *bias,
                      const float *in, float *out, float *scratch);
void cuda_arrange_transposed(const struct convolution_shape *shape, const float *weight, float *arranged);
size_t cuda_transposed_scratch(const struct convolution_shape *shape);
void cuda_transposed_convolution(const struct convolution_shape *shape, const float *weight,
                                 const float *bias, const float *in, float *out, float *scratch);

bool cuda_generator_fits(const struct generator_convolution *call);
size_t cuda_generator_scratch(const struct generator_convolution *call);
void cuda_generator_convolution(const struct generator_convolution *call, float *out, float *scratch);

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

/** `first` and `sums` are the host's memory: waits for the device. */
void cuda_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in,
               double *sums);

/**
 * out [n_rows][n_columns], rows `out_stride` apart, += weight [n_rows][n_terms] columns [n_terms][n_columns]:
 * of the device by cuBLAS (device/product.cu), of the host where kernels are tested there.
 */
void cuda_product(int n_rows, size_t n_columns, int n_terms, const float *weight, const float *columns,
                  float *out, size_t out_stride);

#ifdef __cplusplus
}
#endif

#endif
