/* SPDX-License-Identifier: MIT */
/**
 * Forward passes against what the packages themselves computed (tests/golden/golden.h5, made by
 * tests/oracle/make_golden.py), spiking neurons against trains computed by hand, and the state of a run.
 *
 * A spike may fall differently only where the charged membrane meets the threshold to rounding: layer by
 * layer, fed with the oracle's own spikes, within `threshold_band`; through the whole network, where a
 * flipped spike has consequences, in few channels and by few spikes.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/model/layer.h"
#include "backend.h"
#include "document.h"
#include "hdf5_arrays.h"
#include "model.h"

static const char golden_path[] = "tests/golden/golden.h5";
static const double threshold_band = 1e-5, generator_tolerance = 1e-4, class_tolerance = 1e-4;
static const double differing_channels = 0.005, largest_difference = 2;

/** The kernels that a census would take. */
static const char *const fastest = NULL;

/** Those of a processor without AVX-512; the fastest where they do not run. */
static const char *without_avx512(void)
{
    struct backend backend;
    struct error error = {0};
    return backend_open("avx2", &backend, &error) == STATUS_OK ? "avx2" : fastest;
}

/** How many inputs of a case are run: the reference kernels take about a second for each. */
enum { REFERENCE_INPUTS = 1, FAST_INPUTS = 3, ALL_INPUTS = 1000 };

static void require(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        fail_msg("%s", error->message);
}

static const struct kernels *kernels_named(const char *name)
{
    struct backend backend;
    struct error error = {0};
    require(backend_open(name, &backend, &error), &error);
    return backend.kernels;
}

static struct hdf5_array golden(const char *group, const char *folder, const char *name)
{
    struct hdf5_array array;
    struct error error = {0};
    char dataset[200];
    snprintf(dataset, sizeof dataset, "%.60s/%.20s%.80s", group, folder, name);
    require(hdf5_array_read(golden_path, dataset, &array, &error), &error);
    return array;
}

/** A network under test with its buffers. */
struct subject {
    struct model *model;
    struct model_run *run;
};

static struct subject load(const char *path, const char *kernels, int timesteps, const char *neuron)
{
    struct subject subject = {0};
    struct error error = {0};
    struct document *document = NULL;
    struct model_overrides overrides = {.timesteps = timesteps};
    if (neuron != NULL) {
        require(document_read_text(neuron, "neuron", &document, &error), &error);
        overrides.neuron = document_root(document);
    }
    require(model_load(path, &overrides, kernels_named(kernels), &subject.model, &error), &error);
    require(model_run_create(subject.model, &subject.run, &error), &error);
    document_free(document);
    return subject;
}

static void unload(struct subject *subject)
{
    model_run_free(subject->run);
    model_free(subject->model);
}

/* ---- generators ---- */

static void check_generator(const char *path, const char *case_name, const char *kernels, int most_inputs)
{
    struct subject generator = load(path, kernels, 0, NULL);
    struct hdf5_array input = golden(case_name, "", "input"), expected = golden(case_name, "", "output");
    const int last = model_output_layer(generator.model);
    const struct map_shape shape = model_layer_shape(generator.model, last);
    assert_int_equal(model_role(generator.model), MODEL_GENERATOR);
    assert_int_equal(expected.shape[1], shape.channels);
    assert_int_equal(expected.shape[2], shape.height);
    assert_int_equal(expected.shape[3], shape.width);
    const size_t n_inputs = (size_t)input.shape[0], d = input.n_values / n_inputs;
    const size_t values = expected.n_values / n_inputs;
    double largest = 0;
    for (size_t i = 0; i < n_inputs && i < (size_t)most_inputs; i++) {
        int time;
        model_forward(generator.run, input.values + i * d, last, NULL);
        const float *image = model_output(generator.run, last, &time);
        assert_int_equal(time, 1);
        for (size_t j = 0; j < values; j++)
            largest = fmax(largest, fabs((double)image[j] - (double)expected.values[i * values + j]));
    }
    print_message("%s, %s kernels: largest difference %.2g\n", case_name, kernels_named(kernels)->name,
                  largest);
    assert_true(largest <= generator_tolerance);
    hdf5_array_free(&input);
    hdf5_array_free(&expected);
    unload(&generator);
}

static void trained_generator(void **state)
{
    (void)state;
    check_generator("weights/sn_gan_light.yaml", "sngan_trained", fastest, FAST_INPUTS);
    check_generator("weights/sn_gan_light.yaml", "sngan_trained", without_avx512(), FAST_INPUTS);
    check_generator("weights/sn_gan_light.yaml", "sngan_trained", "openblas", FAST_INPUTS);
    check_generator("weights/sn_gan_light.yaml", "sngan_trained", "reference", REFERENCE_INPUTS);
}

static void codebook_generator(void **state)
{
    (void)state;
    check_generator("weights/vq_vae.yaml", "vq_vae", fastest, ALL_INPUTS);
    check_generator("weights/vq_vae.yaml", "vq_vae", without_avx512(), ALL_INPUTS);
    check_generator("weights/vq_vae.yaml", "vq_vae", "openblas", ALL_INPUTS);
    check_generator("weights/vq_vae.yaml", "vq_vae", "reference", FAST_INPUTS);
}

/** Forwards of several layers at once and layer by layer agree, and an image has the same bits alone and in
 *  a batch. */
static void generator_together_and_alone(void **state)
{
    (void)state;
    struct subject alone = load("weights/sn_gan_light.yaml", fastest, 0, NULL);
    struct hdf5_array input = golden("sngan_trained", "", "input");
    struct error error = {0};
    struct model_run *batch = NULL;
    enum { IMAGES = 3 };
    const int last = model_output_layer(alone.model);
    const struct map_shape shape = model_layer_shape(alone.model, last);
    const size_t d = input.n_values / (size_t)input.shape[0];
    const size_t pixels = (size_t)(shape.height * shape.width);
    int time;
    float *codes = malloc(sizeof *codes * d * IMAGES), *image = malloc(sizeof *image * 3 * pixels);
    assert_true(codes != NULL && image != NULL && input.shape[0] >= IMAGES && shape.channels == 3);
    require(model_run_create_batch(alone.model, IMAGES, &batch, &error), &error);
    for (size_t i = 0; i < d * IMAGES; i++)
        codes[i] = input.values[i % IMAGES * d + i / IMAGES];
    model_forward(batch, codes, last, &(struct presentation){.n_images = IMAGES});
    const float *images = model_output(batch, last, &time);
    assert_int_equal(time, 1);
    for (size_t i = 0; i < IMAGES; i++) {
        model_forward(alone.run, input.values + i * d, last, NULL);
        memcpy(image, model_output(alone.run, last, &time), sizeof *image * 3 * pixels);
        for (size_t c = 0; c < 3; c++)
            assert_memory_equal(image + c * pixels, images + (c * IMAGES + i) * pixels,
                                sizeof *image * pixels);
        model_forward_each(alone.run, input.values + i * d, last);
        const float *layered = model_output(alone.run, last, &time);
        for (size_t j = 0; j < 3 * pixels; j++)
            assert_true(fabs((double)image[j] - (double)layered[j]) <= generator_tolerance / 4);
    }
    free(codes);
    free(image);
    model_run_free(batch);
    hdf5_array_free(&input);
    unload(&alone);
}

/** Names of the tensors of a residual SN-GAN, [*n]. */
enum { MAX_TENSORS = 64, NAME_CAPACITY = 48 };
static size_t gan_tensor_names(char names[MAX_TENSORS][NAME_CAPACITY])
{
    static const char *const affine[] = {"weight", "bias", NULL};
    static const char *const batch_norm[] = {"weight", "bias", "running_mean", "running_var", NULL};
    static const char *const modules[] = {"c1", "c2", "c_sc", "b1", "b2", NULL};
    size_t n = 0;
    for (int i = 0; affine[i] != NULL; i++) {
        snprintf(names[n++], NAME_CAPACITY, "l1.%s", affine[i]);
        snprintf(names[n++], NAME_CAPACITY, "c5.%s", affine[i]);
    }
    for (int i = 0; batch_norm[i] != NULL; i++)
        snprintf(names[n++], NAME_CAPACITY, "b5.%s", batch_norm[i]);
    for (int block = 2; block <= 4; block++)
        for (int m = 0; modules[m] != NULL; m++) {
            const char *const *suffixes = modules[m][0] == 'b' ? batch_norm : affine;
            for (int i = 0; suffixes[i] != NULL; i++)
                snprintf(names[n++], NAME_CAPACITY, "block%d.%s.%s", block, modules[m], suffixes[i]);
        }
    return n;
}

/** The tensors <case>/state/... as a safetensors file of float32. */
static void write_state(const char *path, const char *case_name)
{
    static char names[MAX_TENSORS][NAME_CAPACITY];
    static char header[16384];
    const size_t n = gan_tensor_names(names);
    struct hdf5_array tensors[MAX_TENSORS];
    size_t length = 0, offset = 0;
    for (size_t i = 0; i < n; i++) {
        tensors[i] = golden(case_name, "state/", names[i]);
        length += (size_t)snprintf(header + length, sizeof header - length,
                                   "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[", i == 0 ? "{" : ",", names[i]);
        for (int j = 0; j < tensors[i].n_dimensions; j++)
            length += (size_t)snprintf(header + length, sizeof header - length, "%s%lld", j == 0 ? "" : ",",
                                       (long long)tensors[i].shape[j]);
        length += (size_t)snprintf(header + length, sizeof header - length, "],\"data_offsets\":[%zu,%zu]}",
                                   offset, offset + 4 * tensors[i].n_values);
        offset += 4 * tensors[i].n_values;
    }
    length += (size_t)snprintf(header + length, sizeof header - length, "}");
    assert_true(length < sizeof header);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    const uint64_t header_bytes = length;
    fwrite(&header_bytes, sizeof header_bytes, 1, file);
    fwrite(header, 1, length, file);
    for (size_t i = 0; i < n; i++) {
        fwrite(tensors[i].values, sizeof(float), tensors[i].n_values, file);
        hdf5_array_free(&tensors[i]);
    }
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const char *from, const char *to)
{
    FILE *source = fopen(from, "rb"), *target = fopen(to, "wb");
    assert_non_null(source);
    assert_non_null(target);
    for (int byte = fgetc(source); byte != EOF; byte = fgetc(source))
        fputc(byte, target);
    fclose(source);
    assert_int_equal(fclose(target), 0);
}

/** Another width and random weights, batch norms far from identity: the same architecture file. */
static void random_generator(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_model.XXXXXX", architecture[64], tensors[64];
    assert_non_null(mkdtemp(folder));
    snprintf(architecture, sizeof architecture, "%s/sn_gan_light.yaml", folder);
    snprintf(tensors, sizeof tensors, "%s/sn_gan_light.safetensors", folder);
    copy_file("weights/sn_gan_light.yaml", architecture);
    write_state(tensors, "sngan_random");
    check_generator(architecture, "sngan_random", fastest, ALL_INPUTS);
    check_generator(architecture, "sngan_random", without_avx512(), ALL_INPUTS);
    check_generator(architecture, "sngan_random", "openblas", ALL_INPUTS);
    check_generator(architecture, "sngan_random", "reference", FAST_INPUTS);
    unlink(architecture);
    unlink(tensors);
    rmdir(folder);
}

/* ---- subjects, layer by layer ---- */

/** The constants of a golden case, for the membrane that the test computes itself. */
struct golden_case {
    const char *name, *path, *neuron; /**< neuron: override, or NULL */
    int timesteps;
    double tau;
    bool decay_input, soft_reset;
};

static const struct golden_case hard_reset = {
    "resnet18", "weights/spiking_resnet18.yaml", NULL, 20, 2.0, true, false};
static const struct golden_case soft_reset = {"resnet18_soft_reset",
                                              "weights/spiking_resnet18.yaml",
                                              "{tau: 10.0, decay_input: false, reset: soft}",
                                              7,
                                              10.0,
                                              false,
                                              true};

/** The oracle's spikes of a layer for image 0: [T][C][H][W], packed along W, to [C][T][H][W] floats. */
static float *golden_spikes(const struct golden_case *golden_case, const char *layer, struct map_shape shape)
{
    struct hdf5_array packed = golden(golden_case->name, "spikes/", layer);
    const size_t channels = (size_t)shape.channels, width = (size_t)shape.width;
    const size_t time = (size_t)golden_case->timesteps, height = (size_t)shape.height;
    const size_t row = (width + 7) / 8;
    assert_int_equal(packed.n_values, time * channels * height * row);
    float *spikes = calloc(packed.n_values * 8, sizeof *spikes);
    assert_non_null(spikes);
    for (size_t t = 0; t < time; t++)
        for (size_t c = 0; c < channels; c++)
            for (size_t y = 0; y < height; y++)
                for (size_t x = 0; x < width; x++) {
                    const size_t byte = ((t * channels + c) * height + y) * row + x / 8;
                    const unsigned bits = (unsigned)packed.values[byte];
                    spikes[((c * time + t) * height + y) * width + x] = (float)(bits >> (7 - x % 8) & 1);
                }
    hdf5_array_free(&packed);
    return spikes;
}

static double charge(const struct golden_case *constants, double v, double x)
{
    const double tau = constants->tau;
    if (constants->decay_input)
        return v + (x - v) / tau;
    return constants->soft_reset ? v * (1 - 1 / tau) + x : v - v / tau + x;
}

/**
 * One neuron's train against the oracle's. The membrane is computed here, in double precision, from the input
 * current and the oracle's spikes. After a permitted flip the rest of the train is not compared.
 * `stride`: distance of two steps. Returns the number of permitted flips (0 or 1), -1 if the train is wrong.
 */
static int compare_train(const struct golden_case *constants, const float *current, size_t current_stride,
                         const float *spikes, const float *expected, size_t stride)
{
    double v = 0;
    for (int t = 0; t < constants->timesteps; t++) {
        const double h = charge(constants, v, (double)current[(size_t)t * current_stride]);
        const float spike = expected[(size_t)t * stride];
        if (spikes[(size_t)t * stride] != spike)
            return fabs(h - 1.0) <= threshold_band ? 1 : -1;
        v = spike == 0 ? h : constants->soft_reset ? h - 1.0 : 0;
    }
    return 0;
}

/** All neurons of a layer whose inputs are the oracle's; adds to the counts. */
static void compare_layer(const struct subject *subject, const struct golden_case *golden_case, int layer,
                          const float *expected, size_t *n_spikes, size_t *n_flips)
{
    const struct map_shape shape = model_layer_shape(subject->model, layer);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    int time, current_time;
    const float *spikes = model_output(subject->run, layer, &time);
    const float *current = model_output(subject->run, layer - 1, &current_time);
    assert_int_equal(time, golden_case->timesteps);
    for (size_t c = 0; c < (size_t)shape.channels; c++)
        for (size_t p = 0; p < pixels; p++) {
            const size_t at = c * (size_t)time * pixels + p;
            const float *own_current = current + c * (size_t)current_time * pixels + p;
            const int flips = compare_train(golden_case, own_current, current_time == 1 ? 0 : pixels,
                                            spikes + at, expected + at, pixels);
            if (flips < 0)
                fail_msg("%s, layer %s, channel %zu, pixel %zu: another train than the oracle's",
                         golden_case->name, model_layer_name(subject->model, layer), c, p);
            *n_flips += (size_t)flips;
            for (int t = 0; t < time; t++)
                *n_spikes += expected[at + (size_t)t * pixels] != 0;
        }
}

static void check_layers(const struct golden_case *golden_case, const char *kernels)
{
    struct subject subject = load(golden_case->path, kernels, golden_case->timesteps, golden_case->neuron);
    struct hdf5_array input = golden(golden_case->name, "", "input");
    size_t n_spikes = 0, n_flips = 0, n_layers = 0;
    for (int i = 0; i < model_n_layers(subject.model); i++) {
        if (!model_layer_is_spiking(subject.model, i))
            continue;
        float *expected = golden_spikes(golden_case, model_layer_name(subject.model, i),
                                        model_layer_shape(subject.model, i));
        model_forward_each(subject.run, input.values, i);
        compare_layer(&subject, golden_case, i, expected, &n_spikes, &n_flips);
        model_give_output(subject.run, i, expected);
        free(expected);
        n_layers++;
    }
    print_message("%s, %s kernels, layer by layer: %zu spikes, %zu at the threshold fall differently\n",
                  golden_case->name, kernels_named(kernels)->name, n_spikes, n_flips);
    assert_int_equal(n_layers, 17);
    assert_true(n_spikes > 10000);
    hdf5_array_free(&input);
    unload(&subject);
}

static void layers_hard_reset(void **state)
{
    (void)state;
    check_layers(&hard_reset, fastest);
    check_layers(&hard_reset, without_avx512());
    check_layers(&hard_reset, "openblas");
    check_layers(&hard_reset, "reference");
}

static void layers_soft_reset(void **state)
{
    (void)state;
    check_layers(&soft_reset, fastest);
    check_layers(&soft_reset, without_avx512());
    check_layers(&soft_reset, "openblas");
    check_layers(&soft_reset, "reference");
}

/* ---- subjects, the whole network ---- */

/** What a whole-network comparison found. */
struct census {
    size_t n_channels, n_differing; /**< (input, channel) pairs */
    double largest;                 /**< spikes */
};

/** Spike counts of one layer after a forward of input number `input`. */
static void compare_counts(const struct subject *subject, int layer, const struct hdf5_array *rates,
                           size_t input, struct census *census)
{
    const struct map_shape shape = model_layer_shape(subject->model, layer);
    const size_t channels = (size_t)shape.channels;
    const double positions = (double)model_timesteps(subject->model) * shape.height * shape.width;
    assert_int_equal(rates->shape[1], channels);
    for (size_t c = 0; c < channels; c++) {
        const double own = (double)model_channel_activation(subject->run, layer, (int)c) * positions;
        const double expected = (double)rates->values[input * channels + c] * positions;
        const double difference = fabs(rint(own) - rint(expected));
        census->n_channels++;
        census->n_differing += difference > 0;
        census->largest = fmax(census->largest, difference);
    }
}

static void compare_classes(const struct subject *subject, const struct hdf5_array *expected, size_t input)
{
    const int n = model_n_classes(subject->model);
    for (int c = 0; c < n; c++) {
        const double own =
            (double)model_channel_activation(subject->run, model_output_layer(subject->model), c);
        assert_true(fabs(own - (double)expected->values[input * (size_t)n + (size_t)c]) <= class_tolerance);
    }
}

static void check_network(const char *case_name, const char *path, const char *kernels, int timesteps,
                          const char *neuron, size_t most_inputs)
{
    struct subject subject = load(path, kernels, timesteps, neuron);
    struct hdf5_array input = golden(case_name, "", "input"), output = golden(case_name, "", "output");
    struct hdf5_array rates[32];
    struct census census = {0};
    const int n_layers = model_n_layers(subject.model);
    const size_t n_inputs = (size_t)input.shape[0] < most_inputs ? (size_t)input.shape[0] : most_inputs;
    const size_t values = input.n_values / (size_t)input.shape[0];
    size_t n_agreeing = 0;
    for (int i = 0, n = 0; i < n_layers; i++)
        if (model_layer_is_spiking(subject.model, i))
            rates[n++] = golden(case_name, "rate/", model_layer_name(subject.model, i));
    for (size_t i = 0; i < n_inputs; i++) {
        const size_t before = census.n_differing;
        model_forward(subject.run, input.values + i * values, model_output_layer(subject.model), NULL);
        for (int j = 0, n = 0; j < n_layers; j++)
            if (model_layer_is_spiking(subject.model, j))
                compare_counts(&subject, j, &rates[n++], i, &census);
        if (census.n_differing == before) {
            compare_classes(&subject, &output, i);
            n_agreeing++;
        }
    }
    print_message("%s, %s kernels, whole network: %zu of %zu spike counts differ, by %.0f at most\n",
                  case_name, kernels_named(kernels)->name, census.n_differing, census.n_channels,
                  census.largest);
    assert_true(census.largest <= largest_difference);
    assert_true((double)census.n_differing <= differing_channels * (double)census.n_channels);
    assert_true(n_agreeing > 0);
    for (int i = 0, n = 0; i < n_layers; i++)
        if (model_layer_is_spiking(subject.model, i))
            hdf5_array_free(&rates[n++]);
    hdf5_array_free(&input);
    hdf5_array_free(&output);
    unload(&subject);
}

static void network_hard_reset(void **state)
{
    (void)state;
    check_network("resnet18", hard_reset.path, fastest, 0, NULL, ALL_INPUTS);
    check_network("resnet18", hard_reset.path, without_avx512(), 0, NULL, ALL_INPUTS);
    check_network("resnet18", hard_reset.path, "openblas", 0, NULL, ALL_INPUTS);
    check_network("resnet18", hard_reset.path, "reference", 0, NULL, REFERENCE_INPUTS);
}

static void network_soft_reset(void **state)
{
    (void)state;
    check_network("resnet18_soft_reset", soft_reset.path, fastest, 7, soft_reset.neuron, ALL_INPUTS);
    check_network("resnet18_soft_reset", soft_reset.path, without_avx512(), 7, soft_reset.neuron, ALL_INPUTS);
    check_network("resnet18_soft_reset", soft_reset.path, "openblas", 7, soft_reset.neuron, ALL_INPUTS);
    check_network("resnet18_soft_reset", soft_reset.path, "reference", 7, soft_reset.neuron,
                  REFERENCE_INPUTS);
}

static void network_leaky(void **state)
{
    (void)state;
    check_network("snntorch_cnn", "weights/snntorch_cnn.yaml", fastest, 0, NULL, FAST_INPUTS);
    check_network("snntorch_cnn", "weights/snntorch_cnn.yaml", without_avx512(), 0, NULL, FAST_INPUTS);
    check_network("snntorch_cnn", "weights/snntorch_cnn.yaml", "openblas", 0, NULL, FAST_INPUTS);
    check_network("snntorch_cnn", "weights/snntorch_cnn.yaml", "reference", 0, NULL, REFERENCE_INPUTS);
}

/* ---- neurons, against trains computed by hand ---- */

enum { MAX_STEPS = 8 };

/** A neuron that gets `current` at every step. */
struct train {
    const char *name;
    struct neuron neuron;
    float start, current;
    int n_steps;
    float spikes[MAX_STEPS];
    float end; /**< membrane after the last step; all numbers are exact in float32 */
};

static const struct train trains[] = {
    /* h = v + (x - v) / 2: 0.75, 1.125 -> 0, 0.75, 1.125 -> 0, 0.75 */
    {"decay_input, hard", {NEURON_LIF, true, false, 2, 0, 1, 0}, 0, 1.5f, 5, {0, 1, 0, 1, 0}, 0.75f},
    /* h = v - v / 2 + x: 0.5, 0.75, 0.875, 0.9375 */
    {"no decay_input, below threshold",
     {NEURON_LIF, false, false, 2, 0, 1, 0},
     0,
     0.5f,
     4,
     {0, 0, 0, 0},
     0.9375f},
    /* 0.75, 1.125 -> 0, 0.75, 1.125 -> 0 */
    {"no decay_input, hard", {NEURON_LIF, false, false, 2, 0, 1, 0}, 0, 0.75f, 4, {0, 1, 0, 1}, 0},
    /* h = v - (v + 0.5) / 4 + x from -0.5: 0, 0.375, 0.65625, 0.8671875, 1.025390625 -> -0.5, 0 */
    {"no decay_input, v_reset -0.5",
     {NEURON_LIF, false, false, 4, 0, 1, -0.5},
     -0.5f,
     0.5f,
     6,
     {0, 0, 0, 0, 1, 0},
     0},
    /* h = v + (x - (v + 0.5)) / 2 from -0.5: 0.75, 1.375 -> -0.5, 0.75 */
    {"decay_input, v_reset -0.5", {NEURON_LIF, true, false, 2, 0, 1, -0.5}, -0.5f, 2.5f, 3, {0, 1, 0}, 0.75f},
    /* v_reset above 0: h = v + (x - (v - 0.5)) / 2 from 0.5: 0.875, 1.0625 -> 0.5 */
    {"decay_input, v_reset 0.5", {NEURON_LIF, true, false, 2, 0, 1, 0.5}, 0.5f, 0.75f, 2, {0, 1}, 0.5f},
    /* h reaches the threshold exactly: a spike */
    {"LIF at its threshold", {NEURON_LIF, true, false, 2, 0, 1, 0}, 0, 2, 2, {1, 1}, 0},
    /* h = v / 2 + x, minus 1 after a spike: 0.75, 1.125 -> 0.125, 0.8125, 1.15625 -> 0.15625, 0.828125 */
    {"no decay_input, soft", {NEURON_LIF, false, true, 2, 0, 1, 0}, 0, 0.75f, 5, {0, 1, 0, 1, 0}, 0.828125f},
    /* h = v + (x - v) / 2: 0.75, 1.125 -> 0.125, 0.8125, 1.15625 -> 0.15625 */
    {"decay_input, soft", {NEURON_LIF, true, true, 2, 0, 1, 0}, 0, 1.5f, 4, {0, 1, 0, 1}, 0.15625f},
    /* another threshold: 3, 2 (v / 2 + x): 1.5, 2.25 -> 0.25 */
    {"soft, threshold 2", {NEURON_LIF, false, true, 2, 0, 2, 0}, 0, 1.5f, 2, {0, 1}, 0.25f},
    /* u = u / 2 + x - [u > 1]: 0.75, 1.125 spike, 0.3125, 0.90625, 1.203125 spike, 0.3515625 */
    {"leaky", {NEURON_LEAKY, false, false, 0, 0.5, 1, 0}, 0, 0.75f, 6, {0, 1, 0, 0, 1, 0}, 0.3515625f},
    /* u reaches the threshold exactly: no spike, no reset; 1, 1.5 spike, 0.75 */
    {"leaky at its threshold", {NEURON_LEAKY, false, false, 0, 0.5, 1, 0}, 0, 1, 3, {0, 1, 0}, 0.75f},
};

static void check_train(const struct kernels *kernels, const struct train *train)
{
    float current[MAX_STEPS], spikes[MAX_STEPS], membrane = train->start;
    kernels->spike(&train->neuron, 1, train->n_steps, 1, 1, &train->current, NULL, &membrane, spikes);
    for (int t = 0; t < train->n_steps; t++)
        if (spikes[t] != train->spikes[t])
            fail_msg("%s, %s kernels, step %d: spike %g", train->name, kernels->name, t, (double)spikes[t]);
    if (membrane != train->end)
        fail_msg("%s, %s kernels: membrane %.9g, expected %.9g", train->name, kernels->name, (double)membrane,
                 (double)train->end);
    /* the same with a current for each step */
    for (int t = 0; t < train->n_steps; t++)
        current[t] = train->current;
    membrane = train->start;
    memset(spikes, 0, sizeof spikes);
    kernels->spike(&train->neuron, 1, train->n_steps, train->n_steps, 1, current, NULL, &membrane, spikes);
    assert_memory_equal(spikes, train->spikes, sizeof *spikes * (size_t)train->n_steps);
    assert_true(membrane == train->end);
}

static void neurons_by_hand(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof trains / sizeof *trains; i++) {
        check_train(kernels_named(fastest), &trains[i]);
        check_train(kernels_named(without_avx512()), &trains[i]);
        check_train(kernels_named("openblas"), &trains[i]);
        check_train(kernels_named("reference"), &trains[i]);
    }
}

/** Constants that are no mapping are refused, those of a layer or a job and those of the model file alike. */
static void neurons_are_mappings(void **state)
{
    (void)state;
    static const char *const wrong[] = {"[1, 2]", "[{kind: lif}]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct document *document = NULL;
        struct neuron neuron;
        struct error error = {0};
        require(document_read_text(wrong[i], "neuron", &document, &error), &error);
        const struct node *root = document_root(document);
        assert_int_equal(neuron_read(root, NULL, &neuron, &error), STATUS_BAD_INPUT);
        assert_non_null(strstr(error.message, "expected a mapping"));
        assert_int_equal(neuron_read(NULL, root, &neuron, &error), STATUS_BAD_INPUT);
        assert_non_null(strstr(error.message, "expected a mapping"));
        document_free(document);
    }
}

/** Two channels of three pixels, each with its own current that changes over three steps, and noise. */
static void neurons_layout_and_noise(void **state)
{
    (void)state;
    enum { CHANNELS = 2, STEPS = 3, PIXELS = 3 };
    const char *const sets[] = {fastest, without_avx512(), "openblas", "reference"};
    const struct neuron lif = {NEURON_LIF, false, false, 2, 0, 1, 0};
    float current[CHANNELS][STEPS][PIXELS] = {{{0}}}, noise[CHANNELS][STEPS][PIXELS] = {{{0}}};
    current[0][1][2] = 1.5f;  /* spikes at once */
    current[1][0][0] = 0.75f; /* 0.75, 0.375 */
    noise[1][1][0] = 0.625f;  /* lifts 0.375 to the threshold */
    current[1][2][1] = 1.0f;
    noise[1][2][1] = -0.25f; /* keeps 1.0 below it */
    for (int k = 0; k < 4; k++) {
        float membrane[CHANNELS][PIXELS] = {{0}}, spikes[CHANNELS][STEPS][PIXELS];
        kernels_named(sets[k])->spike(&lif, CHANNELS, STEPS, STEPS, PIXELS, &current[0][0][0],
                                      &noise[0][0][0], &membrane[0][0], &spikes[0][0][0]);
        for (int c = 0; c < CHANNELS; c++)
            for (int t = 0; t < STEPS; t++)
                for (int p = 0; p < PIXELS; p++) {
                    const bool expected = (c == 0 && t == 1 && p == 2) || (c == 1 && t == 1 && p == 0);
                    assert_true(spikes[c][t][p] == (expected ? 1.0f : 0.0f));
                }
        assert_true(membrane[1][0] == 0 && membrane[1][1] == 0.75f && membrane[0][2] == 0);
    }
}

/* ---- the state of a run ---- */

/** Copies of the outputs of all spiking layers. */
struct spike_copy {
    size_t n[32];
    float *values[32];
};

static struct spike_copy copy_spikes(const struct subject *subject, int last)
{
    struct spike_copy copy = {0};
    for (int i = 0, n = 0; i <= last; i++) {
        int time;
        if (!model_layer_is_spiking(subject->model, i))
            continue;
        const struct map_shape shape = model_layer_shape(subject->model, i);
        const float *values = model_output(subject->run, i, &time);
        copy.n[n] = (size_t)(shape.channels * shape.height * shape.width * time);
        copy.values[n] = malloc(copy.n[n] * sizeof(float));
        assert_non_null(copy.values[n]);
        memcpy(copy.values[n], values, copy.n[n] * sizeof(float));
        n++;
    }
    return copy;
}

static bool spikes_equal(const struct spike_copy *a, const struct spike_copy *b)
{
    bool equal = true;
    for (int i = 0; i < 32 && a->values[i] != NULL; i++)
        equal = equal && a->n[i] == b->n[i] && memcmp(a->values[i], b->values[i], 4 * a->n[i]) == 0;
    return equal;
}

static void free_spikes(struct spike_copy *copy)
{
    for (int i = 0; i < 32; i++)
        free(copy->values[i]);
}

/** The same image gives the same bits whatever was shown before, in every layer. */
static void state_is_reset(void **state)
{
    (void)state;
    struct subject subject = load(hard_reset.path, fastest, 0, NULL);
    struct hdf5_array input = golden("resnet18", "", "input");
    const size_t values = input.n_values / (size_t)input.shape[0];
    const int last = model_output_layer(subject.model);
    model_forward(subject.run, input.values, last, NULL);
    struct spike_copy first = copy_spikes(&subject, last);
    model_forward(subject.run, input.values + values, last, NULL);
    struct spike_copy other = copy_spikes(&subject, last);
    model_forward(subject.run, input.values, last, NULL);
    struct spike_copy again = copy_spikes(&subject, last);
    assert_false(spikes_equal(&first, &other));
    assert_true(spikes_equal(&first, &again));
    free_spikes(&first);
    free_spikes(&other);
    free_spikes(&again);
    hdf5_array_free(&input);
    unload(&subject);
}

/** Layers that are computed together give the bits that they give one by one; so does a single channel. */
static void together_is_as_alone(const char *path, const char *neuron)
{
    struct subject subject = load(path, fastest, 9, neuron);
    struct hdf5_array input =
        golden(strstr(path, "snntorch") == NULL ? "resnet18" : "snntorch_cnn", "", "input");
    const int last = model_output_layer(subject.model);
    model_forward_each(subject.run, input.values, last);
    struct spike_copy alone = copy_spikes(&subject, last);
    float rates[64];
    for (int i = 0, n = 0; i <= last; i++)
        if (model_layer_is_spiking(subject.model, i) || i == last)
            rates[n++] = model_channel_activation(subject.run, i, 3);
    model_forward(subject.run, input.values, last, NULL);
    for (int i = 0, n = 0; i <= last; i++)
        if (model_layer_is_spiking(subject.model, i) || i == last)
            assert_true(model_channel_activation(subject.run, i, 3) == rates[n++]);
    struct spike_copy together = copy_spikes(&subject, last);
    assert_true(spikes_equal(&alone, &together));
    for (int i = 0, n = 0; i <= last; i++)
        if (model_layer_is_spiking(subject.model, i) || i == last) {
            model_forward_channel(subject.run, input.values, i, 3);
            assert_true(model_channel_activation(subject.run, i, 3) == rates[n++]);
        }
    free_spikes(&alone);
    free_spikes(&together);
    hdf5_array_free(&input);
    unload(&subject);
}

static void layers_together(void **state)
{
    (void)state;
    together_is_as_alone(hard_reset.path, NULL);
    together_is_as_alone(hard_reset.path, "{kind: lif, tau: 1.7, reset: soft, threshold: 0.7}");
    together_is_as_alone("weights/snntorch_cnn.yaml", NULL);
}

/** [image][channel][pixel], as golden inputs are, to [channel][image][pixel]. */
static float *side_by_side(const struct hdf5_array *input, size_t n_images, size_t n_channels)
{
    const size_t pixels = input->n_values / (size_t)input->shape[0] / n_channels;
    float *images = malloc(sizeof *images * n_images * n_channels * pixels);
    assert_true(images != NULL && (size_t)input->shape[0] >= n_images);
    for (size_t c = 0; c < n_channels; c++)
        for (size_t i = 0; i < n_images; i++)
            memcpy(images + (c * n_images + i) * pixels, input->values + (i * n_channels + c) * pixels,
                   sizeof *images * pixels);
    return images;
}

/** Image `image` of n of a layer shown to `batch`, and the same image that `alone` was shown, have equal
 * bits.
 */
static void assert_image_equal(const struct model_run *batch, int n, int image, const struct subject *alone,
                               int layer)
{
    int batch_time, time;
    const struct map_shape shape = model_layer_shape(alone->model, layer);
    const float *of_batch = model_output(batch, layer, &batch_time);
    const float *of_one = model_output(alone->run, layer, &time);
    assert_int_equal(batch_time, time);
    const size_t frame = (size_t)(time * shape.height * shape.width);
    for (size_t c = 0; c < (size_t)shape.channels; c++) {
        assert_memory_equal(of_batch + (c * (size_t)n + (size_t)image) * frame, of_one + c * frame,
                            frame * sizeof(float));
        assert_true(model_image_activation(batch, image, layer, (int)c) ==
                    model_channel_activation(alone->run, layer, (int)c));
    }
}

/** Images that are shown to a spiking network together give the bits that they give one by one. */
static void images_together_are_as_alone(const char *path, const char *golden_name)
{
    enum { N_IMAGES = 3, TIME = 4 };
    struct subject alone = load(path, fastest, TIME, NULL);
    struct model_run *batch = NULL;
    struct error error = {0};
    struct hdf5_array input = golden(golden_name, "", "input");
    const size_t values = input.n_values / (size_t)input.shape[0];
    const int last = model_output_layer(alone.model);
    float *images = side_by_side(&input, N_IMAGES, (size_t)model_input_shape(alone.model).channels);
    require(model_run_create_batch(alone.model, N_IMAGES, &batch, &error), &error);
    model_forward(batch, images, last, &(struct presentation){.n_images = N_IMAGES});
    for (int i = 0; i < N_IMAGES; i++) {
        model_forward(alone.run, input.values + (size_t)i * values, last, NULL);
        for (int layer = 0; layer <= last; layer++)
            if (model_layer_is_spiking(alone.model, layer) || layer == last)
                assert_image_equal(batch, N_IMAGES, i, &alone, layer);
    }
    free(images);
    model_run_free(batch);
    hdf5_array_free(&input);
    unload(&alone);
}

static void images_together(void **state)
{
    (void)state;
    images_together_are_as_alone(hard_reset.path, "resnet18");
    images_together_are_as_alone("weights/snntorch_cnn.yaml", "snntorch_cnn");
}

/** Spikes [channel][time][pixel] of `half` are the second half of those of `whole`. */
static void assert_second_half(const struct subject *whole, const struct subject *half, int layer)
{
    const struct map_shape shape = model_layer_shape(whole->model, layer);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    int whole_time, half_time;
    const float *long_train = model_output(whole->run, layer, &whole_time);
    const float *short_train = model_output(half->run, layer, &half_time);
    assert_int_equal(whole_time, 2 * half_time);
    const size_t n = (size_t)half_time * pixels;
    for (size_t c = 0; c < (size_t)shape.channels; c++)
        assert_memory_equal(long_train + (2 * c + 1) * n, short_train + c * n, n * sizeof(float));
}

/** Two presentations of T steps that keep the membranes are one of 2 T steps. */
static void state_is_kept(void **state)
{
    (void)state;
    const struct presentation keep = {.keep_state = true}, leave = {.leave_state = true};
    struct subject whole = load(hard_reset.path, "reference", 12, NULL);
    struct subject half = load(hard_reset.path, "reference", 6, NULL);
    struct hdf5_array input = golden("resnet18", "", "input");
    const int last = model_find_layer(whole.model, "layer1.0.sn2");
    model_forward(whole.run, input.values, last, NULL);
    model_forward(half.run, input.values, last, &leave);
    struct spike_copy fresh = copy_spikes(&half, last);
    model_forward(half.run, input.values, last, &keep);
    struct spike_copy kept = copy_spikes(&half, last);
    assert_false(spikes_equal(&fresh, &kept));
    for (int i = 0; i <= last; i++)
        if (model_layer_is_spiking(whole.model, i))
            assert_second_half(&whole, &half, i);
    free_spikes(&fresh);
    free_spikes(&kept);
    hdf5_array_free(&input);
    unload(&whole);
    unload(&half);
}

/** Activations are means of the spikes: a neuron's over time, a channel's over its neurons and time. */
static void activations_are_means(void **state)
{
    (void)state;
    struct subject subject = load(hard_reset.path, fastest, 0, NULL);
    struct hdf5_array input = golden("resnet18", "", "input");
    const int layer = model_find_layer(subject.model, "layer2.0.sn1");
    model_forward(subject.run, input.values, layer, NULL);
    const struct map_shape shape = model_layer_shape(subject.model, layer);
    bool differ = false;
    for (int c = 0; c < shape.channels; c++) {
        double sum = 0;
        for (int y = 0; y < shape.height; y++)
            for (int x = 0; x < shape.width; x++) {
                const float neuron = model_neuron_activation(subject.run, layer, c, y, x);
                differ = differ || neuron != model_neuron_activation(subject.run, layer, c, 0, 0);
                sum += (double)neuron;
            }
        const double mean = sum / (shape.height * shape.width);
        assert_true(fabs(mean - (double)model_channel_activation(subject.run, layer, c)) < 1e-7);
    }
    assert_true(differ);
    hdf5_array_free(&input);
    unload(&subject);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neurons_by_hand),
        cmocka_unit_test(neurons_layout_and_noise),
        cmocka_unit_test(neurons_are_mappings),
        cmocka_unit_test(codebook_generator),
        cmocka_unit_test(random_generator),
        cmocka_unit_test(trained_generator),
        cmocka_unit_test(generator_together_and_alone),
        cmocka_unit_test(layers_hard_reset),
        cmocka_unit_test(layers_soft_reset),
        cmocka_unit_test(network_hard_reset),
        cmocka_unit_test(network_soft_reset),
        cmocka_unit_test(network_leaky),
        cmocka_unit_test(state_is_reset),
        cmocka_unit_test(state_is_kept),
        cmocka_unit_test(activations_are_means),
        cmocka_unit_test(layers_together),
        cmocka_unit_test(images_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
