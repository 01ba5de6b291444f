/* SPDX-License-Identifier: MIT */
#include "tiles.h"

#include <stdbool.h>
#include <string.h>

#include "vector.h"

enum { ROW_BYTES = 64, PARTS = 2, WEIGHT_TILES = PARTS * PASS_TILES };
/* Taps of which the weights take two thirds of the first-level cache. */
enum { CACHED_TAPS = 8 };

/* ---- maps ---- */

size_t tiles_steps(int n_channels)
{
    return ((size_t)n_channels + TILE_CHANNELS - 1) / TILE_CHANNELS;
}

int tiles_channels(int n_channels, size_t step)
{
    const int left = n_channels - (int)step * TILE_CHANNELS;
    return left < TILE_CHANNELS ? left : TILE_CHANNELS;
}

/** Values of one part; two of them are as large as a float. */
static size_t part_values(int n_channels, size_t n_positions)
{
    return tiles_steps(n_channels) * n_positions * TILE_CHANNELS;
}

size_t split_maps_floats(int n_channels, size_t n_positions)
{
    return part_values(n_channels, n_positions);
}

struct split_maps split_maps_make(int n_channels, size_t n_positions, float *memory)
{
    void *room = memory;
    uint16_t *high = room;
    memset(room, 0, sizeof *memory * split_maps_floats(n_channels, n_positions));
    return (struct split_maps){tiles_steps(n_channels), n_positions, high,
                               high + part_values(n_channels, n_positions)};
}

static inline __m512 widen(__m256i bfloat16)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bfloat16), 16));
}

/** The channels of one position: `first` half of them and `second`. */
static inline void split(vector first, vector second, uint16_t *high, uint16_t *low)
{
    const __m512i rounded = (__m512i)_mm512_cvtne2ps_pbh(second, first);
    const __m512 first_rest = _mm512_sub_ps(first, widen(_mm512_castsi512_si256(rounded)));
    const __m512 second_rest = _mm512_sub_ps(second, widen(_mm512_extracti64x4_epi64(rounded, 1)));
    _mm512_storeu_si512(high, rounded);
    _mm512_storeu_si512(low, (__m512i)_mm512_cvtne2ps_pbh(second_rest, first_rest));
}

/** Values [position][channel] of up to LANES positions and channels; others are 0. */
static inline void read_channels(const float *from, size_t stride, int n_channels, vector_mask inside,
                                 vector values[LANES])
{
    for (int c = 0; c < LANES; c++)
        values[c] = c < n_channels ? vector_load_masked(inside, from + (size_t)c * stride) : vector_zero();
    vector_transpose(values);
}

void split_maps_write(const struct split_maps *maps, size_t step, size_t position, const float *from,
                      size_t stride, int n_channels, size_t n)
{
    vector first[LANES], second[LANES];
    for (size_t i = 0; i < n; i += LANES, from += LANES) {
        const vector_mask inside = mask_first(n - i);
        const size_t at = (step * maps->n_positions + position + i) * TILE_CHANNELS;
        read_channels(from, stride, n_channels, inside, first);
        read_channels(from + LANES * stride, stride, n_channels - LANES, inside, second);
        for (size_t p = 0; p < LANES && i + p < n; p++)
            split(first[p], second[p], maps->high + at + p * TILE_CHANNELS,
                  maps->low + at + p * TILE_CHANNELS);
    }
}

/* ---- weights ---- */

size_t tiles_passes(int n_outputs)
{
    return ((size_t)n_outputs + PASS_OUTPUTS - 1) / PASS_OUTPUTS;
}

size_t tiles_pass_floats(int n_inputs, int n_taps)
{
    return tiles_steps(n_inputs) * (size_t)n_taps * WEIGHT_TILES * TILE_FLOATS;
}

/** To the nearest, ties to even; finite numbers. */
static uint16_t to_bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float from_bfloat16(uint16_t value)
{
    const uint32_t bits = (uint32_t)value << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return wide;
}

void tiles_put_weight(float *pass, int n_taps, size_t output, size_t input, size_t tap, float value)
{
    void *room = pass;
    uint16_t *tiles = room;
    const size_t pair = input % TILE_CHANNELS / 2, step = input / TILE_CHANNELS;
    const size_t tile = (step * (size_t)n_taps + tap) * WEIGHT_TILES + output / TILE_SIDE;
    const size_t place = tile * 2 * TILE_FLOATS + (pair * TILE_SIDE + output % TILE_SIDE) * 2 + input % 2;
    const uint16_t high = to_bfloat16(value);
    tiles[place] = to_bfloat16(value - from_bfloat16(high));
    tiles[place + (size_t)PASS_TILES * 2 * TILE_FLOATS] = high;
}

/* ---- products ---- */

/** As the processor reads it; in memory, where compilers do not think part of it unused. */
static const struct {
    uint8_t palette, first_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} eight_tiles = {
    .palette = 1,
    .row_bytes = {ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES},
    .rows = {TILE_SIDE, TILE_SIDE, TILE_SIDE, TILE_SIDE, TILE_SIDE, TILE_SIDE, TILE_SIDE, TILE_SIDE},
};

void tiles_begin(void)
{
    _tile_loadconfig(&eight_tiles);
}

void tiles_end(void)
{
    _tile_release();
}

/* Tiles 0 to 3: sums; 4 and 5: positions; 6 and 7: weights. */
static inline void multiply_pass(void)
{
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

static inline void multiply_step(const uint16_t *high[PASS_TILES], const uint16_t *low[PASS_TILES],
                                 const float *weight)
{
    _tile_loadd(4, high[0], ROW_BYTES);
    _tile_loadd(5, high[1], ROW_BYTES);
    _tile_loadd(6, weight, ROW_BYTES);
    _tile_loadd(7, weight + TILE_FLOATS, ROW_BYTES);
    multiply_pass();
    _tile_loadd(6, weight + 2 * TILE_FLOATS, ROW_BYTES);
    _tile_loadd(7, weight + 3 * TILE_FLOATS, ROW_BYTES);
    multiply_pass();
    _tile_loadd(4, low[0], ROW_BYTES);
    _tile_loadd(5, low[1], ROW_BYTES);
    multiply_pass();
}

static inline void multiply_tap(const struct tile_product *product, size_t step, const struct tile_tap *tap,
                                const size_t positions[PASS_TILES])
{
    const struct split_maps *maps = product->maps;
    const uint16_t *high[PASS_TILES], *low[PASS_TILES];
    const size_t weight_tap = step * product->n_weight_taps + (size_t)tap->tap;
    for (int i = 0; i < PASS_TILES; i++) {
        const size_t position = (size_t)((ptrdiff_t)positions[i] + tap->shift);
        const size_t at = (step * maps->n_positions + position) * TILE_CHANNELS;
        high[i] = maps->high + at;
        low[i] = maps->low + at;
    }
    multiply_step(high, low, product->weight + weight_tap * WEIGHT_TILES * TILE_FLOATS);
}

static inline void begin_sums(bool goes_on, const float *sums)
{
    if (goes_on) {
        _tile_loadd(0, sums, ROW_BYTES);
        _tile_loadd(1, sums + TILE_FLOATS, ROW_BYTES);
        _tile_loadd(2, sums + 2 * TILE_FLOATS, ROW_BYTES);
        _tile_loadd(3, sums + 3 * TILE_FLOATS, ROW_BYTES);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
}

static inline void end_sums(float *sums)
{
    _tile_stored(0, sums, ROW_BYTES);
    _tile_stored(1, sums + TILE_FLOATS, ROW_BYTES);
    _tile_stored(2, sums + 2 * TILE_FLOATS, ROW_BYTES);
    _tile_stored(3, sums + 3 * TILE_FLOATS, ROW_BYTES);
}

/** Steps whose weights stay in the first-level cache while blocks of positions pass by, and what is fetched
 *  meanwhile: some cache lines of the next steps' weights with every tap. */
struct steps {
    size_t first, last;
    const float *next;
    size_t n_next;
};

static void multiply_block(const struct tile_product *product, const struct steps *steps, size_t block,
                           size_t first, float *sums)
{
    const size_t positions[PASS_TILES] = {first + block * PASS_POSITIONS,
                                          first + block * PASS_POSITIONS + TILE_SIDE};
    const size_t n_fetched = block * (steps->last - steps->first) * product->n_taps * steps->n_next;
    const float *next = steps->next + n_fetched * TILE_SIDE;
    begin_sums(steps->first > 0, sums);
    for (size_t step = steps->first; step < steps->last; step++)
        for (size_t i = 0; i < product->n_taps; i++) {
            for (size_t line = 0; line < steps->n_next; line++, next += TILE_SIDE)
                _mm_prefetch((const char *)next, _MM_HINT_T1);
            multiply_tap(product, step, &product->taps[i], positions);
        }
    end_sums(sums);
}

void tiles_multiply(const struct tile_product *product, size_t first, size_t n_blocks, float *sums)
{
    const size_t n_steps = product->maps->n_steps;
    const size_t at_once = product->n_taps < CACHED_TAPS ? CACHED_TAPS / product->n_taps : 1;
    const size_t tap_lines = WEIGHT_TILES * TILE_FLOATS / TILE_SIDE;
    for (size_t step = 0; step < n_steps; step += at_once) {
        const size_t last = step + at_once < n_steps ? step + at_once : n_steps;
        const struct steps steps = {
            step, last, product->weight + last * product->n_weight_taps * WEIGHT_TILES * TILE_FLOATS,
            product->n_taps == product->n_weight_taps ? tap_lines / n_blocks : 0};
        for (size_t block = 0; block < n_blocks; block++)
            multiply_block(product, &steps, block, first, sums + block * BLOCK_SUMS);
    }
}
