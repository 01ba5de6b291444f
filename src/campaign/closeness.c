/* SPDX-License-Identifier: MIT */
#include "closeness.h"

#include <math.h>

static double mean_of(size_t n, const float *values)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)values[i];
    return sum / (double)n;
}

double image_closeness(size_t n, const float *a, const float *b)
{
    const double mean_a = mean_of(n, a), mean_b = mean_of(n, b);
    double squares_a = 0, squares_b = 0, products = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = (double)a[i] - mean_a, y = (double)b[i] - mean_b;
        squares_a += x * x;
        squares_b += y * y;
        products += x * y;
    }
    const double correlation = products / sqrt(squares_a * squares_b);
    return correlation > 0 ? fmin(correlation, 1) : 0; /* also where it is not a number */
}
