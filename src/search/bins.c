/* SPDX-License-Identifier: MIT */
#include "bins.h"

#include <math.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>

#include "memory.h"

enum status bins_prepare(struct bins *bins, int n_points, struct error *error)
{
    *bins = (struct bins){.n_points = n_points};
    TRY(MEMORY_ALLOCATE(bins->centres, (size_t)n_points, error));
    for (int i = 0; i < n_points; i++)
        bins->centres[i] = gsl_cdf_ugaussian_Pinv((i + 0.5) / n_points);
    return STATUS_OK;
}

void bins_release(struct bins *bins)
{
    free(bins->centres);
    bins->centres = NULL;
}

int32_t bins_index(const struct bins *bins, double value)
{
    double position = rint(bins->n_points * gsl_cdf_ugaussian_P(value) - 0.5);
    if (!(position > 0)) /* also when `value` is not a number */
        return 0;
    return position < bins->n_points - 1 ? (int32_t)position : bins->n_points - 1;
}
