/* SPDX-License-Identifier: MIT */
/** `meicensus bench` on the small network for MNIST, and the processes that do it. */
#include <math.h>
#include <signal.h>
#include <unistd.h>

#include "campaign_fixture.h"

#include "../../src/commands/bench_result.h"
#include "clock.h"
#include "machine.h"

static const char job_text[] =
    "results: none\n"
    "batch: 2\n"
    "subjects: {cnn: {model: weights/mnist_cnn.yaml, timesteps: 8},\n"
    "  other: {model: weights/mnist_cnn.yaml}}\n"
    "generators: {vq_vae: {model: weights/mnist_vq_vae.yaml}}\n"
    "methods: {tt: {}, random: {}}\n"
    "searches:\n"
    "  - {subjects: [cnn], methods: [tt], layers: [sn1, sn3], sample: 3,\n"
    "     budget: 200, replicates: 2, distinct: 0.5}\n"
    "  - {subjects: [cnn], methods: [tt], unit: class, budget: 200, replicates: 2,\n"
    "     distinct: 0.5}\n"
    "stop: {target: 0.0}\n";

/* ---- processes ---- */

static enum status count_up(struct core *core, void *context, struct error *error)
{
    (void)error;
    core->n_values = 2;
    core->values[0] = core->index;
    for (int i = 0; i < 3; i++)
        core_meet(core);
    core->values[1] = *(const double *)context;
    return STATUS_OK;
}

static void test_processes(void **state)
{
    (void)state;
    double given = 7, *values = NULL;
    size_t n_values;
    struct error error = {0};
    require(cores_run(3, count_up, &given, &values, &n_values, &error), &error);
    assert_int_equal(n_values, 2);
    for (int p = 0; p < 3; p++) {
        assert_true(values[2 * p] == p);
        assert_true(values[2 * p + 1] == 7);
    }
    free(values);
}

/** The second process fails or dies while the others wait for it. */
static enum status end_badly(struct core *core, void *context, struct error *error)
{
    if (core->index == 1 && context == NULL)
        return error_set(error, STATUS_BAD_INPUT, "no such thing");
    if (core->index == 1)
        raise(SIGKILL);
    core_meet(core);
    return STATUS_OK;
}

static void test_a_process_that_fails_ends_all(void **state)
{
    (void)state;
    double *values = NULL;
    size_t n_values;
    struct error error = {0};
    const double start = clock_seconds();
    assert_int_equal(cores_run(3, end_badly, NULL, &values, &n_values, &error), STATUS_BAD_INPUT);
    assert_string_equal(error.message, "no such thing");
    assert_int_equal(cores_run(3, end_badly, &error, &values, &n_values, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "process 2 of the 3 that measure was ended by signal 9"));
    assert_null(values);
    assert_true(clock_seconds() - start < 5);
}

/* ---- the machine ---- */

static void test_machine(void **state)
{
    (void)state;
    char name[MACHINE_NAME_CAPACITY];
    double bandwidth = 0;
    struct error error = {0};
    machine_processor(name);
    assert_true(strlen(name) > 0);
    assert_true(machine_n_cores() >= 1);
    require(machine_bandwidth(0.02, 1 << 20, &bandwidth, &error), &error);
    const double peak = machine_peak(0.02);
    /* bytes and operations a second, however little of the processor this process got */
    assert_true(bandwidth > 1e6 && bandwidth < 1e13);
    assert_true(peak > 1e7 && peak < 1e13);
}

/* ---- what has to be moved ---- */

static void test_traffic(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture, FIXTURE_MODELS "methods: {random: {}}\n"
                                          "searches: [{layers: [sn1], budget: 1}]\n");
    const struct model *model = fixture.plan->subjects[0].model;
    const struct {
        const char *layer, *reader;
        double inputs, output, weights;
    } expected[] = {
        {"conv1", "bn1", 4.0 * 3 * 32 * 32, 4.0 * 64 * 16 * 16, 4.0 * (3 * 64 * 49 + 64)}, /* a still image */
        {"bn1", "sn1", 0, 0, 0},                                                           /* folded */
        {"sn1", "maxpool", 4.0 * 64 * 16 * 16, 4.0 * 4 * 64 * 16 * 16, 0},
        {"layer1.0.add", "layer1.0.sn2", 4.0 * 4 * 2 * 64 * 8 * 8, 4.0 * 4 * 64 * 8 * 8, 0},
        {"layer4.1.conv1", "layer4.1.bn1", 4.0 * 4 * 512, 4.0 * 4 * 512,
         4.0 * (512 * 512 + 512)}, /* one tap */
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        const int layer = model_find_layer(model, expected[i].layer);
        const struct layer_traffic traffic = model_layer_traffic(model, layer);
        assert_true(traffic.inputs == expected[i].inputs);
        assert_true(traffic.output == expected[i].output);
        assert_true(traffic.weights == expected[i].weights);
        assert_string_equal(model_layer_name(model, model_layer_reader(model, layer)), expected[i].reader);
    }
    assert_int_equal(model_layer_reader(model, model_output_layer(model)), -1);
    fixture_close(&fixture);
}

/* ---- the measurement ---- */

static struct bench_result measure(struct bench_task *task, struct bench_plan *bench)
{
    struct error error = {0};
    struct bench_result result;
    double machine[2 * N_MACHINE_VALUES] = {1e11, 1e11, 1e10, 1e10, 0, 1e11, 0, 1e10}, *values;
    size_t n_values;
    require(cores_run(2, bench_measure_job, task, &values, &n_values, &error), &error);
    require(bench_plan_open(task->job, &task->names, bench, &error), &error);
    assert_int_equal(n_values, bench_job_values(bench));
    require(bench_result_make(bench, task, 2, machine, values, &result, &error), &error);
    const double queries_a_second = 1 / values[JOB_SEARCH] + 1 / values[n_values + JOB_SEARCH];
    assert_true(fabs(result.search_ms * queries_a_second - 1e3) < 1e-6);
    assert_true(result.machine[MACHINE_PEAK] == 2e11 && result.machine[MACHINE_PEAK_ALONE] == 1e11);
    free(values);
    return result;
}

static struct bench_task open_task(void)
{
    struct error error = {0};
    struct bench_task task = {.seconds = 1};
    require(job_read_text(job_text, "test.yaml", &task.job, &error), &error);
    require(bench_job_prepare(task.job, &task.names, &error), &error);
    return task;
}

static void check_network(const struct bench_network *network, const char *what)
{
    double ms = 0;
    for (int i = 0; i < network->n_layers; i++) {
        assert_true(network->layers[i].ms > 0 && network->layers[i].bytes > 0);
        ms += network->layers[i].ms;
    }
    if (!(ms > 0.5 * network->total.ms && ms < 1.05 * network->total.ms))
        fail_msg("%s: its layers take %g ms, the whole %g", what, ms, network->total.ms);
}

/** What a layer of a target has to do; NULL: it does not need that layer. */
static const struct bench_work *find_layer(const struct bench_target_result *target, const char *name)
{
    for (int i = 0; i < target->subject.n_layers; i++)
        if (strcmp(target->subject.layers[i].name, name) == 0)
            return &target->subject.layers[i];
    return NULL;
}

/** Every multiply-add up to the target is somebody's, whatever is computed together. */
static void check_multiply_adds(const struct bench_target_result *target, const struct model *subject)
{
    double sum = 0;
    for (int i = 0; i < target->subject.n_layers; i++)
        sum += target->subject.layers[i].multiply_adds;
    assert_true(sum == model_layer_cost(subject, target->target->layer));
    assert_true(sum == target->subject.total.multiply_adds);
}

static void check_targets(const struct bench_result *result)
{
    static const char *const names[] = {"sn1", "sn3", "class outputs"};
    static const int n_units[] = {3, 3, 10};
    assert_int_equal(result->bench->n_targets, 3);
    for (int i = 0; i < 3; i++) {
        const struct bench_target_result *target = &result->targets[i];
        assert_string_equal(target->target->name, names[i]);
        assert_int_equal(target->target->n_units, n_units[i]);
        assert_true(target->queries >= 1);
        check_network(&target->subject, names[i]);
        check_multiply_adds(target, result->bench->subject);
        const double rate = find_layer(target, "sn1")->firing_rate;
        assert_true(rate > 0 && rate < 1);
    }
    assert_null(find_layer(&result->targets[0], "sn3"));
    assert_true(find_layer(&result->targets[1], "conv1")->multiply_adds == 16.0 * 25 * 24 * 24);
    assert_true(isnan(find_layer(&result->targets[1], "conv1")->firing_rate));
    assert_true(result->targets[2].subject.total.ms > result->targets[0].subject.total.ms);
}

/** A whole query does the work of its parts. Other programs may take the processor for a while: once of
 * three times is enough. */
static bool parts_fit(const struct bench_result *result)
{
    bool fit = true;
    for (int i = 0; i < result->bench->n_targets; i++) {
        const struct bench_target_result *target = &result->targets[i];
        const double parts = result->generator.total.ms + target->subject.total.ms + result->search_ms;
        assert_true(fabs(target->whole_ms - target->other_ms - parts) < 1e-9);
        fit = fit && target->whole_ms >= 0.8 * parts && target->whole_ms <= 3 * parts;
    }
    return fit;
}

static void check_json(const struct bench_result *result)
{
    cJSON *root = bench_json(result);
    const cJSON *targets = cJSON_GetObjectItem(root, "targets");
    assert_int_equal(cJSON_GetArraySize(targets), 3);
    const cJSON *last = cJSON_GetArrayItem(targets, 2);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(last, "layer")), "class outputs");
    assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(last, "whole_ms_per_query")) ==
                result->targets[2].whole_ms);
    const cJSON *layers = cJSON_GetObjectItem(cJSON_GetObjectItem(last, "subject"), "layers");
    assert_int_equal(cJSON_GetArraySize(layers), result->targets[2].subject.n_layers);
    const cJSON *census = cJSON_GetObjectItem(root, "mean_over_units");
    assert_true(fabs(cJSON_GetNumberValue(cJSON_GetObjectItem(census, "whole_ms_per_query")) -
                     (3 * result->targets[0].whole_ms + 3 * result->targets[1].whole_ms +
                      10 * result->targets[2].whole_ms) /
                         16) < 1e-9);
    cJSON_Delete(root);
}

static void test_measurement(void **state)
{
    (void)state;
    bool fit = false;
    for (int attempt = 0; attempt < 3 && !fit; attempt++) {
        struct bench_task task = open_task();
        struct bench_plan bench = {0};
        struct bench_result result = measure(&task, &bench);
        check_network(&result.generator, "generator");
        check_targets(&result);
        check_json(&result);
        assert_true(result.resident_bytes > result.tensor_bytes && result.tensor_bytes > 1e5);
        fit = parts_fit(&result);
        bench_result_free(&result);
        bench_plan_close(&bench);
        job_free(task.job);
    }
    assert_true(fit);
}

/* ---- names ---- */

static void check_refused(const struct bench_names *names, const char *message)
{
    struct error error = {0};
    struct bench_plan bench = {0};
    struct bench_task task = open_task();
    enum status status = bench_job_prepare(task.job, names, &error);
    if (status == STATUS_OK)
        status = bench_plan_open(task.job, names, &bench, &error);
    assert_int_equal(status, STATUS_BAD_INPUT);
    assert_string_equal(error.message, message);
    bench_plan_close(&bench);
    job_free(task.job);
}

static void test_names(void **state)
{
    (void)state;
    check_refused(&(struct bench_names){.subject = "x"}, "--subject x: not in test.yaml (valid: cnn, other)");
    check_refused(&(struct bench_names){.generator = "x"}, "--generator x: not in test.yaml (valid: vq_vae)");
    check_refused(&(struct bench_names){.method = "x"}, "--method x: not in test.yaml (valid: tt, random)");
    check_refused(&(struct bench_names){.subject = "cnn", .method = "random"},
                  "test.yaml: does not search that combination of subject, generator and method (it does: "
                  "cnn/vq_vae/tt)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes),   cmocka_unit_test(test_a_process_that_fails_ends_all),
        cmocka_unit_test(test_machine),     cmocka_unit_test(test_traffic),
        cmocka_unit_test(test_measurement), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
