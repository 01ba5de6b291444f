/* SPDX-License-Identifier: MIT */
/*
 * How fast a device shows images: whole queries against the batch, each layer, and the largest product.
 *
 *   bench_device ISA GENERATOR SUBJECT SECONDS PRODUCT BATCH...
 *
 * ISA cuda, cuda-tf32 or cuda-bf16; two model files; seconds of each measurement; rows and columns of a
 * product whose speed stands for the peak; images a call. Without arguments: what the device is. Lines of
 * standard output: words and numbers, the first word says what.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "clock.h"
#include "memory.h"
#include "model.h"

static const double tera = 1e12;

struct bench {
    struct backend backend;
    struct model *generator, *subject;
    double seconds;
};

/** Networks that can show `batch` images at once, and what they read and write. */
struct shower {
    int batch;
    struct model_run *maker, *shown;
    float *latents; /**< [d][batch], shared */
    size_t *first;  /**< [batch], shared */
    double *sums;   /**< [batch], shared */
    struct model_place *places;
};

static void shower_free(const struct bench *bench, struct shower *shower)
{
    const struct kernel_memory *memory = model_memory(bench->generator);
    memory->finish();
    model_run_free(shower->maker);
    model_run_free(shower->shown);
    if (shower->latents != NULL)
        memory->release_shared(shower->latents);
    if (shower->first != NULL)
        memory->release_shared(shower->first);
    if (shower->sums != NULL)
        memory->release_shared(shower->sums);
    free(shower->places);
}

/** Any codes: what is computed takes as long as with others, all of it being dense. */
static void fill_latents(const struct bench *bench, int batch, float *latents)
{
    const struct latent_space *latent = model_latent(bench->generator);
    for (int i = 0; i < latent->n_dimensions * batch; i++) {
        const int draw = i * 7919 % latent->n_points;
        latents[i] = latent->kind == LATENT_CODEBOOK
                         ? (float)draw
                         : (float)(latent->low + draw * (latent->high - latent->low) / latent->n_points);
    }
}

static enum status shower_make(const struct bench *bench, int batch, struct shower *shower,
                               struct error *error)
{
    const struct kernel_memory *memory = model_memory(bench->generator);
    const size_t n = (size_t)batch, d = (size_t)model_latent(bench->generator)->n_dimensions;
    *shower = (struct shower){.batch = batch};
    TRY(model_run_create_batch(bench->generator, batch, &shower->maker, error));
    TRY(model_run_create_batch(bench->subject, batch, &shower->shown, error));
    TRY(model_run_follow(shower->shown, shower->maker, error));
    TRY(memory->allocate_shared(n * d * sizeof *shower->latents, (void **)&shower->latents, error));
    TRY(memory->allocate_shared(n * sizeof *shower->first, (void **)&shower->first, error));
    TRY(memory->allocate_shared(n * sizeof *shower->sums, (void **)&shower->sums, error));
    TRY(MEMORY_ALLOCATE(shower->places, n, error));
    for (size_t i = 0; i < n; i++)
        shower->places[i] = (struct model_place){(int)i % 10, -1, -1};
    fill_latents(bench, batch, shower->latents);
    return STATUS_OK;
}

static void show(const struct bench *bench, const struct shower *shower)
{
    const int layer = model_output_layer(bench->subject);
    const struct presentation presentation = {.n_images = shower->batch, .is_shared = true};
    model_forward(shower->maker, shower->latents, model_output_layer(bench->generator), &presentation);
    model_forward_made(shower->shown, layer);
    model_start_sums(shower->shown, layer, shower->places, shower->first, shower->sums);
}

/** Seconds a call; some are on their way at any time, as in a search. */
static double time_shower(const struct bench *bench, const struct shower *shower)
{
    const struct kernel_memory *memory = model_memory(bench->generator);
    int n = 0;
    show(bench, shower);
    memory->finish();
    const double start = clock_seconds();
    for (; n < 2 || clock_seconds() - start < bench->seconds; n++) {
        show(bench, shower);
        if (n > 0)
            memory->wait((n - 1) % KERNELS_MARKS);
        memory->mark(n % KERNELS_MARKS);
    }
    memory->finish();
    return (clock_seconds() - start) / n;
}

static double cost(const struct model *model)
{
    return 2 * model_layer_cost(model, model_output_layer(model));
}

/** Lines "layer NETWORK NAME milliseconds-a-query". */
static enum status time_layers(const struct bench *bench, const struct shower *shower,
                               const struct model *model, struct model_run *run, struct error *error)
{
    const int n_layers = model_n_layers(model);
    double *seconds;
    int n = 0;
    TRY(MEMORY_ALLOCATE(seconds, (size_t)n_layers, error));
    model_measure_layers(run, seconds);
    for (const double start = clock_seconds(); n == 0 || clock_seconds() - start < bench->seconds; n++)
        show(bench, shower);
    model_measure_layers(run, NULL);
    for (int i = 0; i < n_layers; i++)
        if (seconds[i] > 0)
            printf("layer %s %s %.6f\n", model_name(model), model_layer_name(model, i),
                   1e3 * seconds[i] / n / shower->batch);
    free(seconds);
    return STATUS_OK;
}

/** One line "queries BATCH queries-a-second TFLOP/s", or "refused BATCH why"; with the layers of the largest.
 */
static enum status bench_batch(const struct bench *bench, int batch, bool with_layers, struct error *error)
{
    struct shower shower;
    struct error no_room = {0};
    enum status status = shower_make(bench, batch, &shower, &no_room);
    if (status == STATUS_OK) {
        const double seconds = time_shower(bench, &shower) / batch;
        printf("queries %d %.1f %.4f\n", batch, 1 / seconds,
               (cost(bench->generator) + cost(bench->subject)) / seconds / tera);
    } else {
        printf("refused %d %s\n", batch, no_room.message);
    }
    if (status == STATUS_OK && with_layers) {
        status = time_layers(bench, &shower, bench->generator, shower.maker, error);
        if (status == STATUS_OK)
            status = time_layers(bench, &shower, bench->subject, shower.shown, error);
        TRY(status);
    }
    fflush(stdout);
    shower_free(bench, &shower);
    return model_check(bench->subject, error);
}

/** One line "product n TFLOP/s": n x n times n x 4 n, as a convolution of one tap. */
static enum status bench_product(const struct bench *bench, int n, struct error *error)
{
    const struct kernels *kernels = bench->backend.kernels;
    const struct convolution_shape shape = {.time = 4,
                                            .in_channels = n,
                                            .in_height = 1,
                                            .in_width = n,
                                            .out_channels = n,
                                            .out_height = 1,
                                            .out_width = n,
                                            .kernel_height = 1,
                                            .kernel_width = 1,
                                            .stride = 1};
    const size_t map = 4 * (size_t)n * (size_t)n * sizeof(float);
    void *weight, *in, *out, *scratch;
    int n_calls = 0;
    TRY(kernels->memory->allocate(kernels->convolution_weight_size(&shape) * sizeof(float), &weight, error));
    TRY(kernels->memory->allocate(map, &in, error));
    TRY(kernels->memory->allocate(map, &out, error));
    TRY(kernels->memory->allocate(kernels->convolution_scratch(&shape) * sizeof(float), &scratch, error));
    kernels->convolution(&shape, weight, NULL, in, out, scratch);
    kernels->memory->finish();
    const double start = clock_seconds();
    for (; n_calls == 0 || clock_seconds() - start < bench->seconds; n_calls++) {
        kernels->convolution(&shape, weight, NULL, in, out, scratch);
        kernels->memory->finish();
    }
    printf("product %d %.4f\n", n, 8.0 * n * n * n * n_calls / (clock_seconds() - start) / tera);
    kernels->memory->release(weight);
    kernels->memory->release(in);
    kernels->memory->release(out);
    kernels->memory->release(scratch);
    return kernels->memory->check(error);
}

static enum status bench_all(char *const *arguments, int n_batches, struct error *error)
{
    struct bench bench = {.seconds = atof(arguments[3])};
    enum status status;
    TRY_CLEANUP(backend_open(arguments[0], &bench.backend, error));
    TRY_CLEANUP(bench_product(&bench, atoi(arguments[4]), error));
    TRY_CLEANUP(model_load(arguments[1], NULL, bench.backend.kernels, &bench.generator, error));
    TRY_CLEANUP(model_load(arguments[2], NULL, bench.backend.kernels, &bench.subject, error));
    for (int i = 0; i < n_batches; i++)
        TRY_CLEANUP(bench_batch(&bench, atoi(arguments[5 + i]), i == n_batches - 1, error));
cleanup:
    model_free(bench.generator);
    model_free(bench.subject);
    return status;
}

int main(int argc, char **argv)
{
    struct error error = {0};
    struct backend backend;
    enum status status = STATUS_USAGE;
    if (argc == 1)
        status = backend_open("cuda", &backend, &error);
    else if (argc > 6)
        status = bench_all(argv + 1, argc - 6, &error);
    else
        error_set(&error, STATUS_USAGE,
                  "usage: bench_device [ISA GENERATOR SUBJECT SECONDS PRODUCT BATCH...]");
    if (status == STATUS_OK && argc == 1)
        printf("%s, compute capability %s\n", backend.device.name, backend.device.capability);
    if (status != STATUS_OK)
        fprintf(stderr, "bench_device: %s\n", error.message);
    return status_exit_code(status);
}
