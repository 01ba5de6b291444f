/* SPDX-License-Identifier: MIT */
#include "child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"

/* What a shell ends with that cannot run a command, cannot find it, or, plus the number, saw it die by a
 * signal. */
enum { SHELL_CANNOT_RUN = 126, SHELL_CANNOT_FIND = 127, SHELL_SAW_A_SIGNAL = 128 };

enum { PROGRESS_CAPACITY = 80 };

/* Seconds: between two questions to a watch; for a program whose output has ended to end, too. */
static const double watch_interval = 0.1, death_patience = 1.0;

struct child_process {
    char *command;
    char name[CHILD_NAME_CAPACITY];
    pid_t pid;
    int to, from; /**< pipes to its standard input, from its standard output */
    const char *unread;
    size_t n_unread;
};

/* ---- start ---- */

/** The child's side of fork: nothing here may allocate or lock. */
static void become(const char *command, pid_t parent, int input, int output)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* which died before it was watched */
        _exit(SHELL_CANNOT_RUN);
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
        _exit(SHELL_CANNOT_RUN);
    close_range(STDERR_FILENO + 1, ~0U, 0); /* a lock file must not outlive us in somebody else's hands */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(SHELL_CANNOT_RUN);
}

/** Pipes lie above the standard streams, so that the child can move them there. */
static enum status make_pipe(int ends[2], struct error *error)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, STATUS_INTERNAL, "no pipe to an external program");
    for (int i = 0; i < 2; i++) {
        const int high = fcntl(ends[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(ends[i]);
        ends[i] = high;
    }
    return ends[0] >= 0 && ends[1] >= 0
               ? STATUS_OK
               : error_set_errno(error, STATUS_INTERNAL, "no pipe to an external program");
}

static enum status launch(struct child_process *child, struct error *error)
{
    int input[2] = {-1, -1}, output[2] = {-1, -1};
    const pid_t parent = getpid();
    enum status status = make_pipe(input, error);
    if (status == STATUS_OK)
        status = make_pipe(output, error);
    if (status == STATUS_OK)
        child->pid = fork();
    if (status == STATUS_OK && child->pid == 0)
        become(child->command, parent, input[0], output[1]);
    if (status == STATUS_OK && child->pid < 0)
        status = error_set_errno(error, STATUS_INTERNAL, "%s cannot be started", child->name);
    if (input[0] >= 0)
        close(input[0]);
    if (output[1] >= 0)
        close(output[1]);
    child->to = input[1];
    child->from = output[0];
    return status;
}

void child_name(const char *command, char name[CHILD_NAME_CAPACITY])
{
    enum { MOST = CHILD_NAME_CAPACITY - 8 };
    const bool is_long = strlen(command) > MOST;
    snprintf(name, CHILD_NAME_CAPACITY, "`%.*s%s`", is_long ? MOST - 3 : MOST, command, is_long ? "..." : "");
}

enum status child_start(const char *command, struct child_process **result, struct error *error)
{
    struct child_process *child = NULL;
    TRY(MEMORY_ALLOCATE(child, 1, error));
    *child = (struct child_process){.pid = -1, .to = -1, .from = -1};
    child_name(command, child->name);
    enum status status = memory_copy_text(&child->command, command, error);
    if (status == STATUS_OK)
        status = launch(child, error);
    if (status != STATUS_OK) {
        child_stop(child, 0);
        return status;
    }
    setpgid(child->pid, child->pid); /* whoever comes first */
    fcntl(child->to, F_SETFL, O_NONBLOCK);
    fcntl(child->from, F_SETFL, O_NONBLOCK);
    *result = child;
    return STATUS_OK;
}

/* ---- end ---- */

/** Has it ended? It is left to be reaped, so that its number stays its own. */
static bool has_ended(const struct child_process *child, siginfo_t *information)
{
    *information = (siginfo_t){0};
    return waitid(P_PID, (id_t)child->pid, information, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           information->si_pid == child->pid;
}

static bool wait_for_end(const struct child_process *child, double seconds, siginfo_t *information)
{
    const double end = clock_seconds() + seconds;
    while (!has_ended(child, information)) {
        if (clock_seconds() >= end)
            return false;
        clock_sleep(1e-3);
    }
    return true;
}

static void close_pipe(int *end)
{
    if (*end >= 0)
        close(*end);
    *end = -1;
}

void child_stop(struct child_process *child, double seconds)
{
    siginfo_t information;
    if (child == NULL)
        return;
    close_pipe(&child->to);
    if (child->pid > 0) {
        wait_for_end(child, seconds, &information);
        kill(-child->pid, SIGKILL);
        kill(child->pid, SIGKILL); /* its group may not be made yet */
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close_pipe(&child->from);
    free(child->command);
    free(child);
}

/* ---- talk ---- */

void child_write(struct child_process *child, const void *bytes, size_t n_bytes)
{
    child->unread = bytes;
    child->n_unread = n_bytes;
}

bool child_has_unread(const struct child_process *child)
{
    return child->n_unread > 0;
}

/** write() without the signal that a dead reader sends, whatever the rest of the program does with it. */
static ssize_t write_quietly(int file, const void *bytes, size_t n_bytes)
{
    const struct timespec now = {0};
    sigset_t pipe_signal, before, pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    const ssize_t n = write(file, bytes, n_bytes);
    const int saved_errno = errno;
    if (n < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_signal, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved_errno;
    return n;
}

/** Whoever does not read any more has died, which reading will tell, or is not interested in the rest. */
static void send_some(struct child_process *child)
{
    const ssize_t n = write_quietly(child->to, child->unread, child->n_unread);
    if (n > 0) {
        child->unread += n;
        child->n_unread -= (size_t)n;
    } else if (errno != EAGAIN && errno != EINTR) {
        child->n_unread = 0;
    }
}

/** ": 3 of 40 bytes of its answer came", or nothing where none did. */
static const char *progress_text(size_t n_read, size_t n_bytes, char text[PROGRESS_CAPACITY])
{
    text[0] = '\0';
    if (n_read > 0)
        snprintf(text, PROGRESS_CAPACITY, ": %zu of %zu bytes of its answer came", n_read, n_bytes);
    return text;
}

/** Its output has ended. */
static enum status tell_death(struct child_process *child, size_t n_read, size_t n_bytes, struct error *error)
{
    siginfo_t end;
    char progress[PROGRESS_CAPACITY];
    progress_text(n_read, n_bytes, progress);
    if (!wait_for_end(child, death_patience, &end))
        return error_set(error, STATUS_IO, "%s closed its standard output%s", child->name, progress);
    const int signal_number = end.si_code != CLD_EXITED            ? end.si_status
                              : end.si_status > SHELL_SAW_A_SIGNAL ? end.si_status - SHELL_SAW_A_SIGNAL
                                                                   : 0;
    if (signal_number > 0)
        return error_set(error, STATUS_IO, "%s died by signal %d (%s)%s", child->name, signal_number,
                         strsignal(signal_number), progress);
    if (end.si_status == SHELL_CANNOT_RUN || end.si_status == SHELL_CANNOT_FIND)
        return error_set(error, STATUS_BAD_INPUT, "%s could not be started: %s", child->name,
                         end.si_status == SHELL_CANNOT_FIND ? "the shell does not find it"
                                                            : "the shell may not execute it");
    return error_set(error, STATUS_IO, "%s ended with exit status %d%s", child->name, end.si_status,
                     progress);
}

/** Sleep until there is something to read or room to write, or it is time to look at the clock again. */
static void wait_for_event(const struct child_process *child, double seconds, bool *readable, bool *writable)
{
    struct pollfd files[2] = {{child->from, POLLIN, 0}, {child->to, POLLOUT, 0}};
    const nfds_t n_files = child->n_unread > 0 ? 2 : 1;
    const double most = seconds < watch_interval ? seconds : watch_interval;
    const int n = poll(files, n_files, (int)ceil(1e3 * most));
    *readable = n > 0 && files[0].revents != 0;
    *writable = n > 0 && files[1].revents != 0;
}

static enum status check_wait(const struct child_process *child, const struct child_wait *wait, double left,
                              size_t n_read, size_t n_bytes, struct error *error)
{
    char progress[PROGRESS_CAPACITY];
    if (wait->watch != NULL && wait->watch->should_stop != NULL &&
        wait->watch->should_stop(wait->watch->context))
        return error_set(error, STATUS_STOPPED, "stopped while %s was waited for", child->name);
    if (left <= 0)
        return error_set(error, STATUS_IO, "%s did not answer within %g s%s", child->name, wait->seconds,
                         progress_text(n_read, n_bytes, progress));
    return STATUS_OK;
}

enum status child_read(struct child_process *child, void *buffer, size_t n_bytes,
                       const struct child_wait *wait, struct error *error)
{
    const double end = clock_seconds() + wait->seconds;
    for (size_t n_read = 0; n_read < n_bytes;) {
        bool readable, writable;
        const double left = end - clock_seconds();
        TRY(check_wait(child, wait, left, n_read, n_bytes, error));
        wait_for_event(child, left, &readable, &writable);
        if (writable)
            send_some(child);
        if (!readable)
            continue;
        const ssize_t n = read(child->from, (char *)buffer + n_read, n_bytes - n_read);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return tell_death(child, n_read, n_bytes, error);
        n_read += n > 0 ? (size_t)n : 0;
    }
    return STATUS_OK;
}
