/* SPDX-License-Identifier: MIT */
/* The methods of Nevergrad 1.0.12: the codes of the package, given the same random numbers, and what they do
 * with scores and codes from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/search/hammersley.h"
#include "document.h"
#include "search.h"

enum { MAX_DIMENSIONS = 64, MAX_BATCH = 40 };

static const char *const names[] = {"cma", "cma_diagonal", "de", "noisy_bandit", "spsa", "portfolio"};
enum { N_NAMES = sizeof names / sizeof *names };

/* ---- One search ---- */

struct run {
    const struct search_method *method;
    struct search *search;
    void *settings;
    int n_dimensions, n_points, batch;
    int32_t codes[MAX_BATCH * MAX_DIMENSIONS]; /* as last asked */
};

static struct run start(const char *name, const char *mapping, int n_dimensions, int n_points, int64_t budget)
{
    struct run run = {.method = search_method_find(name), .n_dimensions = n_dimensions, .n_points = n_points};
    struct document *document = NULL;
    struct error error = {0};
    const struct search_problem problem = {
        .n_dimensions = n_dimensions, .n_points = n_points, .budget = budget, .key = 3};
    assert_non_null(run.method);
    assert_int_equal(document_read_text(mapping, "test", &document, &error), STATUS_OK);
    assert_int_equal(search_settings_read(run.method, document_root(document), name, &run.settings, &error),
                     STATUS_OK);
    assert_int_equal(search_create(run.method, &problem, run.settings, &run.search, &error), STATUS_OK);
    document_free(document);
    run.batch = run.method->batch(run.settings, n_dimensions);
    return run;
}

static void finish(struct run *run)
{
    search_destroy(run->method, run->search);
    free(run->settings);
}

static void ask(struct run *run)
{
    run->method->ask(run->search, run->codes);
    for (int i = 0; i < run->batch * run->n_dimensions; i++)
        assert_in_range(run->codes[i], 0, run->n_points - 1);
}

static const int32_t *code_of(const struct run *run, int i)
{
    return run->codes + (ptrdiff_t)i * run->n_dimensions;
}

/* 0 at the best code, less by each step away from it. */
static float steps_away(const struct run *run, const int32_t *code)
{
    int sum = 0;
    for (int i = 0; i < run->n_dimensions; i++)
        sum += abs(code[i] - (7 * i + 3) % run->n_points);
    return -(float)sum;
}

static void tell(struct run *run)
{
    float scores[MAX_BATCH];
    for (int i = 0; i < run->batch; i++)
        scores[i] = steps_away(run, code_of(run, i));
    run->method->tell(run->search, scores);
}

/* ---- Against the package ---- */

/* The sum of query x dimension x index, both from 1, over all queries, and the last code. */
struct reference {
    const char *name, *mapping;
    int n_dimensions, n_points;
    int64_t budget, sum;
    int32_t last[11];
};

/*
 * The package on TransitionChoice(range(n), repetitions=d) with `steps_away` to be maximised, its random
 * generator replaced by one that gives the numbers of key 3 (each of its calls takes the words that the
 * method takes for it). For `portfolio`, pycma's covariance is the unit matrix at first and has a Cholesky
 * factor in the place of its root, its sort is stable, and the population of TwoPointsDE keeps a new member
 * where it kept the one that had to go. For `spsa` with a rate, the package's `a` is set to it.
 */
static const struct reference references[] = {
    {"de", "{}", 5, 61, 600, 53179585, {13, 1, 17, 25, 21}},
    {"de", "{}", 3, 8, 200, 237786, {3, 0, 0}},
    {"portfolio", "{}", 5, 61, 600, 68392166, {60, 4, 44, 1, 35}},
    {"portfolio", "{}", 11, 61, 300, 91854002, {60, 9, 25, 0, 8, 42, 60, 23, 27, 2, 16}},
    {"noisy_bandit", "{}", 5, 61, 200, 9452051, {3, 7, 20, 42, 51}},
    {"spsa", "{}", 5, 61, 200, 9019023, {28, 28, 31, 31, 32}},
    {"spsa", "{rate: 0.01}", 5, 61, 200, 6567427, {2, 9, 18, 26, 33}},
};

static void test_asks_what_the_package_asks(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof references / sizeof *references; r++) {
        const struct reference *reference = &references[r];
        struct run run = start(reference->name, reference->mapping, reference->n_dimensions,
                               reference->n_points, reference->budget);
        int64_t sum = 0;
        for (int64_t query = 0; query < reference->budget; query += run.batch) {
            ask(&run);
            for (int i = 0; i < run.batch; i++)
                for (int j = 0; j < run.n_dimensions; j++)
                    sum += (query + i + 1) * (j + 1) * code_of(&run, i)[j];
            tell(&run);
        }
        assert_memory_equal(code_of(&run, run.batch - 1), reference->last,
                            (size_t)run.n_dimensions * sizeof *reference->last);
        assert_int_equal(sum, reference->sum);
        finish(&run);
    }
}

/* ---- Scores that are no numbers ---- */

/* A search that is told nothing but such scores goes on; one that is told some, learns from the others. */
static void test_learns_beside_scores_that_are_no_numbers(void **state)
{
    (void)state;
    const float odd[] = {NAN, -INFINITY, -3e38F};
    for (int m = 0; m < N_NAMES; m++) {
        struct run run = start(names[m], "{}", 6, 61, 3000);
        for (int64_t query = 0; query < 600; query += run.batch) {
            float scores[MAX_BATCH];
            ask(&run);
            for (int i = 0; i < run.batch; i++)
                scores[i] = odd[(query + i) % 3];
            run.method->tell(run.search, scores);
        }
        finish(&run);
    }
}

static float best_of_run(const char *name, const char *mapping, bool with_nan)
{
    struct run run = start(name, mapping, 6, 61, 3000);
    float best = -INFINITY;
    for (int64_t query = 0; query < 3000; query += run.batch) {
        float scores[MAX_BATCH];
        ask(&run);
        for (int i = 0; i < run.batch; i++) {
            scores[i] = steps_away(&run, code_of(&run, i));
            best = fmaxf(best, scores[i]);
            if (with_nan && (query + i) % 5 == 4)
                scores[i] = NAN;
        }
        run.method->tell(run.search, scores);
    }
    finish(&run);
    return best;
}

static void test_finds_the_best_code(void **state)
{
    (void)state;
    const char *const learning[] = {"cma", "cma_diagonal", "de", "portfolio", "spsa"};
    const float chance = best_of_run("random", "{}", false);
    for (int m = 0; m < 5; m++) {
        const char *mapping = strcmp(learning[m], "spsa") == 0 ? "{rate: 0.02}" : "{}";
        for (int with_nan = 0; with_nan < 2; with_nan++) {
            const float best = best_of_run(learning[m], mapping, with_nan == 1);
            if (!(best > chance / 2))
                fail_msg("%s: %g, random %g", learning[m], (double)best, (double)chance);
        }
    }
}

/* ---- Codes that were not asked ---- */

static double distance(const struct run *run, const int32_t *from)
{
    double sum = 0;
    for (int i = 0; i < run->batch; i++)
        for (int j = 0; j < run->n_dimensions; j++)
            sum += abs(code_of(run, i)[j] - from[j]) / (double)run->batch;
    return sum;
}

/* Mean distance of the first codes from one that was told before the first ask, or was not. */
static double mean_distance(const char *name, bool is_informed, float score)
{
    enum { N_DIMENSIONS = 12, N_CODES = 40, N_ASKS = 60 };
    struct run run = start(name, "{}", N_DIMENSIONS, 64, 3000);
    int32_t codes[N_CODES * N_DIMENSIONS];
    float scores[N_CODES];
    for (int i = 0; i < N_CODES; i++) {
        scores[i] = score - 0.01F * (float)i;
        for (int j = 0; j < N_DIMENSIONS; j++)
            codes[i * N_DIMENSIONS + j] = 60 - i % 4;
    }
    if (is_informed)
        run.method->inform(run.search, N_CODES, codes, scores);
    double sum = 0;
    for (int i = 0; i < N_ASKS; i++) {
        float told[MAX_BATCH] = {0};
        ask(&run);
        sum += distance(&run, codes) / N_ASKS;
        for (int k = 0; k < run.batch; k++)
            told[k] = -(float)(i + k);
        run.method->tell(run.search, told);
    }
    finish(&run);
    return sum;
}

static void test_starts_from_codes_that_are_known(void **state)
{
    (void)state;
    for (int m = 0; m < N_NAMES; m++) {
        const double cold = mean_distance(names[m], false, 0), warm = mean_distance(names[m], true, 1);
        const double share =
            strcmp(names[m], "portfolio") == 0 ? 0.75 : 0.6; /* a third are Hammersley points */
        if (!(warm < share * cold))
            fail_msg("%s: %g steps away, %g without", names[m], warm, cold);
    }
}

/* A member of the population gives way to a better code only, and the worst of them. */
static void test_de_takes_better_codes(void **state)
{
    (void)state;
    enum { MEMBERS = 30 };
    struct run run = start("de", "{}", 1, 64, 1000);
    int32_t codes[MEMBERS + 2];
    float scores[MEMBERS + 2];
    for (int i = 0; i < MEMBERS + 2; i++) {
        codes[i] = i < MEMBERS ? 5 : 50;
        scores[i] = i < MEMBERS ? 1 : 0.5F;
    }
    run.method->inform(run.search, MEMBERS + 2, codes, scores);
    for (int i = 0; i < 20; i++) { /* all members are alike: so are their children */
        ask(&run);
        assert_int_equal(run.codes[0], 5);
        run.method->tell(run.search, (float[]){0});
    }
    for (int i = 0; i < MEMBERS; i++)
        run.method->inform(run.search, 1, (int32_t[]){40}, (float[]){2});
    for (int i = 0; i < 20; i++) {
        ask(&run);
        assert_int_equal(run.codes[0], 40);
        run.method->tell(run.search, (float[]){0});
    }
    finish(&run);
}

/* ---- Single methods ---- */

static void test_noisy_bandit_adds_arms_slowly(void **state)
{
    (void)state;
    enum { N_ASKS = 2000, N_DIMENSIONS = 8 };
    struct run run = start("noisy_bandit", "{}", N_DIMENSIONS, 64, N_ASKS);
    int32_t arms[64 * N_DIMENSIONS];
    const size_t bytes = N_DIMENSIONS * sizeof *arms;
    int n_arms = 0;
    for (int query = 0; query < N_ASKS; query++) {
        ask(&run);
        int arm = 0;
        while (arm < n_arms && memcmp(arms + arm * N_DIMENSIONS, run.codes, bytes) != 0)
            arm++;
        const bool is_due = 20LL * query >= (int64_t)n_arms * n_arms * n_arms;
        assert_int_equal(arm == n_arms, is_due);
        if (arm == n_arms)
            memcpy(arms + n_arms++ * N_DIMENSIONS, run.codes, bytes);
        tell(&run);
    }
    assert_int_equal(n_arms, 35); /* 34^3 < 20 x 1999 < 35^3 */
    finish(&run);
}

static void test_spsa_asks_on_both_sides(void **state)
{
    (void)state;
    struct run run = start("spsa", "{radius: 0.2, rate: 50}", 9, 63, 1000);
    for (int query = 0; query < 5; query++) {
        ask(&run);
        for (int i = 0; i < 9; i++) /* 31 is the middle; the point has not moved */
            assert_int_equal(code_of(&run, 0)[i] + code_of(&run, 1)[i], 62);
        assert_true(code_of(&run, 0)[0] != 31);
        run.method->tell(run.search, query % 2 == 0 ? (float[]){NAN, 1} : (float[]){1, INFINITY});
    }
    ask(&run);
    const bool is_above = run.codes[0] < 31; /* the first index of the second of the pair */
    run.method->tell(run.search, (float[]){0, 1});
    ask(&run);
    const int sum = code_of(&run, 0)[0] + code_of(&run, 1)[0];
    assert_true(is_above ? sum > 62 : sum < 62); /* it moved towards the better one */
    finish(&run);
}

/* Each dimension in its base: the first base^2 numbers fall once into each of as many equal cells. */
static void test_hammersley_points_are_even(void **state)
{
    (void)state;
    enum { N_DIMENSIONS = 6, N_CELLS = 11 * 11 };
    const int bases[] = {0, 2, 3, 5, 7, 11};
    for (int i = 0; i < N_DIMENSIONS; i++) {
        const int n_cells = i == 0 ? 100 : bases[i] * bases[i];
        struct hammersley hammersley;
        struct error error = {0};
        struct draws draws = draws_begin(8, 0);
        int counts[N_CELLS] = {0}, n_in_order = 0;
        assert_int_equal(hammersley_prepare(&hammersley, N_DIMENSIONS, n_cells, n_cells, &draws, &error),
                         STATUS_OK); /* all but the first index lie on the borders of their cells */
        for (int k = 0; k < n_cells; k++) {
            int32_t code[N_DIMENSIONS];
            hammersley_next(&hammersley, code);
            assert_in_range(code[i], 0, n_cells - 1);
            counts[code[i]]++;
            n_in_order += code[i] == k;
        }
        for (int cell = 0; cell < n_cells; cell++)
            assert_int_equal(counts[cell], 1);
        assert_true(i == 0 ? n_in_order == n_cells : n_in_order < n_cells);
        hammersley_release(&hammersley);
    }
}

static void test_portfolio_takes_turns(void **state)
{
    (void)state;
    enum { BUDGET = 300, SIZE = BUDGET / 3 };
    struct run run = start("portfolio", "{}", 5, SIZE, BUDGET);
    for (int query = 0; query < BUDGET; query++) {
        ask(&run);
        if (query % 3 ==
            2) /* as many Hammersley points as a third of the budget: each index once, in order */
            assert_int_equal(run.codes[0], query / 3);
        tell(&run);
    }
    finish(&run);
    run = start("portfolio", "{}", 5, 61, BUDGET);
    run.method->inform(run.search, 1, (int32_t[]){50, 50, 50, 50, 50}, (float[]){1});
    ask(&run);
    for (int i = 0; i < 5; i++) /* the turn of CMA-ES, which starts there */
        assert_in_range(run.codes[i], 36, 60);
    finish(&run);
    run = start("portfolio", "{}", 5, 11, 11);
    for (int query = 0; query < 11; query++) { /* too few for the others */
        ask(&run);
        assert_int_equal(run.codes[0], query);
        tell(&run);
    }
    finish(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks_what_the_package_asks),
        cmocka_unit_test(test_learns_beside_scores_that_are_no_numbers),
        cmocka_unit_test(test_finds_the_best_code),
        cmocka_unit_test(test_starts_from_codes_that_are_known),
        cmocka_unit_test(test_de_takes_better_codes),
        cmocka_unit_test(test_noisy_bandit_adds_arms_slowly),
        cmocka_unit_test(test_spsa_asks_on_both_sides),
        cmocka_unit_test(test_hammersley_points_are_even),
        cmocka_unit_test(test_portfolio_takes_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
