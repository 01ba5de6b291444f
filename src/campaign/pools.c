/* SPDX-License-Identifier: MIT */
#include "pools.h"

#include <stdio.h>
#include <stdlib.h>

#include "hash.h"
#include "memory.h"
#include "trials.h"

/* ---- what can be shared ---- */

/** NULL: nothing stands against it. */
static const char *obstacle(const struct job *job, const struct job_search *search, int subject)
{
    if (job->subjects[subject].model == NULL)
        return "a program answers for one unit at a time, not for all";
    if (search->noise.noise != NOISE_NONE || search->recheck.candidates > 0)
        return "it knows no 'noise' and no 'recheck'";
    if (search->distinct > 0)
        return "its replicates are independent: leave 'distinct' out";
    if (job->stop.seconds > 0)
        return "all ranks have to stop at the same image, so not at a time: give a budget instead of "
               "'stop.seconds'";
    return NULL;
}

enum status pools_check_search(const struct job *job, const struct job_search *search, int subject,
                               int method, struct error *error)
{
    const struct job_method *named = &job->methods[method];
    if (search->mode != MODE_SHARED)
        return STATUS_OK;
    const char *why = obstacle(job, search, subject);
    if (why != NULL)
        return node_error(search->node, error, "'mode: shared' cannot be had for subject '%s': %s",
                          job->subjects[subject].name, why);
    if (named->method->inform == NULL)
        return node_error(
            search->node, error,
            "method '%s' (%s) cannot learn from codes that it did not ask, which 'mode: shared' "
            "is about (`meicensus list methods` marks those that can)",
            named->name, named->method->name);
    if (search->budget >= search->shared.random + search->shared.round)
        return STATUS_OK;
    return node_error(search->node, error,
                      "a budget of %lld images in all is less than %lld random ones and a round of %lld; "
                      "expected %lld to 1000000000",
                      search->budget, search->shared.random, search->shared.round,
                      search->shared.random + search->shared.round);
}

bool pools_are_alike(const struct job_search *a, const struct job_search *b)
{
    return a->mode != MODE_SHARED ||
           (a->budget == b->budget && a->shared.random == b->shared.random &&
            a->shared.round == b->shared.round && a->shared.elite == b->shared.elite &&
            a->shared.spending == b->shared.spending);
}

/* ---- pools ---- */

static uint64_t pool_key(const struct job *job, const struct plan_pool *pool)
{
    char text[512];
    const int length =
        snprintf(text, sizeof text, "%lld/shared/%s/%s/%d", job->seed, job->generators[pool->generator].name,
                 job->methods[pool->method].name, pool->replicate);
    return hash_bytes(text, (size_t)length);
}

static int find_pool(const struct plan *plan, const struct plan_group *group, int32_t replicate)
{
    for (int i = 0; i < plan->n_pools; i++)
        if (plan->pools[i].generator == group->generator && plan->pools[i].method == group->method &&
            plan->pools[i].replicate == replicate)
            return i;
    return -1;
}

/** Groups of a pool come from entries that may differ in their units only. */
static enum status check_agreement(const struct plan *plan, const struct plan_pool *pool,
                                   const struct plan_group *group, struct error *error)
{
    const struct job *job = plan->job;
    const struct job_search *search = &job->searches[group->search];
    if (pools_are_alike(&job->searches[pool->search], search))
        return STATUS_OK;
    return node_error(
        search->node, error,
        "units that share their images (%s/%s) need one budget and one 'shared'; give the method "
        "a second name in 'methods' (name: {method: %s}), and they do not share them",
        job->generators[group->generator].name, job->methods[group->method].name,
        job->methods[group->method].method->name);
}

static enum status join_pool(struct plan *plan, int64_t run, struct error *error)
{
    struct run *r = &plan->runs[run];
    const struct plan_group *group = &plan->groups[r->group];
    int index = find_pool(plan, group, r->replicate);
    if (index < 0) {
        index = plan->n_pools++;
        plan->pools[index] = (struct plan_pool){.generator = group->generator,
                                                .method = group->method,
                                                .replicate = r->replicate,
                                                .search = group->search};
        plan->pools[index].key = pool_key(plan->job, &plan->pools[index]);
    }
    r->pool = index;
    plan->pools[index].n_runs++;
    return check_agreement(plan, &plan->pools[index], group, error);
}

/** At most as many pools as replicates of shared groups. */
static size_t most_pools(const struct plan *plan)
{
    size_t n = 0;
    for (int i = 0; i < plan->n_groups; i++)
        n += plan->groups[i].is_shared ? (size_t)plan->groups[i].replicates : 0;
    return n;
}

enum status pools_make(struct plan *plan, struct error *error)
{
    const size_t most = most_pools(plan);
    if (most == 0)
        return STATUS_OK;
    TRY(MEMORY_ALLOCATE(plan->pools, most, error));
    for (int64_t r = 0; r < plan->n_runs; r++)
        if (plan->groups[plan->runs[r].group].is_shared)
            TRY(join_pool(plan, r, error));
    for (int i = 0; i < plan->n_pools; i++) {
        TRY(MEMORY_ALLOCATE(plan->pools[i].runs, (size_t)plan->pools[i].n_runs, error));
        plan->pools[i].n_runs = 0;
    }
    for (int64_t r = 0; r < plan->n_runs; r++) {
        struct plan_pool *pool = plan->runs[r].pool < 0 ? NULL : &plan->pools[plan->runs[r].pool];
        if (pool != NULL)
            pool->runs[pool->n_runs++] = r;
    }
    return STATUS_OK;
}

void pools_free(struct plan *plan)
{
    for (int i = 0; plan->pools != NULL && i < plan->n_pools; i++)
        free(plan->pools[i].runs);
    free(plan->pools);
}

int plan_find_pool(const struct plan *plan, uint64_t key)
{
    for (int i = 0; i < plan->n_pools; i++)
        if (plan->pools[i].key == key)
            return i;
    return -1;
}
