/* SPDX-License-Identifier: MIT */
/**
 * Finite-difference gradient descent and natural evolution strategies: a centre that follows a gradient
 * estimated from random steps around it.
 *
 * A code is a real vector (axis.h), a step N(0, radius^2) a dimension, asked on both sides of the centre
 * (antithetic): first all on one side, then all on the other. The scores count for the vectors themselves,
 * not for the nearest grid points that were asked. The centre starts at 0; it moves to the best of codes that
 * were not asked, if that is better than all that was told before.
 *   fdgd: centre += rate mean_i ((s+_i - s-_i) / 2) step_i / mean|step_i|^2
 *   nes:  centre += rate mean_i s_i z_i / radius, z_i the step in units of the radius;
 *         radius += radius_rate mean_i mean_d s_i (z_id^2 - 1) / radius, not below 0.01
 *
 * Source: XDream (Xiao and Kreiman 2020, arXiv 1905.00378), `Optimizers.FDGD` and `Optimizers.NES`; NES
 * after Ilyas et al. 2018 (arXiv 1804.08598).
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>

#include "axis.h"
#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "ranking.h"

static const double SMALLEST_RADIUS = 0.01;

struct gradient_settings {
    long long samples;
    double radius, rate, radius_rate;
};

struct search {
    struct search_problem problem;
    struct gradient_settings settings;
    struct axis axis;
    uint32_t step;
    int n_pairs;
    double radius;
    double best;    /* of all scores */
    double *centre; /* [n_dimensions] */
    double *moves;  /* [n_pairs][n_dimensions], N(0,1) */
    double *values; /* [n_dimensions], of one code */
    void (*learn)(struct search *search, const float *scores);
};

static int gradient_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    return 2 * (int)(((const struct gradient_settings *)settings)->samples / 2);
}

static void gradient_release(struct search *search)
{
    axis_release(&search->axis);
    free(search->centre);
    free(search->moves);
    free(search->values);
}

static enum status gradient_prepare(struct search *search, const struct gradient_settings *settings,
                                    void (*learn)(struct search *search, const float *scores),
                                    struct error *error)
{
    search->settings = *settings;
    search->n_pairs = gradient_batch(settings, search->problem.n_dimensions) / 2;
    search->radius = settings->radius;
    search->best = -INFINITY;
    search->learn = learn;
    const size_t n_dimensions = (size_t)search->problem.n_dimensions;
    TRY(axis_prepare(&search->axis, &search->problem, error));
    TRY(MEMORY_ALLOCATE(search->centre, n_dimensions, error));
    TRY(MEMORY_ALLOCATE(search->moves, (size_t)search->n_pairs * n_dimensions, error));
    return MEMORY_ALLOCATE(search->values, n_dimensions, error);
}

static void gradient_ask(struct search *search, int32_t *codes)
{
    const int d = search->problem.n_dimensions;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    draws_normals(&draws, search->moves, search->n_pairs * d);
    for (int sample = 0; sample < 2 * search->n_pairs; sample++, codes += d) {
        const double side = sample < search->n_pairs ? search->radius : -search->radius;
        const double *move = search->moves + (size_t)(sample % search->n_pairs) * (size_t)d;
        for (int i = 0; i < d; i++)
            search->values[i] = search->centre[i] + side * move[i];
        axis_codes(&search->axis, (size_t)d, search->values, codes);
    }
}

/* A step that a score misses says nothing. */
static double difference(const float *scores, int pair, int n_pairs)
{
    const double value = (double)scores[pair] - (double)scores[n_pairs + pair];
    return isfinite(value) ? value : 0;
}

static void move_centre(struct search *search, int pair, double factor)
{
    const int d = search->problem.n_dimensions;
    const double *move = search->moves + (size_t)pair * (size_t)d;
    for (int i = 0; i < d; i++)
        search->centre[i] += factor * move[i];
}

static void fdgd_learn(struct search *search, const float *scores)
{
    const int d = search->problem.n_dimensions, n_pairs = search->n_pairs;
    for (int pair = 0; pair < n_pairs; pair++) {
        double length = 0; /* mean |step|, in units of the radius */
        for (int i = 0; i < d; i++)
            length += fabs(search->moves[(size_t)pair * (size_t)d + (size_t)i]) / d;
        const double slope =
            difference(scores, pair, n_pairs) / 2 / (length * length * search->radius * search->radius);
        move_centre(search, pair, search->settings.rate * slope * search->radius / n_pairs);
    }
}

static double mean_square_less_one(const double *move, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += move[i] * move[i] - 1;
    return sum / n;
}

static void nes_learn(struct search *search, const float *scores)
{
    const int d = search->problem.n_dimensions, n_pairs = search->n_pairs;
    double gradient = 0; /* of the radius */
    for (int pair = 0; pair < n_pairs; pair++) {
        const double sum = (double)scores[pair] + (double)scores[n_pairs + pair];
        const double spread = mean_square_less_one(search->moves + (size_t)pair * (size_t)d, d);
        gradient += (isfinite(sum) ? sum : 0) * spread / (2 * n_pairs) / search->radius;
        move_centre(search, pair,
                    search->settings.rate * difference(scores, pair, n_pairs) / (2 * n_pairs) /
                        search->radius);
    }
    search->radius = fmax(search->radius + search->settings.radius_rate * gradient, SMALLEST_RADIUS);
}

static void gradient_tell(struct search *search, const float *scores)
{
    struct ranked best;
    if (ranking_best(scores, 2 * search->n_pairs, 1, &best) == 1)
        search->best = fmax(search->best, best.score);
    search->learn(search, scores);
}

static void gradient_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    struct ranked best;
    if (ranking_best(scores, n_codes, 1, &best) == 0 || best.score <= search->best)
        return;
    search->best = best.score;
    axis_values(&search->axis, d, codes + (size_t)best.place * d, search->centre);
}

/* ---- the two methods ---- */

#define SAMPLES_KEY                                                                                          \
    {                                                                                                        \
        "samples", KEY_INTEGER, offsetof(struct gradient_settings, samples), 2, 10000, "20", "queries",      \
            NULL, "codes that are proposed at once, half of them on each side; an odd number is lowered"     \
    }
#define RADIUS_KEY                                                                                           \
    {                                                                                                        \
        "radius", KEY_REAL, offsetof(struct gradient_settings, radius), 0.01, 1000, "1.25", "latent units",  \
            NULL, "standard deviation of the steps"                                                          \
    }
#define RATE_KEY(fallback)                                                                                   \
    {                                                                                                        \
        "rate", KEY_REAL, offsetof(struct gradient_settings, rate), 1e-9, 1e9, fallback, "1", NULL,          \
            "how far the centre follows the gradient"                                                        \
    }

static const struct key fdgd_keys[] = {SAMPLES_KEY, RADIUS_KEY, RATE_KEY("1.25"), {0}};
static const struct key nes_keys[] = {SAMPLES_KEY,
                                      RADIUS_KEY,
                                      RATE_KEY("1.75"),
                                      {"radius_rate", KEY_REAL,
                                       offsetof(struct gradient_settings, radius_rate), 0, 1e9, "0.05", "1",
                                       NULL, "how far the radius follows its gradient; 0: it stays"},
                                      {0}};

static enum status fdgd_prepare(const struct search_method *method, struct search *search,
                                const void *settings, struct error *error)
{
    (void)method;
    return gradient_prepare(search, settings, fdgd_learn, error);
}

static enum status nes_prepare(const struct search_method *method, struct search *search,
                               const void *settings, struct error *error)
{
    (void)method;
    return gradient_prepare(search, settings, nes_learn, error);
}

const struct search_method search_fdgd = {
    .name = "fdgd",
    .summary = "finite-difference gradient descent (XDream, FDGD)",
    .keys = fdgd_keys,
    .settings_size = sizeof(struct gradient_settings),
    .search_size = sizeof(struct search),
    .prepare = fdgd_prepare,
    .batch = gradient_batch,
    .ask = gradient_ask,
    .tell = gradient_tell,
    .inform = gradient_inform,
    .release = gradient_release,
};

const struct search_method search_nes = {
    .name = "nes",
    .summary = "natural evolution strategies with an adapted radius (XDream, NES)",
    .keys = nes_keys,
    .settings_size = sizeof(struct gradient_settings),
    .search_size = sizeof(struct search),
    .prepare = nes_prepare,
    .batch = gradient_batch,
    .ask = gradient_ask,
    .tell = gradient_tell,
    .inform = gradient_inform,
    .release = gradient_release,
};
