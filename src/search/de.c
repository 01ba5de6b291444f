/* SPDX-License-Identifier: MIT */
/**
 * Differential evolution (differential_evolution.h), one code at a time.
 *
 * A code is represented by real numbers, one a dimension, N(0,1) in n equal bins (bins.h). The first 30 codes
 * asked are uniformly random. Codes that were not asked are taken as the package takes them: they are members
 * as long as there are fewer than 30, then where they are better than the worst.
 *
 * Source: Nevergrad 1.0.12, `DE` on an ordered `TransitionChoice`, one worker.
 */
#include <string.h>

#include "bins.h"
#include "differential_evolution.h"
#include "methods.h"
#include "ranking.h"

struct search {
    struct search_problem problem;
    struct bins bins;
    struct differential_evolution evolution;
    uint32_t step;
};

static const struct key de_keys[] = {{0}};

static int de_batch(const void *settings, int n_dimensions)
{
    (void)settings;
    (void)n_dimensions;
    return 1;
}

static void de_release(struct search *search)
{
    bins_release(&search->bins);
    differential_evolution_release(&search->evolution);
}

static enum status de_prepare(const struct search_method *method, struct search *search, const void *settings,
                              struct error *error)
{
    (void)method;
    (void)settings;
    TRY(bins_prepare(&search->bins, search->problem.n_points, error));
    return differential_evolution_prepare(&search->evolution, search->problem.n_dimensions, &search->bins,
                                          false, error);
}

static void de_ask(struct search *search, int32_t *codes)
{
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    differential_evolution_ask(&search->evolution, &draws);
    memcpy(codes, search->evolution.code, (size_t)search->problem.n_dimensions * sizeof *codes);
}

static void de_tell(struct search *search, const float *scores)
{
    differential_evolution_tell(&search->evolution, ranking_loss(scores[0]));
}

static void de_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    for (int i = 0; i < n_codes; i++, codes += search->problem.n_dimensions)
        differential_evolution_inform(&search->evolution, codes, ranking_loss(scores[i]));
}

const struct search_method search_de = {
    .name = "de",
    .summary = "differential evolution (Nevergrad 1.0.12, DE)",
    .keys = de_keys,
    .search_size = sizeof(struct search),
    .prepare = de_prepare,
    .batch = de_batch,
    .ask = de_ask,
    .tell = de_tell,
    .inform = de_inform,
    .release = de_release,
};
