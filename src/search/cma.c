/* SPDX-License-Identifier: MIT */
/**
 * CMA-ES, with a full and with a diagonal covariance (cma_es.h).
 *
 * A code is represented by real numbers, one a dimension, N(0,1) in n equal bins (bins.h); what is proposed
 * is moved to the centres of its bins before anything is learned from it. It starts at 0, and starts again
 * there when nothing is to be learned any more.
 *
 * Source: Nevergrad 1.0.12, `CMA` (on an ordered `TransitionChoice` that is `OldCMA`, which is pycma's
 * `CMAEvolutionStrategy`) and `DiagonalCMA`, with pycma 4.5.0. Codes that were not asked: the package drops
 * them where no generation is waiting for scores (pycma refuses them), and mixes what is left of them into
 * the next; here the mean, and the start with it, moves to the best of them, if it is the best so far.
 */
#include <stdlib.h>

#include "bins.h"
#include "cma_es.h"
#include "memory.h"
#include "methods.h"
#include "ranking.h"

struct search {
    struct search_problem problem;
    struct bins bins;
    struct cma_es es;
    uint32_t step;
    double *values; /* [population][n_dimensions], centres of the bins as last asked */
    double *losses; /* [population] */
};

static const struct key cma_keys[] = {{0}};

static int cma_batch(const void *settings, int n_dimensions)
{
    (void)settings;
    return cma_es_population(n_dimensions);
}

static void cma_release(struct search *search)
{
    bins_release(&search->bins);
    cma_es_release(&search->es);
    free(search->values);
    free(search->losses);
}

static enum status cma_prepare(const struct search_method *method, struct search *search,
                               const void *settings, struct error *error)
{
    (void)settings;
    const bool is_diagonal = method == &search_cma_diagonal;
    TRY(bins_prepare(&search->bins, search->problem.n_points, error));
    TRY(cma_es_prepare(&search->es, search->problem.n_dimensions, is_diagonal, error));
    const size_t population = (size_t)search->es.population;
    TRY(MEMORY_ALLOCATE(search->values, population * (size_t)search->problem.n_dimensions, error));
    return MEMORY_ALLOCATE(search->losses, population, error);
}

static void cma_ask(struct search *search, int32_t *codes)
{
    const size_t n_values = (size_t)search->es.population * (size_t)search->problem.n_dimensions;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    if (cma_es_has_converged(&search->es))
        cma_es_restart(&search->es);
    cma_es_sample(&search->es, &draws, search->values);
    for (size_t i = 0; i < n_values; i++) {
        codes[i] = bins_index(&search->bins, search->values[i]);
        search->values[i] = search->bins.centres[codes[i]];
    }
}

static void cma_tell(struct search *search, const float *scores)
{
    for (int i = 0; i < search->es.population; i++)
        search->losses[i] = ranking_loss(scores[i]);
    cma_es_learn(&search->es, search->values, search->losses);
}

static void cma_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    const int n_dimensions = search->problem.n_dimensions;
    for (int i = 0; i < n_codes; i++, codes += n_dimensions) {
        for (int j = 0; j < n_dimensions; j++)
            search->values[j] = search->bins.centres[codes[j]];
        cma_es_offer(&search->es, search->values, ranking_loss(scores[i]));
    }
}

#define CMA_METHOD(method_name, text)                                                                        \
    {                                                                                                        \
        .name = method_name, .summary = text, .keys = cma_keys, .search_size = sizeof(struct search),        \
        .prepare = cma_prepare, .batch = cma_batch, .ask = cma_ask, .tell = cma_tell, .inform = cma_inform,  \
        .release = cma_release                                                                               \
    }

const struct search_method search_cma = CMA_METHOD("cma", "CMA-ES (Nevergrad 1.0.12, CMA; pycma 4.5.0)");
const struct search_method search_cma_diagonal = CMA_METHOD(
    "cma_diagonal", "CMA-ES with a diagonal covariance (Nevergrad 1.0.12, DiagonalCMA; pycma 4.5.0)");
