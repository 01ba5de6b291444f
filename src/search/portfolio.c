/* SPDX-License-Identifier: MIT */
/**
 * Three methods in turn: CMA-ES (cma_es.h), differential evolution with a crossover at two points
 * (differential_evolution.h), scrambled Hammersley points (hammersley.h). Each learns every score.
 *
 * A code is represented by real numbers, one a dimension, N(0,1) in n equal bins (bins.h); told are the
 * centres of the bins, except for the first members of the differential evolution, which are N(0,1). CMA-ES
 * draws a population at a time, which lasts for three populations of codes, and learns from the first
 * population of codes, whoever asked them, that is told after it; the others it misses. The Hammersley points
 * are as many as a third of the budget: another budget is another search from the first code on. Fewer than
 * 12 codes are all Hammersley points.
 *
 * Source: Nevergrad 1.0.12, `Portfolio` on an ordered `TransitionChoice`, one worker: `MetaCMA` (there
 * `OldCMA`, with pycma 4.5.0), `TwoPointsDE`, `ScrHammersleySearch`. pycma refuses to learn twice from one
 * population, and Nevergrad drops what it refuses. Codes that were not asked: the differential evolution
 * takes them as the package does; the mean of CMA-ES moves to the best of them, if it is the best so far
 * (the package drops them before the first code).
 */
#include <stdlib.h>
#include <string.h>

#include "bins.h"
#include "cma_es.h"
#include "differential_evolution.h"
#include "hammersley.h"
#include "memory.h"
#include "methods.h"
#include "ranking.h"

enum { N_METHODS = 3, LEAST_FOR_ALL = 12 };
enum turn { TURN_CMA, TURN_EVOLUTION, TURN_HAMMERSLEY };

struct search {
    struct search_problem problem;
    struct bins bins;
    struct cma_es es;
    struct differential_evolution evolution;
    struct hammersley hammersley;
    uint32_t step;
    enum turn turn;   /* whose code was last asked */
    double *asked;    /* [n_dimensions], the point last asked */
    int32_t *code;    /* [n_dimensions], its bins */
    double *drawn;    /* [population][n_dimensions], by CMA-ES */
    int n_given;      /* of them */
    double *told;     /* [population][n_dimensions], to CMA-ES, since it last learned or missed any */
    double *losses;   /* [population] */
    int n_told;       /* of them */
    bool has_learned; /* CMA-ES, since it last drew */
};

static const struct key portfolio_keys[] = {{0}};

static int portfolio_batch(const void *settings, int n_dimensions)
{
    (void)settings;
    (void)n_dimensions;
    return 1;
}

static void portfolio_release(struct search *search)
{
    bins_release(&search->bins);
    cma_es_release(&search->es);
    differential_evolution_release(&search->evolution);
    hammersley_release(&search->hammersley);
    free(search->asked);
    free(search->code);
    free(search->drawn);
    free(search->told);
    free(search->losses);
}

static enum status prepare_methods(struct search *search, struct error *error)
{
    const struct search_problem *problem = &search->problem;
    const int d = problem->n_dimensions, n_methods = problem->budget < LEAST_FOR_ALL ? 1 : N_METHODS;
    const int64_t size = (problem->budget + n_methods - 1) / n_methods;
    struct draws draws = draws_begin(problem->key, 0);
    TRY(bins_prepare(&search->bins, problem->n_points, error));
    TRY(cma_es_prepare(&search->es, d, false, error));
    TRY(differential_evolution_prepare(&search->evolution, d, &search->bins, true, error));
    return hammersley_prepare(&search->hammersley, d, problem->n_points, size, &draws, error);
}

static enum status portfolio_prepare(const struct search_method *method, struct search *search,
                                     const void *settings, struct error *error)
{
    (void)method;
    (void)settings;
    TRY(prepare_methods(search, error));
    const size_t d = (size_t)search->problem.n_dimensions, population = (size_t)search->es.population;
    TRY(MEMORY_ALLOCATE(search->asked, d, error));
    TRY(MEMORY_ALLOCATE(search->code, d, error));
    TRY(MEMORY_ALLOCATE(search->drawn, population * d, error));
    TRY(MEMORY_ALLOCATE(search->told, population * d, error));
    search->n_given = search->es.population;
    return MEMORY_ALLOCATE(search->losses, population, error);
}

/* ---- Asking ---- */

static void to_centres(const struct search *search, const int32_t *code, double *values)
{
    for (int i = 0; i < search->problem.n_dimensions; i++)
        values[i] = search->bins.centres[code[i]];
}

static void ask_cma(struct search *search, struct draws *draws)
{
    const int d = search->problem.n_dimensions;
    if (search->n_given == search->es.population) {
        if (cma_es_has_converged(&search->es))
            cma_es_restart(&search->es);
        cma_es_sample(&search->es, draws, search->drawn);
        search->n_given = 0;
        search->has_learned = false;
    }
    const double *drawn = search->drawn + (ptrdiff_t)search->n_given++ * d;
    for (int i = 0; i < d; i++)
        search->code[i] = bins_index(&search->bins, drawn[i]);
    to_centres(search, search->code, search->asked);
}

static void ask_evolution(struct search *search, struct draws *draws)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    differential_evolution_ask(&search->evolution, draws);
    memcpy(search->code, search->evolution.code, d * sizeof *search->code);
    memcpy(search->asked, search->evolution.child, d * sizeof *search->asked);
}

static void portfolio_ask(struct search *search, int32_t *codes)
{
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    const bool has_all = search->problem.budget >= LEAST_FOR_ALL;
    search->turn = has_all ? (enum turn)((search->step - 1) % N_METHODS) : TURN_HAMMERSLEY;
    if (search->turn == TURN_CMA) {
        ask_cma(search, &draws);
    } else if (search->turn == TURN_EVOLUTION) {
        ask_evolution(search, &draws);
    } else {
        hammersley_next(&search->hammersley, search->code);
        to_centres(search, search->code, search->asked);
    }
    memcpy(codes, search->code, (size_t)search->problem.n_dimensions * sizeof *codes);
}

/* ---- Learning ---- */

static void tell_cma(struct search *search, double loss)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    memcpy(search->told + (size_t)search->n_told * d, search->asked, d * sizeof *search->told);
    search->losses[search->n_told++] = loss;
    if (search->n_told < search->es.population)
        return;
    search->n_told = 0;
    if (search->has_learned)
        return;
    cma_es_learn(&search->es, search->told, search->losses);
    search->has_learned = true;
}

static void portfolio_tell(struct search *search, const float *scores)
{
    const double loss = ranking_loss(scores[0]);
    tell_cma(search, loss);
    if (search->turn == TURN_EVOLUTION)
        differential_evolution_tell(&search->evolution, loss);
    else
        differential_evolution_inform(&search->evolution, search->code, loss);
}

static void portfolio_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    for (int i = 0; i < n_codes; i++, codes += search->problem.n_dimensions) {
        const double loss = ranking_loss(scores[i]);
        to_centres(search, codes, search->asked);
        cma_es_offer(&search->es, search->asked, loss);
        differential_evolution_inform(&search->evolution, codes, loss);
    }
}

const struct search_method search_portfolio = {
    .name = "portfolio",
    .summary = "CMA-ES, differential evolution and Hammersley points in turn (Nevergrad 1.0.12, Portfolio)",
    .keys = portfolio_keys,
    .search_size = sizeof(struct search),
    .prepare = portfolio_prepare,
    .batch = portfolio_batch,
    .ask = portfolio_ask,
    .tell = portfolio_tell,
    .inform = portfolio_inform,
    .release = portfolio_release,
};
