/* SPDX-License-Identifier: MIT */
/** The vectors of src/kernels/vector/ with AVX2 and FMA: 8 lanes. See src/kernels/avx512/vector.h. */
#ifndef MEICENSUS_VECTOR_H
#define MEICENSUS_VECTOR_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 8 };

/** Blocks of sums that stay in the 16 registers: rows of weights, vectors of positions. */
enum {
    BLOCK_ROWS = 4,
    BLOCK_VECTORS = 3,
    IMAGE_PIXELS = 6,
    IMAGE_VECTORS = 2,
    EVENT_VECTORS = 8,
    FEW_ROWS = 2
};

typedef __m256 vector;
typedef __m256i int_vector;
typedef __m256i vector_mask; /**< all bits of a lane */

/* ---- masks ---- */

static inline vector_mask mask_from_bits(unsigned bits)
{
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), lane), lane);
}

static inline vector_mask mask_first(size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n >= LANES ? LANES : (int)n), lane);
}

static inline unsigned mask_bits(vector_mask mask)
{
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(mask));
}

static inline vector_mask mask_and(vector_mask a, vector_mask b)
{
    return _mm256_and_si256(a, b);
}

/* ---- memory ---- */

static inline vector vector_load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline vector vector_load_masked(vector_mask mask, const float *from)
{
    return _mm256_maskload_ps(from, mask);
}

static inline void vector_store(float *to, vector v)
{
    _mm256_storeu_ps(to, v);
}

static inline void vector_store_masked(float *to, vector_mask mask, vector v)
{
    _mm256_maskstore_ps(to, mask, v);
}

static inline vector vector_gather(vector_mask mask, const float *from, const int32_t *places)
{
    const __m256i index = _mm256_loadu_si256((const __m256i *)(const void *)places);
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), from, index, _mm256_castsi256_ps(mask),
                                    sizeof *from);
}

static inline void vector_scatter(float *to, const int32_t *places, vector_mask mask, vector v)
{
    float values[LANES];
    _mm256_storeu_ps(values, v);
    for (unsigned bits = mask_bits(mask); bits != 0; bits &= bits - 1)
        to[places[__builtin_ctz(bits)]] = values[__builtin_ctz(bits)];
}

/* ---- arithmetic ---- */

static inline vector vector_zero(void)
{
    return _mm256_setzero_ps();
}

static inline vector vector_all(float value)
{
    return _mm256_set1_ps(value);
}

static inline vector vector_add(vector a, vector b)
{
    return _mm256_add_ps(a, b);
}

static inline vector vector_subtract(vector a, vector b)
{
    return _mm256_sub_ps(a, b);
}

static inline vector vector_multiply(vector a, vector b)
{
    return _mm256_mul_ps(a, b);
}

static inline vector vector_divide(vector a, vector b)
{
    return _mm256_div_ps(a, b);
}

static inline vector vector_larger(vector a, vector b)
{
    return _mm256_max_ps(a, b);
}

static inline vector vector_multiply_add(vector a, vector b, vector c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vector vector_subtract_product(vector a, vector b, vector c)
{
    return _mm256_fnmadd_ps(a, b, c);
}

static inline vector_mask vector_above(vector a, vector b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GT_OQ));
}

static inline vector_mask vector_at_least(vector a, vector b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_GE_OQ));
}

static inline vector_mask vector_differs(vector a, vector b)
{
    return _mm256_castps_si256(_mm256_cmp_ps(a, b, _CMP_NEQ_OQ));
}

static inline vector vector_choose(vector_mask mask, vector chosen, vector other)
{
    return _mm256_blendv_ps(other, chosen, _mm256_castsi256_ps(mask));
}

static inline vector vector_keep(vector_mask mask, vector v)
{
    return _mm256_and_ps(_mm256_castsi256_ps(mask), v);
}

/* ---- order ---- */

static inline vector vector_permute(vector v, int_vector index)
{
    return _mm256_permutevar8x32_ps(v, index);
}

static inline void vector_interleave(vector a, vector b, vector *low, vector *high)
{
    const __m256 even = _mm256_unpacklo_ps(a, b), odd = _mm256_unpackhi_ps(a, b);
    *low = _mm256_permute2f128_ps(even, odd, 0x20);
    *high = _mm256_permute2f128_ps(even, odd, 0x31);
}

static inline void vector_transpose(vector v[LANES])
{
    __m256 t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        v[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        v[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        v[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        v[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(v[i], v[i + 4], 0x31);
    }
    for (int i = 0; i < 8; i++)
        v[i] = t[i];
}

/* ---- fours ---- */

enum { FOURS = LANES / 4 };

static inline vector vector_load_fours(const float *const from[FOURS])
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from[0])), _mm_loadu_ps(from[1]), 1);
}

static inline void vector_transpose_fours(vector v[4])
{
    const __m256 a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
    const __m256 c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
    v[0] = _mm256_shuffle_ps(a, c, 0x44);
    v[1] = _mm256_shuffle_ps(a, c, 0xee);
    v[2] = _mm256_shuffle_ps(b, d, 0x44);
    v[3] = _mm256_shuffle_ps(b, d, 0xee);
}

static inline vector vector_spread_four(vector v, int four)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3);
    return _mm256_permutevar8x32_ps(v, _mm256_add_epi32(lanes, _mm256_set1_epi32(4 * four)));
}

/* ---- half a vector ---- */

typedef __m128 half_vector;

static inline half_vector half_vector_all(float value)
{
    return _mm_set1_ps(value);
}

static inline half_vector half_vector_load(const float *from)
{
    return _mm_loadu_ps(from);
}

static inline void half_vector_store(float *to, half_vector v)
{
    _mm_storeu_ps(to, v);
}

static inline half_vector half_vector_add(half_vector a, half_vector b)
{
    return _mm_add_ps(a, b);
}

static inline half_vector half_vector_multiply_add(half_vector a, half_vector b, half_vector c)
{
    return _mm_fmadd_ps(a, b, c);
}

/* ---- lines of 16 floats ---- */

enum { LINE = 16, LINE_VECTORS = LINE / LANES };

struct line {
    vector part[LINE_VECTORS];
};

/** The middle of a line. */
static inline vector line_middle(struct line v)
{
    return _mm256_permute2f128_ps(v.part[0], v.part[1], 0x21);
}

static inline struct line line_next_four(struct line v)
{
    return (struct line){{line_middle(v), _mm256_permute2f128_ps(v.part[1], v.part[1], 0x81)}};
}

static inline struct line line_before(struct line v)
{
    const __m256i lanes = _mm256_setr_epi32(0, 0, 1, 2, 3, 4, 5, 6);
    const __m256i high = _mm256_castps_si256(v.part[1]), middle = _mm256_castps_si256(line_middle(v));
    return (struct line){{_mm256_permutevar8x32_ps(v.part[0], lanes),
                          _mm256_castsi256_ps(_mm256_alignr_epi8(high, middle, 12))}};
}

static inline struct line line_behind(struct line v)
{
    const __m256i lanes = _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7);
    const __m256i low = _mm256_castps_si256(v.part[0]), middle = _mm256_castps_si256(line_middle(v));
    return (struct line){{_mm256_castsi256_ps(_mm256_alignr_epi8(middle, low, 4)),
                          _mm256_permutevar8x32_ps(v.part[1], lanes)}};
}

/* ---- whole numbers ---- */

static inline int_vector int_vector_load(const void *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

static inline void int_vector_store(void *to, int_vector v)
{
    _mm256_storeu_si256((__m256i *)to, v);
}

static inline int_vector int_vector_zero(void)
{
    return _mm256_setzero_si256();
}

static inline int_vector int_vector_all(int32_t value)
{
    return _mm256_set1_epi32(value);
}

static inline int_vector int_vector_lanes(void)
{
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

static inline int_vector int_vector_add(int_vector a, int_vector b)
{
    return _mm256_add_epi32(a, b);
}

static inline int_vector int_vector_multiply(int_vector a, int_vector b)
{
    return _mm256_mullo_epi32(a, b);
}

static inline int_vector int_vector_larger(int_vector a, int_vector b)
{
    return _mm256_max_epi32(a, b);
}

static inline int_vector int_vector_smaller(int_vector a, int_vector b)
{
    return _mm256_min_epi32(a, b);
}

static inline int_vector int_vector_count(int_vector v, unsigned bits)
{
    return _mm256_sub_epi32(v, mask_from_bits(bits));
}

static inline vector_mask int_vector_in_range(int_vector v, int32_t bound)
{
    const __m256i negative = _mm256_cmpgt_epi32(_mm256_setzero_si256(), v);
    return _mm256_andnot_si256(negative, _mm256_cmpgt_epi32(_mm256_set1_epi32(bound), v));
}

static inline vector int_vector_to_floats(int_vector v)
{
    return _mm256_cvtepi32_ps(v);
}

static inline void int_vector_store_some(void *to, int_vector v, unsigned bits)
{
    int32_t lanes[LANES], *next = to;
    int_vector_store(lanes, v);
    for (; bits != 0; bits &= bits - 1)
        *next++ = lanes[__builtin_ctz(bits)];
}

#endif
