/* SPDX-License-Identifier: MIT */
#include "cuda_kernels.h"

/** Images of one call: enough of them to keep a device busy. */
enum { IMAGE_BATCH = 256 };

void cuda_make_kernels(bool in_bfloat16, struct kernels *kernels)
{
    *kernels = (struct kernels){
        .name = in_bfloat16 ? "cuda-bf16" : "cuda",
        .memory = &cuda_memory,
        .image_batch = IMAGE_BATCH,
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
        .generators = cuda_generators(in_bfloat16),
    };
    cuda_put_convolutions(in_bfloat16, kernels);
}
