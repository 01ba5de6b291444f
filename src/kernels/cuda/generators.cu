/* SPDX-License-Identifier: MIT */
/* A generator's convolution with what is around it: what it reads is made once, what is behind it is done
 * where its output lies. */
#include "cuda_kernels.h"
#include "parallel.h"
#include "upsampling.h"

namespace
{

/** upsampled(max(scale in + shift, 0)), each part only where it is asked for. */
struct Head {
    struct generator_convolution call;
    int height, width; /**< of what the convolution reads */
    size_t time;
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
        const size_t pixels = (size_t)height * (size_t)width, channel = i / pixels / time;
        if (!call.upsamples) {
            out[i] = at(channel, i);
            return;
        }
        const Corners c = corners_of(height / 2, width / 2, i);
        out[i] = blend_corners(at(channel, c.near_near), at(channel, c.far_near), at(channel, c.near_far),
                               at(channel, c.far_far));
    }
};

/** max(out + added, 0), each part only where it is asked for. */
struct Tail {
    struct generator_convolution call;
    int height, width;
    float *out;

    ON_DEVICE float added(size_t i) const
    {
        if (!call.added_is_half)
            return call.added[i];
        const Corners c = corners_of(height / 2, width / 2, i);
        return blend_corners(call.added[c.near_near], call.added[c.far_near], call.added[c.near_far],
                             call.added[c.far_far]);
    }

    ON_DEVICE void operator()(size_t i) const
    {
        const float value = call.adds ? out[i] + added(i) : out[i];
        out[i] = call.rectifies_output && !(value > 0.0f) ? 0.0f : value;
    }
};

bool has_head(const struct generator_convolution *call)
{
    return call->scale != NULL || call->rectifies_input || call->upsamples;
}

size_t n_inputs(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

size_t n_outputs(const struct convolution_shape *s)
{
    return (size_t)s->out_channels * (size_t)s->time * (size_t)s->out_height * (size_t)s->out_width;
}

} // namespace

bool cuda_generator_fits(const struct generator_convolution *call)
{
    (void)call;
    return true;
}

/** What the convolution reads, and the convolution's own. */
size_t cuda_generator_scratch(const struct generator_convolution *call)
{
    return (has_head(call) ? n_inputs(call->shape) : 0) + cuda_convolution_scratch(call->shape);
}

void cuda_generator_convolution(const struct generator_convolution *call, float *out, float *scratch)
{
    const struct convolution_shape *s = call->shape;
    const float *in = call->in;
    if (has_head(call)) {
        const size_t n = n_inputs(s);
        parallel::for_each(n, Head{*call, s->in_height, s->in_width, (size_t)s->time, scratch});
        in = scratch;
        scratch += n;
    }
    cuda_convolution(s, call->weight, call->bias, in, out, scratch);
    if (call->adds || call->rectifies_output)
        parallel::for_each(n_outputs(s), Tail{*call, s->out_height, s->out_width, out});
}
