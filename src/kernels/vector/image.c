/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of few channels, as of an image: outputs lie in the lanes, and values of the image, with its
 * padding around it, are multiplied with their weights as they are met.
 *
 * The weight is arranged [group of outputs][input][tap][output of the group].
 */
#include "ways.h"

#include <string.h>

#include "../columns.h"
#include "neurons.h"

enum { VECTORS = IMAGE_VECTORS, GROUP = VECTORS * LANES, PIXELS = IMAGE_PIXELS };
enum { MOST_INPUTS = 4, FEWEST_OUTPUTS = 8 };

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return !s->takes_spikes && s->in_channels <= MOST_INPUTS && s->out_channels >= FEWEST_OUTPUTS &&
           s->kernel_height * s->kernel_width > 1;
}

static size_t n_groups(const struct convolution_shape *s)
{
    return ((size_t)s->out_channels + GROUP - 1) / GROUP;
}

static size_t n_taps(const struct convolution_shape *s)
{
    return (size_t)s->kernel_height * (size_t)s->kernel_width;
}

static size_t weight_size(const struct convolution_shape *s)
{
    return n_groups(s) * GROUP * columns_filter(s);
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t filter = columns_filter(s);
    memset(arranged, 0, sizeof *arranged * weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t k = 0; k < filter; k++)
            arranged[(o / GROUP * filter + k) * GROUP + o % GROUP] = *weight++;
}

/* ---- the image with its padding ---- */

/** Rows and columns that windows reach; at the right, those of a whole block of pixels. */
static size_t padded_height(const struct convolution_shape *s)
{
    return (size_t)((s->out_height - 1) * s->stride + s->kernel_height);
}

static size_t padded_width(const struct convolution_shape *s)
{
    const int blocks = (s->out_width + PIXELS - 1) / PIXELS;
    return (size_t)((blocks * PIXELS - 1) * s->stride + s->kernel_width);
}

static size_t padded_values(const struct convolution_shape *s)
{
    const size_t n = (size_t)s->in_channels * padded_height(s) * padded_width(s);
    return (n + LINE - 1) / LINE * LINE;
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return padded_values(s) + (size_t)(s->out_width + PIXELS + LANES) * GROUP;
}

/** padded [channel][row][column] of one frame. */
static void pad_frame(const struct convolution_shape *s, const float *in, float *padded)
{
    const int left = s->pad_left > 0 ? s->pad_left : 0, skipped = left - s->pad_left;
    const int room = (int)padded_width(s) - left, there = s->in_width - skipped;
    const int width = there < room ? there : room;
    const size_t n = width > 0 ? (size_t)width : 0; /* a window may begin behind the map */
    memset(padded, 0, sizeof *padded * padded_values(s));
    for (int c = 0; c < s->in_channels; c++, in += (size_t)s->time * (size_t)(s->in_height * s->in_width))
        for (int y = 0; y < (int)padded_height(s); y++, padded += padded_width(s)) {
            const int in_y = y - s->pad_top;
            if (in_y >= 0 && in_y < s->in_height)
                memcpy(padded + left, in + in_y * s->in_width + skipped, sizeof *in * n);
        }
}

/* ---- sums ---- */

/** PIXELS neighbours of one input channel, added to sums [pixel][GROUP]. */
static inline void add_channel(const struct convolution_shape *s, const float *weight, const float *padded,
                               float *sums)
{
    const size_t stride = (size_t)s->stride, width = padded_width(s);
    vector sum[PIXELS][VECTORS];
#pragma GCC unroll 6
    for (int p = 0; p < PIXELS; p++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++)
            sum[p][v] = vector_zero();
    for (int i = 0; i < s->kernel_height; i++, padded += width)
        for (int j = 0; j < s->kernel_width; j++, weight += GROUP) {
            vector factor[VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++)
                factor[v] = vector_load(weight + v * LANES);
#pragma GCC unroll 6
            for (int p = 0; p < PIXELS; p++) {
                const vector value = vector_all(padded[(size_t)p * stride + (size_t)j]);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; v++)
                    sum[p][v] = vector_multiply_add(value, factor[v], sum[p][v]);
            }
        }
#pragma GCC unroll 6
    for (int p = 0; p < PIXELS; p++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            float *to = sums + p * GROUP + v * LANES;
            vector_store(to, vector_add(vector_load(to), sum[p][v]));
        }
}

/** sums [pixel][GROUP] of one row of outputs. */
static void sum_row(const struct convolution_shape *s, const float *weight, const float *padded, int y,
                    float *sums)
{
    const size_t channel = padded_height(s) * padded_width(s);
    padded += (size_t)(y * s->stride) * padded_width(s);
    for (int x = 0; x < s->out_width; x += PIXELS)
        for (size_t c = 0; c < (size_t)s->in_channels; c++)
            add_channel(s, weight + c * n_taps(s) * GROUP, padded + c * channel + (size_t)(x * s->stride),
                        sums + x * GROUP);
}

/** Every sum begins with the bias. */
static void begin_row(const struct convolution_shape *s, const float *bias, size_t first, float *sums)
{
    float group[GROUP] = {0};
    for (size_t o = 0; o < GROUP && bias != NULL && first + o < (size_t)s->out_channels; o++)
        group[o] = bias[first + o];
    for (int x = 0; x < s->out_width; x++)
        memcpy(sums + x * GROUP, group, sizeof group);
}

/** out [output][pixel] = sums [pixel][GROUP]; `out` is the first output's row. */
static void put_row(const struct convolution_shape *s, const float *sums, size_t n_outputs, size_t stride,
                    float *out)
{
    for (size_t o = 0; o < n_outputs; o += LANES)
        for (size_t x = 0; x < (size_t)s->out_width; x += LANES) {
            const vector_mask inside = mask_first((size_t)s->out_width - x);
            vector v[LANES];
            for (size_t i = 0; i < LANES; i++)
                v[i] = vector_load(sums + (x + i) * GROUP + o);
            vector_transpose(v);
            for (size_t i = 0; i < LANES && o + i < n_outputs; i++)
                vector_store_masked(out + (o + i) * stride + x, inside, v[i]);
        }
}

/** One group of outputs of one frame; `out` is its first channel. */
static void convolve_group(const struct convolution_shape *s, const float *weight, const float *bias,
                           size_t first, const float *padded, float *sums, float *out)
{
    const size_t left = (size_t)s->out_channels - first, n_outputs = left < GROUP ? left : GROUP;
    const size_t stride = (size_t)s->time * (size_t)s->out_height * (size_t)s->out_width;
    for (int y = 0; y < s->out_height; y++, out += s->out_width) {
        begin_row(s, bias, first, sums);
        sum_row(s, weight, padded, y, sums);
        put_row(s, sums, n_outputs, stride, out);
    }
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    const size_t in_frame = (size_t)s->in_height * (size_t)s->in_width;
    const size_t out_frame = (size_t)s->out_height * (size_t)s->out_width;
    float *sums = scratch + padded_values(s);
    for (size_t t = 0; t < (size_t)s->time; t++) {
        pad_frame(s, call->in + t * in_frame, scratch);
        for (size_t g = 0; g < n_groups(s); g++)
            convolve_group(s, call->weight + g * GROUP * columns_filter(s), call->bias, g * GROUP, scratch,
                           sums, out + (g * GROUP * (size_t)s->time + t) * out_frame);
    }
}

const struct convolution_way way_image = {
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
