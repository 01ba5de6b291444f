/* SPDX-License-Identifier: MIT */
#include "winograd.h"

#include <string.h>

#include "product.h"

/* TILES at a time stay in the second-level cache, with all their channels. */
enum { OUT = 4, IN = 6, PLACES = IN * IN, TILES = 48, LANES = PRODUCT_LANES, ROWS = PRODUCT_ROWS };
/* Inputs of one step, and blocks of outputs that take them while they are in the first-level cache. */
enum { STEP = 64, BLOCKS = 8 };
enum { FEWEST_CHANNELS = 8, FEWEST_PIXELS = 64 };

/* ---- tiles ---- */

/** How the frames of a map are cut. */
struct tiling {
    int rows, columns;               /**< tiles of a frame */
    int n_tiles;                     /**< of all frames */
    int padded_height, padded_width; /**< of a frame with its border, up to whole tiles */
};

/** One tile: where it begins in the padded frames and in the output, and how much of it lies in the map. */
struct tile {
    size_t padded, out;
    int height;
    __mmask8 width;
};

static int divide_up(int a, int b)
{
    return (a + b - 1) / b;
}

static struct tiling make_tiling(const struct convolution_shape *s)
{
    const int rows = divide_up(s->out_height, OUT), columns = divide_up(s->out_width, OUT);
    /* chunks of four columns are read: one more than a tile's six */
    return (struct tiling){rows, columns, s->time * rows * columns, OUT * rows + 2, OUT * columns + OUT};
}

/** Frames that TILES tiles in a row can touch. */
static int most_frames(const struct convolution_shape *s, const struct tiling *tiling)
{
    const int frames = (TILES - 2) / (tiling->rows * tiling->columns) + 2;
    return frames < s->time ? frames : s->time;
}

static struct tile make_tile(const struct convolution_shape *s, const struct tiling *tiling, int index,
                             int first_frame)
{
    const int frame = index / (tiling->rows * tiling->columns);
    const int y = index / tiling->columns % tiling->rows * OUT, x = index % tiling->columns * OUT;
    const int height = s->out_height - y, width = s->out_width - x;
    const int padded_row = (frame - first_frame) * tiling->padded_height + y;
    const int out_row = frame * s->out_height + y;
    return (struct tile){(size_t)padded_row * (size_t)tiling->padded_width + (size_t)x,
                         (size_t)out_row * (size_t)s->out_width + (size_t)x, height < OUT ? height : OUT,
                         (__mmask8)(width < OUT ? (1 << width) - 1 : 15)};
}

/** Some frames of one channel with a border of one zero, which is there already. */
static void pad_frames(const struct convolution_shape *s, const struct tiling *tiling, int n_frames,
                       const float *in, float *padded)
{
    const size_t width = (size_t)s->in_width, padded_width = (size_t)tiling->padded_width;
    for (int f = 0; f < n_frames; f++, padded += (size_t)tiling->padded_height * padded_width)
        for (size_t y = 0; y < (size_t)s->in_height; y++, in += width)
            memcpy(padded + (y + 1) * padded_width + 1, in, sizeof *in * width);
}

/* ---- transforms of vectors of tiles, one tile a lane ---- */

/** B^T d (Lavin & Gray, eq. 14). */
static inline void transform_input(const __m512 d[IN], __m512 t[IN])
{
    const __m512 four = _mm512_set1_ps(4), five = _mm512_set1_ps(5), two = _mm512_set1_ps(2);
    const __m512 a = _mm512_fnmadd_ps(four, d[2], d[4]), b = _mm512_fnmadd_ps(four, d[1], d[3]);
    const __m512 c = _mm512_sub_ps(d[4], d[2]), e = _mm512_mul_ps(two, _mm512_sub_ps(d[3], d[1]));
    t[0] = _mm512_fmadd_ps(four, d[0], _mm512_fnmadd_ps(five, d[2], d[4]));
    t[1] = _mm512_add_ps(a, b);
    t[2] = _mm512_sub_ps(a, b);
    t[3] = _mm512_add_ps(c, e);
    t[4] = _mm512_sub_ps(c, e);
    t[5] = _mm512_fmadd_ps(four, d[1], _mm512_fnmadd_ps(five, d[3], d[5]));
}

/** A^T m. */
static inline void transform_output(const __m512 m[IN], __m512 y[OUT])
{
    const __m512 two = _mm512_set1_ps(2), four = _mm512_set1_ps(4), eight = _mm512_set1_ps(8);
    const __m512 a = _mm512_add_ps(m[1], m[2]), b = _mm512_sub_ps(m[1], m[2]);
    const __m512 c = _mm512_add_ps(m[3], m[4]), d = _mm512_sub_ps(m[3], m[4]);
    y[0] = _mm512_add_ps(m[0], _mm512_add_ps(a, c));
    y[1] = _mm512_fmadd_ps(two, d, b);
    y[2] = _mm512_fmadd_ps(four, c, a);
    y[3] = _mm512_add_ps(m[5], _mm512_fmadd_ps(eight, d, b));
}

/** Transpose the 4 x 4 values in each quarter of four vectors. */
static inline void transpose(__m512 v[4])
{
    const __m512 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
    const __m512 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
    v[0] = _mm512_shuffle_ps(a, c, 0x44);
    v[1] = _mm512_shuffle_ps(a, c, 0xee);
    v[2] = _mm512_shuffle_ps(b, d, 0x44);
    v[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/** Four neighbouring values of each of 16 tiles: column[i] holds value i, of tile 4 i' + q in lane 4 q + i'.
 */
static inline void load_columns(const float *padded, const struct tile *tiles, size_t shift, __m512 column[4])
{
    for (int i = 0; i < 4; i++) {
        const struct tile *t = tiles + 4 * i;
        const float *from = padded + shift;
        __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(from + t[0].padded));
        v = _mm512_insertf32x4(v, _mm_loadu_ps(from + t[1].padded), 1);
        v = _mm512_insertf32x4(v, _mm_loadu_ps(from + t[2].padded), 2);
        column[i] = _mm512_insertf32x4(v, _mm_loadu_ps(from + t[3].padded), 3);
    }
    transpose(column);
}

/** The 36 values of 16 tiles of one channel; `values` [36] are `stride` apart. */
static void transform_tiles(const float *padded, size_t padded_width, const struct tile *tiles, size_t stride,
                            float *values)
{
    __m512 rows[IN][IN], d[IN + 2], t[IN];
    for (size_t r = 0; r < IN; r++) {
        load_columns(padded, tiles, r * padded_width, d);
        load_columns(padded, tiles, r * padded_width + OUT, d + OUT);
        transform_input(d, rows[r]);
    }
    for (size_t x = 0; x < IN; x++) {
        for (size_t r = 0; r < IN; r++)
            d[r] = rows[r][x];
        transform_input(d, t);
        for (size_t y = 0; y < IN; y++)
            _mm512_storeu_ps(values + (y * IN + x) * stride, t[y]);
    }
}

static void store_row(const struct tile *tiles, size_t n_tiles, int row, size_t width, __m512 columns[4],
                      float *out)
{
    transpose(columns);
    float values[LANES];
    for (size_t i = 0; i < n_tiles; i++) {
        if (i % 4 == 0)
            _mm512_storeu_ps(values, columns[i / 4]);
        if (row >= tiles[i].height)
            continue;
        _mm_mask_storeu_ps(out + tiles[i].out + (size_t)row * width, tiles[i].width,
                           _mm_loadu_ps(values + 4 * (i % 4)));
    }
}

/** The outputs of up to 16 tiles of one channel from `products` [36], which are `stride` apart. */
static void restore_tiles(const float *products, size_t stride, float bias, const struct tile *tiles,
                          size_t n_tiles, size_t width, float *out)
{
    __m512 rows[OUT][IN], m[IN], y[OUT];
    for (size_t x = 0; x < IN; x++) {
        for (size_t r = 0; r < IN; r++)
            m[r] = _mm512_loadu_ps(products + (r * IN + x) * stride);
        transform_output(m, y);
        for (size_t r = 0; r < OUT; r++)
            rows[r][x] = y[r];
    }
    for (int r = 0; r < OUT; r++) {
        transform_output(rows[r], y);
        for (int i = 0; i < OUT; i++)
            y[i] = _mm512_add_ps(y[i], _mm512_set1_ps(bias));
        store_row(tiles, n_tiles, r, width, y, out);
    }
}

/* ---- weights ---- */

static size_t n_inputs(const struct convolution_shape *s)
{
    return (size_t)s->in_channels;
}

bool winograd_fits(const struct convolution_shape *s)
{
    return !s->feeds_spikes && s->kernel_height == 3 && s->kernel_width == 3 && s->stride == 1 &&
           s->pad_top == 1 && s->pad_left == 1 && s->out_height == s->in_height &&
           s->out_width == s->in_width && s->in_channels >= FEWEST_CHANNELS &&
           s->out_channels >= FEWEST_CHANNELS && s->out_height * s->out_width >= FEWEST_PIXELS;
}

size_t winograd_weight_size(const struct convolution_shape *s)
{
    return product_blocks(s->out_channels) * ROWS * PLACES * n_inputs(s);
}

/** G g G^T. */
static void transform_filter(const float filter[9], double transformed[PLACES])
{
    static const double g[IN][3] = {{1. / 4, 0, 0},
                                    {-1. / 6, -1. / 6, -1. / 6},
                                    {-1. / 6, 1. / 6, -1. / 6},
                                    {1. / 24, 1. / 12, 1. / 6},
                                    {1. / 24, -1. / 12, 1. / 6},
                                    {0, 0, 1}};
    for (int y = 0; y < IN; y++)
        for (int x = 0; x < IN; x++) {
            double sum = 0;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++)
                    sum += g[y][i] * (double)filter[3 * i + j] * g[x][j];
            transformed[y * IN + x] = sum;
        }
}

void winograd_arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    double transformed[PLACES];
    const size_t inputs = n_inputs(s);
    memset(arranged, 0, sizeof *arranged * winograd_weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t c = 0; c < inputs; c++) {
            transform_filter(weight + (o * inputs + c) * 9, transformed);
            for (size_t place = 0; place < PLACES; place++)
                arranged[((o / ROWS * PLACES + place) * inputs + c) * ROWS + o % ROWS] =
                    (float)transformed[place];
        }
}

/* ---- the convolution ---- */

/** Parts of the scratch memory. */
struct work {
    struct tiling tiling;
    float *padded;   /**< [frame][padded height][padded width] */
    float *values;   /**< [36][input][TILES] */
    float *products; /**< [36][BLOCKS * ROWS][TILES] */
};

static size_t padded_floats(const struct convolution_shape *s, const struct tiling *t)
{
    return (size_t)most_frames(s, t) * (size_t)t->padded_height * (size_t)t->padded_width;
}

size_t winograd_scratch(const struct convolution_shape *s)
{
    const struct tiling tiling = make_tiling(s);
    return padded_floats(s, &tiling) + (size_t)PLACES * TILES * (n_inputs(s) + BLOCKS * ROWS);
}

static struct work divide_scratch(const struct convolution_shape *s, float *scratch)
{
    struct work work = {.tiling = make_tiling(s)};
    work.values = scratch;
    work.products = work.values + (size_t)PLACES * TILES * n_inputs(s);
    work.padded = work.products + (size_t)PLACES * TILES * BLOCKS * ROWS;
    memset(work.padded, 0, sizeof *work.padded * padded_floats(s, &work.tiling));
    return work;
}

static void transform_channels(const struct convolution_shape *s, const struct work *work,
                               const struct tile tiles[TILES], int n_tiles, int first_frame, int n_frames,
                               const float *in)
{
    const size_t pixels = (size_t)s->in_height * (size_t)s->in_width;
    in += (size_t)first_frame * pixels;
    for (size_t c = 0; c < n_inputs(s); c++, in += (size_t)s->time * pixels) {
        pad_frames(s, &work->tiling, n_frames, in, work->padded);
        for (int i = 0; i < n_tiles; i += LANES)
            transform_tiles(work->padded, (size_t)work->tiling.padded_width, tiles + i, n_inputs(s) * TILES,
                            work->values + c * TILES + i);
    }
}

/**
 * Inputs [first, last) of the products of ROWS outputs with all TILES, while their weights `next` are
 * fetched. The bounds of all other loops are constants: only then do the sums stay in registers.
 */
static inline __attribute__((always_inline)) void multiply_inputs(const float *weight, const float *values,
                                                                  size_t first, size_t last,
                                                                  const float *next, float *products)
{
    enum { VECTORS = TILES / LANES };
    __m512 sums[ROWS][VECTORS], value[VECTORS];
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (size_t v = 0; v < VECTORS; v++)
            sums[o][v] = _mm512_setzero_ps();
    for (size_t c = first; c < last; c++) {
#pragma GCC unroll 3
        for (size_t v = 0; v < VECTORS; v++)
            value[v] = _mm512_load_ps(values + c * TILES + v * LANES);
        _mm_prefetch((const char *)(next + c * ROWS), _MM_HINT_T0);
#pragma GCC unroll 8
        for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
            for (size_t v = 0; v < VECTORS; v++)
                sums[o][v] = _mm512_fmadd_ps(_mm512_set1_ps(weight[c * ROWS + o]), value[v], sums[o][v]);
    }
#pragma GCC unroll 8
    for (size_t o = 0; o < ROWS; o++)
#pragma GCC unroll 3
        for (size_t v = 0; v < VECTORS; v++) {
            float *product = products + o * TILES + v * LANES;
            _mm512_store_ps(product,
                            first > 0 ? _mm512_add_ps(_mm512_load_ps(product), sums[o][v]) : sums[o][v]);
        }
}

/** The 36 products of some blocks of outputs; the weights of the next block are fetched meanwhile. */
static void multiply_blocks(const struct convolution_shape *s, const struct work *work, const float *weight,
                            size_t n_blocks)
{
    const size_t inputs = n_inputs(s), size = PLACES * inputs * ROWS;
    for (size_t place = 0; place < PLACES; place++, weight += inputs * ROWS)
        for (size_t first = 0; first < inputs; first += STEP)
            for (size_t block = 0; block < n_blocks; block++) {
                const float *here = weight + block * size;
                multiply_inputs(here, work->values + place * inputs * TILES, first,
                                first + STEP < inputs ? first + STEP : inputs,
                                block + 1 < n_blocks ? here + size : weight + STEP * ROWS,
                                work->products + (place * BLOCKS + block) * ROWS * TILES);
            }
}

static void restore_blocks(const struct convolution_shape *s, const struct work *work, const float *bias,
                           const struct tile tiles[TILES], int n_tiles, size_t first_output, float *out)
{
    const size_t out_stride = (size_t)s->time * (size_t)s->out_height * (size_t)s->out_width;
    for (size_t row = 0; row < BLOCKS * ROWS && first_output + row < (size_t)s->out_channels; row++) {
        const size_t o = first_output + row;
        for (int i = 0; i < n_tiles; i += LANES)
            restore_tiles(work->products + row * TILES + i, BLOCKS * ROWS * TILES,
                          bias == NULL ? 0.0f : bias[o], tiles + i,
                          (size_t)(n_tiles - i < LANES ? n_tiles - i : LANES), (size_t)s->out_width,
                          out + o * out_stride);
    }
}

static void convolve_tiles(const struct convolution_shape *s, const struct work *work, const float *weight,
                           const float *bias, const float *in, float *out, int first_tile)
{
    const struct tiling *tiling = &work->tiling;
    struct tile tiles[TILES];
    const int left = tiling->n_tiles - first_tile, n_tiles = left < TILES ? left : TILES;
    const int frame_tiles = tiling->rows * tiling->columns, first_frame = first_tile / frame_tiles;
    const int n_frames = (first_tile + n_tiles - 1) / frame_tiles - first_frame + 1;
    for (int i = 0; i < TILES; i++)
        tiles[i] = make_tile(s, tiling, first_tile + (i < n_tiles ? i : n_tiles - 1), first_frame);
    transform_channels(s, work, tiles, n_tiles, first_frame, n_frames, in);
    const size_t n_blocks = product_blocks(s->out_channels);
    for (size_t block = 0; block < n_blocks; block += BLOCKS) {
        multiply_blocks(s, work, weight + block * PLACES * n_inputs(s) * ROWS,
                        n_blocks - block < BLOCKS ? n_blocks - block : BLOCKS);
        restore_blocks(s, work, bias, tiles, n_tiles, block * ROWS, out);
    }
}

void winograd_convolve(const struct convolution_shape *s, const float *weight, const float *bias,
                       const float *in, float *out, float *scratch)
{
    const struct work work = divide_scratch(s, scratch);
    for (int first = 0; first < work.tiling.n_tiles; first += TILES)
        convolve_tiles(s, &work, weight, bias, in, out, first);
}
