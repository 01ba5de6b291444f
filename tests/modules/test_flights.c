/* SPDX-License-Identifier: MIT */
/**
 * A census on a device, which is the host's memory here (tests/kernels/on_host/): its runs in two halves, on
 * several threads, and in too little memory. Such a device does nothing before it is waited for.
 */
#include "campaign_fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/campaign/evaluator.h"
#include "../../src/campaign/lockstep.h"
#include "../../src/campaign/worker.h"
#include "../kernels/on_host/device.h"

static const char job_text[] =
    "results: none\n"
    "isa: cuda\n"
    "subjects: {cnn: {model: weights/mnist_cnn.yaml, timesteps: 3}}\n"
    "generators: {vq_vae: {model: weights/mnist_vq_vae.yaml}}\n"
    "methods: {tt_b: {}, random: {}, chain: {method: tt_b}}\n"
    "searches:\n"
    "  - {methods: [tt_b], layers: all, sample: 2, budget: 50}\n"
    "  - {methods: [random], unit: neuron, layers: all, sample: 2, budget: 12}\n"
    "  - {methods: [chain], layers: all, select: [2], budget: 26, replicates: 2, distinct: 0.5}\n"
    "trials: {count: 1}\n";

enum { MOST_RUNS = 64, N_QUERIES = 40, N_DIMENSIONS = 64 };
static const size_t enough = (size_t)1 << 33;

static struct fixture fixture;

/** Runs of a group; returns how many. */
static int runs_of_group(int group, int64_t *runs)
{
    int n = 0;
    for (int64_t r = 0; r < fixture.plan->n_runs && n < MOST_RUNS; r++)
        if (fixture.plan->runs[r].group == group)
            runs[n++] = r;
    return n;
}

static struct lockstep *search(struct evaluator *evaluator, int n_runs, const int64_t *runs,
                               const struct lockstep_watch *watch)
{
    static const struct replay none[MOST_RUNS];
    struct error error = {0};
    struct lockstep *lockstep;
    require(lockstep_run(fixture.plan, evaluator, runs, n_runs, none, watch, &lockstep, &error), &error);
    return lockstep;
}

static void assert_same_run(int64_t run, const struct lockstep_result a, const struct lockstep_result b)
{
    const struct record_layout *layout = run_layout(fixture.plan, run);
    assert_true(a.finished && b.finished);
    const char *field = different_field(layout, a.record, b.record);
    if (field != NULL)
        fail_msg("run %lld: field '%s' differs", (long long)run, field);
}

static struct evaluator *make_evaluator(int batch)
{
    struct error error = {0};
    struct evaluator *evaluator;
    require(evaluator_create_batch(fixture.plan, 0, 0, batch, &evaluator, &error), &error);
    return evaluator;
}

/* ---- queries on their way ---- */

static int32_t codes[N_QUERIES][N_DIMENSIONS];

/** Of units of all kinds and layers, in turn. */
static void make_queries(struct evaluator_query *queries)
{
    for (int i = 0; i < N_QUERIES; i++) {
        for (int d = 0; d < N_DIMENSIONS; d++)
            codes[i][d] =
                (i * 7919 + d * 104729 + i * d * 31) % model_latent(fixture.plan->generators[0])->n_points;
        queries[i] = (struct evaluator_query){
            codes[i], &fixture.plan->subjects[0].units[i / 3 % (int)fixture.plan->subjects[0].n_units]};
    }
}

/** As they are found one by one. */
static void expect(struct evaluator *evaluator, const struct evaluator_query *queries, float *expected)
{
    for (int i = 0; i < N_QUERIES; i++)
        expected[i] =
            evaluator_activation(evaluator, queries[i].unit, evaluator_image(evaluator, queries[i].code));
}

static void test_two_flights(void **state)
{
    (void)state;
    enum { HALF = N_QUERIES / 2 - 3 };
    struct error error = {0};
    struct evaluator_query queries[N_QUERIES];
    float expected[N_QUERIES], found[N_QUERIES];
    struct evaluator *evaluator = make_evaluator(5);
    make_queries(queries);
    expect(evaluator, queries, expected);
    for (int first = 0; first < 2; first++) {
        memset(found, 0xff, sizeof found);
        require(evaluator_start(evaluator, 0, HALF, queries, &error), &error);
        require(evaluator_start(evaluator, 1, N_QUERIES - HALF, queries + HALF, &error), &error);
        require(evaluator_finish(evaluator, first, found + first * HALF, &error), &error);
        require(evaluator_finish(evaluator, 1 - first, found + (1 - first) * HALF, &error), &error);
        assert_memory_equal(found, expected, sizeof expected);
    }
    /* one that nobody asks after is done before the next one */
    require(evaluator_start(evaluator, 0, HALF, queries, &error), &error);
    require(evaluator_start(evaluator, 0, N_QUERIES - HALF, queries + HALF, &error), &error);
    require(evaluator_finish(evaluator, 0, found + HALF, &error), &error);
    assert_memory_equal(found + HALF, expected + HALF, sizeof *expected * (N_QUERIES - HALF));
    evaluator_free(evaluator);
}

/** A fault is told by the flight that met it, and by that one only. */
static void test_faults_of_flights(void **state)
{
    (void)state;
    struct error error = {0};
    struct evaluator_query queries[N_QUERIES];
    float found[N_QUERIES];
    struct evaluator *evaluator = make_evaluator(5);
    make_queries(queries);
    require(evaluator_start(evaluator, 0, 3, queries, &error), &error);
    device_fail("the device: an illegal memory access");
    assert_int_equal(evaluator_finish(evaluator, 0, found, &error), STATUS_INTERNAL);
    assert_string_equal(error.message, "CUDA: the device: an illegal memory access");
    require(evaluator_start(evaluator, 1, 3, queries, &error), &error);
    require(evaluator_finish(evaluator, 1, found, &error), &error);
    evaluator_free(evaluator);
}

/* ---- runs ---- */

/** Each run as it comes out alone; and in halves, on any number of threads. */
static void check_group(int group)
{
    int64_t runs[MOST_RUNS];
    const int n_runs = runs_of_group(group, runs), step = plan_run_follows(fixture.plan, runs[1]) ? 2 : 1;
    struct evaluator *evaluator = make_evaluator(7);
    struct lockstep *alone[MOST_RUNS];
    assert_true(n_runs > 3);
    for (int i = 0; i < n_runs; i += step)
        alone[i] = search(evaluator, step, runs + i, NULL);
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        setenv("SLURM_CPUS_PER_TASK", n_threads == 1 ? "1" : "3", 1);
        struct lockstep *all = search(evaluator, n_runs, runs, NULL);
        for (int i = 0; i < n_runs; i++)
            assert_same_run(runs[i], lockstep_result(alone[i / step * step], i % step),
                            lockstep_result(all, i));
        lockstep_free(all);
    }
    unsetenv("SLURM_CPUS_PER_TASK");
    for (int i = 0; i < n_runs; i += step)
        lockstep_free(alone[i]);
    evaluator_free(evaluator);
}

static void test_halves_and_threads(void **state)
{
    (void)state;
    for (int group = 0; group < fixture.plan->n_groups; group++)
        check_group(group);
}

struct counter {
    int n_looks, stop_after;
    int64_t n_queries;
};

static bool looks(void *context)
{
    struct counter *counter = context;
    return ++counter->n_looks > counter->stop_after;
}

static void counts(void *context, int64_t n_queries)
{
    ((struct counter *)context)->n_queries += n_queries;
}

/** Left on the way: what was told is what the watch was told of, and begins what the whole run has. */
static void test_left_on_the_way(void **state)
{
    (void)state;
    int64_t runs[MOST_RUNS], n_told = 0, n_all = 0;
    const int n_runs = runs_of_group(0, runs);
    struct evaluator *evaluator = make_evaluator(7);
    struct counter early = {.stop_after = 2}, never = {.stop_after = 1 << 30};
    const struct lockstep_watch watch = {&early, looks, counts}, patient = {&never, looks, counts};
    struct lockstep *left = search(evaluator, n_runs, runs, &watch);
    struct lockstep *whole = search(evaluator, n_runs, runs, &patient);
    for (int i = 0; i < n_runs; i++) {
        const struct lockstep_result a = lockstep_result(left, i), b = lockstep_result(whole, i);
        assert_false(a.finished);
        assert_int_equal(a.n_told, 25); /* an ask of tt_b */
        assert_memory_equal(a.scores, b.scores, sizeof *a.scores * (size_t)a.n_told);
        n_told += a.n_told;
        n_all +=
            *(const int64_t *)record_at_const(run_layout(fixture.plan, runs[i]), b.record, FIELD_QUERIES);
    }
    assert_int_equal(early.n_queries, n_told);
    assert_int_equal(never.n_queries, n_all);
    lockstep_free(left);
    lockstep_free(whole);
    evaluator_free(evaluator);
}

/* ---- memory ---- */

static char folder[] = "/tmp/test_flights_XXXXXX";

static int n_journals(void)
{
    char path[64];
    int n = 0;
    snprintf(path, sizeof path, "%s/journal", folder);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(directory);
    return n;
}

/** What the worker says on standard error goes to `said`. */
static enum status open_worker(size_t limit, struct worker *worker, char *said, size_t capacity,
                               struct error *error)
{
    char path[64];
    fflush(stderr);
    snprintf(path, sizeof path, "%s/said", folder);
    const int kept = dup(STDERR_FILENO);
    assert_non_null(freopen(path, "w", stderr));
    device_limit(limit);
    const enum status status =
        worker_open(fixture.plan, &fixture.backend, folder, 0, 3, "digest", worker, error);
    device_limit(enough);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    FILE *file = fopen(path, "r");
    const size_t n = fread(said, 1, capacity - 1, file);
    said[n] = '\0';
    fclose(file);
    return status;
}

static void test_too_little_memory(void **state)
{
    (void)state;
    struct error error = {0};
    struct worker worker;
    char said[512];
    const size_t before = device_held();
    require(open_worker(enough, &worker, said, sizeof said, &error), &error);
    const size_t whole = device_held();
    assert_string_equal(said, "");
    assert_int_equal(worker.incarnation.identity.batch, 12);
    require(worker_close(&worker, &error), &error);
    assert_int_equal(device_held(), before);

    require(open_worker(whole - 1, &worker, said, sizeof said, &error), &error);
    const size_t half = device_held();
    assert_true(half < whole);
    assert_int_equal(worker.incarnation.identity.batch, 6);
    assert_int_equal(evaluator_batch(worker.evaluators[0]), 6);
    assert_non_null(strstr(said, "rank 3, device 0 (host): CUDA: no room for "));
    assert_non_null(strstr(said, " MiB free): it goes on with 6 images a call, not 12"));
    require(worker_close(&worker, &error), &error);
    assert_int_equal(device_held(), before);

    const int n = n_journals();
    assert_int_equal(open_worker(half - 1, &worker, said, sizeof said, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "rank 3, device 0 (host): CUDA: no room for "));
    assert_non_null(strstr(error.message, "even for 6 images a call"));
    assert_int_equal(device_held(), before);
    assert_int_equal(n_journals(), n);
    worker_close(&worker, &error);
}

static int open_fixture(void **state)
{
    char path[64];
    (void)state;
    unsetenv("OMP_NUM_THREADS");
    fixture_open(&fixture, job_text);
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/journal", folder);
    return mkdir(path, 0700);
}

static int close_fixture(void **state)
{
    char command[64];
    (void)state;
    fixture_close(&fixture);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_flights),        cmocka_unit_test(test_faults_of_flights),
        cmocka_unit_test(test_halves_and_threads), cmocka_unit_test(test_left_on_the_way),
        cmocka_unit_test(test_too_little_memory),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
