/* SPDX-License-Identifier: MIT */
/* Spiking neurons: all time steps of one, whose membrane stays in a register. */
#include "cuda_kernels.h"
#include "divisor.h"
#include "parallel.h"

namespace
{

/** The membrane after the current has charged it: the operations of reference/elementwise.c, in their order.
 */
ON_DEVICE inline float charge(const struct neuron &n, float v, float x)
{
    if (n.kind == NEURON_LEAKY) {
        const float reset = v > (float)n.threshold ? (float)n.threshold : 0.0f;
        return ((float)n.beta * v + x) - reset;
    }
    if (n.decay_input)
        return v + (x - (v - (float)n.v_reset)) / (float)n.tau;
    if (n.soft_reset)
        return v * (float)(1.0 - 1.0 / n.tau) + x;
    return v - (v - (float)n.v_reset) / (float)n.tau + x;
}

struct Spike {
    struct neuron neuron;
    size_t time, current_time;
    Divisor pixels;
    const float *current, *noise;
    float *membrane, *spikes;

    /** One neuron: place i = channel x pixels + pixel. */
    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / pixels, pixel = i % pixels;
        const float threshold = (float)neuron.threshold;
        float v = membrane[i];
        for (size_t t = 0; t < time; t++) {
            const size_t here = (channel * time + t) * pixels + pixel;
            const float x = current[current_time == 1 ? i : here];
            const float h = charge(neuron, v, x) + (noise == NULL ? 0.0f : noise[here]);
            const bool fires = neuron.kind == NEURON_LEAKY ? h > threshold : h >= threshold;
            spikes[here] = fires ? 1.0f : 0.0f;
            v = h;
            if (fires && neuron.kind == NEURON_LIF)
                v = neuron.soft_reset ? h - threshold : (float)neuron.v_reset;
        }
        membrane[i] = v;
    }
};

} // namespace

void cuda_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                const float *current, const float *noise, float *membrane, float *spikes)
{
    const Spike work = {*neuron,  (size_t)time, (size_t)current_time, (size_t)n_pixels, current, noise,
                        membrane, spikes};
    parallel::for_each((size_t)n_channels * (size_t)n_pixels, work);
}
