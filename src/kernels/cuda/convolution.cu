/* SPDX-License-Identifier: MIT */
/* Convolutions as matrix products (im2col), so many frames at once as the scratch memory has room for. */
#include "cuda_kernels.h"
#include "parallel.h"

namespace
{

/** Floats of columns, at most, unless a single frame needs more. */
const size_t MOST_COLUMNS = (size_t)1 << 26;

size_t n_taps(const struct convolution_shape *s)
{
    return (size_t)s->kernel_height * (size_t)s->kernel_width;
}

size_t n_terms(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * n_taps(s);
}

size_t in_frame(const struct convolution_shape *s)
{
    return (size_t)s->in_height * (size_t)s->in_width;
}

size_t out_frame(const struct convolution_shape *s)
{
    return (size_t)s->out_height * (size_t)s->out_width;
}

/** Frames of so many floats that are worked on at once. */
size_t frames_at_once(const struct convolution_shape *s, size_t frame_floats)
{
    const size_t most = MOST_COLUMNS / frame_floats, time = (size_t)s->time;
    return most < 1 ? 1 : most < time ? most : time;
}

/** out[o][..] = bias[o]. */
struct SpreadBias {
    size_t positions;
    const float *bias;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = bias == NULL ? 0.0f : bias[i / positions];
    }
};

/** columns [term][frame][output pixel]: what a tap sees of a channel. */
struct Gather {
    struct convolution_shape shape;
    size_t n_frames, pixels;
    const float *in; /**< [channel][time][pixel], from the first frame on */
    float *columns;

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t taps = (size_t)(shape.kernel_height * shape.kernel_width), term = i / pixels / n_frames;
        const int tap = (int)(term % taps), pixel = (int)(i % pixels);
        const int y = pixel / shape.out_width * shape.stride + tap / shape.kernel_width - shape.pad_top;
        const int x = pixel % shape.out_width * shape.stride + tap % shape.kernel_width - shape.pad_left;
        const bool inside = y >= 0 && y < shape.in_height && x >= 0 && x < shape.in_width;
        const size_t frame = term / taps * (size_t)shape.time + i / pixels % n_frames;
        columns[i] =
            inside ? in[(frame * (size_t)shape.in_height + (size_t)y) * (size_t)shape.in_width + (size_t)x]
                   : 0.0f;
    }
};

/** A transposed convolution's products [output x tap][frame][input pixel], where they reach an output value.
 */
struct Collect {
    struct convolution_shape shape;
    size_t first_frame, n_frames, pixels; /**< pixels of the output */
    const float *products, *bias;
    float *out; /**< [output][time][pixel] */

    /** y and x: of the input, times the stride. */
    ON_DEVICE float product_at(size_t row, size_t frame, int y, int x) const
    {
        const int in_y = y / shape.stride, in_x = x / shape.stride;
        const bool reaches = y >= 0 && x >= 0 && y % shape.stride == 0 && x % shape.stride == 0 &&
                             in_y < shape.in_height && in_x < shape.in_width;
        const size_t in_pixels = (size_t)shape.in_height * (size_t)shape.in_width;
        return reaches
                   ? products[(row * n_frames + frame) * in_pixels + (size_t)(in_y * shape.in_width + in_x)]
                   : 0.0f;
    }

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t output = i / pixels / n_frames, frame = i / pixels % n_frames, pixel = i % pixels;
        const size_t taps = (size_t)(shape.kernel_height * shape.kernel_width);
        const int y = (int)pixel / shape.out_width, x = (int)pixel % shape.out_width;
        float sum = bias == NULL ? 0.0f : bias[output];
        for (int tap = 0; tap < (int)taps; tap++)
            sum +=
                product_at(output * taps + (size_t)tap, frame, y + shape.pad_top - tap / shape.kernel_width,
                           x + shape.pad_left - tap % shape.kernel_width);
        out[(output * (size_t)shape.time + first_frame + frame) * pixels + pixel] = sum;
    }
};

/** One tap that sees the map as it is. */
bool is_pointwise(const struct convolution_shape *s)
{
    return n_taps(s) == 1 && s->pad_top == 0 && s->pad_left == 0 && s->stride == 1 &&
           out_frame(s) == in_frame(s);
}

} // namespace

/* ---- convolutions ---- */

size_t cuda_convolution_scratch(const struct convolution_shape *s)
{
    const size_t frame = n_terms(s) * out_frame(s);
    return is_pointwise(s) ? 0 : frames_at_once(s, frame) * frame;
}

void cuda_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                      const float *in, float *out, float *scratch)
{
    const size_t pixels = out_frame(s), terms = n_terms(s), time = (size_t)s->time;
    const size_t positions = time * pixels, outputs = (size_t)s->out_channels;
    parallel::for_each(outputs * positions, SpreadBias{positions, bias, out});
    if (is_pointwise(s)) {
        cuda_product(s->out_channels, positions, (int)terms, weight, in, out, positions);
        return;
    }
    const size_t most = frames_at_once(s, terms * pixels);
    for (size_t first = 0; first < time; first += most) {
        const size_t n_frames = time - first < most ? time - first : most, n = n_frames * pixels;
        parallel::for_each(terms * n, Gather{*s, n_frames, pixels, in + first * in_frame(s), scratch});
        cuda_product(s->out_channels, n, (int)terms, weight, scratch, out + first * pixels, positions);
    }
}

/* ---- transposed convolutions ---- */

void cuda_arrange_transposed(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t rows = (size_t)s->out_channels * n_taps(s), inputs = (size_t)s->in_channels;
    for (size_t row = 0; row < rows; row++)
        for (size_t c = 0; c < inputs; c++)
            arranged[row * inputs + c] = weight[c * rows + row];
}

static size_t product_floats(const struct convolution_shape *s)
{
    return (size_t)s->out_channels * n_taps(s) * in_frame(s);
}

/** Products, and the inputs of the frames, which lie side by side there. */
size_t cuda_transposed_scratch(const struct convolution_shape *s)
{
    const size_t frame = product_floats(s) + (size_t)s->in_channels * in_frame(s);
    return frames_at_once(s, frame) * frame;
}

namespace
{

/** Some frames of all channels. */
struct TakeFrames {
    size_t time, first, n_frames, pixels;
    const float *in;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / pixels / n_frames, frame = i / pixels % n_frames;
        out[i] = in[(channel * time + first + frame) * pixels + i % pixels];
    }
};

} // namespace

void cuda_transposed_convolution(const struct convolution_shape *s, const float *weight, const float *bias,
                                 const float *in, float *out, float *scratch)
{
    const size_t in_pixels = in_frame(s), pixels = out_frame(s), time = (size_t)s->time;
    const size_t inputs = (size_t)s->in_channels, rows = (size_t)s->out_channels * n_taps(s);
    const size_t most = frames_at_once(s, product_floats(s) + inputs * in_pixels);
    for (size_t first = 0; first < time; first += most) {
        const size_t n_frames = time - first < most ? time - first : most, n = n_frames * in_pixels;
        float *frames = scratch + rows * n;
        parallel::for_each(inputs * n, TakeFrames{time, first, n_frames, in_pixels, in, frames});
        cuda_fill(rows * n, 0.0f, scratch);
        cuda_product((int)rows, n, s->in_channels, weight, frames, scratch, n);
        parallel::for_each((size_t)s->out_channels * n_frames * pixels,
                           Collect{*s, first, n_frames, pixels, scratch, bias, out});
    }
}
