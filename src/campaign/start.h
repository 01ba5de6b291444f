/* SPDX-License-Identifier: MIT */
/**
 * Warm starts: codes that a search is told before it asks any. They come from the MEIs of an earlier census
 * (of the same unit, or of others of its layer), from the unit's best natural images through the generator's
 * encoder, or from a file of codes; in this order where a job names several.
 */
#ifndef MEICENSUS_START_H
#define MEICENSUS_START_H

#include <stdio.h>

#include "campaign.h"
#include "hash.h"

/** A file that start codes are made from. */
struct start_file {
    char name[256];   /**< "start of SUBJECT/GENERATOR/METHOD: results" */
    const char *path; /**< belongs to the job or to a model */
    char sha256[SHA256_TEXT_CAPACITY];
};

/** A growing list; zero-initialise, free `items`. */
struct start_files {
    struct start_file *items;
    size_t n_items, capacity;
};

/** List the files that the plan's start codes depend on, with what they contain now. STATUS_IO names one that
 * cannot be read. */
enum status start_files_list(const struct plan *plan, struct start_files *files, struct error *error);

/**
 * Decide what a group starts from, before its codes are read: what its entry of `searches` says; else, where
 * it minimises, the unit's best natural image if the job has those and the generator an encoder.
 * STATUS_BAD_INPUT: the method cannot be told codes, or the generator has no encoder.
 */
enum status start_choose(const struct plan *plan, const struct job_search *search, struct plan_group *group,
                         struct error *error);

/** "results: a.h5, neighbours: 3", or "nothing". */
void start_describe(const struct plan_group *group, FILE *out);

#endif
