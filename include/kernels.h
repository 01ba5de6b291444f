/* SPDX-License-Identifier: MIT */
/**
 * The arithmetic, as a table of functions that a backend chooses. src/kernels/reference/ is the definition
 * of truth; every other set must agree with it within the tolerances of tests/kernels/check_kernels.c.
 *
 * Dimensions: a map is [channel][time][height][width] float32, contiguous, "time" being 1 where the input is
 * static. One call works on one image, or on `image_batch` of them in place of time steps: on the CPU a
 * result never depends on what other images are worked on, how many, or in which order.
 *
 * No function allocates, fails, or keeps anything.
 */
#ifndef MEICENSUS_KERNELS_H
#define MEICENSUS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/** A two-dimensional (transposed) convolution; also a linear layer (all maps 1 x 1, kernel 1). */
struct convolution_shape {
    int time;
    int in_channels, in_height, in_width;
    int out_channels, out_height, out_width;
    int kernel_height, kernel_width; /**< taps stored in the weight */
    int stride;
    int pad_top, pad_left; /**< may be negative where the outer taps never meet the map and were dropped */
    bool takes_spikes;     /**< its input is 0 or 1, and mostly 0 */
    bool feeds_spikes; /**< its sums reach thresholds, where a rounding error can flip a spike: no algorithm
                            that adds and subtracts more than the definition does */
};

/** Height and width of a map, at most. */
enum { KERNELS_LARGEST_SIDE = 4096 };

/** Images of one call, at most. */
enum { KERNELS_LARGEST_BATCH = 1024 };

struct pool_shape {
    int n_planes; /**< channels x time */
    int in_height, in_width, out_height, out_width;
    int kernel, stride, padding;
};

/**
 * Constants of a spiking layer. The charged membrane h, in float32 and in this order of operations
 * (SpikingJelly 0.0.0.0.14, LIFNode; snnTorch 0.9.4, Leaky, which is eq. 2-3 of MANGO, arXiv 2401.10748):
 *   LIF, decay_input:       h = v + (x - (v - v_reset)) / tau
 *   LIF, hard reset:        h = v - (v - v_reset) / tau + x
 *   LIF, soft reset:        h = v + (x - v) / tau    or    h = v (1 - 1/tau) + x
 *   spike s = [h >= threshold];  hard: v = v_reset where it spiked;  soft: v = h - s threshold
 *   leaky:                  h = (beta v + x) - [v > threshold] threshold;  s = [h > threshold];  v = h
 */
enum neuron_kind { NEURON_LIF, NEURON_LEAKY };
struct neuron {
    enum neuron_kind kind;
    bool decay_input; /**< LIF */
    bool soft_reset;  /**< LIF: subtract the threshold instead of setting v_reset */
    double tau;       /**< LIF, > 1, in time steps */
    double beta;      /**< leaky, in [0, 1] */
    double threshold;
    double v_reset; /**< LIF; 0 if soft_reset */
};

/**
 * A spiking layer with the convolutions of spikes whose sums charge it:
 * current = convolution 0 (with its bias) + convolution 1, or + `added`, where there is one.
 */
struct spiking_convolution {
    const struct neuron *neuron;
    int n_convolutions; /**< 1 or 2 */
    const struct convolution_shape *shapes[2];
    const float *weights[2], *biases[2]; /**< arranged; biases may be NULL */
    const uint64_t *in[2];               /**< spikes as bits */
    const uint64_t *added;               /**< spikes as bits, of the output's shape, or NULL */
    int channel;                         /**< the only one that is wanted; negative: all */
};

/**
 * Spikes as bits: [time][pixel][word] uint64, channel c being bit c % 64 of word c / 64; bits behind the last
 * channel are 0. Membranes start at v_reset; results are the same bits as those of the functions for values.
 */
static inline size_t spike_words(int n_channels)
{
    return ((size_t)n_channels + 63) / 64;
}

struct spike_kernels {
    /** Whether convolutions of this shape can be part of a spiking_convolution. */
    bool (*fits)(const struct convolution_shape *shape);

    size_t (*convolution_scratch)(const struct spiking_convolution *call);
    void (*convolution)(const struct spiking_convolution *call, uint64_t *spikes, float *scratch);

    /** Neurons with a static current [channel][pixel]; scratch: as many floats, in whole words of channels.
     */
    void (*spike)(const struct neuron *neuron, int n_channels, int time, int n_pixels, const float *current,
                  uint64_t *spikes, float *scratch);

    /** shape->n_planes is time; scratch: 2 in_width n_words floats. */
    void (*max_pool)(const struct pool_shape *shape, size_t n_words, const uint64_t *in, uint64_t *out,
                     float *scratch);

    /** From and to values [channel][time][pixel], which are 0 or 1. */
    void (*pack)(int n_channels, int time, int n_pixels, const float *values, uint64_t *spikes);
    void (*unpack)(int n_channels, int time, int n_pixels, const uint64_t *spikes, float *values);

    /** counts[c] = spikes of channel c at n_places time steps and pixels. */
    void (*count)(int n_channels, size_t n_places, const uint64_t *spikes, int32_t *counts);
};

/**
 * A convolution of a generator with the layers around it: what it reads is
 * upsampled(max(scale in + shift, 0)), what it writes is max(convolution + bias + added, 0), each part only
 * where it is asked for.
 */
struct generator_convolution {
    const struct convolution_shape *shape; /**< of the convolution itself, images in place of time steps */
    const float *weight, *bias;            /**< arranged; bias may be NULL */
    const float *in;            /**< [in_channels][time][in_height][in_width], half as high and as wide where
                                     it is upsampled */
    const float *scale, *shift; /**< [in_channels], or both NULL */
    bool rectifies_input;
    bool upsamples; /**< bilinear, factor 2, align_corners off */
    bool adds;
    const float *added; /**< of the output's shape; NULL without `adds` */
    bool added_is_half; /**< half as high and as wide, to be upsampled likewise */
    bool rectifies_output;
};

/** What the pointers of a call point to is read by `convolution` only; whether bias and scale are NULL, by
 * all. */
struct generator_kernels {
    /** Whether it is worth it. */
    bool (*fits)(const struct generator_convolution *call);

    /** Floats of the weight in the layout that this call wants, and the way there from the tensor's. */
    size_t (*weight_size)(const struct generator_convolution *call);
    void (*arrange)(const struct generator_convolution *call, const float *weight, float *arranged);

    /** Floats of scratch, 64-byte aligned. */
    size_t (*scratch)(const struct generator_convolution *call);
    void (*convolution)(const struct generator_convolution *call, float *out, float *scratch);
};

/** Marks of struct kernel_memory. */
enum { KERNELS_MARKS = 2 };

/**
 * Memory of a device, where maps and weights lie that the host neither reads nor writes. What kernels and
 * `send` do is only started when they return, and done in the order of the calls.
 */
struct kernel_memory {
    /** n_bytes of zeros, aligned for any kernel; STATUS_INTERNAL where there is no more memory. */
    enum status (*allocate)(size_t n_bytes, void **memory, struct error *error);
    void (*release)(void *memory);

    /** Likewise, of the host's memory, which the device reads and writes as well: what it finds and leaves
     * there counts when it comes to it. */
    enum status (*allocate_shared)(size_t n_bytes, void **memory, struct error *error);
    void (*release_shared)(void *memory);

    /** From the host's memory, which may be used again at once, to the device's; and back, which waits for
     * all that was started before. */
    void (*write)(void *to, const void *from, size_t n_bytes);
    void (*read)(void *to, const void *from, size_t n_bytes);

    /** From shared memory to the device's. */
    void (*send)(void *to, const void *from, size_t n_bytes);

    /** Note with a mark (0 .. KERNELS_MARKS - 1) what has been started so far; wait for what was noted last
     * with it; wait for all. */
    void (*mark)(int mark);
    void (*wait)(int mark);
    void (*finish)(void);

    /** What went wrong with the device, as far as it has been waited for, kernels included, since this was
     * asked last; after a fault, nothing that was read from it counts. */
    enum status (*check)(struct error *error);
};

struct kernels {
    const char *name;

    /** Where pointers to weights (once they are arranged), biases, tables, maps, membranes, noise and scratch
     *  point to; NULL: the host's memory. Shapes and neurons are the host's always; `first` and `sums` are in
     *  shared memory. */
    const struct kernel_memory *memory;

    /** Images, in place of time steps, that are worth one call where nothing spikes: 1 to
     * KERNELS_LARGEST_BATCH, and more than 1 only where no image's result depends on the others'. */
    int image_batch;

    /** Floats of this shape's weight in the layout of these kernels, and the way there from the tensor's:
     *  [out][in][height][width], for a transposed convolution [in][out][height][width]. */
    size_t (*convolution_weight_size)(const struct convolution_shape *shape);
    void (*arrange_convolution)(const struct convolution_shape *shape, const float *weight, float *arranged);
    size_t (*transposed_weight_size)(const struct convolution_shape *shape);
    void (*arrange_transposed)(const struct convolution_shape *shape, const float *weight, float *arranged);

    /** Floats of scratch, 64-byte aligned, that the convolution of this shape wants (may be 0). */
    size_t (*convolution_scratch)(const struct convolution_shape *shape);

    /** out[o][t][y][x] = bias[o] + sum_{c,i,j} weight[o][c][i][j] in[c][t][y*stride + i - pad_top][x*stride +
     * j - pad_left] (0 outside). weight is arranged; bias may be NULL. */
    void (*convolution)(const struct convolution_shape *shape, const float *weight, const float *bias,
                        const float *in, float *out, float *scratch);

    size_t (*transposed_convolution_scratch)(const struct convolution_shape *shape);

    /** out[o][t][y][x] = bias[o] + sum over c, i, j with y = yi*stride + i - pad_top, x = xi*stride + j -
     * pad_left of weight[c][o][i][j] in[c][t][yi][xi] (PyTorch's ConvTranspose2d). weight is arranged. */
    void (*transposed_convolution)(const struct convolution_shape *shape, const float *weight,
                                   const float *bias, const float *in, float *out, float *scratch);

    /** Spikes and membrane over `time` steps of n_channels x n_pixels neurons.
     *  current [c][t][p]; noise [c][t][p] added to the charged membrane before the threshold, or NULL;
     *  membrane [c][p], updated in place; spikes [c][t][p], 0 or 1. current_time is 1 (static input) or
     * `time`. */
    void (*spike)(const struct neuron *neuron, int n_channels, int time, int current_time, int n_pixels,
                  const float *current, const float *noise, float *membrane, float *spikes);

    /** out = max(in, 0); out may be in. */
    void (*relu)(size_t n, const float *in, float *out);

    /** out[c][p] = scale[c] in[c][p] + shift[c]; out may be in. n_pixels counts time as well. */
    void (*scale_shift)(int n_channels, size_t n_pixels, const float *scale, const float *shift,
                        const float *in, float *out);

    /** out = a + b where one of them may be static: time is 1 or `time` for each. */
    void (*add)(int n_channels, int time, int n_pixels, const float *a, int a_time, const float *b,
                int b_time, float *out);

    /** out[c][t][p] = in[c][t][p], or in[c][0][p] where the input is static (in_time 1). */
    void (*copy)(int n_channels, int time, int n_pixels, const float *in, int in_time, float *out);

    void (*max_pool)(const struct pool_shape *shape, const float *in, float *out);

    /** Mean over the window, the divisor being kernel x kernel (PyTorch's count_include_pad). */
    void (*average_pool)(const struct pool_shape *shape, const float *in, float *out);

    /** Bilinear, factor 2, align_corners off. in [n_planes][height][width] -> out [n_planes][2 height][2
     * width]. */
    void (*upsample)(int n_planes, int height, int width, const float *in, float *out);

    /** out = tanh(in). */
    void (*tanh)(size_t n, const float *in, float *out);

    /** out[d][t][p] = table[index[p][t]][d]: codebook rows as channels. index holds whole numbers in
     * 0..n_rows-1. */
    void (*embedding)(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                      const float *index, float *out);

    /** index[t][p] = the row r with the least sum over d of (in[d][t][p] - table[r][d])^2, of equal ones the
     * first; the inverse of embedding. Sums in double precision. */
    void (*nearest_row)(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                        const float *in, float *index);

    /** out[c][p][t] = in[c][t][p]: maps become features and back. */
    void (*swap_time)(int n_channels, int time, int n_pixels, const float *in, float *out);

    /** out[i] = value. */
    void (*fill)(size_t n, float value, float *out);

    /** sums[i] = sum over j < n_values of in[first[i] + j stride], added in that order in double precision.
     */
    void (*sums)(int n_sums, const size_t *first, size_t n_values, size_t stride, const float *in,
                 double *sums);

    /** The same on spikes as bits; NULL where a set does without. */
    const struct spike_kernels *spikes;

    /** Generators' convolutions with what is around them; NULL where a set does without. */
    const struct generator_kernels *generators;
};

extern const struct kernels kernels_reference;
extern const struct kernels kernels_openblas;

/** src/kernels/vector/, for processors with these instructions only. */
extern const struct kernels kernels_avx512; /**< AVX-512 F, BW, DQ and VL */
extern const struct kernels kernels_amx;    /**< as avx512; AMX in generators, see src/kernels/amx/tiles.h */
extern const struct kernels kernels_avx2;   /**< AVX2 and FMA */

#endif
