/* SPDX-License-Identifier: MIT */
#include "figures.h"

#include <math.h>

const struct figure figures[] = {
    {"summary", "What became of the runs", "one planned run", figure_summary},
    {"units", "Every unit", "one planned run", figure_units},
    {"activation", "Activation of the units for their MEIs", "one finished run", figure_activation},
    {"relative", "Activation for the MEI / for the most exciting image of a dataset",
     "one finished run of a unit that some image of the dataset excites", figure_relative},
    {"replicates", "Spread of the activation over replicates", "two finished runs of a unit",
     figure_replicates},
    {"entropy", "Class entropy of the MEIs in repeated presentations", "one finished run with trials",
     figure_entropy},
    {"perplexity", "Relative class perplexity of the MEIs in repeated presentations",
     "one finished run with trials", figure_perplexity},
    {"convergence", "Best activation against queries", "one finished run", figure_convergence},
    {"passes", "Best activation against forward passes, shared images beside independent searches",
     "a unit that was searched alone and with shared images", figure_passes},
    {"distance", "Distances between the latent codes of the MEIs of a unit",
     "finished runs of a unit by two methods, or two replicates", figure_distance},
    {"comparison", "Method against method and generator against generator, paired by unit",
     "a unit with finished runs of both", figure_comparison},
    {"sheets", "The images: all units of every layer, and an overview", "one planned run", figure_sheets},
};
const int n_figures = sizeof figures / sizeof *figures;

const struct figure figure_of_all = {"subjects", "The same units in one subject after the other",
                                     "a unit that two subjects share, with the same generator and method",
                                     figure_subjects};

double figures_activation(const struct unit_result *result)
{
    return result->activation;
}

double figures_variation(const struct unit_result *result)
{
    return result->variation;
}

double figures_relative(const struct unit_result *result)
{
    return result->relative;
}

size_t figures_collect(const struct subject *subject, const struct group *group, int layer,
                       result_value *value, double *values)
{
    size_t n = 0;
    for (size_t row = 0; row < group->n_rows; row++) {
        double candidate = value(&group->results[row]);
        if (input_layer_of(subject, group, row) != layer || !isfinite(candidate))
            continue;
        if (values != NULL)
            values[n] = candidate;
        n++;
    }
    return n;
}

int64_t figures_count_flag(const struct group *group, const uint8_t *flag, size_t row)
{
    int64_t n = 0;
    for (size_t replicate = 0; replicate < group->n_replicates; replicate++)
        n += input_run_done(group, row, replicate) && flag[row * group->n_replicates + replicate] != 0;
    return n;
}

bool figures_searched(const struct subject *subject, const struct group *group, int layer)
{
    for (size_t row = 0; row < group->n_rows; row++)
        if (input_layer_of(subject, group, row) == layer)
            return true;
    return false;
}

bool figures_place(const struct subject *subject, int generator, int method, int layer, result_value *value,
                   struct place *place)
{
    *place = (struct place){layer, SIZE_MAX, 0};
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *group = &subject->groups[i];
        if (group->generator == generator && (method == ANY_METHOD || group->method == method) &&
            figures_searched(subject, group, layer))
            plot_count(place, figures_collect(subject, group, layer, value, NULL));
    }
    return place->fewest <= place->most;
}

const char *figures_note(size_t n)
{
    return n == 0 ? "no finished run" : n < FIGURES_FEW ? "few units: quantiles say little" : "";
}

void figures_extend(struct range *range, const double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        range->low = fmin(range->low, values[i]);
        range->high = fmax(range->high, values[i]);
    }
}

struct range figures_axis(struct range range)
{
    double low = fmin(0, range.low), high = fmax(0, range.high);
    if (low == 0 && high > 0.5 && high <= 1)
        return (struct range){0, 1};
    double margin = high > low ? 0.05 * (high - low) : 1;
    return (struct range){low < 0 ? low - margin : 0, high + margin};
}

/** Where dots stand so that none hides another: each in the first lane whose last dot is far enough below;
 * lanes lie by turns right and left of the middle. values: rising. */
static void stand_aside(const double *values, size_t n, struct range axis, double *shift)
{
    const double dot = 0.03 * (axis.high - axis.low), widest = 0.25;
    double last[FIGURES_MOST_DOTS];
    size_t n_lanes = 0;
    for (size_t i = 0; i < n; i++) {
        size_t lane = 0;
        while (lane < n_lanes && values[i] - last[lane] < dot)
            lane++;
        n_lanes += lane == n_lanes;
        last[lane] = values[i];
        shift[i] = (lane % 2 == 1 ? 1 : -1) * (double)((lane + 1) / 2);
    }
    for (size_t i = 0; i < n; i++)
        shift[i] *= n_lanes < 2 ? 0 : fmin(widest, 1 / (double)(n_lanes / 2));
}

static void add_bin(struct table *table, double low, double high, size_t count, size_t n, size_t most,
                    double shift)
{
    table_number(table, low);
    table_number(table, high);
    table_integer(table, (int64_t)count);
    table_number(table, (double)count / (double)n);
    table_number(table, (double)count / (double)most);
    table_number(table, shift);
}

static void add_dots(struct table *table, const double *values, size_t n, struct range axis,
                     figures_add_key *add_key, const void *key)
{
    double shift[FIGURES_MOST_DOTS];
    stand_aside(values, n, axis, shift);
    for (size_t i = 0; i < n; i++) {
        add_key(table, key);
        add_bin(table, values[i], values[i], 1, n, 1, shift[i]);
    }
}

void figures_add_histogram(struct table *table, const double *values, size_t n, struct range axis,
                           figures_add_key *add_key, const void *key)
{
    enum { N_BINS = 40 };
    size_t counts[N_BINS], most = 0;
    double width = (axis.high - axis.low) / N_BINS;
    if (n <= FIGURES_MOST_DOTS) {
        add_dots(table, values, n, axis, add_key, key);
        return;
    }
    statistics_histogram(values, n, axis.low, axis.high, N_BINS, counts);
    for (int bin = 0; bin < N_BINS; bin++)
        most = counts[bin] > most ? counts[bin] : most;
    for (int bin = 0; bin < N_BINS; bin++)
        if (counts[bin] > 0) {
            add_key(table, key);
            add_bin(table, axis.low + bin * width, axis.low + (bin + 1) * width, counts[bin], n, most, 0);
        }
}

void figures_add_quantiles(struct table *table, const struct distribution *distribution)
{
    const double numbers[] = {distribution->mean,        distribution->minimum, distribution->quantile_05,
                              distribution->quantile_25, distribution->median,  distribution->quantile_75,
                              distribution->quantile_95, distribution->maximum};
    table_integer(table, (int64_t)distribution->n);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        table_number(table, numbers[i]);
}
