/* SPDX-License-Identifier: MIT */
/**
 * distance: how far the latent codes of a unit's MEIs lie from each other: between methods (best replicate of
 * each) and between replicates of one method; per layer, and first against last layer.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "plot.h"

enum { PANEL_HEIGHT = 240 };

/** What is compared. The first two are means over those that follow, and the ones that are drawn. */
enum series_kind { BETWEEN_METHODS, BETWEEN_REPLICATES };

struct series {
    enum series_kind kind;
    const char *first, *second;
    double *distance; /**< [unit]; NAN: none */
    bool *planned;    /**< [layer] whether the campaign has two runs to compare there */
};

/** The distances of one generator. */
struct distances {
    const struct subject *subject;
    int generator;
    bool codebook;
    double random; /**< root mean square distance of two random codes */
    struct range axis;
    int32_t **latent; /**< [method] codes [row][replicate][dimension]; NULL: no such group */
    int n_series;
    struct series *series;
    int n_places; /**< layers that either of the first two series has */
    struct place *places;
};

static const struct column columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"generator_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"compared", COLUMN_TEXT, "",
     "methods: MEIs of two methods; replicates: MEIs of two replicates of a method"},
    {"first", COLUMN_TEXT, "",
     "method, or 'mean': of each unit the mean over all pairs of methods (or over methods)"},
    {"second", COLUMN_TEXT, "", "the other method"},
    {"series", COLUMN_INTEGER, "1",
     "0 mean over pairs of methods, 1 mean over replicates, then the single ones"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel of the generator, in network order"},
    {"measure", COLUMN_TEXT, "",
     "grid: Euclidean distance / that of opposite corners of the latent grid; codebook: share of unlike "
     "indices"},
    FIGURES_QUANTILE_COLUMNS,
    {"random", COLUMN_NUMBER, "1",
     "root mean square distance of two uniformly random codes, to compare with"},
    {"note", COLUMN_TEXT, "", "what to keep in mind"},
};

static const struct column histogram_columns[] = {
    {"generator_index", COLUMN_INTEGER, "1", "generator of the images: its place in this file"},
    {"series", COLUMN_INTEGER, "1", "0 mean over pairs of methods, 1 mean over replicates"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel of the generator, in network order"},
    FIGURES_BIN_COLUMNS,
};

static const struct column ratio_columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"compared", COLUMN_TEXT, "", "methods or replicates"},
    {"first_layer", COLUMN_TEXT, "", "first layer (without class outputs) with a distance"},
    {"n_first", COLUMN_INTEGER, "1", "its units with a distance"},
    {"mean_first", COLUMN_NUMBER, "1", "mean distance over them"},
    {"last_layer", COLUMN_TEXT, "", "last such layer"},
    {"n_last", COLUMN_INTEGER, "1", "its units with a distance"},
    {"mean_last", COLUMN_NUMBER, "1", "mean distance over them"},
    {"ratio", COLUMN_NUMBER, "1", "mean_last / mean_first"},
    {"note", COLUMN_TEXT, "", "what is missing"},
};

/* ---- Distances of units ------------------------------------------------------------------------------- */

/** A silent run's code is arbitrary: every image was as good. */
static bool has_code(const struct group *group, size_t row, size_t replicate)
{
    return input_run_done(group, row, replicate) && !group->silent[row * group->n_replicates + replicate];
}

static double code_distance(const struct group *group, const int32_t *first, const int32_t *second)
{
    return statistics_code_distance(first, second, (size_t)group->sizes.dimensions, group->latent_points,
                                    group->codebook);
}

static const int32_t *code_at(const struct distances *distances, const struct group *group, size_t row,
                              size_t replicate)
{
    return distances->latent[group->method] +
           (row * group->n_replicates + replicate) * (size_t)group->sizes.dimensions;
}

static bool comparable(const struct group *first, const struct group *second)
{
    return first->sizes.dimensions == second->sizes.dimensions &&
           first->latent_points == second->latent_points && first->codebook == second->codebook &&
           first->minimise == second->minimise;
}

static double distance_of_methods(const struct distances *distances, const struct group *first,
                                  const struct group *second, size_t unit)
{
    int64_t first_row = first->row_of_unit[unit], second_row = second->row_of_unit[unit];
    if (first_row < 0 || second_row < 0)
        return NAN;
    int first_best = first->results[first_row].best_replicate,
        second_best = second->results[second_row].best_replicate;
    if (first_best < 0 || second_best < 0 || !has_code(first, (size_t)first_row, (size_t)first_best) ||
        !has_code(second, (size_t)second_row, (size_t)second_best))
        return NAN;
    return code_distance(first, code_at(distances, first, (size_t)first_row, (size_t)first_best),
                         code_at(distances, second, (size_t)second_row, (size_t)second_best));
}

/** Mean over all pairs of replicates. */
static double distance_of_replicates(const struct distances *distances, const struct group *group,
                                     size_t unit)
{
    int64_t row = group->row_of_unit[unit];
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; row >= 0 && i < group->n_replicates; i++)
        for (size_t k = i + 1; k < group->n_replicates; k++)
            if (has_code(group, (size_t)row, i) && has_code(group, (size_t)row, k)) {
                sum += code_distance(group, code_at(distances, group, (size_t)row, i),
                                     code_at(distances, group, (size_t)row, k));
                n++;
            }
    return n == 0 ? NAN : sum / (double)n;
}

/** Of each unit the mean over all later series of that kind. */
static void average_series(struct distances *distances, struct series *average)
{
    for (size_t unit = 0; unit < distances->subject->n_units; unit++) {
        double sum = 0;
        size_t n = 0;
        for (int i = 2; i < distances->n_series; i++) {
            const struct series *series = &distances->series[i];
            if (series->kind == average->kind && isfinite(series->distance[unit])) {
                sum += series->distance[unit];
                n++;
            }
        }
        average->distance[unit] = n == 0 ? NAN : sum / (double)n;
    }
    for (int i = 2; i < distances->n_series; i++)
        for (int layer = 0; layer < distances->subject->n_layers; layer++)
            if (distances->series[i].kind == average->kind && distances->series[i].planned[layer])
                average->planned[layer] = true;
}

static enum status start_series(struct distances *distances, enum series_kind kind, const char *first,
                                const char *second, struct error *error)
{
    struct series *series = &distances->series[distances->n_series++];
    *series = (struct series){.kind = kind, .first = first, .second = second};
    TRY(MEMORY_ALLOCATE(series->distance, distances->subject->n_units, error));
    return MEMORY_ALLOCATE(series->planned, (size_t)distances->subject->n_layers, error);
}

static enum status add_methods(struct distances *distances, const struct group *first,
                               const struct group *second, struct error *error)
{
    const struct subject *subject = distances->subject;
    TRY(start_series(distances, BETWEEN_METHODS, subject->methods[first->method],
                     subject->methods[second->method], error));
    struct series *series = &distances->series[distances->n_series - 1];
    for (size_t unit = 0; unit < subject->n_units; unit++) {
        series->distance[unit] = distance_of_methods(distances, first, second, unit);
        if (first->row_of_unit[unit] >= 0 && second->row_of_unit[unit] >= 0)
            series->planned[subject->units[unit].layer] = true;
    }
    return STATUS_OK;
}

static enum status add_replicates(struct distances *distances, const struct group *group, struct error *error)
{
    const struct subject *subject = distances->subject;
    TRY(start_series(distances, BETWEEN_REPLICATES, subject->methods[group->method], "", error));
    struct series *series = &distances->series[distances->n_series - 1];
    for (size_t unit = 0; unit < subject->n_units; unit++) {
        series->distance[unit] = distance_of_replicates(distances, group, unit);
        if (group->row_of_unit[unit] >= 0)
            series->planned[subject->units[unit].layer] = true;
    }
    return STATUS_OK;
}

/** The single ones: methods with 2 replicates, pairs of methods with codes of one kind. */
static enum status add_single_series(struct distances *distances, struct error *error)
{
    const struct subject *subject = distances->subject;
    for (int i = 0; i < subject->n_methods; i++) {
        const struct group *first = input_find_group(subject, distances->generator, i);
        if (first != NULL && first->n_replicates > 1)
            TRY(add_replicates(distances, first, error));
        for (int k = i + 1; first != NULL && k < subject->n_methods; k++) {
            const struct group *second = input_find_group(subject, distances->generator, k);
            if (second != NULL && comparable(first, second))
                TRY(add_methods(distances, first, second, error));
        }
    }
    return STATUS_OK;
}

static enum status fill_series(struct distances *distances, struct error *error)
{
    const struct subject *subject = distances->subject;
    TRY(MEMORY_ALLOCATE(distances->series,
                        2 + (size_t)subject->n_methods * (size_t)(subject->n_methods + 1) / 2, error));
    TRY(start_series(distances, BETWEEN_METHODS, "mean", "", error));
    TRY(start_series(distances, BETWEEN_REPLICATES, "mean", "", error));
    TRY(add_single_series(distances, error));
    average_series(distances, &distances->series[0]);
    average_series(distances, &distances->series[1]);
    struct range range = {distances->random, distances->random};
    for (int series = 0; series < 2; series++)
        for (size_t unit = 0; unit < subject->n_units; unit++)
            if (isfinite(distances->series[series].distance[unit]))
                figures_extend(&range, &distances->series[series].distance[unit], 1);
    distances->axis = figures_axis(range);
    return STATUS_OK;
}

static enum status read_codes(struct distances *distances, struct error *error)
{
    TRY(MEMORY_ALLOCATE(distances->latent, (size_t)distances->subject->n_methods, error));
    for (int method = 0; method < distances->subject->n_methods; method++) {
        const struct group *group = input_find_group(distances->subject, distances->generator, method);
        if (group == NULL)
            continue;
        double n = (double)group->latent_points;
        distances->codebook = group->codebook;
        distances->random = n < 2 ? 0 : group->codebook ? 1 - 1 / n : sqrt((n + 1) / (6 * (n - 1)));
        TRY(MEMORY_ALLOCATE(distances->latent[method],
                            group->n_rows * input_row_elements(group, FIELD_LATENT), error));
        TRY(input_read(group, FIELD_LATENT, 0, group->n_rows, distances->latent[method], error));
    }
    return STATUS_OK;
}

static void free_distances(struct distances *distances)
{
    for (int i = 0; distances->latent != NULL && i < distances->subject->n_methods; i++)
        free(distances->latent[i]);
    for (int i = 0; i < distances->n_series; i++) {
        free(distances->series[i].distance);
        free(distances->series[i].planned);
    }
    free(distances->latent);
    free(distances->series);
    free(distances->places);
}

static size_t collect(const struct distances *distances, int series, int layer, double *values)
{
    size_t n = 0;
    for (size_t unit = 0; unit < distances->subject->n_units; unit++)
        if (distances->subject->units[unit].layer == layer &&
            isfinite(distances->series[series].distance[unit]))
            values[n++] = distances->series[series].distance[unit];
    return n;
}

/** The layers of the generator's panel. values: [unit], for work. */
static enum status fill_places(struct distances *distances, double *values, struct error *error)
{
    TRY(MEMORY_ALLOCATE(distances->places, (size_t)distances->subject->n_layers, error));
    for (int layer = 0; layer < distances->subject->n_layers; layer++) {
        struct place *place = &distances->places[distances->n_places];
        *place = (struct place){layer, SIZE_MAX, 0};
        for (int series = 0; series < 2; series++)
            if (distances->series[series].planned[layer])
                plot_count(place, collect(distances, series, layer, values));
        distances->n_places += place->fewest <= place->most;
    }
    return STATUS_OK;
}

/* ---- Tables ------------------------------------------------------------------------------------------- */

struct tables {
    struct table quantiles, histogram, ratio;
    double *values; /**< [unit], for work */
};

struct key {
    const struct distances *distances;
    int series, position;
};

static const char *kind_name(enum series_kind kind)
{
    return kind == BETWEEN_METHODS ? "methods" : "replicates";
}

static void add_layer_name(struct table *table, const struct subject *subject, int layer)
{
    char label[NAME_CAPACITY + 16];
    input_layer_label(&subject->layers[layer], label);
    table_format(table, "%s", label);
}

static void add_histogram_key(struct table *table, const void *context)
{
    const struct key *key = context;
    table_integer(table, key->distances->generator);
    table_integer(table, key->series);
    add_layer_name(table, key->distances->subject, key->distances->places[key->position].layer);
    table_integer(table, key->position);
}

static const char *why_absent(enum series_kind kind)
{
    return kind == BETWEEN_METHODS ? "no unit with finished, not silent runs of two methods (n = 0 units)"
                                   : "no unit with two finished, not silent replicates (n = 0 units)";
}

static void add_row(struct tables *tables, const struct distances *distances, int index, int position)
{
    const struct series *series = &distances->series[index];
    const int layer = distances->places[position].layer;
    struct distribution distribution;
    size_t n = collect(distances, index, layer, tables->values);
    statistics_describe(tables->values, n, &distribution);
    table_text(&tables->quantiles, distances->subject->generators[distances->generator]);
    table_integer(&tables->quantiles, distances->generator);
    table_text(&tables->quantiles, kind_name(series->kind));
    table_text(&tables->quantiles, series->first);
    table_text(&tables->quantiles, series->second);
    table_integer(&tables->quantiles, index);
    add_layer_name(&tables->quantiles, distances->subject, layer);
    table_integer(&tables->quantiles, position);
    table_text(&tables->quantiles, distances->codebook ? "unlike indices" : "normalised Euclidean");
    figures_add_quantiles(&tables->quantiles, &distribution);
    table_number(&tables->quantiles, distances->random);
    table_text(&tables->quantiles, n == 0 ? why_absent(series->kind) : figures_note(n));
    if (index < 2)
        figures_add_histogram(&tables->histogram, tables->values, n, distances->axis, add_histogram_key,
                              &(struct key){distances, index, position});
}

/** First (step 1) or last (step -1) layer that has a distance; -1 if none has. */
static int layer_with_distance(const struct distances *distances, int series, int step, double *values)
{
    int n_layers = distances->subject->n_layers;
    for (int layer = step > 0 ? 0 : n_layers - 1; layer >= 0 && layer < n_layers; layer += step)
        if (distances->subject->layers[layer].kind != UNIT_CLASS &&
            collect(distances, series, layer, values) > 0)
            return layer;
    return -1;
}

static double add_layer_mean(struct tables *tables, const struct distances *distances, int series, int layer)
{
    struct distribution distribution;
    size_t n = layer < 0 ? 0 : collect(distances, series, layer, tables->values);
    statistics_describe(tables->values, n, &distribution);
    if (layer < 0)
        table_text(&tables->ratio, "");
    else
        add_layer_name(&tables->ratio, distances->subject, layer);
    table_integer(&tables->ratio, (int64_t)n);
    table_number(&tables->ratio, distribution.mean);
    return distribution.mean;
}

static void add_ratio(struct tables *tables, const struct distances *distances, int series)
{
    enum series_kind kind = distances->series[series].kind;
    int first = layer_with_distance(distances, series, 1, tables->values);
    int last = layer_with_distance(distances, series, -1, tables->values);
    table_text(&tables->ratio, distances->subject->generators[distances->generator]);
    table_text(&tables->ratio, kind_name(kind));
    double mean_first = add_layer_mean(tables, distances, series, first);
    double mean_last = add_layer_mean(tables, distances, series, last);
    table_number(&tables->ratio, first < last && mean_first > 0 ? mean_last / mean_first : NAN);
    table_text(&tables->ratio, first < 0       ? why_absent(kind)
                               : first == last ? "one layer only: nothing to compare"
                                               : "");
}

static bool is_planned(const struct distances *distances, int series)
{
    for (int i = 0; i < distances->n_places; i++)
        if (distances->series[series].planned[distances->places[i].layer])
            return true;
    return false;
}

static void fill_tables(struct tables *tables, const struct distances *distances)
{
    for (int series = 0; series < distances->n_series; series++)
        for (int i = 0; i < distances->n_places; i++)
            if (distances->series[series].planned[distances->places[i].layer])
                add_row(tables, distances, series, i);
    for (int series = 0; series < 2; series++)
        if (is_planned(distances, series))
            add_ratio(tables, distances, series);
}

/* ---- Plots -------------------------------------------------------------------------------------------- */

static const char *measure(const struct distances *distances)
{
    return distances->codebook ? "share of unlike indices" : "distance / diagonal of the grid";
}

/** in_legend: which of the first two series any panel of the plot has. */
static void plot_generator(struct plot *plot, const struct distances *distances, const bool in_legend[2])
{
    static const char *const titles[] = {"between methods (mean over pairs)",
                                         "between replicates (mean over methods)"};
    const struct subject *subject = distances->subject;
    char title[NAME_CAPACITY + 16];
    snprintf(title, sizeof title, "generator %s",
             text_shorten(subject->generators[distances->generator]).text);
    bool first = plot_panel(plot, title);
    plot_places(plot, subject, distances->places, distances->n_places);
    fprintf(plot->script, "set ylabel '%s'\nset yrange [%.9g:%.9g]\nplot \\\n", measure(distances),
            distances->axis.low, distances->axis.high);
    for (int series = 0; first && series < 2; series++)
        if (in_legend[series])
            plot_legend_colour(plot, plot_colour(series), titles[series]);
    fprintf(plot->script, "    %.9g with lines dt 2 lc rgb '#888888' title 'random codes', \\\n",
            distances->random);
    bool both = is_planned(distances, 0) && is_planned(distances, 1);
    for (int series = 0; series < 2; series++) {
        char where[64], x[48];
        snprintf(where, sizeof where, "is('generator_index',%d) && is('series',%d)", distances->generator,
                 series);
        snprintf(x, sizeof x, "column('position')%+g", !both ? 0 : series == 0 ? -0.175 : 0.175);
        plot_distribution(plot, &(struct plot_marks){"distance", "distance_histogram", where, x,
                                                     plot_colour(series), 0.16});
    }
    plot_distribution_legend(plot);
}

/** Histogram of one series and layer, lying: distances on the x axis. Single units are put into bins. */
static void plot_flat_histogram(FILE *script, struct range axis, const char *where, const char *colour,
                                int line_width)
{
    const double width = (axis.high - axis.low) / 40;
    fprintf(
        script,
        "    'distance_histogram.csv' using (%s && column('low') < column('high') ? column('low') : NaN):(0):"
        "(column('low')):(column('high')):(0):(%s ? column('share') : 0) with boxxyerror "
        "fs transparent solid 0.55 noborder lc rgb '%s' notitle, \\\n"
        "    '' using (%s && column('low') == column('high') ? (floor(column('low')/%.9g)+0.5)*%.9g : NaN):"
        "(column('share')) "
        "smooth frequency with impulses lw %d lc rgb '%s' notitle, \\\n",
        where, where, colour, where, width, width, line_width, colour);
}

static int position_of(const struct distances *distances, int layer)
{
    int position = 0;
    while (distances->places[position].layer != layer)
        position++;
    return position;
}

static void plot_first_last(struct plot *plot, const struct distances *distances, double *values)
{
    const struct subject *subject = distances->subject;
    int series = layer_with_distance(distances, 0, 1, values) < 0 ? 1 : 0;
    const int layers[] = {layer_with_distance(distances, series, 1, values),
                          layer_with_distance(distances, series, -1, values)};
    char title[2 * NAME_CAPACITY], labels[2][PLACE_LABEL_CAPACITY], where[96];
    int length = snprintf(title, sizeof title, "%s, between %s",
                          text_shorten(subject->generators[distances->generator]).text,
                          kind_name(distances->series[series].kind));
    if (layers[0] == layers[1]) {
        plot_empty_panel(plot, title,
                         layers[0] < 0 ? why_absent(distances->series[series].kind) : "one layer only");
        return;
    }
    for (int i = 0; i < 2; i++) {
        size_t n = collect(distances, series, layers[i], values);
        plot_place_label(subject, &(struct place){layers[i], n, n}, labels[i]);
    }
    snprintf(title + length, sizeof title - (size_t)length, ": %s, %s", labels[0], labels[1]);
    bool first = plot_panel(plot, title);
    fprintf(
        plot->script,
        "set xlabel '%s'\nset xrange [%.9g:%.9g]\nset ylabel 'share of units'\nset yrange [0:*]\nplot \\\n",
        measure(distances), distances->axis.low, distances->axis.high);
    for (int i = 0; i < 2; i++) {
        if (first)
            plot_legend_colour(plot, plot_colour(i), i == 0 ? "first layer" : "last layer");
        snprintf(where, sizeof where, "is('generator_index',%d) && is('series',%d) && is('position',%d)",
                 distances->generator, series, position_of(distances, layers[i]));
        plot_flat_histogram(plot->script, distances->axis, where, plot_colour(i),
                            i == 0 ? 7 : 3); /* equal values show */
    }
    fprintf(plot->script, "    NaN notitle\n");
}

/** Generators that have anything to compare have a panel. */
static int count_panels(const struct distances *distances, int n_generators)
{
    int n = 0;
    for (int i = 0; i < n_generators; i++)
        n += distances[i].n_places > 0;
    return n;
}

static void show_generator(const struct distances *distances, double *values, struct plot_shown *shown)
{
    for (int series = 0; series < 2; series++)
        for (int i = 0; i < distances->n_places; i++)
            plot_show(shown, collect(distances, series, distances->places[i].layer, values));
}

static enum status draw_layers(struct figure_context *context, const struct distances *distances,
                               double *values, struct error *error)
{
    const struct subject *subject = context->subject;
    struct plot_layout layout = {count_panels(distances, subject->n_generators), 1, 0, PANEL_HEIGHT, 0, 1};
    struct plot_shown shown = {0};
    bool in_legend[2] = {false, false};
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    for (int i = 0; i < subject->n_generators; i++) {
        plot_make_room(&layout, subject, distances[i].places, distances[i].n_places, 2);
        for (int series = 0; series < 2; series++)
            in_legend[series] = in_legend[series] || is_planned(&distances[i], series);
        show_generator(&distances[i], values, &shown);
    }
    layout.n_legend += plot_distribution_entries(&shown) + in_legend[0] + in_legend[1];
    snprintf(title, sizeof title, "%s: distances between the codes of a unit's MEIs",
             text_shorten(subject->name).text);
    TRY(plot_begin(&plot, context, "distance", &layout, title, error));
    plot.shown = shown;
    fprintf(plot.script, "set errorbars 0\n");
    for (int i = 0; i < subject->n_generators; i++)
        if (distances[i].n_places > 0)
            plot_generator(&plot, &distances[i], in_legend);
    return plot_end(&plot, context,
                    "distances between the latent codes of a unit's MEIs, per layer; a panel a generator "
                    "with two methods or two replicates",
                    error);
}

static enum status draw_first_last(struct figure_context *context, const struct distances *distances,
                                   double *values, struct error *error)
{
    const struct subject *subject = context->subject;
    const struct plot_layout layout = {
        count_panels(distances, subject->n_generators), 1, PLOT_WIDTH, PANEL_HEIGHT, 74, 2};
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    snprintf(title, sizeof title, "%s: distances between MEIs, first and last layer",
             text_shorten(subject->name).text);
    TRY(plot_begin(&plot, context, "distance_first_last", &layout, title, error));
    plot.shown.histograms = true;
    for (int i = 0; i < subject->n_generators; i++)
        if (distances[i].n_places > 0)
            plot_first_last(&plot, &distances[i], values);
    return plot_end(&plot, context, "the same of the first and the last layer as histograms", error);
}

static enum status draw(struct figure_context *context, const struct distances *distances, double *values,
                        struct error *error)
{
    size_t n = 0;
    for (int i = 0; i < context->subject->n_generators; i++)
        for (int k = 0; k < distances[i].n_places; k++)
            n += distances[i].places[k].most;
    if (n == 0)
        return plot_message(
            context, "distance",
            "no unit with two finished, not silent MEIs (two methods or two replicates; n = 0 units)", error);
    TRY(draw_layers(context, distances, values, error));
    return draw_first_last(context, distances, values, error);
}

static enum status write_tables(struct figure_context *context, struct tables *tables, struct error *error)
{
    TRY(output_table(context, &tables->quantiles, error));
    TRY(output_table(context, &tables->histogram, error));
    return output_table(context, &tables->ratio, error);
}

enum status figure_distance(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    struct tables tables;
    struct distances *distances = NULL;
    enum status status;
    table_start(&tables.quantiles, "distance",
                "distances between the latent codes of a unit's MEIs, quantiles over units", columns,
                sizeof columns / sizeof *columns);
    table_start(&tables.histogram, "distance_histogram", "the same as histograms", histogram_columns,
                sizeof histogram_columns / sizeof *histogram_columns);
    table_start(&tables.ratio, "distance_first_last", "mean distance in the last layer against the first one",
                ratio_columns, sizeof ratio_columns / sizeof *ratio_columns);
    tables.values = NULL;
    TRY_CLEANUP(MEMORY_ALLOCATE(tables.values, subject->n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(distances, (size_t)subject->n_generators, error));
    for (int i = 0; i < subject->n_generators; i++) {
        distances[i] = (struct distances){.subject = subject, .generator = i};
        TRY_CLEANUP(read_codes(&distances[i], error));
        TRY_CLEANUP(fill_series(&distances[i], error));
        TRY_CLEANUP(fill_places(&distances[i], tables.values, error));
        fill_tables(&tables, &distances[i]);
    }
    TRY_CLEANUP(write_tables(context, &tables, error));
    status = draw(context, distances, tables.values, error);
cleanup:
    for (int i = 0; distances != NULL && i < subject->n_generators; i++)
        if (distances[i].subject != NULL)
            free_distances(&distances[i]);
    free(distances);
    free(tables.values);
    table_free(&tables.quantiles);
    table_free(&tables.histogram);
    table_free(&tables.ratio);
    return status;
}
