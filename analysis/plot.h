/* SPDX-License-Identifier: MIT */
/**
 * gnuplot scripts that draw panels from the CSV files beside them, and running them.
 * All names that come from the results file go through plot_quote.
 */
#ifndef MEICENSUS_ANALYSIS_PLOT_H
#define MEICENSUS_ANALYSIS_PLOT_H

#include <stdio.h>

#include "output.h"
#include "text.h"

enum { PLOT_NAME_CAPACITY = 3 * FILE_NAME_CAPACITY };

/** Panels of one plot; sizes in pixels inside the axes. */
struct plot_layout {
    int rows, columns, panel_width, panel_height;
    int below;    /**< room for the labels under a panel */
    int n_legend; /**< entries of the legend */
};

/** What plot_distribution draws anywhere in a plot: the legend has no more. */
struct plot_shown {
    bool dots, quantiles, histograms;
};

struct plot {
    FILE *script;            /**< write the panels here */
    struct plot_shown shown; /**< set it before the first panel */
    char name[PLOT_NAME_CAPACITY];
    bool has_legend;
};

/**
 * Opens NAME.gp (name: made of safe characters, see output_file_name) and writes its head: SVG, PNG and PDF,
 * the panels, a title. Between begin and end the figure calls plot_panel and writes one plot command, for
 * each panel; data columns are read by name.
 */
enum status plot_begin(struct plot *plot, const struct figure_context *context, const char *name,
                       const struct plot_layout *layout, const char *title, struct error *error);

/** Begins the next panel. True for the first one, whose plot command makes the legend of all: plots of NaN
 *  with titles, while all data have none. A panel sets its own labels, ranges and layers. */
bool plot_panel(struct plot *plot, const char *title);

/** A whole panel that only says something, without axes. */
void plot_empty_panel(struct plot *plot, const char *title, const char *message);

/** Closes the script, draws it and adds it to the index with a caption. A gnuplot that is missing or fails is
 *  counted in the output, not an error: data and script stay. */
enum status plot_end(struct plot *plot, struct figure_context *context, const char *caption,
                     struct error *error);

/** In place of a plot: the index and the program's output say in words why there is nothing to draw. */
enum status plot_message(struct figure_context *context, const char *name, const char *message,
                         struct error *error);

/** Text as a gnuplot string: single quotes, nothing in it is interpreted. */
enum { QUOTED_CAPACITY = 2 * NAME_CAPACITY + 64 };
void plot_quote(const char *text, char quoted[QUOTED_CAPACITY]);

/** Colour-blind safe colours (Okabe and Ito); they repeat after 8. */
const char *plot_colour(int index);

/** A legend entry for one colour, ending in ", \\\n": a box where histograms are shown, else a dot. */
void plot_legend_colour(struct plot *plot, const char *colour, const char *title);

/**
 * Elements of a plot command: the distribution in the rows of two tables (figures_add_histogram; columns of
 * `quantiles`: n, median, quantile_05 to quantile_95) that meet the gnuplot condition `where`, standing at
 * the gnuplot expression `x`. Up to FIGURES_MOST_DOTS values are dots, fewer than FIGURES_FEW have
 * no quantiles.
 */
struct plot_marks {
    const char *quantiles, *histogram, *where, *x, *colour;
    double half_width;
};
void plot_distribution(struct plot *plot, const struct plot_marks *marks);

/** One more distribution of n values is shown. */
void plot_show(struct plot_shown *shown, size_t n);

/** Legend of what plot_distribution draws besides the colours: so many entries; ends the plot command. */
int plot_distribution_entries(const struct plot_shown *shown);
void plot_distribution_legend(struct plot *plot);

/** A place on the x axis of a panel: a layer, and how many units it has in the groups that the panel shows.
 */
struct place {
    int layer;           /**< ALL_LAYERS: all but class outputs */
    size_t fewest, most; /**< of these groups; SIZE_MAX, 0: no group yet */
};
enum { ALL_LAYERS = -1 };

/** One more group has n units there. */
void plot_count(struct place *place, size_t n);

/** "NAME (n = 3)", or "NAME (n = 2-3)" where groups differ; NAME as text_shorten makes it, and the kind of
 * units. */
enum { PLACE_LABEL_CAPACITY = sizeof(struct short_name) + 64 };
void plot_place_label(const struct subject *subject, const struct place *place,
                      char label[PLACE_LABEL_CAPACITY]);

/** Labels at positions 0, 1, .. and the range of the x axis. */
void plot_places(struct plot *plot, const struct subject *subject, const struct place *places, int n_places);

enum { PLOT_WIDTH = 800 }; /**< of a panel that stands alone, at least */

/** Makes the panels of a layout wide and the room below them high enough for those places, each with n_marks
 * side by side. */
void plot_make_room(struct plot_layout *layout, const struct subject *subject, const struct place *places,
                    int n_places, int n_marks);

#endif
