/* SPDX-License-Identifier: MIT */
#include "elementwise.h"

#include <math.h>
#include <string.h>

#include "../reference/elementwise.h"
#include "bilinear.h"
#include "neurons.h"

/* ---- spiking neurons ---- */

/** Up to LANES neurons, one a lane. */
struct places {
    vector_mask inside;             /**< lanes that are there */
    bool neighbours;                /**< lanes lie one after another at every time step; else at: */
    int32_t from[LANES], to[LANES]; /**< the current's; the noise's and spikes' of the first time step */
    size_t from_step, to_step;      /**< from one time step to the next */
};

static inline vector load(const struct places *at, const int32_t *lanes, const float *from)
{
    return at->neighbours ? vector_load_masked(at->inside, from) : vector_gather(at->inside, from, lanes);
}

static inline void store(const struct places *at, vector value, float *to)
{
    if (at->neighbours)
        vector_store_masked(to, at->inside, value);
    else
        vector_scatter(to, at->to, at->inside, value);
}

static inline void run_neurons(const struct neuron_constants *k, const struct places *at, int time,
                               const float *current, const float *noise, float *membrane, float *spikes)
{
    vector v = vector_load_masked(at->inside, membrane);
    for (int t = 0; t < time; t++, current += at->from_step, spikes += at->to_step) {
        vector_mask spiked;
        vector h = neuron_charge(k, v, load(at, at->from, current));
        if (noise != NULL)
            h = vector_add(h, load(at, at->to, noise + (size_t)t * at->to_step));
        v = neuron_fire(k, h, &spiked);
        store(at, vector_keep(spiked, vector_all(1)), spikes);
    }
    vector_store_masked(membrane, at->inside, v);
}

/** Channels whose maps fill vectors. */
static void spike_rows(const struct neuron_constants *k, int n_channels, int time, int current_time,
                       size_t n_pixels, const float *current, const float *noise, float *membrane,
                       float *spikes)
{
    struct places at = {
        .neighbours = true, .from_step = current_time == 1 ? 0 : n_pixels, .to_step = n_pixels};
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t p = 0; p < n_pixels; p += LANES) {
            const size_t from = c * (size_t)current_time * n_pixels + p, to = c * (size_t)time * n_pixels + p;
            at.inside = mask_first(n_pixels - p);
            run_neurons(k, &at, time, current + from, noise == NULL ? NULL : noise + to,
                        membrane + c * n_pixels + p, spikes + to);
        }
}

/** Smaller maps: as many whole channels in a vector as fit. */
static void spike_channels(const struct neuron_constants *k, int n_channels, int time, int current_time,
                           size_t n_pixels, const float *current, const float *noise, float *membrane,
                           float *spikes)
{
    const size_t together = LANES / n_pixels;
    struct places at = {.from_step = current_time == 1 ? 0 : n_pixels, .to_step = n_pixels};
    for (size_t i = 0; i < together * n_pixels; i++) {
        at.from[i] = (int32_t)(i / n_pixels * (size_t)current_time * n_pixels + i % n_pixels);
        at.to[i] = (int32_t)(i / n_pixels * (size_t)time * n_pixels + i % n_pixels);
    }
    for (size_t c = 0; c < (size_t)n_channels; c += together) {
        const size_t left = (size_t)n_channels - c, to_row = c * (size_t)time * n_pixels;
        at.inside = mask_first((left < together ? left : together) * n_pixels);
        run_neurons(k, &at, time, current + c * (size_t)current_time * n_pixels,
                    noise == NULL ? NULL : noise + to_row, membrane + c * n_pixels, spikes + to_row);
    }
}

void lanes_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                 const float *current, const float *noise, float *membrane, float *spikes)
{
    const struct neuron_constants k = neuron_constants(neuron);
    (n_pixels >= LANES ? spike_rows : spike_channels)(&k, n_channels, time, current_time, (size_t)n_pixels,
                                                      current, noise, membrane, spikes);
}

/* ---- maps ---- */

void lanes_relu(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        const vector_mask inside = mask_first(n - i);
        vector_store_masked(out + i, inside,
                            vector_larger(vector_load_masked(inside, in + i), vector_zero()));
    }
}

void lanes_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                       const float *in, float *out)
{
    for (size_t c = 0; c < (size_t)n_channels; c++, in += n_pixels, out += n_pixels)
        for (size_t p = 0; p < n_pixels; p += LANES) {
            const vector_mask inside = mask_first(n_pixels - p);
            const vector scaled = vector_multiply(vector_all(scale[c]), vector_load_masked(inside, in + p));
            vector_store_masked(out + p, inside, vector_add(scaled, vector_all(shift[c])));
        }
}

static void add_rows(size_t n, const float *a, const float *b, float *out)
{
    for (size_t i = 0; i < n; i += LANES) {
        const vector_mask inside = mask_first(n - i);
        const vector left = vector_load_masked(inside, a + i), right = vector_load_masked(inside, b + i);
        vector_store_masked(out + i, inside, vector_add(left, right));
    }
}

void lanes_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b, int b_time,
               float *out)
{
    const size_t pixels = (size_t)n_pixels, n_rows = (size_t)n_channels * (size_t)time;
    if (a_time == time && b_time == time) {
        add_rows(n_rows * pixels, a, b, out);
        return;
    }
    for (size_t row = 0; row < n_rows; row++) {
        const size_t channel = row / (size_t)time;
        add_rows(pixels, a + (a_time == 1 ? channel : row) * pixels,
                 b + (b_time == 1 ? channel : row) * pixels, out + row * pixels);
    }
}

/* ---- pooling: maps of at most one vector's width ---- */

/** The largest value in each column of rows [first, last) of a plane. */
static vector max_of_rows(const struct pool_shape *s, const float *plane, int first, int last)
{
    const vector_mask inside = mask_first((size_t)s->in_width);
    vector largest = vector_load_masked(inside, plane + first * s->in_width);
    for (int y = first + 1; y < last; y++)
        largest = vector_larger(vector_load_masked(inside, plane + y * s->in_width), largest);
    return largest;
}

/** Column `i` of each window of a row: which column of the map that is, and whether there is one. */
static int_vector window_columns(const struct pool_shape *s, int i, vector_mask *inside)
{
    const int_vector lane = int_vector_lanes();
    const int_vector column =
        int_vector_add(int_vector_multiply(lane, int_vector_all(s->stride)), int_vector_all(i - s->padding));
    *inside = int_vector_in_range(column, s->in_width);
    return column;
}

static vector max_of_columns(const struct pool_shape *s, vector row)
{
    vector largest = vector_all(-INFINITY);
    for (int i = 0; i < s->kernel; i++) {
        vector_mask inside;
        const int_vector column = window_columns(s, i, &inside);
        largest = vector_choose(inside, vector_larger(vector_permute(row, column), largest), largest);
    }
    return largest;
}

void lanes_max_pool(const struct pool_shape *s, const float *in, float *out)
{
    if (s->in_width > LANES || s->out_width > LANES) {
        elementwise_max_pool(s, in, out);
        return;
    }
    const vector_mask columns = mask_first((size_t)s->out_width);
    for (int plane = 0; plane < s->n_planes; plane++, in += s->in_height * s->in_width)
        for (int y = 0; y < s->out_height; y++, out += s->out_width) {
            const int top = y * s->stride - s->padding, end = top + s->kernel;
            const vector row = max_of_rows(s, in, top < 0 ? 0 : top, end < s->in_height ? end : s->in_height);
            vector_store_masked(out, columns, max_of_columns(s, row));
        }
}

/* ---- upsampling ---- */

static void blend_rows(int width, const float *near, const float *far, float *row)
{
    for (int x = 0; x < width; x += LANES) {
        const vector_mask inside = mask_first((size_t)(width - x));
        vector_store(row + x, bilinear_blend(vector_load_masked(inside, near + x),
                                             vector_load_masked(inside, far + x)));
    }
}

void lanes_upsample(int n_planes, int height, int width, const float *in, float *out)
{
    float room[KERNELS_LARGEST_SIDE + 2 * LANES + 2], *row = room + 1;
    for (int plane = 0; plane < n_planes; plane++, in += height * width)
        for (int y = 0; y < height; y++)
            for (int side = 0; side < 2; side++, out += 2 * width) {
                const int neighbour = side == 0 ? (y > 0 ? y - 1 : 0) : (y + 1 < height ? y + 1 : y);
                blend_rows(width, in + y * width, in + neighbour * width, row);
                bilinear_widen(width, row, out);
            }
}
