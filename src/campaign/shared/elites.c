/* SPDX-License-Identifier: MIT */
#include "elites.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum status elites_create(struct elites *elites, int64_t n_units, int most, int n_dimensions,
                          struct error *error)
{
    const size_t n = (size_t)n_units * (size_t)most;
    *elites = (struct elites){.n_units = n_units, .most = most, .n_dimensions = n_dimensions};
    TRY(MEMORY_ALLOCATE(elites->n, (size_t)n_units, error));
    TRY(MEMORY_ALLOCATE(elites->items, n, error));
    TRY(MEMORY_ALLOCATE(elites->codes, n * (size_t)n_dimensions, error));
    TRY(MEMORY_ALLOCATE(elites->least, (size_t)n_units, error));
    elites_clear(elites);
    return STATUS_OK;
}

void elites_free(struct elites *elites)
{
    free(elites->n);
    free(elites->items);
    free(elites->codes);
    free(elites->least);
    *elites = (struct elites){0};
}

void elites_clear(struct elites *elites)
{
    for (int64_t unit = 0; unit < elites->n_units; unit++) {
        elites->n[unit] = 0;
        elites->least[unit] = -INFINITY;
    }
}

static struct elite *item_at(const struct elites *elites, int64_t unit, int rank)
{
    return elites->items + unit * elites->most + rank;
}

static int32_t *code_at(const struct elites *elites, int64_t unit, int rank)
{
    return elites->codes + (unit * elites->most + rank) * elites->n_dimensions;
}

const struct elite *elites_at(const struct elites *elites, int64_t unit, int rank)
{
    return item_at(elites, unit, rank);
}

const int32_t *elites_code(const struct elites *elites, int64_t unit, int rank)
{
    return code_at(elites, unit, rank);
}

static bool is_before(const struct elite *a, const struct elite *b)
{
    return a->score != b->score ? a->score > b->score : a->image < b->image;
}

/** Its rank in the list if it is there with that score, else -1. */
static int find_code(const struct elites *elites, int64_t unit, float score, const int32_t *code)
{
    const size_t n_bytes = sizeof *code * (size_t)elites->n_dimensions;
    for (int rank = 0; rank < elites->n[unit]; rank++)
        if (item_at(elites, unit, rank)->score == score &&
            memcmp(code_at(elites, unit, rank), code, n_bytes) == 0)
            return rank;
    return -1;
}

/** Move what stands from `rank` on, before `end`, one rank down. */
static void make_room(struct elites *elites, int64_t unit, int rank, int end)
{
    const size_t n = (size_t)(end - rank), d = (size_t)elites->n_dimensions;
    memmove(item_at(elites, unit, rank + 1), item_at(elites, unit, rank), n * sizeof(struct elite));
    memmove(code_at(elites, unit, rank + 1), code_at(elites, unit, rank), n * d * sizeof(int32_t));
}

void elites_offer(struct elites *elites, int64_t unit, const struct elite *elite, const int32_t *code)
{
    int *n = &elites->n[unit];
    if (isnan(elite->score))
        return;
    const int there = find_code(elites, unit, elite->score, code);
    if (there >= 0 && !is_before(elite, item_at(elites, unit, there)))
        return;
    const int end = there >= 0 ? there : *n < elites->most ? *n : elites->most - 1;
    if (there < 0 && *n == elites->most && !is_before(elite, item_at(elites, unit, *n - 1)))
        return;
    int rank = end;
    while (rank > 0 && is_before(elite, item_at(elites, unit, rank - 1)))
        rank--;
    make_room(elites, unit, rank, end);
    *item_at(elites, unit, rank) = *elite;
    memcpy(code_at(elites, unit, rank), code, sizeof *code * (size_t)elites->n_dimensions);
    *n += there < 0 && *n < elites->most;
    if (*n == elites->most)
        elites->least[unit] = item_at(elites, unit, *n - 1)->score;
}
