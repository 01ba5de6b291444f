/* SPDX-License-Identifier: MIT */
#include "axis.h"

#include <math.h>

enum status axis_prepare(struct axis *axis, const struct search_problem *problem, struct error *error)
{
    *axis = (struct axis){.n_points = problem->n_points, .low = problem->low};
    axis->spacing = (problem->high - problem->low) / (problem->n_points - 1);
    return bins_prepare(&axis->bins, problem->n_points, error);
}

void axis_release(struct axis *axis)
{
    bins_release(&axis->bins);
}

static int32_t nearest_point(const struct axis *axis, double value)
{
    const double position = rint((value - axis->low) / axis->spacing);
    if (!(position > 0)) /* also when `value` is not a number */
        return 0;
    return position < axis->n_points - 1 ? (int32_t)position : axis->n_points - 1;
}

void axis_codes(const struct axis *axis, size_t n, const double *values, int32_t *codes)
{
    for (size_t i = 0; i < n; i++)
        codes[i] = axis->spacing > 0 ? nearest_point(axis, values[i]) : bins_index(&axis->bins, values[i]);
}

void axis_values(const struct axis *axis, size_t n, const int32_t *codes, double *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = axis->spacing > 0 ? axis->low + codes[i] * axis->spacing : axis->bins.centres[codes[i]];
}
