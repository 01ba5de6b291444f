/* SPDX-License-Identifier: MIT */
/* The evolution strategy against pycma 4.5.0, given the same points, and when it starts again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../src/search/cma_es.h"

enum { N = 3, POPULATION = 7 };

static struct cma_es prepared(bool is_diagonal)
{
    struct cma_es es;
    struct error error = {0};
    assert_int_equal(cma_es_prepare(&es, N, is_diagonal, &error), STATUS_OK);
    assert_int_equal(es.population, POPULATION);
    return es;
}

/* Points that no strategy sampled, some of them farther away than it could. */
static void learn(struct cma_es *es, int generation)
{
    double values[POPULATION][N], losses[POPULATION];
    for (int k = 0; k < POPULATION; k++) {
        double *x = values[k];
        for (int i = 0; i < N; i++)
            x[i] = sin(1 + 3 * k + 7 * i + 11 * generation) * (0.2 + 0.1 * i);
        losses[k] = x[0] + 2 * x[1] * x[1] - x[2] * x[0];
    }
    cma_es_learn(es, values[0], losses);
}

/* State after some generations: mean, sigma, and the covariance (rows from the diagonal on) or deviations. */
struct state {
    bool is_diagonal;
    int generations;
    double mean[N], sigma, covariance[6];
};

/*
 * CMAEvolutionStrategy(zeros(3), 0.3, popsize 7, CMA_diagonal False and True); its covariance set to the unit
 * matrix at first (it starts 1e-4 beside it), and after more than one generation with a Cholesky factor for
 * its symmetric root.
 */
static const struct state states[] = {
    {false,
     1,
     {-0.12750177850449512, -0.29100041560903056, -0.3300254279043076},
     0.32546130174966736,
     {0.986482680279266, 0.0031620109269938535, 0.01571917374368429, 1.0208796015669281, 0.05341679568488711,
      1.0671149039399332}},
    {false,
     12,
     {-0.17419435017841853, -0.11789608992091587, 0.11136969243779861},
     0.20333976628346245,
     {0.550506765452328, -0.6841540085700393, -0.6785008294598369, 1.07436094794717, 1.720914999975777,
      5.715709536853888}},
    {true,
     1,
     {-0.12750177850449512, -0.29100041560903056, -0.3300254279043076},
     0.32546130174966736,
     {0.9959443558309625, 1.0384901978033674, 1.0633482369406118}},
    {true,
     12,
     {-0.17386306184466768, -0.11916003792608765, 0.10816606710237232},
     0.4152679519311394,
     {0.23127119528555043, 0.19824809712291921, 1.8971103938903222}},
};

static void expect_near(double value, double wanted)
{
    if (!(fabs(value - wanted) < 1e-11 * (1 + fabs(wanted))))
        fail_msg("%.16g, expected %.16g", value, wanted);
}

static void test_learns_what_pycma_learns(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof states / sizeof *states; s++) {
        struct cma_es es = prepared(states[s].is_diagonal);
        for (int generation = 0; generation < states[s].generations; generation++)
            learn(&es, generation);
        expect_near(es.sigma, states[s].sigma);
        const double *covariance = states[s].covariance;
        for (int i = 0; i < N; i++) {
            expect_near(es.mean[i], states[s].mean[i]);
            if (es.is_diagonal)
                expect_near(es.scaling[i], covariance[i]);
            for (int j = i; j < N && !es.is_diagonal; j++)
                expect_near(es.covariance[i * N + j], *covariance++);
        }
        cma_es_release(&es);
    }
}

/* The factor of one generation whitens what it coloured: lengths of sampled points are those of the normals.
 */
static void test_samples_have_the_covariance(void **state)
{
    (void)state;
    enum { N_SAMPLES = 4000 };
    struct cma_es es = prepared(false);
    double values[POPULATION][N], sums[N][N] = {{0}};
    for (int generation = 0; generation < 12; generation++)
        learn(&es, generation);
    struct draws draws = draws_begin(3, 1);
    for (int sample = 0; sample < N_SAMPLES; sample++) {
        cma_es_sample(&es, &draws, values[0]);
        for (int k = 0; k < POPULATION; k++)
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++)
                    sums[i][j] += (values[k][i] - es.mean[i]) * (values[k][j] - es.mean[j]);
    }
    for (int i = 0; i < N; i++) {
        for (int j = i; j < N; j++) {
            const double found = sums[i][j] / (N_SAMPLES * POPULATION * es.sigma * es.sigma);
            const double scale = sqrt(es.covariance[i * N + i] * es.covariance[j * N + j]);
            assert_true(fabs(found - es.covariance[i * N + j]) < 0.03 * scale);
        }
    }
    cma_es_release(&es);
}

static void test_starts_with_the_package_s_sigma(void **state)
{
    (void)state;
    const int sizes[] = {1, 17, 18, 128};
    const double sigmas[] = {0.3, 0.3, 0.15, 0.15};
    for (int i = 0; i < 4; i++) {
        struct cma_es es;
        struct error error = {0};
        assert_int_equal(cma_es_prepare(&es, sizes[i], false, &error), STATUS_OK);
        assert_float_equal(es.sigma, sigmas[i], 0);
        cma_es_release(&es);
    }
}

static void test_ends_on_equal_losses(void **state)
{
    (void)state;
    struct cma_es es = prepared(false);
    double values[POPULATION * N];
    struct draws draws = draws_begin(1, 1);
    cma_es_sample(&es, &draws, values);
    double losses[POPULATION] = {0, 0, 0, 0, 0, 0, 1}; /* six of seven, more than three quarters */
    cma_es_learn(&es, values, losses);
    assert_false(cma_es_has_converged(&es));
    cma_es_learn(&es, values, losses);
    assert_true(cma_es_has_converged(&es));
    cma_es_restart(&es);
    assert_false(cma_es_has_converged(&es));
    for (int i = 0; i < N; i++)
        assert_float_equal(es.mean[i], 0, 0);
    losses[5] = 1;
    cma_es_learn(&es, values, losses);
    cma_es_learn(&es, values, losses);
    assert_false(cma_es_has_converged(&es));
    cma_es_release(&es);
}

/* A mean that does not move: 20 generations and a tenth of all, plus that of the count at the first. */
static void test_ends_where_the_mean_rests(void **state)
{
    (void)state;
    struct cma_es es = prepared(true);
    const double values[POPULATION * N] = {0}, losses[POPULATION] = {1, 2, 3, 4, 5, 6, 7};
    int generation = 0;
    for (; !cma_es_has_converged(&es); generation++) {
        double noisy[POPULATION];
        for (int k = 0; k < POPULATION; k++)
            noisy[k] = losses[k] + generation;
        cma_es_learn(&es, values, noisy);
    }
    assert_int_equal(generation, 23); /* the first count with count > 20 + count / 10 */
    cma_es_release(&es);
}

static void test_moves_to_a_better_point(void **state)
{
    (void)state;
    struct cma_es es = prepared(false);
    const double first[N] = {1, 2, 3}, second[N] = {3, 2, 1};
    cma_es_offer(&es, first, NAN);
    cma_es_offer(&es, first, 5e20); /* what stands for not a number */
    assert_float_equal(es.mean[0], 0, 0);
    cma_es_offer(&es, first, 0.5);
    cma_es_offer(&es, second, 0.75);
    assert_memory_equal(es.mean, first, sizeof first);
    learn(&es, 0); /* its best loss is below 0 */
    cma_es_offer(&es, second, 0.25);
    assert_memory_equal(es.start, first, sizeof first);
    cma_es_offer(&es, second, -9);
    assert_memory_equal(es.mean, second, sizeof second);
    learn(&es, 1);
    cma_es_restart(&es);
    assert_memory_equal(es.mean, second, sizeof second);
    cma_es_release(&es);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_what_pycma_learns),
        cmocka_unit_test(test_samples_have_the_covariance),
        cmocka_unit_test(test_starts_with_the_package_s_sigma),
        cmocka_unit_test(test_ends_on_equal_losses),
        cmocka_unit_test(test_ends_where_the_mean_rests),
        cmocka_unit_test(test_moves_to_a_better_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
