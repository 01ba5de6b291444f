/* SPDX-License-Identifier: MIT */
/**
 * Genetic algorithm on the best codes known, whoever asked them: made for censuses whose units share their
 * images, where most of what a unit's search knows was bred for others.
 *
 * The `elite` best codes are kept, each once. As long as fewer are known, uniform random codes are asked. A
 * child takes each index from the first of two parents with probability 1/2, else from the second; or, with
 * probability `blocks`, all from the first but for one run of neighbouring indices, which keeps together what
 * lies side by side in an image. Parents are ranks floor(n u^2), u uniform, so the best are chosen more
 * often. Then every index is moved with probability `mutations` / d, by N(0, mutation_size^2) latent units on
 * a grid, at least one point, and to any row of a codebook; at least one index of a child that is one of the
 * elite is moved.
 *
 * Source: steady-state genetic algorithms (Whitley 1989, GENITOR) with uniform and two-point crossover.
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "random.h"

struct elite_settings {
    long long batch, elite;
    double blocks, mutations, mutation_size;
};

struct search {
    struct search_problem problem;
    struct elite_settings settings;
    uint32_t step;
    int n_known;    /* of the elite */
    float *scores;  /* [elite], falling */
    int32_t *codes; /* [elite][d], in the same order */
    int32_t *asked; /* [batch][d] */
};

#define ELITE_KEY(name, type, low, high, fallback, unit, text)                                               \
    {                                                                                                        \
#name, type, offsetof(struct elite_settings, name), low, high, fallback, unit, NULL, text            \
    }

static const struct key elite_keys[] = {
    ELITE_KEY(batch, KEY_INTEGER, 1, 10000, "4", "queries", "children that are bred at once"),
    ELITE_KEY(elite, KEY_INTEGER, 2, 10000, "8", "queries", "best codes that are kept as parents"),
    ELITE_KEY(blocks, KEY_REAL, 0, 1, "0.5", "1", "share of children that take one block from a parent"),
    ELITE_KEY(mutations, KEY_REAL, 0, 1e6, "1", "indices", "of a child that are moved, on average"),
    ELITE_KEY(mutation_size, KEY_REAL, 1e-9, 1e6, "1", "latent units",
              "standard deviation of a move on a grid"),
    {0},
};

static int elite_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    return (int)((const struct elite_settings *)settings)->batch;
}

static void elite_release(struct search *search)
{
    free(search->scores);
    free(search->codes);
    free(search->asked);
}

static enum status elite_prepare(const struct search_method *method, struct search *search,
                                 const void *settings, struct error *error)
{
    (void)method;
    search->settings = *(const struct elite_settings *)settings;
    const size_t d = (size_t)search->problem.n_dimensions, elite = (size_t)search->settings.elite;
    TRY(MEMORY_ALLOCATE(search->scores, elite, error));
    TRY(MEMORY_ALLOCATE(search->codes, elite * d, error));
    return MEMORY_ALLOCATE(search->asked, (size_t)search->settings.batch * d, error);
}

static int32_t *elite_code(const struct search *search, int rank)
{
    return search->codes + (size_t)rank * (size_t)search->problem.n_dimensions;
}

static bool is_known(const struct search *search, const int32_t *code)
{
    const size_t n_bytes = sizeof *code * (size_t)search->problem.n_dimensions;
    for (int rank = 0; rank < search->n_known; rank++)
        if (memcmp(elite_code(search, rank), code, n_bytes) == 0)
            return true;
    return false;
}

/* ---- children ---- */

static const int32_t *choose_parent(const struct search *search, struct draws *draws)
{
    const double uniform = random_uniform(draws_word(draws));
    return elite_code(search, (int)(search->n_known * uniform * uniform));
}

static void draw_random(const struct search *search, struct draws *draws, int32_t *child)
{
    for (int i = 0; i < search->problem.n_dimensions; i++)
        child[i] = (int32_t)random_below(draws_word(draws), (uint32_t)search->problem.n_points);
}

/** The block may pass the end and go on at the beginning. */
static void cross(const struct search *search, struct draws *draws, int32_t *child)
{
    const int d = search->problem.n_dimensions;
    const int32_t *first = choose_parent(search, draws), *second = choose_parent(search, draws);
    const bool takes_block = random_uniform(draws_word(draws)) < search->settings.blocks;
    const int start = (int)random_below(draws_word(draws), (uint32_t)d);
    const int length = 1 + (int)random_below(draws_word(draws), (uint32_t)d);
    for (int i = 0; i < d; i++) {
        const bool from_second = takes_block ? (i - start + d) % d < length : (draws_word(draws) & 1) != 0;
        child[i] = from_second ? second[i] : first[i];
    }
}

static void move_index(const struct search *search, struct draws *draws, int32_t *index)
{
    const struct search_problem *problem = &search->problem;
    const int most = problem->n_points - 1;
    if (problem->high <= problem->low) {
        *index = (int32_t)random_below(draws_word(draws), (uint32_t)problem->n_points);
        return;
    }
    double normal[2];
    const uint32_t word = draws_word(draws);
    random_normal_pair(word, draws_word(draws), normal);
    const double points = search->settings.mutation_size * normal[0] * most / (problem->high - problem->low);
    const double moved = *index + (points < 0 ? fmin(round(points), -1) : fmax(round(points), 1));
    *index = (int32_t)(moved < 0 ? 0 : moved > most ? most : moved);
}

static void mutate(const struct search *search, struct draws *draws, int32_t *child)
{
    const int d = search->problem.n_dimensions;
    const double share = search->settings.mutations / d;
    for (int i = 0; i < d; i++)
        if (random_uniform(draws_word(draws)) < share)
            move_index(search, draws, &child[i]);
    if (is_known(search, child))
        move_index(search, draws, &child[random_below(draws_word(draws), (uint32_t)d)]);
}

static void elite_ask(struct search *search, int32_t *codes)
{
    const int d = search->problem.n_dimensions, batch = (int)search->settings.batch;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    for (int i = 0; i < batch; i++) {
        int32_t *child = codes + (size_t)i * (size_t)d;
        if (search->n_known < search->settings.elite) {
            draw_random(search, &draws, child);
            continue;
        }
        cross(search, &draws, child);
        mutate(search, &draws, child);
    }
    memcpy(search->asked, codes, sizeof *codes * (size_t)batch * (size_t)d);
}

/* ---- the elite ---- */

/** Into its place, behind those of equal score. */
static void keep(struct search *search, const int32_t *code, float score)
{
    const size_t d = (size_t)search->problem.n_dimensions;
    const int most = (int)search->settings.elite;
    int rank = search->n_known;
    while (rank > 0 && search->scores[rank - 1] < score)
        rank--;
    if (isnan(score) || rank == most || is_known(search, code))
        return;
    search->n_known += search->n_known < most;
    for (int i = search->n_known - 1; i > rank; i--) {
        search->scores[i] = search->scores[i - 1];
        memcpy(elite_code(search, i), elite_code(search, i - 1), sizeof *code * d);
    }
    search->scores[rank] = score;
    memcpy(elite_code(search, rank), code, sizeof *code * d);
}

static void elite_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    for (int i = 0; i < n_codes; i++)
        keep(search, codes + (size_t)i * (size_t)search->problem.n_dimensions, scores[i]);
}

static void elite_tell(struct search *search, const float *scores)
{
    elite_inform(search, (int)search->settings.batch, search->asked, scores);
}

const struct search_method search_elite_ga = {
    .name = "elite_ga",
    .summary = "genetic algorithm on the best codes known (Whitley 1989, GENITOR; for mode: shared)",
    .keys = elite_keys,
    .settings_size = sizeof(struct elite_settings),
    .search_size = sizeof(struct search),
    .prepare = elite_prepare,
    .batch = elite_batch,
    .ask = elite_ask,
    .tell = elite_tell,
    .inform = elite_inform,
    .release = elite_release,
};
