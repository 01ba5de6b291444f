/* SPDX-License-Identifier: MIT */
/* A generator's convolutions with the layers around them, against the reference's layers one by one. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** One call with everything that it works on. */
struct generator_case {
    struct convolution_shape shape;
    struct generator_convolution call; /**< points into the buffers; its weight is the kernels' */
    struct guarded in, weight, arranged, bias, scale, shift, added, out, scratch;
};

static size_t positions(int time, int height, int width)
{
    return (size_t)time * (size_t)height * (size_t)width;
}

static size_t in_positions(const struct generator_convolution *call, int time)
{
    const int part = call->upsamples ? 2 : 1;
    return positions(time, call->shape->in_height / part, call->shape->in_width / part);
}

static size_t added_positions(const struct generator_convolution *call, int time)
{
    const int part = call->added_is_half ? 2 : 1;
    return positions(time, call->shape->out_height / part, call->shape->out_width / part);
}

static struct guarded filled(struct check *check, size_t n, enum fill fill)
{
    struct guarded made = guarded_make(n);
    guarded_fill(&made, &check->stream, fill);
    return made;
}

/** Buffers for a call of which shape and flags are set; `bias` and `scale` are NULL or anything. */
static void fill_case(struct check *check, struct generator_case *c, enum fill fill)
{
    const struct convolution_shape *s = &c->shape;
    struct generator_convolution *call = &c->call;
    const enum fill weights = fill == FILL_TINY ? FILL_TINY : FILL_NORMAL;
    call->shape = s;
    c->in = filled(check, (size_t)s->in_channels * in_positions(call, s->time), fill);
    c->weight = filled(check, (size_t)s->in_channels * (size_t)s->out_channels * 9, weights);
    c->bias = filled(check, (size_t)s->out_channels, weights);
    c->scale = filled(check, (size_t)s->in_channels, FILL_NORMAL);
    c->shift = filled(check, (size_t)s->in_channels, weights);
    c->added = filled(check, (size_t)s->out_channels * added_positions(call, s->time), fill);
    c->out = guarded_make((size_t)s->out_channels * positions(s->time, s->out_height, s->out_width));
    c->arranged = guarded_make(check->kernels->generators->weight_size(call));
    check->kernels->generators->arrange(call, c->weight.values, c->arranged.values);
    call->in = c->in.values;
    call->weight = c->arranged.values;
    call->bias = call->bias == NULL ? NULL : c->bias.values;
    call->shift = call->scale == NULL ? NULL : c->shift.values;
    call->scale = call->scale == NULL ? NULL : c->scale.values;
    call->added = call->adds ? c->added.values : NULL;
    c->scratch = guarded_make(check->kernels->generators->scratch(call));
}

static void free_case(struct generator_case *c)
{
    guarded_free(&c->in);
    guarded_free(&c->weight);
    guarded_free(&c->arranged);
    guarded_free(&c->bias);
    guarded_free(&c->scale);
    guarded_free(&c->shift);
    guarded_free(&c->added);
    guarded_free(&c->out);
    guarded_free(&c->scratch);
}

static float *allocate(size_t n)
{
    float *values = malloc(sizeof *values * n);
    if (values == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return values;
}

static float *copy_values(const float *from, size_t n, bool absolute)
{
    float *copy = allocate(n);
    for (size_t i = 0; i < n; i++)
        copy[i] = absolute ? fabsf(from[i]) : from[i];
    return copy;
}

/** Replaces a map by one that is twice as high and wide. */
static float *upsample(int n_planes, int height, int width, float *map)
{
    float *larger = allocate(4 * (size_t)n_planes * (size_t)height * (size_t)width);
    kernels_reference.upsample(n_planes, height, width, map, larger);
    free(map);
    return larger;
}

/** What the convolution reads; of the absolute terms: |scale in| + |shift|. */
static float *reference_head(const struct generator_case *c, bool absolute)
{
    const struct generator_convolution *call = &c->call;
    const struct convolution_shape *s = &c->shape;
    const size_t n = in_positions(call, s->time), channels = (size_t)s->in_channels;
    float *map = copy_values(c->in.values, c->in.n, absolute);
    float *scale = copy_values(c->scale.values, channels, absolute);
    float *shift = copy_values(c->shift.values, channels, absolute);
    if (call->scale != NULL)
        kernels_reference.scale_shift(s->in_channels, n, scale, shift, map, map);
    if (call->rectifies_input)
        kernels_reference.relu(channels * n, map, map);
    if (call->upsamples)
        map = upsample(s->in_channels * s->time, s->in_height / 2, s->in_width / 2, map);
    free(scale);
    free(shift);
    return map;
}

/** The layers one by one, or the sum of the absolute terms. */
static float *reference_call(const struct check *check, const struct generator_case *c, bool absolute)
{
    const struct generator_convolution *call = &c->call;
    const struct convolution_shape *s = &c->shape;
    float *in = reference_head(c, absolute), *out = allocate(c->out.n);
    float *weight = copy_values(c->weight.values, c->weight.n, absolute);
    float *bias = copy_values(c->bias.values, c->bias.n, absolute);
    float *arranged = allocate(kernels_reference.convolution_weight_size(s));
    float *added = copy_values(c->added.values, c->added.n, absolute);
    for (size_t i = 0; i < c->weight.n; i++)
        weight[i] = check_operand(check, weight[i]);
    for (size_t i = 0; i < (size_t)s->in_channels * positions(s->time, s->in_height, s->in_width); i++)
        in[i] = check_operand(check, in[i]);
    kernels_reference.arrange_convolution(s, weight, arranged);
    kernels_reference.convolution(s, arranged, call->bias == NULL ? NULL : bias, in, out, NULL);
    if (call->added_is_half)
        added = upsample(s->out_channels * s->time, s->out_height / 2, s->out_width / 2, added);
    if (call->adds)
        kernels_reference.add(s->out_channels, s->time, s->out_height * s->out_width, out, s->time, added,
                              s->time, out);
    if (call->rectifies_output && !absolute)
        kernels_reference.relu(c->out.n, out, out);
    free(in);
    free(weight);
    free(bias);
    free(arranged);
    free(added);
    return out;
}

static void compare(struct check *check, const struct generator_case *c, const char *name)
{
    const struct convolution_shape *s = &c->shape;
    const size_t frame = positions(1, s->out_height, s->out_width);
    const double terms = 9.0 * s->in_channels + 2;
    float *expected = reference_call(check, c, false), *size = reference_call(check, c, true);
    for (size_t i = 0; i < c->out.n; i += frame) {
        float largest = 0;
        for (size_t j = i; j < i + frame; j++)
            largest = fmaxf(largest, size[j]);
        for (size_t j = i; j < i + frame; j++)
            check_value(check, name, j, (double)c->out.values[j], (double)expected[j],
                        (tolerance_factor("transformed_convolution") * sqrt(terms) +
                         check_operand_error(check, terms)) *
                                0x1p-24 * (double)largest +
                            (terms + 1) * 0x1p-149);
    }
    free(expected);
    free(size);
}

/** Image `t` of a map [n_channels][time][n]. */
static void take_image(const float *map, int n_channels, int time, size_t n, int t, float *image)
{
    for (size_t c = 0; c < (size_t)n_channels; c++)
        memcpy(image + c * n, map + (c * (size_t)time + (size_t)t) * n, sizeof *image * n);
}

/** Each image alone must have the bits that it has among the others. */
static void compare_alone(struct check *check, const struct generator_case *c, const char *name)
{
    const struct convolution_shape *s = &c->shape;
    struct convolution_shape one = *s;
    struct generator_convolution call = c->call;
    const size_t frame = positions(1, s->out_height, s->out_width);
    const size_t n_in = in_positions(&c->call, 1), n_added = added_positions(&c->call, 1);
    one.time = 1;
    call.shape = &one;
    struct guarded scratch = guarded_make(check->kernels->generators->scratch(&call));
    struct guarded in = guarded_make((size_t)s->in_channels * n_in);
    struct guarded added = guarded_make((size_t)s->out_channels * n_added);
    struct guarded out = guarded_make((size_t)s->out_channels * frame);
    float *expected = allocate((size_t)s->out_channels * frame);
    for (int t = 0; t < s->time; t++) {
        take_image(c->in.values, s->in_channels, s->time, n_in, t, in.values);
        take_image(c->added.values, s->out_channels, s->time, n_added, t, added.values);
        take_image(c->out.values, s->out_channels, s->time, frame, t, expected);
        call.in = in.values;
        call.added = c->call.adds ? added.values : NULL;
        check->kernels->generators->convolution(&call, out.values, scratch.values);
        if (memcmp(out.values, expected, sizeof *expected * out.n) != 0)
            check_fault(check, "%s: image %d of %d differs from the same image alone", name, t, s->time);
    }
    guarded_free(&scratch);
    guarded_free(&in);
    guarded_free(&added);
    guarded_free(&out);
    free(expected);
}

static void check_case(struct check *check, struct generator_case *c, enum fill fill)
{
    char name[128];
    const struct convolution_shape *s = &c->shape;
    fill_case(check, c, fill);
    snprintf(name, sizeof name, "%d x %dx%dx%d -> %d%s%s%s%s%s%s", s->time, s->in_channels, s->in_height,
             s->in_width, s->out_channels, c->call.scale == NULL ? "" : ", scaled",
             c->call.rectifies_input ? ", relu before" : "", c->call.upsamples ? ", upsampled" : "",
             c->call.adds ? ", added" : "", c->call.added_is_half ? " upsampled" : "",
             c->call.rectifies_output ? ", relu behind" : "");
    check->kernels->generators->convolution(&c->call, c->out.values, c->scratch.values);
    if (!guarded_is_intact(&c->arranged) || !guarded_is_filled(&c->arranged))
        check_fault(check, "%s: the arranged weight is larger or smaller than announced", name);
    if (!guarded_is_intact(&c->out) || !guarded_is_intact(&c->scratch))
        check_fault(check, "%s: wrote outside of its output or scratch", name);
    if (!guarded_is_filled(&c->out))
        check_fault(check, "%s: did not write all of its output", name);
    if (!guarded_is_intact(&c->in) || !guarded_is_intact(&c->added))
        check_fault(check, "%s: wrote to its input", name);
    compare(check, c, name);
    if (check_promises_bits(check))
        compare_alone(check, c, name);
    free_case(c);
}

static void set_size(struct generator_case *c, int time, int in_channels, int height, int width,
                     int out_channels)
{
    c->shape = (struct convolution_shape){.time = time,
                                          .in_channels = in_channels,
                                          .in_height = height,
                                          .in_width = width,
                                          .out_channels = out_channels,
                                          .out_height = height,
                                          .out_width = width,
                                          .kernel_height = 3,
                                          .kernel_width = 3,
                                          .stride = 1,
                                          .pad_top = 1,
                                          .pad_left = 1};
}

/** Any parts before and behind; of even height and width where something is upsampled. */
static struct generator_case draw_case(struct stream *stream)
{
    static const float anything;
    struct generator_case c = {0};
    struct generator_convolution *call = &c.call;
    int height = stream_integer(stream, 1, 40), width = stream_integer(stream, 1, 40);
    call->bias = stream_integer(stream, 0, 1) == 0 ? NULL : &anything;
    call->scale = stream_integer(stream, 0, 1) == 0 ? NULL : &anything;
    call->adds = stream_integer(stream, 0, 1) != 0;
    call->rectifies_input = stream_integer(stream, 0, 1) == 0;
    call->upsamples = stream_integer(stream, 0, 1) == 0;
    call->added_is_half = call->adds && stream_integer(stream, 0, 1) == 0;
    call->rectifies_output = stream_integer(stream, 0, 1) == 0;
    if (call->upsamples && stream_integer(stream, 0, 1) == 0)
        height = width = 32; /* what a faster algorithm is for */
    if (call->upsamples || call->added_is_half) {
        height += height % 2;
        width += width % 2;
    }
    set_size(&c, stream_integer(stream, 1, 4), stream_integer(stream, 1, 30), height, width,
             stream_integer(stream, 1, 19));
    return c;
}

/** The groups of layers of a residual SN-GAN, of any width. */
static void check_generator_shapes(struct check *check)
{
    static const float anything;
    for (int side = 8; side <= 32; side *= 2)
        for (int part = 0; part < 3; part++) {
            struct generator_case c = {0};
            c.call.bias = &anything;
            c.call.scale = part == 1 ? NULL : &anything;
            c.call.rectifies_input = part != 1;
            c.call.upsamples = c.call.rectifies_output = part == 0;
            c.call.adds = c.call.added_is_half = part == 1;
            set_size(&c, stream_integer(&check->stream, 1, 5), stream_integer(&check->stream, 20, 70), side,
                     side, part == 2 ? 3 : stream_integer(&check->stream, 8, 40));
            check_case(check, &c, FILL_NORMAL);
        }
    check_end(check, "a generator's convolutions with what is around them");
}

void check_generators(struct check *check)
{
    enum { N_CASES = 50 };
    int n_fitting = 0;
    if (check->kernels->generators == NULL)
        return;
    for (int i = 0; i < N_CASES; i++) {
        struct generator_case c = draw_case(&check->stream);
        c.call.shape = &c.shape;
        if (!check->kernels->generators->fits(&c.call))
            continue;
        check_case(check, &c, (enum fill)(n_fitting++ % N_FILLS));
    }
    if (n_fitting < N_FILLS)
        check_fault(check, "only %d of %d drawn convolutions fit", n_fitting, N_CASES);
    check_end(check, "convolutions of any size with what is around them");
    check_generator_shapes(check);
}
