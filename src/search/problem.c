/* SPDX-License-Identifier: MIT */
#include "methods.h"

enum status search_problem_check(const struct search_method *method, const struct search_problem *problem,
                                 struct error *error)
{
    int n = problem->n_points;
    if (problem->n_dimensions < 1 || n < 2)
        return error_set(error, STATUS_BAD_INPUT,
                         "method %s: a latent space of %d dimensions with %d points each cannot be searched; "
                         "at least 1 dimension and 2 points are needed",
                         method->name, problem->n_dimensions, n);
    if (method->needs_power_of_two && (n & (n - 1)) != 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "method %s: %d points a dimension cannot be written in binary digits; "
                         "use a power of two, or another method",
                         method->name, n);
    return STATUS_OK;
}

int search_problem_digits(const struct search_problem *problem)
{
    int digits = 0;
    while ((problem->n_points >> digits) > 1)
        digits++;
    return digits;
}
