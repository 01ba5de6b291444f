/* SPDX-License-Identifier: MIT */
#include "counter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

enum { BAR_WIDTH = 40 };

static const double quiet_s = 2, redraw_s = 0.2, line_every_s = 30;

bool counter_on_terminal(void)
{
    char link_path[64], target[256];
    if (getenv("OMPI_COMM_WORLD_SIZE") == NULL)
        return isatty(STDERR_FILENO) == 1;
    snprintf(link_path, sizeof link_path, "/proc/%ld/fd/2", (long)getppid());
    const ssize_t length = readlink(link_path, target, sizeof target - 1);
    if (length <= 0)
        return false;
    target[length] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

void counter_begin(struct counter *counter, const char *what, size_t n_total)
{
    const double now = clock_seconds();
    *counter = (struct counter){.what = what,
                                .n_total = n_total,
                                .is_terminal = counter_on_terminal(),
                                .start_s = now,
                                .next_s = now + quiet_s};
}

void counter_show(struct counter *counter, size_t n_done)
{
    const double now = clock_seconds();
    if (now < counter->next_s || counter->n_total == 0)
        return;
    const double rate = (double)n_done / (now - counter->start_s);
    const double left_s = n_done == 0 ? 0 : (double)(counter->n_total - n_done) / rate;
    char bar[BAR_WIDTH + 1] = "";
    memset(bar, '#', (size_t)BAR_WIDTH * n_done / counter->n_total);
    if (counter->is_terminal)
        fprintf(stderr, "\r[%-*s] ", BAR_WIDTH, bar);
    fprintf(stderr, "%zu of %zu %s, %.1f /s, %.0f s left  ", n_done, counter->n_total, counter->what, rate,
            left_s);
    fputs(counter->is_terminal ? "" : "\n", stderr);
    fflush(stderr);
    counter->is_shown = true;
    counter->next_s = now + (counter->is_terminal ? redraw_s : line_every_s);
}

void counter_end(struct counter *counter)
{
    if (counter->is_shown && counter->is_terminal)
        fputc('\n', stderr);
}
