/* SPDX-License-Identifier: MIT */
/**
 * Products by the tiles of AMX (Intel's Architectures Software Developer's Manual, volume 1, chapter 18), of
 * float32 numbers as sums of two bfloat16 numbers each: a b = a_high b_low + a_high b_high + a_low b_high,
 * summed up in float32. What is left out is below 2^-16 of a product; a number that float16 holds is such a
 * sum exactly.
 */
#ifndef MEICENSUS_AMX_TILES_H
#define MEICENSUS_AMX_TILES_H

#include <stddef.h>
#include <stdint.h>

/* A tile: rows of positions or of pairs of channels, SIDE sums a row. */
enum { TILE_SIDE = 16, TILE_CHANNELS = 32, TILE_FLOATS = TILE_SIDE * TILE_SIDE };
/* Outputs of one pass, and positions of one: two tiles of each. */
enum { PASS_TILES = 2, PASS_OUTPUTS = PASS_TILES * TILE_SIDE, PASS_POSITIONS = PASS_TILES * TILE_SIDE };

/** Maps as tiles read them: high and low parts, [step of TILE_CHANNELS channels][position][TILE_CHANNELS]
 *  bfloat16 each. */
struct split_maps {
    size_t n_steps, n_positions;
    uint16_t *high, *low;
};

/** Steps that so many channels take; how many of them are in one. */
size_t tiles_steps(int n_channels);
int tiles_channels(int n_channels, size_t step);

/** Floats of memory that the maps take; those maps, all 0, of it. */
size_t split_maps_floats(int n_channels, size_t n_positions);
struct split_maps split_maps_make(int n_channels, size_t n_positions, float *memory);

/** Write `n` neighbouring positions of the channels of one step, n_channels <= TILE_CHANNELS of them, from
 *  maps that are `stride` floats apart. */
void split_maps_write(const struct split_maps *maps, size_t step, size_t position, const float *from,
                      size_t stride, int n_channels, size_t n);

/** Passes that so many outputs take; floats of the weights of one. */
size_t tiles_passes(int n_outputs);
size_t tiles_pass_floats(int n_inputs, int n_taps);

/** One weight of a pass, which lies as [step][tap][low, low, high, high] tiles [pair of channels][output][2]
 *  and is 0 where none is put. */
void tiles_put_weight(float *pass, int n_taps, size_t output, size_t input, size_t tap, float value);

/** Before the first product and after the last one; the tiles are a thread's own. */
void tiles_begin(void);
void tiles_end(void);

/** A tap: which of the weight's, and where it reads, in positions from a sum's own. */
struct tile_tap {
    int tap;
    ptrdiff_t shift;
};

/** What a product is of. */
struct tile_product {
    const struct split_maps *maps;
    const struct tile_tap *taps;
    size_t n_taps, n_weight_taps;
    const float *weight; /**< of one pass */
};

/** A block of sums. */
enum { BLOCK_SUMS = PASS_TILES * PASS_TILES * TILE_FLOATS };

/** Sums of PASS_POSITIONS neighbouring positions a block, the first of which begins at `first`:
 *  sums [block][PASS_TILES of positions][PASS_TILES of outputs][position][output]. */
void tiles_multiply(const struct tile_product *product, size_t first, size_t n_blocks, float *sums);

#endif
