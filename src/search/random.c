/* SPDX-License-Identifier: MIT */
/**
 * Uniform random codes: the baseline that every other method has to beat.
 *
 * A code is drawn index by index, each uniform on 0..n-1, independent of all others; nothing is learned.
 * Source: Nevergrad 1.0.12, `RandomSearch`, which samples a `TransitionChoice` uniformly.
 */
#include "search.h"

#include "draws.h"
#include "methods.h"
#include "random.h"

struct random_settings {
    long long batch;
};

struct search {
    struct search_problem problem;
    int batch;
    uint32_t step;
};

static const struct key random_keys[] = {
    {"batch", KEY_INTEGER, offsetof(struct random_settings, batch), 1, 10000, "10", "queries", NULL,
     "codes that are proposed at once"},
    {0},
};

static int random_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    return (int)((const struct random_settings *)settings)->batch;
}

static enum status random_prepare(const struct search_method *method, struct search *search,
                                  const void *settings, struct error *error)
{
    (void)method;
    (void)error;
    search->batch = random_batch(settings, search->problem.n_dimensions);
    return STATUS_OK;
}

static void random_ask(struct search *search, int32_t *codes)
{
    size_t n_indices = (size_t)search->batch * (size_t)search->problem.n_dimensions;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    for (size_t i = 0; i < n_indices; i++)
        codes[i] = (int32_t)random_below(draws_word(&draws), (uint32_t)search->problem.n_points);
}

static void random_tell(struct search *search, const float *scores)
{
    (void)search;
    (void)scores;
}

const struct search_method search_random = {
    .name = "random",
    .summary = "uniform random codes (Nevergrad 1.0.12, RandomSearch)",
    .keys = random_keys,
    .settings_size = sizeof(struct random_settings),
    .is_baseline = true,
    .search_size = sizeof(struct search),
    .prepare = random_prepare,
    .batch = random_batch,
    .ask = random_ask,
    .tell = random_tell,
};
