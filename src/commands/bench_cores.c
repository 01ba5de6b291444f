/* SPDX-License-Identifier: MIT */
#include "bench_cores.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "counter.h"
#include "memory.h"

/** What one process gives back; pages that it does not write cost nothing. */
struct slot {
    struct error error;
    size_t n_values;
    double values[CORE_MOST_VALUES];
};

struct cores {
    atomic_int n_arrived; /**< at all meetings so far */
    atomic_int n_steps, n_steps_done;
    struct slot slots[];
};

/* Often enough for a meeting to be exact to a thousandth of a second, and too seldom to disturb who measures.
 */
static const double meeting_poll_s = 0.5e-3, watch_poll_s = 0.05;

void core_meet(struct core *core)
{
    const int before = atomic_fetch_add(&core->cores->n_arrived, 1);
    const int all = (before / core->n_cores + 1) * core->n_cores;
    while (atomic_load(&core->cores->n_arrived) < all)
        clock_sleep(meeting_poll_s);
}

void core_set_steps(struct core *core, int n_steps)
{
    atomic_store(&core->cores->n_steps, n_steps);
}

void core_step_done(struct core *core)
{
    if (core->index == 0)
        atomic_fetch_add(&core->cores->n_steps_done, 1);
}

/** In the new process: never returns. */
static void run_core(struct cores *cores, int index, int n_cores, core_work *work, void *context)
{
    struct slot *slot = &cores->slots[index];
    struct core core = {.index = index, .n_cores = n_cores, .values = slot->values, .cores = cores};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const enum status status = work(&core, context, &slot->error);
    slot->n_values = core.n_values;
    _exit(status_exit_code(status));
}

/** What became of the process `index`; the message of its own fault is in its slot. */
static enum status judge(const struct cores *cores, int index, int n_cores, int result, struct error *error)
{
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return STATUS_OK;
    *error = cores->slots[index].error;
    if (WIFEXITED(result) && error->message[0] != '\0')
        return error->status;
    if (WIFSIGNALED(result))
        return error_set(error, STATUS_INTERNAL,
                         "process %d of the %d that measure was ended by signal %d (%s); is there enough "
                         "memory for all of them (--cores)?",
                         index + 1, n_cores, WTERMSIG(result), strsignal(WTERMSIG(result)));
    return error_set(error, STATUS_INTERNAL, "process %d of the %d that measure ended with status %d",
                     index + 1, n_cores, WEXITSTATUS(result));
}

static void show_progress(const struct cores *cores, struct counter *counter)
{
    const int n_done = atomic_load(&cores->n_steps_done);
    counter->n_total = (size_t)atomic_load(&cores->n_steps);
    if (n_done > 0)
        counter_show(counter, (size_t)n_done);
}

static void end_others(const pid_t *pids, int n_cores)
{
    for (int i = 0; i < n_cores; i++)
        if (pids[i] > 0)
            kill(pids[i], SIGKILL);
    for (int i = 0; i < n_cores; i++)
        while (pids[i] > 0 && waitpid(pids[i], NULL, 0) < 0 && errno == EINTR) {
        }
}

/** Wait for all; pids of those that have ended become 0. */
static enum status watch(const struct cores *cores, pid_t *pids, int n_cores, struct error *error)
{
    enum status status = STATUS_OK;
    struct counter counter;
    int n_left = n_cores;
    counter_begin(&counter, "measurements", 0);
    while (n_left > 0 && status == STATUS_OK) {
        int result;
        for (int i = 0; i < n_cores && status == STATUS_OK; i++) {
            if (pids[i] == 0 || waitpid(pids[i], &result, WNOHANG) != pids[i])
                continue;
            pids[i] = 0;
            n_left--;
            status = judge(cores, i, n_cores, result, error);
        }
        show_progress(cores, &counter);
        clock_sleep(watch_poll_s);
    }
    counter_end(&counter);
    return status;
}

static enum status start_all(struct cores *cores, pid_t *pids, int n_cores, core_work *work, void *context,
                             struct error *error)
{
    for (int i = 0; i < n_cores; i++) {
        const pid_t pid = fork();
        if (pid < 0)
            return error_set_errno(error, STATUS_INTERNAL, "process %d of %d cannot be started", i + 1,
                                   n_cores);
        if (pid == 0)
            run_core(cores, i, n_cores, work, context);
        pids[i] = pid;
    }
    return STATUS_OK;
}

static enum status collect(const struct cores *cores, int n_cores, double **values, size_t *n_values,
                           struct error *error)
{
    *n_values = cores->slots[0].n_values;
    TRY(MEMORY_ALLOCATE(*values, (size_t)n_cores * *n_values, error));
    for (int i = 0; i < n_cores; i++)
        memcpy(*values + (size_t)i * *n_values, cores->slots[i].values, sizeof **values * *n_values);
    return STATUS_OK;
}

enum status cores_run(int n_cores, core_work *work, void *context, double **values, size_t *n_values,
                      struct error *error)
{
    const size_t n_bytes = sizeof(struct cores) + (size_t)n_cores * sizeof(struct slot);
    pid_t *pids = NULL;
    enum status status;
    TRY(MEMORY_ALLOCATE(pids, (size_t)n_cores, error));
    struct cores *cores =
        mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (cores == MAP_FAILED) {
        free(pids);
        return error_set_errno(error, STATUS_INTERNAL, "no memory to share with %d processes", n_cores);
    }
    TRY_CLEANUP(start_all(cores, pids, n_cores, work, context, error));
    TRY_CLEANUP(watch(cores, pids, n_cores, error));
    status = collect(cores, n_cores, values, n_values, error);
cleanup:
    end_others(pids, n_cores);
    munmap(cores, n_bytes);
    free(pids);
    return status;
}
