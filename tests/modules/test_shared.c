/* SPDX-License-Identifier: MIT */
/** Units that share their images: lists of best codes, who gets children, rounds, and their frames. */
#include <math.h>
#include <unistd.h>

#include "campaign_fixture.h"

#include "../../src/campaign/ledger.h"
#include "../../src/campaign/shared/breeders.h"
#include "../../src/campaign/shared/state.h"
#include "journal.h"
#include "random.h"

enum { N_UNITS = 5, MOST = 4, N_OFFERS = 300 };

static uint32_t word(uint32_t i, uint32_t j)
{
    uint32_t words[4];
    random_words(11, (struct random_counter){{i, j, 0, 0}}, words);
    return words[0];
}

/* ---- lists of best codes ---- */

/** Few scores and few codes, so that there are ties and codes that come again. */
static struct elite make_offer(uint32_t i, int32_t *code)
{
    *code = (int32_t)random_below(word(i, 0), 60);
    return (struct elite){(float)(*code % 13), 0, i};
}

/** What the list must be: all offers sorted, each code once. */
static void check_list(const struct elites *elites, int64_t unit)
{
    struct elite before = {INFINITY, 0, -1};
    for (int rank = 0; rank < MOST; rank++) {
        struct elite best = {-INFINITY, 0, 0};
        int32_t best_code = -1;
        for (uint32_t i = 0; i < N_OFFERS; i++) {
            int32_t code, other;
            const struct elite offer = make_offer(i, &code);
            bool is_first = true;
            for (uint32_t j = 0; j < i; j++) {
                make_offer(j, &other);
                is_first = is_first && other != code;
            }
            const bool comes_after =
                offer.score < before.score || (offer.score == before.score && offer.image > before.image);
            if (is_first && comes_after && offer.score > best.score) {
                best = offer;
                best_code = code;
            }
        }
        assert_int_equal(elites_at(elites, unit, rank)->image, best.image);
        assert_int_equal(*elites_code(elites, unit, rank), best_code);
        before = best;
    }
    assert_int_equal(elites->n[unit], MOST);
    assert_true(elites->least[unit] == before.score);
}

/** In order, backwards, and in two halves of which only the best go into the whole. */
static void test_lists_do_not_depend_on_order(void **state)
{
    (void)state;
    struct elites elites, halves[2];
    struct error error = {0};
    int32_t code;
    require(elites_create(&elites, N_UNITS, MOST, 1, &error), &error);
    for (int h = 0; h < 2; h++)
        require(elites_create(&halves[h], 1, MOST, 1, &error), &error);
    for (uint32_t i = 0; i < N_OFFERS; i++) {
        const struct elite forward = make_offer(i, &code);
        elites_offer(&elites, 0, &forward, &code);
        elites_offer(&halves[i % 2], 0, &forward, &code);
        const struct elite backward = make_offer(N_OFFERS - 1 - i, &code);
        elites_offer(&elites, 1, &backward, &code);
    }
    for (int h = 0; h < 2; h++)
        for (int rank = 0; rank < MOST; rank++)
            elites_offer(&elites, 2, elites_at(&halves[h], 0, rank), elites_code(&halves[h], 0, rank));
    for (int64_t unit = 0; unit < 3; unit++)
        check_list(&elites, unit);
    assert_int_equal(elites.n[3], 0);
    elites_free(&elites);
    for (int h = 0; h < 2; h++)
        elites_free(&halves[h]);
}

static void test_lists_take_no_nan(void **state)
{
    (void)state;
    struct elites elites;
    struct error error = {0};
    const int32_t code = 1;
    require(elites_create(&elites, 1, MOST, 1, &error), &error);
    elites_offer(&elites, 0, &(struct elite){NAN, 0, 0}, &code);
    assert_int_equal(elites.n[0], 0);
    assert_true(elites.least[0] == -INFINITY);
    elites_free(&elites);
}

/* ---- who gets children ---- */

/** Turns of each unit in so many rounds of 2, if unit u gains whenever u < n_gaining. */
static void spend(int rule, int n_rounds, int n_gaining, int done, int turns[N_UNITS])
{
    struct spending spending;
    struct error error = {0};
    require(spending_create(&spending, rule, 77, N_UNITS, &error), &error);
    memset(turns, 0, N_UNITS * sizeof *turns);
    if (done >= 0)
        spending.units[done].is_done = true;
    for (int round = 0; round < n_rounds; round++) {
        int32_t asked[2];
        const int n = spending_choose(&spending, round, 2, asked);
        for (int i = 0; i < n; i++) {
            turns[asked[i]]++;
            spending_note(&spending, asked[i], asked[i] < n_gaining);
        }
        assert_true(n < 2 || asked[0] != asked[1]);
    }
    spending_free(&spending);
}

static int rule_named(const char *name)
{
    for (int i = 0; spending_names[i] != NULL; i++)
        if (strcmp(spending_names[i], name) == 0)
            return i;
    fail_msg("no rule %s", name);
    return -1;
}

static void test_turns_are_equal(void **state)
{
    (void)state;
    int turns[N_UNITS];
    spend(rule_named("turns"), 50, 1, -1, turns);
    for (int i = 0; i < N_UNITS; i++)
        assert_int_equal(turns[i], 20);
    spend(rule_named("turns"), 50, 1, 3, turns);
    for (int i = 0; i < N_UNITS; i++)
        assert_int_equal(turns[i], i == 3 ? 0 : 25);
}

/** Who gains gets more, but everybody is tried, and who is done gets nothing. */
static void test_gains_are_rewarded(void **state)
{
    (void)state;
    static const char *const names[] = {"pauses", "bandit"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int turns[N_UNITS], again[N_UNITS];
        spend(rule_named(names[i]), 400, 2, -1, turns);
        for (int unit = 2; unit < N_UNITS; unit++)
            assert_true(turns[unit] >= 1 && turns[0] > 2 * turns[unit] && turns[1] > 2 * turns[unit]);
        spend(rule_named(names[i]), 400, 2, -1, again);
        assert_memory_equal(turns, again, sizeof turns);
        spend(rule_named(names[i]), 400, 2, 0, turns);
        assert_int_equal(turns[0], 0);
        assert_true(turns[1] > 2 * turns[2]);
    }
}

static void test_all_done_is_the_end(void **state)
{
    (void)state;
    struct spending spending;
    struct error error = {0};
    int32_t asked[2];
    require(spending_create(&spending, 0, 77, 1, &error), &error);
    assert_int_equal(spending_choose(&spending, 0, 2, asked), 1);
    spending.units[0].is_done = true;
    assert_int_equal(spending_choose(&spending, 1, 2, asked), 0);
    spending_free(&spending);
}

/* ---- rounds ---- */

static const char job_text[] =
    "results: none\n"
    "subjects: {early: {model: weights/mnist_cnn.yaml, timesteps: 2}, late: {model: "
    "weights/mnist_cnn.yaml}}\n"
    "generators: {vq_vae: {model: weights/mnist_vq_vae.yaml}}\n"
    "methods: {elite_ga: {}, low: {method: elite_ga}, alone: {method: random}}\n"
    "stop: {target: 90}\n"
    "searches:\n"
    "  - {mode: shared, methods: [elite_ga], unit: class, budget: 90, replicates: 2,\n"
    "     shared: {random: 25, round: 20, elite: 4, spending: turns}}\n"
    "  - {mode: shared, methods: [low], unit: class, select: [1], minimise: true, budget: 60,\n"
    "     shared: {random: 25, round: 20}}\n"
    "  - {methods: [alone], unit: class, budget: 10}\n";

static void test_pools_hold_what_shares(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, job_text);
    const struct plan *plan = fixture.plan;
    assert_int_equal(plan->n_pools, 3);
    int64_t n_runs = 0;
    for (int i = 0; i < plan->n_pools; i++) {
        const struct plan_pool *pool = &plan->pools[i];
        assert_int_equal(plan_find_pool(plan, pool->key), i);
        for (int64_t k = 0; k < pool->n_runs; k++) {
            const struct run *run = &plan->runs[pool->runs[k]];
            assert_int_equal(run->pool, i);
            assert_int_equal(run->replicate, pool->replicate);
            assert_int_equal(run_layout(plan, pool->runs[k])->sizes.trace, 0);
        }
        n_runs += pool->n_runs;
    }
    assert_int_equal(n_runs, 2 * 2 * 10 + 2);
    assert_int_equal(plan->runs[find_run(plan, "late/vq_vae/alone/class/3")].pool, -1);
    assert_int_equal(plan_find_pool(plan, 1), -1);
    fixture_close(&fixture);
}

/** An activation that a made-up subject shows. */
static float made_up(const struct shared_round *round, int image, int64_t unit)
{
    return (float)(word((uint32_t)(round->first + image), (uint32_t)(100 + unit)) >> 26);
}

/** Show a round to a made-up subject, as workers would that each find out about a block of images. */
static void show(const struct shared_state *state, struct shared_round *round, int n_workers)
{
    struct error error = {0};
    for (int i = 0; i < round->n_images && round->n_asked > 0; i++)
        round->scores[i] = made_up(round, i, round->asked[i / state->batch]);
    for (int worker = n_workers - 1; worker >= 0; worker--)
        for (int64_t unit = 0; unit < state->pool->n_runs; unit++)
            for (int i = round->n_images * worker / n_workers; i < round->n_images * (worker + 1) / n_workers;
                 i++)
                require(shared_round_tell(
                            round,
                            (struct journal_news){round->first + i, (int32_t)unit, made_up(round, i, unit)},
                            &error),
                        &error);
}

/** News of a census by hand that concern searches which are there: of others' children, of their own. */
static int n_from_others, n_own;

static void count_news(const struct shared_state *state, const struct shared_round *round,
                       const struct breeders *breeders)
{
    for (size_t i = 0; i < round->n_news; i++) {
        const int32_t unit = round->news[i].unit;
        const bool is_own =
            shared_round_bred_for(state, round, (int)(round->news[i].image - round->first)) == unit;
        if (breeders[breeders_worker_of(&breeders[0], unit)].searches[unit] != NULL) {
            n_own += is_own;
            n_from_others += !is_own;
        }
    }
}

/** Do a whole census by hand, with the searches of n_workers; returns the hash of its codes. */
static uint64_t do_census(const struct fixture *fixture, int n_workers, struct shared_state *state)
{
    struct breeders breeders[3];
    struct shared_round round;
    struct error error = {0};
    require(shared_state_create(fixture->plan, &fixture->plan->pools[0], state, &error), &error);
    require(shared_round_create(state, &round, &error), &error);
    for (int w = 0; w < n_workers; w++)
        require(breeders_create(state, w, n_workers, &breeders[w], &error), &error);
    for (;;) {
        shared_round_begin(state, &round);
        if (round.n_images == 0)
            break;
        for (int w = 0; w < n_workers && round.n_asked > 0; w++) {
            const size_t ask = (size_t)state->batch * (size_t)state->n_dimensions;
            int n_asks = 0;
            require(breeders_ask(&breeders[w], &round, &error), &error);
            for (int i = 0; i < round.n_asked; i++)
                if (breeders_worker_of(&breeders[w], round.asked[i]) == w)
                    memcpy(round.codes + (size_t)i * ask, breeders[w].bred + (size_t)n_asks++ * ask,
                           ask * sizeof *round.codes);
        }
        show(state, &round, n_workers);
        require(shared_state_take(state, &round, &error), &error);
        count_news(state, &round, breeders);
        for (int w = 0; w < n_workers; w++)
            breeders_learn(&breeders[w], &round);
    }
    for (int w = 0; w < n_workers; w++)
        breeders_free(&breeders[w]);
    shared_round_free(&round);
    return state->codes_hash;
}

static void test_rounds_do_not_depend_on_workers(void **state)
{
    (void)state;
    struct fixture fixture;
    struct shared_state alone, three;
    fixture_open(&fixture, job_text);
    const uint64_t hash = do_census(&fixture, 1, &alone);
    assert_true(do_census(&fixture, 3, &three) == hash);
    /* 25 random images in two rounds, then three rounds of five asks of four; a fourth has no room in 90 */
    assert_int_equal(alone.n_images, 85);
    assert_int_equal(alone.n_rounds, 5);
    assert_int_equal(alone.n_gains, three.n_gains);
    for (size_t i = 0; i < alone.n_gains; i++)
        assert_true(alone.gains[i].known_after == three.gains[i].known_after &&
                    alone.gains[i].score == three.gains[i].score);
    int64_t evaluations = 0;
    for (int64_t unit = 0; unit < alone.pool->n_runs; unit++) {
        evaluations += alone.units[unit].evaluations;
        assert_true(shared_state_best(&alone, unit) == shared_state_best(&three, unit));
        assert_true(alone.gains[alone.units[unit].last_gain].score == shared_state_best(&alone, unit));
    }
    assert_int_equal(evaluations, 60);
    shared_state_free(&alone);
    shared_state_free(&three);
    fixture_close(&fixture);
}

/** The first pool of the job, before its first round. */
static void open_census(struct fixture *fixture, struct shared_state *census, struct shared_round *round)
{
    struct error error = {0};
    fixture_open(fixture, job_text);
    require(shared_state_create(fixture->plan, &fixture->plan->pools[0], census, &error), &error);
    require(shared_round_create(census, round, &error), &error);
}

static void close_census(struct fixture *fixture, struct shared_state *census, struct shared_round *round)
{
    shared_round_free(round);
    shared_state_free(census);
    fixture_close(fixture);
}

/** Only news that changed a list stay, in order, whoever told what. */
static void test_news_that_count_remain(void **state)
{
    (void)state;
    struct fixture fixture;
    struct shared_state census;
    struct shared_round round;
    struct error error = {0};
    open_census(&fixture, &census, &round);
    shared_round_begin(&census, &round);
    assert_int_equal(round.n_images, 20);
    show(&census, &round, 2);
    require(shared_state_take(&census, &round, &error), &error);
    assert_int_equal(round.n_news, census.pool->n_runs * 4);
    for (size_t i = 1; i < round.n_news; i++)
        assert_true(
            round.news[i - 1].unit < round.news[i].unit ||
            (round.news[i - 1].unit == round.news[i].unit && round.news[i - 1].image < round.news[i].image));
    assert_int_equal(census.n_images, 20);
    close_census(&fixture, &census, &round);
}

/** Who reached the target gets no more children. */
static void test_units_stop(void **state)
{
    (void)state;
    struct fixture fixture;
    struct shared_state census;
    struct shared_round round;
    struct error error = {0};
    open_census(&fixture, &census, &round);
    for (int k = 0; k < 2; k++) {
        shared_round_begin(&census, &round);
        for (int64_t unit = 0; unit < census.pool->n_runs; unit++)
            if (unit != 3)
                require(
                    shared_round_tell(&round, (struct journal_news){round.first, (int32_t)unit, 90}, &error),
                    &error);
        require(shared_state_take(&census, &round, &error), &error);
    }
    assert_int_equal(census.units[0].stop_reason, STOP_TARGET);
    assert_int_equal(census.units[3].stop_reason, STOP_NONE);
    shared_round_begin(&census, &round);
    assert_int_equal(round.n_asked, 1);
    assert_int_equal(round.asked[0], 3);
    assert_int_equal(round.n_images, 4);
    assert_int_equal(shared_round_bred_for(&census, &round, 2), 3);
    close_census(&fixture, &census, &round);
}

/** What the searches of a census learn: as elite_ga, which counts. */
static int n_informed, n_told;

static void count_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    n_informed += n_codes;
    search_method_find("elite_ga")->inform(search, n_codes, codes, scores);
}

static void count_tell(struct search *search, const float *scores)
{
    n_told++;
    search_method_find("elite_ga")->tell(search, scores);
}

/** A search is told of its own children, and informed of those of others alone. */
static void test_searches_learn_from_others(void **state)
{
    (void)state;
    struct fixture fixture;
    struct shared_state census;
    struct search_method counting = *search_method_find("elite_ga");
    fixture_open(&fixture, job_text);
    counting.inform = count_inform;
    counting.tell = count_tell;
    fixture.job->methods[0].method = &counting;
    n_informed = n_told = n_from_others = n_own = 0;
    do_census(&fixture, 2, &census);
    assert_int_equal(n_told, 15);
    /* Each of the 15 asks made a search of its own, with four codes to begin with. */
    assert_true(n_from_others > 0 && n_own > 0);
    assert_int_equal(n_informed, 15 * 4 + n_from_others);
    shared_state_free(&census);
    fixture_close(&fixture);
}

/* ---- frames ---- */

static const char digest[] = "0123";

static void write_round(const char *folder, uint64_t key, const char *isa, const char *date,
                        const struct journal_news *news)
{
    static const int32_t asked[] = {1, 2, 3};
    static const float scores[] = {0.5f, 1, 2};
    struct error error = {0};
    struct journal *journal;
    struct journal_incarnation own = {.identity = {.backend = "cpu"}};
    const struct journal_round round = {.number = 4, .first = 7, .n_asked = 3, .n_images = 3, .n_news = 2};
    snprintf(own.identity.isa, sizeof own.identity.isa, "%s", isa);
    snprintf(own.date, sizeof own.date, "%s", date);
    snprintf(own.job_digest, sizeof own.job_digest, "%s", digest);
    require(journal_create(folder, 0, &own, &journal, &error), &error);
    require(journal_append_round(journal, key, &round, asked, scores, news, &error), &error);
    require(journal_close(journal, &error), &error);
}

static void test_frames_are_found_again(void **state)
{
    (void)state;
    static const struct journal_news news[] = {{7, 1, 0.25f}, {-1, 2, 0}},
                                     others[] = {{7, 1, 0.5f}, {-1, 2, 0}};
    const struct journal_identity own = {.backend = "cpu", .isa = "avx512"},
                                  other = {.backend = "cpu", .isa = "x"};
    struct folder_facts facts = {0};
    struct fixture fixture;
    struct ledger ledger;
    struct error error = {0};
    char folder[] = "/tmp/test_shared.XXXXXX", journals[64], command[128];
    assert_non_null(mkdtemp(folder));
    snprintf(journals, sizeof journals, "%s/journal", folder);
    require(folder_make(journals, &error), &error);
    snprintf(facts.digest, sizeof facts.digest, "%s", digest);
    fixture_open(&fixture, job_text);
    const uint64_t key = fixture.plan->pools[1].key;
    write_round(journals, key, "avx512", "2026-01-01", news);
    write_round(journals, key, "avx512", "2026-01-02", news);
    write_round(journals, key, "avx2", "2026-01-01", others);
    require(ledger_open(fixture.plan, folder, -1, &facts, &ledger, &error), &error);
    assert_int_equal(ledger.counts.n_rounds, 3);
    const struct journal_frame *frame = ledger_find_round(&ledger, 1, 4, &own);
    assert_non_null(frame);
    assert_int_equal(frame->round->first, 7);
    assert_int_equal(frame->asked[2], 3);
    assert_true(frame->round_scores[1] == 1);
    assert_int_equal(frame->news[1].image, -1);
    assert_true(frame->news[0].score == 0.25f);
    assert_null(ledger_find_round(&ledger, 1, 3, &own));
    assert_null(ledger_find_round(&ledger, 0, 4, &own));
    assert_null(ledger_find_round(&ledger, 1, 4, &other));
    ledger_close(&ledger);
    write_round(journals, key, "avx512", "2026-01-03", others);
    assert_int_equal(ledger_open(fixture.plan, folder, -1, &facts, &ledger, &error), STATUS_DAMAGED);
    assert_non_null(strstr(error.message, "round 4 of a shared census has two different results"));
    ledger_close(&ledger);
    write_round(journals, 5, "avx512", "2026-01-03", news);
    assert_int_equal(ledger_open(fixture.plan, folder, -1, &facts, &ledger, &error), STATUS_DAMAGED);
    assert_non_null(strstr(error.message, "belongs to no run of this campaign"));
    ledger_close(&ledger);
    fixture_close(&fixture);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_do_not_depend_on_order),
        cmocka_unit_test(test_lists_take_no_nan),
        cmocka_unit_test(test_turns_are_equal),
        cmocka_unit_test(test_gains_are_rewarded),
        cmocka_unit_test(test_all_done_is_the_end),
        cmocka_unit_test(test_pools_hold_what_shares),
        cmocka_unit_test(test_rounds_do_not_depend_on_workers),
        cmocka_unit_test(test_news_that_count_remain),
        cmocka_unit_test(test_units_stop),
        cmocka_unit_test(test_searches_learn_from_others),
        cmocka_unit_test(test_frames_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
