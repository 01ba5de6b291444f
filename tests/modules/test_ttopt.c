/* SPDX-License-Identifier: MIT */
/*
 * TTOpt: rows of large volume, the order in which it asks, and functions whose maximum a tensor train of rank
 * one or two must find. That it asks what the published package asks is tests/python/test_ttopt.py.
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

#include "../../src/search/draws.h"
#include "../../src/search/maxvol.h"
#include "document.h"
#include "hash.h"
#include "search.h"

enum { N_ROWS = 10, N_COLUMNS = 5 };

/* ---- Rows of large volume ---- */

/* Of a square matrix, which is overwritten: elimination with row exchanges. */
static double determinant(int n, double *matrix)
{
    double product = 1;
    for (int column = 0; column < n; column++) {
        int pivot = column;
        for (int row = column; row < n; row++)
            if (fabs(matrix[row * n + column]) > fabs(matrix[pivot * n + column]))
                pivot = row;
        for (int i = 0; i < n; i++) {
            const double swapped = matrix[column * n + i];
            matrix[column * n + i] = matrix[pivot * n + i];
            matrix[pivot * n + i] = swapped;
        }
        product *= pivot == column ? matrix[column * n + column] : -matrix[column * n + column];
        for (int row = column + 1; row < n; row++) {
            const double factor = matrix[row * n + column] / matrix[column * n + column];
            for (int i = column; i < n; i++)
                matrix[row * n + i] -= factor * matrix[column * n + i];
        }
    }
    return product;
}

static double volume(const double *matrix, const int rows[N_COLUMNS])
{
    double chosen[N_COLUMNS * N_COLUMNS];
    for (int i = 0; i < N_COLUMNS; i++)
        memcpy(chosen + i * N_COLUMNS, matrix + rows[i] * N_COLUMNS, N_COLUMNS * sizeof *chosen);
    return fabs(determinant(N_COLUMNS, chosen));
}

static void random_matrix(uint32_t step, double matrix[N_ROWS * N_COLUMNS])
{
    struct draws draws = draws_begin(3, step);
    draws_normals(&draws, matrix, N_ROWS * N_COLUMNS);
}

static void choose(const double *matrix, int rows[N_COLUMNS])
{
    double copy[N_ROWS * N_COLUMNS];
    int order[N_ROWS];
    memcpy(copy, matrix, sizeof copy);
    maxvol_choose(N_ROWS, N_COLUMNS, copy, order, rows);
    for (int i = 0; i < N_COLUMNS; i++) {
        assert_in_range(rows[i], 0, N_ROWS - 1);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(rows[i], rows[j]);
    }
}

static void test_no_exchange_of_rows_makes_the_volume_larger(void **state)
{
    (void)state;
    for (uint32_t step = 0; step < 200; step++) {
        double matrix[N_ROWS * N_COLUMNS];
        int rows[N_COLUMNS];
        random_matrix(step, matrix);
        choose(matrix, rows);
        const double most = volume(matrix, rows) * (1.001 + 1e-9);
        for (int i = 0; i < N_COLUMNS * N_ROWS; i++) {
            int changed[N_COLUMNS];
            memcpy(changed, rows, sizeof changed);
            changed[i % N_COLUMNS] = i / N_COLUMNS;
            assert_true(volume(matrix, changed) <= most);
        }
    }
}

/* Rows are those of the space of the columns, whatever its basis. */
static void test_rows_do_not_depend_on_the_basis(void **state)
{
    (void)state;
    for (uint32_t step = 0; step < 50; step++) {
        double matrix[N_ROWS * N_COLUMNS], scaled[N_ROWS * N_COLUMNS];
        int rows[N_COLUMNS], again[N_COLUMNS];
        random_matrix(step, matrix);
        for (int i = 0; i < N_ROWS * N_COLUMNS; i++)
            scaled[i] = -1e-100 * (matrix[i] + (i % N_COLUMNS > 0 ? 1e3 * matrix[i - 1] : 0));
        choose(matrix, rows);
        choose(scaled, again);
        assert_memory_equal(rows, again, sizeof rows);
    }
}

static void test_matrices_of_low_rank_have_rows_too(void **state)
{
    (void)state;
    int rows[N_COLUMNS];
    double matrix[N_ROWS * N_COLUMNS] = {0};
    choose(matrix, rows);
    for (int i = 0; i < N_ROWS * N_COLUMNS; i++)
        matrix[i] = 0.25;
    choose(matrix, rows);
    for (int i = 0; i < N_ROWS; i++)
        matrix[i * N_COLUMNS + 2] = i == 7 ? 5 : 0;
    choose(matrix, rows);
    int found = 0;
    for (int i = 0; i < N_COLUMNS; i++)
        found += rows[i] == 7;
    assert_int_equal(found, 1);
}

/* ---- The search ---- */

typedef float (*score_function)(const int32_t *code, int n_dimensions);

struct run {
    const struct search_method *method;
    void *settings;
    struct search *search;
    int n_dimensions;
};

static struct run start(const char *mapping, int n_dimensions, int n_points, uint64_t key)
{
    struct run run = {.method = search_method_find("ttopt"), .n_dimensions = n_dimensions};
    const struct search_problem problem = {
        .n_dimensions = n_dimensions, .n_points = n_points, .budget = 100000, .key = key};
    struct document *document = NULL;
    struct error error = {0};
    assert_non_null(run.method);
    assert_int_equal(document_read_text(mapping, "test", &document, &error), STATUS_OK);
    assert_int_equal(
        search_settings_read(run.method, document_root(document), "ttopt", &run.settings, &error), STATUS_OK);
    assert_int_equal(search_create(run.method, &problem, run.settings, &run.search, &error), STATUS_OK);
    assert_int_equal(run.method->batch(run.settings, n_dimensions), 2);
    document_free(document);
    return run;
}

static void finish(struct run *run)
{
    search_destroy(run->method, run->search);
    free(run->settings);
}

/* The best score of the next queries, whose codes go to `codes` [n_queries][n_dimensions], unless NULL. */
static float go_on(struct run *run, int n_queries, score_function function, int32_t *codes)
{
    const int d = run->n_dimensions;
    float best = -INFINITY;
    for (int query = 0; query < n_queries; query += 2) {
        int32_t asked[2 * 16];
        float scores[2];
        run->method->ask(run->search, asked);
        for (int i = 0; i < 2; i++) {
            scores[i] = function(asked + i * d, d);
            best = fmaxf(best, scores[i]);
        }
        if (codes != NULL)
            memcpy(codes + query * d, asked, sizeof *asked * 2 * (size_t)d);
        run->method->tell(run->search, scores);
    }
    return best;
}

static uint64_t asked_hash(const char *mapping, uint64_t key, score_function function)
{
    enum { N_QUERIES = 3000, D = 8 };
    static int32_t codes[N_QUERIES * D];
    struct run run = start(mapping, D, 16, key);
    go_on(&run, N_QUERIES, function, codes);
    finish(&run);
    return hash_bytes(codes, sizeof codes);
}

/* A product over binary digits, the least significant one the strongest: rank 1. */
static float product(const int32_t *code, int n_dimensions)
{
    double value = 1;
    for (int i = 0; i < n_dimensions; i++) {
        const int wrong = (code[i] ^ (37 * i + 11)) & 15;
        value *= 1 - 0.1 * __builtin_popcount((unsigned)wrong) - 0.05 * (wrong & 1);
    }
    return (float)value;
}

static float below_zero(const int32_t *code, int n_dimensions)
{
    return product(code, n_dimensions) - 5;
}

static float in_steps(const int32_t *code, int n_dimensions)
{
    return floorf(1024 * product(code, n_dimensions)) / 1024;
}

static float in_steps_far_above(const int32_t *code, int n_dimensions)
{
    return 4096 + in_steps(code, n_dimensions);
}

static float sometimes_no_number(const int32_t *code, int n_dimensions)
{
    return code[0] % 4 == 0 ? NAN : product(code, n_dimensions);
}

static float sometimes_infinite(const int32_t *code, int n_dimensions)
{
    return code[0] % 4 == 0 ? -INFINITY : product(code, n_dimensions);
}

static float never_a_number(const int32_t *code, int n_dimensions)
{
    (void)code;
    (void)n_dimensions;
    return NAN;
}

static float too_large(const int32_t *code, int n_dimensions)
{
    (void)n_dimensions;
    return code[0] == 3 ? INFINITY : -3e38F;
}

/* Where the search should be, and what was asked there. */
struct sweep {
    int n_links[9]; /**< beginnings or endings before each of 8 modes */
    int mode, direction;
    int32_t codes[50 * 2];
    float best_score;
    unsigned best;
};

static unsigned bits_of(const struct sweep *sweep, int i)
{
    return (unsigned)sweep->codes[i * 2] | (unsigned)sweep->codes[i * 2 + 1] << 4;
}

/* Each beginning with either bit, the beginnings fastest, and every ending; none of them twice. */
static void check_step(const struct sweep *sweep)
{
    const int left = sweep->n_links[sweep->mode], right = sweep->n_links[sweep->mode + 1];
    const unsigned below = (1U << sweep->mode) - 1, above = ~below << 1;
    for (int i = 0; i < 2 * left * right; i++) {
        assert_int_equal(bits_of(sweep, i) >> sweep->mode & 1, i / left % 2);
        assert_int_equal(bits_of(sweep, i) & below, bits_of(sweep, i % left) & below);
        assert_int_equal(bits_of(sweep, i) & above, bits_of(sweep, i / left / 2 * 2 * left) & above);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(bits_of(sweep, i), bits_of(sweep, j));
    }
}

/* The beginnings (or endings) of this step are a beginning (or ending) of the last step and a bit, among them
 * those of its best code. */
static void check_kept(const struct sweep *last, const struct sweep *sweep)
{
    const unsigned kept = sweep->direction > 0 ? (1U << sweep->mode) - 1 : ~((2U << sweep->mode) - 1) & 255;
    const int n_last = 2 * last->n_links[last->mode] * last->n_links[last->mode + 1];
    const int n = 2 * sweep->n_links[sweep->mode] * sweep->n_links[sweep->mode + 1];
    bool has_best = false;
    for (int i = 0; i < n; i++) {
        bool was_asked = false;
        for (int j = 0; j < n_last; j++)
            was_asked = was_asked || ((bits_of(sweep, i) ^ bits_of(last, j)) & kept) == 0;
        assert_true(was_asked);
        has_best = has_best || ((bits_of(sweep, i) ^ last->best) & kept) == 0;
    }
    assert_true(has_best);
}

static void ask_step(struct run *run, struct sweep *sweep)
{
    const int n = 2 * sweep->n_links[sweep->mode] * sweep->n_links[sweep->mode + 1];
    sweep->best_score = -INFINITY;
    go_on(run, n, product, sweep->codes);
    for (int i = 0; i < n; i++) {
        const float score = product(sweep->codes + i * 2, 2);
        if (score > sweep->best_score) {
            sweep->best_score = score;
            sweep->best = bits_of(sweep, i);
        }
    }
}

/* The next mode, or the same in the other direction; the number of links between the two modes. */
static void move_on(struct sweep *sweep)
{
    const int next = sweep->mode + sweep->direction, boundary = sweep->direction > 0 ? next : sweep->mode;
    if (next < 0 || next > 7) {
        sweep->direction = -sweep->direction;
        return;
    }
    const int most = 2 * sweep->n_links[boundary - sweep->direction];
    sweep->n_links[boundary] = most < sweep->n_links[boundary] ? most : sweep->n_links[boundary];
    sweep->mode = next;
}

static void test_every_step_asks_a_product_and_keeps_the_best(void **state)
{
    (void)state;
    for (uint64_t key = 1; key <= 20; key++) {
        struct sweep last, sweep = {.n_links = {1, 2, 4, 5, 5, 5, 5, 5, 1}, .mode = 7, .direction = -1};
        struct run run = start("{}", 2, 16, key);
        for (int step = 0; step < 40; step++) {
            ask_step(&run, &sweep);
            check_step(&sweep);
            if (step > 0 && sweep.mode != last.mode)
                check_kept(&last, &sweep);
            last = sweep;
            move_on(&sweep);
        }
        finish(&run);
    }
}

static void test_maximum_of_a_product_is_found(void **state)
{
    (void)state;
    for (uint64_t key = 1; key <= 10; key++) {
        struct run run = start("{}", 16, 16, key);
        assert_float_equal(go_on(&run, 6400, product, NULL), 1, 0);
        finish(&run);
        run = start("{}", 16, 16, key);
        assert_float_equal(go_on(&run, 6400, below_zero, NULL), -4, 0);
        finish(&run);
        run = start("{rank: 2, smoothing: 0}", 16, 16, key);
        assert_float_equal(go_on(&run, 2000, product, NULL), 1, 0);
        finish(&run);
    }
}

static void test_settings_and_key_are_used(void **state)
{
    (void)state;
    const char *const mappings[] = {"{}", "{rank: 4}", "{smoothing: 9}", "{smoothing: 0}"};
    uint64_t hashes[4];
    for (int i = 0; i < 4; i++) {
        hashes[i] = asked_hash(mappings[i], 1, product);
        for (int j = 0; j < i; j++)
            assert_true(hashes[i] != hashes[j]);
    }
    assert_true(asked_hash("{rank: 5, smoothing: 1}", 1, product) == hashes[0]);
    assert_true(asked_hash("{}", 1 + (1ULL << 32), product) != hashes[0]);
}

static void test_only_differences_of_scores_matter(void **state)
{
    (void)state;
    assert_true(asked_hash("{}", 1, in_steps) == asked_hash("{}", 1, in_steps_far_above));
    assert_true(asked_hash("{smoothing: 0}", 1, in_steps) ==
                asked_hash("{smoothing: 0}", 1, in_steps_far_above));
}

static void test_scores_that_are_no_numbers(void **state)
{
    (void)state;
    assert_true(asked_hash("{}", 1, sometimes_no_number) == asked_hash("{}", 1, sometimes_infinite));
    assert_true(asked_hash("{}", 1, sometimes_no_number) != asked_hash("{}", 1, product));
    asked_hash("{}", 1, never_a_number);
    asked_hash("{smoothing: 0}", 1, never_a_number);
    asked_hash("{}", 1, too_large);
    asked_hash("{smoothing: 1e9}", 1, too_large);
}

static void test_smallest_spaces(void **state)
{
    (void)state;
    const int shapes[][2] = {{1, 2}, {1, 4}, {2, 2}, {3, 2}, {1, 1024}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int rank = 1; rank <= 100; rank += 33) {
            char mapping[32];
            int32_t codes[2 * 16];
            snprintf(mapping, sizeof mapping, "{rank: %d}", rank);
            struct run run = start(mapping, shapes[i][0], shapes[i][1], 2);
            for (int ask = 0; ask < 500; ask++) {
                run.method->ask(run.search, codes);
                for (int j = 0; j < 2 * shapes[i][0]; j++)
                    assert_in_range(codes[j], 0, shapes[i][1] - 1);
                run.method->tell(run.search, (float[]){(float)codes[0], (float)codes[shapes[i][0]]});
            }
            finish(&run);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_exchange_of_rows_makes_the_volume_larger),
        cmocka_unit_test(test_rows_do_not_depend_on_the_basis),
        cmocka_unit_test(test_matrices_of_low_rank_have_rows_too),
        cmocka_unit_test(test_every_step_asks_a_product_and_keeps_the_best),
        cmocka_unit_test(test_maximum_of_a_product_is_found),
        cmocka_unit_test(test_settings_and_key_are_used),
        cmocka_unit_test(test_only_differences_of_scores_matter),
        cmocka_unit_test(test_scores_that_are_no_numbers),
        cmocka_unit_test(test_smallest_spaces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
