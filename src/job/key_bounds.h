/* SPDX-License-Identifier: MIT */
/** What the numbers in a key table mean. */
#ifndef MEICENSUS_KEY_BOUNDS_H
#define MEICENSUS_KEY_BOUNDS_H

#include <stdbool.h>

#include "keys.h"

/** Bounds of a value; infinite where the table gives none. */
double key_minimum(const struct key *key);
double key_maximum(const struct key *key);

/** The same for KEY_INTEGER, cut to what a long long holds. */
long long key_integer_minimum(const struct key *key);
long long key_integer_maximum(const struct key *key);

/** A text or node that is NULL when its key is not there. */
bool key_may_be_absent(const struct key *key);

#endif
