/* SPDX-License-Identifier: MIT */
#include "search.h"

#include <stdlib.h>

#include "memory.h"
#include "methods.h"

/** The space must have a dimension and a choice, and binary digits where the method needs them. */
static enum status check_problem(const struct search_method *method, const struct search_problem *problem,
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

enum status search_create(const struct search_method *method, const struct search_problem *problem,
                          const void *settings, struct search **search, struct error *error)
{
    void *made = NULL;
    TRY(check_problem(method, problem, error));
    TRY(memory_allocate(&made, 1, method->search_size, "search", error));
    *(struct search_problem *)made = *problem;
    const enum status status = method->prepare(method, made, settings, error);
    if (status == STATUS_OK)
        *search = made;
    else
        search_destroy(method, made);
    return status;
}

void search_destroy(const struct search_method *method, struct search *search)
{
    if (search != NULL && method->release != NULL)
        method->release(search);
    free(search);
}

int search_problem_digits(const struct search_problem *problem)
{
    int digits = 0;
    while ((problem->n_points >> digits) > 1)
        digits++;
    return digits;
}
