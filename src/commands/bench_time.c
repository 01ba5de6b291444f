/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "bench_process.h"
#include "clock.h"
#include "memory.h"

/* ---- the whole loop ---- */

/** Counts whole asks only: from the first look at it to the end of the last ask. */
struct stopwatch {
    double start_s, last_s, until_s; /**< start_s 0: not started */
    double n_queries;
};

static bool stopwatch_is_over(void *context)
{
    struct stopwatch *watch = context;
    if (watch->start_s == 0)
        watch->start_s = watch->last_s = clock_seconds();
    return watch->n_queries > 0 && watch->last_s >= watch->until_s;
}

static void stopwatch_count(void *context, int64_t n_queries)
{
    struct stopwatch *watch = context;
    watch->n_queries += (double)n_queries;
    watch->last_s = clock_seconds();
}

/** The next batch of the target's runs, to their budget or until time is up. */
static enum status time_batch(struct measurement *m, double until_s, struct error *error)
{
    struct lockstep *lockstep;
    struct stopwatch watch = {.until_s = until_s};
    const struct lockstep_watch hooks = {&watch, stopwatch_is_over, stopwatch_count};
    const int n = bench_lockstep_runs(m);
    const int64_t first = (m->n_whole_runs * m->core->n_cores + m->core->index) * n;
    for (int i = 0; i < n; i++)
        m->runs[i] = m->target->first_run + (first + i) % m->target->n_runs;
    TRY(lockstep_run(m->bench->plan, m->evaluator, m->runs, n, m->replays, &hooks, &lockstep, error));
    lockstep_free(lockstep);
    m->n_whole_runs++;
    m->whole.seconds += watch.last_s - watch.start_s;
    m->whole.n_queries += watch.n_queries;
    return STATUS_OK;
}

enum status bench_time_whole(struct measurement *m, double seconds, struct error *error)
{
    const double until_s = clock_seconds() + seconds;
    do {
        TRY(time_batch(m, until_s, error));
    } while (clock_seconds() < until_s);
    return STATUS_OK;
}

/* ---- networks ---- */

void bench_time_subject(struct measurement *m, double seconds)
{
    const struct plan *plan = m->bench->plan;
    const struct unit *unit =
        &plan->subjects[m->bench->group->subject].units[plan->runs[m->target->first_run].unit];
    int n = 0;
    model_measure_layers(evaluator_subject(m->evaluator), m->values + N_TARGET_VALUES);
    const double start = clock_seconds();
    for (; n < BENCH_MEIS || clock_seconds() - start < seconds; n++)
        evaluator_activation(m->evaluator, unit, m->meis + (size_t)(n % BENCH_MEIS) * bench_image_values(m));
    m->subject.seconds += clock_seconds() - start;
    m->subject.n_queries += n;
    model_measure_layers(evaluator_subject(m->evaluator), NULL);
}

/** Codes [batch][d] that differ from each other and from those of the last call. */
static void make_codes(const struct latent_space *latent, int batch, int call, int32_t *codes)
{
    for (int b = 0; b < batch; b++)
        for (int d = 0; d < latent->n_dimensions; d++)
            *codes++ = (7 * d + 3 * b + call) % latent->n_points;
}

void bench_time_generator(struct measurement *m, double seconds)
{
    const struct latent_space *latent = model_latent(m->bench->generator);
    const int batch = evaluator_batch(m->evaluator);
    const int32_t *rows[KERNELS_LARGEST_BATCH];
    int n = 0;
    for (int b = 0; b < batch; b++)
        rows[b] = m->codes + (size_t)b * (size_t)latent->n_dimensions;
    model_measure_layers(evaluator_generator(m->evaluator), m->core->values + N_JOB_VALUES);
    const double start = clock_seconds();
    for (; n == 0 || clock_seconds() - start < seconds; n++) {
        make_codes(latent, batch, n, m->codes);
        evaluator_make_images(m->evaluator, batch, rows);
    }
    m->generator.seconds += clock_seconds() - start;
    m->generator.n_queries += (double)n * batch;
    model_measure_layers(evaluator_generator(m->evaluator), NULL);
}

/* ---- the search ---- */

/** As many searches as are advanced together, so that they are as far from the cache as there. */
static enum status create_searches(const struct measurement *m, int n, struct search **searches,
                                   struct error *error)
{
    const struct bench_plan *bench = m->bench;
    const struct job_method *method = &m->job->methods[bench->group->method];
    const struct latent_space *latent = model_latent(bench->generator);
    const bool is_grid = latent->kind == LATENT_GRID;
    struct search_problem problem = {.n_dimensions = latent->n_dimensions,
                                     .n_points = latent->n_points,
                                     .budget = m->job->searches[bench->group->search].first_budget,
                                     .low = is_grid ? latent->low : 0,
                                     .high = is_grid ? latent->high : 0};
    for (int i = 0; i < n; i++) {
        problem.key = bench->plan->runs[m->target->first_run + i].key;
        TRY(search_create(method->method, &problem, method->settings, &searches[i], error));
    }
    return STATUS_OK;
}

/** Ask and tell of all searches in turn, with the scores of the last real one. */
static void replay(struct measurement *m, const struct search_method *method, int64_t batch, int n_searches,
                   struct search **searches, int32_t *codes)
{
    const double start = clock_seconds();
    for (int64_t told = 0; told == 0 || told + batch <= m->n_scores; told += batch)
        for (int i = 0; i < n_searches; i++) {
            method->ask(searches[i], codes);
            method->tell(searches[i], m->scores + told);
            m->search.n_queries += (double)batch;
        }
    m->search.seconds += clock_seconds() - start;
}

static enum status time_replay(struct measurement *m, struct error *error)
{
    const struct job_method *method = &m->job->methods[m->bench->group->method];
    const int n_dimensions = model_latent(m->bench->generator)->n_dimensions;
    const int batch = method->method->batch(method->settings, n_dimensions), n = bench_lockstep_runs(m);
    struct search **searches = NULL;
    int32_t *codes = NULL;
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(searches, (size_t)n, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(codes, (size_t)batch * (size_t)n_dimensions, error));
    TRY_CLEANUP(create_searches(m, n, searches, error));
    replay(m, method->method, batch, n, searches, codes);
cleanup:
    for (int i = 0; searches != NULL && i < n; i++)
        search_destroy(method->method, searches[i]);
    free(searches);
    free(codes);
    return status;
}

enum status bench_time_search(struct measurement *m, double seconds, struct error *error)
{
    const double until_s = clock_seconds() + seconds;
    do {
        TRY(time_replay(m, error));
    } while (clock_seconds() < until_s);
    return STATUS_OK;
}
