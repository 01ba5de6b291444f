/* SPDX-License-Identifier: MIT */
/** Scores of a generation in order, and losses as Nevergrad's methods take them. */
#ifndef MEICENSUS_SEARCH_RANKING_H
#define MEICENSUS_SEARCH_RANKING_H

/** A place in a generation with its score. */
struct ranked {
    double score;
    int place;
};

/** The highest score first, equal ones in the order of their places; no score may be NaN. */
void ranking_sort(struct ranked *ranked, int n);

/** The best of n scores that are numbers, `most` at most, the highest first, equal ones in their order.
 * Returns how many there are; ranked has room for `most`. */
int ranking_best(const float *scores, int n, int most, struct ranked *ranked);

/** The negative score, within +-5e20; that bound stands for what is not a number, too (Nevergrad 1.0.12). */
double ranking_loss(float score);

#endif
