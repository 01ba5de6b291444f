/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void exchange_free(struct exchange *exchange)
{
    free(exchange->all.bytes);
    exchange->all = (struct ranks_bytes){0};
}

static enum status collect(struct exchange *exchange, const void *mine, size_t n_bytes, struct error *error)
{
    TRY(ranks_collect(exchange->ranks, mine, n_bytes, &exchange->all, error));
    exchange->n_bytes += (int64_t)exchange->all.n;
    return STATUS_OK;
}

/** Codes come worker by worker; in a round they stand unit by unit. */
static void sort_codes(const struct exchange *exchange, const struct breeders *breeders,
                       struct shared_round *round)
{
    const size_t ask = (size_t)breeders->state->batch * (size_t)breeders->state->n_dimensions;
    const int32_t *next = (const int32_t *)(const void *)exchange->all.bytes;
    for (int worker = 0; worker < breeders->n_workers; worker++)
        for (int i = 0; i < round->n_asked; i++)
            if (breeders_worker_of(breeders, round->asked[i]) == worker) {
                memcpy(round->codes + (size_t)i * ask, next, ask * sizeof *next);
                next += ask;
            }
}

enum status exchange_codes(struct exchange *exchange, const struct breeders *breeders,
                           struct shared_round *round, struct error *error)
{
    const size_t n_bytes =
        (size_t)breeders->n_bred * (size_t)breeders->state->n_dimensions * sizeof *breeders->bred;
    TRY(collect(exchange, breeders->bred, n_bytes, error));
    sort_codes(exchange, breeders, round);
    return STATUS_OK;
}

enum status exchange_findings(struct exchange *exchange, struct shared_round *round, int begin, int end,
                              struct error *error)
{
    TRY(collect(exchange, round->scores + begin, (size_t)(end - begin) * sizeof *round->scores, error));
    memcpy(round->scores, exchange->all.bytes, exchange->all.n);
    TRY(collect(exchange, round->news, round->n_news * sizeof *round->news, error));
    const struct journal_news *news = (const struct journal_news *)(const void *)exchange->all.bytes;
    const size_t n = exchange->all.n / sizeof *news;
    round->n_news = 0;
    for (size_t i = 0; i < n; i++)
        TRY(shared_round_tell(round, news[i], error));
    return STATUS_OK;
}

enum status exchange_recorded(struct exchange *exchange, const struct journal_frame *frame, bool *found,
                              struct journal_round *head, struct shared_round *round, struct error *error)
{
    const bool leads = exchange->ranks->rank == 0;
    *head = frame != NULL ? *frame->round : (struct journal_round){.number = -1};
    ranks_share(exchange->ranks, head, sizeof *head);
    *found = head->number >= 0;
    if (!*found)
        return STATUS_OK;
    if (head->n_asked != round->n_asked || head->n_images != round->n_images || head->first != round->first)
        return STATUS_OK; /* the caller sees that it cannot be this round */
    const size_t n_news = (size_t)head->n_news;
    enum status status = STATUS_OK;
    round->n_news = 0;
    for (size_t i = 0; i < n_news && status == STATUS_OK; i++)
        status = shared_round_tell(round, leads ? frame->news[i] : (struct journal_news){0}, error);
    TRY(ranks_agree(exchange->ranks, status, error));
    if (leads)
        memcpy(round->scores, frame->round_scores, (size_t)round->n_images * sizeof *round->scores);
    ranks_share(exchange->ranks, round->scores, (size_t)round->n_images * sizeof *round->scores);
    ranks_share(exchange->ranks, round->news, n_news * sizeof *round->news);
    return STATUS_OK;
}
