/* SPDX-License-Identifier: MIT */
/** Plots of the best activation so far: quantiles over the units of a layer, a panel a layer, a line a
 * method. */
#ifndef MEICENSUS_ANALYSIS_CURVES_H
#define MEICENSUS_ANALYSIS_CURVES_H

#include "output.h"
#include "table.h"

/** What a table of curves is about. */
struct curves {
    const char *name;    /**< of the table, and the beginning of the plots' names */
    const char *x;       /**< its column X; numbers or integers */
    const char *x_label; /**< of the axis */
    const char *title, *caption;
    /** Whether a layer's panel leaves out searches whose units share their images; NULL: none does, X is the
     * same for all. */
    bool (*hides_shared)(const struct subject *subject, int generator, int layer);
    bool counts_rows; /**< panels tell the units in the table, not all that have a value */
};

/** The first columns of a table of curves; behind them what CURVES_COLUMNS lists. */
#define CURVES_KEYS                                                                                          \
    {"generator", COLUMN_TEXT, "", "generator of the images"},                                               \
        {"generator_index", COLUMN_INTEGER, "1", "its place in this file"},                                  \
        {"method", COLUMN_TEXT, "", "search method"},                                                        \
        {"method_index", COLUMN_INTEGER, "1", "its place in this file"},                                     \
        {"layer", COLUMN_TEXT, "", "layer"},                                                                 \
    {                                                                                                        \
        "layer_position", COLUMN_INTEGER, "1", "place of the layer in network order, from 0"                 \
    }

/** Behind the column X. */
#define CURVES_QUANTILES                                                                                     \
    {"n", COLUMN_INTEGER, "1", "units; of each the mean over its finished replicates"},                      \
        {"quantile_05", COLUMN_NUMBER, "1", "5 % quantile over units of the best activation so far"},        \
        {"quantile_25", COLUMN_NUMBER, "1", "25 % quantile"}, {"median", COLUMN_NUMBER, "1", "median"},      \
        {"quantile_75", COLUMN_NUMBER, "1", "75 % quantile"},                                                \
    {                                                                                                        \
        "quantile_95", COLUMN_NUMBER, "1", "95 % quantile"                                                   \
    }

/** Does the unit of a row count? */
typedef bool curves_filter(const struct subject *subject, const struct group *group, size_t row);

/** Cell X of a group's point. */
typedef void curves_add_x(struct table *table, const struct group *group, size_t point);

/** Rows of a group for all layers, of the units that the filter lets pass. */
enum status curves_add_group(struct figure_context *context, const struct group *group, curves_filter *filter,
                             curves_add_x *add_x, struct table *table, struct error *error);

/** A plot of every generator that the table has rows of; of all where `always`, with what is missing said. */
enum status curves_draw(struct figure_context *context, const struct curves *curves,
                        const struct table *table, bool always, struct error *error);

#endif
