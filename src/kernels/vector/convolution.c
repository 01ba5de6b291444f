/* SPDX-License-Identifier: MIT */
/*
 * Convolutions as a matrix product whose right-hand side is never made: where output and input have one size,
 * the values under a tap are the map itself, shifted, and what a shift brings in over an edge is masked away.
 *
 * Other strides and paddings first gather their columns, which then are a map under a single tap.
 */
#include "kernels.h"

#include <stdint.h>
#include <string.h>

#include "../columns.h"
#include "../reference/elementwise.h"
#include "elementwise.h"
#include "events.h"
#include "generator.h"
#include "image.h"
#include "product.h"
#include "spikes.h"

enum { MOST_TAPS = 1024, FEW_POSITIONS = 4 };

/* ---- masks ---- */

/** The beginning of the scratch memory. */
static uint16_t *mask_room(float *scratch)
{
    void *room = scratch;
    return room;
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

/* ---- weights ---- */

static size_t convolution_weight_size(const struct convolution_shape *s)
{
    if (events_fit(s))
        return events_weight_size(s);
    if (image_fits(s))
        return image_weight_size(s);
    const struct generator_convolution alone = {.shape = s};
    if (lanes_generators.fits(&alone))
        return lanes_generators.weight_size(&alone);
    return product_blocks(s->out_channels) * BLOCK_ROWS * columns_filter(s);
}

static void arrange_convolution(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const struct generator_convolution alone = {.shape = s};
    if (events_fit(s))
        events_arrange(s, weight, arranged);
    else if (image_fits(s))
        image_arrange(s, weight, arranged);
    else if (lanes_generators.fits(&alone))
        lanes_generators.arrange(&alone, weight, arranged);
    else
        product_arrange(weight, s->out_channels, columns_filter(s), columns_filter(s), 1, arranged);
}

static int transposed_rows(const struct convolution_shape *s)
{
    return s->out_channels * s->kernel_height * s->kernel_width;
}

static size_t transposed_weight_size(const struct convolution_shape *s)
{
    return product_blocks(transposed_rows(s)) * BLOCK_ROWS * (size_t)s->in_channels;
}

static void arrange_transposed(const struct convolution_shape *s, const float *weight, float *arranged)
{
    product_arrange(weight, transposed_rows(s), (size_t)s->in_channels, 1, (size_t)transposed_rows(s),
                    arranged);
}

/* ---- shifted and gathered convolutions ---- */

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

static bool shifts_map(const struct convolution_shape *s)
{
    return columns_keep_size(s) && s->kernel_height * s->kernel_width <= MOST_TAPS &&
           columns_positions(s) > FEW_POSITIONS;
}

/** One tap that sees the map as it is. */
static bool multiplies_map(const struct convolution_shape *s)
{
    return shifts_map(s) && s->kernel_height == 1 && s->kernel_width == 1 && s->pad_top == 0 &&
           s->pad_left == 0;
}

static size_t convolution_scratch(const struct convolution_shape *s)
{
    if (events_fit(s))
        return events_scratch(s);
    if (image_fits(s))
        return image_scratch(s);
    const struct generator_convolution alone = {.shape = s};
    if (lanes_generators.fits(&alone))
        return lanes_generators.scratch(&alone);
    if (multiplies_map(s))
        return (size_t)s->in_channels * PRODUCT_PANEL;
    const size_t taps = (size_t)(s->kernel_height * s->kernel_width);
    if (shifts_map(s))
        return product_mask_floats(product_vectors(columns_positions(s)) * taps);
    return product_mask_floats(product_vectors(gathered_positions(s))) +
           columns_filter(s) * gathered_positions(s);
}

static void convolve_gathered(const struct convolution_shape *s, const float *weight, const float *bias,
                              const float *in, float *out, float *scratch)
{
    const int most = gathered_times(s);
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    float *columns = scratch + product_mask_floats(product_vectors(gathered_positions(s)));
    for (int t = 0; t < s->time; t += most) {
        const int n_times = s->time - t < most ? s->time - t : most;
        columns_gather(s, in, t, n_times, columns);
        struct product product = {.n_outputs = s->out_channels,
                                  .n_inputs = (int)columns_filter(s),
                                  .step = product_step(s->kernel_height * s->kernel_width),
                                  .n_positions = (size_t)n_times * pixels,
                                  .in_stride = (size_t)n_times * pixels,
                                  .out_stride = columns_positions(s),
                                  .weight = weight,
                                  .bias = bias,
                                  .in = columns,
                                  .out = out + (size_t)t * pixels};
        product_multiply_matrix(&product, mask_room(scratch));
    }
}

static void convolve_shifted(const struct convolution_shape *s, const float *weight, const float *bias,
                             const float *in, float *out, float *scratch)
{
    ptrdiff_t shifts[MOST_TAPS];
    const size_t n = columns_positions(s);
    const int n_taps = s->kernel_height * s->kernel_width;
    for (int i = 0; i < s->kernel_height; i++)
        for (int j = 0; j < s->kernel_width; j++)
            shifts[i * s->kernel_width + j] = (ptrdiff_t)(i - s->pad_top) * s->out_width + j - s->pad_left;
    make_masks(s, mask_room(scratch));
    const struct product product = {.n_outputs = s->out_channels,
                                    .n_inputs = s->in_channels,
                                    .n_taps = n_taps,
                                    .step = product_step(n_taps) / n_taps,
                                    .n_positions = n,
                                    .in_stride = n,
                                    .out_stride = n,
                                    .shifts = shifts,
                                    .masks = mask_room(scratch),
                                    .weight = weight,
                                    .bias = bias,
                                    .in = in,
                                    .out = out};
    product_multiply(&product);
}

static void convolve_points(const struct convolution_shape *s, const float *weight, const float *bias,
                            const float *in, float *out, float *scratch)
{
    const size_t n = columns_positions(s);
    const struct product product = {.n_outputs = s->out_channels,
                                    .n_inputs = s->in_channels,
                                    .step = product_step(1),
                                    .n_positions = n,
                                    .in_stride = n,
                                    .out_stride = n,
                                    .weight = weight,
                                    .bias = bias,
                                    .in = in,
                                    .out = out};
    product_multiply_panels(&product, scratch);
}

static void convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch)
{
    const struct generator_convolution alone = {.shape = s, .weight = weight, .bias = bias, .in = in};
    if (events_fit(s))
        events_convolve(s, weight, bias, in, out, scratch);
    else if (image_fits(s))
        image_convolve(s, weight, bias, in, out, scratch);
    else if (lanes_generators.fits(&alone))
        lanes_generators.convolution(&alone, out, scratch);
    else if (multiplies_map(s))
        convolve_points(s, weight, bias, in, out, scratch);
    else if (shifts_map(s))
        convolve_shifted(s, weight, bias, in, out, scratch);
    else
        convolve_gathered(s, weight, bias, in, out, scratch);
}

static size_t transposed_positions(const struct convolution_shape *s)
{
    return (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

static size_t transposed_scratch(const struct convolution_shape *s)
{
    const size_t n = transposed_positions(s);
    return product_mask_floats(product_vectors(n)) + (size_t)transposed_rows(s) * n;
}

static void transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                   const float *in, float *out, float *scratch)
{
    const size_t n = transposed_positions(s);
    float *products = scratch + product_mask_floats(product_vectors(n));
    struct product product = {.n_outputs = transposed_rows(s),
                              .n_inputs = s->in_channels,
                              .step = product_step(1),
                              .n_positions = n,
                              .in_stride = n,
                              .out_stride = n,
                              .weight = weight,
                              .in = in,
                              .out = products};
    product_multiply_matrix(&product, mask_room(scratch));
    columns_scatter(s, products, bias, out);
}

const struct kernels VECTOR_SET_KERNELS = {
    .name = VECTOR_SET_NAME,
    .image_batch = 10,
    .convolution_weight_size = convolution_weight_size,
    .arrange_convolution = arrange_convolution,
    .convolution_scratch = convolution_scratch,
    .convolution = convolution,
    .transposed_weight_size = transposed_weight_size,
    .arrange_transposed = arrange_transposed,
    .transposed_convolution_scratch = transposed_scratch,
    .transposed_convolution = transposed_convolution,
    SCALAR_KERNELS,
    .spike = lanes_spike,
    .relu = lanes_relu,
    .scale_shift = lanes_scale_shift,
    .add = lanes_add,
    .max_pool = lanes_max_pool,
    .upsample = lanes_upsample,
    .generators = &lanes_generators,
    .spikes = &lanes_spikes,
};
