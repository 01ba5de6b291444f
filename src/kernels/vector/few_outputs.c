/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of 3 x 3 taps to one, two or three channels, an image: blocks of positions for which the sums
 * of all outputs stay in registers while the input channels pass by.
 *
 * The weight is arranged [input x tap][BLOCK_ROWS], as by product_arrange.
 */
#include "ways.h"

#include "around.h"
#include "product.h"

/* A block of positions, and what of the input it sees. Channels of one step are read before they are summed
 * up, which so begins when all is written. */
enum { MOST_OUTPUTS = 3, ROWS = FEW_ROWS, VECTORS = 2, STEP = 16, TAPS = 9 };
enum { IN_ROWS = ROWS + 2, IN_WIDTH = (VECTORS + 1) * LANES, FEWEST_PIXELS = 64 };
enum { SUMS = MOST_OUTPUTS * ROWS * VECTORS };

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return !s->feeds_spikes && !s->takes_spikes && s->kernel_height == 3 && s->kernel_width == 3 &&
           s->stride == 1 && s->pad_top == 1 && s->pad_left == 1 && s->out_height == s->in_height &&
           s->out_width == s->in_width && s->out_channels <= MOST_OUTPUTS &&
           s->out_height * s->out_width >= FEWEST_PIXELS && !call->upsamples && !call->adds &&
           !call->rectifies_output;
}

static size_t weight_size(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * TAPS * BLOCK_ROWS;
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t filter = (size_t)s->in_channels * TAPS;
    product_arrange(weight, s->out_channels, filter, filter, 1, arranged);
}

/** One block of positions in an image. */
struct block {
    size_t image;
    int y, x;
};

/** Lanes [at, at + LANES) of a row that lie inside it. */
static vector_mask lanes_inside(int at, int width)
{
    const unsigned before = at < 0 ? (unsigned)-at : 0;
    const int left = width - at;
    const unsigned inside = left <= 0 ? 0u : (1u << (left < LANES ? left : LANES)) - 1;
    return mask_from_bits(inside & ~((1u << before) - 1));
}

/** The rows of a channel that a block sees, from one column before it on; 0 outside of the map. */
static void read_block(const struct generator_convolution *call, const struct block *block, size_t channel,
                       float *to)
{
    const struct convolution_shape *s = call->shape;
    const struct generator_head head = generator_make_head(call, channel);
    const float *plane =
        call->in + (channel * (size_t)s->time + block->image) * (size_t)(s->in_height * s->in_width);
    for (int y = block->y - 1; y < block->y - 1 + IN_ROWS; y++)
        for (int x = block->x - 1; x < block->x - 1 + IN_WIDTH; x += LANES, to += LANES) {
            const vector_mask inside =
                y >= 0 && y < s->in_height ? lanes_inside(x, s->in_width) : mask_from_bits(0);
            const vector values = vector_load_masked(inside, plane + y * s->in_width + x);
            vector_store(to, vector_keep(inside, generator_apply_head(&head, values)));
        }
}

/** Sums [output][row][vector] over one step of channels; the number of outputs is a constant at every call,
 * and so are all loops but the one over channels: only then do the sums stay in registers. */
static inline __attribute__((always_inline)) void
add_step(size_t n_outputs, size_t n_channels, const float *weight, const float *values, vector *total)
{
    vector sums[MOST_OUTPUTS][ROWS][VECTORS];
#pragma GCC unroll 24
    for (size_t i = 0; i < n_outputs * ROWS * VECTORS; i++)
        sums[i / (ROWS * VECTORS)][i / VECTORS % ROWS][i % VECTORS] = vector_zero();
    for (size_t c = 0; c < n_channels; c++, weight += TAPS * BLOCK_ROWS, values += IN_ROWS * IN_WIDTH)
#pragma GCC unroll 6
        for (size_t y = 0; y < IN_ROWS; y++)
#pragma GCC unroll 3
            for (size_t j = 0; j < 3; j++) {
                const vector left = vector_load(values + y * IN_WIDTH + j),
                             right = vector_load(values + y * IN_WIDTH + j + LANES);
#pragma GCC unroll 3
                for (size_t i = 0; i < 3; i++)
#pragma GCC unroll 3
                    for (size_t o = 0; o < n_outputs; o++)
                        if (i <= y && y - i < ROWS) {
                            const vector factor = vector_all(weight[(3 * i + j) * BLOCK_ROWS + o]);
                            sums[o][y - i][0] = vector_multiply_add(factor, left, sums[o][y - i][0]);
                            sums[o][y - i][1] = vector_multiply_add(factor, right, sums[o][y - i][1]);
                        }
            }
#pragma GCC unroll 24
    for (size_t i = 0; i < n_outputs * ROWS * VECTORS; i++)
        total[i] = vector_add(total[i], sums[i / (ROWS * VECTORS)][i / VECTORS % ROWS][i % VECTORS]);
}

static void add_channels(const struct generator_convolution *call, size_t n_channels, const float *weight,
                         const float *values, vector *total)
{
    if (call->shape->out_channels == 3)
        add_step(3, n_channels, weight, values, total);
    else if (call->shape->out_channels == 2)
        add_step(2, n_channels, weight, values, total);
    else
        add_step(1, n_channels, weight, values, total);
}

static void write_block(const struct generator_convolution *call, const struct block *block,
                        const vector *total, float *out)
{
    const struct convolution_shape *s = call->shape;
    for (size_t o = 0; o < (size_t)s->out_channels; o++) {
        float *plane = out + (o * (size_t)s->time + block->image) * (size_t)(s->out_height * s->out_width);
        for (int y = 0; y < ROWS && block->y + y < s->out_height; y++)
            for (int v = 0; v < VECTORS; v++) {
                const int x = block->x + v * LANES;
                vector_store_masked(plane + (block->y + y) * s->out_width + x, lanes_inside(x, s->out_width),
                                    total[(o * ROWS + (size_t)y) * VECTORS + (size_t)v]);
            }
    }
}

static int blocks_across(const struct convolution_shape *s)
{
    return (s->out_width + VECTORS * LANES - 1) / (VECTORS * LANES);
}

static int n_blocks(const struct convolution_shape *s)
{
    return (s->out_height + ROWS - 1) / ROWS * blocks_across(s);
}

static struct block make_block(const struct convolution_shape *s, size_t image, int index)
{
    return (struct block){image, index / blocks_across(s) * ROWS, index % blocks_across(s) * VECTORS * LANES};
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    return (size_t)(STEP * IN_ROWS * IN_WIDTH) + (size_t)(n_blocks(call->shape) * SUMS * LANES);
}

/** Add one step of channels to the sums of all blocks of an image. */
static void add_channels_to_image(const struct generator_convolution *call, size_t image, size_t first,
                                  float *room, vector *totals)
{
    const size_t left = (size_t)call->shape->in_channels - first, n_channels = left < STEP ? left : STEP;
    for (int i = 0; i < n_blocks(call->shape); i++) {
        const struct block block = make_block(call->shape, image, i);
        for (size_t c = 0; c < n_channels; c++)
            read_block(call, &block, first + c, room + c * IN_ROWS * IN_WIDTH);
        add_channels(call, n_channels, call->weight + first * TAPS * BLOCK_ROWS, room, totals + i * SUMS);
    }
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    vector *totals = (vector *)(void *)(scratch + STEP * IN_ROWS * IN_WIDTH);
    for (size_t image = 0; image < (size_t)s->time; image++) {
        for (int i = 0; i < n_blocks(s) * SUMS; i++)
            totals[i] = vector_all(call->bias == NULL || i % SUMS / (ROWS * VECTORS) >= s->out_channels
                                       ? 0.0f
                                       : call->bias[i % SUMS / (ROWS * VECTORS)]);
        for (size_t first = 0; first < (size_t)s->in_channels; first += STEP)
            add_channels_to_image(call, image, first, scratch, totals);
        for (int i = 0; i < n_blocks(s); i++) {
            const struct block block = make_block(s, image, i);
            write_block(call, &block, totals + i * SUMS, out);
        }
    }
}

const struct convolution_way way_few_outputs = {
    .fuses = true,
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
