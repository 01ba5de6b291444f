/* SPDX-License-Identifier: MIT */
/**
 * Simultaneous perturbation: two codes on both sides of a point, and a step along the difference of their
 * scores.
 *
 * The point is a vector of real numbers, N(0,1) in n equal bins (bins.h), first 0. Pair k = 1, 2, ... lies
 * c(k) = radius / k^0.101 below and above it in every dimension, with random signs. After pair k - 1 it moves
 * against the slope, the difference of that pair's losses over 2 c(k), by rate / (k + A)^0.602, where A is a
 * twentieth of the budget, at least 10. The slope belongs to the point itself, not to the centres of the
 * bins. With the rate of the package, scores of order 1 hardly move the point: set a larger one.
 *
 * Source: Nevergrad 1.0.12, `SPSA` on an ordered `TransitionChoice`. Unlike there, a pair with a score that
 * is not finite moves nothing (there it throws the point out of the space), and codes that were not asked do
 * not take the place of one of a pair: the point moves to the best of them, if it is the best so far.
 */
#include <math.h>
#include <stdlib.h>

#include "bins.h"
#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "random.h"
#include "ranking.h"

static const double RADIUS_POWER = 0.101, RATE_POWER = 0.602;
enum { LEAST_DELAY = 10, DELAY_SHARE = 20 };

struct spsa_settings {
    double radius, rate;
};

struct search {
    struct search_problem problem;
    struct spsa_settings settings;
    struct bins bins;
    uint32_t step;
    double delay;       /* A */
    double *point;      /* [n_dimensions] */
    double *signs;      /* [n_dimensions], of the pair last asked */
    double lowest_loss; /* ever seen */
};

static const struct key spsa_keys[] = {
    {"radius", KEY_REAL, offsetof(struct spsa_settings, radius), 1e-6, 100, "0.1", "latent units", NULL,
     "distance of the first codes from the point, in every dimension"},
    {"rate", KEY_REAL, offsetof(struct spsa_settings, rate), 1e-12, 1e6, "1e-5", "1", NULL,
     "factor of all steps of the point"},
    {0},
};

static int spsa_batch(const void *settings, int n_dimensions)
{
    (void)settings;
    (void)n_dimensions;
    return 2;
}

static void spsa_release(struct search *search)
{
    bins_release(&search->bins);
    free(search->point);
    free(search->signs);
}

static enum status spsa_prepare(const struct search_method *method, struct search *search,
                                const void *settings, struct error *error)
{
    (void)method;
    const struct search_problem *problem = &search->problem;
    const int64_t share = problem->budget / DELAY_SHARE;
    search->settings = *(const struct spsa_settings *)settings;
    search->delay = (double)(share > LEAST_DELAY ? share : LEAST_DELAY);
    search->lowest_loss = ranking_loss(NAN);
    TRY(bins_prepare(&search->bins, problem->n_points, error));
    TRY(MEMORY_ALLOCATE(search->point, (size_t)problem->n_dimensions, error));
    return MEMORY_ALLOCATE(search->signs, (size_t)problem->n_dimensions, error);
}

/* c(k) */
static double distance(const struct search *search, uint32_t pair)
{
    return search->settings.radius / pow(pair, RADIUS_POWER);
}

static void spsa_ask(struct search *search, int32_t *codes)
{
    const int n_dimensions = search->problem.n_dimensions;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    const double shift = distance(search, search->step);
    for (int i = 0; i < n_dimensions; i++) {
        search->signs[i] = random_below(draws_word(&draws), 2) == 1 ? 1 : -1;
        codes[i] = bins_index(&search->bins, search->point[i] - shift * search->signs[i]);
        codes[n_dimensions + i] = bins_index(&search->bins, search->point[i] + shift * search->signs[i]);
    }
}

static void spsa_tell(struct search *search, const float *scores)
{
    const double below = ranking_loss(scores[0]), above = ranking_loss(scores[1]);
    search->lowest_loss = fmin(search->lowest_loss, fmin(below, above));
    if (!isfinite(scores[0]) || !isfinite(scores[1]))
        return;
    const uint32_t next = search->step + 1;
    const double rate = search->settings.rate / pow(next + search->delay, RATE_POWER);
    const double slope = (above - below) / 2 / distance(search, next);
    for (int i = 0; i < search->problem.n_dimensions; i++)
        search->point[i] -= rate * slope * search->signs[i];
}

static void spsa_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    for (int i = 0; i < n_codes; i++, codes += search->problem.n_dimensions) {
        const double loss = ranking_loss(scores[i]);
        if (!(loss < search->lowest_loss))
            continue;
        search->lowest_loss = loss;
        for (int j = 0; j < search->problem.n_dimensions; j++)
            search->point[j] = search->bins.centres[codes[j]];
    }
}

const struct search_method search_spsa = {
    .name = "spsa",
    .summary = "simultaneous perturbation (Nevergrad 1.0.12, SPSA)",
    .keys = spsa_keys,
    .settings_size = sizeof(struct spsa_settings),
    .search_size = sizeof(struct search),
    .prepare = spsa_prepare,
    .batch = spsa_batch,
    .ask = spsa_ask,
    .tell = spsa_tell,
    .inform = spsa_inform,
    .release = spsa_release,
};
