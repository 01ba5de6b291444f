/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of 3 x 3 taps of a map that is upsampled, with a quarter of the multiplications.
 *
 * In one dimension: bilinear upsampling is zeros between the values x, then the filter h = [1 3 3 1] / 4. The
 * convolution is done first, s[2i] = w1 x[i] and s[2i+1] = w0 x[i] + w2 x[i+1], then h is applied to s, which
 * only adds. In two dimensions these are four kinds of sums of 1, 2, 2 and 4 taps. Upsampling repeats the
 * outermost value beyond an edge, so that x has a border of such values; but the convolution wants zeros
 * where s saw the upsampled border: what that added to the outermost rows and columns is four convolutions of
 * 3 taps along them, which are taken off.
 *
 * The weight is arranged [pass of PASS_OUTPUTS outputs], each as by tiles_put_weight.
 */
#include "set.h"

#include <string.h>

#include "around.h"
#include "output.h"
#include "tiles.h"

enum { TAPS = 9, FEWEST_CHANNELS = 16, MOST_WIDTH = 64 };
/* Kinds of sums, 2 (odd row) + (odd column), and edges. */
enum { KINDS = 4, EDGE_TAPS = 3 };
enum edge { TOP, BOTTOM, LEFT, RIGHT, EDGES };

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return call->upsamples && !s->feeds_spikes && !s->takes_spikes && s->kernel_height == 3 &&
           s->kernel_width == 3 && s->stride == 1 && s->pad_top == 1 && s->pad_left == 1 &&
           s->out_height == s->in_height && s->out_width == s->in_width && s->out_width % TILE_SIDE == 0 &&
           s->out_width <= MOST_WIDTH && s->out_height >= TILE_SIDE && s->out_height <= MOST_WIDTH &&
           s->in_channels >= FEWEST_CHANNELS && s->out_channels >= FEWEST_CHANNELS;
}

/* ---- weights ---- */

static size_t weight_size(const struct convolution_shape *s)
{
    return tiles_passes(s->out_channels) * tiles_pass_floats(s->in_channels, TAPS);
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    memset(arranged, 0, sizeof *arranged * weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t c = 0; c < (size_t)s->in_channels; c++)
            for (size_t tap = 0; tap < TAPS; tap++)
                tiles_put_weight(arranged + o / PASS_OUTPUTS * tiles_pass_floats(s->in_channels, TAPS), TAPS,
                                 o % PASS_OUTPUTS, c, tap, *weight++);
}

/* ---- memory ---- */

/** One image, and room. */
struct work {
    size_t height, width;           /**< of the map before it is upsampled, with its border */
    size_t n_blocks, n_edge_blocks; /**< of PASS_POSITIONS positions: of the map, of all edges */
    size_t edge_length;             /**< positions of an edge, with one before and one behind */
    struct split_maps map, edges;
    float *channels;  /**< [TILE_CHANNELS][position] */
    float *lines;     /**< [TILE_CHANNELS][edge positions] */
    float *added;     /**< [PASS_OUTPUTS][out height][out width] */
    float *sums;      /**< [KINDS][block][PASS_TILES][PASS_TILES][position][output] */
    float *edge_sums; /**< [EDGES][block][PASS_TILES][PASS_TILES][position][output] */
};

static size_t divide_up(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

/** Without the memory. */
static struct work measure(const struct convolution_shape *s)
{
    struct work work = {.height = (size_t)s->in_height / 2 + 2, .width = (size_t)s->in_width / 2 + 2};
    const size_t longest = (size_t)(s->in_height > s->in_width ? s->in_height : s->in_width);
    work.n_blocks = divide_up(work.height * work.width, PASS_POSITIONS);
    work.n_edge_blocks = divide_up(longest, PASS_POSITIONS);
    work.edge_length = work.n_edge_blocks * PASS_POSITIONS + 2;
    return work;
}

/** With what the last sums read beyond it. */
static size_t map_positions(const struct work *work)
{
    return work->n_blocks * PASS_POSITIONS + work->width + 1;
}

static size_t edge_positions(const struct work *work)
{
    return EDGES * work->edge_length;
}

static size_t whole_lines(size_t n_floats)
{
    return divide_up(n_floats, LANES) * LANES;
}

/** The parts of the scratch memory, one behind the other: their sizes. */
enum part { MAP, EDGE_MAP, SUMS, EDGE_SUMS, CHANNELS, LINES, ADDED, PARTS };

static void part_sizes(const struct generator_convolution *call, const struct work *work, size_t sizes[PARTS])
{
    const struct convolution_shape *s = call->shape;
    sizes[MAP] = split_maps_floats(s->in_channels, map_positions(work));
    sizes[EDGE_MAP] = split_maps_floats(s->in_channels, edge_positions(work));
    sizes[SUMS] = KINDS * work->n_blocks * BLOCK_SUMS;
    sizes[EDGE_SUMS] = EDGES * work->n_edge_blocks * BLOCK_SUMS;
    sizes[CHANNELS] = whole_lines(TILE_CHANNELS * work->height * work->width);
    sizes[LINES] = whole_lines(TILE_CHANNELS * edge_positions(work));
    sizes[ADDED] = call->adds ? PASS_OUTPUTS * (size_t)(s->out_height * s->out_width) : 0;
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    const struct work work = measure(call->shape);
    size_t sizes[PARTS], n = 0;
    part_sizes(call, &work, sizes);
    for (int i = 0; i < PARTS; i++)
        n += sizes[i];
    return n;
}

static struct work divide_scratch(const struct generator_convolution *call, float *scratch)
{
    struct work work = measure(call->shape);
    float *parts[PARTS];
    size_t sizes[PARTS];
    part_sizes(call, &work, sizes);
    for (int i = 0; i < PARTS; scratch += sizes[i], i++)
        parts[i] = scratch;
    work.map = split_maps_make(call->shape->in_channels, map_positions(&work), parts[MAP]);
    work.edges = split_maps_make(call->shape->in_channels, edge_positions(&work), parts[EDGE_MAP]);
    work.channels = parts[CHANNELS];
    work.lines = parts[LINES];
    work.added = parts[ADDED];
    work.sums = parts[SUMS];
    work.edge_sums = parts[EDGE_SUMS];
    memset(work.lines, 0, sizeof *work.lines * sizes[LINES]);
    return work;
}

/* ---- from the map to what is multiplied ---- */

/** The map of a channel, as it is before it is upsampled, inside a border of its outermost values. */
static void read_channel(const struct generator_convolution *call, const struct work *work, size_t image,
                         size_t channel, float *to)
{
    struct convolution_shape shape = *call->shape;
    struct generator_convolution plain = *call;
    const size_t width = work->width;
    shape.in_height /= 2;
    shape.in_width /= 2;
    plain.shape = &shape;
    plain.upsamples = false;
    generator_read_rows(&plain, channel, image, 0, shape.in_height, to + width + 1, width);
    for (size_t y = 1; y + 1 < work->height; y++) {
        to[y * width] = to[y * width + 1];
        to[y * width + width - 1] = to[y * width + width - 2];
    }
    memcpy(to, to + width, sizeof *to * width);
    memcpy(to + (work->height - 1) * width, to + (work->height - 2) * width, sizeof *to * width);
}

/** `n` + 2 values, `step` floats apart, upsampled: n values twice, and one before them and one behind. */
static void upsample_line(const float *from, size_t step, size_t n, float *to)
{
    to[0] = from[0];
    for (size_t i = 0; i < n; i++) {
        const float before = from[i * step], here = from[(i + 1) * step], behind = from[(i + 2) * step];
        to[2 * i + 1] = 0.75f * here + 0.25f * before;
        to[2 * i + 2] = 0.75f * here + 0.25f * behind;
    }
    to[2 * n + 1] = from[(n + 1) * step];
}

/** The outermost rows and columns, upsampled; corners go with the rows. */
static void make_lines(const struct work *work, const float *map, float *lines)
{
    const size_t height = work->height, width = work->width, length = work->edge_length;
    upsample_line(map, 1, width - 2, lines + TOP * length);
    upsample_line(map + (height - 1) * width, 1, width - 2, lines + BOTTOM * length);
    upsample_line(map, width, height - 2, lines + LEFT * length);
    upsample_line(map + width - 1, width, height - 2, lines + RIGHT * length);
    for (size_t edge = LEFT; edge <= RIGHT; edge++)
        lines[edge * length] = lines[edge * length + 2 * height - 3] = 0;
}

static void read_step(const struct generator_convolution *call, const struct work *work, size_t image,
                      size_t step)
{
    const size_t n = work->height * work->width, n_edge = edge_positions(work);
    const int n_channels = tiles_channels(call->shape->in_channels, step);
    for (size_t c = 0; c < (size_t)n_channels; c++) {
        read_channel(call, work, image, step * TILE_CHANNELS + c, work->channels + c * n);
        make_lines(work, work->channels + c * n, work->lines + c * n_edge);
    }
    split_maps_write(&work->map, step, 0, work->channels, n, n_channels, n);
    split_maps_write(&work->edges, step, 0, work->lines, n_edge, n_channels, n_edge);
}

/* ---- products ---- */

/** Sums at even places read the tap in the middle, those at odd ones the first tap here and the last behind.
 */
static void multiply_kind(const struct work *work, const float *weight, size_t kind)
{
    static const int n[2] = {1, 2}, first_tap[2] = {1, 0};
    const size_t odd_row = kind / 2, odd_column = kind % 2;
    struct tile_tap taps[KINDS];
    struct tile_product product = {.maps = &work->map, .taps = taps, .n_weight_taps = TAPS, .weight = weight};
    for (int i = 0; i < n[odd_row]; i++)
        for (int j = 0; j < n[odd_column]; j++)
            taps[product.n_taps++] =
                (struct tile_tap){3 * (first_tap[odd_row] + 2 * i) + first_tap[odd_column] + 2 * j,
                                  i * (ptrdiff_t)work->width + j};
    tiles_multiply(&product, 0, work->n_blocks, work->sums + kind * work->n_blocks * BLOCK_SUMS);
}

static void multiply_edges(const struct work *work, const float *weight)
{
    static const int first_tap[EDGES] = {[TOP] = 0, [BOTTOM] = 6, [LEFT] = 0, [RIGHT] = 2};
    for (size_t edge = TOP; edge < EDGES; edge++) {
        const int step = edge < LEFT ? 1 : 3;
        const struct tile_tap taps[EDGE_TAPS] = {
            {first_tap[edge], 0}, {first_tap[edge] + step, 1}, {first_tap[edge] + 2 * step, 2}};
        const struct tile_product product = {
            .maps = &work->edges, .taps = taps, .n_taps = EDGE_TAPS, .n_weight_taps = TAPS, .weight = weight};
        tiles_multiply(&product, edge * work->edge_length, work->n_edge_blocks,
                       work->edge_sums + edge * work->n_edge_blocks * BLOCK_SUMS);
    }
}

/* ---- from the sums to the output: sixteen outputs, one a lane ---- */

/** The sums of one kind or edge at a position. */
static inline vector sums_at(const float *sums, size_t position)
{
    return vector_load(sums + position / TILE_SIDE * PASS_TILES * TILE_FLOATS +
                       position % TILE_SIDE * TILE_SIDE);
}

/** h: s[2i-2], s[2i-1], s[2i], s[2i+1] become y[2i]; or the same backwards y[2i-1]. */
static inline vector filter(vector a, vector b, vector c, vector d)
{
    return vector_multiply_add(vector_all(0.25f), vector_add(a, d),
                               vector_multiply(vector_all(0.75f), vector_add(b, c)));
}

/** Sums of the four kinds, of the outputs that are worked on. */
struct kinds {
    const float *sums[2][2]; /**< [odd row][odd column] */
    size_t width;
};

/** Two rows of the output, 2 i and 2 i + 1, filtered along columns: row i of the map is i + 1 with its
 * border. */
static inline void filter_columns(const struct kinds *kinds, size_t i, size_t odd_column, size_t x,
                                  vector rows[2])
{
    const float *even = kinds->sums[0][odd_column], *odd = kinds->sums[1][odd_column];
    const size_t at = (i + 1) * kinds->width + x;
    const vector odd_before = sums_at(odd, at - kinds->width), here = sums_at(even, at);
    const vector odd_here = sums_at(odd, at);
    rows[0] = filter(sums_at(even, at - kinds->width), odd_before, here, odd_here);
    rows[1] = filter(odd_before, here, odd_here, sums_at(even, at + kinds->width));
}

/** Both along rows: out [2][2 x number of columns]. */
static void filter_rows(const struct kinds *kinds, size_t i, vector out[2][MOST_WIDTH])
{
    vector even_before[2], even[2], odd_before[2], odd[2], even_behind[2];
    filter_columns(kinds, i, 0, 0, even_before);
    filter_columns(kinds, i, 1, 0, odd_before);
    filter_columns(kinds, i, 0, 1, even);
    for (size_t x = 0; x + 2 < kinds->width; x++) {
        filter_columns(kinds, i, 1, x + 1, odd);
        filter_columns(kinds, i, 0, x + 2, even_behind);
        for (int row = 0; row < 2; row++) {
            out[row][2 * x] = filter(even_before[row], odd_before[row], even[row], odd[row]);
            out[row][2 * x + 1] = filter(odd_before[row], even[row], odd[row], even_behind[row]);
            even_before[row] = even[row];
            odd_before[row] = odd[row];
            even[row] = even_behind[row];
        }
    }
}

/** Take off what the edges made; `edges` is of the outputs that are worked on. */
static void take_off_edges(const struct work *work, const float *edges, size_t y, vector row[MOST_WIDTH])
{
    const size_t out_height = 2 * (work->height - 2), out_width = 2 * (work->width - 2);
    const size_t edge = work->n_edge_blocks * BLOCK_SUMS;
    row[0] = vector_subtract(row[0], sums_at(edges + LEFT * edge, y));
    row[out_width - 1] = vector_subtract(row[out_width - 1], sums_at(edges + RIGHT * edge, y));
    if (y == 0 || y + 1 == out_height)
        for (size_t x = 0; x < out_width; x++)
            row[x] = vector_subtract(row[x], sums_at(edges + (y == 0 ? TOP : BOTTOM) * edge, x));
}

static void restore_outputs(const struct tile_output *to, const struct work *work, size_t tile)
{
    const size_t kind = work->n_blocks * BLOCK_SUMS, width = 2 * (work->width - 2);
    const float *sums = work->sums + tile * TILE_FLOATS;
    const struct kinds kinds = {{{sums, sums + kind}, {sums + 2 * kind, sums + 3 * kind}}, work->width};
    vector rows[2][MOST_WIDTH];
    for (size_t i = 0; i + 2 < work->height; i++) {
        filter_rows(&kinds, i, rows);
        for (size_t odd = 0; odd < 2; odd++) {
            take_off_edges(work, work->edge_sums + tile * TILE_FLOATS, 2 * i + odd, rows[odd]);
            for (size_t x = 0; x < width; x += TILE_SIDE)
                tile_store_pixels(to, (2 * i + odd) * width + x, rows[odd] + x);
        }
    }
}

static void convolve_pass(const struct generator_convolution *call, const struct work *work, size_t image,
                          size_t pass, float *out)
{
    const struct convolution_shape *s = call->shape;
    const float *weight = call->weight + pass * tiles_pass_floats(s->in_channels, TAPS);
    size_t output = pass * PASS_OUTPUTS;
    for (size_t kind = 0; kind < KINDS; kind++)
        multiply_kind(work, weight, kind);
    multiply_edges(work, weight);
    tile_read_added(call, image, output, 0, s->out_height, work->added);
    for (size_t tile = 0; tile < PASS_TILES && output < (size_t)s->out_channels;
         tile++, output += TILE_SIDE) {
        const struct tile_output to = tile_output(call, image, output, work->added, out);
        restore_outputs(&to, work, tile);
    }
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct work work = divide_scratch(call, scratch);
    tiles_begin();
    for (size_t image = 0; image < (size_t)call->shape->time; image++) {
        for (size_t step = 0; step < work.map.n_steps; step++)
            read_step(call, &work, image, step);
        for (size_t pass = 0; pass < tiles_passes(call->shape->out_channels); pass++)
            convolve_pass(call, &work, image, pass, out);
    }
    tiles_end();
}

const struct convolution_way way_tile_upsampled = {
    .fuses = true,
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
