/* SPDX-License-Identifier: MIT */
#ifndef MEICENSUS_AVX512_QUARTERS_H
#define MEICENSUS_AVX512_QUARTERS_H

#include <immintrin.h>

/** Transpose the 4 x 4 values in each quarter of four vectors. */
static inline void transpose_quarters(__m512 v[4])
{
    const __m512 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
    const __m512 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
    v[0] = _mm512_shuffle_ps(a, c, 0x44);
    v[1] = _mm512_shuffle_ps(a, c, 0xee);
    v[2] = _mm512_shuffle_ps(b, d, 0x44);
    v[3] = _mm512_shuffle_ps(b, d, 0xee);
}

#endif
