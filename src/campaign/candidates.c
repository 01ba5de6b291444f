/* SPDX-License-Identifier: MIT */
#include "candidates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum status candidates_prepare(struct candidates *candidates, int most, size_t n_dimensions, bool minimise,
                               struct error *error)
{
    *candidates = (struct candidates){.most = most, .n_dimensions = n_dimensions, .minimise = minimise};
    TRY(MEMORY_ALLOCATE(candidates->items, (size_t)most, error));
    TRY(MEMORY_ALLOCATE(candidates->codes, (size_t)most * n_dimensions, error));
    for (int i = 0; i < most; i++)
        candidates->items[i].code = candidates->codes + (size_t)i * n_dimensions;
    return STATUS_OK;
}

void candidates_release(struct candidates *candidates)
{
    free(candidates->items);
    free(candidates->codes);
}

void candidates_clear(struct candidates *candidates)
{
    candidates->n = 0;
}

static bool is_better(const struct candidates *candidates, float a, float b)
{
    return candidates->minimise ? a < b : a > b;
}

static int find(const struct candidates *candidates, const int32_t *code)
{
    int place = 0;
    while (place < candidates->n &&
           memcmp(candidates->items[place].code, code, sizeof *code * candidates->n_dimensions) != 0)
        place++;
    return place;
}

void candidates_offer(struct candidates *candidates, const int32_t *code, float score, int64_t query)
{
    struct candidate *items = candidates->items;
    if (isnan(score) || candidates->most == 0 ||
        (candidates->n == candidates->most && !is_better(candidates, score, items[candidates->n - 1].score)))
        return;
    int place = find(candidates, code);
    if (place < candidates->n && !is_better(candidates, score, items[place].score))
        return;
    if (place == candidates->n)
        place = candidates->n < candidates->most ? candidates->n++ : candidates->most - 1;
    const struct candidate found = {score, query, items[place].code};
    memcpy(found.code, code, sizeof *code * candidates->n_dimensions);
    for (; place > 0 && is_better(candidates, score, items[place - 1].score); place--)
        items[place] = items[place - 1];
    items[place] = found;
}
