/* SPDX-License-Identifier: MIT */
#include "ranking.h"

#include <math.h>
#include <stdlib.h>

static const double LARGEST_LOSS = 5e20;

static int by_score(const void *first, const void *second)
{
    const struct ranked *a = first, *b = second;
    if (a->score != b->score)
        return a->score < b->score ? 1 : -1;
    return (a->place > b->place) - (a->place < b->place);
}

void ranking_sort(struct ranked *ranked, int n)
{
    qsort(ranked, (size_t)n, sizeof *ranked, by_score);
}

double ranking_loss(float score)
{
    const double loss = -(double)score;
    return loss < LARGEST_LOSS ? fmax(loss, -LARGEST_LOSS) : LARGEST_LOSS;
}
