/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "counter.h"
#include "memory.h"
#include "messages.h"
#include "natural_census.h"
#include "signals.h"
#include "worker.h"

/* seconds: how often a worker tells its images, and looks whether the master wants it to stop */
static const double count_interval = 0.5, stop_interval = 0.05;

/** Chunks that are to be done, and how many are. */
struct deal {
    const struct natural_parts *parts;
    int64_t next, n_pending, n_finished; /**< chunks */
    int64_t n_images;                    /**< shown */
    bool stopping, has_fault;
    struct counter counter;
};

/** Somebody who shows images. */
struct shower {
    const struct natural *natural;
    struct journal *journal;
    int batch;             /**< images of one forward pass */
    struct model_run *run; /**< for as many */
    unsigned char *bytes;  /**< an image */
    float *image;
    float *inputs;     /**< [channel][image][height][width] */
    float *values;     /**< [unit][image of the chunk] */
    struct deal *deal; /**< one process alone; NULL: a worker */
    int64_t n_images;  /**< not yet told */
    double last_told, last_looked;
    bool stop;
};

/* ---- showing images ---- */

/** On a device with too little memory, half a batch may do. */
static enum status make_run(struct shower *shower, int rank, struct error *error)
{
    const struct model *model = shower->natural->network.model;
    const int batch = model_image_batch(model);
    shower->batch = batch;
    const enum status status = model_run_create_batch(model, batch, &shower->run, error);
    if (status == STATUS_OK || !model_is_on_device(model))
        return status;
    fprintf(stderr, "meicensus: rank %d: %s: it goes on with %d images a call, not %d\n", rank,
            error->message, batch / 2, batch);
    shower->batch = batch / 2;
    return model_run_create_batch(model, shower->batch, &shower->run, error);
}

static enum status shower_open(const struct natural *natural, struct shower *shower, struct error *error)
{
    struct journal_incarnation incarnation;
    const size_t n_values = dataset_image_values(natural->dataset);
    *shower = (struct shower){.natural = natural};
    TRY(make_run(shower, natural->ranks.rank, error));
    TRY(MEMORY_ALLOCATE(shower->bytes, n_values, error));
    TRY(MEMORY_ALLOCATE(shower->image, n_values, error));
    TRY(MEMORY_ALLOCATE(shower->inputs, n_values * (size_t)shower->batch, error));
    worker_incarnation(&natural->network.backend, natural->ranks.rank, natural->parts.digest, &incarnation);
    if (model_is_on_device(natural->network.model))
        incarnation.identity.batch = shower->batch;
    TRY(MEMORY_ALLOCATE(shower->values, natural->units.n_items * NATURAL_CHUNK_IMAGES, error));
    return journal_create(natural->parts.folder, 0, &incarnation, &shower->journal, error);
}

static void shower_close(struct shower *shower)
{
    struct error ignored = {0};
    journal_close(shower->journal, &ignored); /* every frame is durable already */
    free(shower->bytes);
    free(shower->image);
    free(shower->inputs);
    model_run_free(shower->run);
    free(shower->values);
}

static bool should_stop(struct shower *shower)
{
    const double now = clock_seconds();
    if (signals_arrived())
        shower->stop = true;
    if (shower->deal == NULL && now - shower->last_looked > stop_interval) {
        shower->stop = messages_stop_arrived(&shower->natural->ranks) || shower->stop;
        shower->last_looked = now;
    }
    return shower->stop;
}

/** Somebody wants to know how many images were shown. */
static void tell(struct shower *shower)
{
    if (shower->deal == NULL) {
        messages_send_count(&shower->natural->ranks, shower->n_images);
    } else {
        shower->deal->n_images += shower->n_images;
        counter_show(&shower->deal->counter, (size_t)shower->deal->n_images);
    }
    shower->n_images = 0;
    shower->last_told = clock_seconds();
}

/** Into column `column` of n_columns. */
static enum status keep_activations(struct shower *shower, int i, int64_t image, int64_t column,
                                    int64_t n_columns, struct error *error)
{
    const struct model *model = shower->natural->network.model;
    for (size_t u = 0; u < shower->natural->units.n_items; u++) {
        const struct unit *unit = &shower->natural->units.items[u];
        const float value = model_image_activation(shower->run, i, unit->layer, unit->channel);
        if (!isfinite(value))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s: layer '%s', channel %d: its activation for image %lld is not finite; check "
                             "the tensors",
                             model_name(model), model_layer_name(model, unit->layer), unit->channel,
                             (long long)image);
        shower->values[u * (size_t)n_columns + (size_t)column] = value;
    }
    return STATUS_OK;
}

/** Image i of n that will be shown together. */
static enum status read_input(struct shower *shower, int64_t image, int i, int n, struct error *error)
{
    const struct natural *natural = shower->natural;
    const struct model *model = natural->network.model;
    const struct map_shape shape = model_input_shape(model);
    const size_t n_pixels = (size_t)shape.height * (size_t)shape.width;
    TRY(dataset_read(natural->dataset, (size_t)image, shower->bytes, error));
    dataset_normalise(natural->dataset, shower->bytes, model_mean(model), model_std(model), shower->image);
    for (size_t c = 0; c < (size_t)shape.channels; c++)
        memcpy(shower->inputs + (c * (size_t)n + (size_t)i) * n_pixels, shower->image + c * n_pixels,
               n_pixels * sizeof *shower->image);
    return STATUS_OK;
}

/** n images from `first` on, which go into the columns from `column` on. */
static enum status show(struct shower *shower, int64_t first, int n, int64_t column, int64_t n_columns,
                        struct error *error)
{
    const struct presentation presentation = {.n_images = n};
    for (int i = 0; i < n; i++)
        TRY(read_input(shower, first + i, i, n, error));
    model_forward(shower->run, shower->inputs, model_output_layer(shower->natural->network.model),
                  &presentation);
    for (int i = 0; i < n; i++)
        TRY(keep_activations(shower, i, first + i, column + i, n_columns, error));
    TRY(model_check(shower->natural->network.model, error));
    shower->n_images += n;
    if (shower->deal != NULL || clock_seconds() - shower->last_told > count_interval)
        tell(shower);
    return STATUS_OK;
}

/** report: 1 chunk finished, or left on the way because of a signal. */
static enum status do_chunk(struct shower *shower, int64_t chunk, struct batch_report *report,
                            struct error *error)
{
    const struct natural_parts *parts = &shower->natural->parts;
    const int64_t first = natural_chunk_first(chunk), n = natural_chunk_images(parts, chunk);
    *report = (struct batch_report){0};
    for (int64_t i = 0; i < n; i += shower->batch) {
        if (should_stop(shower)) {
            report->n_unfinished = 1;
            return STATUS_OK;
        }
        TRY(show(shower, first + i, (int)(n - i < shower->batch ? n - i : shower->batch), i, n, error));
    }
    TRY(journal_append_values(shower->journal, (uint64_t)chunk, shower->values, parts->n_units * n, error));
    report->n_finished = 1;
    return STATUS_OK;
}

/* ---- worker ranks ---- */

static enum status serve_chunks(struct shower *shower, struct error *error)
{
    const struct ranks *ranks = &shower->natural->ranks;
    for (;;) {
        struct batch_report report;
        struct replay unused;
        float *no_scores;
        int64_t chunk;
        int n;
        messages_send_request(ranks);
        TRY(messages_receive_batch(ranks, 1, &chunk, &n, &unused, &no_scores, error));
        free(no_scores);
        if (n == 0)
            break;
        TRY(do_chunk(shower, chunk, &report, error));
        tell(shower);
        messages_send_report(ranks, &report);
    }
    messages_stop_arrived(ranks); /* it may have come too late for a chunk */
    return STATUS_OK;
}

/* ---- rank 0 ---- */

/** The next chunk that is not there, or -1. */
static int64_t deal_take(struct deal *deal)
{
    if (deal->stopping)
        return -1;
    while (deal->next < deal->parts->n_chunks && deal->parts->chunks[deal->next] != NULL)
        deal->next++;
    return deal->next < deal->parts->n_chunks ? deal->next++ : -1;
}

static void deal_note(struct deal *deal, const struct batch_report *report)
{
    deal->n_finished += report->n_finished;
    deal->stopping = deal->stopping || report->n_unfinished > 0;
}

/** Returns whether the worker will ask for nothing more. */
static bool handle(struct deal *deal, const struct ranks *ranks, const struct message *message)
{
    const struct replay nothing_known = {0};
    int64_t chunk;
    switch (message->kind) {
    case MESSAGE_REQUEST:
        chunk = deal_take(deal);
        messages_send_batch(ranks, message->rank, &chunk, chunk >= 0, &nothing_known);
        return chunk < 0;
    case MESSAGE_COUNT:
        deal->n_images += message->n_queries;
        return false;
    case MESSAGE_REPORT:
        deal_note(deal, &message->report);
        return false;
    case MESSAGE_FAULT:
        deal->has_fault = true;
        deal->stopping = true;
        return true;
    case MESSAGE_HELLO:
    case MESSAGE_NONE:
        break;
    }
    return false;
}

/** Tell everybody who still serves, once. */
static void stop_workers(const struct ranks *ranks, const bool *has_left, bool *told)
{
    for (int rank = 1; rank < ranks->n_ranks && !*told; rank++)
        if (!has_left[rank])
            messages_send_stop(ranks, rank);
    *told = true;
}

static enum status serve_workers(struct deal *deal, const struct ranks *ranks, struct error *error)
{
    bool *has_left = NULL, told = false;
    double pause = 1e-4;
    TRY(MEMORY_ALLOCATE(has_left, (size_t)ranks->n_ranks, error));
    for (int n_serving = ranks->n_ranks - 1; n_serving > 0;) {
        struct message message;
        messages_receive(ranks, &message);
        if (handle(deal, ranks, &message)) {
            has_left[message.rank] = true;
            n_serving--;
        }
        deal->stopping = deal->stopping || signals_arrived();
        if (deal->stopping)
            stop_workers(ranks, has_left, &told);
        counter_show(&deal->counter, (size_t)deal->n_images);
        pause = message.kind != MESSAGE_NONE ? 1e-4 : pause < 5e-3 ? pause * 2 : pause;
        if (message.kind == MESSAGE_NONE)
            clock_sleep(pause);
    }
    free(has_left);
    return STATUS_OK;
}

static enum status work_alone(struct deal *deal, struct shower *shower, struct error *error)
{
    shower->deal = deal;
    for (int64_t chunk; (chunk = deal_take(deal)) >= 0;) {
        struct batch_report report;
        TRY(do_chunk(shower, chunk, &report, error));
        deal_note(deal, &report);
    }
    return STATUS_OK;
}

/** shower: NULL where others work. */
static enum status lead(struct natural *natural, struct shower *shower, struct error *error)
{
    struct deal deal = {.parts = &natural->parts};
    int64_t n_images = 0;
    for (int64_t i = 0; i < natural->parts.n_chunks; i++) {
        const bool is_pending = natural->parts.chunks[i] == NULL;
        deal.n_pending += is_pending;
        n_images += is_pending ? natural_chunk_images(&natural->parts, i) : 0;
    }
    counter_begin(&deal.counter, "images", (size_t)n_images);
    const enum status status =
        shower == NULL ? serve_workers(&deal, &natural->ranks, error) : work_alone(&deal, shower, error);
    counter_end(&deal.counter);
    natural->n_shown = deal.n_images;
    if (status == STATUS_OK && !deal.has_fault && deal.n_finished < deal.n_pending)
        return error_set(error, STATUS_STOPPED,
                         "stopped by a signal; start the same command again to continue");
    return status;
}

enum status natural_work(struct natural *natural, struct error *error)
{
    const bool leads = natural->ranks.rank == 0, works = !leads || natural->ranks.n_ranks == 1;
    struct shower shower = {0};
    enum status status = works ? shower_open(natural, &shower, error) : STATUS_OK;
    TRY_CLEANUP(ranks_agree(&natural->ranks, status, error));
    status = leads ? lead(natural, works ? &shower : NULL, error) : serve_chunks(&shower, error);
    if (!leads && status != STATUS_OK)
        messages_send_fault(&natural->ranks);
    if (!works && status != STATUS_OK && status != STATUS_STOPPED)
        ranks_abort(&natural->ranks, error); /* the workers wait for chunks */
cleanup:
    shower_close(&shower);
    return status;
}
