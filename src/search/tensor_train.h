/* SPDX-License-Identifier: MIT */
/**
 * A probability over multi-indices as a tensor train: the model that PROTES samples from and fits.
 *
 * Source: PROTES (Batsheva et al. 2023, arXiv 2301.12162), as the package protes 0.3.12 computes it. Core k
 * is a matrix [rank][rank] for every index i of mode k. Conditional sampling goes from the first mode to the
 * last: the weight of index i is |left . core_k[i] . right_k+1|, where `left` is the unit vector of the
 * product of the cores chosen so far and `right_k+1`, the interface, the unit vector of the product of all
 * later cores, each summed over its indices. Single precision, as there.
 *
 * All cores have the same shape: in the first only row 0, in the last only column 0 is not zero, and the
 * outer vectors are (1, 0, ...). Gradients there are zero, so an optimiser that starts at rest keeps them.
 */
#ifndef MEICENSUS_SEARCH_TENSOR_TRAIN_H
#define MEICENSUS_SEARCH_TENSOR_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "draws.h"
#include "status.h"

enum { TENSOR_TRAIN_LARGEST_RANK = 256 };

struct tensor_train {
    int n_modes, mode_size, rank;
    int n_samples; /**< most samples a call may have */
    float *cores;  /**< [n_modes][mode_size][rank][rank] */

    /* Kept by tensor_train_update. */
    float *right; /**< [n_modes + 1][rank]: interfaces, unit vectors; the last is (1, 0, ...) */
    float
        *right_norm; /**< [n_modes]: length of each before it was made a unit vector; 0: none could be made */
    float *towards;  /**< [n_modes][mode_size][rank]: core[i] times the interface to its right */

    /* Working memory. */
    double *weight;          /**< [mode_size] of one mode */
    float *product;          /**< [mode_size] */
    float *transposed;       /**< [rank][mode_size] of one mode */
    float *left;             /**< sampling: [n_samples][rank]; gradient: [n_modes + 1][rank] */
    float *left_norm;        /**< [n_modes] */
    float *towards_gradient; /**< [n_modes][mode_size][rank] */
};

/** Elements of `cores`. */
size_t tensor_train_n_parameters(const struct tensor_train *train);

/** A train with all cores zero, of a rank up to TENSOR_TRAIN_LARGEST_RANK. Free with tensor_train_release,
 * also after an error. */
enum status tensor_train_prepare(struct tensor_train *train, int n_modes, int mode_size, int rank,
                                 int n_samples, struct error *error);
void tensor_train_release(struct tensor_train *train);

/** Fill the cores with U(0,1). */
void tensor_train_randomise(struct tensor_train *train, struct draws *draws);

/** Compute what is derived from the cores; call it after every change to them. */
void tensor_train_update(struct tensor_train *train);

/** Draw n_samples multi-indices [n_samples][n_modes], each in 0..mode_size-1. */
void tensor_train_sample(struct tensor_train *train, struct draws *draws, int n_samples, int32_t *indices);

/**
 * The gradient [n_modes][mode_size][rank][rank] of the mean log-likelihood of indices [n_samples][n_modes] by
 * the cores, through the weights, the left vectors and the interfaces.
 *
 * Always finite: a mode whose weights are all (nearly) zero, or whose vector has no length, adds nothing.
 */
void tensor_train_gradient(struct tensor_train *train, const int32_t *indices, int n_samples,
                           float *gradient);

#endif
