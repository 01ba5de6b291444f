/* SPDX-License-Identifier: MIT */
/** Rules by which the images of a round are spent on units. Adding one: one line in the table of spending.c.
 */
#ifndef MEICENSUS_SHARED_SPENDING_H
#define MEICENSUS_SHARED_SPENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Names of the rules, ended by NULL. */
extern const char *const spending_names[];

/** What a rule knows of a unit. */
struct spending_unit {
    bool is_done;       /**< it gets nothing more */
    int pause;          /**< before its next turn, in turns of each unit that is not done; 1 or more */
    int64_t due;        /**< number of the turn from which it may have its next; the lowest comes first */
    float gains, tries; /**< turns that made its best better, turns; older ones weigh less */
};

struct spending {
    int rule;
    uint64_t key; /**< Philox key of the census */
    int64_t n_units;
    int64_t n_turns;              /**< noted so far */
    int64_t n_live;               /**< units that were not done when it was last chosen among them */
    struct spending_unit *units;  /**< [n_units] */
    struct spending_wish *wishes; /**< [n_units], to sort */
};

/** Free with spending_free, also after an error. */
enum status spending_create(struct spending *spending, int rule, uint64_t key, int64_t n_units,
                            struct error *error);
void spending_free(struct spending *spending);

/**
 * Choose up to `most` units that are not done for round `round`, each once: asked, who comes first first;
 * returns how many. A function of key, round and what was noted so far.
 */
int spending_choose(struct spending *spending, int64_t round, int most, int32_t *asked);

/** A unit had its turn: did its best become better by it? */
void spending_note(struct spending *spending, int32_t unit, bool has_gained);

#endif
