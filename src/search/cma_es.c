/* SPDX-License-Identifier: MIT */
#include "cma_es.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* pycma's tolfun, tolfunhist, tolflatfitness, tolfacupx, tolxstagnation. */
static const double LEAST_RANGE = 1e-11, LEAST_HISTORIC_RANGE = 1e-12, LARGEST_GROWTH = 1e3;
static const double LEAST_MOVE = 1e-9, LONGEST_REST = 20, LONGEST_REST_SHARE = 0.1;
enum { MOST_FLAT = 1, LEAST_HISTORY = 9 };

/* Nevergrad's, for a space with bounds. */
static const double FIRST_SIGMA = 0.3, FIRST_SIGMA_WIDE = 0.15;
enum { WIDE_FROM = 18 };

int cma_es_population(int n)
{
    return 4 + (int)(3 * log(n));
}

/* ---- constants ---- */

static double sum_of(const double *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

static double sum_of_squares(const double *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += values[i] * values[i];
    return sum;
}

static void scale(double *values, int n, double factor)
{
    for (int i = 0; i < n; i++)
        values[i] *= factor;
}

/** to += factor * from; from element `first` on. */
static void add(double *restrict to, const double *restrict from, double factor, size_t first, size_t n)
{
    for (size_t i = first; i < n; i++)
        to[i] += factor * from[i];
}

/** Logarithms of the rank: those above 0 add up to 1, those below it to -1. */
static void set_weights(struct cma_es *es)
{
    es->n_parents = 0;
    for (int i = 0; i < es->population; i++) {
        es->weights[i] = log((es->population + 1) / 2.0) - log(i + 1.0);
        es->n_parents += es->weights[i] > 0;
    }
    const int n_rest = es->population - es->n_parents;
    scale(es->weights, es->n_parents, 1 / sum_of(es->weights, es->n_parents));
    scale(es->weights + es->n_parents, n_rest, -1 / sum_of(es->weights + es->n_parents, n_rest));
    es->parents_effective = 1 / sum_of_squares(es->weights, es->n_parents);
}

static void set_rates(struct cma_es *es)
{
    const double n = es->n, effective = es->parents_effective;
    const double spread = 0.25 + effective + 1 / effective - 2;
    if (es->is_diagonal) {
        es->path_rate = (1 + 1 / n + effective / n) / (sqrt(n) + 1 / n + 2 * effective / n);
        es->rank_one = 1 / (n + 2 * sqrt(n) + effective / n);
        es->rank_mu = fmin(1 - es->rank_one, spread / (n + 4 * sqrt(n) + effective / 2));
        return;
    }
    es->path_rate = (4 + effective / n) / (n + 4 + 2 * effective / n);
    es->rank_one = fmin(1, es->population / 6.0) * 2 / ((n + 1.3) * (n + 1.3) + effective);
    es->rank_mu = fmin(1 - es->rank_one, 2 * spread / ((n + 2) * (n + 2) + effective));
    es->factor_lasts = 1 / (es->rank_one + es->rank_mu) / n / 10;
}

static void set_sigma_rates(struct cma_es *es)
{
    const double n = es->n, effective = es->parents_effective;
    es->sigma_rate = fmin(0.5, (effective + 2) / (n + effective + 3));
    es->damping = 1 + es->sigma_rate; /* more only for populations far above the default */
    es->mean_length = sqrt(2) * exp(lgamma((n + 1) / 2) - lgamma(n / 2));
}

/** What the worse half unlearns: as much as decays, no more than its effective number allows, and never so
 * much that the covariance could lose its positive definiteness. */
static void limit_negative_weights(struct cma_es *es)
{
    double *negative = es->weights + es->n_parents;
    const int n_negative = es->population - es->n_parents;
    const double sum = sum_of(negative, n_negative);
    const double effective = sum * sum / sum_of_squares(negative, n_negative);
    double wanted = fmin(1 + es->rank_one / es->rank_mu, 1 + 2 * effective / (es->parents_effective + 2));
    if (!es->is_diagonal)
        wanted = fmin(wanted, (1 - es->rank_one - es->rank_mu) / es->rank_mu / es->n);
    scale(negative, n_negative, -wanted / sum);
}

static enum status allocate(struct cma_es *es, struct error *error)
{
    const size_t n = (size_t)es->n, population = (size_t)es->population;
    TRY(MEMORY_ALLOCATE(es->weights, population, error));
    TRY(MEMORY_ALLOCATE(es->start, n, error));
    TRY(MEMORY_ALLOCATE(es->mean, n, error));
    TRY(MEMORY_ALLOCATE(es->path, n, error));
    TRY(MEMORY_ALLOCATE(es->sigma_path, n, error));
    TRY(MEMORY_ALLOCATE(es->rest_mean, n, error));
    TRY(MEMORY_ALLOCATE(es->history, (size_t)es->history_capacity, error));
    TRY(MEMORY_ALLOCATE(es->points, population * n, error));
    TRY(MEMORY_ALLOCATE(es->lengths, population, error));
    TRY(MEMORY_ALLOCATE(es->shift, n, error));
    TRY(MEMORY_ALLOCATE(es->rest, n, error));
    TRY(MEMORY_ALLOCATE(es->whitened, n, error));
    TRY(MEMORY_ALLOCATE(es->order, population, error));
    if (es->is_diagonal)
        return MEMORY_ALLOCATE(es->scaling, n, error);
    TRY(MEMORY_ALLOCATE(es->covariance, n * n, error));
    return MEMORY_ALLOCATE(es->factor, n * n, error);
}

enum status cma_es_prepare(struct cma_es *es, int n, bool is_diagonal, struct error *error)
{
    const int population = cma_es_population(n);
    *es = (struct cma_es){.n = n, .population = population, .is_diagonal = is_diagonal};
    es->history_capacity = 10 + 30 * n / population;
    es->lowest_loss = ranking_loss(NAN);
    es->first_sigma = n < WIDE_FROM ? FIRST_SIGMA : FIRST_SIGMA_WIDE;
    TRY(allocate(es, error));
    set_weights(es);
    set_rates(es);
    set_sigma_rates(es);
    limit_negative_weights(es);
    cma_es_restart(es);
    return STATUS_OK;
}

void cma_es_release(struct cma_es *es)
{
    double *const arrays[] = {es->weights,    es->start,  es->mean,    es->path,     es->sigma_path,
                              es->covariance, es->factor, es->scaling, es->history,  es->points,
                              es->lengths,    es->shift,  es->rest,    es->whitened, es->rest_mean};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    free(es->order);
}

/** The covariance, or its factor, as at the start. */
static void set_to_one(double *matrix, size_t n)
{
    memset(matrix, 0, n * n * sizeof *matrix);
    for (size_t i = 0; i < n; i++)
        matrix[i * n + i] = 1;
}

void cma_es_restart(struct cma_es *es)
{
    const size_t n = (size_t)es->n;
    es->generation = es->n_flat = es->n_history = es->factor_age = es->rest_since = 0;
    es->is_wide = false;
    es->sigma = es->first_sigma;
    memcpy(es->mean, es->start, n * sizeof *es->mean);
    memcpy(es->rest_mean, es->start, n * sizeof *es->mean);
    memset(es->path, 0, n * sizeof *es->path);
    memset(es->sigma_path, 0, n * sizeof *es->sigma_path);
    for (size_t i = 0; i < n && es->is_diagonal; i++)
        es->scaling[i] = 1;
    if (es->is_diagonal)
        return;
    set_to_one(es->covariance, n);
    set_to_one(es->factor, n);
}

void cma_es_offer(struct cma_es *es, const double *point, double loss)
{
    if (!(loss < es->lowest_loss))
        return;
    es->lowest_loss = loss;
    memcpy(es->start, point, (size_t)es->n * sizeof *point);
    memcpy(es->mean, point, (size_t)es->n * sizeof *point);
}

/* ---- covariance ----
 * All products run along rows, so that compilers can take several numbers at a time without changing the
 * order of a sum: the result is the same on every processor. */

/** factor = the transposed Cholesky factor of the covariance; false: not positive definite. */
static bool try_factor(struct cma_es *es)
{
    const size_t n = (size_t)es->n;
    for (size_t i = 0; i < n; i++) {
        double *row = es->factor + i * n;
        memcpy(row + i, es->covariance + i * n + i, (n - i) * sizeof *row);
        for (size_t k = 0; k < i; k++)
            add(row, es->factor + k * n, -es->factor[k * n + i], i, n);
        if (!(row[i] > 0))
            return false;
        scale(row + i, (int)(n - i), 1 / sqrt(row[i]));
    }
    return true;
}

static void factorise(struct cma_es *es)
{
    const size_t n = (size_t)es->n;
    for (double more = 1e-12; !try_factor(es); more *= 10)
        for (size_t i = 0; i < n; i++)
            es->covariance[i * n + i] += more * fmax(1, fabs(es->covariance[i * n + i]));
    es->factor_age = 0;
}

/** value = root of the covariance times normal. */
static void colour(const struct cma_es *es, const double *normal, double *value)
{
    const size_t n = (size_t)es->n;
    for (size_t i = 0; i < n; i++)
        value[i] = es->is_diagonal ? es->scaling[i] * normal[i] : 0;
    for (size_t k = 0; k < n && !es->is_diagonal; k++)
        add(value, es->factor + k * n, normal[k], k, n);
}

/** whitened = inverse root of the covariance times value. */
static void whiten(struct cma_es *es, const double *value)
{
    const size_t n = (size_t)es->n;
    memcpy(es->rest, value, n * sizeof *value);
    for (size_t k = 0; k < n; k++) {
        es->whitened[k] = es->rest[k] / (es->is_diagonal ? es->scaling[k] : es->factor[k * n + k]);
        if (!es->is_diagonal)
            add(es->rest, es->factor + k * n, -es->whitened[k], k + 1, n);
    }
}

void cma_es_sample(const struct cma_es *es, struct draws *draws, double *values)
{
    for (int k = 0; k < es->population; k++, values += es->n) {
        draws_normals(draws, es->shift, es->n);
        colour(es, es->shift, values);
        for (int i = 0; i < es->n; i++)
            values[i] = es->mean[i] + es->sigma * values[i];
    }
}

/* ---- learning ---- */

static double *point(const struct cma_es *es, int rank)
{
    return es->points + (size_t)rank * (size_t)es->n;
}

/** The points from the best on, less the mean, over sigma, none longer than a sampled one. */
static void take_points(struct cma_es *es, const double *values, const double *losses)
{
    const double n = es->n, longest = sqrt(n) + 2 * n / (n + 2);
    for (int k = 0; k < es->population; k++)
        es->order[k] = (struct ranked){-losses[k], k};
    ranking_sort(es->order, es->population);
    for (int k = 0; k < es->population; k++) {
        const double *value = values + (size_t)es->order[k].place * (size_t)es->n;
        for (int i = 0; i < es->n; i++)
            point(es, k)[i] = (value[i] - es->mean[i]) / es->sigma;
        whiten(es, point(es, k));
        const double length = sqrt(sum_of_squares(es->whitened, es->n));
        es->lengths[k] = fmin(length, longest);
        if (length > longest)
            scale(point(es, k), es->n, longest / length);
    }
}

static void note_losses(struct cma_es *es)
{
    const struct ranked *order = es->order;
    es->least_loss = -order[0].score;
    es->lowest_loss = fmin(es->lowest_loss, es->least_loss);
    es->largest_loss = -order[es->population - 1].score;
    es->n_flat = order[0].score > order[(int)(0.75 * es->population)].score ? 0 : es->n_flat + 1;
    if (es->n_history == es->history_capacity)
        es->n_history--;
    memmove(es->history + 1, es->history, (size_t)es->n_history * sizeof *es->history);
    es->history[0] = es->least_loss;
    es->n_history++;
}

/** shift = the weighted mean of the parents; the mean follows it. */
static void move_mean(struct cma_es *es)
{
    memset(es->shift, 0, (size_t)es->n * sizeof *es->shift);
    for (int k = 0; k < es->n_parents; k++)
        add(es->shift, point(es, k), es->weights[k], 0, (size_t)es->n);
    add(es->mean, es->shift, es->sigma, 0, (size_t)es->n);
}

static void follow(int n, double rate, double effective, const double *shift, double *path)
{
    const double gain = sqrt(rate * (2 - rate) * effective);
    for (int i = 0; i < n; i++)
        path[i] = (1 - rate) * path[i] + gain * shift[i];
}

/** Whether the path of sigma is short enough for the rank-one update. */
static bool path_is_short(const struct cma_es *es)
{
    const double expected = 1 - pow(1 - es->sigma_rate, 2.0 * es->generation);
    const double square = sum_of_squares(es->sigma_path, es->n) / expected / es->n;
    return square - 1 < 1 + 4.0 / (es->n + 1);
}

/** The weight of the point of a rank in the covariance: those that are unlearned count as if all were equally
 * far. */
static double covariance_weight(const struct cma_es *es, int rank)
{
    const double length = es->lengths[rank] + 1e-9, weight = es->rank_mu * es->weights[rank];
    return weight < 0 ? weight * es->n / (length * length) : weight;
}

static void learn_covariance(struct cma_es *es, double rank_one)
{
    const size_t n = (size_t)es->n;
    const double sum = rank_one + es->rank_mu * sum_of(es->weights, es->population);
    for (size_t i = 0; i < n; i++) {
        double *row = es->covariance + i * n;
        scale(row + i, (int)(n - i), 1 - sum);
        add(row, es->path, es->rank_one * es->path[i], i, n);
        for (int k = 0; k < es->population; k++)
            add(row, point(es, k), covariance_weight(es, k) * point(es, k)[i], i, n);
    }
    if (++es->factor_age >= es->factor_lasts)
        factorise(es);
}

static void learn_scaling(struct cma_es *es, double rank_one)
{
    const double sum = rank_one + es->rank_mu * sum_of(es->weights, es->population);
    for (int i = 0; i < es->n; i++) {
        double mean_square = rank_one * es->path[i] * es->path[i];
        for (int k = 0; k < es->population; k++) {
            const double z = point(es, k)[i] / es->scaling[i];
            mean_square += es->rank_mu * es->weights[k] * z * z;
        }
        es->scaling[i] *= exp(log(2) * (mean_square - sum) / 2);
    }
}

static void learn_sigma(struct cma_es *es)
{
    const double length = sqrt(sum_of_squares(es->sigma_path, es->n));
    const double change = es->sigma_rate / es->damping * (length / es->mean_length - 1);
    es->sigma *= exp(fmin(fmax(change, -1), 1));
}

static double longest_rest(const struct cma_es *es)
{
    return LONGEST_REST + LONGEST_REST_SHARE * es->generation;
}

static void note_rest(struct cma_es *es)
{
    double square = 0;
    for (int i = 0; i < es->n; i++)
        square += (es->mean[i] - es->rest_mean[i]) * (es->mean[i] - es->rest_mean[i]);
    const double length = (es->generation - es->rest_since) / longest_rest(es);
    if (square <= LEAST_MOVE * LEAST_MOVE * fmax(1, length))
        return;
    memcpy(es->rest_mean, es->mean, (size_t)es->n * sizeof *es->mean);
    es->rest_since = es->generation;
}

static bool has_grown(const struct cma_es *es)
{
    for (size_t i = 0; i < (size_t)es->n; i++) {
        const double deviation =
            es->is_diagonal ? es->scaling[i] : sqrt(es->covariance[i * (size_t)es->n + i]);
        if (es->sigma * deviation > LARGEST_GROWTH * es->first_sigma)
            return true;
    }
    return false;
}

void cma_es_learn(struct cma_es *es, const double *values, const double *losses)
{
    es->generation++;
    take_points(es, values, losses);
    note_losses(es);
    move_mean(es);
    note_rest(es);
    whiten(es, es->shift);
    follow(es->n, es->sigma_rate, es->parents_effective, es->whitened, es->sigma_path);
    const bool is_short = path_is_short(es);
    const double *direction = es->is_diagonal ? es->whitened : es->shift;
    const double effective = is_short ? es->parents_effective : 0;
    follow(es->n, es->path_rate, effective, direction, es->path);
    const double lost = is_short ? 0 : es->path_rate * (2 - es->path_rate);
    (es->is_diagonal ? learn_scaling : learn_covariance)(es, es->rank_one * (1 - lost));
    learn_sigma(es);
    es->is_wide = has_grown(es);
}

static double range(const double *values, int n)
{
    double least = values[0], largest = values[0];
    for (int i = 1; i < n; i++) {
        least = fmin(least, values[i]);
        largest = fmax(largest, values[i]);
    }
    return largest - least;
}

bool cma_es_has_converged(const struct cma_es *es)
{
    if (es->generation == 0)
        return false;
    const double historic = range(es->history, es->n_history);
    return es->n_flat > MOST_FLAT || es->is_wide || es->generation - es->rest_since > longest_rest(es) ||
           (es->largest_loss - es->least_loss < LEAST_RANGE && historic < LEAST_RANGE) ||
           (es->n_history > LEAST_HISTORY && historic < LEAST_HISTORIC_RANGE);
}
