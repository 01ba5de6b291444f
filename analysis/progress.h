/* SPDX-License-Identifier: MIT */
/** A line on standard error every two seconds, so that nobody waits before a silent screen. */
#ifndef MEICENSUS_ANALYSIS_PROGRESS_H
#define MEICENSUS_ANALYSIS_PROGRESS_H

#include <stddef.h>

/** Zero-initialise it. */
struct progress {
    double next; /**< clock_seconds() of the next line; 0 before the first call */
};

/** Prints "what: done/total" if two seconds have passed since the last line (or the first call). */
void progress_report(struct progress *progress, const char *what, size_t done, size_t total);

#endif
