/* SPDX-License-Identifier: MIT */
/* Pooling and upsampling: an output value from its few inputs. */
#include "cuda_kernels.h"
#include "divisor.h"
#include "parallel.h"
#include "upsampling.h"

namespace
{

/** What a window of a pool covers of the map. */
struct Window {
    const float *plane;
    int top, left, bottom, right; /**< the last two are behind it */
};

ON_DEVICE inline int larger(int a, int b)
{
    return a > b ? a : b;
}

ON_DEVICE inline int smaller(int a, int b)
{
    return a < b ? a : b;
}

/** Where the windows of a pool are. */
struct Windows {
    struct pool_shape s;
    Divisor out_frame, out_width;

    explicit Windows(const struct pool_shape &shape)
        : s(shape), out_frame((size_t)shape.out_height * (size_t)shape.out_width),
          out_width((size_t)shape.out_width)
    {
    }

    ON_DEVICE Window of(const float *in, size_t i) const
    {
        const size_t pixel = i % out_frame, in_frame = (size_t)s.in_height * (size_t)s.in_width;
        const int top = (int)(pixel / out_width) * s.stride - s.padding;
        const int left = (int)(pixel % out_width) * s.stride - s.padding;
        return {in + i / out_frame * in_frame, larger(top, 0), larger(left, 0),
                smaller(top + s.kernel, s.in_height), smaller(left + s.kernel, s.in_width)};
    }
};

struct MaxPool {
    Windows windows;
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const Window w = windows.of(in, i);
        float largest = w.plane[w.top * windows.s.in_width + w.left];
        for (int y = w.top; y < w.bottom; y++)
            for (int x = w.left; x < w.right; x++) {
                const float value = w.plane[y * windows.s.in_width + x];
                largest = value > largest ? value : largest;
            }
        out[i] = largest;
    }
};

struct AveragePool {
    Windows windows;
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const Window w = windows.of(in, i);
        double sum = 0;
        for (int y = w.top; y < w.bottom; y++)
            for (int x = w.left; x < w.right; x++)
                sum += (double)w.plane[y * windows.s.in_width + x];
        out[i] = (float)(sum / (double)(windows.s.kernel * windows.s.kernel));
    }
};

struct Upsample {
    Upsampled map;
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const Corners c = map.corners_of(i);
        out[i] = blend_corners(in[c.near_near], in[c.far_near], in[c.near_far], in[c.far_far]);
    }
};

} // namespace

static size_t n_outputs(const struct pool_shape *s)
{
    return (size_t)s->n_planes * (size_t)s->out_height * (size_t)s->out_width;
}

void cuda_max_pool(const struct pool_shape *shape, const float *in, float *out)
{
    parallel::for_each(n_outputs(shape), MaxPool{Windows(*shape), in, out});
}

void cuda_average_pool(const struct pool_shape *shape, const float *in, float *out)
{
    parallel::for_each(n_outputs(shape), AveragePool{Windows(*shape), in, out});
}

void cuda_upsample(int n_planes, int height, int width, const float *in, float *out)
{
    const size_t n = 4 * (size_t)n_planes * (size_t)height * (size_t)width;
    parallel::for_each(n, Upsample{{height, width}, in, out});
}
