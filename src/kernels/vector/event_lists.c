/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "../columns.h"
#include "events.h"
#include "neurons.h"

enum { WORD = 64, MOST_VECTORS = EVENT_VECTORS, MOST_TAPS = 64, SUM_BITS = 31, SMALLEST_UNIT = -149 };

static size_t in_pixels(const struct convolution_shape *s)
{
    return (size_t)s->in_height * (size_t)s->in_width;
}

static size_t whole_lines(size_t n_words)
{
    return (n_words + LINE - 1) / LINE * LINE;
}

static size_t row_width(const struct convolution_shape *s)
{
    return ((size_t)s->out_channels + LANES - 1) / LANES * LANES;
}

static size_t n_taps(const struct convolution_shape *s)
{
    return (size_t)s->kernel_height * (size_t)s->kernel_width;
}

bool events_fit(const struct convolution_shape *s)
{
    return s->takes_spikes && n_taps(s) <= MOST_TAPS && columns_filter(s) * row_width(s) <= UINT32_MAX;
}

/* ---- weights: whole numbers of a unit, a power of two for each output: sums of them are exact, in whatever
 * order ---- */

/** Rows of weights [channel][tap][width], and the unit of every output [width]. */
size_t events_weight_size(const struct convolution_shape *s)
{
    return (columns_filter(s) + 1) * row_width(s);
}

/** log2 of the smallest unit in which every sum of some of the weights fits into 32 bits, also after
 * rounding. */
static int find_unit(const float *weight, size_t n)
{
    double positive = 0, negative = 0;
    int exponent;
    for (size_t k = 0; k < n; k++)
        *(weight[k] > 0 ? &positive : &negative) += fabs((double)weight[k]);
    frexp(fmax(positive, negative) * (1 + (double)n * 0x1p-31), &exponent);
    return exponent - SUM_BITS > SMALLEST_UNIT ? exponent - SUM_BITS : SMALLEST_UNIT;
}

void events_arrange(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t filter = columns_filter(s), width = row_width(s);
    memset(arranged, 0, sizeof *arranged * events_weight_size(s));
    for (size_t o = 0; o < (size_t)s->out_channels; o++, weight += filter) {
        const int unit = find_unit(weight, filter);
        for (size_t k = 0; k < filter; k++) {
            const int32_t units = (int32_t)lrint(ldexp((double)weight[k], -unit));
            memcpy(arranged + k * width + o, &units, sizeof units);
        }
        arranged[filter * width + o] = (float)ldexp(1, unit);
    }
}

/* ---- lists ---- */

/** Spikes of a pixel; they are written in whole vectors, which may reach beyond the last one. */
static size_t list_capacity(const struct convolution_shape *s)
{
    return whole_lines((size_t)s->in_channels + LANES);
}

static size_t n_lists(const struct convolution_shape *s)
{
    return in_pixels(s) * ((size_t)s->time + 1);
}

static size_t n_starts(const struct convolution_shape *s)
{
    return in_pixels(s) * ((size_t)s->time + 2);
}

size_t event_lists_words(const struct convolution_shape *s)
{
    return whole_lines(n_starts(s)) + (n_lists(s) + n_taps(s) + 1) * list_capacity(s) +
           2 * whole_lines(row_width(s));
}

/** Append the channels of a word's spikes; `rows` has those of its first LANES channels. Returns the end. */
static inline uint32_t *append_channels(uint64_t word, int_vector rows, int_vector step, uint32_t *list)
{
#pragma GCC unroll 8
    for (int piece = 0; piece < WORD / LANES; piece++, word >>= LANES) {
        const unsigned spikes = (unsigned)(word & ((1u << LANES) - 1));
        int_vector_store_some(list, rows, spikes);
        list += __builtin_popcount(spikes);
        rows = int_vector_add(rows, step);
    }
    return list;
}

/** Append one pixel at one step: the channels of `spikes` that are not in `always` (NULL: none is). Returns
 * the end. */
static uint32_t *list_channels(const struct event_lists *lists, const uint64_t *spikes,
                               const uint64_t *always, uint32_t *list)
{
    const int channel_row = (int)(n_taps(lists->shape) * lists->width);
    const int_vector lanes = int_vector_lanes();
    const int_vector step = int_vector_all(channel_row * LANES);
    int_vector rows = int_vector_multiply(lanes, int_vector_all(channel_row));
    for (size_t w = 0; w < spike_words(lists->shape->in_channels); w++) {
        const uint64_t word = always == NULL ? spikes[w] : spikes[w] & ~always[w];
        if (word != 0)
            list = append_channels(word, rows, step, list);
        rows = int_vector_add(rows, int_vector_all(channel_row * WORD));
    }
    return list;
}

/** Who spikes at every time step, of a pixel. */
static void find_always(const uint64_t *in, size_t n_words, size_t frame, int time, uint64_t *always)
{
    memcpy(always, in, sizeof *always * n_words);
    for (size_t t = 1; t < (size_t)time; t++)
        for (size_t w = 0; w < n_words; w++)
            always[w] &= in[t * frame + w];
}

static void make_lists(struct event_lists *lists, const uint64_t *in, uint64_t *always)
{
    const struct convolution_shape *s = lists->shape;
    const size_t n_words = spike_words(s->in_channels), frame = in_pixels(s) * n_words;
    uint32_t *start = lists->starts, *list = lists->spikes;
    for (size_t pixel = 0; pixel < in_pixels(s); pixel++, in += n_words) {
        find_always(in, n_words, frame, s->time, always);
        *start++ = (uint32_t)(list - lists->spikes);
        list = list_channels(lists, always, NULL, list);
        for (size_t t = 0; t < (size_t)s->time; t++) {
            *start++ = (uint32_t)(list - lists->spikes);
            list = list_channels(lists, in + t * frame, always, list);
        }
        *start++ = (uint32_t)(list - lists->spikes);
    }
}

/** The next `n_words` of the scratch memory. */
static void *take(float **scratch, size_t n_words)
{
    void *part = *scratch;
    *scratch += whole_lines(n_words);
    return part;
}

void event_lists_make(struct event_lists *lists, const struct convolution_shape *s, const float *weight,
                      const float *bias, const uint64_t *in, float *scratch)
{
    *lists = (struct event_lists){.shape = s, .weight = weight, .width = row_width(s)};
    lists->units = weight + columns_filter(s) * lists->width;
    lists->starts = take(&scratch, n_starts(s));
    lists->spikes = take(&scratch, n_lists(s) * list_capacity(s));
    lists->rows = take(&scratch, (n_taps(s) + 1) * list_capacity(s));
    lists->constant = take(&scratch, lists->width);
    lists->bias = take(&scratch, lists->width);
    memset(lists->bias, 0, sizeof *lists->bias * lists->width);
    if (bias != NULL)
        memcpy(lists->bias, bias, sizeof *bias * (size_t)s->out_channels);
    make_lists(lists, in, (uint64_t *)lists->rows);
}

/* ---- sums ---- */

/** An input pixel under a tap of one output pixel. */
struct tap {
    const uint32_t *starts; /**< [2 + time] */
    int32_t row;            /**< of the tap, after that of the channel */
};

static size_t find_taps(const struct event_lists *lists, int y, int x, struct tap taps[MOST_TAPS])
{
    const struct convolution_shape *s = lists->shape;
    size_t n = 0;
    for (int i = 0; i < s->kernel_height; i++) {
        const int in_y = y * s->stride + i - s->pad_top;
        for (int j = 0; j < s->kernel_width && in_y >= 0 && in_y < s->in_height; j++) {
            const int in_x = x * s->stride + j - s->pad_left;
            if (in_x < 0 || in_x >= s->in_width)
                continue;
            const size_t pixel = (size_t)(in_y * s->in_width + in_x);
            taps[n].starts = lists->starts + pixel * ((size_t)s->time + 2);
            taps[n++].row = (i * s->kernel_width + j) * (int)lists->width;
        }
    }
    return n;
}

/** Append the rows of a tap's spikes; whole vectors are written, at least one. */
static inline size_t append_rows(const struct tap *tap, size_t step, const uint32_t *spikes, uint32_t *rows)
{
    const size_t n = tap->starts[step + 1] - tap->starts[step];
    const int_vector row = int_vector_all(tap->row);
    spikes += tap->starts[step];
    int_vector_store(rows, int_vector_add(int_vector_load(spikes), row));
    for (size_t i = LANES; i < n; i += LANES)
        int_vector_store(rows + i, int_vector_add(int_vector_load(spikes + i), row));
    return n;
}

/** List the rows of weights whose sum an output pixel is at one step (0: of who spikes always), in the order
 * (tap, channel). */
static size_t collect_rows(const struct event_lists *lists, const struct tap *taps, size_t n_places,
                           size_t step)
{
    const uint32_t *spikes = lists->spikes;
    uint32_t *rows = lists->rows;
    for (size_t k = 0; k < n_places; k++)
        rows += append_rows(&taps[k], step, spikes, rows);
    return (size_t)(rows - lists->rows);
}

/** Whose sums go where: `n` rows that begin at rows[], outputs from `first` on. */
struct sum {
    const struct event_lists *lists;
    size_t n_rows;
    const int32_t *start; /**< [width] */
};

/** `width` vectors of one output pixel: a constant at every call, so that the sums stay in registers. */
static inline __attribute__((always_inline)) void add_rows(const struct sum *s, size_t first, int width,
                                                           int_vector sum[MOST_VECTORS])
{
    const float *weight = s->lists->weight + first;
    const uint32_t *rows = s->lists->rows;
#pragma GCC unroll 16
    for (int v = 0; v < width; v++)
        sum[v] = int_vector_load(s->start + first + v * LANES);
    for (const uint32_t *end = rows + s->n_rows; rows < end; rows++) {
        const float *row = weight + *rows;
        __asm__("" : "+r"(row)); /* one address for all vectors, not one each */
#pragma GCC unroll 16
        for (int v = 0; v < width; v++)
            sum[v] = int_vector_add(sum[v], int_vector_load(row + v * LANES));
    }
}

/** Sums in units of the outputs, with the bias. */
static inline vector current_of(const struct event_lists *lists, size_t output, int_vector sum)
{
    const vector scaled = vector_multiply(int_vector_to_floats(sum), vector_load(lists->units + output));
    return vector_add(scaled, vector_load(lists->bias + output));
}

static inline __attribute__((always_inline)) void put_currents(const struct sum *s, size_t first, int width,
                                                               bool adds, float *currents)
{
    int_vector sum[MOST_VECTORS];
    add_rows(s, first, width, sum);
#pragma GCC unroll 16
    for (int v = 0; v < width; v++) {
        float *current = currents + first + v * LANES;
        const vector value = current_of(s->lists, first + (size_t)(v * LANES), sum[v]);
        vector_store(current, adds ? vector_add(vector_load(current), value) : value);
    }
}

static void sum_rows(const struct sum *s, size_t first, size_t last, bool adds, float *currents)
{
    for (; first + MOST_VECTORS * LANES <= last; first += MOST_VECTORS * LANES)
        put_currents(s, first, MOST_VECTORS, adds, currents);
    for (; first + MOST_VECTORS / 2 * LANES <= last; first += MOST_VECTORS / 2 * LANES)
        put_currents(s, first, MOST_VECTORS / 2, adds, currents);
    for (; first + MOST_VECTORS / 4 * LANES <= last; first += MOST_VECTORS / 4 * LANES)
        put_currents(s, first, MOST_VECTORS / 4, adds, currents);
    for (; first < last; first += LANES)
        put_currents(s, first, 1, adds, currents);
}

/** What spikes at every step, once for all. */
static void sum_constant(const struct event_lists *lists, size_t n_rows, size_t first, size_t last)
{
    const struct sum sum = {lists, n_rows, lists->constant};
    memset(lists->constant, 0, sizeof *lists->constant * lists->width);
    for (; n_rows > 0 && first < last; first += LANES) {
        int_vector total[MOST_VECTORS];
        add_rows(&sum, first, 1, total);
        int_vector_store(lists->constant + first, total[0]);
    }
}

void event_lists_sum(const struct event_lists *lists, int y, int x, size_t first, size_t last, bool adds,
                     float *currents)
{
    struct tap taps[MOST_TAPS];
    const size_t n_places = find_taps(lists, y, x, taps);
    sum_constant(lists, collect_rows(lists, taps, n_places, 0), first, last);
    for (size_t t = 0; t < (size_t)lists->shape->time; t++) {
        const struct sum sum = {lists, collect_rows(lists, taps, n_places, 1 + t), lists->constant};
        sum_rows(&sum, first, last, adds, currents + t * lists->width);
    }
}
