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

static bool is_device(const struct backend *backend)
{
    return backend->device.name[0] != '\0';
}

void worker_identity(const struct backend *backend, struct journal_identity *identity)
{
    *identity = (struct journal_identity){.batch = is_device(backend) ? backend->kernels->image_batch : 0};
    snprintf(identity->backend, sizeof identity->backend, is_device(backend) ? "cuda" : "cpu");
    snprintf(identity->isa, sizeof identity->isa, "%s",
             is_device(backend) ? backend->device.capability : backend->kernels->name);
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

/* ---- evaluators ---- */

static size_t n_evaluators(const struct worker *worker)
{
    return (size_t)worker->plan->job->n_subjects * (size_t)worker->plan->job->n_generators;
}

static void free_evaluators(struct worker *worker)
{
    for (size_t i = 0; worker->evaluators != NULL && i < n_evaluators(worker); i++) {
        evaluator_free(worker->evaluators[i]);
        worker->evaluators[i] = NULL;
    }
}

enum status worker_evaluator(struct worker *worker, int subject, int generator, struct evaluator **evaluator,
                             struct error *error)
{
    const struct plan *plan = worker->plan;
    struct evaluator **slot = &worker->evaluators[subject * plan->job->n_generators + generator];
    if (*slot == NULL && worker->batch > 0)
        TRY(evaluator_create_batch(plan, subject, generator, worker->batch, slot, error));
    else if (*slot == NULL)
        TRY(evaluator_create(plan, subject, generator, slot, error));
    *evaluator = *slot;
    return STATUS_OK;
}

/** Those of all groups, or, after a fault, none. */
static enum status make_evaluators(struct worker *worker, int batch, struct error *error)
{
    struct evaluator *evaluator;
    enum status status = STATUS_OK;
    worker->batch = batch;
    for (int i = 0; i < worker->plan->n_groups && status == STATUS_OK; i++)
        status = worker_evaluator(worker, worker->plan->groups[i].subject, worker->plan->groups[i].generator,
                                  &evaluator, error);
    if (status != STATUS_OK)
        free_evaluators(worker);
    return status;
}

/** On a device: the batch is part of who this process is, so all memory is taken first of all. Where there is
 * too little, half a batch may do. */
static enum status settle_batch(struct worker *worker, const struct backend *backend, int rank,
                                struct error *error)
{
    const struct cuda_device *device = &backend->device;
    const int batch = backend->kernels->image_batch;
    struct error fault = {0};
    if (make_evaluators(worker, batch, &fault) == STATUS_OK)
        return STATUS_OK;
    fprintf(stderr,
            "meicensus: rank %d, device %d (%s): %s: it goes on with %d images a call, not %d; the results "
            "tell the number\n",
            rank, device->number, device->name, fault.message, batch / 2, batch);
    const enum status status = make_evaluators(worker, batch / 2, &fault);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(
        error, status,
        "rank %d, device %d (%s): %s, even for %d images a call: start fewer ranks for a device, "
        "or make `timesteps` smaller",
        rank, device->number, device->name, fault.message, batch / 2);
}

enum status worker_open(const struct plan *plan, const struct backend *backend, const char *folder, int shard,
                        int rank, const char *digest, struct worker *worker, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    *worker = (struct worker){.plan = plan};
    TRY(folder_path(folder, "journal", path, error));
    TRY(MEMORY_ALLOCATE(worker->evaluators, n_evaluators(worker), error));
    if (is_device(backend))
        TRY(settle_batch(worker, backend, rank, error));
    worker_incarnation(backend, rank, digest, &worker->incarnation);
    worker->incarnation.identity.batch = worker->batch;
    return journal_create(path, shard, &worker->incarnation, &worker->journal, error);
}

/* ---- batches of runs ---- */

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
    free_evaluators(worker);
    free(worker->evaluators);
    worker->evaluators = NULL;
    struct journal *journal = worker->journal;
    worker->journal = NULL;
    return journal_close(journal, error);
}
