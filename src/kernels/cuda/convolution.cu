/* SPDX-License-Identifier: MIT */
/* Convolutions as matrix products (im2col), so many frames at once as the scratch memory has room for. */
#include "convolution.h"
#include "divisor.h"
#include "parallel.h"
#include "product.h"

#include <type_traits>

namespace
{

/** Bytes of scratch, at most, unless a single frame needs more. */
const size_t MOST_BYTES = (size_t)1 << 28;

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

size_t in_floats(size_t n_bytes)
{
    return (n_bytes + sizeof(float) - 1) / sizeof(float);
}

/** Frames of so many bytes that are worked on at once. */
size_t frames_at_once(const struct convolution_shape *s, size_t frame_bytes)
{
    const size_t most = MOST_BYTES / frame_bytes, time = (size_t)s->time;
    return most < 1 ? 1 : most < time ? most : time;
}

/** out[o][..] = bias[o]. */
struct SpreadBias {
    Divisor positions;
    const float *bias;
    float *out;

    ON_DEVICE void operator()(size_t i) const
    {
        out[i] = bias[i / positions];
    }
};

/** columns [term][frame][output pixel]: what a tap sees of a channel. */
template <typename Value> struct Gather {
    struct convolution_shape shape;
    Divisor n_frames, pixels, taps, row_taps, row_pixels; /**< the last two: of a row */
    const float *in; /**< [channel][time][pixel], from the first frame on */
    Value *columns;

    Gather(const struct convolution_shape *s, size_t frames, const float *map, Value *matrix)
        : shape(*s), n_frames(frames), pixels(out_frame(s)), taps(n_taps(s)),
          row_taps((size_t)s->kernel_width), row_pixels((size_t)s->out_width), in(map), columns(matrix)
    {
    }

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t term = i / pixels / n_frames, tap = term % taps, pixel = i % pixels;
        const int y = (int)(pixel / row_pixels) * shape.stride + (int)(tap / row_taps) - shape.pad_top;
        const int x = (int)(pixel % row_pixels) * shape.stride + (int)(tap % row_taps) - shape.pad_left;
        const bool inside = y >= 0 && y < shape.in_height && x >= 0 && x < shape.in_width;
        const size_t frame = term / taps * (size_t)shape.time + i / pixels % n_frames;
        const size_t row = frame * (size_t)shape.in_height + (size_t)y;
        store(inside ? in[row * (size_t)shape.in_width + (size_t)x] : 0.0f, columns + i);
    }
};

/** A transposed convolution's products [output x tap][frame][input pixel], where they reach an output value.
 */
struct Collect {
    struct convolution_shape shape;
    size_t first_frame, in_pixels;
    Divisor n_frames, pixels, row_pixels, stride; /**< of the output */
    const float *products, *bias;
    float *out; /**< [output][time][pixel] */

    Collect(const struct convolution_shape *s, size_t first, size_t frames, const float *matrix,
            const float *biases, float *map)
        : shape(*s), first_frame(first), in_pixels(in_frame(s)), n_frames(frames), pixels(out_frame(s)),
          row_pixels((size_t)s->out_width), stride((size_t)s->stride), products(matrix), bias(biases),
          out(map)
    {
    }

    /** Which row (or column) of n of the input reaches an output's through a tap; negative: none. `place` is
     * the output's place less the tap's. */
    ON_DEVICE int source_of(int place, int n) const
    {
        const size_t source = place < 0 ? 0 : (size_t)place / stride;
        return place == (int)(source * (size_t)shape.stride) && (int)source < n ? (int)source : -1;
    }

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t output = i / pixels / n_frames, frame = i / pixels % n_frames, pixel = i % pixels;
        const int bottom = (int)(pixel / row_pixels) + shape.pad_top;
        const int right = (int)(pixel % row_pixels) + shape.pad_left;
        const size_t taps = (size_t)(shape.kernel_height * shape.kernel_width);
        float sum = bias == NULL ? 0.0f : bias[output];
        for (int ky = 0; ky < shape.kernel_height; ky++) {
            const int y = source_of(bottom - ky, shape.in_height);
            for (int kx = 0; y >= 0 && kx < shape.kernel_width; kx++) {
                const int x = source_of(right - kx, shape.in_width);
                const size_t row = output * taps + (size_t)(ky * shape.kernel_width + kx);
                if (x >= 0)
                    sum += products[(row * (size_t)n_frames + frame) * in_pixels +
                                    (size_t)(y * shape.in_width + x)];
            }
        }
        out[(output * (size_t)shape.time + first_frame + frame) * (size_t)pixels + pixel] = sum;
    }
};

/** The map is what is multiplied, as it is: one tap, and values of the same kind. */
template <typename Value> bool is_map(const struct convolution_shape *s)
{
    return std::is_same<Value, float>::value && n_taps(s) == 1 && s->pad_top == 0 && s->pad_left == 0 &&
           s->stride == 1 && out_frame(s) == in_frame(s);
}

} // namespace

/* ---- convolutions ---- */

template <typename Value> size_t convolution_weight_size(const struct convolution_shape *s)
{
    return in_floats((size_t)s->out_channels * n_terms(s) * sizeof(Value));
}

/** Where the last float has room for more values, they are 0. */
template <typename Value>
void arrange_convolution(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t n = (size_t)s->out_channels * n_terms(s);
    arranged[convolution_weight_size<Value>(s) - 1] = 0;
    for (size_t i = 0; i < n; i++)
        store(weight[i], reinterpret_cast<Value *>(arranged) + i);
}

template <typename Value> size_t convolution_scratch(const struct convolution_shape *s)
{
    const size_t frame = n_terms(s) * out_frame(s) * sizeof(Value);
    return is_map<Value>(s) ? 0 : in_floats(frames_at_once(s, frame) * frame);
}

template <typename Value>
void convolve(const struct convolution_shape *s, const float *weight, const float *bias, const float *in,
              float *out, float *scratch)
{
    const size_t pixels = out_frame(s), terms = n_terms(s), time = (size_t)s->time;
    const size_t positions = time * pixels;
    const Value *values = reinterpret_cast<const Value *>(weight);
    Value *columns = reinterpret_cast<Value *>(scratch);
    Product product = {s->out_channels, positions, (int)terms, out, positions, bias != NULL};
    if (bias != NULL)
        parallel::for_each((size_t)s->out_channels * positions, SpreadBias{positions, bias, out});
    if (is_map<Value>(s)) {
        multiply(product, values, reinterpret_cast<const Value *>(in));
        return;
    }
    const size_t most = frames_at_once(s, terms * pixels * sizeof(Value));
    for (size_t first = 0; first < time; first += most) {
        const size_t n_frames = time - first < most ? time - first : most;
        product.n_columns = n_frames * pixels;
        product.out = out + first * pixels;
        parallel::for_each(terms * product.n_columns,
                           Gather<Value>(s, n_frames, in + first * in_frame(s), columns));
        multiply(product, values, columns);
    }
}

/* ---- transposed convolutions ---- */

namespace
{

/** Some frames of all channels. */
template <typename Value> struct TakeFrames {
    size_t time, first;
    Divisor n_frames, pixels;
    const float *in;
    Value *out;

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / pixels / n_frames, frame = i / pixels % n_frames;
        store(in[(channel * time + first + frame) * pixels + i % pixels], out + i);
    }
};

/** Of a frame: its products, and its input, which lies beside that of other frames there. */
template <typename Value> size_t transposed_bytes(const struct convolution_shape *s)
{
    const size_t rows = (size_t)s->out_channels * n_taps(s);
    return in_frame(s) * (rows * sizeof(float) + (size_t)s->in_channels * sizeof(Value));
}

template <typename Value> size_t transposed_scratch(const struct convolution_shape *s)
{
    const size_t frame = transposed_bytes<Value>(s);
    return in_floats(frames_at_once(s, frame) * frame) + aligned_floats(1);
}

template <typename Value>
void convolve_transposed(const struct convolution_shape *s, const float *weight, const float *bias,
                         const float *in, float *out, float *scratch)
{
    const size_t in_pixels = in_frame(s), pixels = out_frame(s), time = (size_t)s->time;
    const size_t rows = (size_t)s->out_channels * n_taps(s);
    const size_t most = frames_at_once(s, transposed_bytes<Value>(s));
    for (size_t first = 0; first < time; first += most) {
        const size_t n_frames = time - first < most ? time - first : most, n = n_frames * in_pixels;
        Value *frames = reinterpret_cast<Value *>(scratch + aligned_floats(rows * n));
        parallel::for_each((size_t)s->in_channels * n,
                           TakeFrames<Value>{time, first, n_frames, in_pixels, in, frames});
        multiply({(int)rows, n, s->in_channels, scratch, n, false}, reinterpret_cast<const Value *>(weight),
                 frames);
        parallel::for_each((size_t)s->out_channels * n_frames * pixels,
                           Collect(s, first, n_frames, scratch, bias, out));
    }
}

template <typename Value>
void arrange_transposed(const struct convolution_shape *s, const float *weight, float *arranged)
{
    const size_t rows = (size_t)s->out_channels * n_taps(s), inputs = (size_t)s->in_channels;
    arranged[convolution_weight_size<Value>(s) - 1] = 0;
    for (size_t row = 0; row < rows; row++)
        for (size_t c = 0; c < inputs; c++)
            store(weight[c * rows + row], reinterpret_cast<Value *>(arranged) + row * inputs + c);
}

} // namespace

/* ---- all of them ---- */

template <typename Value> static void put_convolutions(struct kernels *kernels)
{
    kernels->convolution_weight_size = convolution_weight_size<Value>;
    kernels->arrange_convolution = arrange_convolution<Value>;
    kernels->convolution_scratch = convolution_scratch<Value>;
    kernels->convolution = convolve<Value>;
    kernels->transposed_weight_size = convolution_weight_size<Value>;
    kernels->arrange_transposed = arrange_transposed<Value>;
    kernels->transposed_convolution_scratch = transposed_scratch<Value>;
    kernels->transposed_convolution = convolve_transposed<Value>;
}

void cuda_put_convolutions(bool in_bfloat16, struct kernels *kernels)
{
    if (in_bfloat16)
        put_convolutions<bfloat16>(kernels);
    else
        put_convolutions<float>(kernels);
}
