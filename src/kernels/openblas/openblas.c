/* SPDX-License-Identifier: MIT */
/* Convolutions as one matrix product an image (im2col): all its time steps and pixels in one call, on one
 * thread, because OpenBLAS' bits depend on the width of a call and on the place of a column in it. */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#include <cblas.h>

#include "../reference/elementwise.h"

/** A 1 x 1 convolution over the whole map needs no im2col. */
static bool is_pointwise(const struct convolution_shape *s)
{
    return s->kernel_height == 1 && s->kernel_width == 1 && s->stride == 1 && s->pad_top == 0 &&
           s->pad_left == 0 && s->out_height == s->in_height && s->out_width == s->in_width;
}

static size_t filter_size(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * (size_t)s->kernel_height * (size_t)s->kernel_width;
}

static size_t n_columns(const struct convolution_shape *s)
{
    return (size_t)s->time * (size_t)s->out_height * (size_t)s->out_width;
}

static size_t convolution_scratch(const struct convolution_shape *s)
{
    return is_pointwise(s) ? 0 : filter_size(s) * n_columns(s);
}

/** One row of the column matrix for one frame: the value under tap (i, j) for every output position. */
static float *gather_tap(const struct convolution_shape *s, const float *frame, int i, int j, float *column)
{
    for (int y = 0; y < s->out_height; y++) {
        const int in_y = y * s->stride + i - s->pad_top;
        if (in_y < 0 || in_y >= s->in_height) {
            memset(column, 0, sizeof *column * (size_t)s->out_width);
            column += s->out_width;
            continue;
        }
        const float *row = frame + in_y * s->in_width;
        for (int x = 0; x < s->out_width; x++) {
            const int in_x = x * s->stride + j - s->pad_left;
            *column++ = in_x < 0 || in_x >= s->in_width ? 0.0f : row[in_x];
        }
    }
    return column;
}

/** Output and input of one size, step 1: a tap sees the whole map shifted. */
static bool keeps_size(const struct convolution_shape *s)
{
    return s->stride == 1 && s->out_height == s->in_height && s->out_width == s->in_width;
}

/** Zero what a shift by (down, right) brought in over the edges of the frames. */
static void clear_edges(const struct convolution_shape *s, int down, int right, float *column)
{
    const int height = s->out_height, width = s->out_width;
    const int first_row = down < 0 ? 0 : height - down, n_rows = abs(down);
    const int first_column = right < 0 ? 0 : width - right, n_edge = abs(right);
    for (int t = 0; t < s->time; t++, column += height * width) {
        memset(column + first_row * width, 0, sizeof *column * (size_t)(n_rows * width));
        for (int y = 0; y < height && n_edge > 0; y++)
            for (int x = first_column; x < first_column + n_edge; x++)
                column[y * width + x] = 0.0f;
    }
}

/** One row of the column matrix for all time steps of a channel: one long copy, then the edges. */
static float *gather_shifted(const struct convolution_shape *s, const float *channel, int i, int j,
                             float *column)
{
    const int down = i - s->pad_top, right = j - s->pad_left;
    const long n = (long)s->time * s->out_height * s->out_width, shift = (long)down * s->out_width + right;
    if (abs(down) >= s->out_height || abs(right) >= s->out_width) {
        memset(column, 0, sizeof *column * (size_t)n);
        return column + n;
    }
    const long first = shift < 0 ? -shift : 0, last = shift > 0 ? n - shift : n;
    memcpy(column + first, channel + first + shift, sizeof *column * (size_t)(last - first));
    clear_edges(s, down, right, column);
    return column + n;
}

/** columns [in_channels x taps][time x out_height x out_width]. */
static void gather_columns(const struct convolution_shape *s, const float *in, float *columns)
{
    const size_t frame = (size_t)s->in_height * (size_t)s->in_width;
    const bool shifts = keeps_size(s);
    for (int c = 0; c < s->in_channels; c++, in += (size_t)s->time * frame)
        for (int i = 0; i < s->kernel_height; i++)
            for (int j = 0; j < s->kernel_width; j++) {
                if (shifts) {
                    columns = gather_shifted(s, in, i, j, columns);
                    continue;
                }
                for (int t = 0; t < s->time; t++)
                    columns = gather_tap(s, in + (size_t)t * frame, i, j, columns);
            }
}

/** out[o][:] = bias[o], so that the product can be added to it. */
static void spread_bias(int n_channels, size_t n_values, const float *bias, float *out)
{
    for (size_t o = 0; o < (size_t)n_channels; o++)
        for (size_t p = 0; p < n_values; p++)
            out[o * n_values + p] = bias == NULL ? 0.0f : bias[o];
}

static void convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch)
{
    const float *columns = in;
    if (!is_pointwise(s)) {
        gather_columns(s, in, scratch);
        columns = scratch;
    }
    const size_t n = n_columns(s), k = filter_size(s);
    spread_bias(s->out_channels, n, bias, out);
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

/** Add one tap's frame of products to the output positions it reaches. */
static void scatter_tap(const struct convolution_shape *s, const float *product, int i, int j, float *frame)
{
    for (int in_y = 0; in_y < s->in_height; in_y++) {
        const int y = in_y * s->stride + i - s->pad_top;
        if (y < 0 || y >= s->out_height)
            continue;
        for (int in_x = 0; in_x < s->in_width; in_x++) {
            const int x = in_x * s->stride + j - s->pad_left;
            if (x >= 0 && x < s->out_width)
                frame[y * s->out_width + x] += product[in_y * s->in_width + in_x];
        }
    }
}

static void transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                   const float *in, float *out, float *scratch)
{
    const size_t in_frame = (size_t)s->in_height * (size_t)s->in_width;
    const size_t out_frame = (size_t)s->out_height * (size_t)s->out_width;
    const size_t n = (size_t)s->time * in_frame, m = transposed_filter(s);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, s->in_channels, 1.0f, weight, (int)m,
                in, (int)n, 0.0f, scratch, (int)n);
    spread_bias(s->out_channels, n_columns(s), bias, out);
    const float *product = scratch;
    for (int o = 0; o < s->out_channels; o++)
        for (int i = 0; i < s->kernel_height; i++)
            for (int j = 0; j < s->kernel_width; j++)
                for (int t = 0; t < s->time; t++, product += in_frame)
                    scatter_tap(s, product, i, j,
                                out + ((size_t)o * (size_t)s->time + (size_t)t) * out_frame);
}

const struct kernels kernels_openblas = {
    .name = "openblas",
    .convolution_scratch = convolution_scratch,
    .convolution = convolution,
    .transposed_convolution_scratch = transposed_convolution_scratch,
    .transposed_convolution = transposed_convolution,
    ELEMENTWISE_KERNELS,
};
