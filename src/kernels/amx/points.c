/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of one tap, of maps that are a multiple of sixteen in size.
 *
 * The weight is arranged [pass of PASS_OUTPUTS outputs], each as by tiles_put_weight.
 */
#include "set.h"

#include <string.h>

#include "around.h"
#include "output.h"
#include "tiles.h"

enum { FEWEST_CHANNELS = 16 };

static size_t pixels(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return !s->feeds_spikes && !s->takes_spikes && s->kernel_height == 1 && s->kernel_width == 1 &&
           s->stride == 1 && s->pad_top == 0 && s->pad_left == 0 && s->out_height == s->in_height &&
           s->out_width == s->in_width && pixels(s) % PASS_POSITIONS == 0 &&
           s->in_channels >= FEWEST_CHANNELS && s->out_channels >= FEWEST_CHANNELS;
}

static size_t weight_size(const struct convolution_shape *s)
{
    return tiles_passes(s->out_channels) * tiles_pass_floats(s->in_channels, 1);
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    memset(arranged, 0, sizeof *arranged * weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t c = 0; c < (size_t)s->in_channels; c++)
            tiles_put_weight(arranged + o / PASS_OUTPUTS * tiles_pass_floats(s->in_channels, 1), 1,
                             o % PASS_OUTPUTS, c, 0, *weight++);
}

/** The maps of one image, and room. */
struct work {
    struct split_maps maps;
    float *channels; /**< [TILE_CHANNELS][pixels], as they are read */
    float *added;    /**< [PASS_OUTPUTS][pixels] */
    float *sums;     /**< [block][PASS_TILES][PASS_TILES][position][output] */
};

static size_t sums_floats(const struct convolution_shape *s)
{
    return pixels(s) / PASS_POSITIONS * BLOCK_SUMS;
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return split_maps_floats(s->in_channels, pixels(s)) + sums_floats(s) + TILE_CHANNELS * pixels(s) +
           (call->adds ? PASS_OUTPUTS * pixels(s) : 0);
}

static struct work divide_scratch(const struct convolution_shape *s, float *scratch)
{
    struct work work = {.maps = split_maps_make(s->in_channels, pixels(s), scratch)};
    work.sums = scratch + split_maps_floats(s->in_channels, pixels(s));
    work.channels = work.sums + sums_floats(s);
    work.added = work.channels + TILE_CHANNELS * pixels(s);
    return work;
}

static void read_step(const struct generator_convolution *call, const struct work *work, size_t image,
                      size_t step)
{
    const struct convolution_shape *s = call->shape;
    const int n_channels = tiles_channels(s->in_channels, step);
    for (size_t c = 0; c < (size_t)n_channels; c++)
        generator_read_rows(call, step * TILE_CHANNELS + c, image, 0, s->in_height,
                            work->channels + c * pixels(s), (size_t)s->in_width);
    split_maps_write(&work->maps, step, 0, work->channels, pixels(s), n_channels, pixels(s));
}

static void store_outputs(const struct tile_output *to, const struct work *work, size_t j)
{
    for (size_t pixel = 0; pixel < to->pixels; pixel += TILE_SIDE) {
        const float *sums = work->sums + (pixel / TILE_SIDE * PASS_TILES + j) * TILE_FLOATS;
        vector v[TILE_SIDE];
        for (int i = 0; i < TILE_SIDE; i++)
            v[i] = vector_load(sums + i * TILE_SIDE);
        tile_store_pixels(to, pixel, v);
    }
}

static void convolve_pass(const struct generator_convolution *call, const struct work *work, size_t image,
                          size_t pass, float *out)
{
    const struct convolution_shape *s = call->shape;
    const struct tile_tap tap = {0, 0};
    const struct tile_product product = {.maps = &work->maps,
                                         .taps = &tap,
                                         .n_taps = 1,
                                         .n_weight_taps = 1,
                                         .weight =
                                             call->weight + pass * tiles_pass_floats(s->in_channels, 1)};
    size_t output = pass * PASS_OUTPUTS;
    tile_read_added(call, image, output, 0, s->out_height, work->added);
    tiles_multiply(&product, 0, pixels(s) / PASS_POSITIONS, work->sums);
    for (size_t j = 0; j < PASS_TILES && output < (size_t)s->out_channels; j++, output += TILE_SIDE) {
        const struct tile_output to = tile_output(call, image, output, work->added, out);
        store_outputs(&to, work, j);
    }
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    const struct work work = divide_scratch(s, scratch);
    tiles_begin();
    for (size_t image = 0; image < (size_t)s->time; image++) {
        for (size_t step = 0; step < work.maps.n_steps; step++)
            read_step(call, &work, image, step);
        for (size_t pass = 0; pass < tiles_passes(s->out_channels); pass++)
            convolve_pass(call, &work, image, pass, out);
    }
    tiles_end();
}

const struct convolution_way way_tile_points = {
    .fuses = true,
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
