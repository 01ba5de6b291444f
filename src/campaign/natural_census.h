/* SPDX-License-Identifier: MIT */
/** What one rank has in hand while natural references are made. */
#ifndef MEICENSUS_NATURAL_CENSUS_H
#define MEICENSUS_NATURAL_CENSUS_H

#include "natural.h"
#include "natural_parts.h"
#include "ranks.h"
#include "units.h"

struct natural {
    const struct natural_options *options;
    struct ranks ranks;
    struct network network;
    struct dataset *dataset;
    char dataset_sha256[SHA256_TEXT_CAPACITY];
    char *constants; /**< model_constants */
    struct unit_list units;
    struct natural_parts parts; /**< mapped on rank 0 only */
    double started;
    int64_t n_shown; /**< images, by all ranks of this start; rank 0 only */
};

/**
 * Show the images of the chunks that the parts do not have yet and put them there: rank 0 hands out, the
 * others work; one rank alone does both. Collective, without agreement on the status. STATUS_STOPPED: a
 * signal came.
 */
enum status natural_work(struct natural *natural, struct error *error);

/** Write the file from the complete parts. Rank 0 only. */
enum status natural_write(const struct natural *natural, struct error *error);

#endif
