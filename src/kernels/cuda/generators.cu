/* SPDX-License-Identifier: MIT */
/* A generator's convolution with what is around it: what it reads is made once, what is behind it is done
 * where its output lies. */
#include "convolution.h"
#include "divisor.h"
#include "parallel.h"
#include "upsampling.h"

namespace
{

/** upsampled(max(scale in + shift, 0)), each part only where it is asked for. */
struct Head {
    struct generator_convolution call;
    Divisor positions; /**< of a channel of what the convolution reads */
    Upsampled map;     /**< where that is upsampled */
    float *out;

    ON_DEVICE float at(size_t channel, size_t place) const
    {
        float value = call.in[place];
        if (call.scale != NULL)
            value = call.scale[channel] * value + call.shift[channel];
        return call.rectifies_input && !(value > 0.0f) ? 0.0f : value;
    }

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / positions;
        if (!call.upsamples) {
            out[i] = at(channel, i);
            return;
        }
        const Corners c = map.corners_of(i);
        out[i] = blend_corners(at(channel, c.near_near), at(channel, c.far_near), at(channel, c.near_far),
                               at(channel, c.far_far));
    }
};

/** max(out + bias + added, 0), each part only where it is asked for. */
struct Tail {
    struct generator_convolution call;
    Divisor positions; /**< of a channel */
    Upsampled map;     /**< where what is added is upsampled */
    float *out;

    ON_DEVICE float added(size_t i) const
    {
        if (!call.added_is_half)
            return call.added[i];
        const Corners c = map.corners_of(i);
        return blend_corners(call.added[c.near_near], call.added[c.far_near], call.added[c.near_far],
                             call.added[c.far_far]);
    }

    ON_DEVICE void operator()(size_t i) const
    {
        float value = call.bias != NULL ? out[i] + call.bias[i / positions] : out[i];
        value = call.adds ? value + added(i) : value;
        out[i] = call.rectifies_output && !(value > 0.0f) ? 0.0f : value;
    }
};

/** Of maps of one pixel nothing is upsampled. */
Upsampled upsampled_to(int height, int width)
{
    return Upsampled(height > 1 ? height / 2 : 1, width > 1 ? width / 2 : 1);
}

bool has_head(const struct generator_convolution *call)
{
    return call->scale != NULL || call->rectifies_input || call->upsamples;
}

bool has_tail(const struct generator_convolution *call)
{
    return call->adds || call->rectifies_output;
}

size_t n_inputs(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

bool fits(const struct generator_convolution *call)
{
    (void)call;
    return true;
}

template <typename Value> size_t weight_size(const struct generator_convolution *call)
{
    return convolution_weight_size<Value>(call->shape);
}

template <typename Value>
void arrange(const struct generator_convolution *call, const float *weight, float *arranged)
{
    arrange_convolution<Value>(call->shape, weight, arranged);
}

/** What the convolution reads, and the convolution's own. */
template <typename Value> size_t scratch_size(const struct generator_convolution *call)
{
    return (has_head(call) ? aligned_floats(n_inputs(call->shape)) : 0) +
           convolution_scratch<Value>(call->shape);
}

template <typename Value>
void convolve_all(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    const float *in = call->in, *bias = has_tail(call) ? NULL : call->bias;
    if (has_head(call)) {
        const size_t n = n_inputs(s);
        parallel::for_each(
            n, Head{*call, n / (size_t)s->in_channels, upsampled_to(s->in_height, s->in_width), scratch});
        in = scratch;
        scratch += aligned_floats(n);
    }
    convolve<Value>(s, call->weight, bias, in, out, scratch);
    if (!has_tail(call))
        return;
    const size_t positions = (size_t)s->time * (size_t)s->out_height * (size_t)s->out_width;
    parallel::for_each((size_t)s->out_channels * positions,
                       Tail{*call, positions, upsampled_to(s->out_height, s->out_width), out});
}

const struct generator_kernels of_float32 = {fits, weight_size<float>, arrange<float>, scratch_size<float>,
                                             convolve_all<float>};
const struct generator_kernels of_bfloat16 = {fits, weight_size<bfloat16>, arrange<bfloat16>,
                                              scratch_size<bfloat16>, convolve_all<bfloat16>};

} // namespace

const struct generator_kernels *cuda_generators(bool in_bfloat16)
{
    return in_bfloat16 ? &of_bfloat16 : &of_float32;
}
