/* SPDX-License-Identifier: MIT */
/** The rows of the table of search methods, one declaration a method, and what they share. */
#ifndef MEICENSUS_SEARCH_METHODS_H
#define MEICENSUS_SEARCH_METHODS_H

#include "search.h"

extern const struct search_method search_tt;
extern const struct search_method search_tt_s;
extern const struct search_method search_tt_b;
extern const struct search_method search_tt_exp;
extern const struct search_method search_tt_plain;
extern const struct search_method search_ttopt;
extern const struct search_method search_cma;
extern const struct search_method search_cma_diagonal;
extern const struct search_method search_cma_cholesky;
extern const struct search_method search_de;
extern const struct search_method search_noisy_bandit;
extern const struct search_method search_spsa;
extern const struct search_method search_portfolio;
extern const struct search_method search_elite_ga;
extern const struct search_method search_xdream_ga;
extern const struct search_method search_fdgd;
extern const struct search_method search_nes;
extern const struct search_method search_one_plus_one;
extern const struct search_method search_random;

/** Binary digits of an index: the largest q with 2^q <= n_points. */
int search_problem_digits(const struct search_problem *problem);

#endif
