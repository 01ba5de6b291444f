/* SPDX-License-Identifier: MIT */
/* Convolutions against the reference, and the same image in different places. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/** Buffers of one convolution. */
struct operands {
    struct guarded weight;   /**< as the tensor has it */
    struct guarded arranged; /**< as the kernels under test want it */
    struct guarded bias, in, out, scratch;
};

static size_t in_frame(const struct convolution_shape *s)
{
    return (size_t)s->in_height * (size_t)s->in_width;
}

static size_t out_frame(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

/** Terms of one output value. */
static double n_terms(const struct convolution_case *c)
{
    const struct convolution_shape *s = &c->shape;
    return (double)s->in_channels * s->kernel_height * s->kernel_width + (c->has_bias ? 1 : 0);
}

static size_t scratch_floats(const struct kernels *kernels, const struct convolution_case *c)
{
    return c->is_transposed ? kernels->transposed_convolution_scratch(&c->shape)
                            : kernels->convolution_scratch(&c->shape);
}

/** The weight in the layout of `kernels`. */
static struct guarded arrange(const struct kernels *kernels, const struct convolution_case *c,
                              const float *weight)
{
    const struct convolution_shape *s = &c->shape;
    struct guarded arranged = guarded_make(c->is_transposed ? kernels->transposed_weight_size(s)
                                                            : kernels->convolution_weight_size(s));
    if (c->is_transposed)
        kernels->arrange_transposed(s, weight, arranged.values);
    else
        kernels->arrange_convolution(s, weight, arranged.values);
    return arranged;
}

static struct operands make_operands(const struct kernels *kernels, const struct convolution_case *c,
                                     struct stream *stream, enum fill fill)
{
    const struct convolution_shape *s = &c->shape;
    const size_t taps = (size_t)s->kernel_height * (size_t)s->kernel_width;
    struct operands o = {
        .weight = guarded_make((size_t)s->in_channels * (size_t)s->out_channels * taps),
        .bias = guarded_make((size_t)s->out_channels),
        .in = guarded_make((size_t)s->in_channels * (size_t)s->time * in_frame(s)),
        .out = guarded_make((size_t)s->out_channels * (size_t)s->time * out_frame(s)),
        .scratch = guarded_make(scratch_floats(kernels, c)),
    };
    guarded_fill(&o.weight, stream, fill == FILL_TINY ? FILL_TINY : FILL_NORMAL);
    guarded_fill(&o.bias, stream, fill == FILL_TINY ? FILL_TINY : FILL_NORMAL);
    guarded_fill(&o.in, stream, fill);
    o.arranged = arrange(kernels, c, o.weight.values);
    return o;
}

static void free_operands(struct operands *o)
{
    guarded_free(&o->weight);
    guarded_free(&o->arranged);
    guarded_free(&o->bias);
    guarded_free(&o->in);
    guarded_free(&o->out);
    guarded_free(&o->scratch);
}

/** weight: arranged */
static void convolve(const struct kernels *kernels, const struct convolution_case *c, const float *weight,
                     const float *bias, const float *in, float *out, float *scratch)
{
    const struct convolution_shape *shape = &c->shape;
    if (c->is_transposed)
        kernels->transposed_convolution(shape, weight, c->has_bias ? bias : NULL, in, out, scratch);
    else
        kernels->convolution(shape, weight, c->has_bias ? bias : NULL, in, out, scratch);
}

/** Frame `t` of a map [n_channels][time][frame], or the absolute values of it. */
static float *copy_frame(const float *map, int n_channels, int time, size_t frame, int t, bool absolute)
{
    float *copy = malloc(sizeof *copy * (size_t)n_channels * frame);
    for (size_t c = 0; copy != NULL && c < (size_t)n_channels; c++)
        for (size_t i = 0; i < frame; i++) {
            const float value = map[(c * (size_t)time + (size_t)t) * frame + i];
            copy[c * frame + i] = absolute ? fabsf(value) : value;
        }
    return copy;
}

static void round_operands(const struct check *check, size_t n, float *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = check_operand(check, values[i]);
}

static float *make_reference_frame(const struct check *check, const struct convolution_case *c,
                                   const struct operands *o, int t, bool absolute)
{
    const struct convolution_shape *s = &c->shape;
    struct convolution_case one = *c;
    one.shape.time = 1;
    float *in = copy_frame(o->in.values, s->in_channels, s->time, in_frame(s), t, absolute);
    float *weight = copy_frame(o->weight.values, 1, 1, o->weight.n, 0, absolute);
    round_operands(check, (size_t)s->in_channels * in_frame(s), in);
    round_operands(check, o->weight.n, weight);
    float *bias = copy_frame(o->bias.values, 1, 1, o->bias.n, 0, absolute);
    float *out = malloc(sizeof *out * (size_t)s->out_channels * out_frame(s));
    struct guarded arranged = arrange(&kernels_reference, &one, weight);
    convolve(&kernels_reference, &one, arranged.values, bias, in, out, NULL);
    guarded_free(&arranged);
    free(in);
    free(weight);
    free(bias);
    return out;
}

/** What the reference makes of one frame: the result, or the sum of the absolute terms; among the known
 * ones. */
static const float *reference_frame(const struct check *check, const struct convolution_case *c,
                                    const struct operands *o, int t, bool absolute)
{
    struct known_frames *known = check->known;
    struct known_frame frame;
    struct error error = {0};
    snprintf(frame.name, sizeof frame.name, "%s, %d, %d, %d, %d", c->name, c->is_transposed, t, absolute,
             check->operands == OPERANDS_BFLOAT16);
    for (size_t i = 0; i < known->n; i++)
        if (strcmp(known->frames[i].name, frame.name) == 0)
            return known->frames[i].values;
    frame.values = make_reference_frame(check, c, o, t, absolute);
    if (memory_grow((void **)&known->frames, &known->capacity, known->n, sizeof frame, &error) != STATUS_OK)
        abort();
    known->frames[known->n++] = frame;
    return frame.values;
}

/** Kernels may transform what does not feed spikes: then errors spread over a channel's frame. */
static bool may_transform(const struct convolution_case *c)
{
    return !c->is_transposed && !c->shape.feeds_spikes && !c->shape.takes_spikes && c->shape.stride == 1;
}

/** size[i] = the largest of its frame. */
static void spread_largest(float *size, int n_channels, size_t frame)
{
    for (int c = 0; c < n_channels; c++, size += frame) {
        float largest = 0;
        for (size_t i = 0; i < frame; i++)
            largest = size[i] > largest ? size[i] : largest;
        for (size_t i = 0; i < frame; i++)
            size[i] = largest;
    }
}

/** What may come of weights that are rounded to whole numbers where only spikes are added up. */
static double rounding_of_weights(const struct convolution_case *c, const struct operands *o, size_t channel)
{
    const size_t n = o->weight.n / (size_t)c->shape.out_channels;
    const float *filter = o->weight.values + channel * n;
    double sum = 0;
    if (!c->shape.takes_spikes || c->is_transposed)
        return 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs((double)filter[i]);
    return tolerance_factor("whole_number_weights") * sqrt((double)n) * 0x1p-32 * sum;
}

/** One time step of the result against the reference. Allowed: a multiple of the sum of absolute terms. */
static void compare_frame(struct check *check, const struct convolution_case *c, const struct operands *o,
                          int t)
{
    const struct convolution_shape *s = &c->shape;
    const size_t n_out = (size_t)s->out_channels * out_frame(s);
    float *result = copy_frame(o->out.values, s->out_channels, s->time, out_frame(s), t, false);
    const float *expected = reference_frame(check, c, o, t, false);
    float *size = copy_frame(reference_frame(check, c, o, t, true), 1, 1, n_out, 0, false);
    const char *kernel = c->is_transposed   ? "transposed_convolution"
                         : may_transform(c) ? "transformed_convolution"
                                            : "convolution";
    const double factor =
        tolerance_factor(kernel) * sqrt(n_terms(c)) +
        (may_transform(c) || check->operands == OPERANDS_TF32 ? check_operand_error(check, n_terms(c)) : 0);
    if (may_transform(c))
        spread_largest(size, s->out_channels, out_frame(s));
    for (size_t i = 0; i < n_out; i++)
        check_value(check, c->name, i, (double)result[i], (double)expected[i],
                    factor * 0x1p-24 * (double)size[i] + rounding_of_weights(c, o, i / out_frame(s)) +
                        (n_terms(c) + 1) * 0x1p-149);
    free(result);
    free(size);
}

void check_convolution(struct check *check, const struct convolution_case *c, enum fill fill, int n_frames)
{
    struct stream stream = check_stream(check, c->name);
    struct operands o = make_operands(check->kernels, c, &stream, fill);
    struct guarded in_before = guarded_make(o.in.n);
    memcpy(in_before.values, o.in.values, 4 * o.in.n);
    convolve(check->kernels, c, o.arranged.values, o.bias.values, o.in.values, o.out.values,
             o.scratch.values);
    if (!guarded_is_intact(&o.arranged) || !guarded_is_filled(&o.arranged))
        check_fault(check, "%s: the arranged weight is larger or smaller than announced", c->name);
    if (!guarded_is_intact(&o.out) || !guarded_is_intact(&o.scratch))
        check_fault(check, "%s: wrote outside of its output or scratch", c->name);
    if (!guarded_is_filled(&o.out))
        check_fault(check, "%s: did not write all of its output", c->name);
    if (!guarded_equal(&o.in, &in_before) || !guarded_is_intact(&o.in))
        check_fault(check, "%s: changed its input", c->name);
    for (int i = 0; i < n_frames; i++)
        compare_frame(check, c, &o, n_frames == 1 ? 0 : i * (c->shape.time - 1) / (n_frames - 1));
    guarded_free(&in_before);
    free_operands(&o);
}

/** Where images may take the place of time steps, each must come out as if it were alone. */
static void check_together(struct check *check, const struct convolution_case *c)
{
    if (!check_promises_bits(check) || check->kernels->image_batch == 1 || c->shape.feeds_spikes)
        return;
    struct convolution_case together = *c, alone = *c;
    together.shape.time = stream_integer(&check->stream, 2, check->kernels->image_batch);
    alone.shape.time = 1;
    struct operands many = make_operands(check->kernels, &together, &check->stream, FILL_NORMAL);
    struct operands one = make_operands(check->kernels, &alone, &check->stream, FILL_NORMAL);
    const struct convolution_shape *s = &together.shape;
    convolve(check->kernels, &together, many.arranged.values, many.bias.values, many.in.values,
             many.out.values, many.scratch.values);
    for (int t = 0; t < s->time; t++) {
        float *in = copy_frame(many.in.values, s->in_channels, s->time, in_frame(s), t, false);
        float *out = copy_frame(many.out.values, s->out_channels, s->time, out_frame(s), t, false);
        memcpy(one.in.values, in, sizeof *in * one.in.n);
        convolve(check->kernels, &alone, many.arranged.values, many.bias.values, one.in.values,
                 one.out.values, one.scratch.values);
        if (memcmp(out, one.out.values, 4 * one.out.n) != 0)
            check_fault(check, "%s: image %d of %d differs from the same image alone", c->name, t, s->time);
        free(in);
        free(out);
    }
    free_operands(&many);
    free_operands(&one);
}

/** The same image alone and at every place among three, in one block of memory. */
void check_batch_position(struct check *check, const struct convolution_case *c)
{
    enum { BATCH = 3 };
    check_together(check, c);
    struct operands alone = make_operands(check->kernels, c, &check->stream, FILL_EIGHTHS);
    struct guarded in = guarded_make(BATCH * alone.in.n), out = guarded_make(BATCH * alone.out.n);
    guarded_fill(&in, &check->stream, FILL_EIGHTHS);
    convolve(check->kernels, c, alone.arranged.values, alone.bias.values, alone.in.values, alone.out.values,
             alone.scratch.values);
    for (size_t place = 0; place < BATCH; place++) {
        float *other = in.values + (place + 1) % BATCH * alone.in.n;
        memcpy(in.values + place * alone.in.n, alone.in.values, 4 * alone.in.n);
        for (size_t i = 0; i < alone.in.n; i++)
            other[i] = 3 - other[i] / 2; /* another neighbour each time */
        convolve(check->kernels, c, alone.arranged.values, alone.bias.values, in.values + place * alone.in.n,
                 out.values + place * alone.out.n, alone.scratch.values);
        if (memcmp(out.values + place * alone.out.n, alone.out.values, 4 * alone.out.n) != 0)
            check_fault(check, "%s: other bits at place %zu of %d", c->name, place, BATCH);
    }
    guarded_free(&in);
    guarded_free(&out);
    free_operands(&alone);
}

/** Any sizes, also such that padding is wider than the map, or cut off (negative). */
static struct convolution_case odd_convolution(struct stream *stream)
{
    struct convolution_case c = {.has_bias = stream_integer(stream, 0, 1) == 1};
    c.shape = (struct convolution_shape){
        .takes_spikes = stream_integer(stream, 0, 1) == 1,
        .feeds_spikes = stream_integer(stream, 0, 1) == 1,
        .time = stream_integer(stream, 1, 5),
        .in_channels = stream_integer(stream, 1, 9),
        .in_height = stream_integer(stream, 1, 11),
        .in_width = stream_integer(stream, 1, 11),
        .out_channels = stream_integer(stream, 1, 17),
        .kernel_height = stream_integer(stream, 1, 7),
        .kernel_width = stream_integer(stream, 1, 7),
        .stride = stream_integer(stream, 1, 3),
        .pad_top = stream_integer(stream, -2, 4),
        .pad_left = stream_integer(stream, -2, 4),
        .out_height = stream_integer(stream, 1, 13),
        .out_width = stream_integer(stream, 1, 13),
    };
    if (stream_integer(stream, 0, 2) == 0) { /* the usual one: stride 1, the size is kept */
        c.shape.stride = 1;
        c.shape.out_height = c.shape.in_height;
        c.shape.out_width = c.shape.in_width;
    }
    if (stream_integer(stream, 0, 19) == 0) { /* a window of more than a thousand taps */
        c.shape.kernel_height = c.shape.kernel_width = stream_integer(stream, 32, 36);
        c.shape.in_channels = 1;
        c.shape.out_channels = stream_integer(stream, 1, 3);
    }
    return c;
}

static void name_case(struct convolution_case *c, int number)
{
    const struct convolution_shape *s = &c->shape;
    snprintf(c->name, sizeof c->name, "%d: %d x %dx%dx%d -> %dx%dx%d, window %dx%d/%d, padding %d,%d", number,
             s->time, s->in_channels, s->in_height, s->in_width, s->out_channels, s->out_height, s->out_width,
             s->kernel_height, s->kernel_width, s->stride, s->pad_top, s->pad_left);
}

/** Windows of 3 x 3 that keep the size: what faster algorithms are for. */
static struct convolution_case plain_convolution(struct stream *stream)
{
    struct convolution_case c = {.has_bias = stream_integer(stream, 0, 1) == 1};
    const int height = stream_integer(stream, 1, 21), width = stream_integer(stream, 1, 21);
    c.shape = (struct convolution_shape){
        .takes_spikes = stream_integer(stream, 0, 2) == 0,
        .time = stream_integer(stream, 1, 7),
        .in_channels = stream_integer(stream, 1, 70),
        .in_height = height,
        .in_width = width,
        .out_channels = stream_integer(stream, 1, 33),
        .out_height = height,
        .out_width = width,
        .kernel_height = 3,
        .kernel_width = 3,
        .stride = 1,
        .pad_top = 1,
        .pad_left = 1,
    };
    return c;
}

void check_odd_convolutions(struct check *check, bool transposed)
{
    enum { N_CASES = 200 };
    for (int i = 0; i < N_CASES; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        struct stream stream = check_stream(check, number);
        struct convolution_case c = i % 2 == 0 ? plain_convolution(&stream) : odd_convolution(&stream);
        c.is_transposed = transposed;
        name_case(&c, i);
        check_convolution(check, &c, c.shape.takes_spikes ? FILL_SPIKES : (enum fill)(i / 2 % N_FILLS),
                          c.shape.time);
        check_together(check, &c);
    }
}
