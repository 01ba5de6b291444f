/* SPDX-License-Identifier: MIT */
#include "breeders.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

static const struct job_method *method_of(const struct breeders *breeders)
{
    return &breeders->state->plan->job->methods[breeders->state->pool->method];
}

enum status breeders_create(const struct shared_state *state, int worker, int n_workers,
                            struct breeders *breeders, struct error *error)
{
    const size_t d = (size_t)state->n_dimensions;
    const int most = state->elites.most > state->batch ? state->elites.most : state->batch;
    *breeders = (struct breeders){.state = state, .worker = worker, .n_workers = n_workers};
    TRY(MEMORY_ALLOCATE(breeders->searches, (size_t)state->pool->n_runs, error));
    TRY(MEMORY_ALLOCATE(breeders->codes, (size_t)most * d, error));
    TRY(MEMORY_ALLOCATE(breeders->scores, (size_t)most, error));
    return MEMORY_ALLOCATE(breeders->bred, (size_t)shared_round_capacity(state) * d, error);
}

void breeders_free(struct breeders *breeders)
{
    for (int64_t i = 0; breeders->searches != NULL && i < breeders->state->pool->n_runs; i++)
        search_destroy(method_of(breeders)->method, breeders->searches[i]);
    free(breeders->searches);
    free(breeders->codes);
    free(breeders->scores);
    free(breeders->bred);
    *breeders = (struct breeders){0};
}

int breeders_worker_of(const struct breeders *breeders, int32_t unit)
{
    return unit % breeders->n_workers;
}

static void add_code(struct breeders *breeders, int n, const int32_t *code, float score)
{
    const size_t d = (size_t)breeders->state->n_dimensions;
    memcpy(breeders->codes + (size_t)n * d, code, d * sizeof *code);
    breeders->scores[n] = score;
}

/** All that is known of the unit. */
static void inform_of_all(struct breeders *breeders, int32_t unit)
{
    const struct elites *elites = &breeders->state->elites;
    for (int rank = 0; rank < elites->n[unit]; rank++)
        add_code(breeders, rank, elites_code(elites, unit, rank), elites_at(elites, unit, rank)->score);
    if (elites->n[unit] > 0)
        method_of(breeders)->method->inform(breeders->searches[unit], elites->n[unit], breeders->codes,
                                            breeders->scores);
}

static enum status make_search(struct breeders *breeders, int32_t unit, struct error *error)
{
    const struct shared_state *state = breeders->state;
    const struct job_method *method = method_of(breeders);
    const struct latent_space *latent = model_latent(state->plan->generators[state->pool->generator]);
    const struct search_problem problem = {.n_dimensions = latent->n_dimensions,
                                           .n_points = latent->n_points,
                                           .budget = state->search->first_budget,
                                           .key = state->plan->runs[state->pool->runs[unit]].key,
                                           .low = latent->kind == LATENT_GRID ? latent->low : 0,
                                           .high = latent->kind == LATENT_GRID ? latent->high : 0};
    TRY(search_create(method->method, &problem, method->settings, &breeders->searches[unit], error));
    inform_of_all(breeders, unit);
    return STATUS_OK;
}

enum status breeders_ask(struct breeders *breeders, const struct shared_round *round, struct error *error)
{
    const size_t ask = (size_t)breeders->state->batch * (size_t)breeders->state->n_dimensions;
    int n_asks = 0;
    for (int i = 0; i < round->n_asked; i++) {
        const int32_t unit = round->asked[i];
        if (breeders_worker_of(breeders, unit) != breeders->worker)
            continue;
        if (breeders->searches[unit] == NULL)
            TRY(make_search(breeders, unit, error));
        method_of(breeders)->method->ask(breeders->searches[unit], breeders->bred + (size_t)n_asks++ * ask);
    }
    breeders->n_bred = n_asks * breeders->state->batch;
    return STATUS_OK;
}

/** What came into the unit's list in this round and was not bred for it, the earliest first. */
static void inform_of_others(struct breeders *breeders, const struct shared_round *round, int32_t unit,
                             const struct journal_news *news, size_t n_news)
{
    const size_t d = (size_t)breeders->state->n_dimensions;
    int n = 0;
    for (size_t i = 0; i < n_news; i++) {
        const int place = (int)(news[i].image - round->first);
        if (news[i].image >= 0 && shared_round_bred_for(breeders->state, round, place) != unit)
            add_code(breeders, n++, round->codes + (size_t)place * d, news[i].score);
    }
    if (n > 0)
        method_of(breeders)->method->inform(breeders->searches[unit], n, breeders->codes, breeders->scores);
}

void breeders_learn(struct breeders *breeders, const struct shared_round *round)
{
    for (int i = 0; i < round->n_asked; i++)
        if (breeders_worker_of(breeders, round->asked[i]) == breeders->worker)
            method_of(breeders)->method->tell(breeders->searches[round->asked[i]],
                                              round->scores + i * breeders->state->batch);
    for (size_t first = 0, end; first < round->n_news; first = end) {
        const int32_t unit = round->news[first].unit;
        for (end = first; end < round->n_news && round->news[end].unit == unit;)
            end++;
        if (breeders_worker_of(breeders, unit) == breeders->worker && breeders->searches[unit] != NULL)
            inform_of_others(breeders, round, unit, round->news + first, end - first);
    }
}
