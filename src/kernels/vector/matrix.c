/* SPDX-License-Identifier: MIT */
/*
 * Convolutions as a matrix product whose right-hand side is never made: where output and input have one size,
 * the values under a tap are the map itself, shifted, and what a shift brings in over an edge is masked away.
 * A single tap sees the map as it is.
 *
 * Other strides and paddings first gather their columns, which then are a map under a single tap.
 */
#include <stdint.h>
#include <string.h>

#include "../columns.h"
#include "product.h"
#include "ways.h"

enum { MOST_TAPS = 1024, FEW_POSITIONS = 4 };

static size_t weight_size(const struct convolution_shape *s)
{
    return product_blocks(s->out_channels) * BLOCK_ROWS * columns_filter(s);
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    product_arrange(weight, s->out_channels, columns_filter(s), columns_filter(s), 1, arranged);
}

static bool shifts_map(const struct convolution_shape *s)
{
    return columns_keep_size(s) && s->kernel_height * s->kernel_width <= MOST_TAPS &&
           columns_positions(s) > FEW_POSITIONS;
}

/* ---- one tap ---- */

static bool points_fit(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return shifts_map(s) && s->kernel_height == 1 && s->kernel_width == 1 && s->pad_top == 0 &&
           s->pad_left == 0;
}

static size_t points_scratch(const struct generator_convolution *call)
{
    return (size_t)call->shape->in_channels * PRODUCT_PANEL;
}

static void convolve_points(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    const size_t n = columns_positions(s);
    const struct product product = {.n_outputs = s->out_channels,
                                    .n_inputs = s->in_channels,
                                    .step = product_step(1),
                                    .n_positions = n,
                                    .in_stride = n,
                                    .out_stride = n,
                                    .weight = call->weight,
                                    .bias = call->bias,
                                    .in = call->in,
                                    .out = out};
    product_multiply_panels(&product, scratch);
}

const struct convolution_way way_points = {
    .fits = points_fit,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = points_scratch,
    .convolution = convolve_points,
};

/* ---- shifted maps ---- */

static bool shifts_fit(const struct generator_convolution *call)
{
    return shifts_map(call->shape);
}

static size_t shifts_scratch(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    const size_t taps = (size_t)(s->kernel_height * s->kernel_width);
    return product_mask_floats(product_vectors(columns_positions(s)) * taps);
}

/** masks [vector][tap]: which lanes of a vector lie inside the frame after the tap's shift. */
static void make_masks(const struct convolution_shape *s, uint16_t *masks)
{
    const size_t taps = (size_t)(s->kernel_height * s->kernel_width);
    const size_t n = columns_positions(s);
    const int height = s->out_height, width = s->out_width;
    memset(masks, 0, sizeof *masks * product_vectors(n) * taps);
    int y = 0, x = 0;
    for (size_t position = 0; position < n; position++) {
        uint16_t *place = masks + position / LANES * taps;
        const unsigned lane = 1u << position % LANES;
        for (int i = 0; i < s->kernel_height; i++) {
            const int in_y = y + i - s->pad_top;
            for (int j = 0; j < s->kernel_width && in_y >= 0 && in_y < height; j++) {
                const int in_x = x + j - s->pad_left;
                if (in_x >= 0 && in_x < width)
                    place[i * s->kernel_width + j] = (uint16_t)(place[i * s->kernel_width + j] | lane);
            }
        }
        if (++x == width) {
            x = 0;
            y = y + 1 == height ? 0 : y + 1;
        }
    }
}

static void convolve_shifted(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    ptrdiff_t shifts[MOST_TAPS];
    const size_t n = columns_positions(s);
    const int n_taps = s->kernel_height * s->kernel_width;
    for (int i = 0; i < s->kernel_height; i++)
        for (int j = 0; j < s->kernel_width; j++)
            shifts[i * s->kernel_width + j] = (ptrdiff_t)(i - s->pad_top) * s->out_width + j - s->pad_left;
    make_masks(s, product_masks(scratch));
    const struct product product = {.n_outputs = s->out_channels,
                                    .n_inputs = s->in_channels,
                                    .n_taps = n_taps,
                                    .step = product_step(n_taps) / n_taps,
                                    .n_positions = n,
                                    .in_stride = n,
                                    .out_stride = n,
                                    .shifts = shifts,
                                    .masks = product_masks(scratch),
                                    .weight = call->weight,
                                    .bias = call->bias,
                                    .in = call->in,
                                    .out = out};
    product_multiply(&product);
}

const struct convolution_way way_shifted = {
    .fits = shifts_fit,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = shifts_scratch,
    .convolution = convolve_shifted,
};

/* ---- gathered columns ---- */

static bool always(const struct generator_convolution *call)
{
    (void)call;
    return true;
}

/** Time steps whose columns are gathered at once: about 1 MiB of them. */
static int gathered_times(const struct convolution_shape *s)
{
    const size_t frame = columns_filter(s) * (size_t)s->out_height * (size_t)s->out_width;
    const size_t most = ((size_t)1 << 18) / frame;
    return most < 1 ? 1 : most < (size_t)s->time ? (int)most : s->time;
}

static size_t gathered_positions(const struct convolution_shape *s)
{
    return (size_t)gathered_times(s) * (size_t)s->out_height * (size_t)s->out_width;
}

static size_t gathered_scratch(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return product_mask_floats(product_vectors(gathered_positions(s))) +
           columns_filter(s) * gathered_positions(s);
}

static void convolve_gathered(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    const int most = gathered_times(s);
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    float *columns = scratch + product_mask_floats(product_vectors(gathered_positions(s)));
    for (int t = 0; t < s->time; t += most) {
        const int n_times = s->time - t < most ? s->time - t : most;
        columns_gather(s, call->in, t, n_times, columns);
        struct product product = {.n_outputs = s->out_channels,
                                  .n_inputs = (int)columns_filter(s),
                                  .step = product_step(s->kernel_height * s->kernel_width),
                                  .n_positions = (size_t)n_times * pixels,
                                  .in_stride = (size_t)n_times * pixels,
                                  .out_stride = columns_positions(s),
                                  .weight = call->weight,
                                  .bias = call->bias,
                                  .in = columns,
                                  .out = out + (size_t)t * pixels};
        product_multiply_matrix(&product, product_masks(scratch));
    }
}

const struct convolution_way way_gathered = {
    .fits = always,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = gathered_scratch,
    .convolution = convolve_gathered,
};
