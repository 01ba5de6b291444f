/* SPDX-License-Identifier: MIT */
/** What a generator's convolution reads and adds: maps that go through the layers around it row by row. */
#ifndef MEICENSUS_VECTOR_AROUND_H
#define MEICENSUS_VECTOR_AROUND_H

#include "kernels.h"
#include "vector.h"

/** A channel's scale, shift and relu. */
struct generator_head {
    vector scale, shift;
    bool scales, rectifies;
};

struct generator_head generator_make_head(const struct generator_convolution *call, size_t channel);

static inline vector generator_apply_head(const struct generator_head *head, vector values)
{
    if (head->scales)
        values = vector_add(vector_multiply(head->scale, values), head->shift);
    return head->rectifies ? vector_larger(values, vector_zero()) : values;
}

/** Rows [first_row, end_row) of a channel of one image, as the convolution reads them, to rows that are
 *  `stride` apart. */
void generator_read_rows(const struct generator_convolution *call, size_t channel, size_t image,
                         int first_row, int end_row, float *to, size_t stride);

/** Rows [first_row, end_row) of what is added to a channel of one image, to rows of the output's width. */
void generator_read_added(const struct generator_convolution *call, size_t channel, size_t image,
                          int first_row, int end_row, float *to);

#endif
