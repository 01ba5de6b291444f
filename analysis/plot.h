/* SPDX-License-Identifier: MIT */
/**
 * gnuplot scripts that draw panels from the CSV files beside them, and running them.
 * All names that come from the results file go through plot_quote.
 */
#ifndef MEICENSUS_ANALYSIS_PLOT_H
#define MEICENSUS_ANALYSIS_PLOT_H

#include <stdio.h>

#include "output.h"

enum { PLOT_NAME_CAPACITY = 3 * FILE_NAME_CAPACITY };

struct plot {
    FILE *script; /**< write the panels here */
    char name[PLOT_NAME_CAPACITY];
};

/**
 * Opens NAME.gp (name: made of safe characters, see output_file_name) and writes its head: SVG and PNG of width x height pixels, rows x columns panels, a title.
 * Between begin and end the figure writes one plot command a panel; data columns are read by name.
 */
enum status plot_begin(struct plot *plot, const struct figure_context *context, const char *name, int width,
                       int height, int rows, int columns, const char *title, struct error *error);

/** Closes the script, draws it and adds it to the index with a caption. A gnuplot that is missing or fails is
 *  counted in the output, not an error: data and script stay. */
enum status plot_end(struct plot *plot, struct figure_context *context, const char *caption, struct error *error);

/** A plot that only says in words why there is nothing to draw. */
enum status plot_message(struct figure_context *context, const char *name, const char *message,
                         struct error *error);

/** Text as a gnuplot string: single quotes, nothing in it is interpreted. */
enum { QUOTED_CAPACITY = 2 * NAME_CAPACITY + 64 };
void plot_quote(const char *text, char quoted[QUOTED_CAPACITY]);

/** Colour-blind safe colours (Okabe and Ito); they repeat after 8. */
const char *plot_colour(int index);

/** set xtics: the layers' names and n units at positions 0, 1, ..; extra: one more label, or NULL. */
void plot_layer_tics(struct plot *plot, const struct subject *subject, const int *layers, int n_layers,
                     const char *extra);

/** Width of a figure with that many marks side by side in a panel. */
int plot_width(int n_marks);

#endif
