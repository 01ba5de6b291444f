/* SPDX-License-Identifier: MIT */
/**
 * A bandit with ever more arms: codes are shown again and again, most often those that may be best.
 *
 * An arm is a code. A new one, uniformly random, is added while 20 times the codes asked so far are at least
 * the cube of the number of arms; else, with one half each, the next is any of the arms or the one of best
 * optimistic estimate (archive.h: its mean loss less 0.1 standard errors, so that an arm shown once is
 * preferred to those shown twice). Meant for scores with noise: on others it shows codes twice for nothing.
 * Codes that were not asked are arms like the others.
 *
 * Source: Nevergrad 1.0.12, `NoisyBandit` on an ordered `TransitionChoice`, where a new arm is N(0,1) in n
 * equal bins (bins.h).
 */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "bins.h"
#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "random.h"
#include "ranking.h"

enum { ASKED_FACTOR = 20 };

struct search {
    struct search_problem problem;
    struct bins bins;
    struct archive archive;
    uint32_t step;
    double *values; /* [n_dimensions] */
    int32_t *code;  /* [n_dimensions], as last asked */
};

static const struct key noisy_bandit_keys[] = {{0}};

static int noisy_bandit_batch(const void *settings, int n_dimensions)
{
    (void)settings;
    (void)n_dimensions;
    return 1;
}

static void noisy_bandit_release(struct search *search)
{
    bins_release(&search->bins);
    archive_release(&search->archive);
    free(search->values);
    free(search->code);
}

static enum status noisy_bandit_prepare(const struct search_method *method, struct search *search,
                                        const void *settings, struct error *error)
{
    (void)method;
    (void)settings;
    const size_t n_dimensions = (size_t)search->problem.n_dimensions;
    TRY(bins_prepare(&search->bins, search->problem.n_points, error));
    TRY(archive_prepare(&search->archive, search->problem.n_dimensions, error));
    search->archive.best_by = ARCHIVE_OPTIMISTIC;
    TRY(MEMORY_ALLOCATE(search->values, n_dimensions, error));
    return MEMORY_ALLOCATE(search->code, n_dimensions, error);
}

static void draw_arm(struct search *search, struct draws *draws)
{
    draws_normals(draws, search->values, search->problem.n_dimensions);
    for (int i = 0; i < search->problem.n_dimensions; i++)
        search->code[i] = bins_index(&search->bins, search->values[i]);
}

static void noisy_bandit_ask(struct search *search, int32_t *codes)
{
    const struct archive *archive = &search->archive;
    const int64_t n_arms = archive->n_entries, n_asked = search->step;
    const size_t bytes = (size_t)search->problem.n_dimensions * sizeof *codes;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    if (ASKED_FACTOR * n_asked >= n_arms * n_arms * n_arms) {
        draw_arm(search, &draws);
    } else if (random_below(draws_word(&draws), 2) == 0) {
        const size_t arm = random_below(draws_word(&draws), (uint32_t)n_arms);
        memcpy(search->code, archive->codes + arm * (size_t)search->problem.n_dimensions, bytes);
    } else {
        memcpy(search->code, archive->best_code, bytes);
    }
    memcpy(codes, search->code, bytes);
}

static void noisy_bandit_tell(struct search *search, const float *scores)
{
    archive_add(&search->archive, search->code, 0, ranking_loss(scores[0]));
}

static void noisy_bandit_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    for (int i = 0; i < n_codes; i++, codes += search->problem.n_dimensions)
        archive_add(&search->archive, codes, 0, ranking_loss(scores[i]));
}

const struct search_method search_noisy_bandit = {
    .name = "noisy_bandit",
    .summary = "bandit with ever more arms, for noisy scores (Nevergrad 1.0.12, NoisyBandit)",
    .keys = noisy_bandit_keys,
    .search_size = sizeof(struct search),
    .prepare = noisy_bandit_prepare,
    .batch = noisy_bandit_batch,
    .ask = noisy_bandit_ask,
    .tell = noisy_bandit_tell,
    .inform = noisy_bandit_inform,
    .release = noisy_bandit_release,
};
