/* SPDX-License-Identifier: MIT */
#include "spending.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "random.h"

/** How much one wants a unit; the higher comes first, the lower number of equal ones. */
struct spending_wish {
    double value;
    int32_t unit;
};

/* a unit that gains nothing waits twice as long each time, so many turns of each other unit at most */
static const int longest_pause = 16;

/* what a turn weighs after one more */
static const float memory = 0.9f;

/* ---- rules ---- */

/** Who has waited longest. */
static double wish_in_turn(const struct spending *spending, int64_t round, int32_t unit)
{
    (void)round;
    return -(double)spending->units[unit].due;
}

/** Gamma(shape) for shape >= 1, by Marsaglia and Tsang (2000); at most eight tries of two normal numbers. */
static double draw_gamma(uint64_t key, int64_t round, int32_t unit, uint32_t which, double shape)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (uint32_t attempt = 0; attempt < 8; attempt++) {
        uint32_t words[4];
        double normal[2];
        random_words(key, (struct random_counter){{3, (uint32_t)round, (uint32_t)unit, 2 * attempt + which}},
                     words);
        random_normal_pair(words[0], words[1], normal);
        const double v = pow(1 + c * normal[0], 3);
        if (1 + c * normal[0] > 0 &&
            log(random_uniform(words[2])) < 0.5 * normal[0] * normal[0] + d - d * v + d * log(v))
            return d * v;
    }
    return d;
}

/** A draw from what is believed of the probability to gain: Beta(1 + gains, 1 + failures). */
static double wish_as_bandit(const struct spending *spending, int64_t round, int32_t unit)
{
    const struct spending_unit *u = &spending->units[unit];
    const double gain = draw_gamma(spending->key, round, unit, 0, 1 + (double)u->gains);
    const double loss = draw_gamma(spending->key, round, unit, 1, 1 + (double)(u->tries - u->gains));
    return gain / (gain + loss);
}

static void rest_once(struct spending_unit *unit, bool has_gained)
{
    (void)has_gained;
    unit->pause = 1;
}

static void rest_longer(struct spending_unit *unit, bool has_gained)
{
    const int doubled = 2 * unit->pause;
    unit->pause = has_gained ? 1 : doubled < longest_pause ? doubled : longest_pause;
}

static const struct rule {
    double (*wish)(const struct spending *spending, int64_t round, int32_t unit);
    void (*rest)(struct spending_unit *unit, bool has_gained);
} rules[] = {{wish_in_turn, rest_once}, {wish_in_turn, rest_longer}, {wish_as_bandit, rest_once}};

const char *const spending_names[] = {"turns", "pauses", "bandit", NULL};

/* ---- choosing ---- */

enum status spending_create(struct spending *spending, int rule, uint64_t key, int64_t n_units,
                            struct error *error)
{
    *spending = (struct spending){.rule = rule, .key = key, .n_units = n_units};
    TRY(MEMORY_ALLOCATE(spending->units, (size_t)n_units, error));
    TRY(MEMORY_ALLOCATE(spending->wishes, (size_t)n_units, error));
    for (int64_t i = 0; i < n_units; i++)
        spending->units[i].pause = 1;
    return STATUS_OK;
}

void spending_free(struct spending *spending)
{
    free(spending->units);
    free(spending->wishes);
    *spending = (struct spending){0};
}

static int compare_wishes(const void *a, const void *b)
{
    const struct spending_wish *v = a, *w = b;
    if (v->value != w->value)
        return v->value < w->value ? 1 : -1;
    return (v->unit > w->unit) - (v->unit < w->unit);
}

int spending_choose(struct spending *spending, int64_t round, int most, int32_t *asked)
{
    size_t n = 0;
    for (int32_t unit = 0; unit < spending->n_units; unit++)
        if (!spending->units[unit].is_done)
            spending->wishes[n++] =
                (struct spending_wish){rules[spending->rule].wish(spending, round, unit), unit};
    qsort(spending->wishes, n, sizeof *spending->wishes, compare_wishes);
    const int n_asked = n < (size_t)most ? (int)n : most;
    spending->n_live = (int64_t)n;
    for (int i = 0; i < n_asked; i++)
        asked[i] = spending->wishes[i].unit;
    return n_asked;
}

void spending_note(struct spending *spending, int32_t unit, bool has_gained)
{
    struct spending_unit *u = &spending->units[unit];
    u->gains = memory * u->gains + (has_gained ? 1.0f : 0.0f);
    u->tries = memory * u->tries + 1.0f;
    rules[spending->rule].rest(u, has_gained);
    u->due = ++spending->n_turns + (u->pause - 1) * spending->n_live;
}
