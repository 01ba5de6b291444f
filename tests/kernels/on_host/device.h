/* SPDX-License-Identifier: MIT */
/** A device that is made of the host's memory, which nobody can touch but its kernels and copies. */
#ifndef MEICENSUS_TEST_DEVICE_H
#define MEICENSUS_TEST_DEVICE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Around what the device does: its memory is there only between these two. */
void device_open(void);
void device_close(void);

/** From now on it has room for so many bytes more. */
void device_limit(size_t n_bytes);

/** From now on it has this fault, until it is asked for one. */
void device_fail(const char *fault);

/** Pieces of memory that were not given back. */
size_t device_n_pieces(void);

#ifdef __cplusplus
}
#endif

#endif
