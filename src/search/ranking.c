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

int ranking_best(const float *scores, int n, int most, struct ranked *ranked)
{
    int n_found = 0;
    for (int i = 0; i < n; i++) {
        const struct ranked found = {(double)scores[i], i};
        int place = n_found;
        while (place > 0 && found.score > ranked[place - 1].score)
            place--;
        if (isnan(scores[i]) || place >= most)
            continue;
        n_found += n_found < most;
        for (int j = n_found - 1; j > place; j--)
            ranked[j] = ranked[j - 1];
        ranked[place] = found;
    }
    return n_found;
}

double ranking_loss(float score)
{
    const double loss = -(double)score;
    return loss < LARGEST_LOSS ? fmax(loss, -LARGEST_LOSS) : LARGEST_LOSS;
}
