/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <math.h>

const struct figure figures[] = {
    {"summary", "What became of the runs", "one planned run", figure_summary},
    {"units", "Every unit", "one planned run", figure_units},
    {"activation", "Activation of the units for their MEIs", "one finished run", figure_activation},
    {"entropy", "Class entropy of the MEIs in repeated presentations", "one finished run with trials",
     figure_entropy},
    {"perplexity", "Relative class perplexity of the MEIs in repeated presentations",
     "one finished run with trials", figure_perplexity},
    {"convergence", "Best activation against queries", "one finished run", figure_convergence},
    {"sheets", "The images: all units of every layer, and an overview", "one planned run", figure_sheets},
};
const int n_figures = sizeof figures / sizeof *figures;

int figures_select_layers(const struct subject *subject, bool classes, int *layers)
{
    int n = 0;
    for (int layer = 0; layer < subject->n_layers; layer++)
        if ((subject->layers[layer].kind == UNIT_CLASS) == classes)
            layers[n++] = layer;
    return n;
}

size_t figures_collect(const struct subject *subject, const struct group *group, int layer, result_value *value,
                       double *values)
{
    size_t n = 0;
    for (size_t row = 0; row < group->n_rows; row++) {
        double candidate = value(&group->results[row]);
        if (input_layer_of(subject, group, row) == layer && isfinite(candidate))
            values[n++] = candidate;
    }
    return n;
}

double figures_activation(const struct unit_result *result)
{
    return result->activation;
}

const char *figures_note(size_t n)
{
    return n == 0 ? "no finished run" : n < 5 ? "few units: quantiles say little" : "";
}
