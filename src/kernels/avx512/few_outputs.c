/* SPDX-License-Identifier: MIT */
#include "few_outputs.h"

#include "generator.h"
#include "product.h"

/* A block of positions, and what of the input it sees. Channels of one step are read before they are summed
 * up, which so begins when all is written. */
enum { MOST_OUTPUTS = 3, ROWS = 4, VECTORS = 2, LANES = PRODUCT_LANES, STEP = 16, TAPS = 9 };
enum { IN_ROWS = ROWS + 2, IN_WIDTH = (VECTORS + 1) * LANES, FEWEST_PIXELS = 64 };
enum { SUMS = MOST_OUTPUTS * ROWS * VECTORS };

bool few_outputs_fit(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return !s->feeds_spikes && !s->takes_spikes && s->kernel_height == 3 && s->kernel_width == 3 &&
           s->stride == 1 && s->pad_top == 1 && s->pad_left == 1 && s->out_height == s->in_height &&
           s->out_width == s->in_width && s->out_channels <= MOST_OUTPUTS &&
           s->out_height * s->out_width >= FEWEST_PIXELS && !call->upsamples && call->added == NULL &&
           !call->rectifies_output;
}

size_t few_outputs_weight_size(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * TAPS * PRODUCT_ROWS;
}

void few_outputs_arrange(const struct convolution_shape *s, const float *weight, float *arranged)
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
static __mmask16 lanes_inside(int at, int width)
{
    const unsigned before = at < 0 ? (unsigned)-at : 0;
    const int left = width - at;
    const unsigned inside = left >= LANES ? 0xffffu : left <= 0 ? 0u : (1u << left) - 1;
    return (__mmask16)(inside & (0xffffu << before));
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
            const __mmask16 inside = y >= 0 && y < s->in_height ? lanes_inside(x, s->in_width) : 0;
            const __m512 values = _mm512_maskz_loadu_ps(inside, plane + y * s->in_width + x);
            _mm512_store_ps(to, _mm512_maskz_mov_ps(inside, generator_apply_head(&head, values)));
        }
}

/** Sums [output][row][vector] over one step of channels; the number of outputs is a constant at every call,
 * and so are all loops but the one over channels: only then do the sums stay in registers. */
static inline __attribute__((always_inline)) void
add_step(size_t n_outputs, size_t n_channels, const float *weight, const float *values, __m512 *total)
{
    __m512 sums[MOST_OUTPUTS][ROWS][VECTORS];
#pragma GCC unroll 24
    for (size_t i = 0; i < n_outputs * ROWS * VECTORS; i++)
        sums[i / (ROWS * VECTORS)][i / VECTORS % ROWS][i % VECTORS] = _mm512_setzero_ps();
    for (size_t c = 0; c < n_channels; c++, weight += TAPS * PRODUCT_ROWS, values += IN_ROWS * IN_WIDTH)
#pragma GCC unroll 6
        for (size_t y = 0; y < IN_ROWS; y++)
#pragma GCC unroll 3
            for (size_t j = 0; j < 3; j++) {
                const __m512 left = _mm512_loadu_ps(values + y * IN_WIDTH + j),
                             right = _mm512_loadu_ps(values + y * IN_WIDTH + j + LANES);
#pragma GCC unroll 3
                for (size_t i = 0; i < 3; i++)
#pragma GCC unroll 3
                    for (size_t o = 0; o < n_outputs; o++)
                        if (i <= y && y - i < ROWS) {
                            const __m512 factor = _mm512_set1_ps(weight[(3 * i + j) * PRODUCT_ROWS + o]);
                            sums[o][y - i][0] = _mm512_fmadd_ps(factor, left, sums[o][y - i][0]);
                            sums[o][y - i][1] = _mm512_fmadd_ps(factor, right, sums[o][y - i][1]);
                        }
            }
#pragma GCC unroll 24
    for (size_t i = 0; i < n_outputs * ROWS * VECTORS; i++)
        total[i] = _mm512_add_ps(total[i], sums[i / (ROWS * VECTORS)][i / VECTORS % ROWS][i % VECTORS]);
}

static void add_channels(const struct generator_convolution *call, size_t n_channels, const float *weight,
                         const float *values, __m512 *total)
{
    if (call->shape->out_channels == 3)
        add_step(3, n_channels, weight, values, total);
    else if (call->shape->out_channels == 2)
        add_step(2, n_channels, weight, values, total);
    else
        add_step(1, n_channels, weight, values, total);
}

static void write_block(const struct generator_convolution *call, const struct block *block,
                        const __m512 *total, float *out)
{
    const struct convolution_shape *s = call->shape;
    for (size_t o = 0; o < (size_t)s->out_channels; o++) {
        float *plane = out + (o * (size_t)s->time + block->image) * (size_t)(s->out_height * s->out_width);
        for (int y = 0; y < ROWS && block->y + y < s->out_height; y++)
            for (int v = 0; v < VECTORS; v++) {
                const int x = block->x + v * LANES;
                _mm512_mask_storeu_ps(plane + (block->y + y) * s->out_width + x,
                                      lanes_inside(x, s->out_width),
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

size_t few_outputs_scratch(const struct convolution_shape *s)
{
    return (size_t)(STEP * IN_ROWS * IN_WIDTH) + (size_t)(n_blocks(s) * SUMS * LANES);
}

/** Add one step of channels to the sums of all blocks of an image. */
static void add_channels_to_image(const struct generator_convolution *call, size_t image, size_t first,
                                  float *room, __m512 *totals)
{
    const size_t left = (size_t)call->shape->in_channels - first, n_channels = left < STEP ? left : STEP;
    for (int i = 0; i < n_blocks(call->shape); i++) {
        const struct block block = make_block(call->shape, image, i);
        for (size_t c = 0; c < n_channels; c++)
            read_block(call, &block, first + c, room + c * IN_ROWS * IN_WIDTH);
        add_channels(call, n_channels, call->weight + first * TAPS * PRODUCT_ROWS, room, totals + i * SUMS);
    }
}

void few_outputs_convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    __m512 *totals = (__m512 *)(void *)(scratch + STEP * IN_ROWS * IN_WIDTH);
    for (size_t image = 0; image < (size_t)s->time; image++) {
        for (int i = 0; i < n_blocks(s) * SUMS; i++)
            totals[i] = _mm512_set1_ps(call->bias == NULL || i % SUMS / (ROWS * VECTORS) >= s->out_channels
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
