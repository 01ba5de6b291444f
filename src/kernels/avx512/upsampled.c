/* SPDX-License-Identifier: MIT */
#include "upsampled.h"

#include <string.h>

#include "generator.h"
#include "product.h"
#include "quarters.h"
#include "winograd.h"

/* What is multiplied along one dimension: values as they are, by w1, and five combinations of those of each
 * tile of four. What the edges want goes with the first and the last of these, whose weights are w0 / 2 and
 * w2. */
enum kind { EVEN, AT_0, AT_1, AT_MINUS_1, AT_2, AT_INFINITY, KINDS };
enum { SIDE = 16, TILES = 4, POINTS = 5, PLACES = KINDS * KINDS, LANES = PRODUCT_LANES, ROWS = PRODUCT_ROWS };

/* Vectors of a place, an image: what rows and columns of tiles make; what edges make of columns, of rows, and
 * of both. Four rows are worked on at once: those of the map in four groups, the four rows of tiles at each
 * point, and the edges' three. */
enum { VECTORS = 111, STEP = 64, GAP = 16 };
enum edge { TWICE_FIRST, FIRST, LAST, EDGES };

static bool has_edges(int kind)
{
    return kind == AT_0 || kind == AT_INFINITY;
}

static int edge_vectors(int kind)
{
    return kind == AT_0 ? 1 : kind == AT_INFINITY ? 2 : 0;
}

static int vectors_of_place(int row_kind, int column_kind)
{
    if (row_kind == EVEN && column_kind == EVEN)
        return SIDE;
    if (row_kind == EVEN || column_kind == EVEN)
        return TILES + edge_vectors(row_kind) + edge_vectors(column_kind);
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

bool upsampled_fits(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return call->upsamples && s->in_height == 2 * SIDE && s->in_width == 2 * SIDE && winograd_fits(s);
}

size_t upsampled_weight_size(const struct convolution_shape *s)
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

void upsampled_arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t inputs = (size_t)s->in_channels, blocks = product_blocks(s->out_channels);
    memset(arranged, 0, sizeof *arranged * upsampled_weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t c = 0; c < inputs; c++)
            for (size_t place = 0; place < PLACES; place++)
                arranged[((place * blocks + o / ROWS) * inputs + c) * ROWS + o % ROWS] =
                    (float)transformed_weight(weight + (o * inputs + c) * 9, (int)place / KINDS,
                                              (int)place % KINDS);
}

/* ---- memory ---- */

/** Images that are worked on at once, one a vector of each panel, and parts of the scratch memory. */
struct work {
    int first_image, n_images;
    size_t first_vector[PLACES]; /**< of each place */
    size_t value_stride, product_stride;
    float *values;   /**< [VECTORS][input][PRODUCT_PANEL] */
    float *products; /**< [VECTORS][output][PRODUCT_PANEL] */
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

size_t upsampled_scratch(const struct generator_convolution *call)
{
    return VECTORS * (value_stride(call->shape) + product_stride(call->shape)) + (size_t)(4 * SIDE * SIDE);
}

static struct work divide_scratch(const struct convolution_shape *s, float *scratch)
{
    struct work work = {.value_stride = value_stride(s), .product_stride = product_stride(s)};
    size_t n = 0;
    for (int place = 0; place < PLACES; place++) {
        work.first_vector[place] = n;
        n += (size_t)vectors_of_place(place / KINDS, place % KINDS);
    }
    work.values = scratch;
    work.products = work.values + VECTORS * work.value_stride;
    work.added = work.products + VECTORS * work.product_stride;
    return work;
}

/* ---- one channel of one image: from the map to the values of all places ---- */

/** Where a channel's vectors are. */
struct lane {
    const struct work *work;
    size_t stride;
    float *first;
};

static inline void put(const struct lane *to, int row_kind, int column_kind, int vector, __m512 values)
{
    const size_t v = to->work->first_vector[row_kind * KINDS + column_kind] + (size_t)vector;
    float *place = to->first + v * to->stride;
    __builtin_prefetch(place + PRODUCT_PANEL, 1);
    _mm512_store_ps(place, values);
}

static inline __m512 get(const struct lane *from, int row_kind, int column_kind, int vector)
{
    const size_t v = from->work->first_vector[row_kind * KINDS + column_kind] + (size_t)vector;
    const float *place = from->first + v * from->stride;
    __builtin_prefetch(place + PRODUCT_PANEL);
    return _mm512_load_ps(place);
}

/** Five values become those at the points, t[AT_0 ..]. */
static inline void transform(const __m512 d[POINTS], __m512 t[KINDS])
{
    const __m512 two = _mm512_set1_ps(2), three = _mm512_set1_ps(3);
    const __m512 a = _mm512_sub_ps(d[3], d[1]), b = _mm512_sub_ps(d[3], d[2]);
    t[AT_0] = _mm512_fmadd_ps(two, _mm512_sub_ps(d[0], d[2]), a);
    t[AT_1] = _mm512_fnmadd_ps(two, d[1], b);
    t[AT_MINUS_1] = _mm512_fmadd_ps(two, d[1], _mm512_fnmadd_ps(three, d[2], d[3]));
    t[AT_2] = a;
    t[AT_INFINITY] = _mm512_fnmadd_ps(two, a, _mm512_sub_ps(d[4], d[2]));
}

/** Products at the points become four sums. */
static inline void restore(const __m512 m[KINDS], __m512 y[TILES])
{
    const __m512 two = _mm512_set1_ps(2), four = _mm512_set1_ps(4), eight = _mm512_set1_ps(8);
    const __m512 a = _mm512_add_ps(m[AT_1], m[AT_MINUS_1]), b = _mm512_sub_ps(m[AT_1], m[AT_MINUS_1]);
    y[0] = _mm512_add_ps(m[AT_0], _mm512_add_ps(a, m[AT_2]));
    y[1] = _mm512_fmadd_ps(two, m[AT_2], b);
    y[2] = _mm512_fmadd_ps(four, m[AT_2], a);
    y[3] = _mm512_add_ps(m[AT_INFINITY], _mm512_fmadd_ps(eight, m[AT_2], b));
}

/** A quarter of a vector, in all four. */
static inline __m512 first_quarter(__m512 v)
{
    return _mm512_shuffle_f32x4(v, v, 0x00);
}

static inline __m512 last_quarter(__m512 v)
{
    return _mm512_shuffle_f32x4(v, v, 0xff);
}

/** Four rows, by columns: t[AT_0 ..] holds row r of tile q in lane 4 q + r; edges [EDGES] row r in lane r of
 *  each quarter. */
static inline void transform_rows(const __m512 rows[4], __m512 t[KINDS], __m512 edges[EDGES])
{
    __m512 d[POINTS] = {rows[0], rows[1], rows[2], rows[3]};
    transpose_quarters(d);
    d[4] = _mm512_maskz_shuffle_f32x4(0x0fff, d[0], d[0], 0x39);
    transform(d, t);
    edges[FIRST] = first_quarter(d[0]);
    edges[LAST] = last_quarter(d[3]);
    edges[TWICE_FIRST] = _mm512_add_ps(edges[FIRST], edges[FIRST]);
}

/** The edges, one a quarter. */
static inline __m512 join_edges(const __m512 edges[EDGES])
{
    return _mm512_mask_mov_ps(_mm512_mask_mov_ps(edges[TWICE_FIRST], 0x00f0, edges[FIRST]), 0xff00,
                              edges[LAST]);
}

static void put_map_rows(const struct lane *to, const __m512 x[SIDE])
{
    __m512 t[KINDS], edges[EDGES], first = _mm512_setzero_ps(), last = first;
    for (int group = 0; group < 4; group++) {
        for (int r = 0; r < 4; r++)
            put(to, EVEN, EVEN, 4 * group + r, x[4 * group + r]);
        transform_rows(x + 4 * group, t, edges);
        for (int kind = AT_0; kind < KINDS; kind++)
            put(to, EVEN, kind, group, t[kind]);
        const __mmask16 quarter = (__mmask16)(0xf << 4 * group);
        first = _mm512_mask_mov_ps(first, quarter, edges[FIRST]);
        last = _mm512_mask_mov_ps(last, quarter, edges[LAST]);
    }
    put(to, EVEN, AT_0, TILES, _mm512_add_ps(first, first));
    put(to, EVEN, AT_INFINITY, TILES, first);
    put(to, EVEN, AT_INFINITY, TILES + 1, last);
}

static void put_tile_rows(const struct lane *to, int row_kind, const __m512 rows[4])
{
    __m512 t[KINDS], edges[EDGES];
    transform_rows(rows, t, edges);
    for (int r = 0; r < 4; r++)
        put(to, row_kind, EVEN, r, rows[r]);
    for (int kind = AT_0; kind < KINDS; kind++)
        put(to, row_kind, kind, 0, t[kind]);
    put(to, row_kind, AT_0, column_edges(), join_edges(edges));
    put(to, row_kind, AT_INFINITY, column_edges(), join_edges(edges));
}

/** Rows of which other lanes than a place's are not read again. */
static void put_edge_rows(const struct lane *to, const __m512 x[SIDE])
{
    __m512 t[KINDS], edges[EDGES];
    const __m512 rows[4] = {[TWICE_FIRST] = _mm512_add_ps(x[0], x[0]),
                            [FIRST] = x[0],
                            [LAST] = x[SIDE - 1],
                            [EDGES] = _mm512_setzero_ps()};
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
    __m512 x[SIDE + 1], rows[KINDS][TILES], t[KINDS];
    const struct generator_head head = generator_make_head(call, channel);
    const struct lane to = {work, work->value_stride,
                            work->values + channel * PRODUCT_PANEL +
                                (image - (size_t)work->first_image) * LANES};
    const float *in = call->in + (channel * (size_t)call->shape->time + image) * SIDE * SIDE;
    for (size_t y = 0; y < SIDE; y++)
        x[y] = generator_apply_head(&head, _mm512_loadu_ps(in + y * SIDE));
    x[SIDE] = _mm512_setzero_ps();
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

static void multiply_places(const struct convolution_shape *s, const struct work *work, const float *weight)
{
    const size_t inputs = (size_t)s->in_channels, blocks = product_blocks(s->out_channels);
    for (int place = 0; place < PLACES; place++, weight += blocks * inputs * ROWS)
        for (int v = 0; v < vectors_of_place(place / KINDS, place % KINDS); v++) {
            const size_t vector = work->first_vector[place] + (size_t)v;
            for (size_t first = 0; first < inputs; first += STEP)
                for (size_t block = 0; block < blocks; block++)
                    product_multiply_panel(
                        weight + block * inputs * ROWS, work->values + vector * work->value_stride,
                        work->n_images, first, first + STEP < inputs ? first + STEP : inputs, NULL,
                        weight + (block + 1) * inputs * ROWS,
                        work->products + vector * work->product_stride + block * ROWS * PRODUCT_PANEL);
        }
}

/* ---- one channel of one image: from the products to the output ---- */

/** Sums of a row: of even and of odd columns. */
struct row {
    __m512 even, odd;
};

/** Products of four rows, by columns. */
struct row_products {
    __m512 even[4];                     /**< [row] */
    __m512 t[KINDS];                    /**< AT_0 ..: row r of tile q in lane 4 q + r */
    __m512 first_w0, first_w2, last_w2; /**< row r in lane `lane` + r */
    int lane;
};

/** h applied along one dimension: s[2i-2], s[2i-1], s[2i], s[2i+1], s[2i+2] become y[2i] and y[2i+1]. */
static inline struct row filter(__m512 even_before, __m512 odd_before, __m512 even, __m512 odd,
                                __m512 even_behind)
{
    const __m512 quarter = _mm512_set1_ps(0.25f), most = _mm512_set1_ps(0.75f);
    return (struct row){_mm512_fmadd_ps(quarter, _mm512_add_ps(odd, even_before),
                                        _mm512_mul_ps(most, _mm512_add_ps(even, odd_before))),
                        _mm512_fmadd_ps(quarter, _mm512_add_ps(even_behind, odd_before),
                                        _mm512_mul_ps(most, _mm512_add_ps(odd, even)))};
}

/** One of four rows, whose sums of odd columns are `odd`. */
static inline struct row finish_row(const struct row_products *p, int r, __m512 odd)
{
    const __m512i before = _mm512_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    const __m512i behind = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15);
    const __m512i lane = _mm512_set1_epi32(p->lane + r);
    const __m512 even = p->even[r];
    const __m512 first_w0 = _mm512_maskz_permutexvar_ps(0x0001, lane, p->first_w0);
    const __m512 first_w2 = _mm512_maskz_permutexvar_ps(0x0001, lane, p->first_w2);
    const __m512 last_w2 = _mm512_maskz_permutexvar_ps(0x8000, lane, p->last_w2);
    odd = _mm512_add_ps(odd, last_w2);
    const __m512 odd_before =
        _mm512_mask_mov_ps(_mm512_permutexvar_ps(before, odd), 0x0001, _mm512_add_ps(first_w0, first_w2));
    struct row row = filter(_mm512_permutexvar_ps(before, even), odd_before, even, odd,
                            _mm512_permutexvar_ps(behind, even));
    row.even = _mm512_sub_ps(row.even, first_w0);
    row.odd = _mm512_sub_ps(row.odd, last_w2);
    return row;
}

static inline void finish_rows(const struct row_products *p, struct row rows[4])
{
    __m512 odd[4];
    restore(p->t, odd);
    transpose_quarters(odd);
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
static inline void part_edges(struct row_products *p, __m512 w0, __m512 w2)
{
    p->first_w0 = w0;
    p->first_w2 = _mm512_shuffle_f32x4(w2, w2, 0x55);
    p->last_w2 = _mm512_shuffle_f32x4(w2, w2, 0xaa);
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
static inline __m512 get_edge_rows_of(const struct lane *from, int column_kind, int vector)
{
    return _mm512_mask_mov_ps(get(from, AT_INFINITY, column_kind, vector), 0x1111,
                              get(from, AT_0, column_kind, vector));
}

static void get_edge_rows(const struct lane *from, struct row rows[4])
{
    struct row_products p = {.even = {[TWICE_FIRST] = get(from, AT_0, EVEN, TILES),
                                      [FIRST] = get(from, AT_INFINITY, EVEN, TILES),
                                      [LAST] = get(from, AT_INFINITY, EVEN, TILES + 1),
                                      [EDGES] = _mm512_setzero_ps()}};
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
    __m512 m[KINDS], y[TILES];
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

static inline void store_half_row(const struct tail *tail, size_t at, __m512 values)
{
    values = _mm512_add_ps(values, _mm512_set1_ps(tail->bias));
    if (tail->added != NULL)
        values = _mm512_add_ps(values, _mm512_loadu_ps(tail->added + at));
    if (tail->rectifies)
        values = _mm512_max_ps(values, _mm512_setzero_ps());
    _mm512_storeu_ps(tail->out + at, values);
}

static inline void store_row(const struct tail *tail, size_t y, __m512 even, __m512 odd)
{
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    store_half_row(tail, 2 * SIDE * y, _mm512_permutex2var_ps(even, low, odd));
    store_half_row(tail, 2 * SIDE * y + LANES, _mm512_permutex2var_ps(even, high, odd));
}

static inline struct row add_rows(struct row a, struct row b)
{
    return (struct row){_mm512_add_ps(a.even, b.even), _mm512_add_ps(a.odd, b.odd)};
}

static inline struct row subtract_rows(struct row a, struct row b)
{
    return (struct row){_mm512_sub_ps(a.even, b.even), _mm512_sub_ps(a.odd, b.odd)};
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
    const struct lane from = {work, work->product_stride,
                              work->products + output * PRODUCT_PANEL +
                                  (image - (size_t)work->first_image) * LANES};
    const struct tail tail = {.bias = call->bias == NULL ? 0.0f : call->bias[output],
                              .added = call->added == NULL ? NULL : work->added,
                              .rectifies = call->rectifies_output,
                              .out = out + (output * (size_t)call->shape->time + image) * pixels};
    if (call->added != NULL)
        generator_read_added(call, output, image, 0, 2 * SIDE, work->added);
    get_sums(&from, &sums);
    finish_map(&sums, &tail);
}

void upsampled_convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    struct work work = divide_scratch(s, scratch);
    for (; work.first_image < s->time; work.first_image += work.n_images) {
        work.n_images = product_panel_vectors((size_t)(s->time - work.first_image));
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
