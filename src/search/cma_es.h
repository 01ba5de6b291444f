/* SPDX-License-Identifier: MIT */
/**
 * Evolution strategy with covariance matrix adaptation: active (negative weights), cumulative step size, of a
 * full or of a diagonal covariance.
 *
 * Source: pycma 4.5.0, `CMAEvolutionStrategy` with its default options and `CMA_diagonal` False or True, as
 * Nevergrad 1.0.12 uses it in a bounded space: sigma starts at 0.3, from 18 dimensions on at 0.15; points
 * that are told need not be those that were sampled, and are then moved to the mean until they are not
 * farther than sampled ones can be; the covariance is decomposed again once it can have changed by a tenth
 * in one of its axes. Unlike there, the covariance has a Cholesky factor in the place of its symmetric root
 * (which turns the path of sigma a little whenever the covariance changes: a few per cent of its length, and
 * no difference in what is found), of equal losses the earlier comes first, and what takes 500 or more
 * generations to notice does not stop it (stagnation).
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

    double first_sigma;
    double lowest_loss; /**< ever seen */
    double *start;      /**< [n], where the mean is at first and after a restart */
    int generation;     /**< told so far, since the start or the last restart */
    double sigma;
    double *mean, *path, *sigma_path; /**< [n] */
    double *covariance;               /**< [n][n], from the diagonal on; NULL if diagonal */
    double *factor;      /**< its Cholesky factor, transposed, likewise; maybe some updates old */
    double factor_lasts; /**< updates until it has to be computed again */
    int factor_age;      /**< updates since it was computed */
    double *scaling;     /**< [n], standard deviations; NULL if full */
    int n_flat;          /**< generations in a row without a difference */
    double *history;     /**< [n_history], best losses, the newest first */
    int n_history, history_capacity;
    double least_loss, largest_loss; /**< of the last generation */
    double *rest_mean;               /**< [n], where the mean has hardly moved from */
    int rest_since;                  /**< the generation that it came there */
    bool is_wide;                    /**< its deviation has grown a thousandfold */

    double *points;  /**< [population][n], working memory: told points less the old mean, over sigma */
    double *lengths; /**< [population], theirs by the covariance */
    double *shift, *rest, *whitened; /**< [n] */
    struct ranked *order;            /**< [population] */
};

/** Points of a generation in n dimensions: 4 + floor(3 ln n). */
int cma_es_population(int n);

/** At mean 0, covariance 1. Free with cma_es_release, also after an error. */
enum status cma_es_prepare(struct cma_es *es, int n, bool is_diagonal, struct error *error);
void cma_es_release(struct cma_es *es);

/** Back to the start. */
void cma_es_restart(struct cma_es *es);

/** A point [n] from elsewhere: if its loss is lower than all before, the mean moves there, and it is the
 * start of all restarts. */
void cma_es_offer(struct cma_es *es, const double *point, double loss);

/** The points of a generation, values [population][n]. */
void cma_es_sample(const struct cma_es *es, struct draws *draws, double *values);

/** Learn from points [population][n], sampled or not, and their losses [population], all finite. */
void cma_es_learn(struct cma_es *es, const double *values, const double *losses);

/** Nothing more to learn: losses without differences, or steps that grew a thousandfold. */
bool cma_es_has_converged(const struct cma_es *es);

#endif
