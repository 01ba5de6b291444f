/* SPDX-License-Identifier: MIT */
/** The start codes of one group, read from the files that its job names. */
#ifndef MEICENSUS_START_CODES_H
#define MEICENSUS_START_CODES_H

#include "campaign.h"

/**
 * Start codes in the making. Units share codes (all of them those of a file, neighbours each other's MEIs),
 * so the codes lie in a pool, and a table says which are whose.
 */
struct start_codes {
    const struct plan *plan;
    const struct plan_group *group;
    const struct backend *backend;
    int32_t *pool; /**< [n_pool][d] */
    size_t n_pool, pool_capacity;
    int64_t *rows; /**< [unit of the group][n_columns] rows of the pool */
    int n_columns;
};

/**
 * Read them all; pool and rows belong to the caller, also after a fault. STATUS_BAD_INPUT names a file that
 * is of another generator, lacks a unit or holds what is no code of the generator, with what was expected.
 */
enum status start_codes_read(struct start_codes *codes, struct error *error);

/** Append a code [d]; *row is its place. `where` says for messages which code of `path` it is. */
enum status start_codes_add(struct start_codes *codes, const int32_t *code, const char *path, int64_t where,
                            int64_t *row, struct error *error);

/** Make room for `n` more columns, which begin at *first. */
enum status start_codes_widen(struct start_codes *codes, int64_t n, int *first, struct error *error);

/** The source that is an earlier census (start_results.c). */
enum status start_codes_of_results(struct start_codes *codes, struct error *error);

/** Does a search of this group start from anything? */
bool start_is_warm(const struct job_start *start);

#endif
