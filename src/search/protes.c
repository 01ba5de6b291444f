/* SPDX-License-Identifier: MIT */
/**
 * PROTES: probabilistic optimisation with tensor sampling; the methods tt, tt_s, tt_b, tt_exp and tt_plain.
 *
 * A code is a multi-index of a tensor train (tensor_train.h). Quantised methods write an index of n = 2^q
 * points as q binary modes, least significant bit first, dimension after dimension; tt_plain has one mode of
 * n points a dimension. Each step samples `batch` codes, takes the `top` best and moves the cores up the
 * gradient of their mean log-likelihood, `gradient_steps` times, with Adam. Among equal scores the code asked
 * later is the better one (a plateau keeps moving).
 *
 * Codes that were not asked are learned the same way, the best `top` of them, in INFORMING_STEPS steps: from
 * a fresh train about 97 of 100 digits of what is sampled then are those of a single code told, near enough
 * not to lose it and far enough to vary it (5 steps: 75, 60 steps: 99.4).
 *
 * Source: Batsheva et al. 2023 (arXiv 2301.12162), as the package protes 0.3.12 does it with is_max: cores
 * start as U(0,1), Adam as optax has it (0.9, 0.999, 1e-8). The presets tt (k = 10, top 1), tt_s, tt_b,
 * tt_exp are those of MANGO (Pospelov et al., arXiv 2401.10748).
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "ranking.h"
#include "tensor_train.h"

struct protes_settings {
    long long batch, top, rank, gradient_steps;
    double learning_rate;
};

/* optax.adam: first and second moment of the gradient, corrected for their start at zero. */
struct adam {
    double decay_1_power, decay_2_power; /* decay^t after t steps */
    float *moment_1, *moment_2;
};

struct search {
    struct search_problem problem;
    struct protes_settings settings;
    int bits; /* binary modes a dimension; 0: one mode of n_points */
    uint32_t step;
    struct tensor_train train;
    struct adam adam;
    float *gradient;
    int32_t *indices;      /* [batch][n_modes], as last asked */
    int32_t *best_indices; /* [top][n_modes] */
    struct ranked *ranked; /* [batch] */
};

enum { INFORMING_STEPS = 25 };

static const double DECAY_1 = 0.9, DECAY_2 = 0.999;

static const float ADAM_EPSILON = 1e-8F;

static int protes_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    return (int)((const struct protes_settings *)settings)->batch;
}

static void protes_release(struct search *search)
{
    tensor_train_release(&search->train);
    free(search->adam.moment_1);
    free(search->adam.moment_2);
    free(search->gradient);
    free(search->indices);
    free(search->best_indices);
    free(search->ranked);
}

static enum status protes_allocate(struct search *search, struct error *error)
{
    const struct protes_settings *settings = &search->settings;
    int modes_per_dimension = search->bits > 0 ? search->bits : 1;
    int mode_size = search->bits > 0 ? 2 : search->problem.n_points;
    int n_modes;
    if (__builtin_mul_overflow(search->problem.n_dimensions, modes_per_dimension, &n_modes))
        return error_set(error, STATUS_BAD_INPUT, "%d dimensions of %d binary modes are too many to search",
                         search->problem.n_dimensions, modes_per_dimension);
    TRY(tensor_train_prepare(&search->train, n_modes, mode_size, (int)settings->rank, (int)settings->batch,
                             error));
    size_t n_parameters = tensor_train_n_parameters(&search->train);
    TRY(MEMORY_ALLOCATE(search->adam.moment_1, n_parameters, error));
    TRY(MEMORY_ALLOCATE(search->adam.moment_2, n_parameters, error));
    TRY(MEMORY_ALLOCATE(search->gradient, n_parameters, error));
    TRY(MEMORY_ALLOCATE(search->indices, (size_t)settings->batch * (size_t)n_modes, error));
    TRY(MEMORY_ALLOCATE(search->best_indices, (size_t)settings->top * (size_t)n_modes, error));
    return MEMORY_ALLOCATE(search->ranked, (size_t)settings->batch, error);
}

static enum status protes_prepare(const struct search_method *method, struct search *search,
                                  const void *settings, struct error *error)
{
    search->settings = *(const struct protes_settings *)settings;
    if (search->settings.top > search->settings.batch)
        return error_set(error, STATUS_BAD_INPUT,
                         "method %s: top is %lld, but a batch has %lld codes only; "
                         "make top smaller or batch larger",
                         method->name, search->settings.top, search->settings.batch);
    search->bits = method->needs_power_of_two ? search_problem_digits(&search->problem) : 0;
    search->adam.decay_1_power = search->adam.decay_2_power = 1;
    TRY(protes_allocate(search, error));
    struct draws draws = draws_begin(search->problem.key, 0);
    tensor_train_randomise(&search->train, &draws);
    tensor_train_update(&search->train);
    return STATUS_OK;
}

/* Indices of modes to a code: binary digits, least significant first, or the index itself. */
static void read_code(const struct search *search, const int32_t *indices, int32_t *code)
{
    int bits = search->bits;
    for (int dimension = 0; dimension < search->problem.n_dimensions; dimension++) {
        code[dimension] = bits > 0 ? 0 : indices[dimension];
        for (int bit = 0; bit < bits; bit++)
            code[dimension] |= indices[(ptrdiff_t)dimension * bits + bit] << bit;
    }
}

static void protes_ask(struct search *search, int32_t *codes)
{
    int batch = (int)search->settings.batch;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    tensor_train_sample(&search->train, &draws, batch, search->indices);
    for (int i = 0; i < batch; i++)
        read_code(search, search->indices + (ptrdiff_t)i * search->train.n_modes,
                  codes + (ptrdiff_t)i * search->problem.n_dimensions);
}

/* Best first; the later asked is the better of two equal ones. */
static int compare_ranked(const void *first, const void *second)
{
    const struct ranked *a = first, *b = second;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return b->place - a->place;
}

static void select_best(struct search *search, const float *scores)
{
    int batch = (int)search->settings.batch;
    int n_modes = search->train.n_modes;
    for (int i = 0; i < batch; i++)
        search->ranked[i] = (struct ranked){isnan(scores[i]) ? -INFINITY : (double)scores[i], i};
    qsort(search->ranked, (size_t)batch, sizeof *search->ranked, compare_ranked);
    for (int i = 0; i < search->settings.top; i++)
        memcpy(search->best_indices + (ptrdiff_t)i * n_modes,
               search->indices + (ptrdiff_t)search->ranked[i].place * n_modes,
               (size_t)n_modes * sizeof *search->indices);
}

/* One step up the gradient. */
static void adam_step(struct adam *adam, const float *restrict gradient, float *restrict parameters, size_t n,
                      double learning_rate)
{
    adam->decay_1_power *= DECAY_1;
    adam->decay_2_power *= DECAY_2;
    const float decay_1 = (float)DECAY_1, decay_2 = (float)DECAY_2;
    const float new_1 = (float)(1 - DECAY_1), new_2 = (float)(1 - DECAY_2);
    const float rate = (float)(learning_rate / (1 - adam->decay_1_power));
    const float correction_2 = (float)(1 / (1 - adam->decay_2_power));
    float *restrict moment_1 = adam->moment_1, *restrict moment_2 = adam->moment_2;
    for (size_t i = 0; i < n; i++) {
        moment_1[i] = decay_1 * moment_1[i] + new_1 * gradient[i];
        moment_2[i] = decay_2 * moment_2[i] + new_2 * (gradient[i] * gradient[i]);
        parameters[i] += rate * moment_1[i] / (sqrtf(moment_2[i] * correction_2) + ADAM_EPSILON);
    }
}

/* One step towards the first n of best_indices. */
static void learn_best(struct search *search, int n)
{
    tensor_train_gradient(&search->train, search->best_indices, n, search->gradient);
    adam_step(&search->adam, search->gradient, search->train.cores, tensor_train_n_parameters(&search->train),
              search->settings.learning_rate);
    tensor_train_update(&search->train);
}

static void protes_tell(struct search *search, const float *scores)
{
    select_best(search, scores);
    for (int i = 0; i < search->settings.gradient_steps; i++)
        learn_best(search, (int)search->settings.top);
}

/* The indices of modes of a code. */
static void write_indices(const struct search *search, const int32_t *code, int32_t *indices)
{
    int bits = search->bits;
    for (int dimension = 0; dimension < search->problem.n_dimensions; dimension++) {
        if (bits == 0)
            indices[dimension] = code[dimension];
        for (int bit = 0; bit < bits; bit++)
            indices[(ptrdiff_t)dimension * bits + bit] = code[dimension] >> bit & 1;
    }
}

static void protes_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    const int n = ranking_best(scores, n_codes, (int)search->settings.top, search->ranked);
    for (int i = 0; i < n; i++)
        write_indices(search, codes + (ptrdiff_t)search->ranked[i].place * search->problem.n_dimensions,
                      search->best_indices + (ptrdiff_t)i * search->train.n_modes);
    for (int i = 0; n > 0 && i < INFORMING_STEPS; i++)
        learn_best(search, n);
}

#define PROTES_KEYS(batch_default, top_default, learning_rate_default)                                       \
    {                                                                                                        \
        {"batch",   KEY_INTEGER, offsetof(struct protes_settings, batch), 1, 10000, batch_default,           \
         "queries", NULL,        "codes that are sampled at once (k)"},                                      \
            {"top",     KEY_INTEGER, offsetof(struct protes_settings, top),                                  \
             1,         10000,       top_default,                                                            \
             "queries", NULL,        "best codes of a batch that are learned from, at most batch"},          \
            {"learning_rate",                                                                                \
             KEY_REAL,                                                                                       \
             offsetof(struct protes_settings, learning_rate),                                                \
             1e-9,                                                                                           \
             1e3,                                                                                            \
             learning_rate_default,                                                                          \
             "1",                                                                                            \
             NULL,                                                                                           \
             "step size of Adam"},                                                                           \
            {"rank", KEY_INTEGER, offsetof(struct protes_settings, rank),                                    \
             1,      256,         "5",                                                                       \
             "1",    NULL,        "rank of the tensor train"},                                               \
            {"gradient_steps",                                                                               \
             KEY_INTEGER,                                                                                    \
             offsetof(struct protes_settings, gradient_steps),                                               \
             1,                                                                                              \
             1000,                                                                                           \
             "1",                                                                                            \
             "1",                                                                                            \
             NULL,                                                                                           \
             "steps of Adam after every batch (k_gd)"},                                                      \
            {0},                                                                                             \
    }

static const struct key tt_keys[] = PROTES_KEYS("10", "1", "0.05");
static const struct key tt_s_keys[] = PROTES_KEYS("5", "1", "0.05");
static const struct key tt_b_keys[] = PROTES_KEYS("25", "5", "0.05");
static const struct key tt_exp_keys[] = PROTES_KEYS("100", "10", "0.1");

#define PROTES_METHOD(row_name, row_summary, row_keys, quantised)                                            \
    {                                                                                                        \
        .name = (row_name), .summary = (row_summary), .keys = (row_keys),                                    \
        .settings_size = sizeof(struct protes_settings), .needs_power_of_two = (quantised),                  \
        .search_size = sizeof(struct search), .prepare = protes_prepare, .batch = protes_batch,              \
        .ask = protes_ask, .tell = protes_tell, .inform = protes_inform, .release = protes_release,          \
    }

const struct search_method search_tt =
    PROTES_METHOD("tt", "PROTES on binary modes, best 1 of 10 (MANGO, TT)", tt_keys, true);
const struct search_method search_tt_s =
    PROTES_METHOD("tt_s", "PROTES on binary modes, best 1 of 5 (MANGO, TT-s)", tt_s_keys, true);
const struct search_method search_tt_b =
    PROTES_METHOD("tt_b", "PROTES on binary modes, best 5 of 25 (MANGO, TT-b)", tt_b_keys, true);
const struct search_method search_tt_exp = PROTES_METHOD(
    "tt_exp", "PROTES on binary modes, best 10 of 100, learning rate 0.1 (MANGO, TT-exp)", tt_exp_keys, true);
const struct search_method search_tt_plain = PROTES_METHOD(
    "tt_plain", "PROTES on the points themselves, best 1 of 10 (Batsheva et al. 2023)", tt_keys, false);
