/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of 3 x 3 taps with a quarter of the multiplications: tiles of 4 x 4 outputs (Winograd's F(4 x
 * 4, 3 x 3); Lavin & Gray 2016, arXiv 1509.09308). Tiles of 6 x 6 inputs become 36 values, in each of which
 * the convolution is a matrix product over the channels. Rounding errors are some ten times those of the
 * plain sum, so that layers that feed spikes do without.
 *
 * The weight is arranged [block of BLOCK_ROWS outputs][36][input][BLOCK_ROWS].
 */
#include "ways.h"

#include <string.h>

#include "around.h"
#include "product.h"

/* TILES at a time stay in the second-level cache, with all their channels. */
enum { OUT = 4, IN = 6, PLACES = IN * IN, TILES = PRODUCT_PANEL, ROWS = BLOCK_ROWS };
/* Inputs of one step, and blocks of outputs that take them while they are in the first-level cache. */
enum { STEP = 128, BLOCKS = 32 };
/* Floats that keep what is far apart from falling into the same cache lines of a set. */
enum { GAP = 16 };
enum { FEWEST_CHANNELS = 8, FEWEST_PIXELS = 64 };

/* ---- tiles ---- */

/** How the frames of a map are cut. */
struct tiling {
    int rows, columns;               /**< tiles of a frame */
    int n_tiles;                     /**< of all frames */
    int padded_height, padded_width; /**< of a frame with its border, up to whole tiles */
};

/** One tile: where it begins in the padded frames and in the output, from the first frame on that is worked
 *  on, and how much of it lies in the map. */
struct tile {
    size_t padded, out;
    int height, width;
    bool leads; /**< it and the next tiles, FOURS of them, lie side by side, of whole width */
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
    const int out_row = (frame - first_frame) * s->out_height + y;
    return (struct tile){(size_t)padded_row * (size_t)tiling->padded_width + (size_t)x,
                         (size_t)out_row * (size_t)s->out_width + (size_t)x, height < OUT ? height : OUT,
                         width < OUT ? width : OUT, false};
}

/* ---- transforms of vectors of tiles, one tile a lane ---- */

/** B^T d (Lavin & Gray, eq. 14). */
static inline void transform_input(const vector d[IN], vector t[IN])
{
    const vector four = vector_all(4), five = vector_all(5), two = vector_all(2);
    const vector a = vector_subtract_product(four, d[2], d[4]), b = vector_subtract_product(four, d[1], d[3]);
    const vector c = vector_subtract(d[4], d[2]), e = vector_multiply(two, vector_subtract(d[3], d[1]));
    t[0] = vector_multiply_add(four, d[0], vector_subtract_product(five, d[2], d[4]));
    t[1] = vector_add(a, b);
    t[2] = vector_subtract(a, b);
    t[3] = vector_add(c, e);
    t[4] = vector_subtract(c, e);
    t[5] = vector_multiply_add(four, d[1], vector_subtract_product(five, d[3], d[5]));
}

/** A^T m. */
static inline void transform_output(const vector m[IN], vector y[OUT])
{
    const vector two = vector_all(2), four = vector_all(4), eight = vector_all(8);
    const vector a = vector_add(m[1], m[2]), b = vector_subtract(m[1], m[2]);
    const vector c = vector_add(m[3], m[4]), d = vector_subtract(m[3], m[4]);
    y[0] = vector_add(m[0], vector_add(a, c));
    y[1] = vector_multiply_add(two, d, b);
    y[2] = vector_multiply_add(four, c, a);
    y[3] = vector_add(m[5], vector_multiply_add(eight, d, b));
}

/** Four neighbouring values of each of LANES tiles: column[i] holds value i, of tile FOURS i' + q in lane
 * 4 q + i'. */
static inline void load_columns(const float *padded, const struct tile *tiles, size_t shift, vector column[4])
{
    for (int i = 0; i < 4; i++) {
        const struct tile *t = tiles + FOURS * i;
        const float *from[FOURS];
        for (int q = 0; q < FOURS; q++)
            from[q] = padded + shift + t[q].padded;
        column[i] = t->leads ? vector_load(from[0]) : vector_load_fours(from);
    }
    vector_transpose_fours(column);
}

/** Store a vector while the memory for the next channel's is fetched. */
static inline void put(float *to, vector values)
{
    __builtin_prefetch(to + TILES, 1);
    vector_store(to, values);
}

/** The 36 values of LANES tiles of one channel; `values` [36] are `stride` apart. */
static void transform_tiles(const float *padded, size_t padded_width, const struct tile *tiles, size_t stride,
                            float *values)
{
    vector rows[IN][IN], d[IN + 2], t[IN];
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
            put(values + (y * IN + x) * stride, t[y]);
    }
}

/** What becomes of a channel's sums: `added` lies like `out`, or is NULL. */
struct tail {
    float bias;
    const float *added;
    bool rectifies;
    size_t width; /**< of a map's row */
    size_t next;  /**< to the next channel */
    float *out;
};

static inline void store_side_by_side(const struct tail *tail, size_t at, vector values)
{
    if (tail->added != NULL)
        values = vector_add(values, vector_load(tail->added + at));
    if (tail->rectifies)
        values = vector_larger(values, vector_zero());
    __builtin_prefetch(tail->out + tail->next + at, 1);
    vector_store(tail->out + at, values);
}

static inline void store_one(const struct tail *tail, size_t at, int width, vector values)
{
    const vector_mask inside = mask_first((size_t)width);
    if (tail->added != NULL)
        values = vector_add(values, vector_load_masked(inside, tail->added + at));
    if (tail->rectifies)
        values = vector_larger(values, vector_zero());
    vector_store_masked(tail->out + at, inside, values);
}

/** One row of up to LANES tiles. */
static inline void store_row(const struct tail *tail, const struct tile *tiles, size_t n_tiles, int row,
                             vector columns[4])
{
    vector_transpose_fours(columns);
    for (size_t i = 0; i < n_tiles; i += FOURS) {
        const size_t shift = (size_t)row * tail->width;
        if (tiles[i].leads && row < tiles[i].height) {
            store_side_by_side(tail, tiles[i].out + shift, columns[i / FOURS]);
            continue;
        }
        for (size_t j = 0; j < FOURS && i + j < n_tiles; j++)
            if (row < tiles[i + j].height)
                store_one(tail, tiles[i + j].out + shift, tiles[i + j].width,
                          vector_spread_four(columns[i / FOURS], (int)j));
    }
}

/** Load a vector while the next channel's is fetched. */
static inline vector get(const float *from)
{
    __builtin_prefetch(from + TILES);
    return vector_load(from);
}

/** The outputs of up to LANES tiles of one channel from `products` [36], which are `stride` apart. */
static void restore_tiles(const float *products, size_t stride, const struct tail *tail,
                          const struct tile *tiles, size_t n_tiles)
{
    vector rows[OUT][IN], m[IN], y[OUT];
    for (size_t x = 0; x < IN; x++) {
        for (size_t r = 0; r < IN; r++)
            m[r] = get(products + (r * IN + x) * stride);
        transform_output(m, y);
        for (size_t r = 0; r < OUT; r++)
            rows[r][x] = y[r];
    }
    for (int r = 0; r < OUT; r++) {
        transform_output(rows[r], y);
        for (int i = 0; i < OUT; i++)
            y[i] = vector_add(y[i], vector_all(tail->bias));
        store_row(tail, tiles, n_tiles, r, y);
    }
}

/* ---- weights ---- */

static size_t n_inputs(const struct convolution_shape *s)
{
    return (size_t)s->in_channels;
}

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return !s->feeds_spikes && s->kernel_height == 3 && s->kernel_width == 3 && s->stride == 1 &&
           s->pad_top == 1 && s->pad_left == 1 && s->out_height == s->in_height &&
           s->out_width == s->in_width && s->in_channels >= FEWEST_CHANNELS &&
           s->out_channels >= FEWEST_CHANNELS && s->out_height * s->out_width >= FEWEST_PIXELS;
}

static size_t weight_size(const struct convolution_shape *s)
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

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    double transformed[PLACES];
    const size_t inputs = n_inputs(s);
    memset(arranged, 0, sizeof *arranged * weight_size(s));
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
    float *values;   /**< [36][input][TILES] */
    float *products; /**< [36][BLOCKS * ROWS][TILES] */
    float *padded;   /**< [frame][padded height][padded width] */
    float *added;    /**< [frame][height][width] */
};

static size_t value_stride(const struct convolution_shape *s)
{
    return n_inputs(s) * TILES + GAP;
}

enum { PRODUCT_STRIDE = BLOCKS * ROWS * TILES + GAP };

static size_t padded_floats(const struct convolution_shape *s, const struct tiling *t)
{
    return (size_t)most_frames(s, t) * (size_t)t->padded_height * (size_t)t->padded_width;
}

static size_t added_floats(const struct generator_convolution *call, const struct tiling *t)
{
    const struct convolution_shape *s = call->shape;
    return call->adds ? (size_t)most_frames(s, t) * (size_t)s->out_height * (size_t)s->out_width : 0;
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    const struct tiling tiling = make_tiling(call->shape);
    return PLACES * (value_stride(call->shape) + PRODUCT_STRIDE) + padded_floats(call->shape, &tiling) +
           added_floats(call, &tiling);
}

static struct work divide_scratch(const struct generator_convolution *call, float *scratch)
{
    struct work work = {.tiling = make_tiling(call->shape)};
    work.values = scratch;
    work.products = work.values + PLACES * value_stride(call->shape);
    work.padded = work.products + (size_t)PLACES * PRODUCT_STRIDE;
    work.added = work.padded + padded_floats(call->shape, &work.tiling);
    memset(work.padded, 0, sizeof *work.padded * padded_floats(call->shape, &work.tiling));
    return work;
}

/** Tiles that are worked on at once. */
struct chunk {
    int first_tile, n_tiles, n_vectors;
    int first_frame, n_frames;
    struct tile tiles[TILES];
};

static struct chunk make_chunk(const struct convolution_shape *s, const struct tiling *tiling, int first_tile)
{
    const int left = tiling->n_tiles - first_tile, frame_tiles = tiling->rows * tiling->columns;
    struct chunk chunk = {.first_tile = first_tile, .first_frame = first_tile / frame_tiles};
    chunk.n_vectors = product_panel_vectors(product_vectors((size_t)left));
    chunk.n_tiles = left < chunk.n_vectors * LANES ? left : chunk.n_vectors * LANES;
    chunk.n_frames = (first_tile + chunk.n_tiles - 1) / frame_tiles - chunk.first_frame + 1;
    for (int i = 0; i < chunk.n_vectors * LANES; i++) {
        const int index = first_tile + (i < chunk.n_tiles ? i : chunk.n_tiles - 1);
        chunk.tiles[i] = make_tile(s, tiling, index, chunk.first_frame);
        chunk.tiles[i].leads =
            i + FOURS <= chunk.n_tiles && (index % tiling->columns + FOURS) * OUT <= s->out_width;
    }
    return chunk;
}

/** Rows of tiles of a chunk's frame that the chunk has some of. */
struct tile_rows {
    int first, end;
};

static struct tile_rows rows_of_frame(const struct tiling *tiling, const struct chunk *chunk, int frame)
{
    const int frame_tiles = tiling->rows * tiling->columns;
    const int first = chunk->first_tile - (chunk->first_frame + frame) * frame_tiles;
    const int last = first + chunk->n_tiles - 1;
    return (struct tile_rows){first < 0 ? 0 : first / tiling->columns,
                              last >= frame_tiles ? tiling->rows : last / tiling->columns + 1};
}

/** What a chunk sees of one channel, inside a border of zeros, which is there already. */
static void read_channel(const struct generator_convolution *call, const struct work *work,
                         const struct chunk *chunk, size_t channel)
{
    const struct convolution_shape *s = call->shape;
    const size_t padded_width = (size_t)work->tiling.padded_width;
    for (int f = 0; f < chunk->n_frames; f++) {
        const struct tile_rows rows = rows_of_frame(&work->tiling, chunk, f);
        const int first = rows.first == 0 ? 0 : rows.first * OUT - 1, end = rows.end * OUT + 1;
        float *to = work->padded + (size_t)(f * work->tiling.padded_height + first + 1) * padded_width + 1;
        generator_read_rows(call, channel, (size_t)(chunk->first_frame + f), first,
                            end < s->in_height ? end : s->in_height, to, padded_width);
    }
}

static void transform_channels(const struct generator_convolution *call, const struct work *work,
                               const struct chunk *chunk)
{
    for (size_t c = 0; c < n_inputs(call->shape); c++) {
        read_channel(call, work, chunk, c);
        for (int i = 0; i < chunk->n_tiles; i += LANES)
            transform_tiles(work->padded, (size_t)work->tiling.padded_width, chunk->tiles + i,
                            value_stride(call->shape), work->values + c * TILES + i);
    }
}

/** The 36 products of some blocks of outputs; the weights of the next block are fetched meanwhile. */
static void multiply_blocks(const struct convolution_shape *s, const struct work *work, int n_vectors,
                            const float *weight, size_t n_blocks)
{
    const size_t inputs = n_inputs(s), size = PLACES * inputs * ROWS;
    for (size_t place = 0; place < PLACES; place++, weight += inputs * ROWS)
        for (size_t first = 0; first < inputs; first += STEP)
            for (size_t block = 0; block < n_blocks; block++) {
                const float *here = weight + block * size;
                product_multiply_panel(here, work->values + place * value_stride(s), n_vectors, first,
                                       first + STEP < inputs ? first + STEP : inputs, NULL,
                                       block + 1 < n_blocks ? here + size : weight + STEP * ROWS,
                                       work->products + place * PRODUCT_STRIDE + block * ROWS * TILES);
            }
}

/** What is added to a channel, as it lies in the output from the chunk's first frame on. */
static const float *read_added(const struct generator_convolution *call, const struct work *work,
                               const struct chunk *chunk, size_t output)
{
    const struct convolution_shape *s = call->shape;
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    if (!call->adds)
        return NULL;
    for (int f = 0; f < chunk->n_frames; f++) {
        const struct tile_rows rows = rows_of_frame(&work->tiling, chunk, f);
        const int first = rows.first * OUT,
                  end = rows.end * OUT < s->out_height ? rows.end * OUT : s->out_height;
        generator_read_added(call, output, (size_t)(chunk->first_frame + f), first, end,
                             work->added + (size_t)f * pixels + (size_t)(first * s->out_width));
    }
    return work->added;
}

static void restore_blocks(const struct generator_convolution *call, const struct work *work,
                           const struct chunk *chunk, size_t first_output, float *out)
{
    const struct convolution_shape *s = call->shape;
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    struct tail tail = {
        .rectifies = call->rectifies_output, .width = (size_t)s->out_width, .next = (size_t)s->time * pixels};
    for (size_t row = 0; row < BLOCKS * ROWS && first_output + row < (size_t)s->out_channels; row++) {
        const size_t o = first_output + row;
        tail.bias = call->bias == NULL ? 0.0f : call->bias[o];
        tail.added = read_added(call, work, chunk, o);
        tail.out = out + (o * (size_t)s->time + (size_t)chunk->first_frame) * pixels;
        for (int i = 0; i < chunk->n_tiles; i += LANES)
            restore_tiles(work->products + row * TILES + i, PRODUCT_STRIDE, &tail, chunk->tiles + i,
                          (size_t)(chunk->n_tiles - i < LANES ? chunk->n_tiles - i : LANES));
    }
}

static void convolve_chunk(const struct generator_convolution *call, const struct work *work,
                           const struct chunk *chunk, float *out)
{
    const struct convolution_shape *s = call->shape;
    const size_t n_blocks = product_blocks(s->out_channels);
    transform_channels(call, work, chunk);
    for (size_t block = 0; block < n_blocks; block += BLOCKS) {
        multiply_blocks(s, work, chunk->n_vectors, call->weight + block * PLACES * n_inputs(s) * ROWS,
                        n_blocks - block < BLOCKS ? n_blocks - block : BLOCKS);
        restore_blocks(call, work, chunk, block * ROWS, out);
    }
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct work work = divide_scratch(call, scratch);
    for (int first = 0; first < work.tiling.n_tiles;) {
        const struct chunk chunk = make_chunk(call->shape, &work.tiling, first);
        convolve_chunk(call, &work, &chunk, out);
        first += chunk.n_tiles;
    }
}

const struct convolution_way way_winograd = {
    .fuses = true,
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
