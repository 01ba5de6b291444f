/* SPDX-License-Identifier: MIT */
/* Random numbers: known answers of Philox4x32-10, and the moments of what is made from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "random.h"

enum { N_DRAWS = 200000 };

static void check_words(uint64_t key, const uint32_t counter[4], const uint32_t expected[4])
{
    uint32_t words[4];
    random_words(key, (struct random_counter){{counter[0], counter[1], counter[2], counter[3]}}, words);
    for (int i = 0; i < 4; i++)
        assert_int_equal(words[i], expected[i]);
}

/* The three lines "philox4x32 10" of kat_vectors in Random123 1.14.0; the low word of a key comes first. */
static void test_known_answers(void **state)
{
    (void)state;
    check_words(0, (uint32_t[]){0, 0, 0, 0}, (uint32_t[]){0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    check_words(UINT64_MAX, (uint32_t[]){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
                (uint32_t[]){0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    check_words(0x299f31d0a4093822, (uint32_t[]){0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                (uint32_t[]){0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

static void test_uniform_is_inside_the_unit_interval(void **state)
{
    (void)state;
    assert_true(random_uniform(0) > 0);
    assert_true(random_uniform(UINT32_MAX) < 1);
    assert_true(random_uniform(0x80000000) > 0.5 && random_uniform(0x7fffffff) < 0.5);
}

static uint32_t word_of(uint32_t draw)
{
    uint32_t words[4];
    random_words(2026, (struct random_counter){{0, 1, draw / 4, 0}}, words);
    return words[draw % 4];
}

/* Tolerances are five standard errors. */
static void test_uniform_moments(void **state)
{
    (void)state;
    double sum = 0, sum_of_squares = 0;
    for (uint32_t i = 0; i < N_DRAWS; i++) {
        double uniform = random_uniform(word_of(i));
        sum += uniform;
        sum_of_squares += uniform * uniform;
    }
    assert_true(fabs(sum / N_DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / N_DRAWS));
    assert_true(fabs(sum_of_squares / N_DRAWS - 1.0 / 3) < 5 * sqrt(4.0 / 45 / N_DRAWS));
}

/** N_DRAWS values are N(0,1), and neighbours know nothing of each other. */
static void check_normal(const double *values)
{
    double power_sums[5] = {0}, product = 0;
    for (uint32_t i = 0; i < N_DRAWS; i++)
        for (int power = 1; power <= 4; power++)
            power_sums[power] += pow(values[i], power);
    for (uint32_t i = 0; i < N_DRAWS; i += 2)
        product += values[i] * values[i + 1];
    assert_true(fabs(power_sums[1] / N_DRAWS) < 5 * sqrt(1.0 / N_DRAWS));
    assert_true(fabs(power_sums[2] / N_DRAWS - 1) < 5 * sqrt(2.0 / N_DRAWS));
    assert_true(fabs(power_sums[3] / N_DRAWS) < 5 * sqrt(15.0 / N_DRAWS));
    assert_true(fabs(power_sums[4] / N_DRAWS - 3) < 5 * sqrt(96.0 / N_DRAWS));
    assert_true(fabs(product / (N_DRAWS / 2.0)) < 5 * sqrt(2.0 / N_DRAWS));
}

static void test_normal_moments(void **state)
{
    (void)state;
    double values[N_DRAWS];
    for (uint32_t i = 0; i < N_DRAWS; i += 2)
        random_normal_pair(word_of(i), word_of(i + 1), values + i);
    check_normal(values);
}

static void test_many_normals(void **state)
{
    (void)state;
    const struct random_counter counter = {{1, 2, 3, 4}};
    double values[N_DRAWS];
    float normals[N_DRAWS], some[7];
    random_normals(5, counter, N_DRAWS, normals);
    for (int i = 0; i < N_DRAWS; i++)
        values[i] = (double)normals[i];
    check_normal(values);
    for (int i = 0; i < N_DRAWS; i++)
        values[i] = (double)normals[i * 4LL % N_DRAWS + i * 4LL / N_DRAWS];
    check_normal(values);
    for (int n = 0; n <= 7; n++) {
        memset(some, 0, sizeof some);
        random_normals(5, counter, (size_t)n, some);
        assert_memory_equal(some, normals, (size_t)n * sizeof *some);
        assert_true(n == 7 || some[n] == 0);
    }
}

static void test_normal_of_extreme_words_is_finite(void **state)
{
    (void)state;
    const uint32_t extremes[] = {0, 1, UINT32_MAX};
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
            double pair[2];
            random_normal_pair(extremes[i], extremes[j], pair);
            assert_true(isfinite(pair[0]) && isfinite(pair[1]));
        }
    }
}

static void test_below_is_in_range_and_even(void **state)
{
    (void)state;
    assert_int_equal(random_below(UINT32_MAX, 1), 0);
    assert_int_equal(random_below(UINT32_MAX, 7), 6);
    assert_int_equal(random_below(0, 7), 0);
    int counts[7] = {0};
    for (uint32_t i = 0; i < N_DRAWS; i++)
        counts[random_below(word_of(i), 7)]++;
    for (int i = 0; i < 7; i++)
        assert_true(fabs(counts[i] - N_DRAWS / 7.0) < 5 * sqrt(N_DRAWS * 6.0 / 49));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_uniform_is_inside_the_unit_interval),
        cmocka_unit_test(test_uniform_moments),
        cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_many_normals),
        cmocka_unit_test(test_normal_of_extreme_words_is_finite),
        cmocka_unit_test(test_below_is_in_range_and_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
