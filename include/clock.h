/* SPDX-License-Identifier: MIT */
/** Time. Never part of a result outside /provenance. */
#ifndef MEICENSUS_CLOCK_H
#define MEICENSUS_CLOCK_H

/** Seconds since an arbitrary fixed moment; monotonic. */
double clock_seconds(void);

/** Sleep; returns early when a signal arrives. */
void clock_sleep(double seconds);

enum { CLOCK_DATE_CAPACITY = 32 };

/** Now, in UTC, as 2026-01-31T23:59:59Z. */
void clock_date(char text[CLOCK_DATE_CAPACITY]);

#endif
