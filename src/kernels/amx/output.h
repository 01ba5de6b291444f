/* SPDX-License-Identifier: MIT */
/** What becomes of the sums of sixteen outputs. */
#ifndef MEICENSUS_AMX_OUTPUT_H
#define MEICENSUS_AMX_OUTPUT_H

#include "around.h"
#include "kernels.h"
#include "tiles.h"
#include "vector.h"

/** What a pass adds, rows [first_row, end_row) of its outputs from `first` on, to added
 * [PASS_OUTPUTS][pixels]. */
static inline void tile_read_added(const struct generator_convolution *call, size_t image, size_t first,
                                   int first_row, int end_row, float *added)
{
    const struct convolution_shape *s = call->shape;
    const size_t width = (size_t)s->out_width, left = (size_t)s->out_channels - first;
    for (size_t i = 0; call->adds && i < PASS_OUTPUTS && i < left; i++)
        generator_read_added(call, first + i, image, first_row, end_row,
                             added + (i * (size_t)s->out_height + (size_t)first_row) * width);
}

/** Sixteen outputs of one image, at most, from `first` on. */
struct tile_output {
    const float *bias;  /**< of the first, or NULL */
    const float *added; /**< of the first, `pixels` floats from one to the next; or NULL */
    bool rectifies;
    int n_outputs;
    size_t pixels, next; /**< of a map; from one output's map to the next one's in `out` */
    float *out;          /**< of the first */
};

/** Outputs from `first` on; added [PASS_OUTPUTS][pixels] is what a pass adds. */
static inline struct tile_output tile_output(const struct generator_convolution *call, size_t image,
                                             size_t first, const float *added, float *out)
{
    const struct convolution_shape *s = call->shape;
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width;
    const int left = s->out_channels - (int)first;
    return (struct tile_output){.bias = call->bias == NULL ? NULL : call->bias + first,
                                .added = call->adds ? added + first % PASS_OUTPUTS * pixels : NULL,
                                .rectifies = call->rectifies_output,
                                .n_outputs = left < TILE_SIDE ? left : TILE_SIDE,
                                .pixels = pixels,
                                .next = (size_t)s->time * pixels,
                                .out = out + (first * (size_t)s->time + image) * pixels};
}

/** Sixteen neighbouring pixels of output i; where the next ones go is fetched meanwhile. */
static inline void tile_store(const struct tile_output *to, int i, size_t pixel, vector sums)
{
    float *out = to->out + (size_t)i * to->next + pixel;
    __builtin_prefetch(out + PASS_POSITIONS, 1);
    if (to->bias != NULL)
        sums = vector_add(sums, vector_all(to->bias[i]));
    if (to->added != NULL)
        sums = vector_add(sums, vector_load(to->added + (size_t)i * to->pixels + pixel));
    vector_store(out, to->rectifies ? vector_larger(sums, vector_zero()) : sums);
}

/** Sums [pixel][output] of sixteen neighbouring pixels. */
static inline void tile_store_pixels(const struct tile_output *to, size_t pixel, vector sums[TILE_SIDE])
{
    vector_transpose(sums);
    for (int i = 0; i < to->n_outputs; i++)
        tile_store(to, i, pixel, sums[i]);
}

#endif
