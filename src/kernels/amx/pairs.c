/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of 3 x 3 taps with two thirds of the multiplications: pairs of neighbours of a row (Winograd's
 * F(2, 3) in one dimension; Lavin & Gray 2016, arXiv 1509.09308). Four inputs become values at four points,
 * in each of which the convolution is one of 3 taps along columns.
 *
 * The weight is arranged [pass of PASS_OUTPUTS outputs][point], each as by tiles_put_weight.
 */
#include "set.h"

#include <string.h>

#include "around.h"
#include "output.h"
#include "tiles.h"

enum { POINTS = 4, ROW_TAPS = 3, FEWEST_CHANNELS = 16 };
/* Bytes of maps that are worked on at once: in the second-level cache, together with weights. */
enum { MAP_BYTES = 1200 * 1024 };

static int pairs_of_row(const struct convolution_shape *s)
{
    return s->out_width / 2;
}

/** Rows that make whole passes. */
static int rows_of_pass(const struct convolution_shape *s)
{
    const int pairs = pairs_of_row(s);
    return pairs < PASS_POSITIONS ? PASS_POSITIONS / pairs : 1;
}

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return !s->feeds_spikes && !s->takes_spikes && s->kernel_height == 3 && s->kernel_width == 3 &&
           s->stride == 1 && s->pad_top == 1 && s->pad_left == 1 && s->out_height == s->in_height &&
           s->out_width == s->in_width && s->out_width >= TILE_SIDE &&
           (s->out_width & (s->out_width - 1)) == 0 && s->out_height % rows_of_pass(s) == 0 &&
           s->in_channels >= FEWEST_CHANNELS && s->out_channels >= FEWEST_CHANNELS;
}

/* ---- weights ---- */

static size_t point_floats(const struct convolution_shape *s)
{
    return tiles_pass_floats(s->in_channels, ROW_TAPS);
}

static size_t weight_size(const struct convolution_shape *s)
{
    return tiles_passes(s->out_channels) * POINTS * point_floats(s);
}

/** The columns of one filter at a point: [row tap]. */
static void transform_filter(const float filter[9], int point, float transformed[ROW_TAPS])
{
    static const double g[POINTS][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    for (int i = 0; i < ROW_TAPS; i++) {
        double sum = 0;
        for (int j = 0; j < 3; j++)
            sum += g[point][j] * (double)filter[3 * i + j];
        transformed[i] = (float)sum;
    }
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    float transformed[ROW_TAPS];
    memset(arranged, 0, sizeof *arranged * weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t c = 0; c < (size_t)s->in_channels; c++, weight += 9)
            for (int point = 0; point < POINTS; point++) {
                float *pass = arranged + (o / PASS_OUTPUTS * POINTS + (size_t)point) * point_floats(s);
                transform_filter(weight, point, transformed);
                for (size_t tap = 0; tap < ROW_TAPS; tap++)
                    tiles_put_weight(pass, ROW_TAPS, o % PASS_OUTPUTS, c, tap, transformed[tap]);
            }
}

/* ---- memory ---- */

/** A band of rows of one image, with a row before and one behind it, and room. */
struct work {
    int first_row, n_rows; /**< of the output */
    size_t n_positions;    /**< pairs, with those before and behind */
    struct split_maps maps[POINTS];
    float *rows;   /**< [n_rows + 2][padded width] of a channel */
    float *values; /**< [POINTS][TILE_CHANNELS][n_positions] */
    float *added;  /**< [PASS_OUTPUTS][height][width] */
    float *sums;   /**< [POINTS][block of PASS_POSITIONS pairs][PASS_TILES][PASS_TILES][pair][output] */
};

/** Rows with the columns before and behind, and what a vector reads beyond. */
static size_t padded_width(const struct convolution_shape *s)
{
    return (size_t)s->in_width + 2 + 2 * LANES;
}

static int rows_of_band(const struct convolution_shape *s)
{
    const int step = rows_of_pass(s);
    const size_t row_floats = POINTS * split_maps_floats(s->in_channels, (size_t)pairs_of_row(s));
    const int rows = (int)(MAP_BYTES / sizeof(float) / row_floats) - 2;
    return rows <= step ? step : rows >= s->out_height ? s->out_height : rows / step * step;
}

static size_t band_positions(const struct convolution_shape *s)
{
    return (size_t)((rows_of_band(s) + 2) * pairs_of_row(s));
}

static size_t pixels(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

static size_t rows_floats(const struct convolution_shape *s)
{
    return ((size_t)(rows_of_band(s) + 2) * padded_width(s) + LANES - 1) / LANES * LANES;
}

static size_t point_sums(const struct convolution_shape *s)
{
    return (size_t)(rows_of_band(s) * pairs_of_row(s)) / PASS_POSITIONS * BLOCK_SUMS;
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    const size_t n_positions = band_positions(s);
    return POINTS * split_maps_floats(s->in_channels, n_positions) + POINTS * point_sums(s) +
           POINTS * TILE_CHANNELS * n_positions + rows_floats(s) +
           (call->adds ? PASS_OUTPUTS * pixels(s) : 0);
}

static struct work divide_scratch(const struct convolution_shape *s, float *scratch)
{
    struct work work = {.n_positions = band_positions(s)};
    for (int point = 0; point < POINTS; point++) {
        work.maps[point] = split_maps_make(s->in_channels, work.n_positions, scratch);
        scratch += split_maps_floats(s->in_channels, work.n_positions);
    }
    work.sums = scratch;
    work.values = work.sums + POINTS * point_sums(s);
    work.rows = work.values + POINTS * TILE_CHANNELS * work.n_positions;
    work.added = work.rows + rows_floats(s);
    memset(work.rows, 0, sizeof *work.rows * rows_floats(s));
    return work;
}

/* ---- from a band to its values at the points ---- */

/** Every second of two vectors' lanes. */
static inline void take_turns(const float *from, vector *even, vector *odd)
{
    const __m512i first = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(1));
    const vector a = vector_load(from), b = vector_load(from + LANES);
    *even = _mm512_permutex2var_ps(a, first, b);
    *odd = _mm512_permutex2var_ps(a, second, b);
}

/** The pairs of a row that begins one column before the map; `points` [POINTS] are `stride` apart. */
static void transform_row(const float *row, int n_pairs, float *points, size_t stride)
{
    for (int i = 0; i < n_pairs; i += LANES) {
        const vector_mask inside = mask_first((size_t)(n_pairs - i));
        vector d[POINTS];
        take_turns(row + 2 * i, &d[0], &d[1]);
        take_turns(row + 2 * i + 2, &d[2], &d[3]);
        vector_store_masked(points + i, inside, vector_subtract(d[0], d[2]));
        vector_store_masked(points + stride + i, inside, vector_add(d[1], d[2]));
        vector_store_masked(points + 2 * stride + i, inside, vector_subtract(d[2], d[1]));
        vector_store_masked(points + 3 * stride + i, inside, vector_subtract(d[3], d[1]));
    }
}

/** Rows of the map that the band sees; those beyond it are 0. */
static void read_rows(const struct generator_convolution *call, const struct work *work, size_t image,
                      size_t channel)
{
    const struct convolution_shape *s = call->shape;
    const size_t width = padded_width(s);
    const int before = work->first_row - 1, end = work->first_row + work->n_rows + 1;
    const int first = before < 0 ? 0 : before, last = end > s->in_height ? s->in_height : end;
    if (before < 0)
        memset(work->rows, 0, sizeof *work->rows * width);
    if (end > s->in_height)
        memset(work->rows + (size_t)(work->n_rows + 1) * width, 0, sizeof *work->rows * width);
    generator_read_rows(call, channel, image, first, last, work->rows + (size_t)(first - before) * width + 1,
                        width);
}

static void read_step(const struct generator_convolution *call, const struct work *work, size_t image,
                      size_t step)
{
    const struct convolution_shape *s = call->shape;
    const size_t n_pairs = (size_t)pairs_of_row(s), n = (size_t)(work->n_rows + 2) * n_pairs;
    const size_t point = TILE_CHANNELS * work->n_positions;
    const int n_channels = tiles_channels(s->in_channels, step);
    for (size_t c = 0; c < (size_t)n_channels; c++) {
        read_rows(call, work, image, step * TILE_CHANNELS + c);
        for (size_t y = 0; y < (size_t)work->n_rows + 2; y++)
            transform_row(work->rows + y * padded_width(s), (int)n_pairs,
                          work->values + c * work->n_positions + y * n_pairs, point);
    }
    for (int i = 0; i < POINTS; i++)
        split_maps_write(&work->maps[i], step, 0, work->values + (size_t)i * point, work->n_positions,
                         n_channels, n);
}

/* ---- from the products to the output ---- */

/** Sums of sixteen pairs and outputs at the points, which are `stride` apart. */
static void restore_tile(const struct tile_output *to, size_t pixel, const float *sums, size_t stride)
{
    vector even[TILE_SIDE], odd[TILE_SIDE], low, high;
    for (int i = 0; i < TILE_SIDE; i++, sums += TILE_SIDE) {
        const vector b = vector_load(sums + stride), c = vector_load(sums + 2 * stride);
        even[i] = vector_add(vector_load(sums), vector_add(b, c));
        odd[i] = vector_add(vector_subtract(b, c), vector_load(sums + 3 * stride));
    }
    vector_transpose(even);
    vector_transpose(odd);
    for (int i = 0; i < to->n_outputs; i++) {
        vector_interleave(even[i], odd[i], &low, &high);
        tile_store(to, i, pixel, low);
        tile_store(to, i, pixel + LANES, high);
    }
}

static void multiply_point(const struct convolution_shape *s, const struct work *work, size_t point,
                           const float *weight)
{
    const ptrdiff_t row = pairs_of_row(s);
    const struct tile_tap taps[ROW_TAPS] = {{0, 0}, {1, row}, {2, 2 * row}};
    const struct tile_product product = {.maps = &work->maps[point],
                                         .taps = taps,
                                         .n_taps = ROW_TAPS,
                                         .n_weight_taps = ROW_TAPS,
                                         .weight = weight + point * point_floats(s)};
    tiles_multiply(&product, 0, (size_t)(work->n_rows * pairs_of_row(s)) / PASS_POSITIONS,
                   work->sums + point * point_sums(s));
}

static void convolve_pass(const struct generator_convolution *call, const struct work *work, size_t image,
                          size_t pass, float *out)
{
    const struct convolution_shape *s = call->shape;
    const size_t n_pairs = (size_t)(work->n_rows * pairs_of_row(s));
    const size_t first_pixel = (size_t)(work->first_row * s->out_width);
    size_t output = pass * PASS_OUTPUTS;
    for (size_t point = 0; point < POINTS; point++)
        multiply_point(s, work, point, call->weight + pass * POINTS * point_floats(s));
    tile_read_added(call, image, output, work->first_row, work->first_row + work->n_rows, work->added);
    for (size_t j = 0; j < PASS_TILES && output < (size_t)s->out_channels; j++, output += TILE_SIDE) {
        const struct tile_output to = tile_output(call, image, output, work->added, out);
        for (size_t tile = 0; tile < n_pairs / TILE_SIDE; tile++)
            restore_tile(&to, first_pixel + 2 * tile * TILE_SIDE,
                         work->sums + (tile * PASS_TILES + j) * TILE_FLOATS, point_sums(s));
    }
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    struct work work = divide_scratch(s, scratch);
    tiles_begin();
    for (size_t image = 0; image < (size_t)s->time; image++)
        for (work.first_row = 0; work.first_row < s->out_height; work.first_row += work.n_rows) {
            const int left = s->out_height - work.first_row;
            work.n_rows = rows_of_band(s) < left ? rows_of_band(s) : left;
            for (size_t step = 0; step < work.maps[0].n_steps; step++)
                read_step(call, &work, image, step);
            for (size_t pass = 0; pass < tiles_passes(s->out_channels); pass++)
                convolve_pass(call, &work, image, pass, out);
        }
    tiles_end();
}

const struct convolution_way way_tile_pairs = {
    .fuses = true,
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
