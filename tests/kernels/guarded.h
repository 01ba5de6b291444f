/* SPDX-License-Identifier: MIT */
/**
 * Buffers that show what a kernel does wrong: bands of NaN around them (a read outside spoils the result, a
 * write outside is found), NaN inside until something is written; and random content that a seed repeats.
 */
#ifndef MEICENSUS_TEST_GUARDED_H
#define MEICENSUS_TEST_GUARDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels.h"

struct guarded {
    float *values; /**< [n], not written */
    size_t n;
    unsigned char *block;
    const struct kernel_memory *memory; /**< that the block is of; NULL: the host's own */
};

/** From now on buffers are made in memory that this device shares; NULL: as at first, in the host's own. */
void guarded_share(const struct kernel_memory *memory);

struct guarded guarded_make(size_t n);
void guarded_free(struct guarded *guarded);

/** Nothing was written outside. */
bool guarded_is_intact(const struct guarded *guarded);

/** Every value was written. */
bool guarded_is_filled(const struct guarded *guarded);

bool guarded_equal(const struct guarded *a, const struct guarded *b);

/** Random numbers (splitmix64, Steele et al. 2014). */
struct stream {
    uint64_t state;
};

int stream_integer(struct stream *stream, int lowest, int highest);
double stream_uniform(struct stream *stream); /**< [0, 1) */
double stream_normal(struct stream *stream);  /**< mean 0, variance 1 */

enum fill {
    FILL_NORMAL,
    FILL_SPIKES,  /**< 0, and 1 for one in eight */
    FILL_CANCEL,  /**< large, of both signs: sums cancel */
    FILL_TINY,    /**< products are below the smallest normal number */
    FILL_EIGHTHS, /**< multiples of 1/8 in [-2, 2]: thresholds are met exactly */
    N_FILLS
};

void guarded_fill(const struct guarded *guarded, struct stream *stream, enum fill fill);

#endif
