/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>

#include "clock.h"

static const double interval_s = 2;

void progress_report(struct progress *progress, const char *what, size_t done, size_t total)
{
    double now = clock_seconds();
    if (progress->next == 0)
        progress->next = now + interval_s;
    if (now < progress->next)
        return;
    fprintf(stderr, "%s: %zu/%zu\n", what, done, total);
    progress->next = now + interval_s;
}
