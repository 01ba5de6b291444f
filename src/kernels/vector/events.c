/* SPDX-License-Identifier: MIT */
#include "events.h"

#include "../columns.h"
#include "neurons.h"
#include "spikes.h"
#include "ways.h"

static size_t out_pixels(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

static size_t row_width(const struct convolution_shape *s)
{
    return ((size_t)s->out_channels + LANES - 1) / LANES * LANES;
}

/* ---- values ---- */

/** 32-bit words that the input takes as bits, in whole lines. */
static size_t bit_words(const struct convolution_shape *s)
{
    const size_t n_places = (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
    return (2 * n_places * spike_words(s->in_channels) + LINE - 1) / LINE * LINE;
}

static bool fits(const struct generator_convolution *call)
{
    return events_fit(call->shape);
}

static size_t scratch_floats(const struct generator_convolution *call)
{
    const struct convolution_shape *s = call->shape;
    return event_lists_words(s) + bit_words(s) + (size_t)s->time * row_width(s);
}

/** out[o][t][pixel] = currents[t][o]. */
static void put_pixel(const struct convolution_shape *s, size_t pixel, const float *currents, float *out)
{
    const size_t width = row_width(s), frame = out_pixels(s), time = (size_t)s->time;
    for (size_t o = 0; o < (size_t)s->out_channels; o++)
        for (size_t t = 0; t < time; t++)
            out[(o * time + t) * frame + pixel] = currents[t * width + o];
}

static void convolve(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    struct event_lists lists;
    void *room = scratch;
    uint64_t *spikes = room;
    float *currents = scratch + bit_words(s);
    spikes_pack(s->in_channels, s->time, s->in_height * s->in_width, call->in, spikes);
    event_lists_make(&lists, s, call->weight, call->bias, spikes, currents + (size_t)s->time * row_width(s));
    for (int y = 0; y < s->out_height; y++)
        for (int x = 0; x < s->out_width; x++) {
            event_lists_sum(&lists, y, x, 0, lists.width, false, currents);
            put_pixel(s, (size_t)(y * s->out_width + x), currents, out);
        }
}

const struct convolution_way way_events = {
    .fits = fits,
    .weight_size = events_weight_size,
    .arrange = events_arrange,
    .scratch = scratch_floats,
    .convolution = convolve,
};

/* ---- bits ---- */

size_t spiking_convolution_scratch(const struct spiking_convolution *call)
{
    size_t n = (size_t)call->shapes[0]->time * row_width(call->shapes[0]);
    for (int i = 0; i < call->n_convolutions; i++)
        n += event_lists_words(call->shapes[i]);
    return n;
}

/** The vectors of outputs that are wanted. */
static void set_outputs(const struct spiking_convolution *call, struct pixel_neurons *at)
{
    const struct convolution_shape *s = call->shapes[0];
    at->n_channels = (size_t)s->out_channels;
    at->first = call->channel < 0 ? 0 : (size_t)call->channel / LANES * LANES;
    at->last = call->channel < 0 ? row_width(s) : at->first + LANES;
}

void spiking_convolution(const struct spiking_convolution *call, uint64_t *spikes, float *scratch)
{
    const struct convolution_shape *s = call->shapes[0];
    const size_t width = row_width(s), n_words = spike_words(s->out_channels);
    struct event_lists lists[2];
    const struct neuron_constants constants = neuron_constants(call->neuron);
    float *currents = scratch;
    struct pixel_neurons at = {.currents = currents,
                               .current_step = width,
                               .added = call->added,
                               .spikes = spikes,
                               .n_words_frame = out_pixels(s) * n_words,
                               .time = s->time};
    set_outputs(call, &at);
    scratch += (size_t)s->time * width;
    for (int i = 0; i < call->n_convolutions; scratch += event_lists_words(call->shapes[i]), i++)
        event_lists_make(&lists[i], call->shapes[i], call->weights[i], call->biases[i], call->in[i], scratch);
    for (int y = 0; y < s->out_height; y++)
        for (int x = 0; x < s->out_width; x++) {
            for (int i = 0; i < call->n_convolutions; i++)
                event_lists_sum(&lists[i], y, x, at.first, at.last, i > 0, currents);
            spikes_run_pixel(&constants, &at);
            at.spikes += n_words;
            at.added += at.added == NULL ? 0 : n_words;
        }
}
