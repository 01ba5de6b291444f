/* SPDX-License-Identifier: MIT */
/** The generator that `make bench` is timed with makes the images of the one it was made from. */
#include <math.h>
#include <unistd.h>

#include "campaign_fixture.h"

#include "../bench/widen.h"

enum { N_LATENTS = 3, N_DIMENSIONS = 128, N_VALUES = 3 * 32 * 32 };

static void make_image(const struct model *model, int seed, float image[N_VALUES])
{
    float latent[N_DIMENSIONS];
    struct error error = {0};
    struct model_run *run;
    int time;
    for (int i = 0; i < N_DIMENSIONS; i++)
        latent[i] = 3 * sinf((float)(i * (seed + 2) + seed));
    require(model_run_create(model, &run, &error), &error);
    model_forward(run, latent, model_output_layer(model), NULL);
    memcpy(image, model_output(run, model_output_layer(model), &time), sizeof(float) * N_VALUES);
    model_run_free(run);
}

static struct model *load(const char *path, const char *tensors)
{
    struct error error = {0};
    struct backend backend;
    struct model *model;
    const struct model_overrides overrides = {.tensors = tensors};
    require(backend_open(NULL, &backend, &error), &error);
    require(model_load(path, &overrides, backend.kernels, &model, &error), &error);
    return model;
}

static void test_same_images(void **state)
{
    (void)state;
    char folder[] = "/tmp/meicensus-widen.XXXXXX", wide_path[64];
    float image[N_VALUES], wide_image[N_VALUES];
    struct error error = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(wide_path, sizeof wide_path, "%s/wide.safetensors", folder);
    require(widen_generator("weights/sn_gan_light.safetensors", wide_path, &error), &error);
    struct model *light = load("weights/sn_gan_light.yaml", NULL),
                 *wide = load("weights/sn_gan.yaml", wide_path);
    const int block = model_find_layer(wide, "block4.c2");
    assert_int_equal(model_layer_shape(light, block).channels, 128);
    assert_int_equal(model_layer_shape(wide, block).channels, 256);
    assert_true(model_layer_cost(wide, block) > 3.9 * model_layer_cost(light, block));
    for (int seed = 0; seed < N_LATENTS; seed++) {
        make_image(light, seed, image);
        make_image(wide, seed, wide_image);
        for (int i = 0; i < N_VALUES; i++)
            if (!(fabsf(image[i] - wide_image[i]) <= 1e-5f))
                fail_msg("latent %d, value %d: %g, twice as wide %g", seed, i, (double)image[i],
                         (double)wide_image[i]);
    }
    model_free(light);
    model_free(wide);
    unlink(wide_path);
    rmdir(folder);
}

static void test_refused(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(widen_generator("weights/absent.safetensors", "/dev/null", &error), STATUS_IO);
    assert_int_equal(widen_generator("weights/sn_gan_light.safetensors", "/dev/full", &error), STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_images), cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
