/* SPDX-License-Identifier: MIT */
/**
 * A vector of floats, and what src/kernels/vector/ does with it: AVX-512, 16 lanes, masks in registers of
 * their own. src/kernels/avx2/vector.h has the same for AVX2; the same sources are compiled with each.
 */
#ifndef MEICENSUS_VECTOR_H
#define MEICENSUS_VECTOR_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 16 };

/** Blocks of sums that stay in the 32 registers: rows of weights, vectors of positions. */
enum {
    BLOCK_ROWS = 8,
    BLOCK_VECTORS = 3,
    IMAGE_PIXELS = 6,
    IMAGE_VECTORS = 4,
    EVENT_VECTORS = 16,
    FEW_ROWS = 4
};

typedef __m512 vector;
typedef __m512i int_vector;
typedef __mmask16 vector_mask; /**< a bit a lane */

/* ---- masks ---- */

/** So many lanes, at most all. */
static inline vector_mask mask_first(size_t n)
{
    return n >= LANES ? (vector_mask)0xffff : (vector_mask)((1u << n) - 1);
}

static inline vector_mask mask_from_bits(unsigned bits)
{
    return (vector_mask)bits;
}

static inline unsigned mask_bits(vector_mask mask)
{
    return mask;
}

static inline vector_mask mask_and(vector_mask a, vector_mask b)
{
    return a & b;
}

/* ---- memory; lanes outside of a mask are not touched, and are 0 where they are read ---- */

static inline vector vector_load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline vector vector_load_masked(vector_mask mask, const float *from)
{
    return _mm512_maskz_loadu_ps(mask, from);
}

static inline void vector_store(float *to, vector v)
{
    _mm512_storeu_ps(to, v);
}

static inline void vector_store_masked(float *to, vector_mask mask, vector v)
{
    _mm512_mask_storeu_ps(to, mask, v);
}

/** Lanes from and to places that are not neighbours, [LANES] indices. */
static inline vector vector_gather(vector_mask mask, const float *from, const int32_t *places)
{
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, _mm512_loadu_si512(places), from,
                                    sizeof *from);
}

static inline void vector_scatter(float *to, const int32_t *places, vector_mask mask, vector v)
{
    _mm512_mask_i32scatter_ps(to, mask, _mm512_loadu_si512(places), v, sizeof *to);
}

/* ---- arithmetic ---- */

static inline vector vector_zero(void)
{
    return _mm512_setzero_ps();
}

static inline vector vector_all(float value)
{
    return _mm512_set1_ps(value);
}

static inline vector vector_add(vector a, vector b)
{
    return _mm512_add_ps(a, b);
}

static inline vector vector_subtract(vector a, vector b)
{
    return _mm512_sub_ps(a, b);
}

static inline vector vector_multiply(vector a, vector b)
{
    return _mm512_mul_ps(a, b);
}

static inline vector vector_divide(vector a, vector b)
{
    return _mm512_div_ps(a, b);
}

/** The larger one; b where they are equal or one is no number. */
static inline vector vector_larger(vector a, vector b)
{
    return _mm512_max_ps(a, b);
}

/** a b + c, rounded once. */
static inline vector vector_multiply_add(vector a, vector b, vector c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/** c - a b, rounded once. */
static inline vector vector_subtract_product(vector a, vector b, vector c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static inline vector_mask vector_above(vector a, vector b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

static inline vector_mask vector_at_least(vector a, vector b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}

static inline vector_mask vector_differs(vector a, vector b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_OQ);
}

/** Lanes of `chosen` where the mask is set, else of `other`. */
static inline vector vector_choose(vector_mask mask, vector chosen, vector other)
{
    return _mm512_mask_mov_ps(other, mask, chosen);
}

/** 0 where the mask is not set. */
static inline vector vector_keep(vector_mask mask, vector v)
{
    return _mm512_maskz_mov_ps(mask, v);
}

/* ---- order ---- */

/** result[i] = v[index[i]], the latter in 0..LANES-1. */
static inline vector vector_permute(vector v, int_vector index)
{
    return _mm512_permutexvar_ps(index, v);
}

/** a[0] b[0] a[1] b[1] ..: the first and the second vector of them. */
static inline void vector_interleave(vector a, vector b, vector *low, vector *high)
{
    const __m512i first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i second = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    *low = _mm512_permutex2var_ps(a, first, b);
    *high = _mm512_permutex2var_ps(a, second, b);
}

/** LANES vectors: rows become columns. */
static inline void vector_transpose(vector v[LANES])
{
    __m512 t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(v[i], v[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(v[i + 8], v[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
        v[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
        v[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* ---- fours: lanes 0 to 3, 4 to 7, .. ---- */

enum { FOURS = LANES / 4 };

/** One four from each place. */
static inline vector vector_load_fours(const float *const from[FOURS])
{
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(from[0]));
    v = _mm512_insertf32x4(v, _mm_loadu_ps(from[1]), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps(from[2]), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps(from[3]), 3);
}

/** Transpose the 4 x 4 values in each four of four vectors. */
static inline void vector_transpose_fours(vector v[4])
{
    const __m512 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
    const __m512 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
    v[0] = _mm512_shuffle_ps(a, c, 0x44);
    v[1] = _mm512_shuffle_ps(a, c, 0xee);
    v[2] = _mm512_shuffle_ps(b, d, 0x44);
    v[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/** One of them, in all. */
static inline vector vector_spread_four(vector v, int four)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3);
    return _mm512_permutexvar_ps(_mm512_add_epi32(lanes, _mm512_set1_epi32(4 * four)), v);
}

/* ---- half a vector: a value for each of a block's rows ---- */

typedef __m256 half_vector;

static inline half_vector half_vector_all(float value)
{
    return _mm256_set1_ps(value);
}

static inline half_vector half_vector_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline void half_vector_store(float *to, half_vector v)
{
    _mm256_storeu_ps(to, v);
}

static inline half_vector half_vector_add(half_vector a, half_vector b)
{
    return _mm256_add_ps(a, b);
}

static inline half_vector half_vector_multiply_add(half_vector a, half_vector b, half_vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* ---- lines of 16 floats ---- */

enum { LINE = 16, LINE_VECTORS = LINE / LANES };

struct line {
    vector part[LINE_VECTORS];
};

/** Every four becomes the next one, the last one 0. */
static inline struct line line_next_four(struct line v)
{
    return (struct line){{_mm512_maskz_shuffle_f32x4(0x0fff, v.part[0], v.part[0], 0x39)}};
}

/** Every value becomes that before it, the first one remains. */
static inline struct line line_before(struct line v)
{
    const __m512i lanes = _mm512_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    return (struct line){{_mm512_permutexvar_ps(lanes, v.part[0])}};
}

/** Every value becomes that behind it, the last one remains. */
static inline struct line line_behind(struct line v)
{
    const __m512i lanes = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15);
    return (struct line){{_mm512_permutexvar_ps(lanes, v.part[0])}};
}

/* ---- whole numbers ---- */

static inline int_vector int_vector_load(const void *from)
{
    return _mm512_loadu_si512(from);
}

static inline void int_vector_store(void *to, int_vector v)
{
    _mm512_storeu_si512(to, v);
}

static inline int_vector int_vector_zero(void)
{
    return _mm512_setzero_si512();
}

static inline int_vector int_vector_all(int32_t value)
{
    return _mm512_set1_epi32(value);
}

/** 0, 1, 2, .. */
static inline int_vector int_vector_lanes(void)
{
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

static inline int_vector int_vector_add(int_vector a, int_vector b)
{
    return _mm512_add_epi32(a, b);
}

static inline int_vector int_vector_multiply(int_vector a, int_vector b)
{
    return _mm512_mullo_epi32(a, b);
}

static inline int_vector int_vector_larger(int_vector a, int_vector b)
{
    return _mm512_max_epi32(a, b);
}

static inline int_vector int_vector_smaller(int_vector a, int_vector b)
{
    return _mm512_min_epi32(a, b);
}

/** v + 1 where the bit of a lane is set. */
static inline int_vector int_vector_count(int_vector v, unsigned bits)
{
    return _mm512_mask_add_epi32(v, (__mmask16)bits, v, _mm512_set1_epi32(1));
}

/** 0 <= v < bound. */
static inline vector_mask int_vector_in_range(int_vector v, int32_t bound)
{
    return _mm512_cmp_epu32_mask(v, _mm512_set1_epi32(bound), _MM_CMPINT_LT);
}

static inline vector int_vector_to_floats(int_vector v)
{
    return _mm512_cvtepi32_ps(v);
}

/** Store the lanes whose bits are set, side by side; what is behind them, up to LANES, is undefined. */
static inline void int_vector_store_some(void *to, int_vector v, unsigned bits)
{
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)bits, v));
}

#endif
