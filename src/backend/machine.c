/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <immintrin.h>

#include "clock.h"
#include "memory.h"

void machine_processor(char name[MACHINE_NAME_CAPACITY])
{
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, MACHINE_NAME_CAPACITY, "unknown processor");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (value == NULL || strncmp(line, "model name", strlen("model name")) != 0)
            continue;
        value += 1 + strspn(value + 1, " \t");
        snprintf(name, MACHINE_NAME_CAPACITY, "%.*s", (int)strcspn(value, "\n"), value);
        break;
    }
    if (file != NULL)
        fclose(file);
}

int machine_n_cores(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

/* ---- multiply-adds ---- */

/* More chains of dependent operations than any processor has in flight (2 units x 4 or 5 cycles), fewer than
 * there are registers. The fixed point of value = value * 0.5 + 0.5 keeps every number a normal one. */
enum { STEPS = 1 << 16 };

/** Multiply-adds of one call: `STEPS` of every chain, in vectors of some width. */
struct multiply_add {
    const char *name;
    bool (*is_usable)(void);
    float (*run)(float factor); /**< what it returns only keeps the work from being left out */
    int n_chains, width;
};

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") != 0;
}

static bool has_fma(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool always(void)
{
    return true;
}

enum { CHAINS_AVX512 = 16, CHAINS_FMA = 12, CHAINS_SCALAR = 32 };

__attribute__((target("avx512f"))) static float run_avx512(float factor)
{
    const __m512 half = _mm512_set1_ps(factor);
    __m512 chains[CHAINS_AVX512], sum = _mm512_setzero_ps();
    for (int c = 0; c < CHAINS_AVX512; c++)
        chains[c] = _mm512_set1_ps((float)c);
    for (int i = 0; i < STEPS; i++)
        for (int c = 0; c < CHAINS_AVX512; c++)
            chains[c] = _mm512_fmadd_ps(chains[c], half, half);
    for (int c = 0; c < CHAINS_AVX512; c++)
        sum = _mm512_add_ps(sum, chains[c]);
    return _mm512_cvtss_f32(sum);
}

__attribute__((target("avx2,fma"))) static float run_fma(float factor)
{
    const __m256 half = _mm256_set1_ps(factor);
    __m256 chains[CHAINS_FMA], sum = _mm256_setzero_ps();
    for (int c = 0; c < CHAINS_FMA; c++)
        chains[c] = _mm256_set1_ps((float)c);
    for (int i = 0; i < STEPS; i++)
        for (int c = 0; c < CHAINS_FMA; c++)
            chains[c] = _mm256_fmadd_ps(chains[c], half, half);
    for (int c = 0; c < CHAINS_FMA; c++)
        sum = _mm256_add_ps(sum, chains[c]);
    return _mm256_cvtss_f32(sum);
}

/** As wide as the compiler makes it for any processor. */
static float run_scalar(float factor)
{
    float chains[CHAINS_SCALAR], sum = 0;
    for (int c = 0; c < CHAINS_SCALAR; c++)
        chains[c] = (float)c;
    for (int i = 0; i < STEPS; i++)
        for (int c = 0; c < CHAINS_SCALAR; c++)
            chains[c] = chains[c] * factor + factor;
    for (int c = 0; c < CHAINS_SCALAR; c++)
        sum += chains[c];
    return sum;
}

/* Widest first. */
static const struct multiply_add multiply_adds[] = {
    {"avx512f", has_avx512, run_avx512, CHAINS_AVX512, 16},
    {"avx2 fma", has_fma, run_fma, CHAINS_FMA, 8},
    {"scalar", always, run_scalar, CHAINS_SCALAR, 1},
};

static const struct multiply_add *widest(void)
{
    const struct multiply_add *kind = multiply_adds;
    while (!kind->is_usable())
        kind++;
    return kind;
}

const char *machine_multiply_add(void)
{
    return widest()->name;
}

double machine_peak(double seconds)
{
    const struct multiply_add *kind = widest();
    volatile float factor = 0.5f, sink;
    double operations = 0, best = 0;
    const double start = clock_seconds();
    for (double before = start, now = start; now - start < seconds || best == 0; before = now) {
        sink = kind->run(factor);
        now = clock_seconds();
        operations = 2.0 * STEPS * kind->n_chains * kind->width;
        best = operations / (now - before) > best ? operations / (now - before) : best;
    }
    (void)sink;
    return best;
}

/* ---- memory ---- */

static void triad(size_t n, float factor, float *a, const float *b, const float *c)
{
    for (size_t i = 0; i < n; i++)
        a[i] = b[i] + factor * c[i];
}

enum status machine_bandwidth(double seconds, size_t bytes, double *bandwidth, struct error *error)
{
    const size_t n = bytes / (3 * sizeof(float));
    float *values = NULL;
    int n_passes = 0;
    TRY(MEMORY_ALLOCATE(values, 3 * n, error));
    for (size_t i = 0; i < 3 * n; i++)
        values[i] = (float)i;
    volatile float factor = 0.5f;
    const double start = clock_seconds();
    for (; n_passes == 0 || clock_seconds() - start < seconds; n_passes++)
        triad(n, factor, values, values + n, values + 2 * n);
    *bandwidth = (double)n_passes * (double)(3 * n * sizeof(float)) / (clock_seconds() - start);
    volatile float sink = values[n / 2];
    (void)sink;
    free(values);
    return STATUS_OK;
}
