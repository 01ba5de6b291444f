/* SPDX-License-Identifier: MIT */
/**
 * Every kernel of every set: against the reference or its formula, with guard bands around all that it
 * touches, on the shapes of the shipped models and on odd ones; and an image's bits wherever it stands.
 *
 *   check_kernels [--seed N] [--cuda] [--bench]
 *
 * --seed N repeats a run; --cuda checks the CUDA kernels only, in all precisions; --bench prints the speed of
 * every layer of the shipped models instead. The CUDA kernels are those that this program was linked with:
 * for the host (on_host/), or for a device.
 */
#include "check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend.h"
#include "hash.h"

static const char *const model_paths[] = {"weights/spiking_resnet18.yaml", "weights/snntorch_cnn.yaml",
                                          "weights/relu_resnet18.yaml", "weights/sn_gan_light.yaml",
                                          "weights/vq_vae.yaml"};
enum { N_MODELS = sizeof model_paths / sizeof *model_paths, MAX_CONVOLUTIONS = 256 };

/** The sets under test; one that this processor cannot run is skipped. The reference's convolutions are what
 *  others are compared with. */
static const char *const set_names[] = {"reference", "openblas", "avx2", "avx512", "amx"};
enum { N_SETS = sizeof set_names / sizeof *set_names };

static const struct tolerance tolerances[] = {
    {"convolution", 4,
     "times sqrt(terms): float32 sums in another order; probabilistic bound of Higham & Mary 2019, sect. 3"},
    {"transformed_convolution", 6,
     "times sqrt(terms), of the largest in the frame: Winograd's F(4 x 4, 3 x 3) errs several times as much "
     "as "
     "the plain sum; Barabasz et al. 2020, arXiv 1803.10986"},
    {"transposed_convolution", 4, "as convolution"},
    {"whole_number_weights", 2,
     "times sqrt(terms), of 2^-32 of all weights of a filter: each is rounded by half a unit at most, and no "
     "sum needs more than 31 bits"},
    {"tf32", 0x1p15, "2^-9 of all terms: each of two operands keeps 10 bits behind the first"},
    {"split", 0x1p11,
     "by sqrt(terms): products of sums of two bfloat16 numbers err by some 2^-17, in either direction, and a "
     "few "
     "times that where pairs.c transforms them"},
    {"scale_shift", 2, "product and sum are rounded once each"},
    {"average_pool", 2, "times the window's side: a float32 sum of side^2 terms"},
    {"upsample", 4, "two products and a sum in each direction"},
    {"tanh", 8, "absolute: within 4 units in the last place of 1"},
};

double tolerance_factor(const char *kernel)
{
    for (size_t i = 0; i < sizeof tolerances / sizeof *tolerances; i++)
        if (strcmp(tolerances[i].kernel, kernel) == 0)
            return tolerances[i].factor;
    return 0;
}

void check_fault(struct check *check, const char *format, ...)
{
    va_list arguments;
    if (check->fault[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(check->fault, sizeof check->fault, format, arguments);
    va_end(arguments);
}

void check_value(struct check *check, const char *what, size_t place, double value, double expected,
                 double allowed)
{
    if (!(fabs(value - expected) <= allowed))
        check_fault(check, "%s: value %zu is %.9g, expected %.9g, allowed difference %.3g", what, place,
                    value, expected, allowed);
}

void check_end(struct check *check, const char *name)
{
    if (check->fault[0] == '\0') {
        printf("PASS %s: %s\n", check->kernels->name, name);
    } else {
        printf("FAIL %s: %s: %s\n", check->kernels->name, name, check->fault);
        check->n_failed++;
    }
    check->fault[0] = '\0';
}

static bool load_models(const struct kernels *kernels, struct model *models[N_MODELS])
{
    struct error error = {0};
    for (int i = 0; i < N_MODELS; i++)
        if (model_load(model_paths[i], NULL, kernels, &models[i], &error) != STATUS_OK) {
            printf("FAIL %s: %s\n", model_paths[i], error.message);
            return false;
        }
    return true;
}

static void free_models(struct model *models[N_MODELS])
{
    for (int i = 0; i < N_MODELS; i++)
        model_free(models[i]);
}

static void check_model_convolutions(struct check *check, const struct model *model)
{
    static struct convolution_case cases[MAX_CONVOLUTIONS];
    enum { FRAMES = 3 }; /* of those with many time steps: the reference takes its time */
    const int n = model_convolutions(model, cases, MAX_CONVOLUTIONS);
    char name[128];
    for (int i = 0; i < n; i++)
        check_convolution(check, &cases[i], cases[i].shape.time == 1 ? FILL_NORMAL : FILL_SPIKES,
                          cases[i].shape.time < FRAMES ? cases[i].shape.time : FRAMES);
    snprintf(name, sizeof name, "%d convolutions of %.60s", n, model_name(model));
    check_end(check, name);
    if (!check_promises_bits(check))
        return;
    for (int i = 0; i < n; i++)
        check_batch_position(check, &cases[i]);
    snprintf(name, sizeof name, "%d convolutions of %.60s, the same bits at every place", n,
             model_name(model));
    check_end(check, name);
}

static void check_models(struct check *check)
{
    struct model *models[N_MODELS] = {NULL};
    if (load_models(check->kernels, models)) {
        for (int i = 0; i < N_MODELS; i++) {
            check_model_convolutions(check, models[i]);
            check_model_layers(check, models[i]);
        }
    } else {
        check->n_failed++;
    }
    free_models(models);
}

struct stream check_stream(const struct check *check, const char *name)
{
    return (struct stream){check->seed ^ hash_bytes(name, strlen(name))};
}

bool check_promises_bits(const struct check *check)
{
    return check->kernels->memory == NULL;
}

/** To 8 significant bits, ties to even: normal numbers and 0 only. */
float check_operand(const struct check *check, float value)
{
    int exponent;
    if (check->operands != OPERANDS_BFLOAT16)
        return value;
    const double fraction = frexp((double)value, &exponent);
    return (float)ldexp(rint(ldexp(fraction, 8)), exponent - 8);
}

double check_operand_error(const struct check *check, double n_terms)
{
    return check->operands == OPERANDS_TF32    ? tolerance_factor("tf32")
           : check->operands == OPERANDS_SPLIT ? tolerance_factor("split") / sqrt(n_terms)
                                               : 0;
}

static void check_products(struct check *check)
{
    check_odd_convolutions(check, false);
    check_end(check, "convolutions of odd sizes");
    check_odd_convolutions(check, true);
    check_end(check, "transposed convolutions of odd sizes");
    check_generators(check);
    check_models(check);
}

static int check_set(const struct kernels *kernels, uint64_t seed, struct known_frames *known)
{
    struct check check = {.kernels = kernels,
                          .operands = kernels == &kernels_amx ? OPERANDS_SPLIT : OPERANDS_FLOAT32,
                          .seed = seed,
                          .stream = {seed},
                          .known = known};
    check_elementwise(&check);
    check_spikes(&check);
    if (kernels != &kernels_reference)
        check_products(&check);
    return check.n_failed;
}

/* ---- the CUDA kernels, on memory that the host shares with them ---- */

static void copy(void *to, const void *from, size_t n_bytes)
{
    memcpy(to, from, n_bytes);
}

static int check_cuda(const char *isa, enum operand_kind operands, uint64_t seed, struct known_frames *known)
{
    struct backend backend;
    struct error error = {0};
    setenv("CUDA_LAUNCH_BLOCKING", "1", 1); /* whoever starts a kernel waits for it */
    if (backend_open(isa, &backend, &error) != STATUS_OK) {
        printf("FAIL %s: %s\n", isa, error.message);
        return 1;
    }
    const struct kernel_memory *device = backend.kernels->memory;
    const struct kernel_memory memory = {
        .allocate = device->allocate_shared, .release = device->release_shared, .write = copy, .read = copy};
    struct kernels kernels = *backend.kernels;
    struct check check = {
        .kernels = &kernels, .operands = operands, .seed = seed, .stream = {seed}, .known = known};
    kernels.name = isa;
    kernels.memory = &memory;
    guarded_share(device);
    if (operands == OPERANDS_FLOAT32)
        check_elementwise(&check);
    check_products(&check);
    guarded_share(NULL);
    if (device->check(&error) != STATUS_OK)
        check_fault(&check, "%s", error.message);
    check_end(&check, "no fault of the device");
    return check.n_failed;
}

static void free_known(struct known_frames *known)
{
    for (size_t i = 0; i < known->n; i++)
        free(known->frames[i].values);
    free(known->frames);
}

static int check_processor(uint64_t seed, struct known_frames *known)
{
    int n_failed = 0;
    for (int i = 0; i < N_SETS; i++) {
        struct backend backend;
        struct error error = {0};
        if (backend_open(set_names[i], &backend, &error) == STATUS_OK)
            n_failed += check_set(backend.kernels, seed, known);
        else
            printf("SKIP %s: %s\n", set_names[i], error.message);
    }
    return n_failed;
}

static int run_checks(uint64_t seed, bool only_cuda)
{
    struct known_frames known = {0};
    printf("seed %llu (repeat with --seed %llu)\n", (unsigned long long)seed, (unsigned long long)seed);
    int n_failed = check_cuda("cuda", OPERANDS_FLOAT32, seed, &known) +
                   check_cuda("cuda-bf16", OPERANDS_BFLOAT16, seed, &known);
    if (only_cuda)
        n_failed += check_cuda("cuda-tf32", OPERANDS_TF32, seed, &known);
    else
        n_failed += check_processor(seed, &known);
    free_known(&known);
    return n_failed;
}

static int run_bench(uint64_t seed)
{
    struct stream stream = {seed};
    struct backend backend;
    struct error error = {0};
    struct model *models[N_MODELS] = {NULL}, *reference[N_MODELS] = {NULL};
    if (backend_open(NULL, &backend, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%s; ratio: how many times faster than the reference\n", backend.identity);
    const bool loaded = load_models(backend.kernels, models) && load_models(&kernels_reference, reference);
    for (int i = 0; loaded && i < N_MODELS; i++)
        bench_model(models[i], reference[i], &stream);
    free_models(models);
    free_models(reference);
    return loaded ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)time(NULL);
    bool wants_bench = false, only_cuda = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0) {
            wants_bench = true;
        } else if (strcmp(argv[i], "--cuda") == 0) {
            only_cuda = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: check_kernels [--seed N] [--cuda] [--bench]\n");
            return 2;
        }
    }
    return (wants_bench ? run_bench(seed) : run_checks(seed, only_cuda)) == 0 ? 0 : 1;
}
