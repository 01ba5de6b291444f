/* SPDX-License-Identifier: MIT */
#include "finish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../run_record.h"
#include "memory.h"

/** Place of a run in its pool. */
static int64_t find_unit(const struct plan_pool *pool, int64_t run)
{
    int64_t low = 0, high = pool->n_runs;
    while (low + 1 < high) {
        const int64_t middle = low + (high - low) / 2;
        if (pool->runs[middle] <= run)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/** The best after so many images, as known at the ends of rounds; NAN before the first one ends. */
static void fill_history(const struct shared_state *state, const struct shared_unit *unit, float *history)
{
    int64_t queries[RECORD_HISTORY_MAX], gain = unit->last_gain;
    const float sign = unit->minimise ? -1.0f : 1.0f;
    for (int i = record_history_queries(state->search->budget, queries) - 1; i >= 0; i--) {
        while (gain >= 0 && state->gains[gain].known_after > queries[i])
            gain = state->gains[gain].before;
        history[i] = gain < 0 ? NAN : sign * state->gains[gain].score;
    }
}

/** The name of the unit that the winner was bred for. */
static void name_breeder(const struct shared_state *state, int32_t bred_for, char name[RUN_NAME_CAPACITY])
{
    const struct plan *plan = state->plan;
    if (bred_for < 0) {
        strcpy(name, bred_for == BRED_START ? "start" : "random");
        return;
    }
    const struct shared_unit *unit = &state->units[bred_for];
    plan_unit_name(plan, unit->subject, unit->unit, name);
}

static enum status fill(const struct shared_state *state, const struct shared_unit *unit, int64_t place,
                        struct evaluator *evaluator, const struct lockstep_watch *watch, void *record,
                        bool *finished, struct error *error)
{
    const struct elite *best = elites_at(&state->elites, place, 0);
    const size_t n_bytes = sizeof(int32_t) * (size_t)state->n_dimensions;
    float history[RECORD_HISTORY_MAX];
    char bred_for[RUN_NAME_CAPACITY];
    int32_t *code = NULL;
    TRY(MEMORY_ALLOCATE(code, (size_t)state->n_dimensions, error));
    memcpy(code, elites_code(&state->elites, place, 0), n_bytes);
    fill_history(state, unit, history);
    name_breeder(state, best->bred_for, bred_for);
    const struct run_outcome outcome = {
        .queries = state->n_images,
        .evaluations = unit->evaluations,
        .start_queries = state->n_start,
        .best_query = best->image + 1,
        .activation_searched = unit->minimise ? 0.0f - best->score : best->score,
        .best_code = code,
        .codes_hash = state->codes_hash,
        .any_activity = unit->is_active,
        .stop_reason = unit->stop_reason == STOP_NONE ? STOP_BUDGET : unit->stop_reason,
        .seconds_search = state->seconds / (double)state->pool->n_runs,
        .recommended = -1,
        .history = history,
        .bred_for = bred_for};
    const enum status status =
        run_record_fill(state->plan, evaluator, &state->plan->runs[state->pool->runs[place]], &outcome, NULL,
                        watch, record, finished, error);
    free(code);
    return status;
}

enum status shared_finish(const struct shared_state *state, int64_t run, struct evaluator *evaluator,
                          const struct lockstep_watch *watch, void *record, bool *finished,
                          struct error *error)
{
    const int64_t place = find_unit(state->pool, run);
    const struct run *r = &state->plan->runs[run];
    if (state->elites.n[place] > 0)
        return fill(state, &state->units[place], place, evaluator, watch, record, finished, error);
    run_record_failed(&state->plan->groups[r->group].layout, r->key,
                      "no query gave an activation that is a number", record);
    *finished = true;
    return STATUS_OK;
}
