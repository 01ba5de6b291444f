/* SPDX-License-Identifier: MIT */
#include "plain.h"

#include <math.h>

/** float32 in the order of operations that kernels.h gives. */
static float charged(const struct neuron *n, float v, float x)
{
    const float tau = (float)n->tau, v_reset = (float)n->v_reset;
    if (n->kind == NEURON_LEAKY) {
        const float reset = v > (float)n->threshold ? (float)n->threshold : 0;
        const float decayed = (float)n->beta * v + x;
        return decayed - reset;
    }
    if (n->decay_input)
        return v + (x - (v - v_reset)) / tau;
    if (n->soft_reset)
        return v * (float)(1 - 1 / n->tau) + x;
    return v - (v - v_reset) / tau + x;
}

float plain_neuron(const struct neuron *neuron, float current, float noise, float *membrane)
{
    const float threshold = (float)neuron->threshold;
    const float h = charged(neuron, *membrane, current) + noise;
    if (neuron->kind == NEURON_LEAKY) {
        *membrane = h;
        return h > threshold ? 1 : 0;
    }
    if (!(h >= threshold)) {
        *membrane = h;
        return 0;
    }
    *membrane = neuron->soft_reset ? h - threshold : (float)neuron->v_reset;
    return 1;
}

float plain_max(const struct pool_shape *s, const float *plane, int y, int x)
{
    float largest = -INFINITY;
    for (int i = 0; i < s->kernel; i++)
        for (int j = 0; j < s->kernel; j++) {
            const int in_y = y * s->stride + i - s->padding, in_x = x * s->stride + j - s->padding;
            if (in_y >= 0 && in_y < s->in_height && in_x >= 0 && in_x < s->in_width)
                largest = fmaxf(largest, plane[in_y * s->in_width + in_x]);
        }
    return largest;
}

double plain_mean(const struct pool_shape *s, const float *plane, int y, int x, double *magnitude)
{
    double sum = 0, absolute = 0;
    for (int i = 0; i < s->kernel; i++)
        for (int j = 0; j < s->kernel; j++) {
            const int in_y = y * s->stride + i - s->padding, in_x = x * s->stride + j - s->padding;
            if (in_y < 0 || in_y >= s->in_height || in_x < 0 || in_x >= s->in_width)
                continue;
            sum += (double)plane[in_y * s->in_width + in_x];
            absolute += fabs((double)plane[in_y * s->in_width + in_x]);
        }
    *magnitude = absolute / (s->kernel * s->kernel);
    return sum / (s->kernel * s->kernel);
}

double plain_upsampled(int height, int width, const float *plane, int y, int x, double *magnitude)
{
    const double from_y = fmax((y + 0.5) / 2 - 0.5, 0), from_x = fmax((x + 0.5) / 2 - 0.5, 0);
    const int top = (int)from_y, left = (int)from_x;
    double sum = 0;
    *magnitude = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            const int in_y = top + i < height ? top + i : height - 1;
            const int in_x = left + j < width ? left + j : width - 1;
            const double down = i == 0 ? 1 - (from_y - top) : from_y - top;
            const double aside = j == 0 ? 1 - (from_x - left) : from_x - left;
            sum += down * aside * (double)plane[in_y * width + in_x];
            *magnitude += down * aside * fabs((double)plane[in_y * width + in_x]);
        }
    return sum;
}
