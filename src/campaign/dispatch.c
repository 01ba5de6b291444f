/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include <stdlib.h>

#include "memory.h"

/** A pending run with what it is sorted by. */
struct pending {
    int layer;
    int64_t run;
};

static int run_layer(const struct plan *plan, int64_t run)
{
    const struct run *r = &plan->runs[run];
    return plan->subjects[plan->groups[r->group].subject].units[r->unit].layer;
}

/** Deepest layer first: their queries cost most, and the short ones fill the gaps at the end. */
static int pending_compare(const void *a, const void *b)
{
    const struct pending *x = a, *y = b;
    if (x->layer != y->layer)
        return y->layer - x->layer;
    return (x->run > y->run) - (x->run < y->run);
}

/** At most: queries, rechecks and trials. */
static int64_t n_presentations(const struct plan *plan, int64_t run)
{
    const struct plan_group *group = &plan->groups[plan->runs[run].group];
    const struct job_recheck *recheck = &plan->job->searches[group->search].recheck;
    return group->layout.sizes.budget + recheck->candidates * recheck->presentations +
           group->layout.sizes.trials;
}

enum status dispatch_make(const struct plan *plan, int shard, const struct ledger *ledger,
                          struct dispatch *dispatch, struct error *error)
{
    struct pending *list = NULL;
    const size_t most = (size_t)plan_shard_runs(plan, shard);
    *dispatch = (struct dispatch){.plan = plan};
    TRY(MEMORY_ALLOCATE(list, most, error));
    enum status status = MEMORY_ALLOCATE(dispatch->pending, most, error);
    if (status != STATUS_OK) {
        free(list);
        return status;
    }
    size_t n = 0;
    for (int64_t r = 0; r < plan->n_runs; r++)
        if (plan_shard_of(plan, r) == shard && !ledger_is_done(plan, ledger, r))
            list[n++] = (struct pending){run_layer(plan, r), r};
    qsort(list, n, sizeof *list, pending_compare);
    for (size_t i = 0; i < n; i++) {
        dispatch->pending[i] = list[i].run;
        if (plan->runs[list[i].run].pool < 0)
            dispatch->n_presentations +=
                n_presentations(plan, list[i].run) - ledger->entries[list[i].run].progress.n_told;
    }
    dispatch->n_pending = (int64_t)n;
    free(list);
    return STATUS_OK;
}

/** Pending runs from the next one to the end of its chain; 1 for one that is independent. */
static int chain_length(const struct dispatch *dispatch)
{
    int n = 1;
    while (dispatch->next + n < dispatch->n_pending &&
           plan_run_follows(dispatch->plan, dispatch->pending[dispatch->next + n]))
        n++;
    return n;
}

/** Are two runs of one group and layer? */
static bool go_together(const struct plan *plan, int64_t a, int64_t b)
{
    return plan->runs[a].group == plan->runs[b].group && run_layer(plan, a) == run_layer(plan, b);
}

int dispatch_take(struct dispatch *dispatch, int n_workers, int64_t *runs)
{
    const struct plan *plan = dispatch->plan;
    const int64_t left = dispatch->n_pending - dispatch->next;
    int64_t most = (left + 2 * n_workers - 1) / (2 * n_workers);
    most = most > plan->job->batch ? plan->job->batch : most;
    int n = 0;
    while (dispatch->next < dispatch->n_pending) {
        const int length = chain_length(dispatch);
        if (n > 0 && (n >= most || n + length > plan_batch_capacity(plan) ||
                      !go_together(plan, runs[0], dispatch->pending[dispatch->next])))
            break;
        for (int i = 0; i < length; i++)
            runs[n++] = dispatch->pending[dispatch->next++];
    }
    return n;
}
