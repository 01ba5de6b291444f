/* SPDX-License-Identifier: MIT */
/**
 * Evolution strategy with covariance matrix adaptation: active (negative weights), cumulative step size, of a
 * full or of a diagonal covariance.
 *
 * Source: pycma 4.5.0, `CMAEvolutionStrategy` with its default options and `CMA_diagonal` False or True, as
 * Nevergrad 1.0.12 uses it: points that are told need not be those that were sampled, and are then moved to
 * the mean until they are not farther than sampled ones can be. Unlike there, the covariance has a Cholesky
 * factor in the place of its symmetric root (a rotation of the paths that no score sees), and stagnation over
 * thousands of generations does not stop it.
 */
#ifndef MEICENSUS_SEARCH_CMA_ES_H
#define MEICENSUS_SEARCH_CMA_ES_H

#include <stdbool.h>

#include "draws.h"
#include "ranking.h"
#include "status.h"

struct cma_es {
    int n, population, n_parents;
    bool is_diagonal;
    double *weights;                         /**< [population], of the points from the best on */
    double parents_effective;                /**< mu_eff */
    double path_rate, rank_one, rank_mu;     /**< c_c, c_1, c_mu */
    double sigma_rate, damping, mean_length; /**< c_sigma, d_sigma, E|N(0, I)| */

    int generation; /**< told so far, since the start or the last restart */
    double sigma;
    double *mean, *path, *sigma_path; /**< [n] */
    double *covariance, *factor;      /**< [n][n], the latter lower triangular; NULL if diagonal */
    double *scaling;                  /**< [n], standard deviations; NULL if full */
    int n_flat;                       /**< generations in a row without a difference */
    double *history;                  /**< [n_history], best losses, the newest first */
    int n_history, history_capacity;
    double least_loss, largest_loss; /**< of the last generation */
    bool is_wide;                    /**< its deviation has grown a thousandfold */

    double *points; /**< [population][n], working memory: told points less the old mean, over sigma */
    double *shift, *whitened; /**< [n] */
    struct ranked *order;     /**< [population] */
};

/** Points of a generation in n dimensions: 4 + floor(3 ln n). */
int cma_es_population(int n);

/** At mean 0, sigma 1, covariance 1. Free with cma_es_release, also after an error. */
enum status cma_es_prepare(struct cma_es *es, int n, bool is_diagonal, struct error *error);
void cma_es_release(struct cma_es *es);

/** Back to the start. */
void cma_es_restart(struct cma_es *es);

/** The points of a generation, values [population][n]. */
void cma_es_sample(const struct cma_es *es, struct draws *draws, double *values);

/** Learn from points [population][n], sampled or not, and their losses [population], all finite. */
void cma_es_learn(struct cma_es *es, const double *values, const double *losses);

/** Nothing more to learn: losses without differences, or steps that grew a thousandfold. */
bool cma_es_has_converged(const struct cma_es *es);

#endif
