/* SPDX-License-Identifier: MIT */
/* Convolutions as one matrix product an image (im2col): all its time steps and pixels in one call, on one
 * thread, because OpenBLAS' bits depend on the width of a call and on the place of a column in it. */
#include "kernels.h"

#include <cblas.h>

#include "../columns.h"
#include "../reference/elementwise.h"

/** A 1 x 1 convolution over the whole map needs no im2col. */
static bool is_pointwise(const struct convolution_shape *s)
{
    return s->kernel_height == 1 && s->kernel_width == 1 && s->pad_top == 0 && s->pad_left == 0 &&
           columns_keep_size(s);
}

static size_t convolution_scratch(const struct convolution_shape *s)
{
    return is_pointwise(s) ? 0 : columns_filter(s) * columns_positions(s);
}

static void convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch)
{
    const float *columns = in;
    if (!is_pointwise(s)) {
        columns_gather(s, in, 0, s->time, scratch);
        columns = scratch;
    }
    const size_t n = columns_positions(s), k = columns_filter(s);
    columns_spread_bias(s->out_channels, n, bias, out);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s->out_channels, (int)n, (int)k, 1.0f, weight,
                (int)k, columns, (int)n, 1.0f, out, (int)n);
}

static size_t transposed_filter(const struct convolution_shape *s)
{
    return (size_t)s->out_channels * (size_t)s->kernel_height * (size_t)s->kernel_width;
}

static size_t transposed_convolution_scratch(const struct convolution_shape *s)
{
    return transposed_filter(s) * (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

static void transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                   const float *in, float *out, float *scratch)
{
    const size_t n = (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width, m = transposed_filter(s);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, s->in_channels, 1.0f, weight, (int)m,
                in, (int)n, 0.0f, scratch, (int)n);
    columns_scatter(s, scratch, bias, out);
}

const struct kernels kernels_openblas = {
    .name = "openblas",
    .image_batch = 1, /* a GEMM may sum otherwise where it has other columns */
    .convolution_weight_size = columns_weight_size,
    .arrange_convolution = columns_copy_weight,
    .convolution_scratch = convolution_scratch,
    .convolution = convolution,
    .transposed_weight_size = columns_weight_size,
    .arrange_transposed = columns_copy_weight,
    .transposed_convolution_scratch = transposed_convolution_scratch,
    .transposed_convolution = transposed_convolution,
    ELEMENTWISE_KERNELS,
};
