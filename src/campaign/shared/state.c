/* SPDX-License-Identifier: MIT */
#include "state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "memory.h"
#include "random.h"

/* ---- making ---- */

static void describe_unit(const struct plan *plan, int64_t run, struct shared_unit *unit)
{
    const struct plan_group *group = &plan->groups[plan->runs[run].group];
    const struct plan_subject *subject = &plan->subjects[group->subject];
    *unit = (struct shared_unit){.unit = &subject->units[plan->runs[run].unit],
                                 .subject = group->subject,
                                 .minimise = group->minimise,
                                 .last_gain = -1};
    unit->is_spiking = model_layer_is_spiking(subject->model, unit->unit->layer);
}

/** Append a code to the start unless it is there. */
static enum status add_start(struct shared_state *state, size_t *capacity, const int32_t *code,
                             struct error *error)
{
    const size_t d = (size_t)state->n_dimensions;
    for (int64_t i = 0; i < state->n_start; i++)
        if (memcmp(state->start + (size_t)i * d, code, d * sizeof *code) == 0)
            return STATUS_OK;
    TRY(memory_grow((void **)&state->start, capacity, (size_t)state->n_start, d * sizeof *code, error));
    memcpy(state->start + (size_t)state->n_start++ * d, code, d * sizeof *code);
    return STATUS_OK;
}

/** The start codes of all groups, in the order of their units. */
static enum status collect_start(struct shared_state *state, struct error *error)
{
    size_t capacity = 0;
    int last_group = -1;
    for (int64_t i = 0; i < state->pool->n_runs; i++) {
        const int index = state->plan->runs[state->pool->runs[i]].group;
        const struct plan_group *group = &state->plan->groups[index];
        for (int64_t unit = 0; index != last_group && unit < group->n_units; unit++)
            for (int k = 0; k < group->n_start; k++)
                TRY(add_start(state, &capacity, plan_start_code(group, unit, k), error));
        last_group = index;
    }
    if (state->n_start + state->search->shared.random + state->search->shared.round <= state->search->budget)
        return STATUS_OK;
    return node_error(state->search->node, error,
                      "a budget of %lld images in all is less than %lld start codes, %lld random ones and a "
                      "round of %lld",
                      state->search->budget, (long long)state->n_start, state->search->shared.random,
                      state->search->shared.round);
}

enum status shared_state_create(const struct plan *plan, const struct plan_pool *pool,
                                struct shared_state *state, struct error *error)
{
    const struct job_search *search = &plan->job->searches[pool->search];
    const struct job_method *method = &plan->job->methods[pool->method];
    const struct latent_space *latent = model_latent(plan->generators[pool->generator]);
    *state = (struct shared_state){.plan = plan,
                                   .pool = pool,
                                   .search = search,
                                   .n_dimensions = latent->n_dimensions,
                                   .n_points = latent->n_points,
                                   .batch = method->method->batch(method->settings, latent->n_dimensions)};
    TRY(MEMORY_ALLOCATE(state->units, (size_t)pool->n_runs, error));
    for (int64_t i = 0; i < pool->n_runs; i++)
        describe_unit(plan, pool->runs[i], &state->units[i]);
    TRY(elites_create(&state->elites, pool->n_runs, (int)search->shared.elite, latent->n_dimensions, error));
    TRY(spending_create(&state->spending, search->shared.spending, pool->key, pool->n_runs, error));
    return collect_start(state, error);
}

void shared_state_free(struct shared_state *state)
{
    free(state->units);
    elites_free(&state->elites);
    spending_free(&state->spending);
    free(state->start);
    free(state->gains);
    *state = (struct shared_state){0};
}

/* ---- rounds ---- */

/** Asks of a round: at least one. */
static int most_asks(const struct shared_state *state)
{
    const long long n = state->search->shared.round / state->batch;
    return n < 1 ? 1 : (int)n;
}

int shared_round_capacity(const struct shared_state *state)
{
    const int asked = most_asks(state) * state->batch, round = (int)state->search->shared.round;
    return asked > round ? asked : round;
}

enum status shared_round_create(const struct shared_state *state, struct shared_round *round,
                                struct error *error)
{
    const size_t n = (size_t)shared_round_capacity(state);
    *round = (struct shared_round){0};
    TRY(MEMORY_ALLOCATE(round->asked, (size_t)most_asks(state), error));
    TRY(MEMORY_ALLOCATE(round->codes, n * (size_t)state->n_dimensions, error));
    return MEMORY_ALLOCATE(round->scores, n, error);
}

void shared_round_free(struct shared_round *round)
{
    free(round->asked);
    free(round->codes);
    free(round->scores);
    free(round->news);
    *round = (struct shared_round){0};
}

static void draw_code(const struct shared_state *state, int64_t image, int32_t *code)
{
    uint32_t words[4];
    for (int i = 0; i < state->n_dimensions; i++) {
        const struct random_counter counter = {{2, (uint32_t)image, (uint32_t)(i / 4), 0}};
        if (i % 4 == 0)
            random_words(state->pool->key, counter, words);
        code[i] = (int32_t)random_below(words[i % 4], (uint32_t)state->n_points);
    }
}

/** Images that nobody is asked for: up to a round of those before `end`, the first of which is `begin`. */
static void begin_unasked(const struct shared_state *state, struct shared_round *round, int64_t end)
{
    const size_t d = (size_t)state->n_dimensions;
    const int64_t left = end - state->n_images, most = state->search->shared.round;
    round->n_images = (int)(left < most ? left : most);
    for (int i = 0; i < round->n_images; i++) {
        const int64_t image = round->first + i;
        if (image < state->n_start)
            memcpy(round->codes + (size_t)i * d, state->start + (size_t)image * d, d * sizeof *round->codes);
        else
            draw_code(state, image, round->codes + (size_t)i * d);
    }
}

void shared_round_begin(struct shared_state *state, struct shared_round *round)
{
    const int64_t n_random = state->n_start + state->search->shared.random;
    round->number = state->n_rounds;
    round->first = state->n_images;
    round->n_asked = round->n_images = 0;
    round->n_news = 0;
    memset(round->scores, 0, (size_t)shared_round_capacity(state) * sizeof *round->scores);
    if (state->n_images < n_random) {
        begin_unasked(state, round, state->n_images < state->n_start ? state->n_start : n_random);
        return;
    }
    round->n_asked = spending_choose(&state->spending, round->number, most_asks(state), round->asked);
    round->n_images = round->n_asked * state->batch;
    if (state->n_images + round->n_images > state->search->budget)
        round->n_asked = round->n_images = 0;
}

enum status shared_round_tell(struct shared_round *round, struct journal_news news, struct error *error)
{
    TRY(memory_grow((void **)&round->news, &round->news_capacity, round->n_news, sizeof *round->news, error));
    round->news[round->n_news++] = news;
    return STATUS_OK;
}

int32_t shared_round_bred_for(const struct shared_state *state, const struct shared_round *round, int i)
{
    if (round->n_asked > 0)
        return round->asked[i / state->batch];
    return round->first + i < state->n_start ? BRED_START : BRED_RANDOM;
}

/* ---- taking a round over ---- */

static void offer_news(struct shared_state *state, const struct shared_round *round)
{
    for (size_t i = 0; i < round->n_news; i++) {
        const struct journal_news *news = &round->news[i];
        struct shared_unit *unit = &state->units[news->unit];
        if (news->image < 0) {
            unit->is_active = true;
            continue;
        }
        const int place = (int)(news->image - round->first);
        const struct elite elite = {news->score, shared_round_bred_for(state, round, place), news->image};
        elites_offer(&state->elites, news->unit, &elite,
                     round->codes + (size_t)place * (size_t)state->n_dimensions);
    }
}

static int compare_news(const void *a, const void *b)
{
    const struct journal_news *v = a, *w = b;
    if (v->unit != w->unit)
        return v->unit < w->unit ? -1 : 1;
    return (v->image > w->image) - (v->image < w->image);
}

/** Only what is in the lists now, and who became active; each once. */
static void keep_what_counts(const struct shared_state *state, struct shared_round *round)
{
    size_t n = 0;
    qsort(round->news, round->n_news, sizeof *round->news, compare_news);
    for (size_t i = 0; i < round->n_news; i++) {
        const struct journal_news *news = &round->news[i];
        bool counts = news->image < 0;
        for (int rank = 0; rank < state->elites.n[news->unit] && !counts; rank++)
            counts = elites_at(&state->elites, news->unit, rank)->image == news->image;
        if (counts && (n == 0 || compare_news(&round->news[n - 1], news) != 0))
            round->news[n++] = *news;
    }
    round->n_news = n;
}

static enum status note_gain(struct shared_state *state, int64_t index, const struct shared_round *round,
                             bool *has_gained, struct error *error)
{
    struct shared_unit *unit = &state->units[index];
    *has_gained = false;
    if (state->elites.n[index] == 0 || elites_at(&state->elites, index, 0)->image < round->first)
        return STATUS_OK;
    const struct elite *best = elites_at(&state->elites, index, 0);
    TRY(memory_grow((void **)&state->gains, &state->gain_capacity, state->n_gains, sizeof *state->gains,
                    error));
    state->gains[state->n_gains] =
        (struct shared_gain){round->first + round->n_images, unit->last_gain, best->score};
    unit->last_gain = (int64_t)state->n_gains++;
    unit->is_active = unit->is_active || (!unit->minimise && best->score > 0);
    *has_gained = true;
    return STATUS_OK;
}

static enum stop_reason check_stop(const struct shared_state *state, int64_t index)
{
    const struct job_stop *stop = &state->plan->job->stop;
    const struct shared_unit *unit = &state->units[index];
    const float best = shared_state_best(state, index);
    if (stop->at_bound && unit->is_spiking && best == (unit->minimise ? 0.0f : 1.0f))
        return STOP_BOUND;
    if (stop->has_target && (double)best >= (unit->minimise ? -stop->target : stop->target))
        return STOP_TARGET;
    if (stop->no_improvement > 0 && unit->in_vain >= stop->no_improvement)
        return STOP_NO_IMPROVEMENT;
    return STOP_NONE;
}

/** A unit's own children count for it, whoever else found something better in the round. */
static bool own_gained(const struct shared_state *state, int32_t unit, int64_t first)
{
    if (state->elites.n[unit] == 0)
        return false;
    const struct elite *best = elites_at(&state->elites, unit, 0);
    return best->image >= first && best->bred_for == unit;
}

static enum status judge_units(struct shared_state *state, const struct shared_round *round,
                               struct error *error)
{
    for (int i = 0; i < round->n_asked; i++) {
        struct shared_unit *unit = &state->units[round->asked[i]];
        unit->evaluations += state->batch;
        unit->in_vain += state->batch;
        spending_note(&state->spending, round->asked[i], own_gained(state, round->asked[i], round->first));
    }
    for (int64_t i = 0; i < state->pool->n_runs; i++) {
        bool has_gained;
        TRY(note_gain(state, i, round, &has_gained, error));
        if (has_gained)
            state->units[i].in_vain = 0;
        if (state->units[i].stop_reason == STOP_NONE)
            state->units[i].stop_reason = check_stop(state, i);
        state->spending.units[i].is_done = state->units[i].stop_reason != STOP_NONE;
    }
    return STATUS_OK;
}

enum status shared_state_take(struct shared_state *state, struct shared_round *round, struct error *error)
{
    offer_news(state, round);
    keep_what_counts(state, round);
    TRY(judge_units(state, round, error));
    state->codes_hash =
        hash_continue(state->codes_hash, round->codes,
                      sizeof *round->codes * (size_t)round->n_images * (size_t)state->n_dimensions);
    state->n_images += round->n_images;
    state->n_rounds++;
    return STATUS_OK;
}

float shared_state_best(const struct shared_state *state, int64_t unit)
{
    return state->elites.n[unit] == 0 ? NAN : elites_at(&state->elites, unit, 0)->score;
}
