/* SPDX-License-Identifier: MIT */
/** Bilinear upsampling, factor 2, as reference/elementwise.c: rows are blended first. */
#ifndef MEICENSUS_CUDA_UPSAMPLING_H
#define MEICENSUS_CUDA_UPSAMPLING_H

#include "divisor.h"
#include "parallel.h"

/** Places of the four values that an output value takes part of: near or far row, near or far column. */
struct Corners {
    size_t near_near, near_far, far_near, far_far;
};

/** The neighbour that output 2 i or 2 i + 1 takes part of, beside i; at the edge, i itself. */
ON_DEVICE inline int upsampling_neighbour(int output, int n)
{
    const int beside = output % 2 == 0 ? output / 2 - 1 : output / 2 + 1;
    return beside < 0 ? 0 : beside >= n ? n - 1 : beside;
}

/** Maps that are upsampled from height x width. */
struct Upsampled {
    int height, width;
    Divisor out_frame, out_width;

    Upsampled(int map_height, int map_width)
        : height(map_height), width(map_width), out_frame(4 * (size_t)map_height * (size_t)map_width),
          out_width(2 * (size_t)map_width)
    {
    }

    /** Of output i. */
    ON_DEVICE Corners corners_of(size_t i) const
    {
        const int y = (int)(i % out_frame / out_width), x = (int)(i % out_width);
        const size_t plane = i / out_frame * ((size_t)height * (size_t)width);
        const size_t near_row = plane + (size_t)(y / 2) * (size_t)width;
        const size_t far_row = plane + (size_t)upsampling_neighbour(y, height) * (size_t)width;
        const size_t near_column = (size_t)(x / 2), far_column = (size_t)upsampling_neighbour(x, width);
        return {near_row + near_column, near_row + far_column, far_row + near_column, far_row + far_column};
    }
};

ON_DEVICE inline float upsampling_blend(float near, float far)
{
    return 0.75f * near + 0.25f * far;
}

ON_DEVICE inline float blend_corners(float near_near, float far_near, float near_far, float far_far)
{
    return upsampling_blend(upsampling_blend(near_near, far_near), upsampling_blend(near_far, far_far));
}

#endif
