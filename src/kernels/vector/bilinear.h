/* SPDX-License-Identifier: MIT */
/** Bilinear upsampling, factor 2, along a row: the operations of reference/elementwise.c, in their order. */
#ifndef MEICENSUS_VECTOR_BILINEAR_H
#define MEICENSUS_VECTOR_BILINEAR_H

#include "vector.h"

/** 3/4 near + 1/4 far. */
static inline vector bilinear_blend(vector near, vector far)
{
    return vector_add(vector_multiply(vector_all(0.75f), near), vector_multiply(vector_all(0.25f), far));
}

/** Up to LANES values, `width` of them, and their neighbours become twice as many. */
static inline void bilinear_store(vector here, vector left, vector right, int width, float *to)
{
    const vector even = bilinear_blend(here, left), odd = bilinear_blend(here, right);
    vector low, high;
    vector_interleave(even, odd, &low, &high);
    vector_store_masked(to, mask_first((size_t)(2 * width)), low);
    if (2 * width > LANES)
        vector_store_masked(to + LANES, mask_first((size_t)(2 * width - LANES)), high);
}

/** A whole row, with room for one value before it and LANES + 1 behind. */
static inline void bilinear_widen(int width, float *row, float *to)
{
    row[-1] = row[0];
    row[width] = row[width - 1];
    for (int x = 0; x < width; x += LANES)
        bilinear_store(vector_load(row + x), vector_load(row + x - 1), vector_load(row + x + 1), width - x,
                       to + 2 * x);
}

#endif
