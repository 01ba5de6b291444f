/* SPDX-License-Identifier: MIT */
/** Which runs of a plan share their images. */
#ifndef MEICENSUS_POOLS_H
#define MEICENSUS_POOLS_H

#include "campaign.h"

/** Can this entry of `searches` be done in its mode? STATUS_BAD_INPUT says what stands against it. */
enum status pools_check_search(const struct job *job, const struct job_search *search, int subject,
                               int method, struct error *error);

/** Do two entries ask for the same exchange of images? */
bool pools_are_alike(const struct job_search *a, const struct job_search *b);

/** List the pools of a plan whose runs are there. STATUS_BAD_INPUT: groups of one pool that do not agree. */
enum status pools_make(struct plan *plan, struct error *error);
void pools_free(struct plan *plan);

#endif
