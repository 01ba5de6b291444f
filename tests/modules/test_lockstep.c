/* SPDX-License-Identifier: MIT */
/**
 * The search loop on the real networks. Where a test needs certain scores it replays them; where it needs
 * certain codes it puts a scripted method into the job.
 */
#include <math.h>

#include "campaign_fixture.h"

#include "../../src/campaign/closeness.h"
#include "../../src/campaign/lockstep.h"
#include "../../src/campaign/trials.h"
#include "clock.h"
#include "hash.h"

enum { BUDGET = 8, TT_BUDGET = 80, TT_BATCH = 25 };

static const char job_text[] = FIXTURE_MODELS
    "methods: {random: {}, low: {method: random}, tt_b: {}, noisy: {method: random}, chain: {method: "
    "random}}\n"
    "searches:\n"
    "  - {methods: [random], layers: [sn1], select: [3, 5, 9], budget: 8}\n"
    "  - {methods: [random], layers: [layer3.1.sn2], select: [7], budget: 8}\n"
    "  - {methods: [random], unit: neuron, layers: [sn1, layer2.0.sn1], select: [[1, 2, 3]], budget: 8}\n"
    "  - {methods: [random], unit: neuron, layers: [layer4.1.sn2], select: [[9, 0, 0]], budget: 8}\n"
    "  - {methods: [random], unit: class, select: [3], budget: 8}\n"
    "  - {methods: [low], layers: [sn1], select: [3], budget: 8, minimise: true}\n"
    "  - {methods: [tt_b], layers: [layer1.0.sn1], select: [0, 1, 2], budget: 80}\n"
    "  - {methods: [noisy], layers: [sn1], select: [3], budget: 8, noise: {kind: membrane, scale: 0.5},\n"
    "     recheck: {candidates: 3, presentations: 4}}\n"
    "  - {methods: [chain], layers: [sn1], select: [3], budget: 8, replicates: 3, distinct: 0.75}\n"
    "trials: {count: 2}\n";

/* ---- a scripted method ---- */

struct search {
    struct search_problem problem;
    int n_asked;
};

/** What the scripted method asks (code i is filled with codes[i]) and what it was told. */
static struct {
    int batch, codes[64];
    int n_told;
    float told[64];
    enum status prepare_status;
    int64_t budget; /* that it was created with */
    int n_informed; /* codes that it was told without asking, their first index, and their scores */
    int informed[8];
    float informed_scores[8];
} script;

static enum status script_prepare(const struct search_method *method, struct search *search,
                                  const void *settings, struct error *error)
{
    (void)method;
    (void)settings;
    if (script.prepare_status != STATUS_OK)
        return error_set(error, script.prepare_status, "the script says no");
    script.budget = search->problem.budget;
    script.n_told = 0;
    return STATUS_OK;
}

static int script_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    (void)settings;
    return script.batch;
}

static void script_ask(struct search *search, int32_t *codes)
{
    const int n_dimensions = search->problem.n_dimensions;
    for (int i = 0; i < script.batch; i++, search->n_asked++)
        for (int d = 0; d < n_dimensions; d++)
            codes[i * n_dimensions + d] = script.codes[search->n_asked % 64];
}

static void script_tell(struct search *search, const float *scores)
{
    (void)search;
    memcpy(script.told + script.n_told, scores, sizeof *scores * (size_t)script.batch);
    script.n_told += script.batch;
}

static void script_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    assert_int_equal(search->n_asked, 0);
    for (int i = 0; i < n_codes; i++, script.n_informed++) {
        script.informed[script.n_informed] = codes[i * search->problem.n_dimensions];
        script.informed_scores[script.n_informed] = scores[i];
    }
}

static const struct search_method scripted = {.name = "scripted",
                                              .search_size = sizeof(struct search),
                                              .prepare = script_prepare,
                                              .batch = script_batch,
                                              .ask = script_ask,
                                              .tell = script_tell,
                                              .inform = script_inform};

/* ---- helpers ---- */

static struct fixture shared;
static const struct job_stop never_early = {.at_bound = false};
static enum stop_reason replay_end; /* of finished_record */

/** What a test may have changed is as in the job again. */
static int reset(void **state)
{
    (void)state;
    script.batch = 1;
    script.prepare_status = STATUS_OK;
    script.n_informed = 0;
    replay_end = STOP_NONE;
    for (int i = 0; i < 64; i++)
        script.codes[i] = i;
    shared.job->stop = (struct job_stop){.at_bound = true};
    shared.job->methods[0].method = search_method_find("random");
    shared.job->methods[1].method = search_method_find("random");
    shared.job->methods[3].method = search_method_find("random");
    return 0;
}

static void use_script(const int *codes, int n_codes)
{
    shared.job->methods[0].method = &scripted;
    shared.job->methods[1].method = &scripted;
    shared.job->methods[3].method = &scripted;
    for (int i = 0; i < n_codes; i++)
        script.codes[i] = codes[i];
}

/** A batch of runs; the caller frees it. */
static struct lockstep *advance(const int64_t *runs, int n_runs, const struct replay *replays,
                                const struct lockstep_watch *watch)
{
    struct error error = {0};
    struct evaluator *evaluator;
    struct lockstep *lockstep;
    require(evaluator_create(shared.plan, 0, 0, &evaluator, &error), &error);
    require(lockstep_run(shared.plan, evaluator, runs, n_runs, replays, watch, &lockstep, &error), &error);
    evaluator_free(evaluator);
    return lockstep;
}

/** Hash of the first n codes that the script asks. */
static uint64_t script_hash(int n_codes)
{
    uint64_t hash = 0;
    for (int i = 0; i < n_codes; i++) {
        int32_t code[64];
        for (int d = 0; d < 64; d++)
            code[d] = script.codes[i % 64];
        hash = hash_continue(hash, code, sizeof code);
    }
    return hash;
}

/** One run, by name, with the first scores given; a copy of its record (to be freed). */
static void *finished_record(const char *name, const float *scores, int n_scores)
{
    const int64_t run = find_run(shared.plan, name);
    const struct record_layout *layout = run_layout(shared.plan, run);
    const struct replay replay = {n_scores, script_hash(n_scores), scores, replay_end};
    struct lockstep *lockstep = advance(&run, 1, &replay, NULL);
    const struct lockstep_result result = lockstep_result(lockstep, 0);
    assert_true(result.finished);
    void *copy = malloc(layout->n_bytes);
    memcpy(copy, result.record, layout->n_bytes);
    lockstep_free(lockstep);
    return copy;
}

/* Values of the field of a record of the group `random` or `low` (equal sizes). */
#define FIELD(type, record, field)                                                                           \
    ((const type *)record_at_const(                                                                          \
        run_layout(shared.plan, find_run(shared.plan, "spiking/vq_vae/random/sn1/3")), record, field))

static const char sn1_3[] = "spiking/vq_vae/random/sn1/3", low_3[] = "spiking/vq_vae/low/sn1/3",
                  class_3[] = "spiking/vq_vae/random/class/3";

/* ---- what is kept of a search ---- */

static void test_winner_is_first_best(void **state)
{
    (void)state;
    const int codes[] = {10, 11, 12, 13, 14, 15, 16, 17};
    const float scores[BUDGET] = {0.1f, 0.5f, 0.25f, 0.5f, 0.4f, 0.5f, 0, 0.3f};
    const float best[BUDGET] = {0.1f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f};
    use_script(codes, BUDGET);
    void *record = finished_record(sn1_3, scores, BUDGET);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_STATUS), RUN_DONE);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_STOP_REASON), STOP_BUDGET);
    assert_int_equal(*FIELD(int64_t, record, FIELD_QUERIES), BUDGET);
    assert_int_equal(*FIELD(int64_t, record, FIELD_BEST_QUERY), 2);
    assert_int_equal(FIELD(int32_t, record, FIELD_LATENT)[63], 11);
    assert_true(*FIELD(float, record, FIELD_ACTIVATION_SEARCHED) == 0.5f);
    assert_memory_equal(FIELD(float, record, FIELD_TRACE), scores, sizeof scores);
    assert_memory_equal(FIELD(float, record, FIELD_HISTORY), best, sizeof best);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SILENT), 0);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SATURATED), 0);
    /* All but the last batch, which ended the run, was told. */
    assert_int_equal(script.n_told, BUDGET - 1);
    assert_memory_equal(script.told, scores, sizeof(float) * (BUDGET - 1));
    free(record);
}

static void test_codes_hash(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0};
    use_script(NULL, 0);
    void *record = finished_record(sn1_3, scores, BUDGET);
    assert_true(*FIELD(uint64_t, record, FIELD_CODES_HASH) == script_hash(BUDGET));
    free(record);
}

/** The second time a code comes its first score is taken, not the one that the replay has for this query. */
static void test_duplicates_are_not_shown_again(void **state)
{
    (void)state;
    const int codes[] = {1, 2, 1, 1, 3, 2, 4, 5};
    const float replayed[BUDGET] = {0.1f, 0.2f, 0.9f, 0.9f, 0.3f, 0.9f, 0.4f, 0.5f};
    const float expected[BUDGET] = {0.1f, 0.2f, 0.1f, 0.1f, 0.3f, 0.2f, 0.4f, 0.5f};
    use_script(codes, BUDGET);
    void *record = finished_record(class_3, replayed, BUDGET);
    assert_memory_equal(FIELD(float, record, FIELD_TRACE), expected, sizeof expected);
    assert_int_equal(*FIELD(int64_t, record, FIELD_QUERIES), BUDGET);
    assert_int_equal(*FIELD(int64_t, record, FIELD_EVALUATIONS), 5);
    free(record);
}

static void test_minimise(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.5f, 0.25f, 0.75f, 0.25f, 0.3f, 0.5f, 0.6f, 0.3f};
    const float best[BUDGET] = {0.5f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f};
    use_script(NULL, 0);
    void *record = finished_record(low_3, scores, BUDGET);
    assert_int_equal(*FIELD(int64_t, record, FIELD_BEST_QUERY), 2);
    assert_memory_equal(FIELD(float, record, FIELD_TRACE), scores, sizeof scores);
    assert_memory_equal(FIELD(float, record, FIELD_HISTORY), best, sizeof best);
    for (int i = 0; i < BUDGET - 1; i++)
        assert_true(script.told[i] == -scores[i]);
    free(record);
}

static void test_silent_and_saturated(void **state)
{
    (void)state;
    const float silent[BUDGET] = {0}, loud[BUDGET] = {0, 0, 1};
    use_script(NULL, 0);
    void *record = finished_record(sn1_3, silent, BUDGET);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SILENT), 1);
    assert_int_equal(*FIELD(int64_t, record, FIELD_BEST_QUERY), 1);
    free(record);
    record = finished_record(sn1_3, loud, 3);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SILENT), 0);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SATURATED), 1);
    free(record);
    /* class outputs may well be negative, and 1 is no maximum of theirs */
    record = finished_record(class_3, (const float[BUDGET]){-2, -1, -3, -2, -2, -2, -2, -2}, BUDGET);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SILENT), 0);
    free(record);
    record = finished_record(class_3, (const float[BUDGET]){1, 1, 1, 1, 1, 1, 1, 1}, BUDGET);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_SATURATED), 0);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_STOP_REASON), STOP_BUDGET);
    free(record);
}

/* ---- stopping ---- */

/** The run with these scores stops after `queries` for this reason, and nothing is invented behind. */
static void check_stop(const char *name, const float *scores, enum stop_reason reason, int64_t queries)
{
    use_script(NULL, 0);
    void *record = finished_record(name, scores, BUDGET);
    const float *trace = FIELD(float, record, FIELD_TRACE), *history = FIELD(float, record, FIELD_HISTORY);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_STOP_REASON), reason);
    assert_int_equal(*FIELD(int64_t, record, FIELD_QUERIES), queries);
    for (int64_t q = queries; q < BUDGET; q++) {
        assert_true(isnan(trace[q]));
        assert_true(history[q] == history[queries - 1]);
    }
    free(record);
}

static void test_stop_at_bound(void **state)
{
    (void)state;
    const float up[BUDGET] = {0.1f, 0.2f, 1, 0.5f}, down[BUDGET] = {0.5f, 0.2f, 0.1f, 0, 0.3f};
    check_stop(sn1_3, up, STOP_BOUND, 3);
    check_stop(low_3, down, STOP_BOUND, 4);
    check_stop(class_3, up, STOP_BUDGET, BUDGET);
    shared.job->stop = never_early;
    check_stop(sn1_3, up, STOP_BUDGET, BUDGET);
    check_stop(low_3, down, STOP_BUDGET, BUDGET);
}

static void test_stop_at_target(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.3f, 0.2f, 0.4f, 0.5f, 0.1f};
    shared.job->stop = (struct job_stop){.has_target = true, .target = 0.4f};
    check_stop(sn1_3, scores, STOP_TARGET, 3);
    shared.job->stop.target = 0.2f;
    check_stop(low_3, scores, STOP_TARGET, 2);
    shared.job->stop.target = 0.6;
    check_stop(sn1_3, scores, STOP_BUDGET, BUDGET);
}

static void test_stop_without_improvement(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.3f, 0.4f, 0.4f, 0.2f, 0.5f, 0.5f, 0.5f, 0.5f};
    shared.job->stop = (struct job_stop){.no_improvement = 2};
    check_stop(sn1_3, scores, STOP_NO_IMPROVEMENT, 4);
    shared.job->stop.no_improvement = 3;
    check_stop(sn1_3, scores, STOP_BUDGET,
               BUDGET); /* both rules meet at the last query: the budget is named */
}

static void test_stop_at_wall_time(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.3f};
    shared.job->stop = (struct job_stop){.seconds = 1e-9};
    check_stop(sn1_3, scores, STOP_WALL_TIME, 1);
    shared.job->stop.seconds = 1e6;
    check_stop(sn1_3, scores, STOP_BUDGET, BUDGET);
}

/** A run that is done again ends where it did, however long that takes this time. */
static void test_stop_of_a_run_that_is_done_again(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.3f};
    replay_end = STOP_WALL_TIME;
    for (int i = 0; i < 2; i++) {
        shared.job->stop = (struct job_stop){.seconds = i == 0 ? 1e-9 : 1e6};
        use_script(NULL, 0);
        void *record = finished_record(sn1_3, scores, 5);
        assert_int_equal(*FIELD(uint8_t, record, FIELD_STOP_REASON), STOP_WALL_TIME);
        assert_int_equal(*FIELD(int64_t, record, FIELD_QUERIES), 5);
        free(record);
    }
}

static bool takes_time(void *context)
{
    (void)context;
    clock_sleep(0.2);
    return false;
}

static void counts_nothing(void *context, int64_t n_queries)
{
    (void)context;
    (void)n_queries;
}

/** The time of a later replicate begins when those before it are settled. */
static void test_wall_time_of_a_chain(void **state)
{
    (void)state;
    const int64_t first = find_run(shared.plan, "spiking/vq_vae/chain/sn1/3 replicate 0");
    const int64_t runs[] = {first, first + 1, first + 2};
    const struct replay replays[3] = {{0}};
    const struct lockstep_watch watch = {NULL, takes_time, counts_nothing};
    shared.job->stop = (struct job_stop){.seconds = 0.6};
    struct lockstep *lockstep = advance(runs, 3, replays, &watch);
    for (int i = 0; i < 3; i++) {
        const void *record = lockstep_result(lockstep, i).record;
        assert_true(*FIELD(int64_t, record, FIELD_QUERIES) > 1);
    }
    lockstep_free(lockstep);
}

/* ---- failed runs ---- */

static void test_failed_method_fails_its_runs_only(void **state)
{
    (void)state;
    use_script(NULL, 0);
    script.prepare_status = STATUS_BAD_INPUT;
    void *record = finished_record(sn1_3, NULL, 0);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_STATUS), RUN_FAILED);
    assert_string_equal(FIELD(char, record, FIELD_MESSAGE), "the script says no");
    assert_true(isnan(*FIELD(float, record, FIELD_ACTIVATION)));
    free(record);
}

/** Short memory is no property of a run: it must not be recorded as one. */
static void test_fault_of_the_machine_ends_the_batch(void **state)
{
    (void)state;
    struct error error = {0};
    struct evaluator *evaluator;
    struct lockstep *lockstep;
    const int64_t run = find_run(shared.plan, sn1_3);
    const struct replay none = {0};
    use_script(NULL, 0);
    script.prepare_status = STATUS_INTERNAL;
    require(evaluator_create(shared.plan, 0, 0, &evaluator, &error), &error);
    assert_int_equal(lockstep_run(shared.plan, evaluator, &run, 1, &none, NULL, &lockstep, &error),
                     STATUS_INTERNAL);
    assert_string_equal(error.message, "the script says no");
    evaluator_free(evaluator);
}

static void test_scores_that_are_no_numbers(void **state)
{
    (void)state;
    const float some[BUDGET] = {NAN, NAN, 0.25f, NAN, 0.125f, NAN, NAN, NAN};
    const float none[BUDGET] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    use_script(NULL, 0);
    void *record = finished_record(sn1_3, some, BUDGET);
    assert_int_equal(*FIELD(int64_t, record, FIELD_BEST_QUERY), 3);
    assert_true(*FIELD(float, record, FIELD_ACTIVATION_SEARCHED) == 0.25f);
    free(record);
    record = finished_record(sn1_3, none, BUDGET);
    assert_int_equal(*FIELD(uint8_t, record, FIELD_STATUS), RUN_FAILED);
    assert_non_null(strstr(FIELD(char, record, FIELD_MESSAGE), "no query"));
    free(record);
}

/* ---- against the networks themselves ---- */

/** Mean of the unit's part of a layer's output [channel][time][height][width]. */
static double mean_output(const struct model_run *run, const struct model *model, const struct unit *unit)
{
    int time;
    const float *output = model_output(run, unit->layer, &time);
    const struct map_shape shape = model_layer_shape(model, unit->layer);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    double sum = 0;
    size_t n = 0;
    for (size_t t = 0; t < (size_t)time; t++)
        for (size_t p = 0; p < pixels; p++)
            if (unit->kind != UNIT_NEURON || p == (size_t)unit->y * (size_t)shape.width + (size_t)unit->x) {
                sum += (double)output[((size_t)unit->channel * (size_t)time + t) * pixels + p];
                n++;
            }
    return sum / (double)n;
}

/** The stored MEI is what the generator makes of the stored code, and gives the stored activation. */
static void check_against_networks(const char *name)
{
    const struct plan *plan = shared.plan;
    struct error error = {0};
    struct model_run *maker, *shown;
    float input[64];
    int time;
    const struct model *subject = plan->subjects[0].model, *generator = plan->generators[0];
    const struct unit *unit = &plan->subjects[0].units[plan->runs[find_run(plan, name)].unit];
    void *record = finished_record(name, NULL, 0);
    for (int i = 0; i < 64; i++)
        input[i] = (float)FIELD(int32_t, record, FIELD_LATENT)[i];
    require(model_run_create(generator, &maker, &error), &error);
    require(model_run_create(subject, &shown, &error), &error);
    model_forward(maker, input, model_output_layer(generator), NULL);
    const float *mei = FIELD(float, record, FIELD_MEI);
    assert_memory_equal(mei, model_output(maker, model_output_layer(generator), &time), 3072 * sizeof *mei);
    model_forward(shown, mei, unit->layer, NULL);
    const float activation = *FIELD(float, record, FIELD_ACTIVATION);
    assert_true(activation == (float)mean_output(shown, subject, unit));
    assert_true(activation == *FIELD(float, record, FIELD_ACTIVATION_SEARCHED));
    assert_true(activation ==
                FIELD(float, record, FIELD_TRACE)[*FIELD(int64_t, record, FIELD_BEST_QUERY) - 1]);
    for (int q = 0; q < BUDGET; q++)
        assert_true(FIELD(float, record, FIELD_TRACE)[q] <= activation);
    free(record);
    model_run_free(maker);
    model_run_free(shown);
}

static void test_channels_neurons_and_classes_against_networks(void **state)
{
    (void)state;
    check_against_networks(sn1_3);
    check_against_networks("spiking/vq_vae/random/layer3.1.sn2/7");
    check_against_networks("spiking/vq_vae/random/sn1/1,2,3");
    check_against_networks("spiking/vq_vae/random/layer2.0.sn1/1,2,3");
    check_against_networks("spiking/vq_vae/random/layer4.1.sn2/9,0,0");
    check_against_networks(class_3);
}

static void test_image_for_the_eye_and_probabilities(void **state)
{
    (void)state;
    const struct model *subject = shared.plan->subjects[0].model;
    void *record = finished_record(sn1_3, NULL, 0);
    const float *mei = FIELD(float, record, FIELD_MEI), *p = FIELD(float, record, FIELD_CLASS_PROBABILITY);
    const uint8_t *rgb = FIELD(uint8_t, record, FIELD_MEI_RGB8);
    double sum = 0;
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 1024; i++) {
            const double value =
                255 * ((double)mei[c * 1024 + i] * model_std(subject)[c] + model_mean(subject)[c]);
            assert_true(fabs(fmin(fmax(value, 0), 255) - rgb[i * 3 + c]) <= 0.5 + 1e-9);
        }
    for (int i = 0; i < 10; i++)
        sum += (double)p[i];
    assert_true(fabs(sum - 1) < 1e-5);
    free(record);
}

/* ---- leaving and going on ---- */

struct counter {
    int64_t n_looks, last_look, n_queries;
};

static bool stops_after(void *context)
{
    struct counter *counter = context;
    return ++counter->n_looks > counter->last_look;
}

static void counts(void *context, int64_t n_queries)
{
    ((struct counter *)context)->n_queries += n_queries;
}

static const char *const tt_names[] = {"spiking/vq_vae/tt_b/layer1.0.sn1/0",
                                       "spiking/vq_vae/tt_b/layer1.0.sn1/1",
                                       "spiking/vq_vae/tt_b/layer1.0.sn1/2"};

/** Records of the three runs of tt_b, one at a time, undisturbed. */
static void *alone[3];

static int do_alone(void)
{
    for (int i = 0; i < 3; i++)
        alone[i] = finished_record(tt_names[i], NULL, 0);
    return 0;
}

static void find_tt_runs(int64_t runs[3])
{
    for (int i = 0; i < 3; i++)
        runs[i] = find_run(shared.plan, tt_names[i]);
}

static void test_runs_do_not_know_of_each_other(void **state)
{
    (void)state;
    const struct replay none[3] = {{0}};
    int64_t runs[3];
    find_tt_runs(runs);
    struct lockstep *lockstep = advance(runs, 3, none, NULL);
    for (int i = 0; i < 3; i++)
        assert_null(
            different_field(run_layout(shared.plan, runs[i]), lockstep_result(lockstep, i).record, alone[i]));
    lockstep_free(lockstep);
}

/** Left in the middle of an ask, gone on with from what was told: no query of the saved ones is done again.
 */
static void test_going_on(void **state)
{
    (void)state;
    int64_t runs[3];
    struct replay replays[3] = {{0}};
    struct counter first = {.last_look = 150}, second = {.last_look = INT64_MAX};
    const struct lockstep_watch watch = {&first, stops_after, counts},
                                watch_again = {&second, stops_after, counts};
    int64_t n_saved = 0;
    find_tt_runs(runs);
    struct lockstep *left = advance(runs, 3, replays, &watch);
    for (int i = 0; i < 3; i++) {
        const struct lockstep_result result = lockstep_result(left, i);
        assert_false(result.finished);
        assert_int_equal(result.n_told % TT_BATCH, 0);
        replays[i] = (struct replay){result.n_told, result.codes_hash, result.scores, STOP_NONE};
        n_saved += result.n_told;
    }
    assert_true(n_saved >= 3 * TT_BATCH);
    assert_true(replays[0].codes_hash != replays[1].codes_hash);
    assert_in_range(first.n_queries, n_saved, n_saved + TT_BATCH);
    struct lockstep *resumed = advance(runs, 3, replays, &watch_again);
    for (int i = 0; i < 3; i++)
        assert_null(
            different_field(run_layout(shared.plan, runs[i]), lockstep_result(resumed, i).record, alone[i]));
    assert_int_equal(second.n_queries, 3 * TT_BUDGET - n_saved);
    lockstep_free(left);
    lockstep_free(resumed);
}

/** Scores that belong to other codes are thrown away: the run starts again. */
static void test_foreign_scores_are_not_used(void **state)
{
    (void)state;
    float scores[2 * TT_BATCH];
    const int64_t run = find_run(shared.plan, tt_names[0]);
    for (int i = 0; i < 2 * TT_BATCH; i++)
        scores[i] = 0.5f + 0.001f * (float)i;
    const struct replay replay = {2 * TT_BATCH, 12345, scores, STOP_NONE};
    struct lockstep *lockstep = advance(&run, 1, &replay, NULL);
    assert_null(different_field(run_layout(shared.plan, run), lockstep_result(lockstep, 0).record, alone[0]));
    lockstep_free(lockstep);
}

/** A stop during the trials leaves the run unfinished, with all its whole batches. */
static void test_stop_during_trials(void **state)
{
    (void)state;
    const struct replay none = {0};
    const int64_t run = find_run(shared.plan, tt_names[0]);
    struct counter counter = {.last_look = INT64_MAX};
    const struct lockstep_watch watch = {&counter, stops_after, counts};
    lockstep_free(advance(&run, 1, &none, &watch));
    counter = (struct counter){.last_look = counter.n_looks - 1};
    struct lockstep *lockstep = advance(&run, 1, &none, &watch);
    const struct lockstep_result result = lockstep_result(lockstep, 0);
    assert_false(result.finished);
    assert_int_equal(result.n_told, TT_BUDGET / TT_BATCH * TT_BATCH);
    lockstep_free(lockstep);
}

/** A method plans with the budget of the campaign's first start, and may use all of today's. */
static void test_first_budget(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0};
    use_script(NULL, 0);
    shared.job->searches[0].first_budget = 5;
    void *record = finished_record(sn1_3, scores, BUDGET);
    shared.job->searches[0].first_budget = BUDGET;
    assert_int_equal(script.budget, 5);
    assert_int_equal(*FIELD(int64_t, record, FIELD_QUERIES), BUDGET);
    free(record);
}

/** All scores of a run whose last batch was cut are used, and that batch is then asked again. */
static void test_going_on_from_a_cut_batch(void **state)
{
    (void)state;
    const int64_t run = find_run(shared.plan, tt_names[0]);
    const struct record_layout *layout = run_layout(shared.plan, run);
    struct counter counter = {.last_look = INT64_MAX};
    const struct lockstep_watch watch = {&counter, stops_after, counts};
    const float *trace = record_at_const(layout, alone[0], FIELD_TRACE);
    const struct replay replay = {
        TT_BUDGET, *(const uint64_t *)record_at_const(layout, alone[0], FIELD_CODES_HASH), trace, STOP_NONE};
    struct lockstep *lockstep = advance(&run, 1, &replay, &watch);
    assert_int_equal(counter.n_queries, 0);
    assert_null(different_field(layout, lockstep_result(lockstep, 0).record, alone[0]));
    lockstep_free(lockstep);
    const struct replay wrong = {TT_BUDGET, replay.codes_hash + 1, trace, STOP_NONE};
    lockstep = advance(&run, 1, &wrong, &watch);
    assert_int_equal(counter.n_queries, TT_BUDGET);
    assert_null(different_field(layout, lockstep_result(lockstep, 0).record, alone[0]));
    lockstep_free(lockstep);
}

/* ---- warm starts ---- */

enum { N_START = 3 };

static int32_t start_pool[N_START + 1][64];
static int64_t start_rows[8 * N_START];

/** Codes filled with 101, 102, 103 for the unit of the run, 100 for all other units of its group. */
static void warm(const char *name, int n_start)
{
    const struct run *run = &shared.plan->runs[find_run(shared.plan, name)];
    struct plan_group *group = &shared.plan->groups[run->group];
    for (int i = 0; i <= N_START; i++)
        for (int d = 0; d < 64; d++)
            start_pool[i][d] = 100 + i;
    memset(start_rows, 0, sizeof start_rows);
    for (int64_t unit = 0; unit < group->n_units; unit++)
        for (int i = 0; i < n_start && group->units[unit] == run->unit; i++)
            start_rows[unit * n_start + i] = 1 + i;
    group->n_start = n_start;
    group->start_pool = n_start == 0 ? NULL : start_pool[0];
    group->start_rows = n_start == 0 ? NULL : start_rows;
}

static uint64_t warm_hash(int n_asked)
{
    uint64_t hash = 0;
    for (int i = 1; i <= N_START; i++)
        hash = hash_continue(hash, start_pool[i], sizeof start_pool[i]);
    for (int i = 0; i < n_asked; i++) {
        int32_t code[64];
        for (int d = 0; d < 64; d++)
            code[d] = script.codes[i];
        hash = hash_continue(hash, code, sizeof code);
    }
    return hash;
}

/** The record of a run with a start whose scores are all given. */
static void *warm_record(const char *name, const float *scores)
{
    const int64_t run = find_run(shared.plan, name);
    const struct record_layout *layout = run_layout(shared.plan, run);
    warm(name, N_START);
    const struct replay replay = {BUDGET, warm_hash(BUDGET - N_START), scores, STOP_NONE};
    struct counter counter = {.last_look = INT64_MAX};
    const struct lockstep_watch watch = {&counter, stops_after, counts};
    struct lockstep *lockstep = advance(&run, 1, &replay, &watch);
    const struct lockstep_result result = lockstep_result(lockstep, 0);
    assert_true(result.finished);
    assert_int_equal(counter.n_queries, 0); /* the codes were those that the replay is of */
    void *copy = malloc(layout->n_bytes);
    memcpy(copy, result.record, layout->n_bytes);
    lockstep_free(lockstep);
    warm(name, 0);
    return copy;
}

static void test_start_codes_come_first(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.1f, 0.5f, 0.25f, 0.3f, 0.4f, 0.2f, 0, 0.3f};
    use_script(NULL, 0);
    void *record = warm_record(sn1_3, scores);
    assert_int_equal(*FIELD(int64_t, record, FIELD_QUERIES), BUDGET);
    assert_int_equal(*FIELD(int64_t, record, FIELD_START_QUERIES), N_START);
    assert_int_equal(*FIELD(int64_t, record, FIELD_BEST_QUERY), 2);
    assert_int_equal(FIELD(int32_t, record, FIELD_LATENT)[63], 102);
    assert_memory_equal(FIELD(float, record, FIELD_TRACE), scores, sizeof scores);
    assert_int_equal(script.n_informed, N_START);
    for (int i = 0; i < N_START; i++) {
        assert_int_equal(script.informed[i], 101 + i);
        assert_true(script.informed_scores[i] == scores[i]);
    }
    assert_int_equal(script.n_told, BUDGET - N_START - 1);
    assert_memory_equal(script.told, scores + N_START, sizeof(float) * (BUDGET - N_START - 1));
    free(record);
}

static void test_start_of_a_minimum(void **state)
{
    (void)state;
    const float scores[BUDGET] = {0.5f, 0.25f, 0.75f, 0.25f, 0.3f, 0.5f, 0.6f, 0.3f};
    use_script(NULL, 0);
    void *record = warm_record(low_3, scores);
    assert_int_equal(*FIELD(int64_t, record, FIELD_BEST_QUERY), 2);
    for (int i = 0; i < N_START; i++)
        assert_true(script.informed_scores[i] == -scores[i]);
    free(record);
}

/** Shown to the networks, a start code is the same as if it were asked. */
static void test_start_codes_are_shown(void **state)
{
    (void)state;
    use_script((const int[]){101, 102, 103}, 3);
    void *asked = finished_record(sn1_3, NULL, 0);
    use_script((const int[]){3, 4, 5, 6, 7, 8, 9, 10}, 8);
    warm(sn1_3, N_START);
    void *told = finished_record(sn1_3, NULL, 0);
    warm(sn1_3, 0);
    assert_memory_equal(FIELD(float, told, FIELD_TRACE), FIELD(float, asked, FIELD_TRACE),
                        N_START * sizeof(float));
    free(asked);
    free(told);
}

/* ---- noise ---- */

static const char noisy_3[] = "spiking/vq_vae/noisy/sn1/3";

#define NOISY(type, record, field)                                                                           \
    ((const type *)record_at_const(run_layout(shared.plan, find_run(shared.plan, noisy_3)), record, field))

static void test_noisy_queries_are_all_shown(void **state)
{
    (void)state;
    const int codes[] = {1, 2, 1, 1, 3, 2, 1, 1};
    use_script(codes, BUDGET);
    void *first = finished_record(noisy_3, NULL, 0), *again = finished_record(noisy_3, NULL, 0);
    const float *trace = NOISY(float, first, FIELD_TRACE);
    assert_null(different_field(run_layout(shared.plan, find_run(shared.plan, noisy_3)), first, again));
    assert_int_equal(*NOISY(int64_t, first, FIELD_EVALUATIONS), BUDGET);
    assert_int_equal(*NOISY(int64_t, first, FIELD_QUERIES), BUDGET);
    int n_unlike = 0;
    for (int q = 3; q < BUDGET; q++)
        n_unlike += codes[q] == 1 && trace[q] != trace[2];
    assert_true(n_unlike > 0);
    /* the activation is without noise */
    use_script(NULL, 0);
    shared.job->stop = (struct job_stop){.has_target = true, .target = -1};
    script.codes[0] = NOISY(int32_t, first, FIELD_LATENT)[0];
    void *quiet = finished_record(sn1_3, NULL, 0);
    assert_true(*NOISY(float, first, FIELD_ACTIVATION) == *FIELD(float, quiet, FIELD_ACTIVATION));
    free(first);
    free(again);
    free(quiet);
}

/** Single scores are given; which candidate is the best over presentations is the networks' business. */
static void test_recheck_names_the_best_mean(void **state)
{
    (void)state;
    const int codes[] = {11, 12, 13, 14, 12, 15, 16, 17};
    const float scores[BUDGET] = {0.1f, 0.3f, 0.2f, 0.45f, 0.4f, 0.4f, 0.05f, 0};
    const int64_t queries[] = {4, 5, 6};
    const int candidates[] = {14, 12, 15};
    use_script(codes, BUDGET);
    void *record = finished_record(noisy_3, scores, BUDGET);
    const float *means = NOISY(float, record, FIELD_RECHECK_MEAN);
    const int recommended = *NOISY(int32_t, record, FIELD_RECOMMENDED);
    assert_int_equal(*NOISY(int64_t, record, FIELD_RECHECKS), 3 * 4);
    assert_int_equal(*NOISY(int64_t, record, FIELD_QUERIES), BUDGET);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(NOISY(int64_t, record, FIELD_RECHECK_QUERY)[i], queries[i]);
        assert_true(NOISY(float, record, FIELD_RECHECK_SCORE)[i] == scores[queries[i] - 1]);
        assert_int_equal(NOISY(int32_t, record, FIELD_RECHECK_LATENT)[i * 64 + 7], candidates[i]);
        assert_true(means[i] <= means[recommended] && means[i] >= 0 && means[i] <= 1);
    }
    assert_true(means[0] != means[1] || means[1] != means[2]);
    assert_int_equal(*NOISY(int64_t, record, FIELD_BEST_QUERY), queries[recommended]);
    assert_int_equal(NOISY(int32_t, record, FIELD_LATENT)[0], candidates[recommended]);
    assert_true(*NOISY(float, record, FIELD_ACTIVATION_SEARCHED) == scores[queries[recommended] - 1]);
    free(record);
}

/** The candidate that is best over presentations wins wherever it stands among the single scores. */
static void test_recheck_does_not_trust_single_scores(void **state)
{
    (void)state;
    const int codes[] = {11, 12, 13, 14, 15, 16, 17, 18};
    float scores[BUDGET] = {0.3f, 0.2f, 0.1f}, means[3];
    int64_t winner = -1;
    use_script(codes, BUDGET);
    for (int best = 0; best < 3; best++) { /* each of three codes has the best single score once */
        for (int i = 0; i < 3; i++)
            scores[i] = i == best ? 0.4f : 0.2f;
        void *record = finished_record(noisy_3, scores, BUDGET);
        const int32_t *latent = NOISY(int32_t, record, FIELD_RECHECK_LATENT);
        assert_int_equal(latent[0], codes[best]);
        assert_true(*NOISY(float, record, FIELD_ACTIVATION) >= 0);
        for (int i = 0; i < 3; i++)
            means[latent[i * 64] - 11] = NOISY(float, record, FIELD_RECHECK_MEAN)[i];
        for (int i = 0; i < 3; i++)
            assert_true(means[i] <= means[NOISY(int32_t, record, FIELD_LATENT)[0] - 11]);
        winner = winner < 0 ? *NOISY(int64_t, record, FIELD_BEST_QUERY) : winner;
        free(record);
    }
    assert_in_range(winner, 1, 3);
}

/* ---- distinct replicates ---- */

static void test_closeness(void **state)
{
    (void)state;
    const float image[] = {1, 2, 3, 4}, brighter[] = {12, 14, 16, 18}, opposite[] = {4, 3, 2, 1},
                unrelated[] = {1, -1, -1, 1}, uniform[] = {5, 5, 5, 5}, half[] = {1, 2, 4, 3};
    assert_true(image_closeness(4, image, image) == 1);
    assert_true(fabs(image_closeness(4, image, brighter) - 1) < 1e-12);
    assert_true(image_closeness(4, image, opposite) == 0);
    assert_true(image_closeness(4, image, unrelated) == 0);
    assert_true(image_closeness(4, image, uniform) == 0);
    assert_true(fabs(image_closeness(4, image, half) - 0.8) < 1e-12);
}

static const float *chain_float(const struct lockstep *lockstep, int64_t first, int i,
                                enum record_field_id field)
{
    return record_at_const(run_layout(shared.plan, first + i), lockstep_result(lockstep, i).record, field);
}

/** Each replicate is told its activation less the penalty for what those before have found. */
static void test_replicates_look_away_from_each_other(void **state)
{
    (void)state;
    const int64_t first = find_run(shared.plan, "spiking/vq_vae/chain/sn1/3 replicate 0");
    const int64_t runs[] = {first, first + 1, first + 2};
    const struct replay none[3] = {{0}};
    struct lockstep *lockstep = advance(runs, 3, none, NULL);
    for (int i = 0; i < 3; i++) {
        const float *mei = chain_float(lockstep, first, i, FIELD_MEI);
        const double searched = (double)*chain_float(lockstep, first, i, FIELD_ACTIVATION_SEARCHED);
        const double activation = (double)*chain_float(lockstep, first, i, FIELD_ACTIVATION);
        double closeness = 0;
        for (int j = 0; j < i; j++)
            closeness =
                fmax(closeness, image_closeness(3072, mei, chain_float(lockstep, first, j, FIELD_MEI)));
        assert_true(fabs(closeness - (double)*chain_float(lockstep, first, i, FIELD_CLOSENESS)) < 1e-6);
        assert_true(fabs(activation - 0.75 * closeness - searched) < 1e-6);
        /* an activation is a whole number of spikes, of 4 x 16 x 16 neurons; a penalised one is not */
        int n_penalised = 0;
        for (int q = 0; q < BUDGET; q++) {
            const float spikes = 1024 * chain_float(lockstep, first, i, FIELD_TRACE)[q];
            n_penalised += spikes != rintf(spikes);
        }
        assert_true(i == 0 ? n_penalised == 0 : n_penalised > 0);
    }
    /* From their scores alone they are the same again: the first too, whose MEI the others need. */
    struct replay replays[3];
    struct counter counter = {.last_look = INT64_MAX};
    const struct lockstep_watch watch = {&counter, stops_after, counts};
    for (int i = 0; i < 3; i++)
        replays[i] =
            (struct replay){i < 2 ? BUDGET : 3, 0, chain_float(lockstep, first, i, FIELD_TRACE), STOP_NONE};
    for (int i = 0; i < 2; i++)
        replays[i].codes_hash = *(const uint64_t *)record_at_const(
            run_layout(shared.plan, first), lockstep_result(lockstep, i).record, FIELD_CODES_HASH);
    struct lockstep *again = advance(runs, 3, replays, &watch);
    for (int i = 0; i < 3; i++)
        assert_null(different_field(run_layout(shared.plan, first), lockstep_result(again, i).record,
                                    lockstep_result(lockstep, i).record));
    assert_in_range(counter.n_queries, 1, BUDGET); /* of the last replicate only */
    lockstep_free(again);
    lockstep_free(lockstep);
}

static int open_shared(void **state)
{
    (void)state;
    fixture_open(&shared, job_text);
    reset(NULL);
    return do_alone();
}

static int close_shared(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        free(alone[i]);
    fixture_close(&shared);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_winner_is_first_best, reset),
        cmocka_unit_test_setup(test_codes_hash, reset),
        cmocka_unit_test_setup(test_duplicates_are_not_shown_again, reset),
        cmocka_unit_test_setup(test_minimise, reset),
        cmocka_unit_test_setup(test_silent_and_saturated, reset),
        cmocka_unit_test_setup(test_stop_at_bound, reset),
        cmocka_unit_test_setup(test_stop_at_target, reset),
        cmocka_unit_test_setup(test_stop_without_improvement, reset),
        cmocka_unit_test_setup(test_stop_at_wall_time, reset),
        cmocka_unit_test_setup(test_stop_of_a_run_that_is_done_again, reset),
        cmocka_unit_test_setup(test_wall_time_of_a_chain, reset),
        cmocka_unit_test_setup(test_failed_method_fails_its_runs_only, reset),
        cmocka_unit_test_setup(test_fault_of_the_machine_ends_the_batch, reset),
        cmocka_unit_test_setup(test_scores_that_are_no_numbers, reset),
        cmocka_unit_test_setup(test_channels_neurons_and_classes_against_networks, reset),
        cmocka_unit_test_setup(test_image_for_the_eye_and_probabilities, reset),
        cmocka_unit_test_setup(test_runs_do_not_know_of_each_other, reset),
        cmocka_unit_test_setup(test_going_on, reset),
        cmocka_unit_test_setup(test_foreign_scores_are_not_used, reset),
        cmocka_unit_test_setup(test_stop_during_trials, reset),
        cmocka_unit_test_setup(test_first_budget, reset),
        cmocka_unit_test_setup(test_start_codes_come_first, reset),
        cmocka_unit_test_setup(test_start_of_a_minimum, reset),
        cmocka_unit_test_setup(test_start_codes_are_shown, reset),
        cmocka_unit_test_setup(test_noisy_queries_are_all_shown, reset),
        cmocka_unit_test_setup(test_recheck_names_the_best_mean, reset),
        cmocka_unit_test_setup(test_recheck_does_not_trust_single_scores, reset),
        cmocka_unit_test_setup(test_closeness, reset),
        cmocka_unit_test_setup(test_replicates_look_away_from_each_other, reset),
        cmocka_unit_test_setup(test_going_on_from_a_cut_batch, reset),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
