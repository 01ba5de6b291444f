/* SPDX-License-Identifier: MIT */
/**
 * (1+1) evolution strategy with the one-fifth rule: one child a step, all coordinates moved by sigma N(0,1).
 *
 * A code is represented by real numbers, one a dimension, N(0,1) in n equal bins (bins.h). The first code
 * asked is the starting point, 0 everywhere. A child starts from the best point by the archive's pessimistic
 * estimate (archive.h; among equals the later told) and is moved to the centres of its bins before it is
 * asked. Sigma starts at 1 and is doubled by a loss below the best before it, multiplied by 0.84 by one above
 * it, kept by an equal one. The loss is the negative score. Codes that were not asked go into the archive; if
 * there are some before the first ask, the starting point is not asked.
 *
 * Source: Nevergrad 1.0.12, `OnePlusOne` (Gaussian mutation) on `TransitionChoice`.
 */
#include "search.h"

#include <math.h>
#include <stdlib.h>

#include "archive.h"
#include "bins.h"
#include "draws.h"
#include "memory.h"
#include "methods.h"
#include "ranking.h"

static const double SIGMA_UP = 2.0, SIGMA_DOWN = 0.84;
enum { START = 1 }; /* to the archive: 0 everywhere, not the same point as its code's centres */

struct search {
    struct search_problem problem;
    struct bins bins;
    struct archive archive;
    uint32_t step;
    bool is_start; /* the code last asked is the starting point */
    double sigma;
    double previous_best_loss;
    double *moves; /* [n_dimensions] */
    int32_t *code; /* [n_dimensions], as last asked */
};

static const struct key one_plus_one_keys[] = {{0}};

static int one_plus_one_batch(const void *settings, int n_dimensions)
{
    (void)n_dimensions;
    (void)settings;
    return 1;
}

static void one_plus_one_release(struct search *search)
{
    bins_release(&search->bins);
    archive_release(&search->archive);
    free(search->moves);
    free(search->code);
}

static enum status one_plus_one_prepare(const struct search_method *method, struct search *search,
                                        const void *settings, struct error *error)
{
    (void)method;
    (void)settings;
    size_t n_dimensions = (size_t)search->problem.n_dimensions;
    search->sigma = 1;
    search->previous_best_loss = INFINITY;
    TRY(bins_prepare(&search->bins, search->problem.n_points, error));
    TRY(archive_prepare(&search->archive, search->problem.n_dimensions, error));
    TRY(MEMORY_ALLOCATE(search->moves, n_dimensions, error));
    return MEMORY_ALLOCATE(search->code, n_dimensions, error);
}

static void one_plus_one_ask(struct search *search, int32_t *codes)
{
    const struct archive *archive = &search->archive;
    int n_dimensions = search->problem.n_dimensions;
    bool knows_nothing = isinf(archive->best.mean); /* pruning may have dropped all entries, but not that */
    bool from_start = knows_nothing || archive->best.point == START;
    struct draws draws = draws_begin(search->problem.key, ++search->step);
    search->is_start = knows_nothing;
    if (!knows_nothing)
        draws_normals(&draws, search->moves, n_dimensions);
    for (int i = 0; i < n_dimensions; i++) {
        double parent = from_start ? 0 : search->bins.centres[archive->best_code[i]];
        codes[i] = search->code[i] = bins_index(&search->bins, parent + search->sigma * search->moves[i]);
    }
}

static void one_plus_one_tell(struct search *search, const float *scores)
{
    const double loss = ranking_loss(scores[0]);
    archive_add(&search->archive, search->code, search->is_start ? START : 0, loss);
    if (loss != search->previous_best_loss)
        search->sigma *= loss < search->previous_best_loss ? SIGMA_UP : SIGMA_DOWN;
    search->previous_best_loss = search->archive.best.mean;
}

static void one_plus_one_inform(struct search *search, int n_codes, const int32_t *codes, const float *scores)
{
    for (int i = 0; i < n_codes; i++)
        archive_add(&search->archive, codes + (size_t)i * (size_t)search->problem.n_dimensions, 0,
                    ranking_loss(scores[i]));
    search->previous_best_loss = search->archive.best.mean;
}

const struct search_method search_one_plus_one = {
    .name = "one_plus_one",
    .summary = "(1+1) evolution strategy with the one-fifth rule (Nevergrad 1.0.12, OnePlusOne)",
    .keys = one_plus_one_keys,
    .settings_size = 0,
    .needs_power_of_two = false,
    .search_size = sizeof(struct search),
    .prepare = one_plus_one_prepare,
    .batch = one_plus_one_batch,
    .ask = one_plus_one_ask,
    .tell = one_plus_one_tell,
    .inform = one_plus_one_inform,
    .release = one_plus_one_release,
};
