/* SPDX-License-Identifier: MIT */
/** Floats where the kernels of a model work: in the host's memory, or in a device's (struct kernel_memory).
 */
#ifndef MEICENSUS_MODEL_PLACEMENT_H
#define MEICENSUS_MODEL_PLACEMENT_H

#include "kernels.h"
#include "status.h"

/** n floats, 0; given back with placement_free. */
enum status placement_allocate(const struct kernels *kernels, size_t n, float **values, struct error *error);
void placement_free(const struct kernels *kernels, float *values);

/** n_bytes of zeros of the host's memory, which a device reads and writes as well; given back with
 * placement_free_shared. */
enum status placement_allocate_shared(const struct kernels *kernels, size_t n_bytes, void **memory,
                                      struct error *error);
void placement_free_shared(const struct kernels *kernels, void *memory);

/** From and to the host's memory. */
void placement_write(const struct kernels *kernels, size_t n, const float *from, float *to);
void placement_read(const struct kernels *kernels, size_t n, const float *from, float *to);

/** A copy of values of the host's, where the kernels work; of NULL, none. */
enum status placement_copy(const struct kernels *kernels, size_t n, const float *values, float **copy,
                           struct error *error);

/** Values of the host's move there: *placed is given back as above, and `values` is nobody's any more,
 * whatever the status. */
enum status placement_move(const struct kernels *kernels, size_t n, float *values, float **placed,
                           struct error *error);

#endif
