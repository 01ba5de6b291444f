/* SPDX-License-Identifier: MIT */
/** Models in the memory of a device, which is the host's here, with the CUDA kernels compiled for the host
 *  (tests/kernels/on_host/): what touches that memory beside them ends the program. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend.h"
#include "model.h"

#include "../kernels/on_host/device.h"

/** Of images; bfloat16: what a sum that is another in its last bit becomes, rounded, in the layers behind. */
static const double tolerance = 1e-4, rounded_tolerance = 0.02;

static void require(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        fail_msg("%s", error->message);
}

/* ---- kernels of the host that multiply what bfloat16 has of each number ---- */

/** 8 significant bits, ties to even. */
static float *rounded(const float *values, size_t n)
{
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    for (size_t i = 0; i < n; i++) {
        int exponent;
        const double fraction = frexp((double)values[i], &exponent);
        copy[i] = (float)ldexp(rint(ldexp(fraction, 8)), exponent - 8);
    }
    return copy;
}

static size_t n_inputs(const struct convolution_shape *s)
{
    return (size_t)s->in_channels * (size_t)s->time * (size_t)s->in_height * (size_t)s->in_width;
}

static void rounded_convolution(const struct convolution_shape *shape, const float *weight, const float *bias,
                                const float *in, float *out, float *scratch)
{
    float *weights = rounded(weight, kernels_openblas.convolution_weight_size(shape));
    float *inputs = rounded(in, n_inputs(shape));
    kernels_openblas.convolution(shape, weights, bias, inputs, out, scratch);
    free(weights);
    free(inputs);
}

static void rounded_transposed(const struct convolution_shape *shape, const float *weight, const float *bias,
                               const float *in, float *out, float *scratch)
{
    float *weights = rounded(weight, kernels_openblas.transposed_weight_size(shape));
    float *inputs = rounded(in, n_inputs(shape));
    kernels_openblas.transposed_convolution(shape, weights, bias, inputs, out, scratch);
    free(weights);
    free(inputs);
}

/** What a device is compared with. */
static const struct kernels *host_kernels(const char *isa)
{
    static struct kernels kernels;
    if (strcmp(isa, "cuda-bf16") != 0)
        return &kernels_openblas;
    kernels = kernels_openblas;
    kernels.convolution = rounded_convolution;
    kernels.transposed_convolution = rounded_transposed;
    return &kernels;
}

/* ---- networks ---- */

/** The same network in both memories. */
struct pair {
    struct model *device, *host;
    struct model_run *on_device, *on_host;
};

static struct pair load(const char *isa, const char *path, int timesteps, int n_images)
{
    struct pair pair = {0};
    struct error error = {0};
    struct backend backend;
    const struct model_overrides overrides = {.timesteps = timesteps};
    require(backend_open(isa, &backend, &error), &error);
    require(model_load(path, &overrides, backend.kernels, &pair.device, &error), &error);
    require(model_load(path, &overrides, host_kernels(isa), &pair.host, &error), &error);
    require(model_run_create_batch(pair.device, n_images, &pair.on_device, &error), &error);
    require(model_run_create_batch(pair.host, n_images, &pair.on_host, &error), &error);
    return pair;
}

static void unload(struct pair *pair)
{
    model_run_free(pair->on_device);
    model_run_free(pair->on_host);
    model_free(pair->device);
    model_free(pair->host);
    assert_int_equal(device_n_pieces(), 0);
}

/** Numbers without order: of a grid's latents and of images, or rows of a codebook. */
static float *make_input(const struct model *model, size_t n)
{
    const struct latent_space *latent = model_latent(model);
    float *input = malloc(n * sizeof *input);
    assert_non_null(input);
    for (size_t i = 0; i < n; i++) {
        const size_t draw = (i * 7919 + 13) % 1009;
        input[i] = latent != NULL && latent->kind == LATENT_CODEBOOK
                       ? (float)(draw % (size_t)latent->n_points)
                       : (float)draw / 300.0f - 1.7f;
    }
    return input;
}

static size_t input_values(const struct model *model)
{
    const struct map_shape shape = model_input_shape(model);
    return model_latent(model) != NULL ? (size_t)model_latent(model)->n_dimensions
                                       : (size_t)(shape.channels * shape.height * shape.width);
}

/** What `layer` was found to be, a copy. */
static float *copy_output(const struct model *model, const struct model_run *run, int layer, int n_images,
                          size_t *n)
{
    int time;
    const struct map_shape shape = model_layer_shape(model, layer);
    const float *values = model_output(run, layer, &time);
    *n = (size_t)(shape.channels * shape.height * shape.width * time * n_images);
    float *copy = malloc(*n * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values, *n * sizeof *copy);
    return copy;
}

static void assert_near(const struct pair *pair, int layer, int n_images, double allowed)
{
    size_t n;
    float *values = copy_output(pair->device, pair->on_device, layer, n_images, &n);
    float *expected = copy_output(pair->host, pair->on_host, layer, n_images, &n);
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)values[i] - (double)expected[i]) <= allowed))
            fail_msg("%s: value %zu is %g, expected %g", model_layer_name(pair->device, layer), i,
                     (double)values[i], (double)expected[i]);
    free(values);
    free(expected);
}

static void check_generator(const char *isa, const char *path, double allowed)
{
    enum { N_IMAGES = 3 };
    struct pair pair = load(isa, path, 0, N_IMAGES);
    const int last = model_output_layer(pair.device);
    float *input = make_input(pair.device, input_values(pair.device) * N_IMAGES);
    const struct presentation presentation = {.n_images = N_IMAGES};
    model_forward(pair.on_device, input, last, &presentation);
    model_forward(pair.on_host, input, last, &presentation);
    assert_near(&pair, last, N_IMAGES, allowed);
    free(input);
    unload(&pair);
}

static void runs_generators(void **state)
{
    (void)state;
    check_generator("cuda", "weights/sn_gan_light.yaml", tolerance);
    check_generator("cuda", "weights/vq_vae.yaml", tolerance);
    check_generator("cuda-bf16", "weights/sn_gan_light.yaml", rounded_tolerance);
    check_generator("cuda-bf16", "weights/mnist_vq_vae.yaml", rounded_tolerance);
}

/** Spikes are equal where no sum comes near a threshold, which is so for these inputs. */
static void check_subject(const char *isa, const char *path, const struct presentation *presentation)
{
    enum { TIME = 5 };
    const int n_images = presentation->n_images;
    struct pair pair = load(isa, path, TIME, n_images);
    const int last = model_output_layer(pair.device);
    float *input = make_input(pair.device, input_values(pair.device) * (size_t)n_images * TIME);
    model_forward(pair.on_device, input, last, presentation);
    model_forward(pair.on_host, input, last, presentation);
    for (int layer = 0; layer <= last; layer++)
        if (model_layer_is_spiking(pair.device, layer)) {
            assert_near(&pair, layer, n_images, 0);
            for (int i = 0; i < n_images; i++)
                assert_true(model_image_activation(pair.on_device, i, layer, 1) ==
                            model_image_activation(pair.on_host, i, layer, 1));
            assert_true(model_neuron_activation(pair.on_device, layer, 1, 0, 0) ==
                        model_neuron_activation(pair.on_host, layer, 1, 0, 0));
        }
    assert_near(&pair, last, n_images, tolerance);
    free(input);
    unload(&pair);
}

static void runs_subjects(void **state)
{
    (void)state;
    check_subject("cuda", "weights/spiking_resnet18.yaml", &(struct presentation){.n_images = 3});
    check_subject("cuda-bf16", "weights/spiking_resnet18.yaml", &(struct presentation){.n_images = 2});
    check_subject("cuda-bf16", "weights/mnist_cnn.yaml", &(struct presentation){.n_images = 2});
    check_subject("cuda", "weights/snntorch_cnn.yaml", &(struct presentation){.n_images = 2});
}

static void has_noise(void **state)
{
    (void)state;
    const char *path = "weights/spiking_resnet18.yaml";
    check_subject("cuda", path, &(struct presentation){.n_images = 1, .initial_membrane = 0.2, .key = 7});
    check_subject("cuda", path, &(struct presentation){.n_images = 1, .membrane = 0.1, .key = 7});
    check_subject("cuda", path, &(struct presentation){.n_images = 1, .n_frames = 5});
}

/** Wherever memory ends while a model is loaded or its buffers are made: refused, and nothing is left. */
static void memory_ends(void **state)
{
    (void)state;
    struct error error = {0};
    struct backend backend;
    const size_t enough = (size_t)1 << 32;
    require(backend_open("cuda", &backend, &error), &error);
    for (size_t limit = 1 << 12; limit < (size_t)1 << 27; limit *= 2) {
        struct model *model = NULL;
        struct model_run *run = NULL;
        device_limit(limit);
        enum status status = model_load("weights/mnist_cnn.yaml", NULL, backend.kernels, &model, &error);
        if (status == STATUS_OK)
            status = model_run_create_batch(model, 4, &run, &error);
        assert_true(limit > 1 << 12 || status == STATUS_INTERNAL);
        assert_true(limit < (size_t)1 << 26 || status == STATUS_OK);
        model_run_free(run);
        model_free(model);
        assert_int_equal(device_n_pieces(), 0);
    }
    device_limit(enough);
}

/** A fault of the device is told once. */
static void tells_faults(void **state)
{
    (void)state;
    struct error error = {0};
    struct pair pair = load("cuda", "weights/mnist_cnn.yaml", 2, 1);
    assert_int_equal(model_check(pair.device, &error), STATUS_OK);
    device_fail("a kernel: an illegal memory access");
    assert_int_equal(model_check(pair.host, &error), STATUS_OK);
    assert_int_equal(model_check(pair.device, &error), STATUS_INTERNAL);
    assert_string_equal(error.message, "CUDA: a kernel: an illegal memory access");
    assert_int_equal(model_check(pair.device, &error), STATUS_OK);
    unload(&pair);
}

/** Around multiples of numbers of all sizes, where a quotient changes. */
static void divides(void **state)
{
    (void)state;
    for (size_t divisor = 1; divisor < (size_t)1 << 33; divisor += divisor < 300 ? 1 : divisor / 7)
        for (size_t i = 0; i < (size_t)1 << 33; i += i < 2000 ? 1 : i / 5) {
            const size_t multiple = i / divisor * divisor;
            assert_int_equal(device_quotient(i, divisor), i / divisor);
            assert_int_equal(device_quotient(multiple, divisor), multiple / divisor);
            if (multiple > 0)
                assert_int_equal(device_quotient(multiple - 1, divisor), (multiple - 1) / divisor);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_generators), cmocka_unit_test(runs_subjects), cmocka_unit_test(has_noise),
        cmocka_unit_test(memory_ends),     cmocka_unit_test(tells_faults),  cmocka_unit_test(divides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
