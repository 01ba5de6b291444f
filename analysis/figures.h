/* SPDX-License-Identifier: MIT */
/**
 * The figures. Adding one: a file figure_NAME.c with a function, its prototype here and a line in the table
 * of figures.c.
 *
 * A figure writes its tables with output_table and its plots with plot_begin and plot_end, for one subject.
 * Where there is too little data it says so in words: plot_message and no plot, a table without rows, a note
 * in a row.
 */
#ifndef MEICENSUS_ANALYSIS_FIGURES_H
#define MEICENSUS_ANALYSIS_FIGURES_H

#include "output.h"
#include "plot.h"
#include "statistics.h"

typedef enum status figure_function(struct figure_context *context, struct error *error);

struct figure {
    const char *name, *title;
    const char *needs; /**< the least data it can show, in words */
    figure_function *make;
};

extern const struct figure figures[];
extern const int n_figures;

/** Made once, of all subjects: its context has no subject. */
extern const struct figure figure_of_all;

figure_function figure_summary, figure_units, figure_activation, figure_relative, figure_replicates,
    figure_entropy, figure_perplexity, figure_convergence, figure_passes, figure_distance, figure_comparison,
    figure_sheets, figure_subjects;

/* ---- What several figures need ------------------------------------------------------------------------ */

typedef double result_value(const struct unit_result *result);
result_value figures_activation, figures_variation, figures_relative;

/** Whether `passes` shows the layer, in which units were searched both alone and with shared images. */
bool figures_passes_show(const struct subject *subject, int generator, int layer);

/** Of the units of a layer, those values that exist, into `values` (NULL: only count); returns how many. */
size_t figures_collect(const struct subject *subject, const struct group *group, int layer,
                       result_value *value, double *values);

/** Finished replicates of a row whose flag is set. */
int64_t figures_count_flag(const struct group *group, const uint8_t *flag, size_t row);

/** Whether the group was to search units of that layer, whatever became of the runs. */
bool figures_searched(const struct subject *subject, const struct group *group, int layer);

/**
 * The place of a layer in a panel of one generator, with the units that have a value, from the fewest to the
 * most of its methods that searched the layer. False if none did: then the layer has no place there.
 */
enum { ANY_METHOD = -1 };
bool figures_place(const struct subject *subject, int generator, int method, int layer, result_value *value,
                   struct place *place);

/** "few units: ..", "no finished run", or "". */
const char *figures_note(size_t n);

/** The smallest and the largest of the values so far; start with {INFINITY, -INFINITY}. */
struct range {
    double low, high;
};
void figures_extend(struct range *range, const double *values, size_t n);

/** An axis for those values: from 0 (or below), to 1 where that is near, else a little above the largest. */
struct range figures_axis(struct range range);

/**
 * Rows of a histogram: the first cells by `add_key`, then FIGURES_BIN_COLUMNS. Up to FIGURES_MOST_DOTS
 * values are their own bins: low = high = value. values: rising, as statistics_describe leaves them.
 */
#define FIGURES_BIN_COLUMNS                                                                                  \
    {"low", COLUMN_NUMBER, "1", "lower edge of the bin; of few units the value itself"},                     \
        {"high", COLUMN_NUMBER, "1", "upper edge of the bin; of few units the value itself"},                \
        {"n", COLUMN_INTEGER, "1", "units in the bin (bins without units are left out)"},                    \
        {"share", COLUMN_NUMBER, "1", "n / units of this layer with a value"},                               \
        {"relative", COLUMN_NUMBER, "1", "n / n of the fullest bin"},                                        \
    {                                                                                                        \
        "shift", COLUMN_NUMBER, "1",                                                                         \
            "of few units: how far the dot stands aside so that equal ones show, -1 to 1; else 0"            \
    }
typedef void figures_add_key(struct table *table, const void *key);
void figures_add_histogram(struct table *table, const double *values, size_t n, struct range axis,
                           figures_add_key *add_key, const void *key);

/** Cells mean to maximum: FIGURES_QUANTILE_COLUMNS. */
#define FIGURES_QUANTILE_COLUMNS                                                                             \
    {"n", COLUMN_INTEGER, "1", "units with a value"}, {"mean", COLUMN_NUMBER, "1", "mean over units"},       \
        {"minimum", COLUMN_NUMBER, "1", "smallest value"},                                                   \
        {"quantile_05", COLUMN_NUMBER, "1", "5 % quantile over units"},                                      \
        {"quantile_25", COLUMN_NUMBER, "1", "25 % quantile over units"},                                     \
        {"median", COLUMN_NUMBER, "1", "median over units"},                                                 \
        {"quantile_75", COLUMN_NUMBER, "1", "75 % quantile over units"},                                     \
        {"quantile_95", COLUMN_NUMBER, "1", "95 % quantile over units"},                                     \
    {                                                                                                        \
        "maximum", COLUMN_NUMBER, "1", "largest value"                                                       \
    }
void figures_add_quantiles(struct table *table, const struct distribution *distribution);

#endif
