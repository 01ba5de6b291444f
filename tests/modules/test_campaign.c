/* SPDX-License-Identifier: MIT */
/** Plans (names, keys, shards), the order of work, and what the journals are believed. */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "campaign_fixture.h"

#include "../../src/campaign/dispatch.h"
#include "../../src/campaign/ledger.h"
#include "../../src/campaign/master.h"
#include "clock.h"
#include "hash.h"

static const char small_text[] =
    FIXTURE_MODELS "seed: 7\n"
                   "methods: {random: {}}\n"
                   "searches:\n"
                   "  - {layers: [sn1, layer4.1.sn2], select: [3, 5], budget: 8}\n"
                   "  - {unit: neuron, layers: [sn1], select: [[1, 2, 3]], budget: 8}\n"
                   "  - {unit: class, select: [3], budget: 8}\n"
                   "trials: {count: 2}\n";

/** The same and more: a method and a generator before and after, layers between, replicates, shards. */
static const char large_text[] =
    "results: other\n"
    "seed: 7\n"
    "shards: 3\n"
    "batch: 4\n"
    "subjects:\n"
    "  plain: {model: weights/relu_resnet18.yaml}\n"
    "  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 4}\n"
    "generators:\n"
    "  again: {model: weights/vq_vae.yaml}\n"
    "  vq_vae: {model: weights/vq_vae.yaml}\n"
    "methods: {tt_b: {}, random: {}, one_plus_one: {}}\n"
    "searches:\n"
    "  - {methods: [one_plus_one, random], layers: [layer1.0.sn1], sample: 2, budget: 30, replicates: 3}\n"
    "  - {methods: [random], layers: [sn1, layer4.1.sn2], select: [0, 3-5], budget: 30, replicates: 3}\n"
    "  - {methods: [random], unit: neuron, layers: [sn1], select: [[1, 2, 3], [0, 0, 0]], budget: 30, "
    "replicates: 3}\n"
    "  - {methods: [random, tt_b], unit: class, budget: 30, replicates: 3}\n";

/* ---- plans ---- */

static void test_keys_are_of_names(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, small_text);
    const struct plan *plan = fixture.plan;
    const char *const texts[][2] = {
        {"spiking/vq_vae/random/sn1/3", "7/spiking/vq_vae/random/sn1/3/-1/-1/0"},
        {"spiking/vq_vae/random/layer4.1.sn2/5", "7/spiking/vq_vae/random/layer4.1.sn2/5/-1/-1/0"},
        {"spiking/vq_vae/random/sn1/1,2,3", "7/spiking/vq_vae/random/sn1/1/2/3/0"},
        {"spiking/vq_vae/random/class/3", "7/spiking/vq_vae/random/class/3/-1/-1/0"}};
    assert_int_equal(plan->n_runs, 6);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const int64_t run = find_run(plan, texts[i][0]);
        assert_true(plan->runs[run].key == hash_bytes(texts[i][1], strlen(texts[i][1])));
        assert_int_equal(plan_find(plan, plan->runs[run].key), run);
    }
    assert_int_equal(plan_find(plan, 1), -1);
    fixture_close(&fixture);
}

static void test_additions_change_no_key(void **state)
{
    (void)state;
    struct fixture small, large;
    fixture_open(&small, small_text);
    fixture_open(&large, large_text);
    for (int64_t r = 0; r < small.plan->n_runs; r++) {
        char name[RUN_NAME_CAPACITY], in_large[RUN_NAME_CAPACITY + 16];
        plan_run_name(small.plan, r, name);
        snprintf(in_large, sizeof in_large, "%s replicate 0", name);
        assert_true(large.plan->runs[find_run(large.plan, in_large)].key == small.plan->runs[r].key);
    }
    fixture_close(&small);
    fixture_close(&large);
}

static void test_shards_divide_the_runs(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, large_text);
    const struct plan *plan = fixture.plan;
    /* 2 subjects x 2 generators x 3 replicates x units of one_plus_one, of random, of tt_b */
    assert_int_equal(plan->n_runs, 2 * 2 * 3 * (2 + (2 + 2 * 4 + 2 + 10) + 10));
    assert_int_equal(plan_shard_runs(plan, 0) + plan_shard_runs(plan, 1) + plan_shard_runs(plan, 2),
                     plan->n_runs);
    for (int64_t r = 1; r < plan->n_runs; r++) {
        const struct run *a = &plan->runs[r - 1], *b = &plan->runs[r];
        assert_true(a->group < b->group ||
                    (a->group == b->group &&
                     (a->unit < b->unit || (a->unit == b->unit && a->replicate + 1 == b->replicate))));
    }
    fixture_close(&fixture);
}

/** The job that run.json keeps means the same plan. */
static void test_echo_is_the_same_job(void **state)
{
    (void)state;
    struct fixture first, second;
    char *text = NULL;
    size_t length = 0;
    fixture_open(&first, large_text);
    FILE *stream = open_memstream(&text, &length);
    job_echo(first.job, true, stream);
    fclose(stream);
    fixture_open(&second, text);
    assert_int_equal(first.plan->n_runs, second.plan->n_runs);
    for (int64_t r = 0; r < first.plan->n_runs; r++)
        assert_true(first.plan->runs[r].key == second.plan->runs[r].key);
    assert_string_equal(second.job->results, "other");
    assert_int_equal(second.job->shards, 3);
    assert_int_equal(second.job->batch, 4);
    fixture_close(&first);
    fixture_close(&second);
    free(text);
}

static void test_quotes_survive_the_echo(void **state)
{
    (void)state;
    struct job *first, *second;
    struct error error = {0};
    char *text = NULL;
    size_t length = 0;
    const char *const set[] = {"results=\"it's: a \\\"folder\\\" # here\"", "isa=reference"};
    char path[] = "/tmp/test_campaign.XXXXXX";
    const int descriptor = mkstemp(path);
    assert_true(write(descriptor, small_text, strlen(small_text)) > 0);
    close(descriptor);
    require(job_read(path, set, 2, &first, &error), &error);
    FILE *stream = open_memstream(&text, &length);
    job_echo(first, true, stream);
    fclose(stream);
    require(job_read_text(text, "echo", &second, &error), &error);
    assert_string_equal(second->results, "it's: a \"folder\" # here");
    assert_string_equal(second->kernels, "reference");
    job_free(first);
    job_free(second);
    free(text);
    unlink(path);
}

/* ---- the order of work ---- */

static int layer_of(const struct plan *plan, int64_t run)
{
    return plan->subjects[plan->groups[plan->runs[run].group].subject].units[plan->runs[run].unit].layer;
}

static void test_dispatch(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error error = {0};
    struct dispatch dispatch;
    fixture_open(&fixture, large_text);
    const struct plan *plan = fixture.plan;
    struct ledger_entry *entries = calloc((size_t)plan->n_runs, sizeof *entries);
    bool *taken = calloc((size_t)plan->n_runs, sizeof *taken);
    const struct ledger ledger = {.entries = entries};
    entries[1].record = "finished";
    entries[4].progress.n_told = 25;
    require(dispatch_make(plan, 1, &ledger, &dispatch, &error), &error);
    assert_int_equal(dispatch.n_pending, plan_shard_runs(plan, 1) - 1);
    assert_int_equal(dispatch.n_presentations, 130 * dispatch.n_pending - 25);
    int64_t runs[4], n_taken = 0;
    int last_layer = 1 << 30;
    for (int n; (n = dispatch_take(&dispatch, 5, runs)) > 0; n_taken += n) {
        const int64_t left = dispatch.n_pending - n_taken;
        assert_in_range(n, 1, 4);
        assert_true(n <= (left + 9) / 10);
        assert_true(layer_of(plan, runs[0]) <= last_layer);
        last_layer = layer_of(plan, runs[0]);
        for (int i = 0; i < n; i++) {
            assert_int_equal(runs[i] % 3, 1);
            assert_int_equal(plan->runs[runs[i]].group, plan->runs[runs[0]].group);
            assert_int_equal(layer_of(plan, runs[i]), last_layer);
            assert_false(taken[runs[i]]);
            taken[runs[i]] = true;
        }
    }
    assert_int_equal(n_taken, dispatch.n_pending);
    assert_false(taken[1]);
    free(dispatch.pending);
    free(entries);
    free(taken);
    fixture_close(&fixture);
}

/** Replicates that depend on each other stay together: in a shard, in a batch, and in what is done. */
static void test_chains(void **state)
{
    (void)state;
    static const char text[] = FIXTURE_MODELS "shards: 3\n"
                                              "batch: 4\n"
                                              "methods: {random: {}}\n"
                                              "searches: [{layers: [sn1, layer1.0.sn1], select: [0-10], "
                                              "budget: 8, replicates: 3, distinct: 0.5}]\n";
    struct fixture fixture;
    struct error error = {0};
    struct dispatch dispatch;
    fixture_open(&fixture, text);
    const struct plan *plan = fixture.plan;
    struct ledger_entry *entries = calloc((size_t)plan->n_runs, sizeof *entries);
    const struct ledger ledger = {.entries = entries};
    assert_int_equal(plan_batch_capacity(plan), 4);
    assert_int_equal(plan_shard_runs(plan, 0) + plan_shard_runs(plan, 1) + plan_shard_runs(plan, 2), 66);
    for (int shard = 0; shard < 3; shard++)
        assert_in_range(plan_shard_runs(plan, shard), 21, 24);
    entries[0].record = entries[1].record = "finished"; /* of a chain of three: it is not done */
    for (int64_t run = 0; run < 3; run++)
        assert_false(ledger_is_done(plan, &ledger, run));
    for (int64_t run = 3; run < 6; run++)
        entries[run].record = "finished";
    assert_true(ledger_is_done(plan, &ledger, 4));
    int64_t n_taken = 0, runs[4];
    for (int shard = 0; shard < 3; shard++) {
        require(dispatch_make(plan, shard, &ledger, &dispatch, &error), &error);
        for (int n; (n = dispatch_take(&dispatch, 2, runs)) > 0; n_taken += n) {
            assert_int_equal(n % 3, 0);
            for (int i = 0; i < n; i++) {
                assert_int_equal(plan->runs[runs[i]].replicate, i % 3);
                assert_int_equal(runs[i], runs[0] + i);
                assert_int_equal(plan_shard_of(plan, runs[i]), shard);
            }
        }
        free(dispatch.pending);
    }
    assert_int_equal(n_taken, 66 - 3);
    free(entries);
    fixture_close(&fixture);
}

/* ---- ledgers ---- */

/** Journals of the small campaign in a folder of their own. */
struct books {
    struct fixture fixture;
    char folder[64], journals[80];
    struct ledger ledger;
};

static const char digest[] = "the digest";
static struct folder_stage before = {.digest = "before"};
static const struct folder_facts facts = {.digest = "the digest", .n_earlier = 1, .earlier = &before};

static int open_books(void **state)
{
    struct books *books = calloc(1, sizeof *books);
    fixture_open(&books->fixture, small_text);
    snprintf(books->folder, sizeof books->folder, "/tmp/test_campaign.XXXXXX");
    assert_non_null(mkdtemp(books->folder));
    snprintf(books->journals, sizeof books->journals, "%s/journal", books->folder);
    assert_int_equal(mkdir(books->journals, 0700), 0);
    *state = books;
    return 0;
}

static int close_books(void **state)
{
    struct books *books = *state;
    char path[512];
    ledger_close(&books->ledger);
    DIR *folder = opendir(books->journals);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", books->journals, entry->d_name);
        unlink(path);
    }
    closedir(folder);
    rmdir(books->journals);
    rmdir(books->folder);
    fixture_close(&books->fixture);
    free(books);
    return 0;
}

static struct journal *new_journal(const struct books *books, const char *isa, const char *date,
                                   const char *of)
{
    struct error error = {0};
    struct journal *journal;
    struct journal_incarnation own = {.identity = {.backend = "cpu"}, .host = "here", .rank = 1};
    snprintf(own.identity.isa, sizeof own.identity.isa, "%s", isa);
    snprintf(own.date, sizeof own.date, "%s", date);
    snprintf(own.job_digest, sizeof own.job_digest, "%s", of);
    require(journal_create(books->journals, 0, &own, &journal, &error), &error);
    return journal;
}

/** A journal with one finished run whose activation is given. */
static void journal_finished(const struct books *books, const char *isa, const char *date, int64_t run,
                             float activation)
{
    struct error error = {0};
    const struct record_layout *layout = run_layout(books->fixture.plan, run);
    struct journal *journal = new_journal(books, isa, date, digest);
    void *record = calloc(1, layout->n_bytes);
    record_set_missing(layout, record);
    *(uint8_t *)record_at(layout, record, FIELD_STATUS) = RUN_DONE;
    *(uint8_t *)record_at(layout, record, FIELD_SILENT) = activation <= 0;
    *(float *)record_at(layout, record, FIELD_ACTIVATION) = activation;
    *(double *)record_at(layout, record, FIELD_SECONDS_SEARCH) = clock_seconds(); /* may differ */
    require(journal_append_finished(journal, books->fixture.plan->runs[run].key, layout, record, &error),
            &error);
    require(journal_close(journal, &error), &error);
    free(record);
}

static void journal_unfinished(const struct books *books, const char *isa, int64_t run, const int64_t *n_told,
                               int n)
{
    struct error error = {0};
    const float scores[8] = {0};
    struct journal *journal = new_journal(books, isa, "2026-01-01", digest);
    for (int i = 0; i < n; i++) {
        const struct journal_progress progress = {n_told[i], 99};
        require(
            journal_append_unfinished(journal, books->fixture.plan->runs[run].key, &progress, scores, &error),
            &error);
    }
    require(journal_close(journal, &error), &error);
}

static enum status read_books(struct books *books, struct error *error)
{
    ledger_close(&books->ledger);
    return ledger_open(books->fixture.plan, books->folder, -1, &facts, &books->ledger, error);
}

static float activation_of(const struct books *books, int64_t run)
{
    return *(const float *)record_at_const(run_layout(books->fixture.plan, run),
                                           books->ledger.entries[run].record, FIELD_ACTIVATION);
}

static void test_equal_records_are_counted(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    for (int i = 0; i < 3; i++)
        journal_finished(books, "avx512", "2026-01-01", 2, 0.5f);
    journal_finished(books, "avx512", "2026-01-01", 3, 0);
    require(read_books(books, &error), &error);
    assert_int_equal(books->ledger.n_finished, 2);
    assert_int_equal(books->ledger.n_silent, 1);
    assert_int_equal(books->ledger.n_duplicates, 2);
}

static void test_unequal_records_of_one_identity_are_an_error(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    journal_finished(books, "avx512", "2026-01-01", 2, 0.5f);
    journal_finished(books, "avx512", "2026-01-02", 2, 0.25f);
    assert_int_equal(read_books(books, &error), STATUS_DAMAGED);
    assert_non_null(strstr(error.message, "two different results of equal identity"));
    assert_non_null(strstr(error.message, "spiking/vq_vae/random/"));
}

static void test_earlier_record_of_unlike_identities_counts(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    journal_finished(books, "avx2", "2026-01-02T00:00:00Z", 2, 0.5f);
    journal_finished(books, "avx512", "2026-01-01T00:00:00Z", 2, 0);
    journal_finished(books, "reference", "2026-01-03T00:00:00Z", 2, 0.125f);
    require(read_books(books, &error), &error);
    assert_true(activation_of(books, 2) == 0);
    assert_int_equal(books->ledger.n_finished, 1);
    assert_int_equal(books->ledger.n_silent, 1);
    assert_int_equal(books->ledger.n_duplicates, 2);
}

/** Not only with the record that counts: an unequal pair behind it is found, too. */
static void test_every_pair_is_compared(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    journal_finished(books, "avx512", "2026-01-01", 2, 0.5f);
    journal_finished(books, "avx2", "2026-01-02", 2, 0.25f);
    require(read_books(books, &error), &error);
    journal_finished(books, "avx2", "2026-01-03", 2, 0.125f);
    assert_int_equal(read_books(books, &error), STATUS_DAMAGED);
}

static void test_going_on_only_under_the_same_identity(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    const struct journal_identity own = {.backend = "cpu", .isa = "avx512"},
                                  other = {.backend = "cpu", .isa = "avx2"}, unknown = {.backend = ""};
    journal_unfinished(books, "avx512", 2, (const int64_t[]){3, 5, 4}, 3);
    require(read_books(books, &error), &error);
    assert_int_equal(master_replay(&books->ledger, 2, &own).n_scores, 5);
    assert_int_equal(master_replay(&books->ledger, 2, &other).n_scores, 0);
    assert_int_equal(master_replay(&books->ledger, 2, &unknown).n_scores, 0);
    assert_int_equal(master_replay(&books->ledger, 3, &own).n_scores, 0);
    journal_finished(books, "avx2", "2026-01-02", 2, 0.5f);
    journal_unfinished(books, "avx512", 2, (const int64_t[]){6}, 1);
    require(read_books(books, &error), &error);
    assert_int_equal(books->ledger.n_finished, 1);
    assert_int_equal(master_replay(&books->ledger, 2, &own).n_scores, 0);
}

/** A record of before an extension, with another budget and as many scores as that allows. */
static void journal_earlier(const struct books *books, int64_t run, int64_t budget, int64_t trials,
                            enum stop_reason reason)
{
    struct error error = {0};
    struct record_sizes sizes = run_layout(books->fixture.plan, run)->sizes;
    struct record_layout layout;
    int64_t queries[RECORD_HISTORY_MAX];
    sizes.budget = sizes.trace = budget;
    sizes.trials = trials;
    sizes.history = record_history_queries(budget, queries);
    require(record_layout_make(&sizes, &layout, &error), &error);
    void *record = calloc(1, layout.n_bytes);
    *(uint8_t *)record_at(&layout, record, FIELD_STATUS) = RUN_DONE;
    *(uint8_t *)record_at(&layout, record, FIELD_STOP_REASON) = (uint8_t)reason;
    *(int64_t *)record_at(&layout, record, FIELD_QUERIES) = 3;
    *(uint64_t *)record_at(&layout, record, FIELD_CODES_HASH) = 77;
    *(float *)record_at(&layout, record, FIELD_ACTIVATION) = 0.75f;
    for (int i = 0; i < 3; i++)
        ((float *)record_at(&layout, record, FIELD_TRACE))[i] = 0.25f * (float)(i + 1);
    struct journal *journal = new_journal(books, "avx512", "2026-01-01", "before");
    require(journal_append_finished(journal, books->fixture.plan->runs[run].key, &layout, record, &error),
            &error);
    require(journal_close(journal, &error), &error);
    free(record);
}

static void test_runs_of_a_smaller_budget_are_gone_on_with(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    const struct journal_identity own = {.backend = "cpu", .isa = "avx512"};
    journal_earlier(books, 2, 3, 2, STOP_BUDGET);
    journal_earlier(books, 3, 8, 1, STOP_BOUND); /* fewer trials: the MEI is to be shown again */
    require(read_books(books, &error), &error);
    assert_int_equal(books->ledger.n_finished, 0);
    for (int64_t run = 2; run < 4; run++) {
        const struct replay replay = master_replay(&books->ledger, run, &own);
        assert_int_equal(replay.n_scores, 3);
        assert_int_equal(replay.codes_hash, 77);
        assert_true(replay.scores[2] == 0.75f);
    }
}

static void test_runs_that_had_stopped_are_finished(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    journal_earlier(books, 2, 4, 2, STOP_BOUND);
    journal_earlier(books, 3, 8, 2, STOP_BUDGET); /* its sizes have not changed */
    require(read_books(books, &error), &error);
    assert_int_equal(books->ledger.n_finished, 2);
    const struct record_layout *layout = run_layout(books->fixture.plan, 2);
    const void *record = books->ledger.entries[2].record;
    const float *trace = record_at_const(layout, record, FIELD_TRACE),
                *history = record_at_const(layout, record, FIELD_HISTORY);
    assert_true(activation_of(books, 2) == 0.75f);
    for (int i = 0; i < 8; i++) {
        assert_true(i < 3 ? trace[i] == 0.25f * (float)(i + 1) : isnan(trace[i]));
        assert_true(history[i] == 0.25f * (float)(i < 3 ? i + 1 : 3));
    }
}

static void test_earlier_records_must_be_smaller(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    journal_earlier(books, 2, 9, 2, STOP_BUDGET);
    assert_int_equal(read_books(books, &error), STATUS_MISMATCH);
    assert_non_null(strstr(error.message, "other sizes"));
}

static void test_journals_of_another_job_are_refused(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    struct journal *journal = new_journal(books, "avx512", "2026-01-01", "another digest");
    require(read_books(books, &error), &error); /* it says nothing yet */
    const struct journal_progress progress = {0, 0};
    require(journal_append_unfinished(journal, 1, &progress, NULL, &error), &error);
    require(journal_close(journal, &error), &error);
    assert_int_equal(read_books(books, &error), STATUS_MISMATCH);
    assert_non_null(strstr(error.message, "another job"));
}

static void test_records_of_no_run_are_refused(void **state)
{
    struct books *books = *state;
    struct error error = {0};
    struct journal *journal = new_journal(books, "avx512", "2026-01-01", digest);
    const struct journal_progress progress = {0, 0};
    require(journal_append_unfinished(journal, 1, &progress, NULL, &error), &error);
    require(journal_close(journal, &error), &error);
    assert_int_equal(read_books(books, &error), STATUS_DAMAGED);
    assert_non_null(strstr(error.message, "no run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_of_names),
        cmocka_unit_test(test_additions_change_no_key),
        cmocka_unit_test(test_shards_divide_the_runs),
        cmocka_unit_test(test_echo_is_the_same_job),
        cmocka_unit_test(test_quotes_survive_the_echo),
        cmocka_unit_test(test_dispatch),
        cmocka_unit_test(test_chains),
        cmocka_unit_test_setup_teardown(test_equal_records_are_counted, open_books, close_books),
        cmocka_unit_test_setup_teardown(test_unequal_records_of_one_identity_are_an_error, open_books,
                                        close_books),
        cmocka_unit_test_setup_teardown(test_earlier_record_of_unlike_identities_counts, open_books,
                                        close_books),
        cmocka_unit_test_setup_teardown(test_every_pair_is_compared, open_books, close_books),
        cmocka_unit_test_setup_teardown(test_going_on_only_under_the_same_identity, open_books, close_books),
        cmocka_unit_test_setup_teardown(test_runs_of_a_smaller_budget_are_gone_on_with, open_books,
                                        close_books),
        cmocka_unit_test_setup_teardown(test_runs_that_had_stopped_are_finished, open_books, close_books),
        cmocka_unit_test_setup_teardown(test_earlier_records_must_be_smaller, open_books, close_books),
        cmocka_unit_test_setup_teardown(test_journals_of_another_job_are_refused, open_books, close_books),
        cmocka_unit_test_setup_teardown(test_records_of_no_run_are_refused, open_books, close_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
