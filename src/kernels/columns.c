/* SPDX-License-Identifier: MIT */
#include "columns.h"

#include <stdlib.h>
#include <string.h>

size_t columns_filter(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * (size_t)s->kernel_height * (size_t)s->kernel_width;
}

size_t columns_positions(const struct convolution_shape *s)
{
    return (size_t)s->time * (size_t)s->out_height * (size_t)s->out_width;
}

size_t columns_weight_size(const struct convolution_shape *s)
{
    return (size_t)s->out_channels * columns_filter(s);
}

void columns_copy_weight(const struct convolution_shape *s, const float *weight, float *arranged)
{
    memcpy(arranged, weight, sizeof *weight * columns_weight_size(s));
}

bool columns_keep_size(const struct convolution_shape *s)
{
    return s->stride == 1 && s->out_height == s->in_height && s->out_width == s->in_width;
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

/** Zero what a shift by (down, right) brought in over the edges of the frames. */
static void clear_edges(const struct convolution_shape *s, int n_times, int down, int right, float *column)
{
    const int height = s->out_height, width = s->out_width;
    const int first_row = down < 0 ? 0 : height - down, n_rows = abs(down);
    const int first_column = right < 0 ? 0 : width - right, n_edge = abs(right);
    for (int t = 0; t < n_times; t++, column += height * width) {
        memset(column + first_row * width, 0, sizeof *column * (size_t)(n_rows * width));
        for (int y = 0; y < height && n_edge > 0; y++)
            for (int x = first_column; x < first_column + n_edge; x++)
                column[y * width + x] = 0.0f;
    }
}

/** One row of the column matrix for some time steps of a channel: one long copy, then the edges. */
static float *gather_shifted(const struct convolution_shape *s, const float *frames, int n_times, int i,
                             int j, float *column)
{
    const int down = i - s->pad_top, right = j - s->pad_left;
    const long n = (long)n_times * s->out_height * s->out_width, shift = (long)down * s->out_width + right;
    if (abs(down) >= s->out_height || abs(right) >= s->out_width) {
        memset(column, 0, sizeof *column * (size_t)n);
        return column + n;
    }
    const long first = shift < 0 ? -shift : 0, last = shift > 0 ? n - shift : n;
    memcpy(column + first, frames + first + shift, sizeof *column * (size_t)(last - first));
    clear_edges(s, n_times, down, right, column);
    return column + n;
}

void columns_gather(const struct convolution_shape *s, const float *in, int first_time, int n_times,
                    float *columns)
{
    const size_t frame = (size_t)s->in_height * (size_t)s->in_width;
    const bool shifts = columns_keep_size(s);
    in += (size_t)first_time * frame;
    for (int c = 0; c < s->in_channels; c++, in += (size_t)s->time * frame)
        for (int i = 0; i < s->kernel_height; i++)
            for (int j = 0; j < s->kernel_width; j++) {
                if (shifts) {
                    columns = gather_shifted(s, in, n_times, i, j, columns);
                    continue;
                }
                for (int t = 0; t < n_times; t++)
                    columns = gather_tap(s, in + (size_t)t * frame, i, j, columns);
            }
}

void columns_spread_bias(int n_channels, size_t n_values, const float *bias, float *out)
{
    for (size_t o = 0; o < (size_t)n_channels; o++)
        for (size_t p = 0; p < n_values; p++)
            out[o * n_values + p] = bias == NULL ? 0.0f : bias[o];
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

void columns_scatter(const struct convolution_shape *s, const float *products, const float *bias, float *out)
{
    const size_t in_frame = (size_t)s->in_height * (size_t)s->in_width;
    const size_t out_frame = (size_t)s->out_height * (size_t)s->out_width;
    columns_spread_bias(s->out_channels, columns_positions(s), bias, out);
    for (int o = 0; o < s->out_channels; o++)
        for (int i = 0; i < s->kernel_height; i++)
            for (int j = 0; j < s->kernel_width; j++)
                for (int t = 0; t < s->time; t++, products += in_frame)
                    scatter_tap(s, products, i, j,
                                out + ((size_t)o * (size_t)s->time + (size_t)t) * out_frame);
}
