/* SPDX-License-Identifier: MIT */
/* Kernels on spikes as bits: the same bits as the kernels on values of the same set. */
#include "check.h"

#include <stdio.h>
#include <string.h>

enum { N_CASES = 120 };

/** A map of spikes in both forms. */
struct spike_map {
    int channels, time, height, width;
    struct guarded values, bits;
};

static size_t n_places(const struct spike_map *map)
{
    return (size_t)map->time * (size_t)map->height * (size_t)map->width;
}

static uint64_t *words(const struct guarded *bits)
{
    return (uint64_t *)(void *)bits->values;
}

static struct spike_map make_map(int channels, int time, int height, int width)
{
    struct spike_map map = {channels, time, height, width, {0}, {0}};
    map.values = guarded_make((size_t)channels * n_places(&map));
    map.bits = guarded_make(2 * spike_words(channels) * n_places(&map));
    return map;
}

static void free_map(struct spike_map *map)
{
    guarded_free(&map->values);
    guarded_free(&map->bits);
}

static void pack(const struct kernels *kernels, struct spike_map *map)
{
    kernels->spikes->pack(map->channels, map->time, map->height * map->width, map->values.values,
                          words(&map->bits));
}

/** Random spikes, some of them at every time step. */
static struct spike_map make_input(struct check *check, int channels, int time, int height, int width)
{
    struct spike_map map = make_map(channels, time, height, width);
    const size_t pixels = (size_t)(height * width);
    guarded_fill(&map.values, &check->stream, FILL_SPIKES);
    for (size_t c = 0; c < (size_t)channels; c++)
        for (size_t p = 0; p < pixels; p++)
            for (size_t t = 0; t < (size_t)time && (c * 7 + p) % 11 == 0; t++)
                map.values.values[(c * (size_t)time + t) * pixels + p] = 1;
    pack(check->kernels, &map);
    return map;
}

static void check_intact(struct check *check, const char *what, const struct guarded *guarded)
{
    if (!guarded_is_intact(guarded))
        check_fault(check, "%s: wrote beside its output", what);
}

/** Channels [first, last) of the bits are the expected values. */
static void compare(struct check *check, const char *what, const struct spike_map *map, const float *expected,
                    int first, int last)
{
    const size_t n_words = spike_words(map->channels);
    for (size_t c = (size_t)first; c < (size_t)last; c++)
        for (size_t place = 0; place < n_places(map); place++) {
            const double bit = (double)(words(&map->bits)[place * n_words + c / 64] >> c % 64 & 1);
            check_value(check, what, c * n_places(map) + place, bit,
                        (double)expected[c * n_places(map) + place], 0);
        }
    check_intact(check, what, &map->bits);
}

/** Bits behind the last channel are nobody's spikes. */
static void check_rest(struct check *check, const char *what, const struct spike_map *map)
{
    const size_t n_words = spike_words(map->channels);
    for (size_t place = 0; map->channels % 64 != 0 && place < n_places(map); place++)
        if (words(&map->bits)[place * n_words + n_words - 1] >> map->channels % 64 != 0)
            check_fault(check, "%s: spikes behind the last channel", what);
}

/* ---- forms ---- */

static void check_forms(struct check *check, const struct spike_map *map)
{
    const struct spike_kernels *kernels = check->kernels->spikes;
    struct guarded values = guarded_make(map->values.n), counts = guarded_make((size_t)map->channels);
    compare(check, "pack", map, map->values.values, 0, map->channels);
    check_rest(check, "pack", map);
    kernels->unpack(map->channels, map->time, map->height * map->width, words(&map->bits), values.values);
    if (!guarded_equal(&values, &map->values))
        check_fault(check, "unpack: not what was packed");
    check_intact(check, "unpack", &values);
    kernels->count(map->channels, n_places(map), words(&map->bits), (int32_t *)(void *)counts.values);
    for (size_t c = 0; c < (size_t)map->channels; c++) {
        double sum;
        int32_t count;
        memcpy(&count, &counts.values[c], sizeof count);
        const size_t first = c * n_places(map);
        kernels_reference.sums(1, &first, n_places(map), 1, map->values.values, &sum);
        check_value(check, "count", c, count, sum, 0);
    }
    check_intact(check, "count", &counts);
    guarded_free(&values);
    guarded_free(&counts);
}

static void check_pool(struct check *check, const struct spike_map *in)
{
    const int kernel = stream_integer(&check->stream, 1, in->height < in->width ? in->height : in->width);
    const int stride = stream_integer(&check->stream, 1, 3);
    const int padding = stream_integer(&check->stream, 0, kernel / 2);
    struct pool_shape shape = {in->channels * in->time,
                               in->height,
                               in->width,
                               (in->height + 2 * padding - kernel) / stride + 1,
                               (in->width + 2 * padding - kernel) / stride + 1,
                               kernel,
                               stride,
                               padding};
    struct spike_map out = make_map(in->channels, in->time, shape.out_height, shape.out_width);
    struct guarded scratch = guarded_make(2 * (size_t)in->width * spike_words(in->channels));
    kernels_reference.max_pool(&shape, in->values.values, out.values.values);
    shape.n_planes = in->time;
    check->kernels->spikes->max_pool(&shape, spike_words(in->channels), words(&in->bits), words(&out.bits),
                                     scratch.values);
    compare(check, "max_pool", &out, out.values.values, 0, in->channels);
    check_intact(check, "max_pool's scratch", &scratch);
    guarded_free(&scratch);
    free_map(&out);
}

/* ---- neurons ---- */

static struct neuron random_neuron(struct stream *stream)
{
    static const double taus[] = {2, 4, 1.5, 3.7};
    struct neuron neuron = {.kind = stream_integer(stream, 0, 3) == 0 ? NEURON_LEAKY : NEURON_LIF,
                            .decay_input = stream_integer(stream, 0, 1) == 1,
                            .soft_reset = stream_integer(stream, 0, 2) == 0,
                            .tau = taus[stream_integer(stream, 0, 3)],
                            .beta = 0.9,
                            .threshold = stream_integer(stream, 0, 4) == 0 ? -0.25 : 0.5};
    neuron.v_reset = neuron.soft_reset || stream_integer(stream, 0, 1) == 0 ? 0 : -0.125;
    return neuron;
}

/** expected [channel][time][pixel] of neurons from rest. */
static void run_values(const struct kernels *kernels, const struct neuron *neuron,
                       const struct spike_map *map, int current_time, const float *current, float *expected)
{
    const int pixels = map->height * map->width;
    struct guarded membrane = guarded_make((size_t)(map->channels * pixels));
    for (size_t i = 0; i < membrane.n; i++)
        membrane.values[i] = (float)neuron->v_reset;
    kernels->spike(neuron, map->channels, map->time, current_time, pixels, current, NULL, membrane.values,
                   expected);
    guarded_free(&membrane);
}

static void check_static(struct check *check, const struct spike_map *like)
{
    const struct neuron neuron = random_neuron(&check->stream);
    const int pixels = like->height * like->width;
    struct spike_map out = make_map(like->channels, like->time, like->height, like->width);
    struct guarded current = guarded_make((size_t)(like->channels * pixels));
    struct guarded scratch = guarded_make(64 * spike_words(like->channels) * (size_t)pixels);
    guarded_fill(&current, &check->stream, FILL_NORMAL);
    memset(out.bits.values, 0, sizeof *out.bits.values * out.bits.n);
    run_values(check->kernels, &neuron, &out, 1, current.values, out.values.values);
    check->kernels->spikes->spike(&neuron, like->channels, like->time, pixels, current.values,
                                  words(&out.bits), scratch.values);
    compare(check, "spikes of a static current", &out, out.values.values, 0, like->channels);
    check_rest(check, "spikes of a static current", &out);
    check_intact(check, "its scratch", &scratch);
    guarded_free(&current);
    guarded_free(&scratch);
    free_map(&out);
}

/* ---- convolutions ---- */

/** One convolution with its input. */
struct branch {
    struct convolution_shape shape;
    struct spike_map in;
    struct guarded weight, arranged, bias, currents;
};

/** A convolution whose outputs are those of `out`; its input is as large as that needs. */
static struct branch make_branch(struct check *check, const struct spike_map *out)
{
    struct stream *stream = &check->stream;
    const int kernel = stream_integer(stream, 1, 4), stride = stream_integer(stream, 1, 2);
    const int padding = stream_integer(stream, 0, (kernel - 1) / 2);
    const int height = (out->height - 1) * stride + kernel - 2 * padding;
    const int width = (out->width - 1) * stride + kernel - 2 * padding;
    struct branch b = {.shape = {out->time, stream_integer(stream, 1, 140), height, width, out->channels,
                                 out->height, out->width, kernel, kernel, stride, padding, padding, true,
                                 true}};
    const size_t filter = (size_t)(b.shape.in_channels * kernel * kernel);
    b.in = make_input(check, b.shape.in_channels, out->time, height, width);
    b.weight = guarded_make(filter * (size_t)out->channels);
    b.bias = guarded_make((size_t)out->channels);
    b.arranged = guarded_make(check->kernels->convolution_weight_size(&b.shape));
    b.currents = guarded_make(out->values.n);
    guarded_fill(&b.weight, stream, FILL_NORMAL);
    guarded_fill(&b.bias, stream, FILL_NORMAL);
    check->kernels->arrange_convolution(&b.shape, b.weight.values, b.arranged.values);
    struct guarded scratch = guarded_make(check->kernels->convolution_scratch(&b.shape));
    check->kernels->convolution(&b.shape, b.arranged.values, b.bias.values, b.in.values.values,
                                b.currents.values, scratch.values);
    guarded_free(&scratch);
    return b;
}

static void free_branch(struct branch *b)
{
    free_map(&b->in);
    guarded_free(&b->weight);
    guarded_free(&b->arranged);
    guarded_free(&b->bias);
    guarded_free(&b->currents);
}

static void run_bits(struct check *check, const struct spiking_convolution *call, struct spike_map *out)
{
    const struct spike_kernels *kernels = check->kernels->spikes;
    struct guarded scratch = guarded_make(kernels->convolution_scratch(call));
    memset(out->bits.values, 0, sizeof *out->bits.values * out->bits.n);
    kernels->convolution(call, words(&out->bits), scratch.values);
    check_intact(check, "a spiking convolution's scratch", &scratch);
    guarded_free(&scratch);
}

/** One convolution alone, with another, or with spikes that are added. */
static void check_spiking_convolution(struct check *check, int n_branches, bool adds)
{
    struct stream *stream = &check->stream;
    const struct neuron neuron = random_neuron(stream);
    struct spike_map out = make_input(check, stream_integer(stream, 1, 300), stream_integer(stream, 1, 21),
                                      stream_integer(stream, 1, 4), stream_integer(stream, 1, 4));
    struct spike_map added = make_input(check, out.channels, out.time, out.height, out.width);
    struct branch branches[2] = {make_branch(check, &out), make_branch(check, &out)};
    struct spiking_convolution call = {.neuron = &neuron,
                                       .n_convolutions = n_branches,
                                       .added = adds ? words(&added.bits) : NULL,
                                       .channel = -1};
    for (int i = 0; i < n_branches; i++) {
        call.shapes[i] = &branches[i].shape;
        call.weights[i] = branches[i].arranged.values;
        call.biases[i] = branches[i].bias.values;
        call.in[i] = words(&branches[i].in.bits);
    }
    float *current = branches[0].currents.values;
    const float *other = adds ? added.values.values : branches[1].currents.values;
    if (adds || n_branches == 2)
        check->kernels->add(out.channels, out.time, out.height * out.width, current, out.time, other,
                            out.time, current);
    run_values(check->kernels, &neuron, &out, out.time, current, out.values.values);
    run_bits(check, &call, &out);
    compare(check, "spiking convolution", &out, out.values.values, 0, out.channels);
    check_rest(check, "spiking convolution", &out);
    call.channel = stream_integer(stream, 0, out.channels - 1);
    run_bits(check, &call, &out);
    compare(check, "one channel of a spiking convolution", &out, out.values.values, call.channel,
            call.channel + 1);
    free_branch(&branches[0]);
    free_branch(&branches[1]);
    free_map(&added);
    free_map(&out);
}

void check_spikes(struct check *check)
{
    struct stream *stream = &check->stream;
    char name[64];
    if (check->kernels->spikes == NULL)
        return;
    for (int i = 0; i < N_CASES; i++) {
        struct spike_map map =
            make_input(check, stream_integer(stream, 1, 140), stream_integer(stream, 1, 21),
                       stream_integer(stream, 1, 17), stream_integer(stream, 1, 17));
        check_forms(check, &map);
        check_pool(check, &map);
        check_static(check, &map);
        check_spiking_convolution(check, 1 + i % 2, i % 4 == 2);
        free_map(&map);
    }
    snprintf(name, sizeof name, "%d maps of spikes as bits", N_CASES);
    check_end(check, name);
}
