/* SPDX-License-Identifier: MIT */
/**
 * Functions with a known best value, on which search methods are compared: `meicensus optimize`. All are to
 * be maximised, and 0 (trap: 1) is the best value there could be between the points of the space.
 *
 * An index i of n points stands for x = (i + 0.5) / n. The best x is c_i = frac((i + 1) (sqrt(5) - 1) / 2).
 * - sphere: -mean_i (x_i - c_i)^2
 * - ellipsoid: -sum_i w_i y_i^2 / sum_i w_i, w_i = 10^(4 i / (d - 1)), y = R (x - c), R the product of the
 *   reflections 1 - 2 v v^T / v^T v for v_ki = cos((k + 1) (i + 1)), k = 0..2, the first one applied first
 * - trap: mean_i t_i; of the q binary digits of n = 2^q points, t = 1 if all are 1, else (q - 1 - ones) / q:
 *   the fewer the better (Deb and Goldberg 1993)
 * - noisy_sphere: sphere + 0.02 N(0,1), drawn anew at every query
 */
#ifndef MEICENSUS_FUNCTIONS_H
#define MEICENSUS_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "search.h"

struct test_function {
    const char *name;
    const char *summary;
    bool needs_power_of_two;
    double noise; /**< standard deviation that is added to the value */

    /** Value of a code [n_dimensions] without noise; `room` is [2][n_dimensions]. */
    double (*value)(const struct search_problem *problem, const int32_t *code, double *room);
};

/** All functions, ended by a NULL name. */
extern const struct test_function test_functions[];

/** The function of that name, or NULL. */
const struct test_function *test_function_find(const char *name);

/** Noise of the query with that number (from 0): N(0,1), by the problem's key. */
double test_function_noise(const struct search_problem *problem, int64_t query);

#endif
