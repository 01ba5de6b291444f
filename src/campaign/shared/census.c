/* SPDX-License-Identifier: MIT */
#include "census.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../messages.h"
#include "../signals.h"
#include "audience.h"
#include "clock.h"
#include "exchange.h"
#include "hash.h"
#include "memory.h"

/** Everything one rank has in hand. */
struct sharing {
    const struct shared_place *place;
    struct shared_state *state;
    struct journal_identity identity; /**< of all workers */
    int worker, n_workers;            /**< worker -1: the master of others */
    struct breeders breeders;
    struct audience audience;
    struct exchange exchange;
    struct shared_round round;
    bool has_told; /**< the master, all workers to stop */
};

/* ---- opening ---- */

/** Bits of a round would depend on who shows which image. */
static enum status compare_identities(struct sharing *sharing, struct error *error)
{
    const struct ranks *ranks = sharing->place->ranks;
    const struct worker *worker = sharing->place->worker;
    struct ranks_bytes *all = &sharing->exchange.all;
    TRY(ranks_collect(ranks, worker == NULL ? NULL : &worker->incarnation.identity,
                      worker == NULL ? 0 : sizeof sharing->identity, all, error));
    memcpy(&sharing->identity, all->bytes, sizeof sharing->identity);
    for (int i = 1; i < sharing->n_workers; i++) {
        struct journal_identity other;
        memcpy(&other, all->bytes + (size_t)i * sizeof other, sizeof other);
        if (!journal_identity_equal(&other, &sharing->identity))
            return error_set(error, STATUS_MISMATCH,
                             "rank 1 computes with %s %s %s, rank %d with %s %s %s: ranks that share images "
                             "have to compute alike; name one instruction set with 'isa' in the job, or use "
                             "like machines",
                             sharing->identity.isa, sharing->identity.precision, sharing->identity.device,
                             i + 1, other.isa, other.precision, other.device);
    }
    return STATUS_OK;
}

static enum status open_audience(struct sharing *sharing, struct error *error)
{
    const struct shared_state *state = sharing->state;
    struct evaluator **evaluators = NULL;
    TRY(MEMORY_ALLOCATE(evaluators, (size_t)state->plan->job->n_subjects, error));
    enum status status = STATUS_OK;
    for (int64_t i = 0; i < state->pool->n_runs && status == STATUS_OK; i++)
        if (evaluators[state->units[i].subject] == NULL)
            status = worker_evaluator(sharing->place->worker, state->units[i].subject, state->pool->generator,
                                      &evaluators[state->units[i].subject], error);
    if (status == STATUS_OK)
        status = audience_create(state, evaluators, &sharing->audience, error);
    free(evaluators);
    return status;
}

static enum status open_sharing(struct sharing *sharing, struct error *error)
{
    TRY(breeders_create(sharing->state, sharing->worker, sharing->n_workers, &sharing->breeders, error));
    TRY(shared_round_create(sharing->state, &sharing->round, error));
    return sharing->worker < 0 ? STATUS_OK : open_audience(sharing, error);
}

static void close_sharing(struct sharing *sharing)
{
    breeders_free(&sharing->breeders);
    shared_round_free(&sharing->round);
    if (sharing->worker >= 0)
        audience_free(&sharing->audience);
    exchange_free(&sharing->exchange);
}

/* ---- one round ---- */

static enum status breed(struct sharing *sharing, struct error *error)
{
    struct shared_round *round = &sharing->round;
    if (round->n_asked == 0)
        return STATUS_OK;
    enum status status = breeders_ask(&sharing->breeders, round, error);
    TRY(ranks_agree(sharing->place->ranks, status, error));
    return exchange_codes(&sharing->exchange, &sharing->breeders, round, error);
}

/** The master tells all workers once. */
static void look_for_signals(void *context)
{
    struct sharing *sharing = context;
    const struct ranks *ranks = sharing->place->ranks;
    if (sharing->has_told || !signals_arrived())
        return;
    for (int rank = 1; rank < ranks->n_ranks; rank++)
        messages_send_stop(ranks, rank);
    sharing->has_told = true;
}

static bool should_leave(void *context)
{
    const struct sharing *sharing = context;
    const struct ranks *ranks = sharing->place->ranks;
    return signals_arrived() || (ranks->rank > 0 && messages_stop_arrived(ranks));
}

/** Blocks of images rise with workers; they are as equal as can be. */
static enum status show(struct sharing *sharing, struct error *error)
{
    const struct ranks *ranks = sharing->place->ranks;
    struct shared_round *round = &sharing->round;
    const int64_t n = round->n_images;
    const int begin = sharing->worker < 0 ? 0 : (int)(n * sharing->worker / sharing->n_workers);
    const int end = sharing->worker < 0 ? 0 : (int)(n * (sharing->worker + 1) / sharing->n_workers);
    enum status status = STATUS_OK;
    if (sharing->worker >= 0)
        status = audience_show(&sharing->audience, round, begin, end, should_leave, sharing, error);
    ranks_meet(ranks, sharing->worker < 0 ? look_for_signals : NULL, sharing);
    TRY(ranks_agree(ranks, status, error));
    return ranks_agree(ranks, exchange_findings(&sharing->exchange, round, begin, end, error), error);
}

/** Is every piece of news about a unit of the census and an image of the round? */
static bool news_are_possible(const struct sharing *sharing)
{
    const struct shared_round *round = &sharing->round;
    for (size_t i = 0; i < round->n_news; i++) {
        const struct journal_news *news = &round->news[i];
        const bool is_of_round = news->image >= round->first && news->image < round->first + round->n_images;
        if (news->unit < 0 || news->unit >= sharing->state->pool->n_runs ||
            (news->image != -1 && !is_of_round))
            return false;
    }
    return true;
}

/** Rank 0: is what a journal has the round that was just bred? */
static enum status check_recorded(const struct sharing *sharing, const struct journal_frame *frame,
                                  const struct journal_round *head, struct error *error)
{
    const struct shared_round *round = &sharing->round;
    const struct shared_state *state = sharing->state;
    const size_t n_bytes = sizeof *round->codes * (size_t)round->n_images * (size_t)state->n_dimensions;
    if (frame == NULL)
        return STATUS_OK;
    if (head->first == round->first && head->n_asked == round->n_asked && head->n_images == round->n_images &&
        head->codes_hash == hash_continue(state->codes_hash, round->codes, n_bytes) &&
        memcmp(frame->asked, round->asked, (size_t)round->n_asked * sizeof *round->asked) == 0 &&
        news_are_possible(sharing))
        return STATUS_OK;
    return error_set(
        error, STATUS_DAMAGED,
        "%s: round %lld of a shared census at byte %llu cannot be repeated from the rounds before "
        "it; move the journal away to have the round done again",
        frame->path, (long long)head->number, (unsigned long long)frame->offset);
}

static enum status keep(struct sharing *sharing, struct error *error)
{
    const struct shared_round *round = &sharing->round;
    const struct journal_round head = {round->number,   round->first,           round->n_asked,
                                       round->n_images, (int64_t)round->n_news, sharing->state->codes_hash};
    return journal_append_round(sharing->place->worker->journal, sharing->state->pool->key, &head,
                                round->asked, round->scores, round->news, error);
}

static void count_images(const struct sharing *sharing, bool was_recorded)
{
    struct progress *progress = sharing->place->progress;
    if (progress == NULL)
        return;
    if (was_recorded)
        progress->n_presentations -= sharing->round.n_images;
    else
        progress->n_queries += sharing->round.n_images;
    progress_show(progress, "running", false);
}

static enum status do_round(struct sharing *sharing, struct error *error)
{
    const struct ranks *ranks = sharing->place->ranks;
    struct shared_round *round = &sharing->round;
    const struct plan *plan = sharing->state->plan;
    struct journal_round head;
    bool is_recorded;
    const struct journal_frame *frame =
        ranks->rank != 0
            ? NULL
            : ledger_find_round(sharing->place->ledger, (int)(sharing->state->pool - plan->pools),
                                round->number, &sharing->identity);
    TRY(exchange_recorded(&sharing->exchange, frame, &is_recorded, &head, round, error));
    TRY(breed(sharing, error));
    TRY(ranks_agree(ranks, check_recorded(sharing, frame, &head, error), error));
    const double started = clock_seconds();
    if (!is_recorded)
        TRY(show(sharing, error));
    sharing->state->seconds_shown += clock_seconds() - started;
    enum status status = shared_state_take(sharing->state, round, error);
    if (status == STATUS_OK && !is_recorded && sharing->worker == 0)
        status = keep(sharing, error);
    TRY(ranks_agree(ranks, status, error));
    breeders_learn(&sharing->breeders, round);
    count_images(sharing, is_recorded);
    return STATUS_OK;
}

/* ---- all of them ---- */

static enum status do_rounds(struct sharing *sharing, struct error *error)
{
    const struct ranks *ranks = sharing->place->ranks;
    for (;;) {
        enum status status = STATUS_OK;
        if (should_leave(sharing))
            status = error_set(error, STATUS_STOPPED,
                               "stopped by a signal; start the same command again to continue");
        TRY(ranks_agree(ranks, status, error));
        shared_round_begin(sharing->state, &sharing->round);
        if (sharing->round.n_images == 0)
            return STATUS_OK;
        TRY(do_round(sharing, error));
    }
}

void shared_census_report(const struct shared_state *state)
{
    const struct job *job = state->plan->job;
    printf(
        "%s/%s: %lld images in %lld rounds for %lld units, %.0f bytes exchanged a round; %.1f of %.1f s not "
        "spent on showing images\n",
        job->generators[state->pool->generator].name, job->methods[state->pool->method].name,
        (long long)state->n_images, (long long)state->n_rounds, (long long)state->pool->n_runs,
        state->n_rounds > 0 ? (double)state->n_bytes / (double)state->n_rounds : 0,
        state->seconds - state->seconds_shown, state->seconds);
}

enum status shared_census_do(const struct shared_place *place, struct shared_state *state,
                             struct error *error)
{
    const struct ranks *ranks = place->ranks;
    struct sharing sharing = {.place = place,
                              .state = state,
                              .worker = ranks->n_ranks == 1 ? 0 : ranks->rank - 1,
                              .n_workers = ranks->n_ranks == 1 ? 1 : ranks->n_ranks - 1,
                              .exchange = {.ranks = ranks}};
    const double started = clock_seconds();
    enum status status = open_sharing(&sharing, error);
    TRY_CLEANUP(ranks_agree(ranks, status, error));
    TRY_CLEANUP(ranks_agree(ranks, compare_identities(&sharing, error), error));
    status = do_rounds(&sharing, error);
    state->seconds = clock_seconds() - started;
    state->n_bytes = sharing.exchange.n_bytes;
    if (status == STATUS_STOPPED && ranks->rank > 0)
        messages_stop_arrived(ranks); /* it may have come too late for a round */
cleanup:
    close_sharing(&sharing);
    return status;
}
