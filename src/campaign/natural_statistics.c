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

static void swap(float *values, int64_t i, int64_t j)
{
    const float value = values[i];
    values[i] = values[j];
    values[j] = value;
}

static float middle_of(float a, float b, float c)
{
    if ((a <= b) == (b <= c))
        return b;
    return (a <= b) == (c <= a) ? a : c;
}

/** Bring values[low..high) into the order: smaller than `pivot`, equal, larger. *first and *end: the equal
 * ones.
 */
static void divide(float *values, int64_t low, int64_t high, float pivot, int64_t *first, int64_t *end)
{
    *first = low;
    *end = high;
    for (int64_t i = low; i < *end;) {
        if (values[i] < pivot)
            swap(values, i++, (*first)++);
        else if (values[i] > pivot)
            swap(values, i, --*end);
        else
            i++;
    }
}

/**
 * Order values[low..high) so far that each of the rising `places` holds what it would if all were sorted:
 * most activations of a spiking unit are equal to many others, and only few places are asked for.
 */
static void select_places(float *values, int64_t low, int64_t high, const int64_t *places, int n_places)
{
    while (n_places > 0 && high - low > 1) {
        int64_t first, end;
        int n_below = 0, n_above = 0;
        divide(values, low, high, middle_of(values[low], values[low + (high - low) / 2], values[high - 1]),
               &first, &end);
        while (n_below < n_places && places[n_below] < first)
            n_below++;
        while (n_above < n_places && places[n_places - 1 - n_above] >= end)
            n_above++;
        select_places(values, low, first, places, n_below);
        places += n_places - n_above;
        n_places = n_above;
        low = end;
    }
}

static int compare_places(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void natural_quantiles(const float *values, int64_t n, float *scratch, float quantiles[NATURAL_QUANTILES])
{
    int64_t places[2 * NATURAL_QUANTILES];
    double below[NATURAL_QUANTILES], above[NATURAL_QUANTILES], position[NATURAL_QUANTILES];
    for (int q = 0; q < NATURAL_QUANTILES; q++) {
        position[q] = natural_probabilities[q] * (double)(n - 1);
        places[2 * q] = (int64_t)(below[q] = floor(position[q]));
        places[2 * q + 1] = (int64_t)(above[q] = ceil(position[q]));
    }
    qsort(places, 2 * NATURAL_QUANTILES, sizeof *places, compare_places);
    memcpy(scratch, values, (size_t)n * sizeof *scratch);
    select_places(scratch, 0, n, places, 2 * NATURAL_QUANTILES);
    for (int q = 0; q < NATURAL_QUANTILES; q++) {
        const double low = scratch[(int64_t)below[q]], high = scratch[(int64_t)above[q]];
        quantiles[q] = (float)(low + (position[q] - below[q]) * (high - low));
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

void natural_class_means(const float *values, const int32_t *labels, int64_t n, const int64_t *class_images,
                         int n_classes, double *sums, float *means)
{
    memset(sums, 0, (size_t)n_classes * sizeof *sums);
    for (int64_t i = 0; i < n; i++)
        if (labels[i] >= 0)
            sums[labels[i]] += values[i];
    for (int c = 0; c < n_classes; c++)
        means[c] = class_images[c] > 0 ? (float)(sums[c] / (double)class_images[c]) : NAN;
}
