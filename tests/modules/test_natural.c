/* SPDX-License-Identifier: MIT */
/** Natural references: ranking, quantiles and means against plain computations; images in and out. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../src/campaign/natural_statistics.h"
#include "dataset.h"

enum { N = 997, TOP = 9, N_CLASSES = 4 };

/* Values of few levels, so that many are equal, and labels of which one class is never used. */
static void make_values(uint32_t seed, uint32_t n_levels, float values[N], int32_t labels[N])
{
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)((seed >> 16) % n_levels) / 7.0f - 1.0f;
        labels[i] = (int32_t)((seed >> 8) % N_CLASSES) - 1;
    }
}

/* The first of the largest values that is not taken yet. */
static int64_t best_left(const float *values, int64_t n, const bool *is_taken)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (!is_taken[i] && (best < 0 || values[i] > values[best]))
            best = i;
    return best;
}

static void check_ranking(const float *values, int64_t n, int top)
{
    bool is_taken[N] = {false};
    int64_t images[N];
    natural_rank(values, n, top, images);
    for (int k = 0; k < top; k++) {
        const int64_t expected = best_left(values, n, is_taken);
        assert_int_equal(images[k], expected);
        is_taken[expected] = true;
    }
}

static void the_best_are_ranked_ties_by_number(void **state)
{
    (void)state;
    const uint32_t levels[] = {1, 2, 5, 60, 65536};
    float values[N];
    int32_t labels[N];
    for (uint32_t seed = 0; seed < 20; seed++)
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            make_values(seed, levels[l], values, labels);
            check_ranking(values, N, TOP);
            check_ranking(values, N, 1);
            check_ranking(values, TOP, TOP);
            check_ranking(values, 1, 1);
        }
    check_ranking(values, N, N);
}

/* The value with `place` values before it in sorted order, by counting. */
static double order_statistic(const float *values, int64_t n, int64_t place)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t n_smaller = 0, n_equal = 0;
        for (int64_t j = 0; j < n; j++) {
            n_smaller += values[j] < values[i];
            n_equal += values[j] == values[i];
        }
        if (n_smaller <= place && place < n_smaller + n_equal)
            return values[i];
    }
    fail_msg("no value at place %lld", (long long)place);
    return 0;
}

static void quantiles_are_order_statistics(void **state)
{
    (void)state;
    const double probabilities[NATURAL_QUANTILES] = {0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1};
    const int64_t counts[] = {1, 2, 3, 100, 101, N};
    float values[N], sorted[N], quantiles[NATURAL_QUANTILES];
    int32_t labels[N];
    make_values(7, 65536, values, labels);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        natural_quantiles(values, counts[i], sorted, quantiles);
        for (int q = 0; q < NATURAL_QUANTILES; q++) {
            const double position = probabilities[q] * (double)(counts[i] - 1);
            const int64_t below = (int64_t)position;
            const double low = order_statistic(values, counts[i], below);
            const double high = below + 1 < counts[i] ? order_statistic(values, counts[i], below + 1) : low;
            const double share = position - (double)below;
            assert_true(natural_probabilities[q] == probabilities[q]);
            assert_true(fabs(quantiles[q] - (low * (1 - share) + high * share)) <= 1e-6 * (fabs(high) + 1));
        }
    }
    const float four[] = {4, 1, 2, 3};
    natural_quantiles(four, 4, sorted, quantiles);
    assert_true(quantiles[0] == 1 && quantiles[3] == 1.75f && quantiles[4] == 2.5f && quantiles[8] == 4);
}

static void moments_and_class_means(void **state)
{
    (void)state;
    float values[N], mean, std, class_mean[N_CLASSES];
    int32_t labels[N];
    long double sum = 0, squares = 0, class_sum[N_CLASSES] = {0}, class_n[N_CLASSES] = {0};
    make_values(3, 60, values, labels);
    for (int i = 0; i < N; i++) {
        sum += values[i];
        squares += (long double)values[i] * values[i];
        for (int c = 0; c < N_CLASSES; c++) {
            class_sum[c] += labels[i] == c ? values[i] : 0;
            class_n[c] += labels[i] == c;
        }
    }
    natural_moments(values, N, &mean, &std);
    assert_true(fabsl(mean - sum / N) < 1e-6L);
    assert_true(fabsl(std - sqrtl(squares / N - sum * sum / N / N)) < 1e-6L);
    natural_class_means(values, labels, N, N_CLASSES, class_mean);
    for (int c = 0; c + 1 < N_CLASSES; c++)
        assert_true(class_n[c] > 0 && fabsl(class_mean[c] - class_sum[c] / class_n[c]) < 1e-6L);
    assert_true(isnan(class_mean[N_CLASSES - 1]));
    const float three[] = {1, 2, 6};
    natural_moments(three, 3, &mean, &std);
    assert_true(mean == 3 && fabs(std - sqrt(14.0 / 3)) < 1e-6);
}

/* ---- a dataset of rows ---- */

enum { PIXELS = 6, ROWS = 5 };

static const char *const class_names[] = {"one", "two"};
static const struct dataset_request request = {
    .model = "test", .channels = 1, .height = 2, .width = 3, .n_classes = 2, .class_names = class_names};

static void write_rows(const char *folder, const char *name, int first_label)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < ROWS; i++) {
        fputc((first_label + i) % 2, file);
        for (int p = 0; p < PIXELS; p++)
            fputc(40 * first_label + 10 * i + p, file);
    }
    assert_int_equal(fclose(file), 0);
}

static void check_images(const char *folder, size_t limit, size_t n_images, char sha256[SHA256_TEXT_CAPACITY])
{
    struct dataset_request limited = request;
    struct dataset *dataset = NULL;
    struct error error = {0};
    unsigned char bytes[PIXELS];
    float values[PIXELS];
    const double mean = 0.5, std = 0.25;
    limited.limit = limit;
    assert_int_equal(dataset_open(folder, &limited, &dataset, &error), STATUS_OK);
    assert_int_equal(dataset_n_images(dataset), n_images);
    assert_int_equal(dataset_image_values(dataset), PIXELS);
    for (size_t i = 0; i < n_images; i++) {
        const int first_label = i < ROWS ? 0 : 1, row = (int)(i % ROWS);
        assert_int_equal(dataset_label(dataset, i), (first_label + row) % 2);
        assert_int_equal(dataset_read(dataset, i, bytes, &error), STATUS_OK);
        for (int p = 0; p < PIXELS; p++)
            assert_int_equal(bytes[p], 40 * first_label + 10 * row + p);
        dataset_normalise(dataset, bytes, &mean, &std, values);
        for (int p = 0; p < PIXELS; p++)
            assert_true(fabs(values[p] - (bytes[p] / 255.0 - 0.5) / 0.25) < 1e-6);
    }
    assert_int_equal(dataset_sha256(dataset, sha256, &error), STATUS_OK);
    dataset_close(dataset);
}

static void take_sha256(const char *folder, size_t limit, char sha256[SHA256_TEXT_CAPACITY])
{
    struct dataset_request limited = request;
    struct dataset *dataset = NULL;
    struct error error = {0};
    limited.limit = limit;
    assert_int_equal(dataset_open(folder, &limited, &dataset, &error), STATUS_OK);
    assert_int_equal(dataset_sha256(dataset, sha256, &error), STATUS_OK);
    dataset_close(dataset);
}

static void rows_come_in_the_order_of_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/meicensus_natural_XXXXXX", command[64];
    char sha256[4][SHA256_TEXT_CAPACITY];
    assert_non_null(mkdtemp(folder));
    write_rows(folder, "b.bin", 1);
    write_rows(folder, "a.bin", 0);
    check_images(folder, 0, 2 * ROWS, sha256[0]);
    check_images(folder, 2 * ROWS, 2 * ROWS, sha256[1]);
    check_images(folder, ROWS + 1, ROWS + 1, sha256[2]);
    assert_string_equal(sha256[0], sha256[1]);
    assert_string_not_equal(sha256[0], sha256[2]);
    write_rows(folder, "c.bin", 0);
    check_images(folder, 2 * ROWS, 2 * ROWS, sha256[3]);
    assert_string_equal(sha256[0], sha256[3]);
    write_rows(folder, "a.bin", 1); /* other images, but the last one */
    take_sha256(folder, 2 * ROWS, sha256[3]);
    assert_string_not_equal(sha256[0], sha256[3]);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_ranked_ties_by_number),
        cmocka_unit_test(quantiles_are_order_statistics),
        cmocka_unit_test(moments_and_class_means),
        cmocka_unit_test(rows_come_in_the_order_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
