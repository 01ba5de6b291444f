/* SPDX-License-Identifier: MIT */
/* Rows of a codebook: from numbers to rows, and back to the nearest one. */
#include "cuda_kernels.h"
#include "divisor.h"
#include "parallel.h"

namespace
{

struct Embedding {
    int n_rows;
    size_t n_channels;
    Divisor time, pixels;
    const float *table, *index; /**< index [pixel][time] */
    float *out;                 /**< [channel][time][pixel] */

    ON_DEVICE void operator()(size_t i) const
    {
        const size_t channel = i / pixels / time, t = i / pixels % time, pixel = i % pixels;
        const int wanted = (int)index[pixel * time + t];
        const int row = wanted < 0 ? 0 : wanted >= n_rows ? n_rows - 1 : wanted;
        out[i] = table[(size_t)row * n_channels + channel];
    }
};

struct NearestRow {
    int n_rows, n_channels;
    size_t n_values;
    const float *table, *in; /**< in [channel][value] */
    float *index;

    ON_DEVICE double distance(size_t value, const float *row) const
    {
        double sum = 0;
        for (int d = 0; d < n_channels; d++) {
            const double difference = (double)in[(size_t)d * n_values + value] - (double)row[d];
            sum += difference * difference;
        }
        return sum;
    }

    ON_DEVICE void operator()(size_t i) const
    {
        double least = distance(i, table);
        int nearest = 0;
        for (int r = 1; r < n_rows; r++) {
            const double sum = distance(i, table + (size_t)r * (size_t)n_channels);
            if (sum < least) {
                least = sum;
                nearest = r;
            }
        }
        index[i] = (float)nearest;
    }
};

} // namespace

void cuda_embedding(int n_rows, int n_channels, int time, int n_pixels, const float *table,
                    const float *index, float *out)
{
    const Embedding work = {n_rows, (size_t)n_channels, (size_t)time, (size_t)n_pixels, table, index, out};
    parallel::for_each(work.n_channels * work.time * work.pixels, work);
}

void cuda_nearest_row(int n_rows, int n_channels, int time, int n_pixels, const float *table, const float *in,
                      float *index)
{
    const size_t n_values = (size_t)time * (size_t)n_pixels;
    parallel::for_each(n_values, NearestRow{n_rows, n_channels, n_values, table, in, index});
}
