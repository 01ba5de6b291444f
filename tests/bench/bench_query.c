/* SPDX-License-Identifier: MIT */
/*
 * Milliseconds a query: generator, subject, search, and the whole loop as a worker runs it, with every core
 * busy: one process a core, as a campaign has one rank a core.
 *
 *   bench_query [SECONDS [CORES [KERNELS]]]      published sizes: SN-GAN 256 wide (random weights), spiking
 * ResNet18 at T = 20, target layer4.1.sn2, method tt (k = 10), a batch of 10 runs
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/campaign/evaluator.h"
#include "../../src/campaign/lockstep.h"
#include "backend.h"
#include "campaign.h"
#include "clock.h"
#include "random_weights.h"

enum { N_RUNS = 10, BUDGET = 1000000 };

static const char *const job_text =
    "results: unused\n"
    "kernels: %s\n"
    "subjects: {spiking_resnet18: {model: weights/spiking_resnet18.yaml, timesteps: 20}}\n"
    "generators: {sn_gan: {model: %s}}\n"
    "methods: {tt: {}}\n"
    "searches: [{layers: [layer4.1.sn2], select: [0-9], budget: %d}]\n"
    "trials: {noise: none}\n"
    "stop: {at_bound: false}\n";

/** What one process measured. */
struct timing {
    double generator, subject, search, whole; /**< seconds a query */
    double gmac_generator, gmac_subject;
    double megabytes;
};

static void fail(const struct error *error)
{
    fprintf(stderr, "bench_query: %s\n", error->message);
    exit(1);
}

static double measure_generator(struct evaluator *evaluator, double seconds)
{
    int32_t codes[KERNELS_LARGEST_BATCH][128];
    const int32_t *rows[KERNELS_LARGEST_BATCH];
    const int batch = evaluator_batch(evaluator);
    int n = 0;
    const double start = clock_seconds();
    for (; clock_seconds() - start < seconds; n += batch) {
        for (int b = 0; b < batch; b++) {
            for (int i = 0; i < 128; i++)
                codes[b][i] = (i * 7 + n + b) % 64;
            rows[b] = codes[b];
        }
        evaluator_make_images(evaluator, batch, rows);
    }
    return (clock_seconds() - start) / n;
}

static double measure_subject(struct evaluator *evaluator, const struct unit *unit, double seconds)
{
    static float image[3 * 32 * 32];
    int n = 0;
    for (int i = 0; i < 3 * 32 * 32; i++)
        image[i] = sinf((float)i);
    const double start = clock_seconds();
    for (; clock_seconds() - start < seconds; n++)
        evaluator_activation(evaluator, unit, image);
    return (clock_seconds() - start) / n;
}

static double measure_search(const struct plan *plan, double seconds, struct error *error)
{
    const struct job_method *method = &plan->job->methods[0];
    const struct search_problem problem = {
        .n_dimensions = 128, .n_points = 64, .budget = BUDGET, .key = 1, .low = -4, .high = 4};
    const int batch = method->method->batch(method->settings, problem.n_dimensions);
    struct search *search;
    int32_t codes[4096];
    float scores[64];
    int n = 0;
    if (method->method->create(method->method, &problem, method->settings, &search, error) != STATUS_OK)
        fail(error);
    const double start = clock_seconds();
    for (; clock_seconds() - start < seconds; n += batch) {
        method->method->ask(search, codes);
        for (int i = 0; i < batch; i++)
            scores[i] = (float)codes[i * 128];
        method->method->tell(search, scores);
    }
    const double each = (clock_seconds() - start) / n;
    method->method->destroy(search);
    return each;
}

struct limit {
    double until;
    int64_t n_queries;
};

static bool limit_reached(void *context)
{
    return clock_seconds() > ((struct limit *)context)->until;
}

static void limit_count(void *context, int64_t n_queries)
{
    ((struct limit *)context)->n_queries += n_queries;
}

static double measure_whole(const struct plan *plan, struct evaluator *evaluator, double seconds,
                            struct error *error)
{
    int64_t runs[N_RUNS];
    struct replay replays[N_RUNS] = {{0}};
    struct lockstep *lockstep;
    const double start = clock_seconds();
    struct limit limit = {start + seconds, 0};
    const struct lockstep_watch watch = {&limit, limit_reached, limit_count};
    for (int i = 0; i < N_RUNS; i++)
        runs[i] = i;
    if (lockstep_run(plan, evaluator, runs, N_RUNS, replays, &watch, &lockstep, error) != STATUS_OK)
        fail(error);
    lockstep_free(lockstep);
    return (clock_seconds() - start) / (double)limit.n_queries;
}

static struct timing measure(const char *kernels, const char *generator, double seconds)
{
    char text[2048];
    struct error error = {0};
    struct job *job;
    struct backend backend;
    struct plan *plan;
    struct evaluator *evaluator;
    struct rusage usage;
    snprintf(text, sizeof text, job_text, kernels, generator, BUDGET);
    if (job_read_text(text, "bench", &job, &error) != STATUS_OK ||
        backend_open(kernels, &backend, &error) != STATUS_OK ||
        plan_make(job, &backend, &plan, &error) != STATUS_OK ||
        evaluator_create(plan, 0, 0, &evaluator, &error) != STATUS_OK)
        fail(&error);
    const struct model *subject = plan->subjects[0].model;
    const struct unit *unit = &plan->subjects[0].units[0];
    struct timing timing = {.gmac_subject = model_layer_cost(subject, unit->layer) * 1e-9};
    timing.gmac_generator =
        model_layer_cost(plan->generators[0], model_output_layer(plan->generators[0])) * 1e-9;
    measure_whole(plan, evaluator, 0.2 * seconds, &error); /* warms up */
    timing.whole = measure_whole(plan, evaluator, seconds, &error);
    timing.generator = measure_generator(evaluator, 0.5 * seconds);
    timing.subject = measure_subject(evaluator, unit, 0.5 * seconds);
    timing.search = measure_search(plan, 0.25 * seconds, &error);
    getrusage(RUSAGE_SELF, &usage);
    timing.megabytes = (double)usage.ru_maxrss / 1024;
    evaluator_free(evaluator);
    plan_free(plan);
    job_free(job);
    return timing;
}

/** One process a core; adds up their speeds. */
static struct timing measure_cores(const char *kernels, const char *generator, double seconds, int n_cores)
{
    int ends[2];
    struct timing sum = {0}, one;
    if (pipe(ends) != 0)
        exit(1);
    for (int i = 0; i < n_cores; i++)
        if (fork() == 0) {
            one = measure(kernels, generator, seconds);
            _exit(write(ends[1], &one, sizeof one) == sizeof one ? 0 : 1);
        }
    close(ends[1]);
    for (int i = 0; i < n_cores; i++) {
        if (read(ends[0], &one, sizeof one) != sizeof one) {
            fprintf(stderr, "bench_query: a process ended before it had measured\n");
            exit(1);
        }
        sum.generator += 1 / one.generator;
        sum.subject += 1 / one.subject;
        sum.search += 1 / one.search;
        sum.whole += 1 / one.whole;
        sum.megabytes = fmax(sum.megabytes, one.megabytes);
        sum.gmac_generator = one.gmac_generator;
        sum.gmac_subject = one.gmac_subject;
    }
    while (wait(NULL) > 0) {
    }
    sum.generator = 1 / sum.generator;
    sum.subject = 1 / sum.subject;
    sum.search = 1 / sum.search;
    sum.whole = 1 / sum.whole;
    return sum;
}

int main(int argc, char **argv)
{
    const double seconds = argc > 1 ? atof(argv[1]) : 4;
    const int n_cores = argc > 2 ? atoi(argv[2]) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    char folder[] = "/tmp/meicensus-bench.XXXXXX", generator[128], tensors[128];
    struct error error = {0};
    struct backend backend;
    if (backend_open(argc > 3 ? argv[3] : NULL, &backend, &error) != STATUS_OK)
        fail(&error);
    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(generator, sizeof generator, "%s/sn_gan.yaml", folder);
    snprintf(tensors, sizeof tensors, "%s/sn_gan.safetensors", folder);
    if (random_weights_write("weights/sn_gan.yaml", generator, tensors, 256, &error) != STATUS_OK)
        fail(&error);
    const struct timing t = measure_cores(backend.kernels->name, generator, seconds, n_cores);
    printf("cores %d, kernels %s, BLAS core %s\n", n_cores, backend.kernels->name,
           backend_blas_core(&backend));
    printf("generator  %8.3f ms a query, %6.1f GFLOP/s (SN-GAN 256 wide, %.2f GMAC)\n", 1e3 * t.generator,
           2 * t.gmac_generator / t.generator, t.gmac_generator);
    printf(
        "subject    %8.3f ms a query, %6.1f GFLOP/s (spiking ResNet18, T = 20, to layer4.1.sn2, %.2f GMAC)\n",
        1e3 * t.subject, 2 * t.gmac_subject / t.subject, t.gmac_subject);
    printf("search     %8.3f ms a query (tt, 768 binary modes, rank 5)\n", 1e3 * t.search);
    printf("whole      %8.3f ms a query (10 runs in lockstep, k = 10)\n", 1e3 * t.whole);
    printf("peak memory %.0f MiB a process\n", t.megabytes);
    unlink(generator);
    unlink(tensors);
    rmdir(folder);
    return 0;
}
