/* SPDX-License-Identifier: MIT */
/**
 * Genetic algorithm: generations of a fixed size, parents chosen by a softmax of their scores, genes of two
 * parents mixed, some of them moved.
 *
 * A code is a real vector (axis.h), one gene a dimension, N(0,1) in the first generation. The scores count
 * for the vectors themselves, not for the nearest grid points that were asked. Fitness is
 * exp((s - best) / kT), kT = deviation of the scores / selectivity, s at most their 95th percentile. Each
 * gene of a child comes from the first parent with probability `heritability`, else from the second, and with
 * probability `mutation_rate` N(0, mutation_size^2) is added. The `conserved` best are asked again as they
 * are. Without a score a vector stays in the next generation. Of codes that were not asked the best, at most
 * half a generation of them, take the last places of the generation that is asked next.
 *
 * Source: XDream (Xiao and Kreiman 2020, arXiv 1905.00378), `Optimizers.Genetic`, with the settings of its
 * examples.
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "axis.h"
#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "random.h"
#include "ranking.h"

static const double LEAST_TEMPERATURE = 1e-8, CLIPPED_FROM = 0.95;

struct genetic_settings {
    long long population, conserved;
    double mutation_rate, mutation_size, selectivity, heritability;
};

struct search {
    struct search_problem problem;
    struct genetic_settings settings;
    struct axis axis;
    uint32_t step;
    bool is_drawn;         /* the first generation */
    double *genes;         /* [population][n_dimensions], as last asked */
    double *children;      /* the same, in the making */
    double *mutation;      /* [n_dimensions] */
    struct ranked *ranked; /* [population], those with a score, best first */
    double *share;         /* [population], fitness added up and normalised */
};

static const struct key genetic_keys[] = {
    {"population", KEY_INTEGER, offsetof(struct genetic_settings, population), 2, 10000, "20", "queries",
     NULL, "codes of a generation"},
    {"mutation_rate", KEY_REAL, offsetof(struct genetic_settings, mutation_rate), 0, 1, "0.5", "1", NULL,
     "share of the genes of a child that are moved"},
    {"mutation_size", KEY_REAL, offsetof(struct genetic_settings, mutation_size), 1e-9, 1e6, "0.5",
     "latent units", NULL, "standard deviation of a move"},
    {"selectivity", KEY_REAL, offsetof(struct genetic_settings, selectivity), 1e-3, 1e6, "2", "1", NULL,
     "the higher, the rarer is a parent with a low score"},
    {"heritability", KEY_REAL, offsetof(struct genetic_settings, heritability), 0, 1, "0.5", "1", NULL,
     "share of the genes that come from the first parent"},
    {"conserved", KEY_INTEGER, offsetof(struct genetic_settings, conserved), 0, 9999, "0", "queries", NULL,
     "best codes of a generation that stay as they are; less than the population"},
    {0},
};

static int genetic_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    return (int)((const struct genetic_settings *)settings)->population;
}

static void genetic_release(struct search *search)
{
    axis_release(&search->axis);
    free(search->genes);
    free(search->children);
    free(search->mutation);
    free(search->ranked);
    free(search->share);
}

static enum status genetic_prepare(const struct search_method *method, struct search *search,
                                   const void *settings, struct error *error)
{
    const struct genetic_settings *given = settings;
    if (given->conserved >= given->population)
        return error_set(error, STATUS_BAD_INPUT,
                         "method %s: 'conserved' is %lld, expected less than the population of %lld",
                         method->name, given->conserved, given->population);
    search->settings = *given;
    const size_t n_dimensions = (size_t)search->problem.n_dimensions;
    const size_t population = (size_t)given->population;
    TRY(axis_prepare(&search->axis, &search->problem, error));
    TRY(MEMORY_ALLOCATE(search->genes, population * n_dimensions, error));
    TRY(MEMORY_ALLOCATE(search->children, population * n_dimensions, error));
    TRY(MEMORY_ALLOCATE(search->mutation, n_dimensions, error));
    TRY(MEMORY_ALLOCATE(search->ranked, population, error));
    return MEMORY_ALLOCATE(search->share, population, error);
}

/* ---- selection ---- */

/** Ranks the places with a score; returns their number. */
static int rank_scores(struct search *search, const float *scores)
{
    int n = 0;
    for (int i = 0; i < (int)search->settings.population; i++)
        if (isfinite(scores[i]))
            search->ranked[n++] = (struct ranked){(double)scores[i], i};
    ranking_sort(search->ranked, n);
    return n;
}

/** Quantile of scores in falling order, interpolated. */
static double quantile(const struct ranked *ranked, int n, double share)
{
    const double position = (1 - share) * (n - 1);
    const int below = (int)position;
    const double rest = position - below;
    return below + 1 < n ? ranked[below].score * (1 - rest) + ranked[below + 1].score * rest
                         : ranked[below].score;
}

static double deviation(const struct ranked *ranked, int n)
{
    double mean = 0, sum = 0;
    for (int i = 0; i < n; i++)
        mean += ranked[i].score / n;
    for (int i = 0; i < n; i++)
        sum += (ranked[i].score - mean) * (ranked[i].score - mean);
    return sqrt(sum / n);
}

/** Fills `share`: each rank's share in the choice of parents, added up. */
static void weigh(struct search *search, int n)
{
    const struct ranked *ranked = search->ranked;
    const double highest = quantile(ranked, n, CLIPPED_FROM);
    const double temperature = fmax(deviation(ranked, n) / search->settings.selectivity, LEAST_TEMPERATURE);
    const double least = 0x1p-1022; /* so that a fitness that underflows can still be chosen */
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum +=
            fmax(exp((fmin(ranked[i].score, highest) - fmin(ranked[0].score, highest)) / temperature), least);
        search->share[i] = sum;
    }
    for (int i = 0; i < n; i++)
        search->share[i] /= sum;
}

static const double *choose_parent(const struct search *search, int n, double uniform)
{
    int rank = 0;
    while (rank < n - 1 && search->share[rank] <= uniform)
        rank++;
    return search->genes + (size_t)search->ranked[rank].place * (size_t)search->problem.n_dimensions;
}

/* ---- the next generation ---- */

static void make_child(struct search *search, int n, struct draws *draws, double *child)
{
    const int d = search->problem.n_dimensions;
    const double *first = choose_parent(search, n, random_uniform(draws_word(draws)));
    const double *second = choose_parent(search, n, random_uniform(draws_word(draws)));
    draws_normals(draws, search->mutation, d);
    for (int i = 0; i < d; i++) {
        const bool from_first = random_uniform(draws_word(draws)) < search->settings.heritability;
        const bool is_moved = random_uniform(draws_word(draws)) < search->settings.mutation_rate;
        child[i] = (from_first ? first[i] : second[i]) +
                   (is_moved ? search->settings.mutation_size * search->mutation[i] : 0);
    }
}

/** The conserved, the children, and at the end those without a score. */
static void make_generation(struct search *search, const float *scores, struct draws *draws)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    const int population = (int)search->settings.population, n = rank_scores(search, scores);
    const int n_conserved = n < search->settings.conserved ? n : (int)search->settings.conserved;
    double *child = search->children;
    if (n > 0)
        weigh(search, n);
    for (int i = 0; i < n; i++, child += d)
        if (i < n_conserved)
            memcpy(child, search->genes + (size_t)search->ranked[i].place * d, sizeof *child * d);
        else
            make_child(search, n, draws, child);
    for (int i = 0; i < population; i++)
        if (!isfinite(scores[i])) {
            memcpy(child, search->genes + (size_t)i * d, sizeof *child * d);
            child += d;
        }
    double *asked = search->genes;
    search->genes = search->children;
    search->children = asked;
}

static void draw_first_generation(struct search *search)
{
    struct draws draws = draws_begin(search->problem.key, 1);
    if (!search->is_drawn)
        draws_normals(&draws, search->genes, (int)search->settings.population * search->problem.n_dimensions);
    search->is_drawn = true;
}

static void genetic_ask(struct search *search, int32_t *codes)
{
    const size_t n_genes = (size_t)search->settings.population * (size_t)search->problem.n_dimensions;
    draw_first_generation(search);
    search->step++;
    axis_codes(&search->axis, n_genes, search->genes, codes);
}

static void genetic_tell(struct search *search, const float *scores)
{
    struct draws draws = draws_begin(search->problem.key, search->step + 1);
    make_generation(search, scores, &draws);
}

static void genetic_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    const int population = (int)search->settings.population;
    const int n = ranking_best(scores, n_codes, population / 2, search->ranked);
    draw_first_generation(search);
    for (int i = 0; i < n; i++)
        axis_values(&search->axis, d, codes + (size_t)search->ranked[i].place * d,
                    search->genes + (size_t)(population - 1 - i) * d);
}

const struct search_method search_xdream_ga = {
    .name = "xdream_ga",
    .summary = "genetic algorithm (XDream, Genetic)",
    .keys = genetic_keys,
    .settings_size = sizeof(struct genetic_settings),
    .search_size = sizeof(struct search),
    .prepare = genetic_prepare,
    .batch = genetic_batch,
    .ask = genetic_ask,
    .tell = genetic_tell,
    .inform = genetic_inform,
    .release = genetic_release,
};
