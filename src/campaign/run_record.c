/* SPDX-License-Identifier: MIT */
#include "run_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "memory.h"
#include "trials.h"

/** A record under construction. */
struct draft {
    const struct record_layout *layout;
    void *record;
};

static void put_uint8(const struct draft *draft, enum record_field_id field, int value)
{
    *(uint8_t *)record_at(draft->layout, draft->record, field) = (uint8_t)value;
}

static void put_int64(const struct draft *draft, enum record_field_id field, int64_t value)
{
    *(int64_t *)record_at(draft->layout, draft->record, field) = value;
}

static void put_uint64(const struct draft *draft, enum record_field_id field, uint64_t value)
{
    *(uint64_t *)record_at(draft->layout, draft->record, field) = value;
}

static void put_float(const struct draft *draft, enum record_field_id field, float value)
{
    *(float *)record_at(draft->layout, draft->record, field) = value;
}

static void put_double(const struct draft *draft, enum record_field_id field, double value)
{
    *(double *)record_at(draft->layout, draft->record, field) = value;
}

static void put_summary(const struct draft *draft, const struct run_outcome *outcome, uint64_t key,
                        const struct unit *unit, bool spiking)
{
    put_uint8(draft, FIELD_STATUS, RUN_DONE);
    put_uint8(draft, FIELD_STOP_REASON, outcome->stop_reason);
    put_uint8(draft, FIELD_SILENT, !outcome->any_activity && unit->kind != UNIT_CLASS);
    put_uint8(draft, FIELD_SATURATED, spiking && outcome->activation_searched == 1.0f);
    put_float(draft, FIELD_ACTIVATION_SEARCHED, outcome->activation_searched);
    put_float(draft, FIELD_CLOSENESS, outcome->closeness);
    put_int64(draft, FIELD_QUERIES, outcome->queries);
    put_int64(draft, FIELD_START_QUERIES, outcome->start_queries);
    put_int64(draft, FIELD_EVALUATIONS, outcome->evaluations);
    put_int64(draft, FIELD_BEST_QUERY, outcome->best_query);
    put_uint64(draft, FIELD_KEY, key);
    put_uint64(draft, FIELD_CODES_HASH, outcome->codes_hash);
    put_double(draft, FIELD_SECONDS_SEARCH, outcome->seconds_search);
    *(int32_t *)record_at(draft->layout, draft->record, FIELD_INCARNATION) = -1; /* gather knows it */
    *(int32_t *)record_at(draft->layout, draft->record, FIELD_RECOMMENDED) = outcome->recommended;
    memcpy(record_at(draft->layout, draft->record, FIELD_LATENT), outcome->best_code,
           sizeof *outcome->best_code * (size_t)draft->layout->sizes.dimensions);
}

static void put_scores(const struct draft *draft, int64_t n_scores, const float *scores, bool minimise)
{
    float *trace = record_at(draft->layout, draft->record, FIELD_TRACE);
    float *history = record_at(draft->layout, draft->record, FIELD_HISTORY);
    int64_t queries[RECORD_HISTORY_MAX];
    const int n_history = record_history_queries(draft->layout->sizes.budget, queries);
    for (int64_t q = 0; q < draft->layout->sizes.trace; q++)
        trace[q] = q < n_scores ? scores[q] : NAN;
    float best = NAN;
    int64_t q = 0;
    for (int i = 0; i < n_history; i++) {
        for (; q < queries[i] && q < n_scores; q++)
            if (isnan(best) || (minimise ? scores[q] < best : scores[q] > best))
                best = scores[q];
        history[i] = best;
    }
}

/** Where there are fewer candidates than room for them the rest shows what a missing run shows. */
static void put_candidates(const struct draft *draft, const struct run_outcome *outcome,
                           int64_t n_presentations)
{
    const struct candidates *candidates = &outcome->candidates;
    const struct record_sizes *sizes = &draft->layout->sizes;
    int64_t *query = record_at(draft->layout, draft->record, FIELD_RECHECK_QUERY);
    float *score = record_at(draft->layout, draft->record, FIELD_RECHECK_SCORE);
    float *mean = record_at(draft->layout, draft->record, FIELD_RECHECK_MEAN);
    int32_t *latent = record_at(draft->layout, draft->record, FIELD_RECHECK_LATENT);
    memset(latent, -1, sizeof *latent * (size_t)(sizes->candidates * sizes->dimensions));
    for (int64_t i = 0; i < sizes->candidates; i++) {
        const bool is_there = i < candidates->n;
        query[i] = is_there ? candidates->items[i].query : 0;
        score[i] = is_there ? candidates->items[i].score : NAN;
        mean[i] = is_there ? outcome->candidate_means[i] : NAN;
        if (is_there)
            memcpy(latent + i * sizes->dimensions, candidates->items[i].code,
                   sizeof *latent * (size_t)sizes->dimensions);
    }
    put_int64(draft, FIELD_RECHECKS, candidates->n * n_presentations);
}

static uint8_t to_byte(double rgb)
{
    const double clipped = rgb < 0 ? 0 : rgb > 1 ? 1 : rgb;
    return (uint8_t)lrint(clipped * 255);
}

static void put_image(const struct draft *draft, const struct model *subject, const float *image)
{
    const struct map_shape shape = model_input_shape(subject);
    const size_t channels = (size_t)shape.channels, pixels = (size_t)shape.height * (size_t)shape.width;
    uint8_t *rgb = record_at(draft->layout, draft->record, FIELD_MEI_RGB8);
    memcpy(record_at(draft->layout, draft->record, FIELD_MEI), image, sizeof *image * channels * pixels);
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++)
            rgb[p * channels + c] =
                to_byte((double)image[c * pixels + p] * model_std(subject)[c] + model_mean(subject)[c]);
}

/** Show the MEI once from a fresh state. */
static void put_activation(const struct draft *draft, const struct model *subject, struct model_run *run,
                           const struct unit *unit, const float *image)
{
    model_forward(run, image, model_output_layer(subject), NULL);
    put_float(draft, FIELD_ACTIVATION, unit_activation(run, unit));
    class_probabilities(run, subject, record_at(draft->layout, draft->record, FIELD_CLASS_PROBABILITY));
}

/** All trials; false if the watch asked to leave. */
static bool put_trials(const struct draft *draft, const struct plan *plan, const struct model *subject,
                       struct model_run *run, const struct unit *unit, const float *image, uint64_t key,
                       float *scratch, const struct lockstep_watch *watch)
{
    const struct record_sizes *sizes = &draft->layout->sizes;
    float *activation = record_at(draft->layout, draft->record, FIELD_TRIAL_ACTIVATION);
    float *entropy = record_at(draft->layout, draft->record, FIELD_TRIAL_ENTROPY);
    float *probability = record_at(draft->layout, draft->record, FIELD_TRIAL_PROBABILITY);
    for (int64_t trial = 0; trial < sizes->trials; trial++) {
        if (watch != NULL && watch->should_stop(watch->context))
            return false;
        struct trial_result result = {.probability = probability + trial * sizes->classes};
        trial_present(run, subject, unit, &plan->job->trials, key, trial, image, scratch, &result);
        activation[trial] = result.activation;
        entropy[trial] = result.entropy;
    }
    return true;
}

/** What a program says to its MEI, shown once and once more for every trial; its noise is its own, and it
 * tells no class probabilities. */
static enum status put_answers(const struct draft *draft, struct evaluator *evaluator,
                               const struct unit *unit, const float *image,
                               const struct lockstep_watch *watch, struct error *error)
{
    enum { SHOWN_AT_ONCE = 64 };
    const struct child_watch waiting = {watch == NULL ? NULL : watch->should_stop,
                                        watch == NULL ? NULL : watch->context};
    const int64_t n_trials = draft->layout->sizes.trials;
    float *activation = record_at(draft->layout, draft->record, FIELD_TRIAL_ACTIVATION);
    float *entropy = record_at(draft->layout, draft->record, FIELD_TRIAL_ENTROPY);
    TRY(evaluator_ask_image(evaluator, unit, image, 1, &waiting,
                            record_at(draft->layout, draft->record, FIELD_ACTIVATION), error));
    for (int64_t trial = 0; trial < n_trials; trial += SHOWN_AT_ONCE) {
        const int64_t left = n_trials - trial;
        TRY(evaluator_ask_image(evaluator, unit, image, (int)(left < SHOWN_AT_ONCE ? left : SHOWN_AT_ONCE),
                                &waiting, activation + trial, error));
    }
    for (int64_t trial = 0; trial < n_trials; trial++)
        entropy[trial] = NAN;
    return STATUS_OK;
}

enum status run_record_fill(const struct plan *plan, struct evaluator *evaluator, const struct run *run,
                            const struct run_outcome *outcome, const float *scores,
                            const struct lockstep_watch *watch, void *record, bool *finished,
                            struct error *error)
{
    const struct plan_group *group = &plan->groups[run->group];
    const struct plan_subject *subject = &plan->subjects[group->subject];
    const struct unit *unit = &subject->units[run->unit];
    const struct draft draft = {&group->layout, record};
    const struct record_sizes *sizes = &group->layout.sizes;
    const size_t n_values = (size_t)(sizes->channels * sizes->height * sizes->width);
    float *image = NULL, *scratch = NULL;
    enum status status = STATUS_OK;
    TRY_CLEANUP(MEMORY_ALLOCATE(image, n_values, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scratch, n_values * (size_t)model_timesteps(subject->model), error));
    memcpy(image, evaluator_image(evaluator, outcome->best_code), sizeof *image * n_values);
    put_summary(&draft, outcome, run->key, unit, model_layer_is_spiking(subject->model, unit->layer));
    if (outcome->history == NULL)
        put_scores(&draft, outcome->queries, scores, group->minimise);
    else
        memcpy(record_at(draft.layout, record, FIELD_HISTORY), outcome->history,
               (size_t)sizes->history * sizeof *outcome->history);
    if (outcome->bred_for != NULL)
        strncpy(record_at(draft.layout, record, FIELD_BRED_FOR), outcome->bred_for, RECORD_TEXT_BYTES - 1);
    if (group->layout.sizes.candidates > 0)
        put_candidates(&draft, outcome, plan->job->searches[group->search].recheck.presentations);
    put_image(&draft, subject->model, image);
    const double started = clock_seconds();
    if (evaluator_asks_program(evaluator)) {
        TRY_CLEANUP(put_answers(&draft, evaluator, unit, image, watch, error));
        *finished = true;
    } else {
        put_activation(&draft, subject->model, evaluator_subject(evaluator), unit, image);
        *finished = put_trials(&draft, plan, subject->model, evaluator_subject(evaluator), unit, image,
                               run->key, scratch, watch);
    }
    if (model_layer_is_spiking(subject->model, unit->layer) &&
        *(const float *)record_at(&group->layout, record, FIELD_ACTIVATION) == 1.0f)
        put_uint8(&draft, FIELD_SATURATED, 1);
    put_double(&draft, FIELD_SECONDS_TRIALS, clock_seconds() - started);
cleanup:
    free(image);
    free(scratch);
    return status;
}

void run_record_refit(const struct record_layout *from, const void *old, const struct record_layout *to,
                      bool minimise, void *record)
{
    const struct draft draft = {to, record};
    const int64_t n_scores = *(const int64_t *)record_at_const(from, old, FIELD_QUERIES);
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        const enum record_field_id field = (enum record_field_id)i;
        if (from->n_elements[field] == to->n_elements[field])
            memcpy(record_at(to, record, field), record_at_const(from, old, field),
                   to->n_elements[field] * record_type_bytes(record_fields[field].type));
    }
    put_scores(&draft, n_scores, record_at_const(from, old, FIELD_TRACE), minimise);
}

static void fill_nan(const struct draft *draft, enum record_field_id field)
{
    float *values = record_at(draft->layout, draft->record, field);
    for (size_t i = 0; i < draft->layout->n_elements[field]; i++)
        values[i] = NAN;
}

void run_record_failed(const struct record_layout *layout, uint64_t key, const char *message, void *record)
{
    const struct draft draft = {layout, record};
    memset(record, 0, layout->n_bytes);
    for (int field = 0; field < N_RECORD_FIELDS; field++)
        if (record_fields[field].type == RECORD_FLOAT32)
            fill_nan(&draft, (enum record_field_id)field);
    put_uint8(&draft, FIELD_STATUS, RUN_FAILED);
    put_uint64(&draft, FIELD_KEY, key);
    *(int32_t *)record_at(layout, record, FIELD_INCARNATION) = -1;
    *(int32_t *)record_at(layout, record, FIELD_RECOMMENDED) = -1;
    strncpy(record_at(layout, record, FIELD_MESSAGE), message, RECORD_TEXT_BYTES - 1);
}
