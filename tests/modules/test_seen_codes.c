/* SPDX-License-Identifier: MIT */
/** The memory for codes of a run: by itself, and that it spares evaluations and changes nothing else. */
#include "campaign_fixture.h"

#include "../../src/campaign/lockstep.h"
#include "../../src/campaign/seen_codes.h"

/* ---- by itself ---- */

enum { N_CODES = 5000, CODE_LENGTH = 49 };

/** Another code for every i. */
static void write_code(int i, int32_t *code)
{
    memset(code, 0, sizeof *code * CODE_LENGTH);
    code[i % CODE_LENGTH] = 1 + i / CODE_LENGTH;
}

static void test_every_score_is_found_again(void **state)
{
    (void)state;
    struct seen_codes *seen;
    struct error error = {0};
    int32_t code[CODE_LENGTH];
    float score;
    require(seen_codes_create(&seen, &error), &error);
    for (int i = 0; i < N_CODES; i++) {
        write_code(i, code);
        assert_false(seen_codes_find(seen, code, sizeof code, &score));
        seen_codes_add(seen, code, sizeof code, (float)i);
    }
    for (int i = 0; i < N_CODES; i++) {
        write_code(i, code);
        assert_true(seen_codes_find(seen, code, sizeof code, &score));
        assert_true(score == (float)i);
    }
    seen_codes_clear(seen);
    assert_false(seen_codes_find(seen, code, sizeof code, &score));
    seen_codes_free(seen);
}

/* ---- in runs ---- */

enum { BUDGET = 300, N_DIMENSIONS = 49, LARGEST_BATCH = 20 };

static const char job_text[] = "results: none\n"
                               "trace: true\n"
                               "subjects: {cnn: {model: weights/mnist_cnn.yaml, timesteps: 4}}\n"
                               "generators: {vq_vae: {model: weights/mnist_vq_vae.yaml}}\n"
                               "methods:\n"
                               "  de: {}\n"
                               "  one_plus_one: {}\n"
                               "  xdream_ga: {mutation_rate: 0.01, conserved: 2}\n"
                               "searches: [{layers: [sn1], select: [3], budget: 300}]\n"
                               "trials: {count: 2}\n"
                               "stop: {at_bound: false}\n";
static struct fixture shared;

static const char *const names[] = {"cnn/vq_vae/de/sn1/3", "cnn/vq_vae/one_plus_one/sn1/3",
                                    "cnn/vq_vae/xdream_ga/sn1/3"};
enum { N_NAMES = 3 };

static struct evaluator *open_evaluator(void)
{
    struct evaluator *evaluator;
    struct error error = {0};
    require(evaluator_create(shared.plan, 0, 0, &evaluator, &error), &error);
    return evaluator;
}

static struct lockstep *advance(int64_t run, const struct replay *replay, const struct lockstep_watch *watch)
{
    struct error error = {0};
    struct lockstep *lockstep;
    struct evaluator *evaluator = open_evaluator();
    require(lockstep_run(shared.plan, evaluator, &run, 1, replay, watch, &lockstep, &error), &error);
    evaluator_free(evaluator);
    return lockstep;
}

/** Is code q of these one of those before it? */
static bool is_repeated(const int32_t *codes, int q)
{
    for (int before = 0; before < q; before++)
        if (memcmp(codes + before * N_DIMENSIONS, codes + q * N_DIMENSIONS, sizeof *codes * N_DIMENSIONS) ==
            0)
            return true;
    return false;
}

/** The search of a run whose every code is shown: its codes [BUDGET][N_DIMENSIONS] and scores [BUDGET]. */
static void show_all(int64_t run, int32_t *codes, float *scores)
{
    const struct plan_group *group = &shared.plan->groups[shared.plan->runs[run].group];
    const struct job_method *method = &shared.job->methods[group->method];
    const struct unit *unit = &shared.plan->subjects[0].units[shared.plan->runs[run].unit];
    const struct search_problem problem = {
        .n_dimensions = N_DIMENSIONS, .n_points = 256, .budget = BUDGET, .key = shared.plan->runs[run].key};
    const int batch = method->method->batch(method->settings, N_DIMENSIONS);
    struct search *search;
    struct error error = {0};
    struct evaluator *evaluator = open_evaluator();
    assert_int_equal(BUDGET % batch, 0);
    require(search_create(method->method, &problem, method->settings, &search, &error), &error);
    for (int q = 0; q < BUDGET; q++) {
        if (q % batch == 0)
            method->method->ask(search, codes + q * N_DIMENSIONS);
        scores[q] =
            evaluator_activation(evaluator, unit, evaluator_image(evaluator, codes + q * N_DIMENSIONS));
        if (q % batch == batch - 1)
            method->method->tell(search, scores + q - (batch - 1));
    }
    search_destroy(method->method, search);
    evaluator_free(evaluator);
}

static void test_repeats_are_spared_and_nothing_else_changes(void **state)
{
    (void)state;
    static int32_t codes[BUDGET * N_DIMENSIONS];
    float scores[BUDGET];
    for (int i = 0; i < N_NAMES; i++) {
        const int64_t run = find_run(shared.plan, names[i]);
        const struct record_layout *layout = run_layout(shared.plan, run);
        int64_t n_queries, n_evaluations, n_different = 0;
        show_all(run, codes, scores);
        for (int q = 0; q < BUDGET; q++)
            n_different += !is_repeated(codes, q);
        struct lockstep *lockstep = advance(run, &(struct replay){0}, NULL);
        const void *record = lockstep_result(lockstep, 0).record;
        memcpy(&n_queries, record_at_const(layout, record, FIELD_QUERIES), sizeof n_queries);
        memcpy(&n_evaluations, record_at_const(layout, record, FIELD_EVALUATIONS), sizeof n_evaluations);
        assert_memory_equal(record_at_const(layout, record, FIELD_TRACE), scores, sizeof scores);
        assert_int_equal(n_queries, BUDGET);
        assert_in_range(n_different, 1, BUDGET - 1);
        assert_int_equal(n_evaluations, n_different);
        lockstep_free(lockstep);
    }
}

static bool stops_after(void *context)
{
    return --*(int *)context < 0;
}

static void count_nothing(void *context, int64_t n_queries)
{
    (void)context;
    (void)n_queries;
}

/** Left in the middle and gone on with: what the first part has seen is not shown again by the second. */
static void test_a_replay_is_remembered(void **state)
{
    (void)state;
    for (int i = 0; i < N_NAMES; i++) {
        const int64_t run = find_run(shared.plan, names[i]);
        int n_looks = BUDGET / 2;
        const struct lockstep_watch watch = {&n_looks, stops_after, count_nothing};
        struct lockstep *undisturbed = advance(run, &(struct replay){0}, NULL);
        struct lockstep *left = advance(run, &(struct replay){0}, &watch);
        const struct lockstep_result part = lockstep_result(left, 0);
        assert_false(part.finished);
        assert_in_range(part.n_told, BUDGET / 4, BUDGET / 2);
        const struct replay replay = {part.n_told, part.codes_hash, part.scores, STOP_NONE};
        struct lockstep *resumed = advance(run, &replay, NULL);
        assert_null(different_field(run_layout(shared.plan, run), lockstep_result(resumed, 0).record,
                                    lockstep_result(undisturbed, 0).record));
        lockstep_free(undisturbed);
        lockstep_free(left);
        lockstep_free(resumed);
    }
}

static int open_shared(void **state)
{
    (void)state;
    fixture_open(&shared, job_text);
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    fixture_close(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_score_is_found_again),
        cmocka_unit_test(test_repeats_are_spared_and_nothing_else_changes),
        cmocka_unit_test(test_a_replay_is_remembered),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
