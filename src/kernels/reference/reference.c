/* SPDX-License-Identifier: MIT */
/* The definition of truth: plain loops, sums in double precision, the neuron in float32 in the packages'
 * order. */
#include "kernels.h"

#include <math.h>
#include <string.h>

#include "../columns.h"
#include "elementwise.h"

static size_t no_scratch(const struct convolution_shape *shape)
{
    (void)shape;
    return 0;
}

/** Sum over the taps of one output value; `in` is the frame of channel 0 at this time step. */
static double convolution_sum(const struct convolution_shape *s, const float *weight, const float *in, int y,
                              int x)
{
    const size_t channel_stride = (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
    double sum = 0;
    for (int c = 0; c < s->in_channels; c++)
        for (int i = 0; i < s->kernel_height; i++)
            for (int j = 0; j < s->kernel_width; j++) {
                const int in_y = y * s->stride + i - s->pad_top, in_x = x * s->stride + j - s->pad_left;
                if (in_y < 0 || in_y >= s->in_height || in_x < 0 || in_x >= s->in_width)
                    continue;
                const float w =
                    weight[((size_t)c * (size_t)s->kernel_height + (size_t)i) * (size_t)s->kernel_width +
                           (size_t)j];
                sum += (double)w *
                       (double)
                           in[(size_t)c * channel_stride + (size_t)in_y * (size_t)s->in_width + (size_t)in_x];
            }
    return sum;
}

static void convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch)
{
    (void)scratch;
    const size_t filter = (size_t)s->in_channels * (size_t)s->kernel_height * (size_t)s->kernel_width;
    const size_t in_frame = (size_t)s->in_height * (size_t)s->in_width;
    for (int o = 0; o < s->out_channels; o++)
        for (int t = 0; t < s->time; t++)
            for (int y = 0; y < s->out_height; y++)
                for (int x = 0; x < s->out_width; x++) {
                    const double sum =
                        convolution_sum(s, weight + (size_t)o * filter, in + (size_t)t * in_frame, y, x);
                    *out++ = (float)(sum + (bias == NULL ? 0.0 : (double)bias[o]));
                }
}

/** Sum over the input values that reach one output value of a transposed convolution. */
static double transposed_sum(const struct convolution_shape *s, const float *weight, const float *in, int o,
                             int y, int x)
{
    const size_t channel_stride = (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
    const size_t taps = (size_t)s->kernel_height * (size_t)s->kernel_width;
    double sum = 0;
    for (int c = 0; c < s->in_channels; c++)
        for (int i = 0; i < s->kernel_height; i++)
            for (int j = 0; j < s->kernel_width; j++) {
                const int up_y = y + s->pad_top - i, up_x = x + s->pad_left - j;
                if (up_y < 0 || up_x < 0 || up_y % s->stride != 0 || up_x % s->stride != 0)
                    continue;
                const int in_y = up_y / s->stride, in_x = up_x / s->stride;
                if (in_y >= s->in_height || in_x >= s->in_width)
                    continue;
                const float w = weight[((size_t)c * (size_t)s->out_channels + (size_t)o) * taps +
                                       (size_t)i * (size_t)s->kernel_width + (size_t)j];
                sum += (double)w *
                       (double)
                           in[(size_t)c * channel_stride + (size_t)in_y * (size_t)s->in_width + (size_t)in_x];
            }
    return sum;
}

static void transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                   const float *in, float *out, float *scratch)
{
    (void)scratch;
    const size_t in_frame = (size_t)s->in_height * (size_t)s->in_width;
    for (int o = 0; o < s->out_channels; o++)
        for (int t = 0; t < s->time; t++)
            for (int y = 0; y < s->out_height; y++)
                for (int x = 0; x < s->out_width; x++) {
                    const double sum = transposed_sum(s, weight, in + (size_t)t * in_frame, o, y, x);
                    *out++ = (float)(sum + (bias == NULL ? 0.0 : (double)bias[o]));
                }
}

const struct kernels kernels_reference = {
    .name = "reference",
    .image_batch = 1,
    .convolution_weight_size = columns_weight_size,
    .arrange_convolution = columns_copy_weight,
    .convolution_scratch = no_scratch,
    .convolution = convolution,
    .transposed_weight_size = columns_weight_size,
    .arrange_transposed = columns_copy_weight,
    .transposed_convolution_scratch = no_scratch,
    .transposed_convolution = transposed_convolution,
    ELEMENTWISE_KERNELS,
};
