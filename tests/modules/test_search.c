/* SPDX-License-Identifier: MIT */
/*
 * Search methods through their contract (ask, tell, replay, refusals), and the best scores they reach against
 * those of the published packages.
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

#include "../../src/search/archive.h"
#include "../../src/search/bins.h"
#include "../../src/search/draws.h"
#include "document.h"
#include "hash.h"
#include "random.h"
#include "search.h"

typedef float (*score_function)(const int32_t *code, int n_dimensions);

/* A method with settings, ready to make searches. */
struct setup {
    const struct search_method *method;
    void *settings;
};

static struct setup set_up(const char *name, const char *mapping)
{
    struct setup setup = {.method = search_method_find(name)};
    struct document *document = NULL;
    struct error error = {0};
    assert_non_null(setup.method);
    if (mapping != NULL)
        assert_int_equal(document_read_text(mapping, "test", &document, &error), STATUS_OK);
    const struct node *root = document == NULL ? NULL : document_root(document);
    assert_int_equal(search_settings_read(setup.method, root, name, &setup.settings, &error), STATUS_OK);
    document_free(document);
    return setup;
}

/* 64 points are those of a grid, as in SN-GAN; other numbers are rows of a codebook. */
static struct search *start(const struct setup *setup, int n_dimensions, int n_points, int64_t budget,
                            uint64_t key)
{
    struct search_problem problem = {.n_dimensions = n_dimensions,
                                     .n_points = n_points,
                                     .budget = budget,
                                     .key = key,
                                     .low = n_points == 64 ? -4 : 0,
                                     .high = n_points == 64 ? 4 : 0};
    struct search *search = NULL;
    struct error error = {0};
    assert_int_equal(search_create(setup->method, &problem, setup->settings, &search, &error), STATUS_OK);
    return search;
}

/* What a run leaves: its best score and the hash of all codes asked. */
struct outcome {
    float best;
    uint64_t codes_hash;
};

/*
 * One run as a campaign does it: the last batch is cut at the budget and not told. With `stored` scores the
 * function is not called: a replay. `scores` [budget] is written, or may be NULL.
 */
static struct outcome run(const struct setup *setup, int n_dimensions, int n_points, int64_t budget,
                          uint64_t key, score_function function, const float *stored, float *scores)
{
    struct search *search = start(setup, n_dimensions, n_points, budget, key);
    struct outcome outcome = {.best = -INFINITY};
    int batch = setup->method->batch(setup->settings, n_dimensions);
    int32_t *codes = calloc((size_t)batch * (size_t)n_dimensions, sizeof *codes);
    float *told = calloc((size_t)batch, sizeof *told);
    for (int64_t query = 0; query < budget; query += batch) {
        int n = budget - query < batch ? (int)(budget - query) : batch;
        setup->method->ask(search, codes);
        outcome.codes_hash =
            hash_continue(outcome.codes_hash, codes, (size_t)n * (size_t)n_dimensions * sizeof *codes);
        for (int i = 0; i < n; i++) {
            told[i] = stored != NULL ? stored[query + i] : function(codes + i * n_dimensions, n_dimensions);
            outcome.best = fmaxf(outcome.best, told[i]);
            if (scores != NULL)
                scores[query + i] = told[i];
        }
        for (int i = 0; i < batch * n_dimensions; i++)
            assert_in_range(codes[i], 0, n_points - 1);
        if (n == batch)
            setup->method->tell(search, told);
    }
    free(codes);
    free(told);
    search_destroy(setup->method, search);
    return outcome;
}

/* ---- Functions to maximise, on 64 points ---- */

static float sphere(const int32_t *code, int n_dimensions)
{
    double sum = 0;
    for (int i = 0; i < n_dimensions; i++) {
        double distance = (code[i] - (37 * i + 11) % 64) / 64.0;
        sum += distance * distance;
    }
    return -(float)(sum / n_dimensions);
}

/* As large as the activations for which the rates of the gradient methods were chosen. */
static float steep(const int32_t *code, int n_dimensions)
{
    return 100 * sphere(code, n_dimensions);
}

/* Of each index the six binary digits: all ones is best, else the fewer the better. */
static float trap(const int32_t *code, int n_dimensions)
{
    double sum = 0;
    for (int i = 0; i < n_dimensions; i++) {
        int ones = __builtin_popcount((unsigned)code[i]);
        sum += ones == 6 ? 1.0 : (5 - ones) / 6.0;
    }
    return (float)(sum / n_dimensions);
}

/* At most 21 levels, like the rate of a layer of one pixel over 20 steps: many ties. */
static float levels(const int32_t *code, int n_dimensions)
{
    return (float)(floor(20 * exp(4 * (double)sphere(code, n_dimensions))) / 20);
}

/* The share of right binary digits, peaked: a search goes on until nearly all probabilities are zero or one.
 */
static float peak(const int32_t *code, int n_dimensions)
{
    int n_right = 0;
    for (int i = 0; i < n_dimensions; i++)
        n_right += 6 - __builtin_popcount((unsigned)(code[i] ^ ((37 * i + 11) % 64)) & 63U);
    return (float)pow(n_right / (6.0 * n_dimensions), 20);
}

static float constant(const int32_t *code, int n_dimensions)
{
    (void)code;
    (void)n_dimensions;
    return 0.5F;
}

/* ---- Table and settings ---- */

static void test_table_finds_every_method_once(void **state)
{
    (void)state;
    const char *const wanted[] = {"tt",           "tt_s",      "tt_b", "tt_exp", "tt_plain", "cma_cholesky",
                                  "one_plus_one", "xdream_ga", "fdgd", "nes",    "random"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct search_method *method = search_method_find(wanted[i]);
        assert_non_null(method);
        assert_string_equal(method->name, wanted[i]);
    }
    for (int i = 0; search_methods[i] != NULL; i++)
        assert_ptr_equal(search_method_find(search_methods[i]->name), search_methods[i]);
    assert_null(search_method_find("tt_"));
    assert_null(search_method_find(""));
}

static void test_presets_and_their_overrides(void **state)
{
    (void)state;
    const struct {
        const char *name, *mapping;
        int batch;
    } rows[] = {{"tt", NULL, 10},          {"tt_s", NULL, 5},        {"tt_b", NULL, 25},
                {"tt_exp", NULL, 100},     {"tt_plain", NULL, 10},   {"one_plus_one", NULL, 1},
                {"random", NULL, 10},      {"xdream_ga", NULL, 20},  {"fdgd", NULL, 20},
                {"fdgd", "samples: 7", 6}, {"nes", NULL, 20},        {"cma_cholesky", NULL, 40},
                {"tt", "batch: 7", 7},     {"random", "batch: 3", 3}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setup setup = set_up(rows[i].name, rows[i].mapping);
        assert_int_equal(setup.method->batch(setup.settings, 16), rows[i].batch);
        free(setup.settings);
    }
}

/* Every setting has an effect on what is asked; the ones of tt spelled out make tt_s into tt. */
static void test_settings_are_used(void **state)
{
    (void)state;
    const char *const mappings[] = {NULL, "top: 2", "learning_rate: 0.2", "rank: 3", "gradient_steps: 2"};
    uint64_t hashes[5];
    for (int i = 0; i < 5; i++) {
        struct setup setup = set_up("tt", mappings[i]);
        hashes[i] = run(&setup, 16, 64, 100, 1, sphere, NULL, NULL).codes_hash;
        free(setup.settings);
        for (int j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    }
    struct setup same =
        set_up("tt_s", "{batch: 10, top: 1, learning_rate: 0.05, rank: 5, gradient_steps: 1}");
    assert_true(run(&same, 16, 64, 100, 1, sphere, NULL, NULL).codes_hash == hashes[0]);
    free(same.settings);
}

static void expect_refusal(const char *name, const char *mapping, int n_dimensions, int n_points,
                           const char *part_of_message)
{
    struct setup setup = set_up(name, mapping);
    struct search_problem problem = {
        .n_dimensions = n_dimensions, .n_points = n_points, .budget = 100, .key = 1};
    struct search *search = NULL;
    struct error error = {0};
    assert_int_equal(search_create(setup.method, &problem, setup.settings, &search, &error),
                     STATUS_BAD_INPUT);
    assert_non_null(strstr(error.message, part_of_message));
    assert_non_null(strstr(error.message, name));
    free(setup.settings);
}

static void test_refusals_say_what_is_wrong(void **state)
{
    (void)state;
    expect_refusal("tt", "{batch: 4, top: 5}", 4, 64, "top is 5");
    expect_refusal("tt_b", NULL, 4, 63, "63 points");
    for (int i = 0; search_methods[i] != NULL; i++) {
        expect_refusal(search_methods[i]->name, NULL, 0, 64, "0 dimensions");
        expect_refusal(search_methods[i]->name, NULL, 4, 1, "1 points");
    }
}

/* ---- A method that fails on its way ---- */

struct search {
    struct search_problem problem;
    void *part;
};

/** What is still to be freed of all its searches; how often it was asked to. */
static int n_allocated, n_releases;

static enum status failing_prepare(const struct search_method *method, struct search *search,
                                   const void *settings, struct error *error)
{
    (void)method;
    (void)settings;
    assert_int_equal(search->problem.key, 77);
    assert_null(search->part);
    search->part = malloc(1);
    n_allocated++;
    return search->problem.budget > 1 ? STATUS_OK : error_set(error, STATUS_INTERNAL, "the rest is missing");
}

static void failing_release(struct search *search)
{
    n_releases++;
    n_allocated -= search->part != NULL;
    free(search->part);
}

static void test_what_failed_is_released(void **state)
{
    (void)state;
    const struct search_method method = {.name = "failing",
                                         .search_size = sizeof(struct search),
                                         .prepare = failing_prepare,
                                         .release = failing_release};
    struct search_problem problem = {.n_dimensions = 2, .n_points = 4, .budget = 1, .key = 77};
    struct search *search = NULL;
    struct error error = {0};
    assert_int_equal(search_create(&method, &problem, NULL, &search, &error), STATUS_INTERNAL);
    assert_string_equal(error.message, "the rest is missing");
    assert_null(search);
    assert_int_equal(n_releases, 1);
    problem.budget = 2;
    assert_int_equal(search_create(&method, &problem, NULL, &search, &error), STATUS_OK);
    assert_int_equal(n_allocated, 1);
    search_destroy(&method, search);
    assert_int_equal(n_allocated, 0);
    search_destroy(&method, NULL);
    assert_int_equal(n_releases, 2);
}

/* ---- Every method ---- */

static void test_every_method_stays_in_small_spaces(void **state)
{
    (void)state;
    const int shapes[][2] = {{1, 2}, {2, 2}, {1, 64}, {2, 64}, {3, 4}, {2, 3}, {5, 7}};
    for (int i = 0; search_methods[i] != NULL; i++) {
        struct setup setup = set_up(search_methods[i]->name, NULL);
        for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
            int n_dimensions = shapes[j][0], n_points = shapes[j][1];
            if (setup.method->needs_power_of_two && (n_points & (n_points - 1)) != 0)
                continue;
            run(&setup, n_dimensions, n_points, 405, 3, sphere, NULL, NULL);
            run(&setup, n_dimensions, n_points, 405, 3, constant, NULL, NULL);
        }
        free(setup.settings);
    }
}

/* Another budget is another search. */
static bool plans_with_budget(const struct search_method *method)
{
    return strcmp(method->name, "portfolio") == 0 || strcmp(method->name, "spsa") == 0;
}

static void test_replay_asks_the_same_codes(void **state)
{
    (void)state;
    enum { BUDGET = 1234, LONGER = 1500 };
    static float scores[BUDGET], longer_scores[LONGER];
    for (int i = 0; search_methods[i] != NULL; i++) {
        struct setup setup = set_up(search_methods[i]->name, NULL);
        struct outcome first = run(&setup, 16, 64, BUDGET, 77, levels, NULL, scores);
        struct outcome replayed = run(&setup, 16, 64, BUDGET, 77, NULL, scores, NULL);
        assert_true(first.codes_hash == replayed.codes_hash);
        /* A larger budget goes through the same codes, also those of the batch that was cut. */
        run(&setup, 16, 64, LONGER, 77, levels, NULL, longer_scores);
        if (!plans_with_budget(search_methods[i]))
            assert_memory_equal(scores, longer_scores, sizeof scores);
        assert_true(run(&setup, 16, 64, BUDGET, 78, levels, NULL, NULL).codes_hash != first.codes_hash);
        assert_true(run(&setup, 16, 64, BUDGET, 77 + (1ULL << 32), levels, NULL, NULL).codes_hash !=
                    first.codes_hash);
        free(setup.settings);
    }
}

/* Without noise and with few queries; spsa hardly moves at the rate of its package. */
static bool is_meant_to_learn(const struct search_method *method)
{
    const char *const others[] = {"random", "noisy_bandit", "spsa"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(method->name, others[i]) == 0)
            return false;
    }
    return true;
}

static void test_methods_learn(void **state)
{
    (void)state;
    enum { N_QUERIES = 6000 }; /* ttopt has learned nothing before it went through all modes once */
    struct setup baseline = set_up("random", NULL);
    float random_best = run(&baseline, 16, 64, N_QUERIES, 5, steep, NULL, NULL).best;
    for (int i = 0; search_methods[i] != NULL; i++) {
        struct setup setup = set_up(search_methods[i]->name, NULL);
        const float best = run(&setup, 16, 64, N_QUERIES, 5, steep, NULL, NULL).best;
        if (is_meant_to_learn(setup.method) && !(best > 0.75F * random_best))
            fail_msg("%s reaches %g, random %g", setup.method->name, (double)best, (double)random_best);
        free(setup.settings);
    }
    free(baseline.settings);
}

static void test_random_codes_are_even(void **state)
{
    (void)state;
    enum { N_ASKS = 1000, N_POINTS = 6, N_DIMENSIONS = 5 };
    struct setup setup = set_up("random", NULL);
    struct search *search = start(&setup, N_DIMENSIONS, N_POINTS, 10000, 1);
    int counts[N_POINTS] = {0}, n = 10 * N_DIMENSIONS;
    for (int ask = 0; ask < N_ASKS; ask++) {
        int32_t codes[10 * N_DIMENSIONS];
        setup.method->ask(search, codes);
        for (int i = 0; i < n; i++)
            counts[codes[i]]++;
    }
    double expected = (double)N_ASKS * n / N_POINTS;
    for (int i = 0; i < N_POINTS; i++)
        assert_true(fabs(counts[i] - expected) < 5 * sqrt(expected * (1 - 1.0 / N_POINTS)));
    search_destroy(setup.method, search);
    free(setup.settings);
}

/* ---- PROTES ---- */

/* The codes of the second ask after a batch of two was told these scores. */
static uint64_t asked_after(float first, float second)
{
    struct setup setup = set_up("tt", "batch: 2");
    struct search *search = start(&setup, 4, 64, 100, 9);
    int32_t codes[2 * 4];
    uint64_t hash = 0;
    for (int ask = 0; ask < 50; ask++) {
        setup.method->ask(search, codes);
        hash = hash_continue(hash, codes, sizeof codes);
        setup.method->tell(search, (float[]){first, second});
    }
    search_destroy(setup.method, search);
    free(setup.settings);
    return hash;
}

static void test_protes_prefers_the_later_of_equal_scores(void **state)
{
    (void)state;
    uint64_t equal = asked_after(0.5F, 0.5F);
    assert_true(equal == asked_after(0.1F, 0.5F));
    assert_true(equal != asked_after(0.5F, 0.1F));
    assert_true(equal == asked_after(NAN, 0.5F));
    assert_true(equal != asked_after(0.5F, NAN));
    assert_true(equal == asked_after(NAN, -INFINITY));
}

/* The least significant digit is the first mode: with all else equal, the first random word decides it. */
static void test_protes_writes_binary_digits_lowest_first(void **state)
{
    (void)state;
    struct setup quantised = set_up("tt", NULL), plain = set_up("tt_plain", NULL);
    struct search *digits = start(&quantised, 2, 8, 100, 21), *points = start(&plain, 6, 2, 100, 21);
    int32_t codes[10 * 2], bits[10 * 6];
    quantised.method->ask(digits, codes);
    plain.method->ask(points, bits); /* the same train of six binary modes */
    for (int i = 0; i < 20; i++)
        assert_int_equal(codes[i], bits[3 * i] + 2 * bits[3 * i + 1] + 4 * bits[3 * i + 2]);
    search_destroy(quantised.method, digits);
    search_destroy(plain.method, points);
    free(quantised.settings);
    free(plain.settings);
}

/* A train that met something that is not a number would ask at random from then on: about 1e-6 here, 1e-4 in
 * 4 dimensions. */
static void check_long_run(const char *name, const char *mapping, int n_dimensions, int n_points,
                           double wanted)
{
    enum { BUDGET = 12000, LAST = 1000 };
    static float scores[BUDGET];
    struct setup setup = set_up(name, mapping);
    run(&setup, n_dimensions, n_points, BUDGET, 1, peak, NULL, scores);
    double mean = 0;
    for (int i = BUDGET - LAST; i < BUDGET; i++)
        mean += scores[i] / (double)LAST;
    if (!(mean > wanted))
        fail_msg("%s, %d dimensions: the mean of the last scores is %g, expected above %g", name,
                 n_dimensions, mean, wanted);
    free(setup.settings);
}

static void test_protes_stays_finite_when_probabilities_vanish(void **state)
{
    (void)state;
    check_long_run("tt", NULL, 128, 64, 1e-3);
    check_long_run("tt_b", NULL, 64, 512, 0.03);
    check_long_run("tt", NULL, 4, 64, 0.9);
    check_long_run("tt", "{learning_rate: 2, gradient_steps: 3}", 16, 64, 0.1);
    check_long_run("tt_plain", NULL, 16, 64, 1e-4);
}

/* ---- One plus one ---- */

static void expect_child(const struct search_method *method, struct search *search, uint32_t step,
                         const int32_t *parent, double sigma, int32_t code[3])
{
    struct bins bins;
    struct error error = {0};
    double normals[3];
    struct draws draws = draws_begin(4, step);
    draws_normals(&draws, normals, 3);
    assert_int_equal(bins_prepare(&bins, 64, &error), STATUS_OK);
    method->ask(search, code);
    for (int i = 0; i < 3; i++) {
        double centre = parent == NULL ? 0 : bins.centres[parent[i]];
        assert_int_equal(code[i], bins_index(&bins, centre + sigma * normals[i]));
    }
    bins_release(&bins);
}

/* Start, step size and parent after a better, an equal and a worse score. */
static void test_one_plus_one_follows_its_rule(void **state)
{
    (void)state;
    struct setup setup = set_up("one_plus_one", NULL);
    struct search *search = start(&setup, 3, 64, 100, 4);
    int32_t first[3], second[3], third[3], fourth[3], fifth[3];
    setup.method->ask(search, first);
    for (int i = 0; i < 3; i++)
        assert_int_equal(first[i], 32);
    setup.method->tell(search, (float[]){0.25F});
    expect_child(setup.method, search, 2, NULL, 2, second);
    setup.method->tell(search, (float[]){0.25F}); /* equal: the later becomes the parent, sigma stays */
    expect_child(setup.method, search, 3, second, 2, third);
    setup.method->tell(search, (float[]){0.125F}); /* worse */
    expect_child(setup.method, search, 4, second, 2 * 0.84, fourth);
    setup.method->tell(search, (float[]){0.5F}); /* better */
    expect_child(setup.method, search, 5, fourth, 4 * 0.84, fifth);
    search_destroy(setup.method, search);
    free(setup.settings);
}

/* Pruning drops all that is no better than the rest, which leaves nothing of a plateau but the best code. */
static void test_one_plus_one_goes_on_where_nothing_is_better(void **state)
{
    (void)state;
    enum { N = 32, SHRINKING = 18, QUERIES = 1100 };
    struct setup setup = set_up("one_plus_one", NULL);
    struct search *search = start(&setup, N, 64, QUERIES, 3);
    int32_t code[N] = {0}, before[N];
    for (int query = 0; query < QUERIES; query++) {
        const float score = query > 0 && query < SHRINKING ? -1 : 0;
        double moved = 0;
        memcpy(before, code, sizeof before);
        setup.method->ask(search, code);
        for (int i = 0; i < N && query > SHRINKING; i++)
            moved += abs(code[i] - before[i]) / (double)N;
        if (moved > 8)
            fail_msg("query %d lies %g points a dimension from the code before it", query, moved);
        setup.method->tell(search, &score);
    }
    search_destroy(setup.method, search);
    free(setup.settings);
}

static void test_bins_are_those_of_the_normal_distribution(void **state)
{
    (void)state;
    const int sizes[] = {2, 3, 5, 64, 512};
    const int starts[] = {0, 1, 2, 32, 256}; /* where Nevergrad 1.0.12 puts its starting point */
    for (int i = 0; i < 5; i++) {
        struct bins bins;
        struct error error = {0};
        assert_int_equal(bins_prepare(&bins, sizes[i], &error), STATUS_OK);
        for (int index = 0; index < sizes[i]; index++)
            assert_int_equal(bins_index(&bins, bins.centres[index]), index);
        assert_int_equal(bins_index(&bins, -50), 0);
        assert_int_equal(bins_index(&bins, 50), sizes[i] - 1);
        assert_int_equal(bins_index(&bins, INFINITY), sizes[i] - 1);
        assert_int_equal(bins_index(&bins, NAN), 0);
        assert_int_equal(bins_index(&bins, 0), starts[i]);
        bins_release(&bins);
    }
    struct bins bins;
    struct error error = {0};
    assert_int_equal(bins_prepare(&bins, 64, &error), STATUS_OK);
    assert_float_equal(bins.centres[63], 2.41755902, 1e-8); /* as told by the package for its last choice */
    bins_release(&bins);
}

static void add_point(struct archive *archive, int32_t code, double loss)
{
    archive_add(archive, &code, 0, loss);
}

static void test_archive_trusts_what_was_told_twice(void **state)
{
    (void)state;
    struct archive archive;
    struct error error = {0};
    assert_int_equal(archive_prepare(&archive, 1, &error), STATUS_OK);
    add_point(&archive, 1, 0.5);
    add_point(&archive, 2, 0.25);
    assert_int_equal(archive.best_code[0], 2);
    add_point(&archive, 1, 0.5); /* the package's variance of a code told once is 1e6 */
    assert_int_equal(archive.best_code[0], 1);
    add_point(&archive, 3, 0.0);
    assert_int_equal(archive.best_code[0], 1);
    add_point(&archive, 3, 0.0);
    assert_int_equal(archive.best_code[0], 3);
    add_point(&archive, 3, 3.0); /* mean 1, variance sqrt(3/2) * 2: the estimate is 1 + 0.1 sqrt(0.6124) */
    assert_int_equal(archive.best_code[0], 1);
    assert_float_equal(archive.best.mean, 0.5, 0);
    archive_release(&archive);
}

static void test_archive_prunes(void **state)
{
    (void)state;
    struct archive archive;
    struct error error = {0};
    assert_int_equal(archive_prepare(&archive, 1, &error), STATUS_OK);
    for (int i = 0; i < 999; i++)
        add_point(&archive, i, 1000 - i);
    assert_int_equal(archive.n_entries, 999);
    add_point(&archive, 999, 0.5);
    assert_int_equal(archive.n_entries,
                     100); /* numpy.quantile(losses, 101/1000, method="lower") is exclusive */
    assert_int_equal(archive.best_code[0], 999);
    assert_true(archive.best_is_kept);
    for (int i = 0; i < 5000; i++)
        add_point(&archive, 1000 + i, 0.25); /* ties: the best may be pruned, yet stays the best */
    assert_true(archive.n_entries < 1000);
    assert_int_equal(archive.best_code[0], 5999);
    archive_release(&archive);
}

/* ---- Against the published packages ---- */

/* Some scores and the share of the package's runs whose best score was at most that. */
struct reference {
    const char *method;
    score_function function;
    int64_t budget;
    float scores[9];
    double shares[9];
};

/*
 * 16 dimensions of 64 points. The tt rows: protes 0.3.12 (jax), d=96, n=2, m=1000, is_max, seeds 0..55; the
 * one_plus_one rows: Nevergrad 1.0.12, OnePlusOne on TransitionChoice(range(64), repetitions=16), budget
 * 1500, random_state.seed(0..27). Functions as above, digits of an index lowest first.
 */
static const struct reference references[] = {
    {"one_plus_one",
     levels,
     1500,
     {0.8F, 0.85F, 0.85F, 0.85F, 0.85F, 0.9F, 0.9F, 0.9F, 0.9F},
     {0.107, 0.536, 0.536, 0.536, 0.536, 0.929, 0.929, 0.929, 0.929}},
    {"one_plus_one",
     sphere,
     1500,
     {-0.0088501F, -0.00352478F, -0.00190735F, -0.00164795F, -0.00141907F, -0.00114441F, -0.000778198F,
      -0.000671387F, -0.000335693F},
     {0.107, 0.214, 0.321, 0.429, 0.500, 0.607, 0.714, 0.821, 0.929}},
    {"tt",
     sphere,
     1000,
     {-0.00834656F, -0.00761414F, -0.00714111F, -0.00637817F, -0.0055542F, -0.00486755F, -0.00445557F,
      -0.0040741F, -0.00312805F},
     {0.107, 0.214, 0.304, 0.411, 0.500, 0.607, 0.714, 0.804, 0.911}},
    {"tt",
     trap,
     1000,
     {0.708333F, 0.708333F, 0.71875F, 0.729167F, 0.739583F, 0.739583F, 0.75F, 0.760417F, 0.770833F},
     {0.232, 0.232, 0.321, 0.411, 0.607, 0.607, 0.732, 0.857, 0.964}},
    {"tt_b",
     sphere,
     1000,
     {-0.0110626F, -0.0096283F, -0.00866699F, -0.00785828F, -0.00746155F, -0.0070343F, -0.0065155F,
      -0.00595093F, -0.00508118F},
     {0.107, 0.214, 0.304, 0.411, 0.500, 0.607, 0.714, 0.804, 0.911}},
    {"tt_b",
     trap,
     1000,
     {0.708333F, 0.729167F, 0.739583F, 0.739583F, 0.75F, 0.75F, 0.760417F, 0.760417F, 0.770833F},
     {0.107, 0.268, 0.464, 0.464, 0.643, 0.643, 0.821, 0.821, 0.946}},
};

static void check_distribution(const struct reference *reference)
{
    enum { N_RUNS = 40 };
    struct setup setup = set_up(reference->method, NULL);
    int counts[9] = {0};
    for (uint64_t key = 1; key <= N_RUNS; key++) {
        float best = run(&setup, 16, 64, reference->budget, key, reference->function, NULL, NULL).best;
        for (int i = 0; i < 9; i++)
            counts[i] += best <= reference->scores[i] + 1e-6F;
    }
    free(setup.settings);
    /* Kolmogorov-Smirnov at the level 0.01 for 40 runs and about 50 of the package. */
    for (int i = 0; i < 9; i++) {
        double share = counts[i] / (double)N_RUNS;
        if (fabs(share - reference->shares[i]) > 0.33)
            fail_msg("%s: %.2f of the runs reach at most %g, of the package's %.2f", reference->method, share,
                     (double)reference->scores[i], reference->shares[i]);
    }
}

static void test_best_scores_are_those_of_the_packages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof references / sizeof *references; i++)
        check_distribution(&references[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_finds_every_method_once),
        cmocka_unit_test(test_presets_and_their_overrides),
        cmocka_unit_test(test_settings_are_used),
        cmocka_unit_test(test_refusals_say_what_is_wrong),
        cmocka_unit_test(test_what_failed_is_released),
        cmocka_unit_test(test_every_method_stays_in_small_spaces),
        cmocka_unit_test(test_replay_asks_the_same_codes),
        cmocka_unit_test(test_methods_learn),
        cmocka_unit_test(test_random_codes_are_even),
        cmocka_unit_test(test_protes_prefers_the_later_of_equal_scores),
        cmocka_unit_test(test_protes_writes_binary_digits_lowest_first),
        cmocka_unit_test(test_protes_stays_finite_when_probabilities_vanish),
        cmocka_unit_test(test_one_plus_one_follows_its_rule),
        cmocka_unit_test(test_one_plus_one_goes_on_where_nothing_is_better),
        cmocka_unit_test(test_bins_are_those_of_the_normal_distribution),
        cmocka_unit_test(test_archive_trusts_what_was_told_twice),
        cmocka_unit_test(test_archive_prunes),
        cmocka_unit_test(test_best_scores_are_those_of_the_packages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
