/* SPDX-License-Identifier: MIT */
/*
 * Search methods against the published packages, in short: the median of a few runs lies between the 10 % and
 * the 90 % quantile of the package's runs. The quantiles are in tests/fidelity/quantiles.csv; the whole
 * comparison is tests/fidelity/fidelity.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "functions.h"
#include "search.h"

enum { N_RUNS = 11, LARGEST_DIMENSIONS = 256 };

static const char *const quantiles_file = "tests/fidelity/quantiles.csv";
static const double ROUNDING = 1e-6; /* of the numbers in the file */

/* A row of the file: what the package reached on a function after so many queries. */
struct reference {
    char method[32], function[32];
    int is_grid, n_dimensions, n_points, queries;
    double low, median, high; /* 10, 50 and 90 % */
};

/* The next row that is no comment and no header. */
static bool read_reference(FILE *file, struct reference *reference)
{
    char line[512];
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || strncmp(line, "method,", 7) == 0)
            continue;
        const int n_read =
            sscanf(line, "%31[^,],%d,%31[^,],%d,%d,%d,%*d,%*f,%lf,%*f,%lf,%*f,%lf", reference->method,
                   &reference->is_grid, reference->function, &reference->n_dimensions, &reference->n_points,
                   &reference->queries, &reference->low, &reference->median, &reference->high);
        assert_int_equal(n_read, 9);
        assert_in_range(reference->n_dimensions, 1, LARGEST_DIMENSIONS);
        return true;
    }
    return false;
}

/* The best value of one run. */
static double run(const struct search_method *method, const void *settings, const struct reference *reference,
                  uint64_t key)
{
    const struct search_problem problem = {.n_dimensions = reference->n_dimensions,
                                           .n_points = reference->n_points,
                                           .budget = 1000, /* of the packages' runs */
                                           .key = key,
                                           .low = reference->is_grid ? -4 : 0,
                                           .high = reference->is_grid ? 4 : 0};
    const struct test_function *function = test_function_find(reference->function);
    const int d = problem.n_dimensions, batch = method->batch(settings, d);
    int32_t *codes = calloc((size_t)batch * (size_t)d, sizeof *codes);
    float *scores = calloc((size_t)batch, sizeof *scores);
    struct search *search;
    struct error error = {0};
    double best = -INFINITY, room[2 * LARGEST_DIMENSIONS];
    assert_non_null(function);
    assert_float_equal(function->noise, 0, 0);
    assert_int_equal(search_create(method, &problem, settings, &search, &error), STATUS_OK);
    for (int query = 0; query < reference->queries; query += batch) {
        method->ask(search, codes);
        for (int i = 0; i < batch && query + i < reference->queries; i++) {
            const double value = function->value(&problem, codes + (ptrdiff_t)i * d, room);
            scores[i] = (float)value;
            best = fmax(best, value);
        }
        if (query + batch < reference->queries)
            method->tell(search, scores);
    }
    search_destroy(method, search);
    free(codes);
    free(scores);
    return best;
}

static int compare(const void *first, const void *second)
{
    const double a = *(const double *)first, b = *(const double *)second;
    return (a > b) - (a < b);
}

/* Does the median of the runs lie where the package's runs lie? */
static bool agrees(const struct reference *reference)
{
    const struct search_method *method = search_method_find(reference->method);
    double values[N_RUNS];
    void *settings = NULL;
    struct error error = {0};
    assert_non_null(method);
    assert_int_equal(search_settings_read(method, NULL, reference->method, &settings, &error), STATUS_OK);
    for (uint64_t i = 0; i < N_RUNS; i++)
        values[i] = run(method, settings, reference, i + 1);
    free(settings);
    qsort(values, N_RUNS, sizeof *values, compare);
    const double median = values[N_RUNS / 2];
    if (median >= reference->low - ROUNDING && median <= reference->high + ROUNDING)
        return true;
    print_error("%s on %s, %d queries: median %g, the package's %g (10 to 90 %%: %g to %g)\n",
                reference->method, reference->function, reference->queries, median, reference->median,
                reference->low, reference->high);
    return false;
}

static void test_medians_are_those_of_the_packages(void **state)
{
    (void)state;
    struct reference reference;
    FILE *file = fopen(quantiles_file, "r");
    int n_rows = 0, n_differing = 0;
    assert_non_null(file);
    for (; read_reference(file, &reference); n_rows++)
        n_differing += !agrees(&reference);
    fclose(file);
    assert_true(n_rows > 0);
    assert_int_equal(n_differing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_medians_are_those_of_the_packages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
