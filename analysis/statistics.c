/* SPDX-License-Identifier: MIT */
#include "statistics.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>

#include "memory.h"

enum { EXACT_LIMIT = 50 };

void statistics_describe(double *values, size_t n, struct distribution *distribution)
{
    *distribution = (struct distribution){n, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (n == 0)
        return;
    gsl_sort(values, 1, n);
    distribution->mean = gsl_stats_mean(values, 1, n);
    distribution->minimum = values[0];
    distribution->quantile_05 = gsl_stats_quantile_from_sorted_data(values, 1, n, 0.05);
    distribution->quantile_25 = gsl_stats_quantile_from_sorted_data(values, 1, n, 0.25);
    distribution->median = gsl_stats_median_from_sorted_data(values, 1, n);
    distribution->quantile_75 = gsl_stats_quantile_from_sorted_data(values, 1, n, 0.75);
    distribution->quantile_95 = gsl_stats_quantile_from_sorted_data(values, 1, n, 0.95);
    distribution->maximum = values[n - 1];
}

double statistics_variation(const double *values, size_t n)
{
    double mean = n < 2 ? 0 : gsl_stats_mean(values, 1, n);
    return mean == 0 ? NAN : gsl_stats_sd_m(values, 1, n, mean) / fabs(mean);
}

/** Differences that are not 0; returns how many. */
static size_t keep_nonzero(const double *differences, size_t n, double tolerance, double *steps)
{
    size_t n_nonzero = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs(differences[i]) > tolerance)
            steps[n_nonzero++] = differences[i];
    return n_nonzero;
}

static int compare_magnitudes(const void *left, const void *right)
{
    double a = fabs(*(const double *)left), b = fabs(*(const double *)right);
    return (a > b) - (a < b);
}

/** Twice the mid-rank of every step (whole numbers); steps are sorted by magnitude. Returns sum of t^3 - t.
 */
static double rank_doubled(const double *steps, size_t n, double tolerance, int64_t *doubled)
{
    double ties = 0;
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && fabs(steps[end]) - fabs(steps[end - 1]) <= tolerance;)
            end++;
        for (size_t i = first; i < end; i++)
            doubled[i] = (int64_t)(first + 1 + end);
        double t = (double)(end - first);
        ties += t * t * t - t;
    }
    return ties;
}

/** Share of the 2^n sign patterns whose positive (doubled) rank sum is at most `limit`. */
static enum status exact_tail(const int64_t *doubled, size_t n, int64_t limit, double *share,
                              struct error *error)
{
    double *ways = NULL; /* [sum]: share of the patterns of the ranks so far with that sum */
    int64_t total = (int64_t)(n * (n + 1));
    TRY(MEMORY_ALLOCATE(ways, (size_t)total + 1, error));
    ways[0] = 1;
    for (size_t i = 0; i < n; i++)
        for (int64_t sum = total; sum >= 0; sum--)
            ways[sum] = 0.5 * (ways[sum] + (sum >= doubled[i] ? ways[sum - doubled[i]] : 0));
    *share = 0;
    for (int64_t sum = 0; sum <= limit; sum++)
        *share += ways[sum];
    free(ways);
    return STATUS_OK;
}

static double normal_p(double positive_sum, size_t n_nonzero, double ties)
{
    double n = (double)n_nonzero;
    double deviation = sqrt(n * (n + 1) * (2 * n + 1) / 24 - ties / 48);
    return 2 * gsl_cdf_ugaussian_Q(fabs(positive_sum - n * (n + 1) / 4) / deviation);
}

static enum status test_ranks(double *steps, double tolerance, int64_t *doubled, struct signed_rank *result,
                              struct error *error)
{
    size_t n = result->n_nonzero;
    qsort(steps, n, sizeof *steps, compare_magnitudes);
    double ties = rank_doubled(steps, n, tolerance, doubled);
    int64_t positive = 0, total = (int64_t)(n * (n + 1));
    for (size_t i = 0; i < n; i++)
        positive += steps[i] > 0 ? doubled[i] : 0;
    result->positive_sum = 0.5 * (double)positive;
    result->rank_biserial = (double)(2 * positive - total) / (double)total;
    result->exact = n <= EXACT_LIMIT;
    if (!result->exact) {
        result->p = normal_p(result->positive_sum, n, ties);
        return STATUS_OK;
    }
    double share = 0;
    TRY(exact_tail(doubled, n, positive < total - positive ? positive : total - positive, &share, error));
    result->p = fmin(1, 2 * share);
    return STATUS_OK;
}

enum status statistics_signed_rank(const double *differences, size_t n, double tolerance,
                                   struct signed_rank *result, struct error *error)
{
    double *steps = NULL;
    int64_t *doubled = NULL;
    enum status status = STATUS_OK;
    *result = (struct signed_rank){.p = 1, .exact = true};
    TRY_CLEANUP(MEMORY_ALLOCATE(steps, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(doubled, n, error));
    result->n_nonzero = keep_nonzero(differences, n, tolerance, steps);
    if (result->n_nonzero > 0)
        TRY_CLEANUP(test_ranks(steps, tolerance, doubled, result, error));
cleanup:
    free(doubled);
    free(steps);
    return status;
}

/** Median of one resample of sorted values: counting which were drawn replaces sorting. */
static double resampled_median(gsl_rng *random, const double *sorted, size_t n, uint32_t *drawn)
{
    memset(drawn, 0, n * sizeof *drawn);
    for (size_t i = 0; i < n; i++)
        drawn[gsl_rng_uniform_int(random, n)]++;
    size_t place = 0, seen = drawn[0];
    while (seen < (n + 1) / 2)
        seen += drawn[++place];
    double lower = sorted[place];
    while (seen < n / 2 + 1)
        seen += drawn[++place];
    return 0.5 * (lower + sorted[place]);
}

enum status statistics_bootstrap_median(double *values, size_t n, double interval[2], struct error *error)
{
    interval[0] = interval[1] = NAN;
    if (n < 2)
        return STATUS_OK;
    gsl_sort(values, 1, n);
    uint32_t *drawn = NULL;
    TRY(MEMORY_ALLOCATE(drawn, n, error));
    gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
    if (random == NULL) {
        free(drawn);
        return error_set(error, STATUS_INTERNAL, "out of memory for a random number generator");
    }
    gsl_rng_set(random, 1);
    double medians[STATISTICS_RESAMPLES];
    for (int i = 0; i < STATISTICS_RESAMPLES; i++)
        medians[i] = resampled_median(random, values, n, drawn);
    gsl_sort(medians, 1, STATISTICS_RESAMPLES);
    interval[0] = gsl_stats_quantile_from_sorted_data(medians, 1, STATISTICS_RESAMPLES, 0.025);
    interval[1] = gsl_stats_quantile_from_sorted_data(medians, 1, STATISTICS_RESAMPLES, 0.975);
    gsl_rng_free(random);
    free(drawn);
    return STATUS_OK;
}

enum status statistics_holm(double *p, size_t n, struct error *error)
{
    size_t *order = NULL;
    double *sortable = NULL;
    enum status status = STATUS_OK;
    size_t n_tests = 0;
    TRY_CLEANUP(MEMORY_ALLOCATE(order, n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(sortable, n, error));
    for (size_t i = 0; i < n; i++) {
        n_tests += !isnan(p[i]);
        sortable[i] = isnan(p[i]) ? INFINITY : p[i];
    }
    gsl_sort_index(order, sortable, 1, n);
    double largest = 0;
    for (size_t i = 0; i < n_tests; i++) {
        largest = fmax(largest, fmin(1, (double)(n_tests - i) * sortable[order[i]]));
        p[order[i]] = largest;
    }
cleanup:
    free(sortable);
    free(order);
    return status;
}

void statistics_histogram(const double *values, size_t n, double low, double high, int n_bins, size_t *counts)
{
    memset(counts, 0, (size_t)n_bins * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        double place = (values[i] - low) / (high - low) * n_bins;
        int bin = place < 0 ? 0 : place >= n_bins ? n_bins - 1 : (int)place;
        counts[bin]++;
    }
}

double statistics_code_distance(const int32_t *first, const int32_t *second, size_t n_dimensions,
                                int64_t n_points, bool codebook)
{
    double sum = 0, corner = (double)(n_points < 2 ? 1 : n_points - 1);
    for (size_t i = 0; i < n_dimensions; i++) {
        double step = ((double)first[i] - (double)second[i]) / corner;
        sum += codebook ? first[i] != second[i] : step * step;
    }
    double mean = n_dimensions == 0 ? 0 : sum / (double)n_dimensions;
    return codebook ? mean : sqrt(mean);
}
