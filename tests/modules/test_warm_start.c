/* SPDX-License-Identifier: MIT */
/** Search methods that are told codes which they did not ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/search/ranking.h"
#include "hash.h"
#include "search.h"

enum { N_DIMENSIONS = 24, N_POINTS = 64, N_QUERIES = 200, N_TOLD = 3 };

/** Best, 0, at one code; as large as the activations for which the rates of the gradient methods were chosen.
 */
static float score(const int32_t *code)
{
    double sum = 0;
    for (int i = 0; i < N_DIMENSIONS; i++) {
        const double distance = (code[i] - (37 * i + 11) % N_POINTS) / 64.0;
        sum += distance * distance;
    }
    return -(float)(100 * sum / N_DIMENSIONS);
}

/** Codes so far from the best one in every index, on one side and on the other; the first is the nearest. */
static void make_told(int distance, int32_t codes[N_TOLD][N_DIMENSIONS], float scores[N_TOLD])
{
    for (int i = 0; i < N_TOLD; i++) {
        for (int j = 0; j < N_DIMENSIONS; j++) {
            const int best = (37 * j + 11) % N_POINTS, away = distance * (i + 1);
            codes[i][j] = best + (best < N_POINTS / 2 ? away : -away);
        }
        scores[i] = score(codes[i]);
    }
}

struct outcome {
    float best;
    uint64_t codes_hash;
};

/** A search that is first told n_told codes, if any. */
static struct outcome search_from(const struct search_method *method, int n_told,
                                  int32_t (*told)[N_DIMENSIONS], const float *told_scores)
{
    const struct search_problem problem = {N_DIMENSIONS, N_POINTS, N_QUERIES, /*key=*/5, -4, 4};
    struct outcome outcome = {.best = -INFINITY};
    struct search *search = NULL;
    void *settings = NULL;
    struct error error = {0};
    assert_int_equal(search_settings_read(method, NULL, method->name, &settings, &error), STATUS_OK);
    assert_int_equal(search_create(method, &problem, settings, &search, &error), STATUS_OK);
    const int batch = method->batch(settings, N_DIMENSIONS);
    int32_t *codes = calloc((size_t)batch * N_DIMENSIONS, sizeof *codes);
    float *scores = calloc((size_t)batch, sizeof *scores);
    if (n_told > 0)
        method->inform(search, n_told, told[0], told_scores);
    for (int query = 0; query < N_QUERIES; query += batch) {
        method->ask(search, codes);
        outcome.codes_hash =
            hash_continue(outcome.codes_hash, codes, sizeof *codes * (size_t)batch * N_DIMENSIONS);
        for (int i = 0; i < batch * N_DIMENSIONS; i++)
            assert_in_range(codes[i], 0, N_POINTS - 1);
        for (int i = 0; i < batch; i++) {
            scores[i] = score(codes + (ptrdiff_t)i * N_DIMENSIONS);
            outcome.best = fmaxf(outcome.best, scores[i]);
        }
        method->tell(search, scores);
    }
    search_destroy(method, search);
    free(codes);
    free(scores);
    free(settings);
    return outcome;
}

static void test_good_codes_lead_to_better_ones(void **state)
{
    (void)state;
    int32_t told[N_TOLD][N_DIMENSIONS];
    float scores[N_TOLD];
    int n_methods = 0;
    make_told(6, told, scores);
    for (int i = 0; search_methods[i] != NULL; i++) {
        const struct search_method *method = search_methods[i];
        if (method->inform == NULL)
            continue;
        const float cold = search_from(method, 0, NULL, NULL).best;
        const float warm = search_from(method, N_TOLD, told, scores).best;
        n_methods++;
        if (!(warm > cold))
            fail_msg("%s reaches %g from codes of %g to %g, and %g from nothing", method->name, (double)warm,
                     (double)scores[N_TOLD - 1], (double)scores[0], (double)cold);
    }
    assert_true(n_methods >= 10);
}

static void test_the_best_code_counts_wherever_it_stands(void **state)
{
    (void)state;
    int32_t told[N_TOLD][N_DIMENSIONS], reversed[N_TOLD][N_DIMENSIONS];
    float scores[N_TOLD], reversed_scores[N_TOLD];
    static const char *const names[] = {"fdgd", "nes", "cma_cholesky", "one_plus_one", "tt", "tt_b", NULL};
    make_told(6, told, scores);
    for (int i = 0; i < N_TOLD; i++) {
        memcpy(reversed[i], told[N_TOLD - 1 - i], sizeof told[i]);
        reversed_scores[i] = scores[N_TOLD - 1 - i];
    }
    for (int i = 0; names[i] != NULL; i++) {
        const struct search_method *method = search_method_find(names[i]);
        assert_true(search_from(method, N_TOLD, told, scores).codes_hash ==
                    search_from(method, N_TOLD, reversed, reversed_scores).codes_hash);
        assert_true(search_from(method, N_TOLD, told, scores).codes_hash !=
                    search_from(method, 1, reversed, reversed_scores).codes_hash);
    }
}

static void test_scores_that_are_no_numbers_tell_nothing(void **state)
{
    (void)state;
    int32_t told[N_TOLD][N_DIMENSIONS];
    float scores[N_TOLD];
    static const char *const names[] = {"fdgd", "nes",       "cma_cholesky", "tt",
                                        "tt_b", "xdream_ga", "elite_ga",     NULL};
    make_told(6, told, scores);
    for (int i = 0; i < N_TOLD; i++)
        scores[i] = NAN;
    for (int i = 0; names[i] != NULL; i++)
        assert_true(search_from(search_method_find(names[i]), N_TOLD, told, scores).codes_hash ==
                    search_from(search_method_find(names[i]), 0, NULL, NULL).codes_hash);
}

static void test_random_has_no_use_for_codes(void **state)
{
    (void)state;
    assert_null(search_method_find("random")->inform);
}

static void test_best_of_scores(void **state)
{
    (void)state;
    const float scores[] = {1, NAN, 3, -INFINITY, 3, 2, 5, NAN, 2};
    const int all[] = {6, 2, 4, 5, 8, 0, 3};
    struct ranked ranked[9];
    for (int most = 1; most <= 9; most++) {
        const int n = ranking_best(scores, 9, most, ranked);
        assert_int_equal(n, most < 7 ? most : 7);
        for (int i = 0; i < n; i++) {
            assert_int_equal(ranked[i].place, all[i]);
            assert_true(ranked[i].score == (double)scores[all[i]]);
        }
    }
    assert_int_equal(ranking_best(scores + 1, 1, 3, ranked), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_codes_lead_to_better_ones),
        cmocka_unit_test(test_the_best_code_counts_wherever_it_stands),
        cmocka_unit_test(test_scores_that_are_no_numbers_tell_nothing),
        cmocka_unit_test(test_random_has_no_use_for_codes),
        cmocka_unit_test(test_best_of_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
