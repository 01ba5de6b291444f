/* SPDX-License-Identifier: MIT */
#include "tensor_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "random.h"

/* Below these a quotient says nothing but rounding. A sampled index has a probability above 2^-33 = 1.2e-10.
 */
static const float SMALLEST_LENGTH = 1e-15F;
static const double SMALLEST_TOTAL = 1e-8;
static const double SMALLEST_PROBABILITY = 1e-10;

static size_t core_size(const struct tensor_train *train)
{
    return (size_t)train->rank * (size_t)train->rank;
}

static const float *core_at(const struct tensor_train *train, int mode, int index)
{
    return train->cores + ((size_t)mode * (size_t)train->mode_size + (size_t)index) * core_size(train);
}

/* Of an array [n_modes][mode_size][rank]. */
static size_t vector_offset(const struct tensor_train *train, int mode, int index)
{
    return ((size_t)mode * (size_t)train->mode_size + (size_t)index) * (size_t)train->rank;
}

size_t tensor_train_n_parameters(const struct tensor_train *train)
{
    return (size_t)train->n_modes * (size_t)train->mode_size * core_size(train);
}

enum status tensor_train_prepare(struct tensor_train *train, int n_modes, int mode_size, int rank,
                                 int n_samples, struct error *error)
{
    *train = (struct tensor_train){
        .n_modes = n_modes, .mode_size = mode_size, .rank = rank, .n_samples = n_samples};
    size_t modes = (size_t)n_modes, width = (size_t)rank;
    size_t n_vectors = (size_t)(n_samples > n_modes + 1 ? n_samples : n_modes + 1);
    TRY(MEMORY_ALLOCATE(train->cores, tensor_train_n_parameters(train), error));
    TRY(MEMORY_ALLOCATE(train->right, (modes + 1) * width, error));
    TRY(MEMORY_ALLOCATE(train->right_norm, modes, error));
    TRY(MEMORY_ALLOCATE(train->towards, vector_offset(train, n_modes, 0), error));
    TRY(MEMORY_ALLOCATE(train->weight, (size_t)mode_size, error));
    TRY(MEMORY_ALLOCATE(train->left, n_vectors * width, error));
    TRY(MEMORY_ALLOCATE(train->left_norm, modes, error));
    TRY(MEMORY_ALLOCATE(train->towards_gradient, vector_offset(train, n_modes, 0), error));
    TRY(MEMORY_ALLOCATE(train->vector, 3 * width, error));
    train->right[modes * width] = 1.0F;
    return STATUS_OK;
}

void tensor_train_release(struct tensor_train *train)
{
    free(train->cores);
    free(train->right);
    free(train->right_norm);
    free(train->towards);
    free(train->weight);
    free(train->left);
    free(train->left_norm);
    free(train->towards_gradient);
    free(train->vector);
}

void tensor_train_randomise(struct tensor_train *train, struct draws *draws)
{
    float *element = train->cores;
    for (int mode = 0; mode < train->n_modes; mode++) {
        int n_rows = mode == 0 ? 1 : train->rank;
        int n_columns = mode == train->n_modes - 1 ? 1 : train->rank;
        for (int index = 0; index < train->mode_size; index++) {
            for (int row = 0; row < train->rank; row++) {
                for (int column = 0; column < train->rank; column++, element++)
                    *element =
                        row < n_rows && column < n_columns ? (float)random_uniform(draws_word(draws)) : 0;
            }
        }
    }
}

/* ---- Small vectors ---- */

/*
 * Every preset has rank 5. With the rank a constant the compiler unrolls these short loops and a search is
 * twice as fast, so the functions below take it as an argument and are inlined twice.
 */
enum { USUAL_RANK = 5 };
#define INLINE static inline __attribute__((always_inline))

INLINE float dot(const float *a, const float *b, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y = matrix x */
INLINE void multiply(float *y, const float *matrix, const float *x, int n)
{
    for (int row = 0; row < n; row++)
        y[row] = dot(matrix + (ptrdiff_t)row * n, x, n);
}

/* y = x matrix */
INLINE void multiply_from_left(float *y, const float *x, const float *matrix, int n)
{
    for (int column = 0; column < n; column++)
        y[column] = x[0] * matrix[column];
    for (int row = 1; row < n; row++) {
        for (int column = 0; column < n; column++)
            y[column] += x[row] * matrix[(ptrdiff_t)row * n + column];
    }
}

INLINE void add_multiple(float *y, float factor, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += factor * x[i];
}

/* matrix += factor x y^T */
INLINE void add_outer(float *matrix, float factor, const float *x, const float *y, int n)
{
    for (int row = 0; row < n; row++)
        add_multiple(matrix + (ptrdiff_t)row * n, factor * x[row], y, n);
}

/* Make a unit vector; returns the former length, or 0 where there was none and (1, 0, ...) stands in. */
INLINE float normalise(float *vector, int n)
{
    float length = sqrtf(dot(vector, vector, n));
    if (!(length > SMALLEST_LENGTH && length <= 1 / SMALLEST_LENGTH)) {
        memset(vector, 0, (size_t)n * sizeof *vector);
        vector[0] = 1;
        return 0;
    }
    float scale = 1 / length;
    for (int i = 0; i < n; i++)
        vector[i] *= scale;
    return length;
}

/* Turn the gradient by a unit vector into the gradient by the vector of that length it was made from. */
INLINE void normalise_gradient(float *gradient, const float *unit, float length, int n)
{
    float along = dot(gradient, unit, n);
    float scale = length > 0 ? 1 / length : 0;
    for (int i = 0; i < n; i++)
        gradient[i] = (gradient[i] - along * unit[i]) * scale;
}

/* ---- Probabilities ---- */

INLINE void update(struct tensor_train *train, int rank)
{
    for (int mode = train->n_modes - 1; mode >= 0; mode--) {
        float *interface = train->right + (ptrdiff_t)mode * rank;
        memset(interface, 0, (size_t)rank * sizeof *interface);
        for (int index = 0; index < train->mode_size; index++) {
            float *towards = train->towards + vector_offset(train, mode, index);
            multiply(towards, core_at(train, mode, index), interface + rank, rank);
            add_multiple(interface, 1, towards, rank);
        }
        train->right_norm[mode] = normalise(interface, rank);
    }
}

void tensor_train_update(struct tensor_train *train)
{
    if (train->rank == USUAL_RANK)
        update(train, USUAL_RANK);
    else
        update(train, train->rank);
}

/* The first index whose cumulative weight exceeds a uniform share of the total; any index if all are zero. */
static int choose(double *weight, int n, double uniform)
{
    double total = 0;
    for (int i = 0; i < n; i++)
        weight[i] = total += weight[i];
    if (!(total > 0 && total < INFINITY))
        return (int)(uniform * n);
    int chosen = 0;
    for (int i = 0; i < n - 1; i++)
        chosen += weight[i] <= uniform * total;
    return chosen;
}

INLINE void sample_indices(struct tensor_train *train, struct draws *draws, int n_samples, int32_t *indices,
                           int rank)
{
    for (int sample = 0; sample < n_samples; sample++)
        memcpy(train->left + (ptrdiff_t)sample * rank, train->right + (ptrdiff_t)train->n_modes * rank,
               (size_t)rank * sizeof *train->left);
    /* The samples of a mode are independent of each other, so a processor can overlap them. */
    for (int mode = 0; mode < train->n_modes; mode++) {
        for (int sample = 0; sample < n_samples; sample++) {
            float *left = train->left + (ptrdiff_t)sample * rank;
            for (int index = 0; index < train->mode_size; index++)
                train->weight[index] =
                    fabsf(dot(left, train->towards + vector_offset(train, mode, index), rank));
            int chosen = choose(train->weight, train->mode_size, random_uniform(draws_word(draws)));
            indices[(ptrdiff_t)sample * train->n_modes + mode] = chosen;
            multiply_from_left(train->vector, left, core_at(train, mode, chosen), rank);
            memcpy(left, train->vector, (size_t)rank * sizeof *left);
            normalise(left, rank);
        }
    }
}

void tensor_train_sample(struct tensor_train *train, struct draws *draws, int n_samples, int32_t *indices)
{
    if (train->rank == USUAL_RANK)
        sample_indices(train, draws, n_samples, indices, USUAL_RANK);
    else
        sample_indices(train, draws, n_samples, indices, train->rank);
}

/* ---- Gradient ---- */

INLINE void sweep_right(struct tensor_train *train, const int32_t *indices, int rank)
{
    memcpy(train->left, train->right + (ptrdiff_t)train->n_modes * rank, (size_t)rank * sizeof *train->left);
    for (int mode = 0; mode < train->n_modes; mode++) {
        float *left = train->left + (ptrdiff_t)mode * rank;
        multiply_from_left(left + rank, left, core_at(train, mode, indices[mode]), rank);
        train->left_norm[mode] = normalise(left + rank, rank);
    }
}

/*
 * The log-probability of one mode is log |w_chosen| - log sum_i |w_i| with w_i = left . towards_i: add its
 * gradient by w_i, times `share`, to those by the towards_i and by left.
 */
INLINE void add_mode_gradient(struct tensor_train *train, int mode, int chosen, float share,
                              float *left_gradient, int rank)
{
    const float *left = train->left + (ptrdiff_t)mode * rank;
    double total = 0;
    for (int index = 0; index < train->mode_size; index++) {
        train->weight[index] = dot(left, train->towards + vector_offset(train, mode, index), rank);
        total += fabs(train->weight[index]);
    }
    if (!(total > SMALLEST_TOTAL && total < 1 / SMALLEST_TOTAL))
        return;
    for (int index = 0; index < train->mode_size; index++) {
        double weight = train->weight[index];
        double slope = weight == 0 ? 0 : -copysign(1 / total, weight);
        if (index == chosen)
            slope += copysign(1 / fmax(fabs(weight), SMALLEST_PROBABILITY * total), weight);
        size_t offset = vector_offset(train, mode, index);
        add_multiple(train->towards_gradient + offset, share * (float)slope, left, rank);
        add_multiple(left_gradient, share * (float)slope, train->towards + offset, rank);
    }
}

/* One sample, from the last mode to the first: through its left vectors. */
INLINE void sweep_left(struct tensor_train *train, const int32_t *indices, float share, float *gradient,
                       int rank)
{
    float *product_gradient = train->vector, *left_gradient = train->vector + rank;
    memset(left_gradient, 0, (size_t)rank * sizeof *left_gradient);
    for (int mode = train->n_modes - 1; mode >= 0; mode--) {
        const float *left = train->left + (ptrdiff_t)mode * rank;
        const float *core = core_at(train, mode, indices[mode]);
        memcpy(product_gradient, left_gradient, (size_t)rank * sizeof *left_gradient);
        normalise_gradient(product_gradient, left + rank, train->left_norm[mode], rank);
        add_outer(gradient + (core - train->cores), 1, left, product_gradient, rank);
        multiply(left_gradient, core, product_gradient, rank);
        add_mode_gradient(train, mode, indices[mode], share, left_gradient, rank);
    }
}

/* All samples, from the first mode to the last: through the interfaces. */
INLINE void sweep_interfaces(struct tensor_train *train, float *gradient, int rank)
{
    float *sum_gradient = train->vector, *next = train->vector + rank;
    memset(sum_gradient, 0, (size_t)rank * sizeof *sum_gradient);
    for (int mode = 0; mode < train->n_modes; mode++) {
        const float *interface = train->right + (ptrdiff_t)mode * rank;
        normalise_gradient(sum_gradient, interface, train->right_norm[mode], rank);
        memset(next, 0, (size_t)rank * sizeof *next);
        for (int index = 0; index < train->mode_size; index++) {
            float *towards_gradient = train->towards_gradient + vector_offset(train, mode, index);
            const float *core = core_at(train, mode, index);
            add_multiple(towards_gradient, 1, sum_gradient, rank);
            add_outer(gradient + (core - train->cores), 1, towards_gradient, interface + rank, rank);
            for (int row = 0; row < rank; row++)
                add_multiple(next, towards_gradient[row], core + (ptrdiff_t)row * rank, rank);
        }
        memcpy(sum_gradient, next, (size_t)rank * sizeof *next);
    }
}

INLINE void sum_gradients(struct tensor_train *train, const int32_t *indices, int n_samples, float *gradient,
                          int rank)
{
    for (int sample = 0; sample < n_samples; sample++) {
        const int32_t *chosen = indices + (ptrdiff_t)sample * train->n_modes;
        sweep_right(train, chosen, rank);
        sweep_left(train, chosen, 1.0F / (float)n_samples, gradient, rank);
    }
    sweep_interfaces(train, gradient, rank);
}

void tensor_train_gradient(struct tensor_train *train, const int32_t *indices, int n_samples, float *gradient)
{
    size_t n_parameters = tensor_train_n_parameters(train);
    memset(gradient, 0, n_parameters * sizeof *gradient);
    memset(train->towards_gradient, 0,
           vector_offset(train, train->n_modes, 0) * sizeof *train->towards_gradient);
    if (train->rank == USUAL_RANK)
        sum_gradients(train, indices, n_samples, gradient, USUAL_RANK);
    else
        sum_gradients(train, indices, n_samples, gradient, train->rank);
    for (size_t i = 0; i < n_parameters; i++)
        gradient[i] = fabsf(gradient[i]) < 1e18F ? gradient[i] : 0; /* its square must be finite too */
}
