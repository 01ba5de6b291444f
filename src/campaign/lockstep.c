/* SPDX-License-Identifier: MIT */
#include "lockstep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>

#include "answers.h"
#include "clock.h"
#include "closeness.h"
#include "hash.h"
#include "memory.h"
#include "run_record.h"
#include "seen_codes.h"
#include "trials.h"

/** What random numbers of a run are for, beside its search (0) and its trials. */
static const char query_noise[] = "query", recheck_noise[] = "recheck";

/** One run on its way. */
struct active_run {
    const struct run *run;
    const struct unit *unit;
    const struct search_method *method;
    struct search *search;
    int n_start;    /**< codes that it is told before it asks any */
    int batch;      /**< codes an ask */
    int n_codes;    /**< of the start or of the last ask */
    int32_t *codes; /**< [n_codes][d] */
    float *scores;  /**< [budget]: every query so far */
    struct seen_codes *seen;
    struct answers answers;              /**< of a subject that is shown many images at once */
    bool is_asked;                       /**< its next codes are there, on their way on a device */
    int n_shown, first_shown, end_shown; /**< of these codes, on a device */
    struct error fault;                  /**< of its last step, on a device */
    struct replay replay;
    struct run_outcome outcome;
    void *record;
    struct active_run *before; /* the replicate that it has to be unlike; NULL: none */
    float *mei;                /* image of the winner, for the replicates that follow; NULL: there is none */
    double started;            /* when it began to ask; 0: not yet */
    bool is_settled;           /* its winner is named */
    bool finished, is_refuted; /* is_refuted: its codes do not repeat those of the replay */
    int64_t n_told;
    uint64_t told_hash; /**< of the codes of the n_told queries */
    int64_t n_counted;  /**< queries that the watch has been told of */
};

/** Runs that ask a device together, while the runs of the other half are scored and told. */
struct half {
    int first, end; /**< its runs */
    int n_queries;  /**< on their way */
    bool is_flying;
    struct evaluator_query *queries; /**< [n_queries] */
    float *activations;              /**< likewise */
};

struct lockstep {
    const struct plan *plan;
    const struct plan_group *group;
    const struct job_search *settings;
    struct evaluator *evaluator;
    const struct lockstep_watch *watch;
    int n_runs;
    struct active_run *runs;
    double started;   /**< for what a run costs */
    bool has_answers; /**< is the subject shown many images at once? */
    bool is_flown;    /**< on a device */
    struct half halves[EVALUATOR_FLIGHTS];
    int n_threads; /**< that the runs of a half are asked, scored and told by */
};

static enum status start_search(const struct lockstep *lockstep, struct active_run *active,
                                struct error *error)
{
    const struct plan *plan = lockstep->plan;
    const struct job_method *method = &plan->job->methods[lockstep->group->method];
    const struct latent_space *latent = model_latent(plan->generators[lockstep->group->generator]);
    const struct search_problem problem = {.n_dimensions = latent->n_dimensions,
                                           .n_points = latent->n_points,
                                           .budget = lockstep->settings->first_budget,
                                           .key = active->run->key,
                                           .low = latent->kind == LATENT_GRID ? latent->low : 0,
                                           .high = latent->kind == LATENT_GRID ? latent->high : 0};
    search_destroy(active->method, active->search);
    active->search = NULL;
    active->is_refuted = false;
    active->n_told = 0;
    active->told_hash = 0;
    candidates_clear(&active->outcome.candidates);
    active->outcome = (struct run_outcome){.best_code = active->outcome.best_code,
                                           .activation_searched = NAN,
                                           .recommended = -1,
                                           .candidates = active->outcome.candidates,
                                           .candidate_means = active->outcome.candidate_means};
    seen_codes_clear(active->seen);
    return search_create(method->method, &problem, method->settings, &active->search, error);
}

/** A fault of this one run, not of the machine: it is recorded, and the others go on. */
static void fail_run(const struct lockstep *lockstep, struct active_run *active, const char *message)
{
    run_record_failed(&lockstep->group->layout, active->run->key, message, active->record);
    active->finished = active->is_settled = true;
}

static enum status start_run(const struct lockstep *lockstep, struct active_run *active, int64_t run_index,
                             const struct replay *replay, struct error *error)
{
    const struct plan *plan = lockstep->plan;
    const struct job_method *method = &plan->job->methods[lockstep->group->method];
    const struct record_sizes *sizes = &lockstep->group->layout.sizes;
    active->run = &plan->runs[run_index];
    active->unit = &plan->subjects[lockstep->group->subject].units[active->run->unit];
    active->method = method->method;
    active->batch = method->method->batch(method->settings, sizes->dimensions);
    active->replay = *replay;
    active->n_start = lockstep->group->n_start;
    const int most = active->batch > active->n_start ? active->batch : active->n_start;
    TRY(MEMORY_ALLOCATE(active->codes, (size_t)most * (size_t)sizes->dimensions, error));
    TRY(MEMORY_ALLOCATE(active->scores, (size_t)sizes->budget, error));
    TRY(memory_allocate(&active->record, 1, lockstep->group->layout.n_bytes, "record", error));
    TRY(seen_codes_create(&active->seen, error));
    if (lockstep->has_answers)
        TRY(answers_create(most, sizeof *active->codes * (size_t)sizes->dimensions, &active->answers, error));
    TRY(MEMORY_ALLOCATE(active->outcome.best_code, (size_t)sizes->dimensions, error));
    TRY(MEMORY_ALLOCATE(active->outcome.candidate_means, (size_t)sizes->candidates, error));
    TRY(candidates_prepare(&active->outcome.candidates, (int)sizes->candidates, (size_t)sizes->dimensions,
                           lockstep->group->minimise, error));
    struct error method_error = {0};
    const enum status status = start_search(lockstep, active, &method_error);
    if (status == STATUS_BAD_INPUT)
        fail_run(lockstep, active, method_error.message);
    else if (status != STATUS_OK)
        *error = method_error;
    return active->finished ? STATUS_OK : status;
}

/** Is `a` a better activation than `b` in the direction of the group? */
static bool is_better(const struct plan_group *group, float a, float b)
{
    return isnan(b) ? !isnan(a) : group->minimise ? a < b : a > b;
}

/** Make images of the code at `first` and of those after it that are not known yet, as many as go together.
 */
static void make_images(const struct lockstep *lockstep, struct active_run *active, int first)
{
    const struct record_sizes *sizes = &lockstep->group->layout.sizes;
    const int32_t *codes[KERNELS_LARGEST_BATCH];
    const int64_t left = sizes->budget - active->outcome.queries;
    int n_codes = 0;
    float score;
    for (int i = first; i < active->n_codes && i - first < left; i++) {
        const int32_t *code = active->codes + i * sizes->dimensions;
        if (n_codes < evaluator_batch(lockstep->evaluator) &&
            !seen_codes_find(active->seen, code, sizeof *code * (size_t)sizes->dimensions, &score))
            codes[n_codes++] = code;
    }
    evaluator_make_images(lockstep->evaluator, n_codes, codes);
}

/** Does the subject answer otherwise each time? */
static bool is_noisy(const struct lockstep *lockstep)
{
    const struct model *subject = lockstep->plan->subjects[lockstep->group->subject].model;
    return lockstep->settings->noise.noise != NOISE_NONE || !model_is_deterministic(subject);
}

static uint64_t noise_key(const struct active_run *active, const char *purpose)
{
    return hash_continue(active->run->key, purpose, strlen(purpose));
}

static size_t image_values(const struct lockstep *lockstep)
{
    const struct record_sizes *sizes = &lockstep->group->layout.sizes;
    return (size_t)(sizes->channels * sizes->height * sizes->width);
}

/** The largest to an MEI of the replicates before. */
static double closeness_before(const struct lockstep *lockstep, const struct active_run *active,
                               const float *image)
{
    double closeness = 0;
    for (const struct active_run *other = active->before; other != NULL; other = other->before)
        if (other->mei != NULL)
            closeness = fmax(closeness, image_closeness(image_values(lockstep), image, other->mei));
    return closeness;
}

/** What is to be made large, or small when minimising: the activation, and to be unlike the MEIs before. */
static float penalise(const struct lockstep *lockstep, const struct active_run *active, const float *image,
                      float activation)
{
    const double weight =
        lockstep->group->minimise ? -lockstep->settings->distinct : lockstep->settings->distinct;
    return active->before == NULL
               ? activation
               : (float)((double)activation - weight * closeness_before(lockstep, active, image));
}

static float show(const struct lockstep *lockstep, const struct active_run *active, const int32_t *code)
{
    const float *image = evaluator_image(lockstep->evaluator, code);
    const float activation =
        is_noisy(lockstep)
            ? evaluator_noisy_activation(lockstep->evaluator, active->unit, &lockstep->settings->noise,
                                         noise_key(active, query_noise), active->outcome.queries, image)
            : evaluator_activation(lockstep->evaluator, active->unit, image);
    return penalise(lockstep, active, image, activation);
}

/** Score of code `i` of an ask: from the replay, from an equal code earlier in the run, or shown to the
 * subject. */
static float score_code(const struct lockstep *lockstep, struct active_run *active, int i)
{
    const int32_t *code = active->codes + i * lockstep->group->layout.sizes.dimensions;
    struct run_outcome *outcome = &active->outcome;
    const size_t bytes = sizeof *code * (size_t)lockstep->group->layout.sizes.dimensions;
    float score;
    if (!is_noisy(lockstep) && seen_codes_find(active->seen, code, bytes, &score))
        return score;
    outcome->evaluations++;
    if (outcome->queries < active->replay.n_scores) {
        score = active->replay.scores[outcome->queries];
    } else if (lockstep->has_answers) {
        score = active->answers.scores[i];
        if (active->before != NULL)
            score = penalise(lockstep, active, evaluator_image(lockstep->evaluator, code), score);
    } else {
        if (!evaluator_has_image(lockstep->evaluator, code))
            make_images(lockstep, active, i);
        score = show(lockstep, active, code);
    }
    if (!is_noisy(lockstep))
        seen_codes_add(active->seen, code, bytes, score);
    return score;
}

static void take_score(const struct lockstep *lockstep, struct active_run *active, const int32_t *code,
                       float score)
{
    struct run_outcome *outcome = &active->outcome;
    const size_t n = (size_t)lockstep->group->layout.sizes.dimensions;
    active->scores[outcome->queries++] = score;
    outcome->start_queries += active->n_told < active->n_start;
    outcome->codes_hash = hash_continue(outcome->codes_hash, code, sizeof *code * n);
    outcome->any_activity = outcome->any_activity || score > 0;
    candidates_offer(&outcome->candidates, code, score, outcome->queries);
    if (!is_better(lockstep->group, score, outcome->activation_searched))
        return;
    outcome->activation_searched = score;
    outcome->best_query = outcome->queries;
    memcpy(outcome->best_code, code, sizeof *code * n);
}

/** Is it known already when the run ends? By now, time might end it elsewhere. */
static bool is_repeated(const struct active_run *active)
{
    return active->replay.end != STOP_NONE && active->outcome.queries <= active->replay.n_scores;
}

static enum stop_reason check_stop(const struct lockstep *lockstep, const struct active_run *active)
{
    const struct job_stop *stop = &lockstep->plan->job->stop;
    const struct run_outcome *outcome = &active->outcome;
    const struct model *subject = lockstep->plan->subjects[lockstep->group->subject].model;
    const bool minimise = lockstep->group->minimise;
    const float best = outcome->activation_searched;
    if (is_repeated(active))
        return outcome->queries == active->replay.n_scores ? active->replay.end : STOP_NONE;
    if (stop->at_bound && model_layer_is_spiking(subject, active->unit->layer) &&
        best == (minimise ? 0.0f : 1.0f))
        return STOP_BOUND;
    if (stop->has_target && (minimise ? (double)best <= stop->target : (double)best >= stop->target))
        return STOP_TARGET;
    if (outcome->queries >= lockstep->group->layout.sizes.budget)
        return STOP_BUDGET;
    if (stop->no_improvement > 0 && outcome->queries - outcome->best_query >= stop->no_improvement)
        return STOP_NO_IMPROVEMENT;
    if (stop->seconds > 0 && clock_seconds() - active->started > stop->seconds)
        return STOP_WALL_TIME;
    return STOP_NONE;
}

/** Tell a whole batch; a minimising search is told the negative, as methods only ever maximise. */
static void tell_batch(const struct lockstep *lockstep, struct active_run *active)
{
    const bool is_start = active->n_told < active->n_start;
    float *scores = active->scores + active->n_told;
    const float sign = lockstep->group->minimise ? -1.0f : 1.0f;
    for (int i = 0; i < active->n_codes; i++)
        scores[i] *= sign;
    if (is_start)
        active->method->inform(active->search, active->n_codes, active->codes, scores);
    else
        active->method->tell(active->search, scores);
    for (int i = 0; i < active->n_codes; i++)
        scores[i] *= sign;
    active->n_told = active->outcome.queries;
    active->told_hash = active->outcome.codes_hash;
}

/** Have the scores of the replay just been used up, and do they belong to other codes? */
static bool is_refuted(const struct active_run *active)
{
    return active->outcome.queries == active->replay.n_scores &&
           active->outcome.codes_hash != active->replay.codes_hash;
}

static bool should_stop(const struct lockstep *lockstep)
{
    return lockstep->watch != NULL && lockstep->watch->should_stop(lockstep->watch->context);
}

/** Queries that are new since the last call; those of the replay are not. */
static void count_queries(const struct lockstep *lockstep, struct active_run *active)
{
    const int64_t told = active->n_counted, n_scores = active->replay.n_scores,
                  first = told > n_scores ? told : n_scores;
    if (lockstep->watch != NULL && active->outcome.queries > first)
        lockstep->watch->count_queries(lockstep->watch->context, active->outcome.queries - first);
    active->n_counted = active->outcome.queries;
}

/** Place of the run's unit in its group. */
static int64_t unit_place(const struct lockstep *lockstep, const struct active_run *active)
{
    const struct plan_group *group = lockstep->group;
    int64_t place = 0;
    while (group->units[place] != active->run->unit)
        place++;
    return place;
}

/** The start codes first of all, then what the method asks. */
static void next_codes(const struct lockstep *lockstep, struct active_run *active)
{
    const int64_t n_dimensions = lockstep->group->layout.sizes.dimensions;
    if (active->started == 0)
        active->started = clock_seconds();
    if (active->n_told >= active->n_start) {
        active->n_codes = active->batch;
        active->method->ask(active->search, active->codes);
        return;
    }
    const int64_t unit = unit_place(lockstep, active);
    active->n_codes = active->n_start;
    for (int i = 0; i < active->n_start; i++)
        memcpy(active->codes + i * n_dimensions, plan_start_code(lockstep->group, unit, i),
               sizeof *active->codes * (size_t)n_dimensions);
}

/** Score the codes of one ask, until there is a reason to stop. Those that a device has answered are scored
 * in no time, perhaps by a thread of their own, which the watch is none of the business of. */
static void score_batch(const struct lockstep *lockstep, struct active_run *active)
{
    const int64_t n_dimensions = lockstep->group->layout.sizes.dimensions;
    for (int i = 0; i < active->n_codes && active->outcome.stop_reason == STOP_NONE; i++) {
        if (!lockstep->is_flown && should_stop(lockstep))
            break;
        const float score = score_code(lockstep, active, i);
        take_score(lockstep, active, active->codes + i * n_dimensions, score);
        active->is_refuted = is_refuted(active);
        if (active->is_refuted)
            break;
        active->outcome.stop_reason = check_stop(lockstep, active);
    }
}

/** Scores of other codes are worthless: start again without them. */
static enum status start_anew(const struct lockstep *lockstep, struct active_run *active, struct error *error)
{
    active->replay = (struct replay){0};
    return start_search(lockstep, active, error);
}

/** What has to be shown of an ask: without what the replay has and what the budget cuts, from *first on to
 *  before *end. */
static int choose_shown(const struct lockstep *lockstep, struct active_run *active, int *first, int *end)
{
    const int64_t queries = active->outcome.queries, left = lockstep->group->layout.sizes.budget - queries,
                  replayed = active->replay.n_scores > queries ? active->replay.n_scores - queries : 0;
    *first = (int)(replayed < active->n_codes ? replayed : active->n_codes);
    *end = (int)(left < active->n_codes ? left : active->n_codes);
    return answers_choose(&active->answers, active->codes, *first, *end,
                          is_noisy(lockstep) ? NULL : active->seen);
}

/** A program is asked for a whole batch at once. */
static enum status ask_program(const struct lockstep *lockstep, struct active_run *active,
                               struct error *error)
{
    const struct child_watch watch = {lockstep->watch == NULL ? NULL : lockstep->watch->should_stop,
                                      lockstep->watch == NULL ? NULL : lockstep->watch->context};
    int first, end;
    const int n = choose_shown(lockstep, active, &first, &end);
    if (n == 0)
        return STATUS_OK;
    TRY(evaluator_ask_codes(lockstep->evaluator, active->unit, n, active->answers.shown, &watch,
                            active->answers.shown_activation, error));
    answers_take(&active->answers, first, end);
    return STATUS_OK;
}

/** Faults of a program are the run's; one that was left while it thought is asked again later. */
static enum status judge(const struct lockstep *lockstep, struct active_run *active, enum status status,
                         const struct error *fault, struct error *error)
{
    if (status == STATUS_BAD_INPUT || status == STATUS_IO)
        fail_run(lockstep, active, fault->message);
    else if (status != STATUS_STOPPED && status != STATUS_OK)
        *error = *fault;
    return active->finished || status == STATUS_STOPPED ? STATUS_OK : status;
}

/** Score what was asked, and tell it. A batch that was left on the way is forgotten: it is asked again later.
 */
static enum status score_and_tell(const struct lockstep *lockstep, struct active_run *active,
                                  struct error *error)
{
    const int64_t before = active->outcome.queries;
    score_batch(lockstep, active);
    if (active->is_refuted)
        return start_anew(lockstep, active, error);
    if (active->outcome.stop_reason != STOP_NONE || active->outcome.queries < before + active->n_codes)
        return STATUS_OK;
    tell_batch(lockstep, active);
    return STATUS_OK;
}

/** One ask and tell of one run. */
static enum status advance(const struct lockstep *lockstep, struct active_run *active, struct error *error)
{
    next_codes(lockstep, active);
    if (evaluator_asks_program(lockstep->evaluator)) {
        struct error fault = {0};
        const enum status status = ask_program(lockstep, active, &fault);
        if (status != STATUS_OK)
            return judge(lockstep, active, status, &fault, error);
    }
    const enum status status = score_and_tell(lockstep, active, error);
    count_queries(lockstep, active);
    return status;
}

/* ---- the winner ---- */

/** Present a candidate again and again. STATUS_STOPPED: the watch wants to leave. */
static enum status present_again(const struct lockstep *lockstep, struct active_run *active, int candidate,
                                 struct error *error)
{
    const int64_t n = lockstep->settings->recheck.presentations;
    const float *image =
        evaluator_image(lockstep->evaluator, active->outcome.candidates.items[candidate].code);
    const struct child_watch watch = {lockstep->watch == NULL ? NULL : lockstep->watch->should_stop,
                                      lockstep->watch == NULL ? NULL : lockstep->watch->context};
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        float activation;
        if (should_stop(lockstep))
            return error_set(error, STATUS_STOPPED, "stopped");
        if (evaluator_asks_program(lockstep->evaluator))
            TRY(evaluator_ask_image(lockstep->evaluator, active->unit, image, 1, &watch, &activation, error));
        else
            activation =
                evaluator_noisy_activation(lockstep->evaluator, active->unit, &lockstep->settings->noise,
                                           noise_key(active, recheck_noise), candidate * n + i, image);
        sum += (double)penalise(lockstep, active, image, activation);
    }
    active->outcome.candidate_means[candidate] = (float)(sum / (double)n);
    return STATUS_OK;
}

/** The candidate with the best mean becomes the winner; of equal ones that with the better single score. */
static enum status recheck(const struct lockstep *lockstep, struct active_run *active, struct error *error)
{
    struct run_outcome *outcome = &active->outcome;
    const struct candidates *candidates = &outcome->candidates;
    for (int i = 0; i < candidates->n; i++) {
        TRY(present_again(lockstep, active, i, error));
        if (i == 0 || is_better(lockstep->group, outcome->candidate_means[i],
                                outcome->candidate_means[outcome->recommended]))
            outcome->recommended = i;
    }
    if (candidates->n == 0)
        return STATUS_OK;
    const struct candidate *winner = &candidates->items[outcome->recommended];
    outcome->best_query = winner->query;
    outcome->activation_searched = winner->score;
    memcpy(outcome->best_code, winner->code, sizeof *winner->code * candidates->n_dimensions);
    return STATUS_OK;
}

/** Name the winner. Not if the watch wants to leave; a program's fault is the run's. */
static enum status name_winner(const struct lockstep *lockstep, struct active_run *active, bool *is_named,
                               struct error *error)
{
    struct error fault = {0};
    const enum status status = active->finished ? STATUS_OK : recheck(lockstep, active, &fault);
    TRY(judge(lockstep, active, status, &fault, error));
    *is_named = status != STATUS_STOPPED;
    return STATUS_OK;
}

/** Name the winner, and keep its image for the replicates that follow; not if the watch wants to leave. */
static enum status settle(const struct lockstep *lockstep, struct active_run *active, struct error *error)
{
    const size_t n = image_values(lockstep);
    if (active->is_settled)
        return STATUS_OK;
    TRY(name_winner(lockstep, active, &active->is_settled, error));
    if (!active->is_settled || active->finished)
        return STATUS_OK;
    if (lockstep->group->is_chained && active->outcome.best_query > 0) {
        TRY(MEMORY_ALLOCATE(active->mei, n, error));
        memcpy(active->mei, evaluator_image(lockstep->evaluator, active->outcome.best_code),
               n * sizeof *active->mei);
        active->outcome.closeness = (float)closeness_before(lockstep, active, active->mei);
    }
    return STATUS_OK;
}

/* ---- all runs ---- */

static bool is_searching(const struct active_run *active)
{
    return !active->finished && active->outcome.stop_reason == STOP_NONE;
}

/** A replicate that has to be unlike others waits until they are settled. */
static bool may_advance(const struct active_run *active)
{
    return is_searching(active) && (active->before == NULL || active->before->is_settled);
}

/** Others wait for the winner of a run that has stopped. */
static enum status settle_early(const struct lockstep *lockstep, struct active_run *active,
                                struct error *error)
{
    return lockstep->group->is_chained && !is_searching(active) ? settle(lockstep, active, error) : STATUS_OK;
}

/** Search until every run has stopped, or somebody wants to leave. */
static enum status search_all(struct lockstep *lockstep, struct error *error)
{
    bool searching = true;
    while (searching && !should_stop(lockstep)) {
        searching = false;
        for (int i = 0; i < lockstep->n_runs; i++) {
            if (!may_advance(&lockstep->runs[i]))
                continue;
            TRY(advance(lockstep, &lockstep->runs[i], error));
            TRY(settle_early(lockstep, &lockstep->runs[i], error));
            searching = true;
        }
    }
    return STATUS_OK;
}

/* ---- all runs, on a device: half of them are on their way while the others are scored, told and asked ----
 */

static void ask_run(const struct lockstep *lockstep, struct active_run *active)
{
    active->is_asked = may_advance(active);
    if (!active->is_asked)
        return;
    next_codes(lockstep, active);
    active->n_shown = choose_shown(lockstep, active, &active->first_shown, &active->end_shown);
}

/** Ask the runs of a half that may advance, and show the device all that they ask. */
static enum status start_half(struct lockstep *lockstep, int number, struct error *error)
{
    struct half *half = &lockstep->halves[number];
    half->is_flying = false;
    half->n_queries = 0;
#pragma omp parallel for num_threads(lockstep->n_threads) schedule(dynamic)
    for (int i = half->first; i < half->end; i++)
        ask_run(lockstep, &lockstep->runs[i]);
    for (int i = half->first; i < half->end; i++) {
        const struct active_run *active = &lockstep->runs[i];
        half->is_flying = half->is_flying || active->is_asked;
        for (int j = 0; active->is_asked && j < active->n_shown; j++)
            half->queries[half->n_queries++] =
                (struct evaluator_query){active->answers.shown[j], active->unit};
    }
    return evaluator_start(lockstep->evaluator, number, half->n_queries, half->queries, error);
}

static void take_answers(const struct half *half, struct active_run *runs)
{
    const float *activations = half->activations;
    for (int i = half->first; i < half->end; i++) {
        if (!runs[i].is_asked)
            continue;
        memcpy(runs[i].answers.shown_activation, activations, (size_t)runs[i].n_shown * sizeof *activations);
        activations += runs[i].n_shown;
        answers_take(&runs[i].answers, runs[i].first_shown, runs[i].end_shown);
    }
}

/** Wait for what was shown, score and tell it. Runs of a chain look at images meanwhile: they have one
 * thread. */
static enum status finish_half(struct lockstep *lockstep, int number, struct error *error)
{
    struct half *half = &lockstep->halves[number];
    struct active_run *runs = lockstep->runs;
    TRY(evaluator_finish(lockstep->evaluator, number, half->activations, error));
    take_answers(half, runs);
#pragma omp parallel for num_threads(lockstep->n_threads) schedule(dynamic)
    for (int i = half->first; i < half->end; i++)
        if (runs[i].is_asked)
            runs[i].fault.status = score_and_tell(lockstep, &runs[i], &runs[i].fault);
    for (int i = half->first; i < half->end; i++) {
        if (!runs[i].is_asked)
            continue;
        if (runs[i].fault.status != STATUS_OK)
            *error = runs[i].fault;
        TRY(runs[i].fault.status);
        count_queries(lockstep, &runs[i]);
        TRY(settle_early(lockstep, &runs[i], error));
    }
    return STATUS_OK;
}

static enum status search_on_device(struct lockstep *lockstep, struct error *error)
{
    bool searching = !should_stop(lockstep);
    for (int h = 0; searching && h < EVALUATOR_FLIGHTS; h++)
        TRY(start_half(lockstep, h, error));
    while (searching && !should_stop(lockstep)) {
        searching = false;
        for (int h = 0; h < EVALUATOR_FLIGHTS; h++) {
            if (!lockstep->halves[h].is_flying)
                continue;
            TRY(finish_half(lockstep, h, error));
            TRY(start_half(lockstep, h, error));
            searching = true;
        }
    }
    return STATUS_OK;
}

/** Half of the runs, in whole chains. */
static int first_of_second_half(const struct lockstep *lockstep)
{
    int first = (lockstep->n_runs + 1) / 2;
    while (first < lockstep->n_runs && lockstep->runs[first].before != NULL)
        first++;
    return first;
}

/** A rank has one core, unless the environment names more. */
static int choose_threads(const struct lockstep *lockstep)
{
    const char *cpus = getenv("SLURM_CPUS_PER_TASK");
    const int n = getenv("OMP_NUM_THREADS") != NULL ? omp_get_max_threads() : cpus != NULL ? atoi(cpus) : 1;
    if (lockstep->group->is_chained || n < 1)
        return 1;
    return n < lockstep->n_runs ? n : lockstep->n_runs;
}

static enum status make_half(const struct lockstep *lockstep, struct half *half, struct error *error)
{
    size_t n = 0;
    for (int i = half->first; i < half->end; i++)
        n += (size_t)lockstep->runs[i].answers.n_codes;
    TRY(MEMORY_ALLOCATE(half->queries, n, error));
    return MEMORY_ALLOCATE(half->activations, n, error);
}

static enum status make_halves(struct lockstep *lockstep, struct error *error)
{
    const int middle = first_of_second_half(lockstep);
    lockstep->n_threads = choose_threads(lockstep);
    lockstep->halves[0] = (struct half){.first = 0, .end = middle};
    lockstep->halves[1] = (struct half){.first = middle, .end = lockstep->n_runs};
    TRY(make_half(lockstep, &lockstep->halves[0], error));
    return make_half(lockstep, &lockstep->halves[1], error);
}

static enum status finish_all(struct lockstep *lockstep, struct error *error)
{
    int n_searched = 0;
    for (int i = 0; i < lockstep->n_runs; i++)
        n_searched += !lockstep->runs[i].finished;
    const double seconds_search = (clock_seconds() - lockstep->started) / (n_searched > 0 ? n_searched : 1);
    for (int i = 0; i < lockstep->n_runs; i++) {
        struct active_run *active = &lockstep->runs[i];
        if (active->finished || is_searching(active))
            continue;
        if (active->outcome.best_query == 0) {
            fail_run(lockstep, active, "no query gave an activation that is a number");
            continue;
        }
        active->outcome.seconds_search = seconds_search;
        TRY(settle(lockstep, active, error));
        if (!active->is_settled || active->finished)
            continue;
        if (active->before != NULL)
            active->outcome.any_activity =
                active->outcome.any_activity || active->before->outcome.any_activity;
        struct error fault = {0};
        const enum status status =
            run_record_fill(lockstep->plan, lockstep->evaluator, active->run, &active->outcome,
                            active->scores, lockstep->watch, active->record, &active->finished, &fault);
        TRY(judge(lockstep, active, status, &fault, error));
    }
    /* what a device did wrong meanwhile spoils all of it */
    return model_check(lockstep->plan->subjects[lockstep->group->subject].model, error);
}

static enum status do_runs(struct lockstep *lockstep, const int64_t *runs, const struct replay *replays,
                           struct error *error)
{
    TRY(MEMORY_ALLOCATE(lockstep->runs, (size_t)lockstep->n_runs, error));
    for (int i = 0; i < lockstep->n_runs; i++) {
        if (i > 0 && plan_run_follows(lockstep->plan, runs[i]))
            lockstep->runs[i].before = &lockstep->runs[i - 1];
        TRY(start_run(lockstep, &lockstep->runs[i], runs[i], &replays[i], error));
    }
    if (lockstep->is_flown)
        TRY(make_halves(lockstep, error));
    TRY(lockstep->is_flown ? search_on_device(lockstep, error) : search_all(lockstep, error));
    return finish_all(lockstep, error);
}

enum status lockstep_run(const struct plan *plan, struct evaluator *evaluator, const int64_t *runs,
                         int n_runs, const struct replay *replays, const struct lockstep_watch *watch,
                         struct lockstep **result, struct error *error)
{
    struct lockstep *lockstep = NULL;
    const struct plan_group *group = &plan->groups[plan->runs[runs[0]].group];
    TRY(MEMORY_ALLOCATE(lockstep, 1, error));
    *lockstep = (struct lockstep){.plan = plan,
                                  .group = group,
                                  .settings = &plan->job->searches[group->search],
                                  .evaluator = evaluator,
                                  .watch = watch,
                                  .n_runs = n_runs,
                                  .started = clock_seconds()};
    lockstep->is_flown = evaluator_is_on_device(evaluator) && !is_noisy(lockstep);
    lockstep->has_answers = evaluator_asks_program(evaluator) || lockstep->is_flown;
    enum status status = do_runs(lockstep, runs, replays, error);
    if (status != STATUS_OK) {
        lockstep_free(lockstep);
        return status;
    }
    *result = lockstep;
    return STATUS_OK;
}

/** A run that stopped searching but was not shown again counts as told up to its last whole batch. */
struct lockstep_result lockstep_result(const struct lockstep *lockstep, int i)
{
    const struct active_run *active = &lockstep->runs[i];
    return (struct lockstep_result){active->finished, active->record, active->n_told, active->told_hash,
                                    active->scores};
}

void lockstep_free(struct lockstep *lockstep)
{
    if (lockstep == NULL)
        return;
    for (int i = 0; lockstep->runs != NULL && i < lockstep->n_runs; i++) {
        struct active_run *active = &lockstep->runs[i];
        search_destroy(active->method, active->search);
        seen_codes_free(active->seen);
        answers_free(&active->answers);
        free(active->codes);
        free(active->scores);
        free(active->record);
        free(active->outcome.best_code);
        free(active->outcome.candidate_means);
        free(active->mei);
        candidates_release(&active->outcome.candidates);
    }
    free(lockstep->runs);
    for (int h = 0; h < EVALUATOR_FLIGHTS; h++) {
        free(lockstep->halves[h].queries);
        free(lockstep->halves[h].activations);
    }
    free(lockstep);
}
