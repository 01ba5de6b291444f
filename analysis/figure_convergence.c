/* SPDX-License-Identifier: MIT */
/** convergence: best activation after so many queries, quantiles over the units of a layer. */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"
#include "statistics.h"

enum { ROWS_AT_ONCE = 256, PANEL_WIDTH = 300, PANEL_HEIGHT = 190, BELOW_PANEL = 74 };

static const struct column columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"generator_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"method_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"layer_position", COLUMN_INTEGER, "1", "place of the layer in network order, from 0"},
    {"queries", COLUMN_INTEGER, "queries", "images the search had asked for"},
    {"n", COLUMN_INTEGER, "1", "units; of each the mean over its finished replicates"},
    {"quantile_05", COLUMN_NUMBER, "1", "5 % quantile over units of the best activation so far"},
    {"quantile_25", COLUMN_NUMBER, "1", "25 % quantile"},
    {"median", COLUMN_NUMBER, "1", "median"},
    {"quantile_75", COLUMN_NUMBER, "1", "75 % quantile"},
    {"quantile_95", COLUMN_NUMBER, "1", "95 % quantile"},
};

/** Mean history over the finished replicates of one row; history [replicate][point]. */
static void mean_history(const struct group *group, size_t row, const float *history, float *mean)
{
    size_t n_points = (size_t)group->sizes.history;
    for (size_t point = 0; point < n_points; point++) {
        double sum = 0;
        for (size_t replicate = 0; replicate < group->n_replicates; replicate++)
            if (input_run_done(group, row, replicate))
                sum += (double)history[replicate * n_points + point];
        mean[point] = (float)(sum / group->results[row].n_done);
    }
}

/** Mean histories of all rows [row][point]; rows without a finished run stay 0. */
static enum status read_histories(struct figure_context *context, const struct group *group, float *histories,
                                  struct error *error)
{
    float *block = NULL;
    size_t row_elements = input_row_elements(group, FIELD_HISTORY), n_points = (size_t)group->sizes.history;
    enum status status = STATUS_OK;
    TRY(memory_allocate((void **)&block, row_elements, ROWS_AT_ONCE * sizeof *block, "histories", error));
    for (size_t first = 0; first < group->n_rows; first += ROWS_AT_ONCE) {
        size_t n = group->n_rows - first < ROWS_AT_ONCE ? group->n_rows - first : ROWS_AT_ONCE;
        progress_report(&context->output->progress, "convergence: units read", first, group->n_rows);
        TRY_CLEANUP(input_read(group, FIELD_HISTORY, first, n, block, error));
        for (size_t i = 0; i < n; i++)
            if (group->results[first + i].n_done > 0)
                mean_history(group, first + i, block + i * row_elements, histories + (first + i) * n_points);
    }
cleanup:
    free(block);
    return status;
}

static void add_point(struct table *table, const struct subject *subject, const struct group *group,
                      int layer, size_t point, const struct distribution *distribution)
{
    char label[NAME_CAPACITY + 16];
    input_layer_label(&subject->layers[layer], label);
    table_text(table, subject->generators[group->generator]);
    table_integer(table, group->generator);
    table_text(table, subject->methods[group->method]);
    table_integer(table, group->method);
    table_format(table, "%s", label);
    table_integer(table, layer);
    table_integer(table, group->history_queries[point]);
    table_integer(table, (int64_t)distribution->n);
    table_number(table, distribution->quantile_05);
    table_number(table, distribution->quantile_25);
    table_number(table, distribution->median);
    table_number(table, distribution->quantile_75);
    table_number(table, distribution->quantile_95);
}

static void add_layer(struct table *table, const struct subject *subject, const struct group *group,
                      int layer, const float *histories, double *values)
{
    struct distribution distribution;
    for (size_t point = 0; point < (size_t)group->sizes.history; point++) {
        size_t n = 0;
        for (size_t row = 0; row < group->n_rows; row++) {
            double value = (double)histories[row * (size_t)group->sizes.history + point];
            if (input_layer_of(subject, group, row) == layer && group->results[row].n_done > 0 &&
                isfinite(value))
                values[n++] = value;
        }
        statistics_describe(values, n, &distribution);
        if (n > 0)
            add_point(table, subject, group, layer, point, &distribution);
    }
}

static enum status add_group(struct figure_context *context, const struct group *group, struct table *table,
                             struct error *error)
{
    float *histories = NULL;
    double *values = NULL;
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(values, group->n_rows, error));
    TRY_CLEANUP(memory_allocate((void **)&histories, group->n_rows,
                                (size_t)group->sizes.history * sizeof *histories, "histories", error));
    TRY_CLEANUP(read_histories(context, group, histories, error));
    for (int layer = 0; layer < context->subject->n_layers; layer++)
        add_layer(table, context->subject, group, layer, histories, values);
cleanup:
    free(histories);
    free(values);
    return status;
}

/* Places of columns. */
enum { GENERATOR = 1, METHOD = 3, LAYER = 5, N_UNITS = 7, QUANTILE_05 = 8, MEDIAN = 10, QUANTILE_95 = 12 };

static const union cell *row_at(const struct table *table, size_t row)
{
    return table->cells + row * (size_t)table->n_columns;
}

/** Axis for what a panel shows: quantiles, or medians only where there are few units. */
static struct range panel_axis(const struct table *table, int generator, int layer)
{
    struct range range = {INFINITY, -INFINITY};
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const union cell *cells = row_at(table, row);
        bool few = cells[N_UNITS].integer < FIGURES_FEW;
        if (cells[GENERATOR].integer != generator || cells[LAYER].integer != layer)
            continue;
        figures_extend(&range, &cells[few ? MEDIAN : QUANTILE_05].number, 1);
        figures_extend(&range, &cells[few ? MEDIAN : QUANTILE_95].number, 1);
    }
    return figures_axis(range);
}

/** Rows [first, end) of one line, which follow each other; first = end: it has none. */
struct line {
    size_t first, end;
    const char *colour;
};

static struct line find_line(const struct table *table, int generator, int method, int layer)
{
    struct line line = {0, 0, plot_colour(method)};
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const union cell *cells = row_at(table, row);
        if (cells[GENERATOR].integer != generator || cells[METHOD].integer != method ||
            cells[LAYER].integer != layer)
            continue;
        line.first = line.end == 0 ? row : line.first;
        line.end = row + 1;
    }
    return line;
}

static int64_t longest_history(const struct subject *subject, int generator)
{
    int64_t longest = 10;
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *group = &subject->groups[i];
        if (group->generator == generator && group->sizes.history > 0 &&
            group->history_queries[group->sizes.history - 1] > longest)
            longest = group->history_queries[group->sizes.history - 1];
    }
    return longest;
}

static int count_methods(const struct subject *subject, int generator)
{
    int n = 0;
    for (int method = 0; method < subject->n_methods; method++)
        n += input_find_group(subject, generator, method) != NULL;
    return n;
}

static void plot_legend(struct plot *plot, const struct subject *subject, int generator)
{
    char quoted[QUOTED_CAPACITY];
    for (int method = 0; method < subject->n_methods; method++) {
        if (input_find_group(subject, generator, method) == NULL)
            continue;
        plot_quote(text_shorten(subject->methods[method]).text, quoted);
        fprintf(plot->script, "    NaN with lines lw 2 lc rgb '%s' title %s, \\\n", plot_colour(method),
                quoted);
    }
    fprintf(plot->script,
            "    NaN with lines lw 2 lc rgb '#777777' title 'line: median over units', \\\n"
            "    NaN with boxes fs transparent solid 0.35 noborder lc rgb '#777777' "
            "title 'band: 25-75 %% (from n = %d)', \\\n"
            "    NaN with boxes fs transparent solid 0.10 noborder lc rgb '#777777' "
            "title 'pale band: 5-95 %%', \\\n",
            FIGURES_FEW);
}

/** Bands only where there are enough units for them. Lines are found by row: with a condition on every row of
 * a table of this size gnuplot would take minutes. */
static void plot_bands(FILE *script, const struct line *line)
{
    static const struct {
        const char *low, *high, *opacity;
    } bands[] = {{"05", "95", "0.10"}, {"25", "75", "0.25"}};
    for (int i = 0; i < 2; i++)
        fprintf(script,
                "    'convergence.csv' every ::%zu::%zu using "
                "(column('n') >= %d ? column('queries') : NaN):"
                "(column('quantile_%s')):(column('quantile_%s')) with filledcurves fs transparent solid %s "
                "lc rgb '%s' notitle, \\\n",
                line->first, line->end - 1, FIGURES_FEW, bands[i].low, bands[i].high, bands[i].opacity,
                line->colour);
}

static void plot_median(FILE *script, const struct line *line)
{
    fprintf(script,
            "    'convergence.csv' every ::%zu::%zu using (column('queries')):(column('median')) "
            "with lines lw 2 lc rgb '%s' notitle, \\\n",
            line->first, line->end - 1, line->colour);
}

static void plot_layer(struct plot *plot, const struct subject *subject, const struct table *table,
                       int generator, const struct place *place)
{
    char title[PLACE_LABEL_CAPACITY];
    plot_place_label(subject, place, title);
    if (place->most == 0) {
        plot_empty_panel(plot, title, "no finished run");
        return;
    }
    bool first = plot_panel(plot, title);
    struct range axis = panel_axis(table, generator, place->layer);
    fprintf(plot->script,
            "set xrange [1:%lld]\nset xlabel 'queries' offset 0,0.4\nset ylabel '%s'\n"
            "set yrange [%.9g:%.9g]\nplot \\\n",
            (long long)longest_history(subject, generator),
            subject->layers[place->layer].kind == UNIT_CLASS ? "class output" : "activation", axis.low,
            axis.high);
    if (first)
        plot_legend(plot, subject, generator);
    for (int medians = 0; medians < 2; medians++)
        for (int method = 0; method < subject->n_methods; method++) {
            const struct line line = find_line(table, generator, method, place->layer);
            if (line.first < line.end)
                (medians ? plot_median : plot_bands)(plot->script, &line);
        }
    fprintf(plot->script, "    NaN notitle\n");
}

static enum status draw(struct figure_context *context, const struct table *table, const char *name,
                        int generator, const struct place *places, int n_places, struct error *error)
{
    const struct subject *subject = context->subject;
    char title[3 * NAME_CAPACITY];
    struct plot plot;
    int n_columns = n_places < 4 ? n_places : n_places < 9 ? 3 : 5;
    const struct plot_layout layout = {(n_places + n_columns - 1) / n_columns,
                                       n_columns,
                                       n_columns == 1 ? PLOT_WIDTH : PANEL_WIDTH,
                                       PANEL_HEIGHT,
                                       BELOW_PANEL,
                                       count_methods(subject, generator) + 3};
    snprintf(title, sizeof title, "%s, generator %s: best activation so far",
             text_shorten(subject->name).text, text_shorten(subject->generators[generator]).text);
    TRY(plot_begin(&plot, context, name, &layout, title, error));
    fprintf(plot.script, "set logscale x\nset format x '%%.0f'\n");
    for (int i = 0; i < n_places; i++)
        plot_layer(&plot, subject, table, generator, &places[i]);
    return plot_end(
        &plot, context,
        "best activation so far against queries: median and quantile bands over units, a panel a layer",
        error);
}

/** The plot of a generator. places: room for all layers. */
static enum status draw_generator(struct figure_context *context, const struct table *table, int generator,
                                  struct place *places, struct error *error)
{
    const struct subject *subject = context->subject;
    char file_name[FILE_NAME_CAPACITY], name[PLOT_NAME_CAPACITY];
    int n_places = 0;
    size_t n_units = 0;
    for (int layer = 0; layer < subject->n_layers; layer++)
        if (figures_place(subject, generator, ANY_METHOD, layer, figures_activation, &places[n_places]))
            n_units += places[n_places++].most;
    output_file_name(subject->generators[generator], file_name);
    snprintf(name, sizeof name, "convergence_%s", file_name);
    return n_units > 0 ? draw(context, table, name, generator, places, n_places, error)
                       : plot_message(context, name, "no finished run (n = 0 units)", error);
}

static enum status draw_all(struct figure_context *context, const struct table *table, struct error *error)
{
    struct place *places = NULL;
    enum status status = STATUS_OK;
    TRY(MEMORY_ALLOCATE(places, (size_t)context->subject->n_layers, error));
    for (int i = 0; i < context->subject->n_generators && status == STATUS_OK; i++)
        status = draw_generator(context, table, i, places, error);
    free(places);
    return status;
}

enum status figure_convergence(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    struct table table;
    enum status status = STATUS_OK;
    table_start(&table, "convergence", "best activation so far against queries: quantiles over units",
                columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < subject->n_groups; i++)
        TRY_CLEANUP(add_group(context, &subject->groups[i], &table, error));
    TRY_CLEANUP(output_table(context, &table, error));
    status = table_n_rows(&table) > 0
                 ? draw_all(context, &table, error)
                 : plot_message(context, "convergence", "no finished run (n = 0 units)", error);
cleanup:
    table_free(&table);
    return status;
}
