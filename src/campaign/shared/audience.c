/* SPDX-License-Identifier: MIT */
#include "audience.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"

/* ---- making ---- */

/** Units of one group, and so of one subject, lie side by side in a pool. */
static enum status seat_units(const struct shared_state *state, struct evaluator *const *evaluators,
                              struct audience *audience, struct error *error)
{
    const int64_t n_units = state->pool->n_runs;
    for (int64_t first = 0, end; first < n_units; first = end) {
        struct spectators *spectators = &audience->spectators[audience->n_subjects++];
        const int subject = state->units[first].subject;
        for (end = first; end < n_units && state->units[end].subject == subject;)
            end++;
        *spectators = (struct spectators){.evaluator = evaluators[subject], .first = first, .n = end - first};
        TRY(MEMORY_ALLOCATE(spectators->units, (size_t)spectators->n, error));
        const size_t batch = (size_t)evaluator_batch(spectators->evaluator);
        TRY(MEMORY_ALLOCATE(spectators->activations, batch * (size_t)spectators->n, error));
        for (int64_t i = 0; i < spectators->n; i++)
            spectators->units[i] = state->units[first + i].unit;
    }
    return STATUS_OK;
}

enum status audience_create(const struct shared_state *state, struct evaluator *const *evaluators,
                            struct audience *audience, struct error *error)
{
    *audience = (struct audience){.state = state};
    TRY(MEMORY_ALLOCATE(audience->spectators, (size_t)state->plan->job->n_subjects, error));
    TRY(seat_units(state, evaluators, audience, error));
    TRY(elites_create(&audience->found, state->pool->n_runs, state->elites.most, state->n_dimensions, error));
    TRY(MEMORY_ALLOCATE(audience->is_active, (size_t)state->pool->n_runs, error));
    TRY(MEMORY_ALLOCATE(audience->signs, (size_t)state->pool->n_runs, error));
    TRY(MEMORY_ALLOCATE(audience->limits, (size_t)state->pool->n_runs, error));
    for (int64_t i = 0; i < state->pool->n_runs; i++)
        audience->signs[i] = state->units[i].minimise ? -1.0f : 1.0f;
    return MEMORY_ALLOCATE(audience->codes, (size_t)evaluator_batch(audience->spectators[0].evaluator),
                           error);
}

void audience_free(struct audience *audience)
{
    for (int i = 0; i < audience->n_subjects; i++) {
        free((void *)audience->spectators[i].units);
        free(audience->spectators[i].activations);
    }
    free(audience->spectators);
    elites_free(&audience->found);
    free(audience->is_active);
    free(audience->signs);
    free(audience->limits);
    free((void *)audience->codes);
    *audience = (struct audience){0};
}

/* ---- showing ---- */

/** What the score of a unit has to exceed to be of interest. */
static float limit_of(const struct audience *audience, int64_t unit)
{
    const struct shared_unit *known = &audience->state->units[unit];
    const float least = audience->state->elites.least[unit], found = audience->found.least[unit];
    if (known->minimise && !known->is_active && !audience->is_active[unit])
        return -INFINITY;
    return least > found ? least : found;
}

static void begin_round(struct audience *audience)
{
    elites_clear(&audience->found);
    for (int64_t unit = 0; unit < audience->state->pool->n_runs; unit++) {
        audience->is_active[unit] = false;
        audience->limits[unit] = limit_of(audience, unit);
    }
}

static bool any_above(int n, const float *activations, const float *signs, const float *limits)
{
    int above = 0;
    for (int i = 0; i < n; i++)
        above |= signs[i] * activations[i] > limits[i];
    return above != 0;
}

static void take_activation(struct audience *audience, const struct shared_round *round, int i, int64_t unit,
                            float activation)
{
    const struct shared_state *state = audience->state;
    const struct elite elite = {audience->signs[unit] * activation, shared_round_bred_for(state, round, i),
                                round->first + i};
    audience->is_active[unit] = audience->is_active[unit] || activation > 0;
    if (elite.score > state->elites.least[unit] && elite.score > audience->found.least[unit])
        elites_offer(&audience->found, unit, &elite, round->codes + (size_t)i * (size_t)state->n_dimensions);
    audience->limits[unit] = limit_of(audience, unit);
}

/** What image `i` of the round did to the units of a subject; most of it is of no interest. */
static void take_activations(struct audience *audience, const struct spectators *spectators,
                             struct shared_round *round, int i, const float *activations)
{
    enum { BLOCK = 64 };
    const float *signs = audience->signs + spectators->first, *limits = audience->limits + spectators->first;
    const int64_t own = shared_round_bred_for(audience->state, round, i) - spectators->first;
    if (own >= 0 && own < spectators->n)
        round->scores[i] = signs[own] * activations[own];
    for (int64_t first = 0; first < spectators->n; first += BLOCK) {
        const int n = spectators->n - first < BLOCK ? (int)(spectators->n - first) : BLOCK;
        if (!any_above(n, activations + first, signs + first, limits + first))
            continue;
        for (int64_t k = first; k < first + n; k++)
            if (signs[k] * activations[k] > limits[k])
                take_activation(audience, round, i, spectators->first + k, activations[k]);
    }
}

/** Images begin .. end - 1, which are made together. */
static enum status show_together(struct audience *audience, struct shared_round *round, int begin, int end,
                                 struct error *error)
{
    const struct spectators *first = &audience->spectators[0];
    const int n = end - begin;
    for (int i = 0; i < n; i++)
        audience->codes[i] = round->codes + (size_t)(begin + i) * (size_t)audience->state->n_dimensions;
    evaluator_make_images(first->evaluator, n, audience->codes);
    for (int s = 0; s < audience->n_subjects; s++) {
        const struct spectators *spectators = &audience->spectators[s];
        if (s > 0)
            evaluator_share_images(spectators->evaluator, first->evaluator);
        TRY(evaluator_show_all(spectators->evaluator, spectators->n, spectators->units,
                               spectators->activations, error));
        for (int i = 0; i < n; i++)
            take_activations(audience, spectators, round, begin + i,
                             spectators->activations + i * spectators->n);
    }
    return STATUS_OK;
}

static enum status tell_unit(const struct audience *audience, struct shared_round *round, int64_t unit,
                             struct error *error)
{
    const struct shared_unit *known = &audience->state->units[unit];
    for (int rank = 0; rank < audience->found.n[unit]; rank++) {
        const struct elite *elite = elites_at(&audience->found, unit, rank);
        TRY(shared_round_tell(round, (struct journal_news){elite->image, (int32_t)unit, elite->score},
                              error));
    }
    if (known->minimise && !known->is_active && audience->is_active[unit])
        return shared_round_tell(round, (struct journal_news){-1, (int32_t)unit, 0}, error);
    return STATUS_OK;
}

enum status audience_show(struct audience *audience, struct shared_round *round, int begin, int end,
                          audience_leave *leave, void *context, struct error *error)
{
    const int batch = evaluator_batch(audience->spectators[0].evaluator);
    begin_round(audience);
    for (int i = begin; i < end; i += batch) {
        if (leave(context))
            return error_set(error, STATUS_STOPPED,
                             "stopped by a signal; start the same command again to continue");
        TRY(show_together(audience, round, i, i + batch < end ? i + batch : end, error));
    }
    for (int64_t unit = 0; unit < audience->state->pool->n_runs; unit++)
        TRY(tell_unit(audience, round, unit, error));
    return STATUS_OK;
}
