/* SPDX-License-Identifier: MIT */
/** The codes with the best scores of a run, against all its queries sorted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "../../src/campaign/candidates.h"
#include "random.h"

enum { N_QUERIES = 300, N_CODES = 40, MOST = 7 };

/** Of each code the best score and its first query; -1: never asked. */
struct best {
    float score;
    int64_t query;
};

static void ask(struct candidates *candidates, uint64_t key, struct best best[N_CODES])
{
    for (int i = 0; i < N_CODES; i++)
        best[i] = (struct best){NAN, -1};
    for (int64_t query = 1; query <= N_QUERIES; query++) {
        uint32_t words[4];
        random_words(key, (struct random_counter){{(uint32_t)query, 0, 0, 0}}, words);
        const int number = (int)(words[0] % N_CODES);
        const int32_t code[] = {number, -number, number / 2};
        const float score = words[1] % 10 == 0 ? NAN : (float)(words[2] % 20) / 20; /* many ties */
        candidates_offer(candidates, code, score, query);
        struct best *found = &best[number];
        const bool is_better = candidates->minimise ? score < found->score : score > found->score;
        if (!isnan(score) && (found->query < 0 || is_better))
            *found = (struct best){score, query};
    }
}

/** Takes the best one out of the list. */
static int take_best(struct best best[N_CODES], bool minimise)
{
    int place = -1;
    for (int i = 0; i < N_CODES; i++) {
        if (best[i].query < 0)
            continue;
        const bool is_better =
            place < 0 || (minimise ? best[i].score < best[place].score : best[i].score > best[place].score) ||
            (best[i].score == best[place].score && best[i].query < best[place].query);
        place = is_better ? i : place;
    }
    return place;
}

static void check(bool minimise)
{
    struct candidates candidates;
    struct best best[N_CODES];
    struct error error = {0};
    assert_int_equal(candidates_prepare(&candidates, MOST, 3, minimise, &error), STATUS_OK);
    for (uint64_t key = 1; key < 30; key++) {
        candidates_clear(&candidates);
        ask(&candidates, key, best);
        assert_int_equal(candidates.n, MOST);
        for (int i = 0; i < MOST; i++) {
            const int expected = take_best(best, minimise);
            assert_int_equal(candidates.items[i].code[0], expected);
            assert_int_equal(candidates.items[i].code[1], -expected);
            assert_int_equal(candidates.items[i].query, best[expected].query);
            assert_true(candidates.items[i].score == best[expected].score);
            best[expected].query = -1;
        }
    }
    candidates_release(&candidates);
}

static void test_the_best_of_all_queries(void **state)
{
    (void)state;
    check(false);
    check(true);
}

static void test_fewer_codes_than_places(void **state)
{
    (void)state;
    struct candidates candidates;
    struct error error = {0};
    const int32_t a = 1, b = 2;
    assert_int_equal(candidates_prepare(&candidates, MOST, 1, false, &error), STATUS_OK);
    candidates_offer(&candidates, &a, 0.5f, 1);
    candidates_offer(&candidates, &b, NAN, 2);
    candidates_offer(&candidates, &a, 0.5f, 3);
    assert_int_equal(candidates.n, 1);
    assert_int_equal(candidates.items[0].query, 1);
    candidates_release(&candidates);
    assert_int_equal(candidates_prepare(&candidates, 0, 1, false, &error), STATUS_OK);
    candidates_offer(&candidates, &a, 0.5f, 1);
    assert_int_equal(candidates.n, 0);
    candidates_release(&candidates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_best_of_all_queries),
        cmocka_unit_test(test_fewer_codes_than_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
