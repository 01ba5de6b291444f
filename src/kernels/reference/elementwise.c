/* SPDX-License-Identifier: MIT */
#include "elementwise.h"

#include <math.h>
#include <string.h>

/* ---- spiking neurons ---- */

typedef float charge_function(const struct neuron *neuron, float v, float x);

static inline float charge_decay_input(const struct neuron *n, float v, float x)
{
    return v + (x - (v - (float)n->v_reset)) / (float)n->tau;
}

static inline float charge_hard(const struct neuron *n, float v, float x)
{
    return v - (v - (float)n->v_reset) / (float)n->tau + x;
}

static inline float charge_soft(const struct neuron *n, float v, float x)
{
    return v * (float)(1.0 - 1.0 / n->tau) + x;
}

static inline float charge_leaky(const struct neuron *n, float v, float x)
{
    const float reset = v > (float)n->threshold ? (float)n->threshold : 0.0f;
    return ((float)n->beta * v + x) - reset;
}

/** One time step of a row of neurons. `charge` is a constant at each call, so that the loop vectorises. */
static inline void step_lif(const struct neuron *neuron, charge_function *charge, int n, const float *current,
                            const float *noise, float *membrane, float *spikes)
{
    const float threshold = (float)neuron->threshold, v_reset = (float)neuron->v_reset;
    const float soft = neuron->soft_reset ? 1.0f : 0.0f;
    for (int p = 0; p < n; p++) {
        const float h = charge(neuron, membrane[p], current[p]) + (noise == NULL ? 0.0f : noise[p]);
        const float spike = h >= threshold ? 1.0f : 0.0f;
        const float reset_to = soft != 0.0f ? h - threshold : v_reset;
        spikes[p] = spike;
        membrane[p] = spike != 0.0f ? reset_to : h;
    }
}

static inline void step_leaky(const struct neuron *neuron, int n, const float *current, const float *noise,
                              float *membrane, float *spikes)
{
    const float threshold = (float)neuron->threshold;
    for (int p = 0; p < n; p++) {
        const float h = charge_leaky(neuron, membrane[p], current[p]) + (noise == NULL ? 0.0f : noise[p]);
        spikes[p] = h > threshold ? 1.0f : 0.0f;
        membrane[p] = h;
    }
}

static void step(const struct neuron *neuron, int n, const float *current, const float *noise,
                 float *membrane, float *spikes)
{
    if (neuron->kind == NEURON_LEAKY)
        step_leaky(neuron, n, current, noise, membrane, spikes);
    else if (neuron->decay_input)
        step_lif(neuron, charge_decay_input, n, current, noise, membrane, spikes);
    else if (neuron->soft_reset)
        step_lif(neuron, charge_soft, n, current, noise, membrane, spikes);
    else
        step_lif(neuron, charge_hard, n, current, noise, membrane, spikes);
}

void elementwise_spike(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                       const float *current, const float *noise, float *membrane, float *spikes)
{
    const size_t pixels = (size_t)n_pixels;
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t t = 0; t < (size_t)time; t++) {
            const size_t row = (c * (size_t)time + t) * pixels;
            const size_t current_row = current_time == 1 ? c * pixels : row;
            step(neuron, n_pixels, current + current_row, noise == NULL ? NULL : noise + row,
                 membrane + c * pixels, spikes + row);
        }
}

/* ---- maps ---- */

void elementwise_relu(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] > 0.0f ? in[i] : 0.0f;
}

void elementwise_scale_shift(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                             const float *in, float *out)
{
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t p = 0; p < n_pixels; p++)
            out[c * n_pixels + p] = scale[c] * in[c * n_pixels + p] + shift[c];
}

void elementwise_add(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b,
                     int b_time, float *out)
{
    const size_t pixels = (size_t)n_pixels;
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t t = 0; t < (size_t)time; t++) {
            const float *a_row = a + (c * (size_t)a_time + (a_time == 1 ? 0 : t)) * pixels;
            const float *b_row = b + (c * (size_t)b_time + (b_time == 1 ? 0 : t)) * pixels;
            float *out_row = out + (c * (size_t)time + t) * pixels;
            for (size_t p = 0; p < pixels; p++)
                out_row[p] = a_row[p] + b_row[p];
        }
}

void elementwise_copy(int n_channels, int time, int n_pixels, const float *in, int in_time, float *out)
{
    const size_t pixels = (size_t)n_pixels;
    for (size_t c = 0; c < (size_t)n_channels; c++)
        for (size_t t = 0; t < (size_t)time; t++, out += pixels)
            memcpy(out, in + (c * (size_t)in_time + (in_time == 1 ? 0 : t)) * pixels, sizeof *out * pixels);
}

/** largest[x] = the largest of `n_rows` rows at x: whole rows at once, so that it vectorises. */
static void max_of_rows(const float *rows, int n_rows, int width, float *largest)
{
    memcpy(largest, rows, sizeof *largest * (size_t)width);
    for (int y = 1; y < n_rows; y++)
        for (int x = 0; x < width; x++) {
            const float value = rows[y * width + x];
            largest[x] = value > largest[x] ? value : largest[x];
        }
}

/** One row of a max pool's output; every window meets the map in at least one place. */
static void max_pool_row(const struct pool_shape *s, const float *plane, int y, float *out)
{
    float largest[KERNELS_LARGEST_SIDE];
    const int top = y * s->stride - s->padding, first = top < 0 ? 0 : top;
    const int last = top + s->kernel < s->in_height ? top + s->kernel : s->in_height;
    max_of_rows(plane + first * s->in_width, last - first, s->in_width, largest);
    for (int x = 0; x < s->out_width; x++) {
        const int left = x * s->stride - s->padding;
        const int end = left + s->kernel < s->in_width ? left + s->kernel : s->in_width;
        float value = largest[left < 0 ? 0 : left];
        for (int i = left < 0 ? 1 : left + 1; i < end; i++)
            value = largest[i] > value ? largest[i] : value;
        out[x] = value;
    }
}

void elementwise_max_pool(const struct pool_shape *s, const float *in, float *out)
{
    for (int plane = 0; plane < s->n_planes; plane++, in += s->in_height * s->in_width)
        for (int y = 0; y < s->out_height; y++, out += s->out_width)
            max_pool_row(s, in, y, out);
}

static float window_mean(const struct pool_shape *s, const float *plane, int top, int left)
{
    double sum = 0;
    for (int y = top < 0 ? 0 : top; y < top + s->kernel && y < s->in_height; y++)
        for (int x = left < 0 ? 0 : left; x < left + s->kernel && x < s->in_width; x++)
            sum += (double)plane[y * s->in_width + x];
    return (float)(sum / (double)(s->kernel * s->kernel));
}

void elementwise_average_pool(const struct pool_shape *s, const float *in, float *out)
{
    for (int plane = 0; plane < s->n_planes; plane++, in += s->in_height * s->in_width)
        for (int y = 0; y < s->out_height; y++)
            for (int x = 0; x < s->out_width; x++)
                *out++ = window_mean(s, in, y * s->stride - s->padding, x * s->stride - s->padding);
}

/* Bilinear, factor 2: an output row lies a quarter of a row before or behind its source row, so that it takes
 * 3/4 of that row and 1/4 of the neighbour on that side; at the edge the row is its own neighbour. Columns
 * alike. */

/** out[x] = 3/4 near[x] + 1/4 far[x]. */
static void blend_rows(int width, const float *near, const float *far, float *out)
{
    for (int x = 0; x < width; x++)
        out[x] = 0.75f * near[x] + 0.25f * far[x];
}

static void widen_row(int width, const float *row, float *out)
{
    for (int x = 0; x < width; x++) {
        const float left = row[x > 0 ? x - 1 : 0], right = row[x + 1 < width ? x + 1 : x];
        out[2 * x] = 0.75f * row[x] + 0.25f * left;
        out[2 * x + 1] = 0.75f * row[x] + 0.25f * right;
    }
}

void elementwise_upsample(int n_planes, int height, int width, const float *in, float *out)
{
    for (int plane = 0; plane < n_planes; plane++, in += height * width)
        for (int y = 0; y < height; y++)
            for (int side = 0; side < 2; side++, out += 2 * width) {
                const int neighbour = side == 0 ? (y > 0 ? y - 1 : 0) : (y + 1 < height ? y + 1 : y);
                float *blended =
                    out + width; /* widened from there to the front: never overtakes what it reads */
                blend_rows(width, in + y * width, in + neighbour * width, blended);
                widen_row(width, blended, out);
            }
}

void elementwise_tanh(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tanhf(in[i]);
}

void elementwise_embedding(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                           const float *index, float *out)
{
    for (int p = 0; p < n_pixels; p++)
        for (int t = 0; t < time; t++) {
            const int wanted = (int)*index++;
            const int row = wanted < 0 ? 0 : wanted >= n_rows ? n_rows - 1 : wanted;
            for (int d = 0; d < n_channels; d++)
                out[((size_t)d * (size_t)time + (size_t)t) * (size_t)n_pixels + (size_t)p] =
                    table[(size_t)row * (size_t)n_channels + (size_t)d];
        }
}

/** Values that are compared with the table at the same time. */
enum { NEAREST_BLOCK = 16 };

/** Nearest rows of `n` values in[d][0..n). */
static void nearest_rows_of_block(int n, int n_rows, int n_channels, size_t channel_stride,
                                  const float *table, const float *in, float *index)
{
    double least[NEAREST_BLOCK];
    for (int r = 0; r < n_rows; r++, table += n_channels) {
        double sum[NEAREST_BLOCK] = {0};
        for (int d = 0; d < n_channels; d++)
            for (int i = 0; i < n; i++) {
                const double difference =
                    (double)in[(size_t)d * channel_stride + (size_t)i] - (double)table[d];
                sum[i] += difference * difference;
            }
        for (int i = 0; i < n; i++)
            if (r == 0 || sum[i] < least[i]) {
                least[i] = sum[i];
                index[i] = (float)r;
            }
    }
}

void elementwise_nearest_row(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                             const float *in, float *index)
{
    const int n_values = time * n_pixels;
    for (int first = 0; first < n_values; first += NEAREST_BLOCK) {
        const int n = n_values - first < NEAREST_BLOCK ? n_values - first : NEAREST_BLOCK;
        nearest_rows_of_block(n, n_rows, n_channels, (size_t)n_values, table, in + first, index + first);
    }
}

void elementwise_swap_time(int n_channels, int time, int n_pixels, const float *in, float *out)
{
    for (int c = 0; c < n_channels; c++, in += time * n_pixels)
        for (int p = 0; p < n_pixels; p++)
            for (int t = 0; t < time; t++)
                *out++ = in[t * n_pixels + p];
}

void elementwise_fill(size_t n, float value, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = value;
}

void elementwise_sums(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in,
                      double *sums)
{
    for (int i = 0; i < n_sums; i++) {
        double sum = 0;
        for (size_t j = 0; j < n_values; j++)
            sum += (double)in[first[i] + j * stride];
        sums[i] = sum;
    }
}
