/* SPDX-License-Identifier: MIT */
/** Repeated presentations: what each named noise does, and that its numbers depend on key and trial only. */
#include <math.h>

#include "campaign_fixture.h"

#include "../../src/campaign/trials.h"

enum { TIMESTEPS = 4, N_VALUES = 3072, N_CLASSES = 10 };

/** A subject with its buffers, and an image that is normalised as the subject wants it. */
struct stage {
    struct model *model;
    struct model_run *run;
    float image[N_VALUES];
    float input[N_VALUES * 64];
    float probability[N_CLASSES];
    struct unit unit;
};

/** rgb in [low, high], every value another one, in no visible order. */
static void paint(struct stage *stage, double low, double high)
{
    for (int i = 0; i < N_VALUES; i++) {
        const int c = i / 1024;
        const double rgb = low + (high - low) * (i * 7919 % N_VALUES) / N_VALUES;
        stage->image[i] = (float)((rgb - model_mean(stage->model)[c]) / model_std(stage->model)[c]);
    }
}

static struct stage *open_stage(const char *kernels, int timesteps)
{
    struct backend backend;
    struct error error = {0};
    const struct model_overrides overrides = {.timesteps = timesteps};
    struct stage *stage = calloc(1, sizeof *stage);
    require(backend_open(kernels, &backend, &error), &error);
    require(model_load("weights/spiking_resnet18.yaml", &overrides, backend.kernels, &stage->model, &error),
            &error);
    require(model_run_create(stage->model, &stage->run, &error), &error);
    stage->unit = (struct unit){model_find_layer(stage->model, "layer1.0.sn1"), UNIT_CHANNEL, 5, -1, -1};
    paint(stage, 0, 1);
    return stage;
}

static void close_stage(struct stage *stage)
{
    model_run_free(stage->run);
    model_free(stage->model);
    free(stage);
}

static struct stage *shared;

static int open_shared(void **state)
{
    (void)state;
    shared = open_stage(NULL, TIMESTEPS);
    return 0;
}

static int close_shared(void **state)
{
    (void)state;
    close_stage(shared);
    return 0;
}

static int paint_shared(void **state)
{
    (void)state;
    paint(shared, 0, 1);
    return 0;
}

static struct trial_result present(struct stage *stage, enum noise_kind noise, double scale, uint64_t key,
                                   int64_t trial)
{
    const struct job_trials trials = {3, noise, scale};
    struct trial_result result = {.probability = stage->probability};
    trial_present(stage->run, stage->model, &stage->unit, &trials, key, trial, stage->image, stage->input,
                  &result);
    return result;
}

static void test_number_of_trials(void **state)
{
    (void)state;
    assert_int_equal(trials_count(&(struct job_trials){7, NOISE_NONE, 0}), 1);
    assert_int_equal(trials_count(&(struct job_trials){7, NOISE_CARRY_OVER, 0}), 7);
    assert_int_equal(trials_count(&(struct job_trials){7, NOISE_POISSON, 0}), 7);
}

static void test_defaults(void **state)
{
    (void)state;
    const double defaults[] = {0, 0, 0.2, 0.1, 0.05, 0};
    for (int i = 0; i <= NOISE_POISSON; i++)
        assert_true(noise_default_scale(i) == defaults[i]);
    assert_string_equal(noise_names[NOISE_CARRY_OVER], "carry_over");
    assert_string_equal(noise_names[NOISE_POISSON], "poisson");
    assert_null(noise_names[NOISE_POISSON + 1]);
}

static void test_none_is_a_fresh_presentation(void **state)
{
    (void)state;
    model_forward(shared->run, shared->image, model_output_layer(shared->model), NULL);
    const float expected = unit_activation(shared->run, &shared->unit);
    assert_true(present(shared, NOISE_NONE, 0, 1, 0).activation == expected);
    assert_true(present(shared, NOISE_NONE, 0, 1, 0).activation == expected);
}

/**
 * Three trials of T steps are one presentation of 3 T steps in three parts, spike by spike. By the reference
 * kernels, whose results do not depend on T.
 */
static void test_carry_over_is_one_long_presentation(void **state)
{
    (void)state;
    enum { PART = 2, PARTS = 3 };
    struct stage *part = open_stage("reference", PART), *whole = open_stage("reference", PART * PARTS);
    const int layers[] = {part->unit.layer, model_find_layer(part->model, "layer2.1.sn2"),
                          model_output_layer(part->model)};
    model_forward(whole->run, whole->image, model_output_layer(whole->model), NULL);
    for (int trial = 0; trial < PARTS; trial++) {
        present(part, NOISE_CARRY_OVER, 0, 1, trial);
        for (int l = 0; l < 3; l++) {
            int time_part, time_whole;
            const float *in_part = model_output(part->run, layers[l], &time_part);
            const float *in_whole = model_output(whole->run, layers[l], &time_whole);
            const struct map_shape shape = model_layer_shape(part->model, layers[l]);
            const size_t pixels = (size_t)shape.height * (size_t)shape.width;
            assert_int_equal(time_part, PART);
            assert_int_equal(time_whole, PART * PARTS);
            for (size_t c = 0; c < (size_t)shape.channels; c++)
                assert_memory_equal(in_part + c * PART * pixels,
                                    in_whole + (c * PART * PARTS + (size_t)trial * PART) * pixels,
                                    PART * pixels * sizeof *in_part);
        }
    }
    close_stage(part);
    close_stage(whole);
}

static void test_carry_over_starts_fresh(void **state)
{
    (void)state;
    const float first = present(shared, NOISE_CARRY_OVER, 0, 1, 0).entropy;
    const float second = present(shared, NOISE_CARRY_OVER, 0, 1, 1).entropy;
    assert_true(first != second);
    assert_true(present(shared, NOISE_CARRY_OVER, 0, 2, 0).entropy == first);
    assert_true(present(shared, NOISE_CARRY_OVER, 0, 2, 1).entropy == second);
    assert_true(first == present(shared, NOISE_NONE, 0, 1, 0).entropy);
}

/** |mean of n values of mean 0 and this standard deviation| is below this but once in two million. */
static double mean_bound(double deviation, double n)
{
    return 5 * deviation / sqrt(n);
}

static double input_rgb(const struct stage *stage, size_t i, int channel)
{
    return (double)stage->input[i] * model_std(stage->model)[channel] + model_mean(stage->model)[channel];
}

static void test_input_noise(void **state)
{
    (void)state;
    const double scale = 0.3, n = 4.0 * N_VALUES;
    double sum = 0, squares = 0, product = 0;
    static double last[N_VALUES];
    for (int trial = 0; trial < 4; trial++) {
        present(shared, NOISE_INPUT, scale, 42, trial);
        for (int i = 0; i < N_VALUES; i++) {
            const double noise =
                ((double)shared->input[i] - (double)shared->image[i]) * model_std(shared->model)[i / 1024];
            sum += noise;
            squares += noise * noise;
            product += trial > 0 ? noise * last[i] : 0;
            last[i] = noise;
        }
    }
    const double deviation = sqrt(squares / n);
    assert_true(fabs(sum / n) < mean_bound(scale, n));
    assert_true(fabs(deviation / scale - 1) < 5 / sqrt(2 * n));
    assert_true(fabs(product / (3 * N_VALUES)) < mean_bound(scale * scale, 3 * N_VALUES));
}

static void test_poisson_noise(void **state)
{
    (void)state;
    double sum = 0, variance = 0;
    for (int trial = 0; trial < 2; trial++) {
        present(shared, NOISE_POISSON, 0, 42, trial);
        for (int i = 0; i < N_VALUES; i++) {
            const int c = i / 1024;
            const double p =
                (double)shared->image[i] * model_std(shared->model)[c] + model_mean(shared->model)[c];
            for (int t = 0; t < TIMESTEPS; t++) {
                const double value =
                    input_rgb(shared, ((size_t)c * TIMESTEPS + (size_t)t) * 1024 + (size_t)(i % 1024), c);
                assert_true(fabs(value) < 1e-6 || fabs(value - 1) < 1e-6);
                sum += value - p;
                variance += p * (1 - p);
            }
        }
    }
    assert_true(fabs(sum) < 5 * sqrt(variance));
}

/** Beyond [0, 1] a value is clipped: always dark, always bright. */
static void test_poisson_noise_clips(void **state)
{
    (void)state;
    paint(shared, -1, -0.01);
    present(shared, NOISE_POISSON, 0, 42, 0);
    for (size_t i = 0; i < N_VALUES * TIMESTEPS; i++)
        assert_true(fabs(input_rgb(shared, i, (int)(i / (1024 * TIMESTEPS)))) < 1e-6);
    paint(shared, 1.01, 2);
    present(shared, NOISE_POISSON, 0, 42, 0);
    for (size_t i = 0; i < N_VALUES * TIMESTEPS; i++)
        assert_true(fabs(input_rgb(shared, i, (int)(i / (1024 * TIMESTEPS))) - 1) < 1e-6);
}

/** Steps, pixels and trials do not share numbers. */
static void test_poisson_noise_is_independent(void **state)
{
    (void)state;
    static float first[N_VALUES * TIMESTEPS];
    int same_step = 0, same_trial = 0;
    paint(shared, 0.5, 0.5);
    present(shared, NOISE_POISSON, 0, 42, 0);
    memcpy(first, shared->input, sizeof first);
    present(shared, NOISE_POISSON, 0, 42, 1);
    for (int i = 0; i < N_VALUES * TIMESTEPS; i++)
        same_trial += first[i] == shared->input[i];
    for (int i = 0; i < 1024 * (TIMESTEPS - 1); i++)
        same_step += first[i] == first[i + 1024];
    /* half of them, within 5 standard deviations */
    assert_in_range(same_trial, 6144 - 280, 6144 + 280);
    assert_in_range(same_step, 1536 - 140, 1536 + 140);
}

static void test_noise_depends_on_key_and_trial_only(void **state)
{
    (void)state;
    static const enum noise_kind kinds[] = {NOISE_INITIAL_MEMBRANE, NOISE_MEMBRANE, NOISE_INPUT,
                                            NOISE_POISSON};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const double scale = kinds[i] == NOISE_POISSON ? 0 : 0.3;
        float entropies[4];
        const uint64_t keys[] = {42, 43, 42, 42};
        const int64_t trials[] = {0, 0, 1, 0};
        for (int k = 0; k < 4; k++)
            entropies[k] = present(shared, kinds[i], scale, keys[k], trials[k]).entropy;
        assert_true(entropies[3] == entropies[0]);
        assert_true(entropies[1] != entropies[0]);
        assert_true(entropies[2] != entropies[0]);
        assert_true(entropies[2] != entropies[1]);
    }
}

static void test_no_strength_is_no_noise(void **state)
{
    (void)state;
    const struct trial_result none = present(shared, NOISE_NONE, 0, 1, 0);
    const float activation = none.activation, entropy = none.entropy;
    static const enum noise_kind kinds[] = {NOISE_INITIAL_MEMBRANE, NOISE_MEMBRANE};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct trial_result result = present(shared, kinds[i], 0, 42, 1);
        assert_true(result.activation == activation && result.entropy == entropy);
    }
}

/** bits of the class probabilities / log2(classes), and the probabilities are the softmax of the mean
 * outputs. */
static void test_entropy(void **state)
{
    (void)state;
    const int output = model_output_layer(shared->model);
    const struct trial_result result = present(shared, NOISE_NONE, 0, 1, 0);
    double sum = 0, bits = 0;
    for (int i = 0; i < N_CLASSES; i++)
        sum += exp((double)model_channel_activation(shared->run, output, i));
    for (int i = 0; i < N_CLASSES; i++) {
        const double p = exp((double)model_channel_activation(shared->run, output, i)) / sum;
        bits -= p * log2(p);
        assert_true(fabs(p - (double)shared->probability[i]) < 1e-6);
    }
    assert_true(fabs((double)result.entropy - bits / log2(N_CLASSES)) < 1e-6);
    assert_true(result.entropy > 0 && result.entropy < 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_of_trials),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test_setup(test_none_is_a_fresh_presentation, paint_shared),
        cmocka_unit_test(test_carry_over_is_one_long_presentation),
        cmocka_unit_test_setup(test_carry_over_starts_fresh, paint_shared),
        cmocka_unit_test_setup(test_input_noise, paint_shared),
        cmocka_unit_test_setup(test_poisson_noise, paint_shared),
        cmocka_unit_test_setup(test_poisson_noise_clips, paint_shared),
        cmocka_unit_test_setup(test_poisson_noise_is_independent, paint_shared),
        cmocka_unit_test_setup(test_noise_depends_on_key_and_trial_only, paint_shared),
        cmocka_unit_test_setup(test_no_strength_is_no_noise, paint_shared),
        cmocka_unit_test_setup(test_entropy, paint_shared),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
