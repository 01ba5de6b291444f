/* SPDX-License-Identifier: MIT */
/* Maps, value by value. */
#include "cuda_kernels.h"
#include "divisor.h"
#include "parallel.h"

namespace
{

struct Fill {
    float value;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = value;
    }
};

struct Relu {
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = in[i] > 0.0f ? in[i] : 0.0f;
    }
};

struct Tanh {
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = tanhf(in[i]);
    }
};

struct ScaleShift {
    Divisor pixels;
    const float *scale, *shift, *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = scale[i / pixels] * in[i] + shift[i / pixels];
    }
};

/** A map of which each step is read, or, static, the only one. */
struct Steps {
    const float *values;
    size_t time;

    ON_DEVICE float at(size_t channel, size_t t, size_t pixel, size_t pixels) const
    {
        return values[(channel * time + (time == 1 ? 0 : t)) * pixels + pixel];
    }
};

struct Add {
    Divisor time, pixels;
    Steps a, b;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / pixels / time, t = i / pixels % time, pixel = i % pixels;
        out[i] = a.at(channel, t, pixel, pixels) + b.at(channel, t, pixel, pixels);
    }
};

struct Copy {
    Divisor time, pixels;
    Steps in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = in.at(i / pixels / time, i / pixels % time, i % pixels, pixels);
    }
};

/** out[c][p][t] = in[c][t][p]. */
struct SwapTime {
    Divisor time, pixels;
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / time / pixels, pixel = i / time % pixels, t = i % time;
        out[i] = in[(channel * time + t) * pixels + pixel];
    }
};

struct Sum {
    const size_t *first;
    size_t n_values, stride;
    const float *in;
    double *sums;

    ON_DEVICE void operator()(size_t i) const
    {
        double sum = 0;
        for (size_t j = 0; j < n_values; j++)
            sum += (double)in[first[i] + j * stride];
        sums[i] = sum;
    }
};

} // namespace

void cuda_fill(size_t n, float value, float *out)
{
    parallel::for_each(n, Fill{value, out});
}

void cuda_relu(size_t n, const float *in, float *out)
{
    parallel::for_each(n, Relu{in, out});
}

void cuda_tanh(size_t n, const float *in, float *out)
{
    parallel::for_each(n, Tanh{in, out});
}

void cuda_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                      const float *in, float *out)
{
    parallel::for_each((size_t)n_channels * n_pixels, ScaleShift{n_pixels, scale, shift, in, out});
}

void cuda_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b, int b_time,
              float *out)
{
    const Add work = {(size_t)time, (size_t)n_pixels, {a, (size_t)a_time}, {b, (size_t)b_time}, out};
    parallel::for_each((size_t)n_channels * work.time * work.pixels, work);
}

void cuda_copy(int n_channels, int time, int n_pixels, const float *in, int in_time, float *out)
{
    const Copy work = {(size_t)time, (size_t)n_pixels, {in, (size_t)in_time}, out};
    parallel::for_each((size_t)n_channels * work.time * work.pixels, work);
}

void cuda_swap_time(int n_channels, int time, int n_pixels, const float *in, float *out)
{
    const SwapTime work = {(size_t)time, (size_t)n_pixels, in, out};
    parallel::for_each((size_t)n_channels * work.time * work.pixels, work);
}

void cuda_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in, double *sums)
{
    parallel::for_each((size_t)n_sums, Sum{first, n_values, stride, in, sums});
}
