/* SPDX-License-Identifier: MIT */
#include "curves.h"

#include <math.h>
#include <stdlib.h>

#include "figures.h"
#include "memory.h"
#include "plot.h"
#include "statistics.h"

enum { ROWS_AT_ONCE = 256, PANEL_WIDTH = 300, PANEL_HEIGHT = 190, BELOW_PANEL = 74 };

/* ---- rows ---- */

/** Mean history over the finished replicates of one row whose histories are activations, NAN if there is
 * none; history [replicate][point]. */
static void mean_history(const struct group *group, size_t row, const float *history, float *mean)
{
    const size_t n_points = (size_t)group->sizes.history,
                 n_replicates = group->is_chained && group->n_replicates > 1 ? 1 : group->n_replicates;
    for (size_t point = 0; point < n_points; point++) {
        double sum = 0;
        size_t n = 0;
        for (size_t replicate = 0; replicate < n_replicates; replicate++)
            if (input_run_done(group, row, replicate)) {
                sum += (double)history[replicate * n_points + point];
                n++;
            }
        mean[point] = n == 0 ? NAN : (float)(sum / (double)n);
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
        progress_report(&context->output->progress, "histories: units read", first, group->n_rows);
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
                      int layer, size_t point, curves_add_x *add_x, const struct distribution *distribution)
{
    char label[NAME_CAPACITY + 16];
    input_layer_label(&subject->layers[layer], label);
    table_text(table, subject->generators[group->generator]);
    table_integer(table, group->generator);
    table_text(table, subject->methods[group->method]);
    table_integer(table, group->method);
    table_format(table, "%s", label);
    table_integer(table, layer);
    add_x(table, group, point);
    table_integer(table, (int64_t)distribution->n);
    table_number(table, distribution->quantile_05);
    table_number(table, distribution->quantile_25);
    table_number(table, distribution->median);
    table_number(table, distribution->quantile_75);
    table_number(table, distribution->quantile_95);
}

static void add_layer(struct table *table, const struct subject *subject, const struct group *group,
                      int layer, curves_add_x *add_x, const float *histories, double *values)
{
    struct distribution distribution;
    for (size_t point = 0; point < (size_t)group->sizes.history; point++) {
        size_t n = 0;
        for (size_t row = 0; row < group->n_rows; row++) {
            double value = (double)histories[row * (size_t)group->sizes.history + point];
            if (input_layer_of(subject, group, row) == layer && isfinite(value))
                values[n++] = value;
        }
        statistics_describe(values, n, &distribution);
        if (n > 0)
            add_point(table, subject, group, layer, point, add_x, &distribution);
    }
}

/** The histories of rows that do not count become NAN. */
static void filter_rows(const struct subject *subject, const struct group *group, curves_filter *filter,
                        float *histories)
{
    const size_t n_points = (size_t)group->sizes.history;
    for (size_t row = 0; row < group->n_rows; row++)
        if (group->results[row].n_done == 0 || !filter(subject, group, row))
            for (size_t point = 0; point < n_points; point++)
                histories[row * n_points + point] = NAN;
}

enum status curves_add_group(struct figure_context *context, const struct group *group, curves_filter *filter,
                             curves_add_x *add_x, struct table *table, struct error *error)
{
    float *histories = NULL;
    double *values = NULL;
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(values, group->n_rows, error));
    TRY_CLEANUP(memory_allocate((void **)&histories, group->n_rows,
                                (size_t)group->sizes.history * sizeof *histories, "histories", error));
    TRY_CLEANUP(read_histories(context, group, histories, error));
    filter_rows(context->subject, group, filter, histories);
    for (int layer = 0; layer < context->subject->n_layers; layer++)
        add_layer(table, context->subject, group, layer, add_x, histories, values);
cleanup:
    free(histories);
    free(values);
    return status;
}

/* ---- plots ---- */

/* Places of columns. */
enum {
    GENERATOR = 1,
    METHOD = 3,
    LAYER = 5,
    X = 6,
    N_UNITS = 7,
    QUANTILE_05 = 8,
    MEDIAN = 10,
    QUANTILE_95 = 12
};

static const union cell *row_at(const struct table *table, size_t row)
{
    return table->cells + row * (size_t)table->n_columns;
}

/** One layer of a generator. */
struct panel {
    const struct subject *subject;
    int generator, layer;
    bool hides_shared;
};

static struct panel panel_of(const struct curves *curves, const struct subject *subject, int generator,
                             int layer)
{
    const bool hides = curves->hides_shared != NULL && curves->hides_shared(subject, generator, layer);
    return (struct panel){subject, generator, layer, hides};
}

static bool is_drawn(const struct panel *panel, const union cell *cells)
{
    return cells[GENERATOR].integer == panel->generator && cells[LAYER].integer == panel->layer &&
           !(panel->hides_shared &&
             input_find_group(panel->subject, panel->generator, (int)cells[METHOD].integer)->is_shared);
}

/** Axis for what a panel shows: quantiles, or medians only where there are few units. */
static struct range panel_axis(const struct table *table, const struct panel *panel)
{
    struct range range = {INFINITY, -INFINITY};
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const union cell *cells = row_at(table, row);
        bool few = cells[N_UNITS].integer < FIGURES_FEW;
        if (!is_drawn(panel, cells))
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

static struct line find_line(const struct table *table, const struct panel *panel, int method)
{
    struct line line = {0, 0, plot_colour(method)};
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const union cell *cells = row_at(table, row);
        if (cells[METHOD].integer != method || !is_drawn(panel, cells))
            continue;
        line.first = line.end == 0 ? row : line.first;
        line.end = row + 1;
    }
    return line;
}

static double number_at(const struct table *table, size_t row, int column)
{
    const union cell *cell = &row_at(table, row)[column];
    return table->columns[column].type == COLUMN_INTEGER ? (double)cell->integer : cell->number;
}

static struct range x_axis(const struct table *table, const struct panel *panel)
{
    struct range range = {1, 10};
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const double x = number_at(table, row, X);
        if (is_drawn(panel, row_at(table, row)))
            figures_extend(&range, &x, 1);
    }
    return range;
}

static bool has_rows(const struct table *table, int generator)
{
    for (size_t row = 0; row < table_n_rows(table); row++)
        if (row_at(table, row)[GENERATOR].integer == generator)
            return true;
    return false;
}

/** Whether the method has a line in any panel, or would have one if it had finished a run. */
static bool is_listed(const struct curves *curves, const struct subject *subject, int generator, int method)
{
    const struct group *group = input_find_group(subject, generator, method);
    if (group == NULL || !group->is_shared)
        return group != NULL;
    for (int layer = 0; layer < subject->n_layers; layer++)
        if (figures_searched(subject, group, layer) &&
            !panel_of(curves, subject, generator, layer).hides_shared)
            return true;
    return false;
}

static int count_methods(const struct curves *curves, const struct subject *subject, int generator)
{
    int n = 0;
    for (int method = 0; method < subject->n_methods; method++)
        n += is_listed(curves, subject, generator, method);
    return n;
}

/** Whether any layer has units enough for bands. */
static bool has_bands(const struct table *table, int generator)
{
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const union cell *cells = row_at(table, row);
        if (cells[GENERATOR].integer == generator && cells[N_UNITS].integer >= FIGURES_FEW)
            return true;
    }
    return false;
}

static void plot_legend(struct plot *plot, const struct curves *curves, const struct subject *subject,
                        const struct table *table, int generator)
{
    char quoted[QUOTED_CAPACITY];
    for (int method = 0; method < subject->n_methods; method++) {
        if (!is_listed(curves, subject, generator, method))
            continue;
        plot_quote(text_shorten(subject->methods[method]).text, quoted);
        fprintf(plot->script, "    NaN with lines lw 2 lc rgb '%s' title %s, \\\n", plot_colour(method),
                quoted);
    }
    fprintf(plot->script, "    NaN with lines lw 2 lc rgb '#777777' title 'line: median over units', \\\n");
    if (!has_bands(table, generator))
        return;
    fprintf(plot->script,
            "    NaN with boxes fs transparent solid 0.35 noborder lc rgb '#777777' "
            "title 'band: 25-75 %% (from n = %d)', \\\n"
            "    NaN with boxes fs transparent solid 0.10 noborder lc rgb '#777777' "
            "title 'pale band: 5-95 %%', \\\n",
            FIGURES_FEW);
}

/** Bands only where there are enough units for them. Lines are found by row: with a condition on every row of
 * a table of this size gnuplot would take minutes. */
static void plot_bands(FILE *script, const struct curves *curves, const struct line *line)
{
    static const struct {
        const char *low, *high, *opacity;
    } bands[] = {{"05", "95", "0.10"}, {"25", "75", "0.25"}};
    for (int i = 0; i < 2; i++)
        fprintf(script,
                "    '%s.csv' every ::%zu::%zu using (column('n') >= %d ? column('%s') : NaN):"
                "(column('quantile_%s')):(column('quantile_%s')) with filledcurves fs transparent solid %s "
                "lc rgb '%s' notitle, \\\n",
                curves->name, line->first, line->end - 1, FIGURES_FEW, curves->x, bands[i].low, bands[i].high,
                bands[i].opacity, line->colour);
}

static void plot_median(FILE *script, const struct curves *curves, const struct line *line)
{
    fprintf(script,
            "    '%s.csv' every ::%zu::%zu using (column('%s')):(column('median')) "
            "with steps lw 2 lc rgb '%s' notitle, \\\n",
            curves->name, line->first, line->end - 1, curves->x, line->colour);
}

/** A search alone asks for its own images, shared ones are shown to all units. */
static const char *x_label(const struct curves *curves, const struct table *table, const struct panel *panel)
{
    bool alone = false, shared = false;
    for (int method = 0; method < panel->subject->n_methods; method++) {
        const struct line line = find_line(table, panel, method);
        if (line.first == line.end)
            continue;
        const bool is_shared = input_find_group(panel->subject, panel->generator, method)->is_shared;
        alone = alone || !is_shared;
        shared = shared || is_shared;
    }
    if (curves->hides_shared == NULL || !shared)
        return curves->x_label;
    return alone ? "queries (shared: images of all units)" : "images shown to all units together";
}

static void plot_layer(struct plot *plot, const struct subject *subject, const struct curves *curves,
                       const struct table *table, int generator, const struct place *place)
{
    char title[PLACE_LABEL_CAPACITY];
    plot_place_label(subject, place, title);
    if (place->most == 0) {
        plot_empty_panel(plot, title, "no finished run");
        return;
    }
    bool first = plot_panel(plot, title);
    const struct panel panel = panel_of(curves, subject, generator, place->layer);
    const struct range axis = panel_axis(table, &panel), x = x_axis(table, &panel);
    fprintf(plot->script,
            "set xrange [%.9g:%.9g]\nset xlabel '%s' offset 0,0.4\nset ylabel '%s'\n"
            "set yrange [%.9g:%.9g]\nplot \\\n",
            x.low, x.high, x_label(curves, table, &panel),
            subject->layers[place->layer].kind == UNIT_CLASS ? "class output" : "activation", axis.low,
            axis.high);
    if (first)
        plot_legend(plot, curves, subject, table, generator);
    for (int medians = 0; medians < 2; medians++)
        for (int method = 0; method < subject->n_methods; method++) {
            const struct line line = find_line(table, &panel, method);
            if (line.first < line.end)
                (medians ? plot_median : plot_bands)(plot->script, curves, &line);
        }
    fprintf(plot->script, "    NaN notitle\n");
}

static enum status draw(struct figure_context *context, const struct curves *curves,
                        const struct table *table, const char *name, int generator,
                        const struct place *places, int n_places, struct error *error)
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
                                       count_methods(curves, subject, generator) +
                                           (has_bands(table, generator) ? 3 : 1)};
    snprintf(title, sizeof title, "%s, generator %s: %s", text_shorten(subject->name).text,
             text_shorten(subject->generators[generator]).text, curves->title);
    TRY(plot_begin(&plot, context, name, &layout, title, error));
    fprintf(plot.script, "set logscale x\nset format x '%%g'\n");
    for (int i = 0; i < n_places; i++)
        plot_layer(&plot, subject, curves, table, generator, &places[i]);
    return plot_end(&plot, context, curves->caption, error);
}

/** Units of a layer in the table. */
static void count_rows(const struct table *table, const struct panel *panel, struct place *place)
{
    place->fewest = SIZE_MAX;
    place->most = 0;
    for (size_t row = 0; row < table_n_rows(table); row++) {
        const union cell *cells = row_at(table, row);
        if (is_drawn(panel, cells))
            plot_count(place, (size_t)cells[N_UNITS].integer);
    }
    place->fewest = place->most == 0 ? 0 : place->fewest;
}

/** The plot of a generator. places: room for all layers. */
static enum status draw_generator(struct figure_context *context, const struct curves *curves,
                                  const struct table *table, int generator, struct place *places,
                                  struct error *error)
{
    const struct subject *subject = context->subject;
    char file_name[FILE_NAME_CAPACITY], name[PLOT_NAME_CAPACITY];
    int n_places = 0;
    size_t n_units = 0;
    for (int layer = 0; layer < subject->n_layers; layer++) {
        if (!figures_place(subject, generator, ANY_METHOD, layer, figures_activation, &places[n_places]))
            continue;
        const struct panel panel = panel_of(curves, subject, generator, layer);
        if (curves->counts_rows || panel.hides_shared) {
            count_rows(table, &panel, &places[n_places]);
            if (places[n_places].most == 0)
                continue;
        }
        n_units += places[n_places++].most;
    }
    output_file_name(subject->generators[generator], file_name);
    snprintf(name, sizeof name, "%s_%s", curves->name, file_name);
    return n_units > 0 ? draw(context, curves, table, name, generator, places, n_places, error)
                       : plot_message(context, name, "no finished run (n = 0 units)", error);
}

enum status curves_draw(struct figure_context *context, const struct curves *curves,
                        const struct table *table, bool always, struct error *error)
{
    struct place *places = NULL;
    enum status status = STATUS_OK;
    TRY(MEMORY_ALLOCATE(places, (size_t)context->subject->n_layers, error));
    for (int i = 0; i < context->subject->n_generators && status == STATUS_OK; i++)
        if (always || has_rows(table, i))
            status = draw_generator(context, curves, table, i, places, error);
    free(places);
    return status;
}
