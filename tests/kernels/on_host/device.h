/* SPDX-License-Identifier: MIT */
/**
 * A device that is made of the host's memory, which nobody can touch but its kernels and copies. What it is
 * told to do it does when it is waited for, not before; with CUDA_LAUNCH_BLOCKING=1, as on a device, at once.
 */
#ifndef MEICENSUS_TEST_DEVICE_H
#define MEICENSUS_TEST_DEVICE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Start `run` on a copy of a piece of work. */
void device_start(void (*run)(const void *work), const void *work, size_t n_bytes);

/** From now on it has room for so many bytes in all; MEICENSUS_ON_HOST_MIB says how many MiB at first. */
void device_limit(size_t n_bytes);

/** Bytes that are in use. */
size_t device_held(void);

/** From now on it has this fault, until it is asked for one. */
void device_fail(const char *fault);

/** i / divisor, as kernels divide. */
size_t device_quotient(size_t i, size_t divisor);

/** Pieces of memory, shared ones too, that were not given back. */
size_t device_n_pieces(void);

#ifdef __cplusplus
}
#endif

#endif
