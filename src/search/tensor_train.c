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

/*
 * Every preset has rank 5, and all but one have binary modes. With both sizes constants the compiler unrolls
 * these short loops and keeps their vectors in registers: a search is two to three times as fast. So the
 * functions below take the sizes as an argument and are inlined once for each case (WITH_CONSTANT_SIZES).
 */
struct sizes {
    int rank, mode_size;
};

enum { USUAL_RANK = 5, BINARY = 2 };
#define INLINE static inline __attribute__((always_inline))

#define WITH_CONSTANT_SIZES(train, call)                                                                     \
    do {                                                                                                     \
        if ((train)->rank == USUAL_RANK && (train)->mode_size == BINARY) {                                   \
            const struct sizes sizes = {USUAL_RANK, BINARY};                                                 \
            call;                                                                                            \
        } else if ((train)->rank == USUAL_RANK) {                                                            \
            const struct sizes sizes = {USUAL_RANK, (train)->mode_size};                                     \
            call;                                                                                            \
        } else {                                                                                             \
            const struct sizes sizes = {(train)->rank, (train)->mode_size};                                  \
            call;                                                                                            \
        }                                                                                                    \
    } while (0)

INLINE const float *core_at(const struct tensor_train *train, int mode, int index, struct sizes sizes)
{
    return train->cores + ((ptrdiff_t)mode * sizes.mode_size + index) * ((ptrdiff_t)sizes.rank * sizes.rank);
}

/* Of an array [n_modes][mode_size][rank]. */
INLINE ptrdiff_t vector_offset(int mode, int index, struct sizes sizes)
{
    return ((ptrdiff_t)mode * sizes.mode_size + index) * sizes.rank;
}

/* Of an array [n_modes][mode_size][rank]. */
static size_t n_vector_elements(const struct tensor_train *train)
{
    return (size_t)train->n_modes * (size_t)train->mode_size * (size_t)train->rank;
}

size_t tensor_train_n_parameters(const struct tensor_train *train)
{
    return n_vector_elements(train) * (size_t)train->rank;
}

enum status tensor_train_prepare(struct tensor_train *train, int n_modes, int mode_size, int rank,
                                 int n_samples, struct error *error)
{
    *train = (struct tensor_train){
        .n_modes = n_modes, .mode_size = mode_size, .rank = rank, .n_samples = n_samples};
    if (rank > TENSOR_TRAIN_LARGEST_RANK)
        return error_set(error, STATUS_BAD_INPUT, "a tensor train of rank %d is too large: %d is the most",
                         rank, TENSOR_TRAIN_LARGEST_RANK);
    size_t modes = (size_t)n_modes, width = (size_t)rank;
    size_t n_vectors = (size_t)(n_samples > n_modes + 1 ? n_samples : n_modes + 1);
    TRY(MEMORY_ALLOCATE(train->cores, tensor_train_n_parameters(train), error));
    TRY(MEMORY_ALLOCATE(train->right, (modes + 1) * width, error));
    TRY(MEMORY_ALLOCATE(train->right_norm, modes, error));
    TRY(MEMORY_ALLOCATE(train->towards, n_vector_elements(train), error));
    TRY(MEMORY_ALLOCATE(train->weight, (size_t)mode_size, error));
    TRY(MEMORY_ALLOCATE(train->product, (size_t)mode_size, error));
    TRY(MEMORY_ALLOCATE(train->transposed, (size_t)mode_size * width, error));
    TRY(MEMORY_ALLOCATE(train->left, n_vectors * width, error));
    TRY(MEMORY_ALLOCATE(train->left_norm, modes, error));
    TRY(MEMORY_ALLOCATE(train->towards_gradient, n_vector_elements(train), error));
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
    free(train->product);
    free(train->transposed);
    free(train->left);
    free(train->left_norm);
    free(train->towards_gradient);
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

INLINE void update(struct tensor_train *train, struct sizes sizes)
{
    const int rank = sizes.rank;
    for (int mode = train->n_modes - 1; mode >= 0; mode--) {
        float *interface = train->right + (ptrdiff_t)mode * rank;
        memset(interface, 0, (size_t)rank * sizeof *interface);
        for (int index = 0; index < sizes.mode_size; index++) {
            float *towards = train->towards + vector_offset(mode, index, sizes);
            multiply(towards, core_at(train, mode, index, sizes), interface + rank, rank);
            add_multiple(interface, 1, towards, rank);
        }
        train->right_norm[mode] = normalise(interface, rank);
    }
}

void tensor_train_update(struct tensor_train *train)
{
    WITH_CONSTANT_SIZES(train, update(train, sizes));
}

/* The first index whose sum of weights exceeds a uniform share of the total; any index if all are zero. */
INLINE int choose(const double *sums, int n, double uniform)
{
    const double total = sums[n - 1];
    if (!(total > 0 && total < INFINITY))
        return (int)(uniform * n);
    int chosen = 0;
    for (int i = 0; i < n - 1; i++)
        chosen += sums[i] <= uniform * total;
    return chosen;
}

/* Those of one mode as [rank][mode_size], along which a processor can do several indices at once. */
INLINE void transpose_towards(struct tensor_train *train, int mode, struct sizes sizes)
{
    const float *towards = train->towards + vector_offset(mode, 0, sizes);
    for (int index = 0; index < sizes.mode_size; index++)
        for (int row = 0; row < sizes.rank; row++)
            train->transposed[(ptrdiff_t)row * sizes.mode_size + index] = *towards++;
}

/* The sums of the weights |left . towards_i| up to each index. */
INLINE void add_weights(struct tensor_train *train, const float *left, struct sizes sizes)
{
    float *restrict product = train->product;
    for (int index = 0; index < sizes.mode_size; index++)
        product[index] = left[0] * train->transposed[index];
    for (int row = 1; row < sizes.rank; row++)
        for (int index = 0; index < sizes.mode_size; index++)
            product[index] += left[row] * train->transposed[(ptrdiff_t)row * sizes.mode_size + index];
    double total = 0;
    for (int index = 0; index < sizes.mode_size; index++)
        train->weight[index] = total += fabsf(product[index]);
}

INLINE void sample_indices(struct tensor_train *train, struct draws *draws, int n_samples, int32_t *indices,
                           struct sizes sizes)
{
    const int rank = sizes.rank;
    for (int sample = 0; sample < n_samples; sample++)
        memcpy(train->left + (ptrdiff_t)sample * rank, train->right + (ptrdiff_t)train->n_modes * rank,
               (size_t)rank * sizeof *train->left);
    /* The samples of a mode are independent of each other, so a processor can overlap them. */
    for (int mode = 0; mode < train->n_modes; mode++) {
        transpose_towards(train, mode, sizes);
        for (int sample = 0; sample < n_samples; sample++) {
            float *left = train->left + (ptrdiff_t)sample * rank;
            add_weights(train, left, sizes);
            int chosen = choose(train->weight, sizes.mode_size, random_uniform(draws_word(draws)));
            indices[(ptrdiff_t)sample * train->n_modes + mode] = chosen;
            float product[TENSOR_TRAIN_LARGEST_RANK];
            multiply_from_left(product, left, core_at(train, mode, chosen, sizes), rank);
            memcpy(left, product, (size_t)rank * sizeof *left);
            normalise(left, rank);
        }
    }
}

void tensor_train_sample(struct tensor_train *train, struct draws *draws, int n_samples, int32_t *indices)
{
    WITH_CONSTANT_SIZES(train, sample_indices(train, draws, n_samples, indices, sizes));
}

/* ---- Gradient ---- */

INLINE void sweep_right(struct tensor_train *train, const int32_t *indices, struct sizes sizes)
{
    const int rank = sizes.rank;
    memcpy(train->left, train->right + (ptrdiff_t)train->n_modes * rank, (size_t)rank * sizeof *train->left);
    for (int mode = 0; mode < train->n_modes; mode++) {
        float *left = train->left + (ptrdiff_t)mode * rank;
        multiply_from_left(left + rank, left, core_at(train, mode, indices[mode], sizes), rank);
        train->left_norm[mode] = normalise(left + rank, rank);
    }
}

/*
 * The log-probability of one mode is log |w_chosen| - log sum_i |w_i| with w_i = left . towards_i: add its
 * gradient by w_i, times `share`, to those by the towards_i and by left.
 */
INLINE void add_mode_gradient(struct tensor_train *train, int mode, int chosen, float share,
                              float *left_gradient, struct sizes sizes)
{
    const int rank = sizes.rank;
    const float *left = train->left + (ptrdiff_t)mode * rank;
    double total = 0;
    for (int index = 0; index < sizes.mode_size; index++) {
        train->weight[index] = dot(left, train->towards + vector_offset(mode, index, sizes), rank);
        total += fabs(train->weight[index]);
    }
    if (!(total > SMALLEST_TOTAL && total < 1 / SMALLEST_TOTAL))
        return;
    for (int index = 0; index < sizes.mode_size; index++) {
        double weight = train->weight[index];
        double slope = weight == 0 ? 0 : -copysign(1 / total, weight);
        if (index == chosen)
            slope += copysign(1 / fmax(fabs(weight), SMALLEST_PROBABILITY * total), weight);
        const ptrdiff_t offset = vector_offset(mode, index, sizes);
        add_multiple(train->towards_gradient + offset, share * (float)slope, left, rank);
        add_multiple(left_gradient, share * (float)slope, train->towards + offset, rank);
    }
}

/* One sample, from the last mode to the first: through its left vectors. */
INLINE void sweep_left(struct tensor_train *train, const int32_t *indices, float share, float *gradient,
                       struct sizes sizes)
{
    const int rank = sizes.rank;
    float product_gradient[TENSOR_TRAIN_LARGEST_RANK], left_gradient[TENSOR_TRAIN_LARGEST_RANK];
    memset(left_gradient, 0, (size_t)rank * sizeof *left_gradient);
    for (int mode = train->n_modes - 1; mode >= 0; mode--) {
        const float *left = train->left + (ptrdiff_t)mode * rank;
        const float *core = core_at(train, mode, indices[mode], sizes);
        memcpy(product_gradient, left_gradient, (size_t)rank * sizeof *left_gradient);
        normalise_gradient(product_gradient, left + rank, train->left_norm[mode], rank);
        add_outer(gradient + (core - train->cores), 1, left, product_gradient, rank);
        multiply(left_gradient, core, product_gradient, rank);
        add_mode_gradient(train, mode, indices[mode], share, left_gradient, sizes);
    }
}

/* All samples, from the first mode to the last: through the interfaces. */
INLINE void sweep_interfaces(struct tensor_train *train, float *gradient, struct sizes sizes)
{
    const int rank = sizes.rank;
    float sum_gradient[TENSOR_TRAIN_LARGEST_RANK], next[TENSOR_TRAIN_LARGEST_RANK];
    memset(sum_gradient, 0, (size_t)rank * sizeof *sum_gradient);
    for (int mode = 0; mode < train->n_modes; mode++) {
        const float *interface = train->right + (ptrdiff_t)mode * rank;
        normalise_gradient(sum_gradient, interface, train->right_norm[mode], rank);
        memset(next, 0, (size_t)rank * sizeof *next);
        for (int index = 0; index < sizes.mode_size; index++) {
            float *towards_gradient = train->towards_gradient + vector_offset(mode, index, sizes);
            const float *core = core_at(train, mode, index, sizes);
            add_multiple(towards_gradient, 1, sum_gradient, rank);
            add_outer(gradient + (core - train->cores), 1, towards_gradient, interface + rank, rank);
            for (int row = 0; row < rank; row++)
                add_multiple(next, towards_gradient[row], core + (ptrdiff_t)row * rank, rank);
        }
        memcpy(sum_gradient, next, (size_t)rank * sizeof *next);
    }
}

INLINE void sum_gradients(struct tensor_train *train, const int32_t *indices, int n_samples, float *gradient,
                          struct sizes sizes)
{
    for (int sample = 0; sample < n_samples; sample++) {
        const int32_t *chosen = indices + (ptrdiff_t)sample * train->n_modes;
        sweep_right(train, chosen, sizes);
        sweep_left(train, chosen, 1.0F / (float)n_samples, gradient, sizes);
    }
    sweep_interfaces(train, gradient, sizes);
}

void tensor_train_gradient(struct tensor_train *train, const int32_t *indices, int n_samples, float *gradient)
{
    size_t n_parameters = tensor_train_n_parameters(train);
    memset(gradient, 0, n_parameters * sizeof *gradient);
    memset(train->towards_gradient, 0, n_vector_elements(train) * sizeof *train->towards_gradient);
    WITH_CONSTANT_SIZES(train, sum_gradients(train, indices, n_samples, gradient, sizes));
    for (size_t i = 0; i < n_parameters; i++)
        gradient[i] = fabsf(gradient[i]) < 1e18F ? gradient[i] : 0; /* its square must be finite too */
}
