/* SPDX-License-Identifier: MIT */
#include "spikes.h"

#include <string.h>

#include "events.h"

enum { WORD = 64, PIECES = WORD / LANES };

/* ---- neurons of one pixel, a channel a lane ---- */

/** The spikes of a vector of channels in the words of a pixel. */
static inline unsigned get_piece(const uint64_t *words, size_t channel)
{
    unsigned piece = 0;
    memcpy(&piece, (const char *)words + channel / 8, LANES / 8);
    return piece;
}

static inline void put_piece(uint64_t *words, size_t channel, unsigned spikes)
{
    memcpy((char *)words + channel / 8, &spikes, LANES / 8);
}

/** `width` vectors together, a constant at every call: their sums of time steps do not wait for each other.
 */
static inline __attribute__((always_inline)) void
run_vectors(const struct neuron_constants *k, const struct pixel_neurons *at, size_t first, int width)
{
    vector v[PIECES];
    for (int i = 0; i < width; i++)
        v[i] = k->v_reset;
    for (size_t t = 0; t < (size_t)at->time; t++)
#pragma GCC unroll 8
        for (int i = 0; i < width; i++) {
            const size_t channel = first + (size_t)(i * LANES), frame = t * at->n_words_frame;
            vector x = vector_load(at->currents + t * at->current_step + channel);
            vector_mask spiked;
            if (at->added != NULL)
                x = vector_add(
                    x, vector_keep(mask_from_bits(get_piece(at->added + frame, channel)), vector_all(1)));
            v[i] = neuron_fire(k, neuron_charge(k, v[i], x), &spiked);
            put_piece(at->spikes + frame, channel,
                      mask_bits(mask_and(spiked, mask_first(at->n_channels - channel))));
        }
}

static inline __attribute__((always_inline)) void run_pixel(const struct neuron_constants *k,
                                                            const struct pixel_neurons *at)
{
    size_t first = at->first;
    for (; first + WORD <= at->last; first += WORD)
        run_vectors(k, at, first, PIECES);
    for (; first < at->last; first += LANES)
        run_vectors(k, at, first, 1);
}

/** With the kind of neuron as a constant, which so is not asked at every step. */
void spikes_run_pixel(const struct neuron_constants *constants, const struct pixel_neurons *at)
{
    struct neuron_constants k = *constants;
    if (k.charge == CHARGE_DECAY_INPUT && k.multiplies && !k.soft_reset && k.rests_at_zero) {
        k.charge = CHARGE_DECAY_INPUT;
        k.multiplies = true;
        k.soft_reset = false;
        k.rests_at_zero = true;
        run_pixel(&k, at);
    } else {
        run_pixel(&k, at);
    }
}

/* ---- static currents ---- */

/** to [pixel][width] from from [channel][pixel]. */
static void put_channels_last(int n_channels, size_t n_pixels, size_t width, const float *from, float *to)
{
    for (size_t c = 0; c < (size_t)n_channels; c += LANES)
        for (size_t p = 0; p < n_pixels; p += LANES) {
            const vector_mask inside = mask_first(n_pixels - p);
            vector v[LANES];
            for (size_t i = 0; i < LANES; i++)
                v[i] = c + i < (size_t)n_channels ? vector_load_masked(inside, from + (c + i) * n_pixels + p)
                                                  : vector_zero();
            vector_transpose(v);
            for (size_t i = 0; i < LANES && p + i < n_pixels; i++)
                vector_store(to + (p + i) * width + c, v[i]);
        }
}

void spikes_of_static(const struct neuron *neuron, int n_channels, int time, int n_pixels,
                      const float *current, uint64_t *spikes, float *scratch)
{
    const size_t width = ((size_t)n_channels + LANES - 1) / LANES * LANES, n_words = spike_words(n_channels);
    const struct neuron_constants constants = neuron_constants(neuron);
    put_channels_last(n_channels, (size_t)n_pixels, width, current, scratch);
    for (size_t p = 0; p < (size_t)n_pixels; p++) {
        const struct pixel_neurons at = {.currents = scratch + p * width,
                                         .spikes = spikes + p * n_words,
                                         .n_words_frame = (size_t)n_pixels * n_words,
                                         .last = width,
                                         .n_channels = (size_t)n_channels,
                                         .time = time};
        spikes_run_pixel(&constants, &at);
    }
}

/* ---- other forms ---- */

void spikes_pack(int n_channels, int time, int n_pixels, const float *values, uint64_t *spikes)
{
    const size_t n_words = spike_words(n_channels), n_places = (size_t)time * (size_t)n_pixels;
    memset(spikes, 0, sizeof *spikes * n_places * n_words);
    for (size_t c = 0; c < (size_t)n_channels; c++, values += n_places)
        for (size_t first = 0; first < n_places; first += LANES) {
            const vector_mask inside = mask_first(n_places - first);
            unsigned spiked =
                mask_bits(vector_differs(vector_load_masked(inside, values + first), vector_zero()));
            for (; spiked != 0; spiked &= spiked - 1)
                spikes[(first + (size_t)__builtin_ctz(spiked)) * n_words + c / WORD] |= (uint64_t)1
                                                                                        << c % WORD;
        }
}

void spikes_unpack(int n_channels, int time, int n_pixels, const uint64_t *spikes, float *values)
{
    const size_t n_words = spike_words(n_channels), n_places = (size_t)time * (size_t)n_pixels;
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t place = 0; place < n_places; place++)
            *values++ = (float)(spikes[place * n_words + c / WORD] >> c % WORD & 1);
}

/** A row of pixels that has the spikes of the rows [top, end) of a frame. */
static void merge_rows(const uint64_t *frame, size_t row, int top, int end, uint64_t *merged)
{
    memcpy(merged, frame + (size_t)top * row, sizeof *merged * row);
    for (int y = top + 1; y < end; y++)
        for (size_t i = 0; i < row; i++)
            merged[i] |= frame[(size_t)y * row + i];
}

static void merge_columns(const uint64_t *merged, size_t n_words, int left, int end, uint64_t *out)
{
    for (size_t w = 0; w < n_words; w++) {
        uint64_t word = 0;
        for (int x = left; x < end; x++)
            word |= merged[(size_t)x * n_words + w];
        out[w] = word;
    }
}

void spikes_max_pool(const struct pool_shape *s, size_t n_words, const uint64_t *in, uint64_t *out,
                     float *scratch)
{
    const size_t row = (size_t)s->in_width * n_words;
    void *room = scratch;
    uint64_t *merged = room;
    for (int t = 0; t < s->n_planes; t++, in += (size_t)s->in_height * row)
        for (int y = 0; y < s->out_height; y++) {
            const int top = y * s->stride - s->padding, bottom = top + s->kernel;
            merge_rows(in, row, top < 0 ? 0 : top, bottom < s->in_height ? bottom : s->in_height, merged);
            for (int x = 0; x < s->out_width; x++, out += n_words) {
                const int left = x * s->stride - s->padding, right = left + s->kernel;
                merge_columns(merged, n_words, left < 0 ? 0 : left, right < s->in_width ? right : s->in_width,
                              out);
            }
        }
}

void spikes_count(int n_channels, size_t n_places, const uint64_t *spikes, int32_t *counts)
{
    const size_t n_words = spike_words(n_channels);
    for (size_t first = 0; first < (size_t)n_channels; first += LANES) {
        const size_t left = (size_t)n_channels - first;
        int32_t group[LANES];
        int_vector sum = int_vector_zero();
        for (size_t place = 0; place < n_places; place++)
            sum = int_vector_count(sum, get_piece(spikes + place * n_words, first));
        int_vector_store(group, sum);
        memcpy(counts + first, group, sizeof *counts * (left < LANES ? left : LANES));
    }
}

const struct spike_kernels lanes_spikes = {
    .fits = events_fit,
    .convolution_scratch = spiking_convolution_scratch,
    .convolution = spiking_convolution,
    .spike = spikes_of_static,
    .max_pool = spikes_max_pool,
    .pack = spikes_pack,
    .unpack = spikes_unpack,
    .count = spikes_count,
};
