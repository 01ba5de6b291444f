/* SPDX-License-Identifier: MIT */
/* The tensor train of PROTES: its gradient against finite differences, its samples against probabilities. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/search/tensor_train.h"
#include "random.h"

enum { MAX_RANK = 8, MAX_MODES = 32, MAX_SIZE = 16 };

struct shape {
    int n_modes, mode_size, rank, n_samples;
};

static struct tensor_train make_train(struct shape shape, double lowest, uint64_t key)
{
    struct tensor_train train;
    struct error error = {0};
    assert_int_equal(
        tensor_train_prepare(&train, shape.n_modes, shape.mode_size, shape.rank, shape.n_samples, &error),
        STATUS_OK);
    struct draws draws = draws_begin(key, 0);
    tensor_train_randomise(&train, &draws);
    for (size_t i = 0; i < tensor_train_n_parameters(&train); i++) {
        if (train.cores[i] != 0)
            train.cores[i] = (float)(lowest + (1 - lowest) * train.cores[i]);
    }
    tensor_train_update(&train);
    return train;
}

static double element(const struct tensor_train *train, const double *cores, int mode, int index, int row,
                      int column)
{
    int rank = train->rank;
    return cores[((mode * train->mode_size + index) * rank + row) * rank + column];
}

/* Interface vectors, one length each: any factor cancels in the probabilities. */
static void plain_interfaces(const struct tensor_train *train, const double *cores,
                             double interfaces[][MAX_RANK])
{
    int rank = train->rank;
    memset(interfaces[train->n_modes], 0, sizeof interfaces[0]);
    interfaces[train->n_modes][0] = 1;
    for (int mode = train->n_modes - 1; mode >= 0; mode--) {
        double largest = 0;
        for (int row = 0; row < rank; row++) {
            interfaces[mode][row] = 0;
            for (int index = 0; index < train->mode_size; index++) {
                for (int column = 0; column < rank; column++)
                    interfaces[mode][row] +=
                        element(train, cores, mode, index, row, column) * interfaces[mode + 1][column];
            }
            largest = fmax(largest, fabs(interfaces[mode][row]));
        }
        for (int row = 0; row < rank; row++)
            interfaces[mode][row] /= largest;
    }
}

/* Probabilities of the indices of one mode after a left vector; `left` goes on through the chosen core. */
static void plain_probabilities(const struct tensor_train *train, const double *cores, int mode,
                                const double left[MAX_RANK], const double interface[MAX_RANK],
                                double probabilities[MAX_SIZE])
{
    double total = 0;
    for (int index = 0; index < train->mode_size; index++) {
        double weight = 0;
        for (int row = 0; row < train->rank; row++) {
            for (int column = 0; column < train->rank; column++)
                weight += left[row] * element(train, cores, mode, index, row, column) * interface[column];
        }
        probabilities[index] = fabs(weight);
        total += fabs(weight);
    }
    for (int index = 0; index < train->mode_size; index++)
        probabilities[index] /= total;
}

static void plain_advance(const struct tensor_train *train, const double *cores, int mode, int index,
                          double left[MAX_RANK])
{
    double next[MAX_RANK] = {0}, largest = 0;
    for (int column = 0; column < train->rank; column++) {
        for (int row = 0; row < train->rank; row++)
            next[column] += left[row] * element(train, cores, mode, index, row, column);
        largest = fmax(largest, fabs(next[column]));
    }
    for (int column = 0; column < train->rank; column++)
        left[column] = largest > 0 ? next[column] / largest : 0;
}

/* Written from the definition, in double precision, apart from the code that is tested. */
static double plain_log_likelihood(const struct tensor_train *train, const double *cores,
                                   const int32_t *indices)
{
    double interfaces[MAX_MODES + 1][MAX_RANK], left[MAX_RANK] = {1}, sum = 0;
    plain_interfaces(train, cores, interfaces);
    for (int mode = 0; mode < train->n_modes; mode++) {
        double probabilities[MAX_SIZE];
        plain_probabilities(train, cores, mode, left, interfaces[mode + 1], probabilities);
        sum += log(probabilities[indices[mode]]);
        plain_advance(train, cores, mode, indices[mode], left);
    }
    return sum;
}

static double mean_log_likelihood(const struct tensor_train *train, const double *cores,
                                  const int32_t *indices, int n_samples)
{
    double sum = 0;
    for (int sample = 0; sample < n_samples; sample++)
        sum += plain_log_likelihood(train, cores, indices + sample * train->n_modes);
    return sum / n_samples;
}

static void check_gradient(struct shape shape, double lowest)
{
    struct tensor_train train = make_train(shape, lowest, 11);
    size_t n = tensor_train_n_parameters(&train);
    int32_t *indices = calloc((size_t)shape.n_samples * (size_t)shape.n_modes, sizeof *indices);
    float *gradient = calloc(n, sizeof *gradient);
    double *cores = calloc(n, sizeof *cores);
    struct draws draws = draws_begin(11, 1);
    tensor_train_sample(&train, &draws, shape.n_samples, indices);
    tensor_train_gradient(&train, indices, shape.n_samples, gradient);
    double largest = 0, largest_error = 0;
    for (size_t i = 0; i < n; i++)
        cores[i] = train.cores[i];
    for (size_t i = 0; i < n; i++) {
        const double step = 1e-6;
        if (cores[i] == 0) { /* outside the first row or the last column: must stay out of use */
            assert_true(gradient[i] == 0);
            continue;
        }
        double value = cores[i];
        cores[i] = value + step;
        double above = mean_log_likelihood(&train, cores, indices, shape.n_samples);
        cores[i] = value - step;
        double below = mean_log_likelihood(&train, cores, indices, shape.n_samples);
        cores[i] = value;
        double slope = (above - below) / (2 * step);
        largest = fmax(largest, fabs(slope));
        largest_error = fmax(largest_error, fabs(slope - gradient[i]));
    }
    if (n > 1 && shape.mode_size > 1)
        assert_true(largest > 1e-3);
    assert_true(largest_error <= 2e-5 * largest + 1e-6);
    free(indices);
    free(gradient);
    free(cores);
    tensor_train_release(&train);
}

static void test_gradient_agrees_with_finite_differences(void **state)
{
    (void)state;
    check_gradient((struct shape){1, 4, 5, 2}, 0);
    check_gradient((struct shape){2, 2, 5, 3}, 0);
    check_gradient((struct shape){2, 2, 5, 1}, -1);
    check_gradient((struct shape){3, 4, 1, 2}, -1);
    check_gradient((struct shape){6, 2, 3, 4}, -0.5);
    check_gradient((struct shape){8, 7, 5, 5}, -1);
    check_gradient((struct shape){24, 2, 5, 5}, -0.3);
    check_gradient((struct shape){24, 2, 8, 5}, 0);
}

/* Frequencies of all multi-indices of a small train, with negative elements, within five standard errors. */
static void test_samples_follow_the_probabilities(void **state)
{
    (void)state;
    enum { N_BATCHES = 400, BATCH = 100, N_CODES = 27 };
    struct tensor_train train = make_train((struct shape){3, 3, 5, BATCH}, -0.6, 5);
    double cores[3 * 3 * 25];
    for (size_t i = 0; i < tensor_train_n_parameters(&train); i++)
        cores[i] = train.cores[i];
    int counts[N_CODES] = {0};
    for (uint32_t batch = 0; batch < N_BATCHES; batch++) {
        int32_t indices[BATCH * 3];
        struct draws draws = draws_begin(5, 1 + batch);
        tensor_train_sample(&train, &draws, BATCH, indices);
        for (int sample = 0; sample < BATCH; sample++)
            counts[indices[3 * sample] * 9 + indices[3 * sample + 1] * 3 + indices[3 * sample + 2]]++;
    }
    double total = 0;
    for (int code = 0; code < N_CODES; code++) {
        double probability =
            exp(plain_log_likelihood(&train, cores, (int32_t[]){code / 9, code / 3 % 3, code % 3}));
        double n = (double)N_BATCHES * BATCH;
        assert_true(fabs(counts[code] - n * probability) <=
                    5 * sqrt(n * probability * (1 - probability)) + 1);
        total += probability;
    }
    assert_true(fabs(total - 1) < 1e-12);
    tensor_train_release(&train);
}

/* Cores that no vector or quotient can be made of: samples stay in range and the gradient finite. */
static void check_hostile_cores(float even, float odd)
{
    struct shape shape = {20, 2, 5, 4};
    struct tensor_train train = make_train(shape, 0, 3);
    size_t n = tensor_train_n_parameters(&train);
    float *gradient = calloc(n, sizeof *gradient);
    int32_t indices[4 * 20];
    for (size_t i = 0; i < n; i++)
        train.cores[i] *= i % 2 == 0 ? even : odd;
    tensor_train_update(&train);
    struct draws draws = draws_begin(3, 1);
    tensor_train_sample(&train, &draws, shape.n_samples, indices);
    for (int i = 0; i < shape.n_samples * shape.n_modes; i++)
        assert_in_range(indices[i], 0, 1);
    for (int i = 0; i < shape.n_modes; i++)
        indices[i] = 1 - indices[i]; /* also what has a probability of nearly zero */
    tensor_train_gradient(&train, indices, shape.n_samples, gradient);
    for (size_t i = 0; i < n; i++)
        assert_true(isfinite(gradient[i]) && isfinite(gradient[i] * gradient[i]));
    free(gradient);
    tensor_train_release(&train);
}

static void test_hostile_cores_give_finite_gradients(void **state)
{
    (void)state;
    check_hostile_cores(0, 0);
    check_hostile_cores(0, 1);
    check_hostile_cores(1e-30F, 1e-30F);
    check_hostile_cores(1e-20F, 1);
    check_hostile_cores(1e20F, 1);
    check_hostile_cores(1e30F, -1e30F);
    check_hostile_cores(NAN, 1);
}

/* An index of probability zero is never drawn, whichever it is. */
static void test_impossible_index_is_never_drawn(void **state)
{
    (void)state;
    enum { BATCH = 1000 };
    for (int impossible = 0; impossible < 3; impossible++) {
        struct tensor_train train = make_train((struct shape){1, 3, 1, BATCH}, 0, 9);
        int32_t indices[BATCH];
        train.cores[impossible] = 0;
        tensor_train_update(&train);
        struct draws draws = draws_begin(9, 1);
        tensor_train_sample(&train, &draws, BATCH, indices);
        for (int i = 0; i < BATCH; i++)
            assert_int_not_equal(indices[i], impossible);
        tensor_train_release(&train);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_agrees_with_finite_differences),
        cmocka_unit_test(test_samples_follow_the_probabilities),
        cmocka_unit_test(test_hostile_cores_give_finite_gradients),
        cmocka_unit_test(test_impossible_index_is_never_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
