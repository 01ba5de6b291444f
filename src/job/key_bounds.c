/* SPDX-License-Identifier: MIT */
#include "key_bounds.h"

#include <limits.h>
#include <math.h>

static bool is_bounded(const struct key *key)
{
    return key->minimum != 0.0 || key->maximum != 0.0;
}

double key_minimum(const struct key *key)
{
    return is_bounded(key) ? key->minimum : -INFINITY;
}

double key_maximum(const struct key *key)
{
    return is_bounded(key) ? key->maximum : INFINITY;
}

/* A long long ends one short of 2^63, which is the double next to LLONG_MAX: hence the comparisons. */
long long key_integer_minimum(const struct key *key)
{
    return key_minimum(key) <= (double)LLONG_MIN ? LLONG_MIN : (long long)key_minimum(key);
}

long long key_integer_maximum(const struct key *key)
{
    return key_maximum(key) >= -(double)LLONG_MIN ? LLONG_MAX : (long long)key_maximum(key);
}

bool key_may_be_absent(const struct key *key)
{
    return (key->type == KEY_TEXT || key->type == KEY_NODE) && key->default_value != NULL &&
           key->default_value[0] == '\0';
}
