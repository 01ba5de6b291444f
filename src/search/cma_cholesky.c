/* SPDX-License-Identifier: MIT */
/**
 * CMA-ES with a Cholesky-like factor of the covariance, updated by the evolution path alone.
 *
 * A code is a real vector (axis.h). The scores count for the vectors themselves, not for the nearest grid
 * points that were asked. A generation is mean + sigma z A, z ~ N(0, 1); the better half, weighted by
 * logarithms of the rank, makes the next mean, the evolution paths and sigma. Every `update_every`
 * generations A and its inverse get a rank-one update. The mean starts at 0 and the first generation is drawn
 * around it (the package asks the starting point first and alone, and learns nothing from it). It moves to
 * the best of codes that were not asked, if that is better than all that was told before.
 *
 * Source: Wang and Ponce 2022 (GECCO, arXiv 2204.06765), `CholeskyCMAES` of ActMax-Optimizer-Dev with the
 * settings of its benchmark, but for sigma, which is 3 there: codes of its generator are wider than N(0,1).
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"
#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "ranking.h"

struct cholesky_settings {
    long long population, update_every;
    double sigma;
};

struct search {
    struct search_problem problem;
    struct axis axis;
    uint32_t step;
    int population, n_parents, update_every;
    int64_t n_told, n_told_at_update;
    double path_rate, sigma_rate, covariance_rate, damping, effective_parents, expected_length;
    double sigma;
    double best;                      /* of all scores */
    double *weights;                  /* [n_parents] */
    double *mean;                     /* [n_dimensions] */
    double *path, *sigma_path;        /* [n_dimensions] */
    double *factor, *inverse;         /* [n_dimensions][n_dimensions], row vectors times them */
    double *moves;                    /* [population][n_dimensions], z as last asked */
    double *values;                   /* [population][n_dimensions], the vectors as last asked */
    double *mean_move, *whole, *back; /* [n_dimensions] */
    struct ranked *ranked;            /* [population] */
};

static const struct key cholesky_keys[] = {
    {"population", KEY_INTEGER, offsetof(struct cholesky_settings, population), 4, 10000, "40", "queries",
     NULL, "codes of a generation"},
    {"sigma", KEY_REAL, offsetof(struct cholesky_settings, sigma), 1e-6, 1e6, "1", "latent units", NULL,
     "size of a step at the start"},
    {"update_every", KEY_INTEGER, offsetof(struct cholesky_settings, update_every), 1, 10000, "10",
     "generations", NULL, "between updates of the covariance"},
    {0},
};

static int cholesky_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    return (int)((const struct cholesky_settings *)settings)->population;
}

static void cholesky_release(struct search *search)
{
    double *const arrays[] = {search->weights, search->mean,    search->path,     search->sigma_path,
                              search->factor,  search->inverse, search->moves,    search->values,
                              search->whole,   search->back,    search->mean_move};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    axis_release(&search->axis);
    free(search->ranked);
}

static enum status cholesky_allocate(struct search *search, struct error *error)
{
    const size_t d = (size_t)search->problem.n_dimensions, population = (size_t)search->population;
    TRY(axis_prepare(&search->axis, &search->problem, error));
    TRY(MEMORY_ALLOCATE(search->weights, (size_t)search->n_parents, error));
    TRY(MEMORY_ALLOCATE(search->mean, d, error));
    TRY(MEMORY_ALLOCATE(search->path, d, error));
    TRY(MEMORY_ALLOCATE(search->sigma_path, d, error));
    TRY(MEMORY_ALLOCATE(search->factor, d * d, error));
    TRY(MEMORY_ALLOCATE(search->inverse, d * d, error));
    TRY(MEMORY_ALLOCATE(search->moves, population * d, error));
    TRY(MEMORY_ALLOCATE(search->values, population * d, error));
    TRY(MEMORY_ALLOCATE(search->mean_move, d, error));
    TRY(MEMORY_ALLOCATE(search->whole, d, error));
    TRY(MEMORY_ALLOCATE(search->back, d, error));
    return MEMORY_ALLOCATE(search->ranked, population, error);
}

static void set_weights(struct search *search)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < search->n_parents; i++) {
        search->weights[i] = log(search->population / 2.0 + 0.5) - log(1.0 + i);
        sum += search->weights[i];
    }
    for (int i = 0; i < search->n_parents; i++) {
        search->weights[i] /= sum;
        squares += search->weights[i] * search->weights[i];
    }
    search->effective_parents = 1 / squares;
}

static void set_rates(struct search *search)
{
    const double n = search->problem.n_dimensions, effective = search->effective_parents;
    search->path_rate = 4 / (n + 4);
    search->sigma_rate = sqrt(effective) / (sqrt(effective) + sqrt(n));
    search->covariance_rate = 2 / ((n + sqrt(2)) * (n + sqrt(2)));
    search->damping = 1 + search->sigma_rate + 2 * fmax(0, sqrt((effective - 1) / (n + 1)) - 1);
    search->expected_length = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
}

static enum status cholesky_prepare(const struct search_method *method, struct search *search,
                                    const void *settings, struct error *error)
{
    (void)method;
    const struct cholesky_settings *given = settings;
    const size_t d = (size_t)search->problem.n_dimensions;
    search->population = (int)given->population;
    search->n_parents = search->population / 2;
    search->update_every = (int)given->update_every;
    search->sigma = given->sigma;
    search->best = -INFINITY;
    TRY(cholesky_allocate(search, error));
    set_weights(search);
    set_rates(search);
    for (size_t i = 0; i < d; i++)
        search->factor[i * d + i] = search->inverse[i * d + i] = 1;
    return STATUS_OK;
}

/** product = row times matrix [n][n]. */
static void times_matrix(int n, const double *row, const double *matrix, double *product)
{
    memset(product, 0, sizeof *product * (size_t)n);
    for (int i = 0; i < n; i++, matrix += n)
        for (int j = 0; j < n; j++)
            product[j] += row[i] * matrix[j];
}

static void cholesky_ask(struct search *search, int32_t *codes)
{
    const int d = search->problem.n_dimensions;
    const size_t n_values = (size_t)search->population * (size_t)d;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    draws_normals(&draws, search->moves, (int)n_values);
    for (int i = 0; i < search->population; i++) {
        double *values = search->values + (size_t)i * (size_t)d;
        times_matrix(d, search->moves + (size_t)i * (size_t)d, search->factor, values);
        for (int j = 0; j < d; j++)
            values[j] = search->mean[j] + search->sigma * values[j];
    }
    axis_codes(&search->axis, n_values, search->values, codes);
}

static void rank_scores(struct search *search, const float *scores)
{
    for (int i = 0; i < search->population; i++)
        search->ranked[i] = (struct ranked){isnan(scores[i]) ? -INFINITY : (double)scores[i], i};
    ranking_sort(search->ranked, search->population);
}

/** mean = the weighted mean of the parents' rows [population][n_dimensions]. */
static void recombine(const struct search *search, const double *rows, double *mean)
{
    const int d = search->problem.n_dimensions;
    memset(mean, 0, sizeof *mean * (size_t)d);
    for (int parent = 0; parent < search->n_parents; parent++) {
        const double *row = rows + (size_t)search->ranked[parent].place * (size_t)d;
        for (int i = 0; i < d; i++)
            mean[i] += search->weights[parent] * row[i];
    }
}

static void follow(int n, double rate, double effective, const double *move, double *path)
{
    const double gain = sqrt(rate * (2 - rate) * effective);
    for (int i = 0; i < n; i++)
        path[i] = (1 - rate) * path[i] + gain * move[i];
}

static double square_length(int n, const double *vector)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += vector[i] * vector[i];
    return sum;
}

/** matrix = keep * matrix + add * column row, of [n][n]. */
static void update_matrix(int n, double keep, double add, const double *column, const double *row,
                          double *matrix)
{
    for (int i = 0; i < n; i++, matrix += n)
        for (int j = 0; j < n; j++)
            matrix[j] = keep * matrix[j] + add * column[i] * row[j];
}

/** back = matrix [n][n] times a column. */
static void matrix_times(int n, const double *matrix, const double *column, double *product)
{
    for (int i = 0; i < n; i++, matrix += n) {
        product[i] = 0;
        for (int j = 0; j < n; j++)
            product[i] += matrix[j] * column[j];
    }
}

static void update_covariance(struct search *search)
{
    const int d = search->problem.n_dimensions;
    const double rate = search->covariance_rate, keep = sqrt(1 - rate);
    double *white = search->whole; /* the path, seen through the inverse */
    times_matrix(d, search->path, search->inverse, white);
    const double length = square_length(d, white);
    if (!(length > 0))
        return;
    const double stretch = sqrt(1 + length * rate / (1 - rate));
    update_matrix(d, keep, keep / length * (stretch - 1), white, search->path, search->factor);
    matrix_times(d, search->inverse, white, search->back);
    update_matrix(d, 1 / keep, -(1 - 1 / stretch) / keep / length, search->back, white, search->inverse);
}

static void cholesky_tell(struct search *search, const float *scores)
{
    const int d = search->problem.n_dimensions;
    rank_scores(search, scores);
    search->best = fmax(search->best, search->ranked[0].score);
    recombine(search, search->values, search->mean);
    recombine(search, search->moves, search->mean_move);
    times_matrix(d, search->mean_move, search->factor, search->whole);
    follow(d, search->sigma_rate, search->effective_parents, search->mean_move, search->sigma_path);
    follow(d, search->path_rate, search->effective_parents, search->whole, search->path);
    search->sigma *= exp(search->sigma_rate / search->damping *
                         (sqrt(square_length(d, search->sigma_path)) / search->expected_length - 1));
    search->n_told += search->population;
    if (search->n_told - search->n_told_at_update > (int64_t)search->update_every * search->population) {
        search->n_told_at_update = search->n_told;
        update_covariance(search);
    }
}

static void cholesky_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    struct ranked best;
    if (ranking_best(scores, n_codes, 1, &best) == 0 || best.score <= search->best)
        return;
    search->best = best.score;
    axis_values(&search->axis, d, codes + (size_t)best.place * d, search->mean);
}

const struct search_method search_cma_cholesky = {
    .name = "cma_cholesky",
    .summary = "CMA-ES with a factored covariance (Wang and Ponce 2022, CholeskyCMAES)",
    .keys = cholesky_keys,
    .settings_size = sizeof(struct cholesky_settings),
    .search_size = sizeof(struct search),
    .prepare = cholesky_prepare,
    .batch = cholesky_batch,
    .ask = cholesky_ask,
    .tell = cholesky_tell,
    .inform = cholesky_inform,
    .release = cholesky_release,
};
