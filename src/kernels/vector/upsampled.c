/* SPDX-License-Identifier: MIT */
/*
 * Convolutions of 3 x 3 taps of a map of 16 x 16 that is upsampled to 32 x 32, with two thirds of the
 * multiplications of winograd.c.
 *
 * In one dimension: bilinear upsampling is zeros between the values x, then the filter h = [1 3 3 1] / 4. The
 * convolution is done first, s[2i] = w1 x[i] and s[2i+1] = w0 x[i] + w2 x[i+1], the latter for four i at once
 * by five products (Toom-Cook; points 0, 1, -1, 2 and infinity); then h is applied to s, which only adds.
 * Beyond its edges, upsampling repeats the outermost value where the convolution wants zeros: what that makes
 * are multiples of w0 x[0], w2 x[0] and w2 x[15], three products more, of weights that are there. So 39
 * products give 32 sums, and in two dimensions 39 x 39 give 32 x 32.
 *
 * The weight is arranged [36][block of BLOCK_ROWS outputs][input][BLOCK_ROWS].
 */
#include "ways.h"

#include <string.h>

#include "around.h"
#include "line.h"
#include "product.h"

/* What is multiplied along one dimension: values as they are, by w1, and five combinations of those of each
 * tile of four. What the edges want goes with the first and the last of these, whose weights are w0 / 2 and
 * w2. */
enum kind { EVEN, AT_0, AT_1, AT_MINUS_1, AT_2, AT_INFINITY, KINDS };
enum { SIDE = LINE, TILES = 4, POINTS = 5, PLACES = KINDS * KINDS, ROWS = BLOCK_ROWS };

/* Lines of a place, an image: what rows and columns of tiles make; what edges make of columns, of rows, and
 * of both. Four rows are worked on at once: those of the map in four groups, the four rows of tiles at each
 * point, and the edges' three. */
enum { LINES = 111, STEP = 128, GAP = 16 };
/* As many images at once as a panel has vectors: their lines of one place fill so many panels. */
enum { IMAGES = BLOCK_VECTORS, PANELS = LINE_VECTORS };
enum edge { TWICE_FIRST, FIRST, LAST, EDGES };

static bool has_edges(int kind)
{
    return kind == AT_0 || kind == AT_INFINITY;
}

static int edge_lines(int kind)
{
    return kind == AT_0 ? 1 : kind == AT_INFINITY ? 2 : 0;
}

static int lines_of_place(int row_kind, int column_kind)
{
    if (row_kind == EVEN && column_kind == EVEN)
        return SIDE;
    if (row_kind == EVEN || column_kind == EVEN)
        return TILES + edge_lines(row_kind) + edge_lines(column_kind);
    return (has_edges(row_kind) ? 2 : 1) * (has_edges(column_kind) ? 2 : 1);
}

/* Vectors of a place of two points. */
static int column_edges(void)
{
    return 1;
}

static int row_edges(int column_kind)
{
    return has_edges(column_kind) ? 2 : 1;
}

enum { BOTH_EDGES = 3 };

/* ---- weights ---- */

static bool fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return call->upsamples && s->in_height == 2 * SIDE && s->in_width == 2 * SIDE && way_winograd.fits(call);
}

static size_t weight_size(const struct convolution_shape *s)
{
    return PLACES * product_blocks(s->out_channels) * ROWS * (size_t)s->in_channels;
}

static double transformed_weight(const float filter[9], int row_kind, int column_kind)
{
    static const double g[KINDS][3] = {
        {0, 1, 0},           {1. / 2, 0, 0}, {-1. / 2, 0, -1. / 2}, {-1. / 6, 0, 1. / 6},
        {1. / 6, 0, 1. / 3}, {0, 0, 1}};
    double sum = 0;
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            sum += g[row_kind][i] * (double)filter[3 * i + j] * g[column_kind][j];
    return sum;
}

static void arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t inputs = (size_t)s->in_channels, blocks = product_blocks(s->out_channels);
    memset(arranged, 0, sizeof *arranged * weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t c = 0; c < inputs; c++)
            for (size_t place = 0; place < PLACES; place++)
                arranged[((place * blocks + o / ROWS) * inputs + c) * ROWS + o % ROWS] =
                    (float)transformed_weight(weight + (o * inputs + c) * 9, (int)place / KINDS,
                                              (int)place % KINDS);
}

/* ---- memory ---- */

/** Images that are worked on at once, LINE_VECTORS vectors each, and parts of the scratch memory. */
struct work {
    int first_image, n_images;
    int n_panels, panel_vectors; /**< of a line of each image: none is filled less than others */
    size_t first_line[PLACES];   /**< of each place */
    size_t value_stride, product_stride;
    float *values;   /**< [LINES][PANELS][input][PRODUCT_PANEL] */
    float *products; /**< [LINES][PANELS][output][PRODUCT_PANEL] */
    float *added;    /**< [2 SIDE][2 SIDE] */
};

static size_t value_stride(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * PRODUCT_PANEL + GAP;
}

static size_t product_stride(const struct convolution_shape *s)
{
    return product_blocks(s->out_channels) * ROWS * PRODUCT_PANEL + GAP;
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    return LINES * PANELS * (value_stride(call->shape) + product_stride(call->shape)) +
           (size_t)(4 * SIDE * SIDE);
}

static struct work divide_scratch(const struct convolution_shape *s, float *scratch)
{
    struct work work = {.value_stride = value_stride(s), .product_stride = product_stride(s)};
    size_t n = 0;
    for (int place = 0; place < PLACES; place++) {
        work.first_line[place] = n;
        n += (size_t)lines_of_place(place / KINDS, place % KINDS);
    }
    work.values = scratch;
    work.products = work.values + LINES * PANELS * work.value_stride;
    work.added = work.products + LINES * PANELS * work.product_stride;
    return work;
}

/* ---- one channel of one image: from the map to the values of all places ---- */

/** Where a channel's lines of an image are. */
struct lane {
    const struct work *work;
    size_t stride;  /**< from panel to panel */
    float *channel; /**< in the first panel */
    size_t image;   /**< of those that are worked on */
};

/** One vector of a line. */
static inline float *vector_of(const struct lane *lane, int row_kind, int column_kind, int line, size_t part)
{
    const size_t n = lane->work->first_line[row_kind * KINDS + column_kind] + (size_t)line;
    const size_t index = lane->image * LINE_VECTORS + part;
    const size_t width = (size_t)lane->work->panel_vectors;
    return lane->channel + (n * PANELS + index / width) * lane->stride + index % width * LANES;
}

static inline void put(const struct lane *to, int row_kind, int column_kind, int line, struct line values)
{
    for (size_t i = 0; i < LINE_VECTORS; i++) {
        float *place = vector_of(to, row_kind, column_kind, line, i);
        __builtin_prefetch(place + PRODUCT_PANEL, 1);
        vector_store(place, values.part[i]);
    }
}

static inline struct line get(const struct lane *from, int row_kind, int column_kind, int line)
{
    struct line values;
    for (size_t i = 0; i < LINE_VECTORS; i++) {
        const float *place = vector_of(from, row_kind, column_kind, line, i);
        __builtin_prefetch(place + PRODUCT_PANEL);
        values.part[i] = vector_load(place);
    }
    return values;
}

/** Five values become those at the points, t[AT_0 ..]. */
static inline void transform(const struct line d[POINTS], struct line t[KINDS])
{
    const struct line two = line_all(2), three = line_all(3);
    const struct line a = line_subtract(d[3], d[1]), b = line_subtract(d[3], d[2]);
    t[AT_0] = line_multiply_add(two, line_subtract(d[0], d[2]), a);
    t[AT_1] = line_subtract_product(two, d[1], b);
    t[AT_MINUS_1] = line_multiply_add(two, d[1], line_subtract_product(three, d[2], d[3]));
    t[AT_2] = a;
    t[AT_INFINITY] = line_subtract_product(two, a, line_subtract(d[4], d[2]));
}

/** Products at the points become four sums. */
static inline void restore(const struct line m[KINDS], struct line y[TILES])
{
    const struct line two = line_all(2), four = line_all(4), eight = line_all(8);
    const struct line a = line_add(m[AT_1], m[AT_MINUS_1]), b = line_subtract(m[AT_1], m[AT_MINUS_1]);
    y[0] = line_add(m[AT_0], line_add(a, m[AT_2]));
    y[1] = line_multiply_add(two, m[AT_2], b);
    y[2] = line_multiply_add(four, m[AT_2], a);
    y[3] = line_add(m[AT_INFINITY], line_multiply_add(eight, m[AT_2], b));
}

/** Four rows, by columns: t[AT_0 ..] holds row r of tile q in lane 4 q + r; edges [EDGES] row r in lane r of
 *  each quarter. */
static inline void transform_rows(const struct line rows[4], struct line t[KINDS], struct line edges[EDGES])
{
    struct line d[POINTS] = {rows[0], rows[1], rows[2], rows[3]};
    line_transpose_fours(d);
    d[4] = line_next_four(d[0]);
    transform(d, t);
    edges[FIRST] = line_spread_four(d[0], 0);
    edges[LAST] = line_spread_four(d[3], 3);
    edges[TWICE_FIRST] = line_add(edges[FIRST], edges[FIRST]);
}

/** The edges, one a quarter. */
static inline struct line join_edges(const struct line edges[EDGES])
{
    return line_choose(0xff00, edges[LAST], line_choose(0x00f0, edges[FIRST], edges[TWICE_FIRST]));
}

static void put_map_rows(const struct lane *to, const struct line x[SIDE])
{
    struct line t[KINDS], edges[EDGES], first = line_zero(), last = first;
    for (int group = 0; group < 4; group++) {
        for (int r = 0; r < 4; r++)
            put(to, EVEN, EVEN, 4 * group + r, x[4 * group + r]);
        transform_rows(x + 4 * group, t, edges);
        for (int kind = AT_0; kind < KINDS; kind++)
            put(to, EVEN, kind, group, t[kind]);
        first = line_choose(0xfu << 4 * group, edges[FIRST], first);
        last = line_choose(0xfu << 4 * group, edges[LAST], last);
    }
    put(to, EVEN, AT_0, TILES, line_add(first, first));
    put(to, EVEN, AT_INFINITY, TILES, first);
    put(to, EVEN, AT_INFINITY, TILES + 1, last);
}

static void put_tile_rows(const struct lane *to, int row_kind, const struct line rows[4])
{
    struct line t[KINDS], edges[EDGES];
    transform_rows(rows, t, edges);
    for (int r = 0; r < 4; r++)
        put(to, row_kind, EVEN, r, rows[r]);
    for (int kind = AT_0; kind < KINDS; kind++)
        put(to, row_kind, kind, 0, t[kind]);
    put(to, row_kind, AT_0, column_edges(), join_edges(edges));
    put(to, row_kind, AT_INFINITY, column_edges(), join_edges(edges));
}

/** Rows of which other lanes than a place's are not read again. */
static void put_edge_rows(const struct lane *to, const struct line x[SIDE])
{
    struct line t[KINDS], edges[EDGES];
    const struct line rows[4] = {
        [TWICE_FIRST] = line_add(x[0], x[0]), [FIRST] = x[0], [LAST] = x[SIDE - 1], [EDGES] = line_zero()};
    transform_rows(rows, t, edges);
    put(to, AT_0, EVEN, TILES, rows[TWICE_FIRST]);
    put(to, AT_INFINITY, EVEN, TILES, rows[FIRST]);
    put(to, AT_INFINITY, EVEN, TILES + 1, rows[LAST]);
    for (int kind = AT_0; kind < KINDS; kind++) {
        put(to, AT_0, kind, row_edges(kind), t[kind]);
        put(to, AT_INFINITY, kind, row_edges(kind), t[kind]);
    }
    for (int i = 0; i < 4; i++)
        put(to, i < 2 ? AT_0 : AT_INFINITY, i % 2 == 0 ? AT_0 : AT_INFINITY, BOTH_EDGES, join_edges(edges));
}

static void transform_map(const struct generator_convolution *call, const struct work *work, size_t channel,
                          size_t image)
{
    struct line x[SIDE + 1], rows[KINDS][TILES], t[KINDS];
    const struct generator_head head = generator_make_head(call, channel);
    const struct lane to = {work, work->value_stride, work->values + channel * PRODUCT_PANEL,
                            image - (size_t)work->first_image};
    const float *in = call->in + (channel * (size_t)call->shape->time + image) * SIDE * SIDE;
    for (size_t y = 0; y < SIDE; y++)
        for (size_t i = 0; i < LINE_VECTORS; i++)
            x[y].part[i] = generator_apply_head(&head, vector_load(in + y * SIDE + i * LANES));
    x[SIDE] = line_zero();
    for (int tile = 0; tile < TILES; tile++) {
        transform(x + 4 * tile, t);
        for (int kind = AT_0; kind < KINDS; kind++)
            rows[kind][tile] = t[kind];
    }
    put_map_rows(&to, x);
    for (int kind = AT_0; kind < KINDS; kind++)
        put_tile_rows(&to, kind, rows[kind]);
    put_edge_rows(&to, x);
}

/* ---- products ---- */

/** One panel of values times the weights of its place. */
static void multiply_panel(const struct convolution_shape *s, const float *weight, int n_vectors,
                           const float *values, float *products)
{
    const size_t inputs = (size_t)s->in_channels, blocks = product_blocks(s->out_channels);
    for (size_t first = 0; first < inputs; first += STEP)
        for (size_t block = 0; block < blocks; block++)
            product_multiply_panel(weight + block * inputs * ROWS, values, n_vectors, first,
                                   first + STEP < inputs ? first + STEP : inputs, NULL,
                                   weight + (block + 1) * inputs * ROWS,
                                   products + block * ROWS * PRODUCT_PANEL);
}

static void multiply_places(const struct convolution_shape *s, const struct work *work, const float *weight)
{
    const size_t place_weights = product_blocks(s->out_channels) * (size_t)s->in_channels * ROWS;
    for (int place = 0; place < PLACES; place++, weight += place_weights)
        for (int line = 0; line < lines_of_place(place / KINDS, place % KINDS); line++)
            for (int i = 0; i < work->n_panels; i++) {
                const size_t panel = (work->first_line[place] + (size_t)line) * PANELS + (size_t)i;
                multiply_panel(s, weight, work->panel_vectors, work->values + panel * work->value_stride,
                               work->products + panel * work->product_stride);
            }
}

/* ---- one channel of one image: from the products to the output ---- */

/** Sums of a row: of even and of odd columns. */
struct row {
    struct line even, odd;
};

/** Products of four rows, by columns. */
struct row_products {
    struct line even[4];                     /**< [row] */
    struct line t[KINDS];                    /**< AT_0 ..: row r of tile q in lane 4 q + r */
    struct line first_w0, first_w2, last_w2; /**< row r in lane `lane` + r */
    int lane;
};

/** h applied along one dimension: s[2i-2], s[2i-1], s[2i], s[2i+1], s[2i+2] become y[2i] and y[2i+1]. */
static inline struct row filter(struct line even_before, struct line odd_before, struct line even,
                                struct line odd, struct line even_behind)
{
    const struct line quarter = line_all(0.25f), most = line_all(0.75f);
    return (struct row){line_multiply_add(quarter, line_add(odd, even_before),
                                          line_multiply(most, line_add(even, odd_before))),
                        line_multiply_add(quarter, line_add(even_behind, odd_before),
                                          line_multiply(most, line_add(odd, even)))};
}

/** One of four rows, whose sums of odd columns are `odd`. */
static inline struct row finish_row(const struct row_products *p, int r, struct line odd)
{
    const struct line even = p->even[r];
    const struct line first_w0 = line_put_value(p->first_w0, p->lane + r, 0x0001);
    const struct line first_w2 = line_put_value(p->first_w2, p->lane + r, 0x0001);
    const struct line last_w2 = line_put_value(p->last_w2, p->lane + r, 0x8000);
    odd = line_add(odd, last_w2);
    const struct line odd_before = line_choose(0x0001, line_add(first_w0, first_w2), line_before(odd));
    struct row row = filter(line_before(even), odd_before, even, odd, line_behind(even));
    row.even = line_subtract(row.even, first_w0);
    row.odd = line_subtract(row.odd, last_w2);
    return row;
}

static inline void finish_rows(const struct row_products *p, struct row rows[4])
{
    struct line odd[4];
    restore(p->t, odd);
    line_transpose_fours(odd);
    for (int r = 0; r < 4; r++)
        rows[r] = finish_row(p, r, odd[r]);
}

static void get_map_rows(const struct lane *from, struct row rows[SIDE])
{
    struct row_products p = {.first_w0 = get(from, EVEN, AT_0, TILES),
                             .first_w2 = get(from, EVEN, AT_INFINITY, TILES),
                             .last_w2 = get(from, EVEN, AT_INFINITY, TILES + 1)};
    for (int group = 0; group < 4; group++) {
        p.lane = 4 * group;
        for (int r = 0; r < 4; r++)
            p.even[r] = get(from, EVEN, EVEN, 4 * group + r);
        for (int kind = AT_0; kind < KINDS; kind++)
            p.t[kind] = get(from, EVEN, kind, group);
        finish_rows(&p, rows + 4 * group);
    }
}

/** Edges that lie one a quarter, in the lanes of the first one. */
static inline void part_edges(struct row_products *p, struct line w0, struct line w2)
{
    p->first_w0 = w0;
    p->first_w2 = line_spread_four(w2, 1);
    p->last_w2 = line_spread_four(w2, 2);
    p->lane = 0;
}

static void get_tile_rows(const struct lane *from, int row_kind, struct row rows[TILES])
{
    struct row_products p;
    for (int r = 0; r < 4; r++)
        p.even[r] = get(from, row_kind, EVEN, r);
    for (int kind = AT_0; kind < KINDS; kind++)
        p.t[kind] = get(from, row_kind, kind, 0);
    part_edges(&p, get(from, row_kind, AT_0, column_edges()),
               get(from, row_kind, AT_INFINITY, column_edges()));
    finish_rows(&p, rows);
}

/** Of the edges' rows the first belongs to another place than the others. */
static inline struct line get_edge_rows_of(const struct lane *from, int column_kind, int line)
{
    return line_choose(0x1111, get(from, AT_0, column_kind, line), get(from, AT_INFINITY, column_kind, line));
}

static void get_edge_rows(const struct lane *from, struct row rows[4])
{
    struct row_products p = {.even = {[TWICE_FIRST] = get(from, AT_0, EVEN, TILES),
                                      [FIRST] = get(from, AT_INFINITY, EVEN, TILES),
                                      [LAST] = get(from, AT_INFINITY, EVEN, TILES + 1),
                                      [EDGES] = line_zero()}};
    for (int kind = AT_0; kind < KINDS; kind++)
        p.t[kind] = get_edge_rows_of(from, kind, row_edges(kind));
    part_edges(&p, get_edge_rows_of(from, AT_0, BOTH_EDGES), get_edge_rows_of(from, AT_INFINITY, BOTH_EDGES));
    finish_rows(&p, rows);
}

/** The rows of s: even ones, odd ones by their products at the points, and the edges'. */
struct sums {
    struct row even[SIDE], odd[SIDE], edges[4];
};

static void restore_tile_rows(struct row tiles[KINDS][TILES], struct row odd[SIDE])
{
    struct line m[KINDS], y[TILES];
    for (int tile = 0; tile < TILES; tile++) {
        for (int kind = AT_0; kind < KINDS; kind++)
            m[kind] = tiles[kind][tile].even;
        restore(m, y);
        for (int i = 0; i < TILES; i++)
            odd[TILES * tile + i].even = y[i];
        for (int kind = AT_0; kind < KINDS; kind++)
            m[kind] = tiles[kind][tile].odd;
        restore(m, y);
        for (int i = 0; i < TILES; i++)
            odd[TILES * tile + i].odd = y[i];
    }
}

static void get_sums(const struct lane *from, struct sums *sums)
{
    struct row tiles[KINDS][TILES];
    get_map_rows(from, sums->even);
    for (int kind = AT_0; kind < KINDS; kind++)
        get_tile_rows(from, kind, tiles[kind]);
    restore_tile_rows(tiles, sums->odd);
    get_edge_rows(from, sums->edges);
}

/** Bias, what is added and relu. */
struct tail {
    float bias;
    const float *added; /**< [2 SIDE][2 SIDE] or NULL */
    bool rectifies;
    float *out;
};

static inline void store(const struct tail *tail, size_t at, vector values)
{
    values = vector_add(values, vector_all(tail->bias));
    if (tail->added != NULL)
        values = vector_add(values, vector_load(tail->added + at));
    if (tail->rectifies)
        values = vector_larger(values, vector_zero());
    vector_store(tail->out + at, values);
}

static inline void store_row(const struct tail *tail, size_t y, struct line even, struct line odd)
{
    for (size_t i = 0; i < LINE_VECTORS; i++) {
        vector low, high;
        vector_interleave(even.part[i], odd.part[i], &low, &high);
        store(tail, 2 * (SIDE * y + i * LANES), low);
        store(tail, 2 * (SIDE * y + i * LANES) + LANES, high);
    }
}

static inline struct row add_rows(struct row a, struct row b)
{
    return (struct row){line_add(a.even, b.even), line_add(a.odd, b.odd)};
}

static inline struct row subtract_rows(struct row a, struct row b)
{
    return (struct row){line_subtract(a.even, b.even), line_subtract(a.odd, b.odd)};
}

/** h applied along columns, and what is behind. */
static void finish_map(struct sums *sums, const struct tail *tail)
{
    const struct row first_w0 = sums->edges[TWICE_FIRST], last_w2 = sums->edges[LAST];
    const struct row *even = sums->even;
    struct row odd_before = add_rows(first_w0, sums->edges[FIRST]);
    sums->odd[SIDE - 1] = add_rows(sums->odd[SIDE - 1], last_w2);
    for (size_t i = 0; i < SIDE; i++) {
        const struct row before = even[i > 0 ? i - 1 : 0], behind = even[i + 1 < SIDE ? i + 1 : i];
        const struct row odd = sums->odd[i];
        /* one column's sums of two rows each */
        const struct row left = filter(before.even, odd_before.even, even[i].even, odd.even, behind.even);
        const struct row right = filter(before.odd, odd_before.odd, even[i].odd, odd.odd, behind.odd);
        struct row upper = {left.even, right.even}, lower = {left.odd, right.odd};
        if (i == 0)
            upper = subtract_rows(upper, first_w0);
        if (i == SIDE - 1)
            lower = subtract_rows(lower, last_w2);
        store_row(tail, 2 * i, upper.even, upper.odd);
        store_row(tail, 2 * i + 1, lower.even, lower.odd);
        odd_before = odd;
    }
}

static void restore_map(const struct generator_convolution *call, const struct work *work, size_t output,
                        size_t image, float *out)
{
    struct sums sums;
    const size_t pixels = (size_t)(4 * SIDE * SIDE);
    const struct lane from = {work, work->product_stride, work->products + output * PRODUCT_PANEL,
                              image - (size_t)work->first_image};
    const struct tail tail = {.bias = call->bias == NULL ? 0.0f : call->bias[output],
                              .added = call->adds ? work->added : NULL,
                              .rectifies = call->rectifies_output,
                              .out = out + (output * (size_t)call->shape->time + image) * pixels};
    if (call->adds)
        generator_read_added(call, output, image, 0, 2 * SIDE, work->added);
    get_sums(&from, &sums);
    finish_map(&sums, &tail);
}

/** Of so many images that are left: no single one remains if that can be helped. */
static void choose_images(struct work *work, int left)
{
    work->n_images = left == IMAGES + 1 ? 2 : left < IMAGES ? left : IMAGES;
    const int n_vectors = work->n_images * LINE_VECTORS;
    work->n_panels = (n_vectors + BLOCK_VECTORS - 1) / BLOCK_VECTORS;
    work->panel_vectors = n_vectors / work->n_panels;
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    struct work work = divide_scratch(s, scratch);
    for (; work.first_image < s->time; work.first_image += work.n_images) {
        choose_images(&work, s->time - work.first_image);
        const size_t first = (size_t)work.first_image, end = first + (size_t)work.n_images;
        for (size_t c = 0; c < (size_t)s->in_channels; c++)
            for (size_t image = first; image < end; image++)
                transform_map(call, &work, c, image);
        multiply_places(s, &work, call->weight);
        for (size_t o = 0; o < (size_t)s->out_channels; o++)
            for (size_t image = first; image < end; image++)
                restore_map(call, &work, o, image, out);
    }
}

const struct convolution_way way_upsampled = {
    .fuses = true,
    .fits = fits,
    .weight_size = weight_size,
    .arrange = arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};
