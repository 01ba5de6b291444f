/* SPDX-License-Identifier: MIT */
/** Images of many codes at a time: the bits of each must be those of the image made alone. */
#include "campaign_fixture.h"

#include "../../src/campaign/evaluator.h"

static const char job_text[] =
    "results: none\n"
    "subjects: {spiking: {model: weights/spiking_resnet18.yaml, timesteps: 4}}\n"
    "generators: {vq_vae: {model: weights/vq_vae.yaml}, sn_gan_light: {model: weights/sn_gan_light.yaml}}\n"
    "methods: {random: {}}\n"
    "searches: [{layers: [sn1], select: [0], budget: 1}]\n";

enum { N_CODES = 23, N_VALUES = 3 * 32 * 32, MOST_DIMENSIONS = 128 };

static struct fixture fixture;
static int32_t codes[N_CODES][MOST_DIMENSIONS];

static void fill_codes(const struct model *generator)
{
    for (int i = 0; i < N_CODES; i++)
        for (int d = 0; d < MOST_DIMENSIONS; d++)
            codes[i][d] = (i * 7919 + d * 104729 + i * d * 31) % model_latent(generator)->n_points;
}

/** Batches of every size, the codes moving through all places. */
static void check_generator(int generator)
{
    struct error error = {0};
    struct evaluator *evaluator;
    const int32_t *batch[KERNELS_LARGEST_BATCH];
    static float alone[N_CODES][N_VALUES];
    require(evaluator_create(fixture.plan, 0, generator, &evaluator, &error), &error);
    fill_codes(fixture.plan->generators[generator]);
    for (int i = 0; i < N_CODES; i++) {
        batch[0] = codes[i];
        evaluator_make_images(evaluator, 1, batch);
        memcpy(alone[i], evaluator_image(evaluator, codes[i]), sizeof *alone);
    }
    for (int n = 1; n <= evaluator_batch(evaluator); n++) {
        for (int i = 0; i < n; i++)
            batch[i] = codes[(n * 3 + i) % N_CODES];
        evaluator_make_images(evaluator, n, batch);
        for (int i = 0; i < n; i++) {
            assert_true(evaluator_has_image(evaluator, batch[i]));
            assert_memory_equal(evaluator_image(evaluator, batch[i]), alone[(n * 3 + i) % N_CODES],
                                sizeof *alone);
        }
        assert_false(evaluator_has_image(evaluator, codes[(n * 3 + n) % N_CODES]));
    }
    assert_memory_equal(evaluator_image(evaluator, codes[0]), alone[0], sizeof *alone);
    evaluator_free(evaluator);
}

static void test_codebook_images_together(void **state)
{
    (void)state;
    check_generator(0);
}

static void test_grid_images_together(void **state)
{
    (void)state;
    check_generator(1);
}

static int open_fixture(void **state)
{
    (void)state;
    fixture_open(&fixture, job_text);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codebook_images_together),
        cmocka_unit_test(test_grid_images_together),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
