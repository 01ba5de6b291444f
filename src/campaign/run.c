/* SPDX-License-Identifier: MIT */
/* `meicensus run`: from the job file to the last journal frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign.h"
#include "clock.h"
#include "dispatch.h"
#include "folder.h"
#include "ledger.h"
#include "master.h"
#include "memory.h"
#include "messages.h"
#include "natural.h"
#include "progress.h"
#include "ranks.h"
#include "shared/census.h"
#include "signals.h"
#include "trials.h"
#include "worker.h"

/* seconds: how long a dying earlier start is waited for; how often a worker tells its queries, and looks
 * whether the master wants it to stop (looking gives the core away when it is contended, so not at every
 * query) */
static const double lock_patience = 10.0, count_interval = 0.5, stop_interval = 0.05;

/** Everything one rank has in hand. */
struct execution {
    struct ranks ranks;
    struct backend backend;
    struct job *job;
    struct plan *plan;
    struct folder_facts facts;
    int shard;
    bool extend;
    int lock;                    /**< rank 0 only; -1 otherwise */
    struct shared_state *shared; /**< [pool of the plan] */
    struct progress progress;    /**< rank 0 */
};

/* ---- watching the loop ---- */

/** A worker's view of the world during a batch. */
struct watcher {
    const struct ranks *ranks; /**< NULL: one process alone */
    struct progress *progress; /**< one process alone */
    int64_t n_queries;         /**< not yet told */
    double last_told, last_looked;
    bool stop;
};

/** Has the master said so? */
static bool watcher_looks(struct watcher *watcher)
{
    const double now = clock_seconds();
    if (watcher->ranks == NULL || now - watcher->last_looked < stop_interval)
        return false;
    watcher->last_looked = now;
    return messages_stop_arrived(watcher->ranks);
}

static bool watcher_should_stop(void *context)
{
    struct watcher *watcher = context;
    watcher->stop = watcher->stop || signals_arrived() || watcher_looks(watcher);
    return watcher->stop;
}

static void watcher_tell(struct watcher *watcher)
{
    if (watcher->ranks != NULL)
        messages_send_count(watcher->ranks, watcher->n_queries);
    else
        watcher->progress->n_queries += watcher->n_queries;
    watcher->n_queries = 0;
    watcher->last_told = clock_seconds();
}

static void watcher_count(void *context, int64_t n_queries)
{
    struct watcher *watcher = context;
    watcher->n_queries += n_queries;
    if (watcher->ranks == NULL || clock_seconds() - watcher->last_told > count_interval)
        watcher_tell(watcher);
    if (watcher->ranks == NULL)
        progress_show(watcher->progress, "running", false);
}

/* ---- worker ranks ---- */

static enum status serve_batches(const struct execution *execution, struct worker *worker,
                                 struct error *error)
{
    const int capacity = plan_batch_capacity(execution->plan);
    int64_t *runs = NULL;
    struct replay *replays = NULL;
    enum status status = STATUS_OK;
    int n_runs = 1;
    TRY_CLEANUP(MEMORY_ALLOCATE(runs, (size_t)capacity, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(replays, (size_t)capacity, error));
    struct watcher watcher = {.ranks = &execution->ranks};
    const struct lockstep_watch watch = {&watcher, watcher_should_stop, watcher_count};
    messages_send_hello(&execution->ranks, &worker->incarnation.identity);
    while (n_runs > 0 && status == STATUS_OK) {
        float *scores = NULL;
        struct batch_report report;
        messages_send_request(&execution->ranks);
        TRY_CLEANUP(
            messages_receive_batch(&execution->ranks, capacity, runs, &n_runs, replays, &scores, error));
        if (n_runs > 0)
            status = worker_do(worker, runs, n_runs, replays, &watch, &report, error);
        free(scores);
        if (n_runs > 0 && status == STATUS_OK) {
            watcher_tell(&watcher);
            messages_send_report(&execution->ranks, &report);
        }
    }
    messages_stop_arrived(&execution->ranks); /* it may have come too late for a batch */
cleanup:
    free(runs);
    free(replays);
    return status;
}

static enum status work(const struct execution *execution, struct worker *worker, struct error *error)
{
    const enum status status = serve_batches(execution, worker, error);
    if (status != STATUS_OK)
        messages_send_fault(&execution->ranks);
    return status;
}

/* ---- one process alone ---- */

static enum status work_alone(const struct execution *execution, struct worker *worker,
                              struct dispatch *dispatch, const struct ledger *ledger,
                              struct progress *progress, enum ending *ending, struct error *error)
{
    const size_t capacity = (size_t)plan_batch_capacity(execution->plan);
    int64_t *runs = NULL;
    struct replay *replays = NULL;
    enum status status = STATUS_OK;
    struct watcher watcher = {.progress = progress};
    const struct lockstep_watch watch = {&watcher, watcher_should_stop, watcher_count};
    TRY_CLEANUP(MEMORY_ALLOCATE(runs, capacity, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(replays, capacity, error));
    for (int n; !watcher_should_stop(&watcher) && (n = dispatch_take(dispatch, 1, runs)) > 0;) {
        struct batch_report report;
        for (int i = 0; i < n; i++)
            replays[i] = master_replay(ledger, runs[i], &worker->incarnation.identity);
        TRY_CLEANUP(worker_do(worker, runs, n, replays, &watch, &report, error));
        progress->n_finished += report.n_finished;
        progress->n_failed += report.n_failed;
        progress->n_silent += report.n_silent;
        progress_show(progress, "running", false);
    }
    *ending = watcher.stop ? ENDING_STOPPED : ENDING_DONE;
cleanup:
    free(runs);
    free(replays);
    return status;
}

/* ---- rank 0 ---- */

static void count_before(const struct plan *plan, int shard, const struct ledger *ledger,
                         struct progress *progress)
{
    for (int64_t r = 0; r < plan->n_runs; r++) {
        const void *record = ledger->entries[r].record;
        const struct record_layout *layout = &plan->groups[plan->runs[r].group].layout;
        if (plan_shard_of(plan, r) != shard || !ledger_is_done(plan, ledger, r))
            continue;
        progress->n_finished++;
        progress->n_failed += *(const uint8_t *)record_at_const(layout, record, FIELD_STATUS) == RUN_FAILED;
        progress->n_silent += *(const uint8_t *)record_at_const(layout, record, FIELD_SILENT) != 0;
    }
    progress->n_before = progress->n_finished;
    progress->n_runs = plan_shard_runs(plan, shard);
}

static enum status lead(struct execution *execution, struct worker *worker, struct ledger *ledger,
                        struct dispatch *dispatch, enum ending *ending, struct error *error)
{
    struct progress *progress = &execution->progress;
    enum status status = worker == NULL
                             ? master_serve(&execution->ranks, dispatch, ledger, progress, ending, error)
                             : work_alone(execution, worker, dispatch, ledger, progress, ending, error);
    if (status != STATUS_OK)
        *ending = ENDING_FAULT;
    else if (*ending == ENDING_STOPPED && progress->n_finished == progress->n_runs)
        *ending = ENDING_DONE;
    return status;
}

/* ---- units that share their images ---- */

/** Rank 0: is there something left to do for this pool in this shard? */
static bool is_wanted(const struct execution *execution, const struct ledger *ledger, int pool)
{
    const struct plan_pool *p = &execution->plan->pools[pool];
    if (plan_shard_of(execution->plan, p->runs[0]) != execution->shard)
        return false;
    for (int64_t i = 0; i < p->n_runs; i++)
        if (ledger->entries[p->runs[i]].record == NULL)
            return true;
    return false;
}

/** All rounds of the shard's pools; what remains are the records of their units. Collective. */
static enum status share_images(struct execution *execution, struct worker *worker,
                                const struct ledger *ledger, struct error *error)
{
    const bool leads = execution->ranks.rank == 0;
    const struct shared_place place = {&execution->ranks, worker, leads ? ledger : NULL,
                                       leads ? &execution->progress : NULL};
    for (int pool = 0; pool < execution->plan->n_pools; pool++) {
        bool wanted = leads && is_wanted(execution, ledger, pool);
        ranks_share(&execution->ranks, &wanted, sizeof wanted);
        if (!wanted)
            continue;
        enum status status = shared_state_create(execution->plan, &execution->plan->pools[pool],
                                                 &execution->shared[pool], error);
        TRY(ranks_agree(&execution->ranks, status, error));
        TRY(shared_census_do(&place, &execution->shared[pool], error));
        if (leads)
            shared_census_report(&execution->shared[pool]);
    }
    return STATUS_OK;
}

static int64_t shared_presentations(const struct execution *execution, const struct ledger *ledger)
{
    int64_t n = 0;
    for (int pool = 0; pool < execution->plan->n_pools; pool++)
        if (is_wanted(execution, ledger, pool))
            n += execution->job->searches[execution->plan->pools[pool].search].budget +
                 execution->plan->pools[pool].n_runs * trials_count(&execution->job->trials);
    return n;
}

/* ---- all of it ---- */

/** Rank 0: what is to be done, before anybody begins. */
static enum status start_progress(struct execution *execution, const struct ledger *ledger,
                                  struct dispatch *dispatch, struct error *error)
{
    TRY(dispatch_make(execution->plan, execution->shard, ledger, dispatch, error));
    progress_start(&execution->progress, execution->job->results, execution->shard);
    count_before(execution->plan, execution->shard, ledger, &execution->progress);
    execution->progress.n_presentations = dispatch->n_presentations + shared_presentations(execution, ledger);
    return STATUS_OK;
}

/** Rank 0 takes the shard and reads its journals before anybody works. */
static enum status prepare_lead(struct execution *execution, struct ledger *ledger, struct error *error)
{
    const char *folder = execution->job->results;
    char lock_name[64];
    TRY(folder_prepare(folder, execution->extend, &execution->facts, error));
    TRY(folder_first_budgets(&execution->facts, execution->job, error));
    snprintf(lock_name, sizeof lock_name, "shard.%d.lock", execution->shard);
    TRY(folder_lock(folder, lock_name, lock_patience, &execution->lock, error));
    return ledger_open(execution->plan, folder, execution->shard, &execution->facts, ledger, error);
}

/** What only the folder knows, and rank 0 has read. */
static void share_facts(struct execution *execution)
{
    struct job_search *searches = execution->job->searches;
    ranks_share(&execution->ranks, execution->facts.digest, sizeof execution->facts.digest);
    for (int i = 0; i < execution->job->n_searches; i++)
        ranks_share(&execution->ranks, &searches[i].first_budget, sizeof searches[i].first_budget);
}

static enum status run_shard(struct execution *execution, struct error *error)
{
    const bool leads = execution->ranks.rank == 0,
               works = execution->ranks.rank > 0 || execution->ranks.n_ranks == 1;
    static const char *const states[] = {"done", "stopped", "failed"};
    struct ledger ledger = {0};
    struct worker worker = {0};
    struct dispatch dispatch = {0};
    enum ending ending = ENDING_DONE;
    enum status status = leads ? prepare_lead(execution, &ledger, error) : STATUS_OK;
    TRY_CLEANUP(ranks_agree(&execution->ranks, status, error));
    share_facts(execution);
    status = leads ? start_progress(execution, &ledger, &dispatch, error) : STATUS_OK;
    if (works && status == STATUS_OK)
        status = worker_open(execution->plan, &execution->backend, execution->job->results, execution->shard,
                             execution->ranks.rank, execution->facts.digest, &worker, error);
    worker.shared = execution->shared;
    TRY_CLEANUP(ranks_agree(&execution->ranks, status, error));
    status = share_images(execution, works ? &worker : NULL, &ledger, error);
    if (status != STATUS_OK)
        ending = status == STATUS_STOPPED ? ENDING_STOPPED : ENDING_FAULT;
    TRY_CLEANUP(status);
    if (leads)
        status = lead(execution, works ? &worker : NULL, &ledger, &dispatch, &ending, error);
    if (leads && status != STATUS_OK && !works)
        ranks_abort(&execution->ranks, error); /* the workers wait for batches */
    if (!leads)
        status = work(execution, &worker, error);
    if (status == STATUS_OK && ending == ENDING_STOPPED)
        status =
            error_set(error, STATUS_STOPPED, "stopped by a signal; start the same command again to continue");
    status = ranks_agree(&execution->ranks, status, error);
cleanup:
    if (dispatch.plan != NULL)
        progress_show(&execution->progress, states[ending], true);
    free(dispatch.pending);
    if (works && worker.plan != NULL) {
        struct error ignored = {0};
        worker_close(&worker, &ignored); /* every frame is durable already */
    }
    ledger_close(&ledger);
    return status;
}

static enum status choose_shard(struct execution *execution, const struct run_options *options,
                                struct error *error)
{
    if (!options->has_shard && execution->job->shards > 1)
        return error_set(error, STATUS_USAGE, "%s has %lld shards: say which with --shard 0..%lld",
                         execution->job->path, execution->job->shards, execution->job->shards - 1);
    execution->shard = options->has_shard ? options->shard : 0;
    if (execution->shard < 0 || execution->shard >= execution->job->shards)
        return error_set(error, STATUS_USAGE, "shard %d is out of range: %s has shards 0..%lld",
                         execution->shard, execution->job->path, execution->job->shards - 1);
    return STATUS_OK;
}

/** The master of others shows no images. */
static enum status open_backend(struct execution *execution, struct error *error)
{
    const struct ranks *ranks = &execution->ranks;
    if (ranks->rank == 0 && ranks->n_ranks > 1)
        return backend_open_host(execution->job->kernels, &execution->backend, error);
    return backend_open_worker(execution->job->kernels, ranks->node_worker, &execution->backend, error);
}

static enum status prepare_rank(struct execution *execution, const struct run_options *options,
                                struct error *error)
{
    TRY(job_read(options->job, options->set, options->n_set, &execution->job, error));
    TRY(choose_shard(execution, options, error));
    TRY(open_backend(execution, error));
    TRY(plan_make(execution->job, &execution->backend, &execution->plan, error));
    TRY(plan_load_starts(execution->plan, &execution->backend, error));
    TRY(MEMORY_ALLOCATE(execution->shared, (size_t)execution->plan->n_pools, error));
    if (execution->ranks.rank == 0) /* gather reads them; it must not be the first to refuse them */
        TRY(natural_check(execution->plan, NULL, error));
    return folder_facts_make(execution->plan, &execution->facts, error);
}

static enum status compare_ranks(const struct execution *execution, struct error *error)
{
    char host[128] = "?";
    if (ranks_hold_same(&execution->ranks, execution->facts.digest))
        return STATUS_OK;
    gethostname(host, sizeof host - 1);
    return error_set(
        error, STATUS_MISMATCH,
        "rank %d on %s has another job file, other weights or another program than rank 0: all ranks "
        "must see the same files",
        execution->ranks.rank, host);
}

static void tell_next(const struct job *job)
{
    printf("next%s: meicensus gather %s\n", job->shards > 1 ? ", when all shards are done" : "",
           job->results);
}

enum status campaign_run(const struct run_options *options, struct error *error)
{
    struct execution execution = {.lock = -1, .extend = options->extend};
    signals_catch(); /* first of all: a stop while journals are read must not kill */
    enum status status = ranks_start(&execution.ranks, error);
    if (status == STATUS_OK)
        status = prepare_rank(&execution, options, error);
    status = ranks_agree(&execution.ranks, status, error);
    if (status == STATUS_OK)
        status = ranks_agree(&execution.ranks, compare_ranks(&execution, error), error);
    if (status == STATUS_OK && execution.ranks.rank == 0 && execution.ranks.n_ranks > 1)
        plan_stop_programs(execution.plan); /* a master shows no images */
    if (status == STATUS_OK)
        status = run_shard(&execution, error);
    if (status == STATUS_OK && execution.ranks.rank == 0)
        tell_next(execution.job);
    for (int i = 0; execution.shared != NULL && i < execution.plan->n_pools; i++)
        shared_state_free(&execution.shared[i]);
    free(execution.shared);
    folder_facts_free(&execution.facts);
    plan_free(execution.plan);
    job_free(execution.job);
    folder_unlock(execution.lock);
    ranks_end();
    return status;
}
