/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "bench_process.h"
#include "memory.h"

/** Keep the n-th MEI, and how it was found. */
static void keep_mei(struct measurement *m, int n, const void *record)
{
    const struct record_layout *layout = &m->bench->group->layout;
    const int64_t *queries = record_at_const(layout, record, FIELD_QUERIES);
    const float *activation = record_at_const(layout, record, FIELD_ACTIVATION);
    memcpy(m->meis + (size_t)n * bench_image_values(m), record_at_const(layout, record, FIELD_MEI),
           sizeof *m->meis * bench_image_values(m));
    m->values[TARGET_QUERIES] += (double)*queries / BENCH_MEIS;
    m->values[TARGET_ACTIVATION] += (double)*activation / BENCH_MEIS;
}

static enum status keep_scores(struct measurement *m, const struct lockstep_result *result,
                               struct error *error)
{
    const struct job_method *method = &m->job->methods[m->bench->group->method];
    const int batch =
        method->method->batch(method->settings, model_latent(m->bench->generator)->n_dimensions);
    free(m->scores);
    m->scores = NULL;
    m->n_scores = result->n_told;
    TRY(MEMORY_ALLOCATE(m->scores, (size_t)(m->n_scores + batch), error));
    memcpy(m->scores, result->scores, sizeof *m->scores * (size_t)m->n_scores);
    return STATUS_OK;
}

static enum status keep_found(struct measurement *m, const struct lockstep *lockstep, int n,
                              struct error *error)
{
    const struct record_layout *layout = &m->bench->group->layout;
    const struct lockstep_result result = lockstep_result(lockstep, 0);
    if (!result.finished)
        return error_set(error, STATUS_INTERNAL, "a search for '%s' did not end", m->target->name);
    if (*(const uint8_t *)record_at_const(layout, result.record, FIELD_STATUS) != RUN_DONE)
        return error_set(error, STATUS_BAD_INPUT, "a search for '%s' fails: %s", m->target->name,
                         (const char *)record_at_const(layout, result.record, FIELD_MESSAGE));
    keep_mei(m, n, result.record);
    return keep_scores(m, &result, error);
}

static enum status search(struct measurement *m, int n, struct error *error)
{
    const int n_all = BENCH_MEIS * m->core->n_cores, place = BENCH_MEIS * m->core->index + n;
    struct lockstep *lockstep;
    m->runs[0] = m->target->first_run + place * m->target->n_runs / n_all;
    TRY(lockstep_run(m->bench->plan, m->evaluator, m->runs, 1, m->replays, NULL, &lockstep, error));
    const enum status status = keep_found(m, lockstep, n, error);
    lockstep_free(lockstep);
    return status;
}

enum status bench_find_meis(struct measurement *m, double seconds, struct error *error)
{
    enum status status = STATUS_OK;
    const struct job_stop before = m->job->stop;
    m->job->stop = (struct job_stop){.at_bound = true, .seconds = seconds / BENCH_MEIS};
    for (int n = 0; n < BENCH_MEIS && status == STATUS_OK; n++)
        status = search(m, n, error);
    m->job->stop = before;
    return status;
}
