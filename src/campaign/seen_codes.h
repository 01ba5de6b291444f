/* SPDX-License-Identifier: MIT */
/** Scores of the codes a run has already asked, so that none is shown twice to a deterministic subject. */
#ifndef MEICENSUS_SEEN_CODES_H
#define MEICENSUS_SEEN_CODES_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

struct seen_codes;

enum status seen_codes_create(struct seen_codes **seen, struct error *error);
void seen_codes_clear(struct seen_codes *seen);
void seen_codes_free(struct seen_codes *seen);

/** Codes are told apart by their 128-bit XXH3 hash. */
bool seen_codes_find(const struct seen_codes *seen, const void *code, size_t n_bytes, float *score);

/** Forgets silently when memory is short: the code is then shown again, with the same score. */
void seen_codes_add(struct seen_codes *seen, const void *code, size_t n_bytes, float score);

#endif
