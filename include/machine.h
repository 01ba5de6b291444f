/* SPDX-License-Identifier: MIT */
/** What the processor can do at most: the measure for everything that is timed on it. */
#ifndef MEICENSUS_MACHINE_H
#define MEICENSUS_MACHINE_H

#include <stddef.h>

#include "status.h"

enum { MACHINE_NAME_CAPACITY = 128 };

/** The processor as /proc/cpuinfo calls it; "unknown processor" where it does not. */
void machine_processor(char name[MACHINE_NAME_CAPACITY]);

/** Cores that this process may run on. */
int machine_n_cores(void);

/** The widest float32 multiply-adds of this processor: "avx512f", "avx2 fma", or "scalar" (no fused ones). */
const char *machine_multiply_add(void);

/** Floating-point operations a second of one core, two a multiply-add: independent float32 multiply-adds on
 * registers, for about `seconds`. */
double machine_peak(double seconds);

/** Bytes a second of one core: a[i] = b[i] + s c[i] over `bytes` in three arrays, two read and one written;
 * for about `seconds`. What a store may read first does not count. */
enum status machine_bandwidth(double seconds, size_t bytes, double *bandwidth, struct error *error);

#endif
