/* SPDX-License-Identifier: MIT */
#include "natural_statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double natural_probabilities[NATURAL_QUANTILES] = {0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1};

void natural_rank(const float *values, int64_t n, int top, int64_t *images)
{
    int n_kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (n_kept == top && values[i] <= values[images[top - 1]])
            continue;
        int place = n_kept < top ? n_kept++ : top - 1;
        for (; place > 0 && values[images[place - 1]] < values[i]; place--)
            images[place] = images[place - 1];
        images[place] = i;
    }
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void natural_quantiles(const float *values, int64_t n, float *sorted, float quantiles[NATURAL_QUANTILES])
{
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_floats);
    for (int q = 0; q < NATURAL_QUANTILES; q++) {
        const double position = natural_probabilities[q] * (double)(n - 1), below = floor(position);
        const double low = sorted[(int64_t)below], high = sorted[(int64_t)ceil(position)];
        quantiles[q] = (float)(low + (position - below) * (high - low));
    }
}

void natural_moments(const float *values, int64_t n, float *mean, float *std)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    const double centre = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (values[i] - centre) * (values[i] - centre);
    *mean = (float)centre;
    *std = (float)sqrt(squares / (double)n);
}

void natural_class_means(const float *values, const int32_t *labels, int64_t n, int n_classes, float *means)
{
    for (int c = 0; c < n_classes; c++) {
        double sum = 0;
        int64_t n_images = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += labels[i] == c ? values[i] : 0;
            n_images += labels[i] == c;
        }
        means[c] = n_images > 0 ? (float)(sum / (double)n_images) : NAN;
    }
}
