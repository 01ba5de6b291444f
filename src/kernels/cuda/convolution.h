/* SPDX-License-Identifier: MIT */
/** Convolutions as matrix products of `Value`s, float or bfloat16, which weights are arranged as. */
#ifndef MEICENSUS_CUDA_CONVOLUTION_H
#define MEICENSUS_CUDA_CONVOLUTION_H

#include "bfloat16.h"
#include "cuda_kernels.h"

/* See struct kernels; weights are arranged as Values. convolution.cu has them for both. */
template <typename Value> size_t convolution_weight_size(const struct convolution_shape *s);
template <typename Value>
void arrange_convolution(const struct convolution_shape *s, const float *weight, float *arranged);
template <typename Value> size_t convolution_scratch(const struct convolution_shape *s);
template <typename Value>
void convolve(const struct convolution_shape *s, const float *weight, const float *bias, const float *in,
              float *out, float *scratch);

/** So many floats, rounded up to what any kernel's pointers are aligned to. */
inline size_t aligned_floats(size_t n)
{
    const size_t line = 64;
    return (n + line - 1) / line * line;
}

#endif
