/* SPDX-License-Identifier: MIT */
/** Which units a `searches` entry means. */
#ifndef MEICENSUS_UNITS_H
#define MEICENSUS_UNITS_H

#include "campaign.h"

/** A growing list of units; zero-initialise, free `items`. */
struct unit_list {
    struct unit *items;
    size_t n_items, capacity;
};

/** Append the units that `search` selects of `model`. STATUS_BAD_INPUT names the layer or unit and the valid
 * range. */
enum status units_select(const struct job_search *search, const struct model *model, struct unit_list *list,
                         struct error *error);

/** Order: layer, kind, channel, y, x. */
int unit_compare(const void *a, const void *b);

/** Sort and drop duplicates. */
void units_normalise(struct unit_list *list);

#endif
