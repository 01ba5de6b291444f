/* SPDX-License-Identifier: MIT */
/**
 * The figures. Adding one: a file figure_NAME.c with a function, its prototype here and a line in the table
 * of figures.c.
 *
 * A figure writes its tables with output_table and its plots with plot_begin and plot_end, for one subject.
 * Where there is too little data it says so in words: plot_message, a table without rows, a note in a row.
 */
#ifndef MEICENSUS_ANALYSIS_FIGURES_H
#define MEICENSUS_ANALYSIS_FIGURES_H

#include "output.h"

typedef enum status figure_function(struct figure_context *context, struct error *error);

struct figure {
    const char *name, *title;
    const char *needs; /**< the least data it can show, in words */
    figure_function *make;
};

extern const struct figure figures[];
extern const int n_figures;

figure_function figure_summary, figure_units, figure_activation, figure_entropy, figure_perplexity,
    figure_convergence, figure_distance, figure_comparison, figure_sheets;

/* ---- What several figures need ------------------------------------------------------------------------ */

/** Layers whose units are class outputs, or all others; returns how many. layers: room for n_layers. */
int figures_select_layers(const struct subject *subject, bool classes, int *layers);

/** Of the units of a layer, those values that exist, into `values`; returns how many. */
typedef double result_value(const struct unit_result *result);
size_t figures_collect(const struct subject *subject, const struct group *group, int layer, result_value *value,
                       double *values);

double figures_activation(const struct unit_result *result);

/** "n = 3 is little", "no finished run", or "". */
const char *figures_note(size_t n);

#endif
