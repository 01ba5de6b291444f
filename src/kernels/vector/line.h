/* SPDX-License-Identifier: MIT */
/** Arithmetic with lines of 16 floats, whatever the number of vectors that makes. */
#ifndef MEICENSUS_VECTOR_LINE_H
#define MEICENSUS_VECTOR_LINE_H

#include "vector.h"

static inline struct line line_load(const float *from)
{
    struct line v;
    for (int i = 0; i < LINE_VECTORS; i++)
        v.part[i] = vector_load(from + i * LANES);
    return v;
}

static inline struct line line_all(float value)
{
    struct line v;
    for (int i = 0; i < LINE_VECTORS; i++)
        v.part[i] = vector_all(value);
    return v;
}

static inline struct line line_zero(void)
{
    return line_all(0);
}

static inline struct line line_add(struct line a, struct line b)
{
    for (int i = 0; i < LINE_VECTORS; i++)
        a.part[i] = vector_add(a.part[i], b.part[i]);
    return a;
}

static inline struct line line_subtract(struct line a, struct line b)
{
    for (int i = 0; i < LINE_VECTORS; i++)
        a.part[i] = vector_subtract(a.part[i], b.part[i]);
    return a;
}

static inline struct line line_multiply(struct line a, struct line b)
{
    for (int i = 0; i < LINE_VECTORS; i++)
        a.part[i] = vector_multiply(a.part[i], b.part[i]);
    return a;
}

/** a b + c, rounded once. */
static inline struct line line_multiply_add(struct line a, struct line b, struct line c)
{
    for (int i = 0; i < LINE_VECTORS; i++)
        a.part[i] = vector_multiply_add(a.part[i], b.part[i], c.part[i]);
    return a;
}

/** c - a b, rounded once. */
static inline struct line line_subtract_product(struct line a, struct line b, struct line c)
{
    for (int i = 0; i < LINE_VECTORS; i++)
        a.part[i] = vector_subtract_product(a.part[i], b.part[i], c.part[i]);
    return a;
}

/** Values of `chosen` where a bit is set, else of `other`. */
static inline struct line line_choose(unsigned bits, struct line chosen, struct line other)
{
    for (int i = 0; i < LINE_VECTORS; i++)
        other.part[i] = vector_choose(mask_from_bits(bits >> i * LANES & ((1u << LANES) - 1)), chosen.part[i],
                                      other.part[i]);
    return other;
}

/** Four neighbours, 4 q to 4 q + 3, four times. */
static inline struct line line_spread_four(struct line v, int q)
{
    const vector four = vector_spread_four(v.part[q / FOURS], q % FOURS);
    for (int i = 0; i < LINE_VECTORS; i++)
        v.part[i] = four;
    return v;
}

/** One value where a bit is set, else 0. */
static inline struct line line_put_value(struct line v, int place, unsigned bits)
{
    const vector value = vector_permute(v.part[place / LANES], int_vector_all(place % LANES));
    for (int i = 0; i < LINE_VECTORS; i++)
        v.part[i] = vector_keep(mask_from_bits(bits >> i * LANES & ((1u << LANES) - 1)), value);
    return v;
}

/** Transpose the 4 x 4 values in each four of four lines. */
static inline void line_transpose_fours(struct line v[4])
{
    for (int i = 0; i < LINE_VECTORS; i++) {
        vector part[4] = {v[0].part[i], v[1].part[i], v[2].part[i], v[3].part[i]};
        vector_transpose_fours(part);
        for (int row = 0; row < 4; row++)
            v[row].part[i] = part[row];
    }
}

#endif
