/* SPDX-License-Identifier: MIT */
/* All other kernels against their formulas (plain.h), at sizes of every remainder. */
#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain.h"

enum { N_CASES = 60 };

static void check_written(struct check *check, const char *what, const struct guarded *out)
{
    if (!guarded_is_intact(out))
        check_fault(check, "%s: wrote outside of its output", what);
    if (!guarded_is_filled(out))
        check_fault(check, "%s: did not write all of its output", what);
}

static struct guarded make_filled(struct check *check, size_t n, enum fill fill)
{
    struct guarded made = guarded_make(n);
    guarded_fill(&made, &check->stream, fill);
    return made;
}

/** Constants of every kind, exact ones and others. */
static struct neuron draw_neuron(struct stream *stream)
{
    const bool exact = stream_integer(stream, 0, 1) == 0;
    struct neuron neuron = {.kind = stream_integer(stream, 0, 3) == 0 ? NEURON_LEAKY : NEURON_LIF,
                            .decay_input = stream_integer(stream, 0, 1) == 0,
                            .soft_reset = stream_integer(stream, 0, 1) == 0,
                            .tau = exact ? 2 : 1.1 + 9 * stream_uniform(stream),
                            .beta = exact ? 0.5 : stream_uniform(stream),
                            .threshold = exact ? 1 : 0.3 + stream_uniform(stream)};
    if (neuron.kind == NEURON_LIF && !neuron.soft_reset)
        neuron.v_reset = exact ? -0.25 : 0.2 - stream_uniform(stream);
    return neuron;
}

static void compare_spikes(struct check *check, const struct neuron *neuron, int channels, int time,
                           int current_time, int pixels, bool noisy)
{
    const size_t n = (size_t)channels * (size_t)pixels;
    struct guarded current = make_filled(check, n * (size_t)current_time, FILL_EIGHTHS);
    struct guarded noise = make_filled(check, n * (size_t)time, FILL_EIGHTHS);
    struct guarded membrane = make_filled(check, n, FILL_EIGHTHS), spikes = guarded_make(n * (size_t)time);
    struct guarded start = guarded_make(n);
    memcpy(start.values, membrane.values, 4 * n);
    check->kernels->spike(neuron, channels, time, current_time, pixels, current.values,
                          noisy ? noise.values : NULL, membrane.values, spikes.values);
    check_written(check, "spike", &spikes);
    check_written(check, "spike (membrane)", &membrane);
    for (size_t i = 0; i < n; i++) {
        const size_t c = i / (size_t)pixels, p = i % (size_t)pixels;
        float v = start.values[i];
        for (size_t t = 0; t < (size_t)time; t++) {
            const size_t at = (c * (size_t)time + t) * (size_t)pixels + p;
            const float x = current.values[current_time == 1 ? i : at];
            const float spike = plain_neuron(neuron, x, noisy ? noise.values[at] : 0, &v);
            check_value(check, "spike", at, (double)spikes.values[at], (double)spike, 0);
        }
        check_value(check, "membrane", i, (double)membrane.values[i], (double)v, 0);
    }
    guarded_free(&current);
    guarded_free(&noise);
    guarded_free(&membrane);
    guarded_free(&spikes);
    guarded_free(&start);
}

static void check_spike(struct check *check)
{
    for (int i = 0; i < 4 * N_CASES; i++) {
        const struct neuron neuron = draw_neuron(&check->stream);
        const int time = stream_integer(&check->stream, 1, 9);
        compare_spikes(check, &neuron, stream_integer(&check->stream, 1, 5), time,
                       stream_integer(&check->stream, 0, 1) == 0 ? 1 : time,
                       stream_integer(&check->stream, 1, 67), stream_integer(&check->stream, 0, 2) == 0);
    }
    check_end(check, "spike");
}

static void check_relu_and_tanh(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const size_t n = (size_t)stream_integer(&check->stream, 1, 130);
        struct guarded in = make_filled(check, n, FILL_NORMAL);
        struct guarded rectified = guarded_make(n), squashed = guarded_make(n);
        check->kernels->relu(n, in.values, rectified.values);
        check->kernels->tanh(n, in.values, squashed.values);
        check_written(check, "relu", &rectified);
        check_written(check, "tanh", &squashed);
        for (size_t j = 0; j < n; j++) {
            const double x = (double)in.values[j];
            check_value(check, "relu", j, (double)rectified.values[j], x > 0 ? x : 0, 0);
            check_value(check, "tanh", j, (double)squashed.values[j], tanh(x),
                        tolerance_factor("tanh") * 0x1p-24);
        }
        check->kernels->relu(n, in.values, in.values);
        if (!guarded_equal(&in, &rectified))
            check_fault(check, "relu: another result in place");
        guarded_free(&in);
        guarded_free(&rectified);
        guarded_free(&squashed);
    }
    check_end(check, "relu, tanh");
}

static void check_scale_shift(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const size_t channels = (size_t)stream_integer(&check->stream, 1, 9);
        const size_t pixels = (size_t)stream_integer(&check->stream, 1, 67);
        struct guarded scale = make_filled(check, channels, FILL_NORMAL);
        struct guarded shift = make_filled(check, channels, FILL_NORMAL);
        struct guarded in = make_filled(check, channels * pixels, FILL_NORMAL), out = guarded_make(in.n);
        check->kernels->scale_shift((int)channels, pixels, scale.values, shift.values, in.values, out.values);
        check_written(check, "scale_shift", &out);
        for (size_t j = 0; j < in.n; j++) {
            const double a = (double)scale.values[j / pixels] * (double)in.values[j];
            const double b = (double)shift.values[j / pixels];
            check_value(check, "scale_shift", j, (double)out.values[j], a + b,
                        tolerance_factor("scale_shift") * 0x1p-24 * (fabs(a) + fabs(b)));
        }
        guarded_free(&scale);
        guarded_free(&shift);
        guarded_free(&in);
        guarded_free(&out);
    }
    check_end(check, "scale_shift");
}

static void check_add_and_copy(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const size_t channels = (size_t)stream_integer(&check->stream, 1, 5);
        const size_t pixels = (size_t)stream_integer(&check->stream, 1, 37);
        const size_t time = (size_t)stream_integer(&check->stream, 1, 5);
        const size_t a_time = i % 3 == 0 ? 1 : time, b_time = i % 3 == 1 ? 1 : time;
        struct guarded a = make_filled(check, channels * a_time * pixels, FILL_NORMAL);
        struct guarded b = make_filled(check, channels * b_time * pixels, FILL_NORMAL);
        struct guarded out = guarded_make(channels * time * pixels), copy = guarded_make(out.n);
        check->kernels->copy((int)channels, (int)time, (int)pixels, a.values, (int)a_time, copy.values);
        check_written(check, "copy", &copy);
        check->kernels->add((int)channels, (int)time, (int)pixels, a.values, (int)a_time, b.values,
                            (int)b_time, out.values);
        check_written(check, "add", &out);
        for (size_t j = 0; j < out.n; j++) {
            const size_t c = j / (time * pixels), t = j / pixels % time, p = j % pixels;
            const float left = a.values[(c * a_time + (a_time == 1 ? 0 : t)) * pixels + p];
            const float right = b.values[(c * b_time + (b_time == 1 ? 0 : t)) * pixels + p];
            check_value(check, "add", j, (double)out.values[j], (double)(left + right), 0);
            check_value(check, "copy", j, (double)copy.values[j], (double)left, 0);
        }
        guarded_free(&a);
        guarded_free(&b);
        guarded_free(&copy);
        guarded_free(&out);
    }
    check_end(check, "add, copy");
}

static struct pool_shape draw_pool(struct stream *stream)
{
    struct pool_shape s = {.n_planes = stream_integer(stream, 1, 7),
                           .in_height = stream_integer(stream, 1, 17),
                           .in_width = stream_integer(stream, 1, 17),
                           .stride = stream_integer(stream, 1, 3)};
    const int smaller = s.in_height < s.in_width ? s.in_height : s.in_width;
    s.kernel = stream_integer(stream, 1, smaller < 5 ? smaller : 5);
    s.padding = stream_integer(stream, 0, s.kernel / 2);
    s.out_height = (s.in_height + 2 * s.padding - s.kernel) / s.stride + 1;
    s.out_width = (s.in_width + 2 * s.padding - s.kernel) / s.stride + 1;
    return s;
}

static void compare_pools(struct check *check, const struct pool_shape *s)
{
    const size_t in_plane = (size_t)(s->in_height * s->in_width);
    struct guarded in = make_filled(check, (size_t)s->n_planes * in_plane, FILL_NORMAL);
    struct guarded largest = guarded_make((size_t)(s->n_planes * s->out_height * s->out_width));
    struct guarded mean = guarded_make(largest.n);
    check->kernels->max_pool(s, in.values, largest.values);
    check->kernels->average_pool(s, in.values, mean.values);
    check_written(check, "max_pool", &largest);
    check_written(check, "average_pool", &mean);
    for (size_t j = 0; j < largest.n; j++) {
        const size_t out_plane = (size_t)(s->out_height * s->out_width);
        const float *plane = in.values + j / out_plane * in_plane;
        const int y = (int)(j % out_plane) / s->out_width, x = (int)(j % out_plane) % s->out_width;
        double magnitude;
        const double expected = plain_mean(s, plane, y, x, &magnitude);
        check_value(check, "max_pool", j, (double)largest.values[j], (double)plain_max(s, plane, y, x), 0);
        check_value(check, "average_pool", j, (double)mean.values[j], expected,
                    tolerance_factor("average_pool") * s->kernel * 0x1p-24 * magnitude);
    }
    guarded_free(&in);
    guarded_free(&largest);
    guarded_free(&mean);
}

static void check_pools(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const struct pool_shape shape = draw_pool(&check->stream);
        compare_pools(check, &shape);
    }
    check_end(check, "max_pool, average_pool");
}

static void check_upsample(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const int planes = stream_integer(&check->stream, 1, 5);
        const int height = stream_integer(&check->stream, 1, 11);
        const int width = stream_integer(&check->stream, 1, 19);
        struct guarded in = make_filled(check, (size_t)(planes * height * width), FILL_NORMAL);
        struct guarded out = guarded_make(4 * in.n);
        check->kernels->upsample(planes, height, width, in.values, out.values);
        check_written(check, "upsample", &out);
        for (size_t j = 0; j < out.n; j++) {
            const int at = (int)j % (4 * height * width);
            double magnitude;
            const double expected =
                plain_upsampled(height, width, in.values + (int)j / (4 * height * width) * height * width,
                                at / (2 * width), at % (2 * width), &magnitude);
            check_value(check, "upsample", j, (double)out.values[j], expected,
                        tolerance_factor("upsample") * 0x1p-24 * magnitude);
        }
        guarded_free(&in);
        guarded_free(&out);
    }
    check_end(check, "upsample");
}

static void check_embedding(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const size_t rows = (size_t)stream_integer(&check->stream, 1, 33);
        const size_t channels = (size_t)stream_integer(&check->stream, 1, 17);
        const size_t pixels = (size_t)stream_integer(&check->stream, 1, 17);
        const size_t time = (size_t)stream_integer(&check->stream, 1, 5);
        struct guarded table = make_filled(check, rows * channels, FILL_NORMAL);
        struct guarded index = guarded_make(pixels * time), out = guarded_make(channels * pixels * time);
        for (size_t p = 0; p < index.n; p++)
            index.values[p] = (float)stream_integer(&check->stream, 0, (int)rows - 1);
        check->kernels->embedding((int)rows, (int)channels, (int)time, (int)pixels, table.values,
                                  index.values, out.values);
        check_written(check, "embedding", &out);
        for (size_t j = 0; j < out.n; j++) {
            const size_t d = j / (time * pixels), t = j / pixels % time, p = j % pixels;
            const size_t row = (size_t)index.values[p * time + t];
            check_value(check, "embedding", j, (double)out.values[j],
                        (double)table.values[row * channels + d], 0);
        }
        guarded_free(&table);
        guarded_free(&index);
        guarded_free(&out);
    }
    check_end(check, "embedding");
}

/** Each value is a table row with a small change, so that the nearest row is known. */
static void check_nearest_row(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const size_t rows = (size_t)stream_integer(&check->stream, 1, 33);
        const size_t channels = (size_t)stream_integer(&check->stream, 8, 17);
        const size_t values = (size_t)stream_integer(&check->stream, 1, 85);
        struct guarded table = make_filled(check, rows * channels, FILL_NORMAL);
        struct guarded in = make_filled(check, channels * values, FILL_NORMAL);
        struct guarded wanted = guarded_make(values), index = guarded_make(values);
        for (size_t p = 0; p < values; p++) {
            wanted.values[p] = (float)stream_integer(&check->stream, 0, (int)rows - 1);
            for (size_t d = 0; d < channels; d++)
                in.values[d * values + p] =
                    table.values[(size_t)wanted.values[p] * channels + d] + 1e-3f * in.values[d * values + p];
        }
        check->kernels->nearest_row((int)rows, (int)channels, 1, (int)values, table.values, in.values,
                                    index.values);
        check_written(check, "nearest_row", &index);
        for (size_t p = 0; p < values; p++)
            check_value(check, "nearest_row", p, (double)index.values[p], (double)wanted.values[p], 0);
        guarded_free(&table);
        guarded_free(&in);
        guarded_free(&wanted);
        guarded_free(&index);
    }
    check_end(check, "nearest_row");
}

/** Of equal rows the first; time counts as pixels do. */
static void check_nearest_of_equal_rows(struct check *check)
{
    const float table[] = {5, 5, 1, 2, 1, 2}, in[] = {1, 5, 1, 5, 1, 5, 2, 5, 2, 5, 2, 5};
    float index[6];
    check->kernels->nearest_row(3, 2, 2, 3, table, in, index);
    for (size_t i = 0; i < 6; i++)
        check_value(check, "nearest_row: equal rows", i, (double)index[i], i % 2 == 0 ? 1 : 0, 0);
    check_end(check, "nearest_row: equal rows");
}

static void check_swap_time(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const size_t channels = (size_t)stream_integer(&check->stream, 1, 5);
        const size_t time = (size_t)stream_integer(&check->stream, 1, 19);
        const size_t pixels = (size_t)stream_integer(&check->stream, 1, 37);
        struct guarded in = make_filled(check, channels * time * pixels, FILL_NORMAL);
        struct guarded out = guarded_make(in.n);
        check->kernels->swap_time((int)channels, (int)time, (int)pixels, in.values, out.values);
        check_written(check, "swap_time", &out);
        for (size_t j = 0; j < in.n; j++) {
            const size_t c = j / (time * pixels), t = j / pixels % time, p = j % pixels;
            check_value(check, "swap_time", j, (double)out.values[(c * pixels + p) * time + t],
                        (double)in.values[j], 0);
        }
        guarded_free(&in);
        guarded_free(&out);
    }
    check_end(check, "swap_time");
}

static void check_sums(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        const int n_sums = stream_integer(&check->stream, 1, 9);
        const size_t n = (size_t)stream_integer(&check->stream, 1, 300);
        const size_t stride = (size_t)stream_integer(&check->stream, 1, 5);
        struct guarded in = make_filled(check, (size_t)n_sums * n * stride, (enum fill)(i % N_FILLS));
        struct guarded out = guarded_make(2 * (size_t)n_sums); /* room for doubles */
        struct guarded places = guarded_make(2 * (size_t)n_sums);
        size_t *first = (size_t *)(void *)places.values;
        for (size_t j = 0; j < (size_t)n_sums; j++)
            first[j] = ((size_t)n_sums - 1 - j) * n * stride;
        check->kernels->sums(n_sums, first, n, stride, in.values, (double *)(void *)out.values);
        check_written(check, "sums", &out);
        for (size_t j = 0; j < (size_t)n_sums; j++) {
            double sum = 0, result;
            for (size_t k = 0; k < n; k++)
                sum += (double)in.values[first[j] + k * stride];
            memcpy(&result, out.values + 2 * j, sizeof result);
            check_value(check, "sums", j, result, sum, 0);
        }
        guarded_free(&in);
        guarded_free(&places);
        guarded_free(&out);
    }
    check_end(check, "sums");
}

static void check_fill(struct check *check)
{
    for (int i = 0; i < N_CASES; i++) {
        struct guarded out = guarded_make((size_t)stream_integer(&check->stream, 1, 300));
        check->kernels->fill(out.n, 0.25f * (float)i, out.values);
        check_written(check, "fill", &out);
        for (size_t j = 0; j < out.n; j++)
            check_value(check, "fill", j, (double)out.values[j], 0.25 * i, 0);
        guarded_free(&out);
    }
    check_end(check, "fill");
}

void check_elementwise(struct check *check)
{
    check_spike(check);
    check_relu_and_tanh(check);
    check_scale_shift(check);
    check_add_and_copy(check);
    check_pools(check);
    check_upsample(check);
    check_embedding(check);
    check_nearest_row(check);
    check_nearest_of_equal_rows(check);
    check_swap_time(check);
    check_sums(check);
    check_fill(check);
}
