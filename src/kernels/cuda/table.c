/* SPDX-License-Identifier: MIT */
#include "cuda_kernels.h"

#include "../columns.h"

static size_t generator_weight_size(const struct generator_convolution *call)
{
    return columns_weight_size(call->shape);
}

static void arrange_generator(const struct generator_convolution *call, const float *weight, float *arranged)
{
    columns_copy_weight(call->shape, weight, arranged);
}

static const struct generator_kernels generators = {
    .fits = cuda_generator_fits,
    .weight_size = generator_weight_size,
    .arrange = arrange_generator,
    .scratch = cuda_generator_scratch,
    .convolution = cuda_generator_convolution,
};

const struct kernels kernels_cuda = {
    .name = "cuda",
    .memory = &cuda_memory,
    .image_batch = KERNELS_LARGEST_BATCH,
    .convolution_weight_size = columns_weight_size,
    .arrange_convolution = columns_copy_weight,
    .convolution_scratch = cuda_convolution_scratch,
    .convolution = cuda_convolution,
    .transposed_weight_size = columns_weight_size,
    .arrange_transposed = cuda_arrange_transposed,
    .transposed_convolution_scratch = cuda_transposed_scratch,
    .transposed_convolution = cuda_transposed_convolution,
    .spike = cuda_spike,
    .relu = cuda_relu,
    .scale_shift = cuda_scale_shift,
    .add = cuda_add,
    .copy = cuda_copy,
    .max_pool = cuda_max_pool,
    .average_pool = cuda_average_pool,
    .upsample = cuda_upsample,
    .tanh = cuda_tanh,
    .embedding = cuda_embedding,
    .nearest_row = cuda_nearest_row,
    .swap_time = cuda_swap_time,
    .fill = cuda_fill,
    .sums = cuda_sums,
    .generators = &generators,
};
