/* SPDX-License-Identifier: MIT */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "clock.h"
#include "folder.h"
#include "memory.h"
#include "shared/finish.h"

void worker_identity(const struct backend *backend, struct journal_identity *identity)
{
    const bool is_device = backend->device.name[0] != '\0';
    *identity = (struct journal_identity){.batch = is_device ? backend->kernels->image_batch : 0};
    snprintf(identity->backend, sizeof identity->backend, is_device ? "cuda" : "cpu");
    snprintf(identity->isa, sizeof identity->isa, "%s",
             is_device ? backend->device.capability : backend->kernels->name);
    snprintf(identity->blas_core, sizeof identity->blas_core, "%s", backend_blas_core(backend));
    snprintf(identity->precision, sizeof identity->precision, "%s", backend->precision);
    snprintf(identity->device, sizeof identity->device, "%s", backend->device.name);
}

void worker_incarnation(const struct backend *backend, int rank, const char *digest,
                        struct journal_incarnation *incarnation)
{
    *incarnation = (struct journal_incarnation){.rank = rank, .pid = getpid()};
    worker_identity(backend, &incarnation->identity);
    gethostname(incarnation->host, sizeof incarnation->host - 1);
    clock_date(incarnation->date);
    snprintf(incarnation->program_version, sizeof incarnation->program_version, "%s", build_version);
    snprintf(incarnation->job_digest, sizeof incarnation->job_digest, "%s", digest);
}

enum status worker_open(const struct plan *plan, const struct backend *backend, const char *folder, int shard,
                        int rank, const char *digest, struct worker *worker, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    *worker = (struct worker){.plan = plan};
    worker_incarnation(backend, rank, digest, &worker->incarnation);
    TRY(folder_path(folder, "journal", path, error));
    TRY(MEMORY_ALLOCATE(worker->evaluators, (size_t)plan->job->n_subjects * (size_t)plan->job->n_generators,
                        error));
    return journal_create(path, shard, &worker->incarnation, &worker->journal, error);
}

enum status worker_evaluator(struct worker *worker, int subject, int generator, struct evaluator **evaluator,
                             struct error *error)
{
    struct evaluator **slot = &worker->evaluators[subject * worker->plan->job->n_generators + generator];
    if (*slot == NULL)
        TRY(evaluator_create(worker->plan, subject, generator, slot, error));
    *evaluator = *slot;
    return STATUS_OK;
}

static enum status keep_run(struct worker *worker, const struct record_layout *layout, uint64_t key,
                            const struct lockstep_result *result, struct batch_report *report,
                            struct error *error)
{
    if (result->finished) {
        TRY(journal_append_finished(worker->journal, key, layout, result->record, error));
        report->n_finished++;
        report->n_failed += *(uint8_t *)record_at(layout, result->record, FIELD_STATUS) == RUN_FAILED;
        report->n_silent += *(uint8_t *)record_at(layout, result->record, FIELD_SILENT) != 0;
        return STATUS_OK;
    }
    const struct journal_progress progress = {result->n_told, result->codes_hash};
    report->n_unfinished++;
    return result->n_told == 0
               ? STATUS_OK
               : journal_append_unfinished(worker->journal, key, &progress, result->scores, error);
}

/** Records of units that shared their images: they have been searched already. */
static enum status finish_shared(struct worker *worker, const struct plan_group *group,
                                 struct evaluator *evaluator, const int64_t *runs, int n_runs,
                                 const struct lockstep_watch *watch, struct batch_report *report,
                                 struct error *error)
{
    struct lockstep_result result = {0};
    enum status status = memory_allocate(&result.record, 1, group->layout.n_bytes, "record", error);
    for (int i = 0; i < n_runs && status == STATUS_OK; i++) {
        const struct run *run = &worker->plan->runs[runs[i]];
        memset(result.record, 0, group->layout.n_bytes);
        result.finished = false;
        status = shared_finish(&worker->shared[run->pool], runs[i], evaluator, watch, result.record,
                               &result.finished, error);
        if (status == STATUS_OK)
            status = keep_run(worker, &group->layout, run->key, &result, report, error);
    }
    free(result.record);
    return status == STATUS_OK ? evaluator_check(evaluator, error) : status;
}

enum status worker_do(struct worker *worker, const int64_t *runs, int n_runs, const struct replay *replays,
                      const struct lockstep_watch *watch, struct batch_report *report, struct error *error)
{
    const struct plan *plan = worker->plan;
    const struct plan_group *group = &plan->groups[plan->runs[runs[0]].group];
    struct evaluator *evaluator;
    struct lockstep *lockstep;
    *report = (struct batch_report){0};
    TRY(worker_evaluator(worker, group->subject, group->generator, &evaluator, error));
    if (group->is_shared)
        return finish_shared(worker, group, evaluator, runs, n_runs, watch, report, error);
    TRY(lockstep_run(plan, evaluator, runs, n_runs, replays, watch, &lockstep, error));
    enum status status = STATUS_OK;
    for (int i = 0; i < n_runs && status == STATUS_OK; i++) {
        const struct lockstep_result result = lockstep_result(lockstep, i);
        status = keep_run(worker, &group->layout, plan->runs[runs[i]].key, &result, report, error);
    }
    lockstep_free(lockstep);
    return status;
}

enum status worker_close(struct worker *worker, struct error *error)
{
    const int n_evaluators = worker->plan->job->n_subjects * worker->plan->job->n_generators;
    for (int i = 0; worker->evaluators != NULL && i < n_evaluators; i++)
        evaluator_free(worker->evaluators[i]);
    free(worker->evaluators);
    worker->evaluators = NULL;
    struct journal *journal = worker->journal;
    worker->journal = NULL;
    return journal_close(journal, error);
}
