/* SPDX-License-Identifier: MIT */
/** summary: per layer, generator and method, what became of the runs. */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"
#include "statistics.h"

static const struct column columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"generator_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"method_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"layer_position", COLUMN_INTEGER, "1", "place of the layer in network order, from 0"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel of the plot"},
    {"n_units", COLUMN_INTEGER, "1", "units of the layer that were to be searched"},
    {"n_replicates", COLUMN_INTEGER, "1", "runs a unit"},
    {"runs", COLUMN_INTEGER, "1", "units x replicates"},
    {"done", COLUMN_INTEGER, "1", "finished runs"},
    {"failed", COLUMN_INTEGER, "1", "runs that failed (their messages are in the results file)"},
    {"missing", COLUMN_INTEGER, "1", "runs that the results file does not hold"},
    {"silent", COLUMN_INTEGER, "1", "finished runs in which no query gave an activation above 0"},
    {"saturated", COLUMN_INTEGER, "1", "finished runs whose MEI drives a spiking unit to its maximum, 1"},
    {"stop_budget", COLUMN_INTEGER, "1", "runs that used their budget"},
    {"stop_bound", COLUMN_INTEGER, "1", "runs that stopped at the bound of the activation"},
    {"stop_target", COLUMN_INTEGER, "1", "runs that stopped at the target activation"},
    {"stop_no_improvement", COLUMN_INTEGER, "1", "runs that stopped because nothing improved"},
    {"stop_wall_time", COLUMN_INTEGER, "1", "runs that stopped because of the wall time"},
    {"n", COLUMN_INTEGER, "1", "units with a finished run: what the next columns are about"},
    {"median_activation", COLUMN_NUMBER, "1", "median over units"},
    {"quantile_25", COLUMN_NUMBER, "1", "lower quartile over units"},
    {"quantile_75", COLUMN_NUMBER, "1", "upper quartile over units"},
    {"median_queries", COLUMN_NUMBER, "queries", "median over finished runs of the queries used"},
    {"median_replicate_cv", COLUMN_NUMBER, "1",
     "median over units of standard deviation / mean over replicates (needs two finished replicates)"},
    {"n_relative", COLUMN_INTEGER, "1", "units of n that some image of the dataset excites"},
    {"median_relative", COLUMN_NUMBER, "1",
     "median over these of activation / activation for the most exciting image of the dataset"},
    {"share_above_natural", COLUMN_NUMBER, "1", "share of these whose activation / that is above 1"},
    {"note", COLUMN_TEXT, "", "what to keep in mind"},
};

struct tally {
    size_t n_units, runs, status[3], silent, saturated, stop[STOP_WALL_TIME + 1];
};

static void tally_run(const struct group *group, size_t run, struct tally *tally)
{
    tally->runs++;
    if (group->status[run] <= RUN_FAILED)
        tally->status[group->status[run]]++;
    if (group->status[run] != RUN_DONE)
        return;
    tally->silent += group->silent[run] != 0;
    tally->saturated += group->saturated[run] != 0;
    if (group->stop_reason[run] <= STOP_WALL_TIME)
        tally->stop[group->stop_reason[run]]++;
}

static struct tally tally_layer(const struct subject *subject, const struct group *group, int layer)
{
    struct tally tally = {0};
    for (size_t row = 0; row < group->n_rows; row++) {
        if (input_layer_of(subject, group, row) != layer)
            continue;
        tally.n_units++;
        for (size_t replicate = 0; replicate < group->n_replicates; replicate++)
            tally_run(group, row * group->n_replicates + replicate, &tally);
    }
    return tally;
}

static double median_queries(const struct subject *subject, const struct group *group, int layer,
                             double *values)
{
    struct distribution distribution;
    size_t n = 0;
    for (size_t run = 0; run < group->n_rows * group->n_replicates; run++)
        if (group->status[run] == RUN_DONE &&
            input_layer_of(subject, group, run / group->n_replicates) == layer)
            values[n++] = (double)group->queries[run];
    statistics_describe(values, n, &distribution);
    return distribution.median;
}

static void add_tally(struct table *table, const struct tally *tally)
{
    const size_t counts[] = {tally->runs,
                             tally->status[RUN_DONE],
                             tally->status[RUN_FAILED],
                             tally->status[RUN_MISSING],
                             tally->silent,
                             tally->saturated,
                             tally->stop[STOP_BUDGET],
                             tally->stop[STOP_BOUND],
                             tally->stop[STOP_TARGET],
                             tally->stop[STOP_NO_IMPROVEMENT],
                             tally->stop[STOP_WALL_TIME]};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        table_integer(table, (int64_t)counts[i]);
}

static const char *note(const struct tally *tally, size_t n)
{
    if (n > 0 && tally->silent == tally->status[RUN_DONE])
        return "every finished run is silent";
    if (n > 0 && tally->saturated == tally->status[RUN_DONE])
        return "every finished run is saturated";
    return figures_note(n);
}

static void add_relative(struct table *table, const struct subject *subject, const struct group *group,
                         int layer, double *values)
{
    struct distribution relative;
    size_t n_above = 0;
    const size_t n = figures_collect(subject, group, layer, figures_relative, values);
    for (size_t i = 0; i < n; i++)
        n_above += values[i] > 1;
    statistics_describe(values, n, &relative);
    table_integer(table, (int64_t)n);
    table_number(table, relative.median);
    table_number(table, n > 0 ? (double)n_above / (double)n : (double)NAN);
}

static void add_row(struct table *table, const struct subject *subject, const struct group *group, int layer,
                    int position, double *values)
{
    char label[NAME_CAPACITY + 16];
    struct tally tally = tally_layer(subject, group, layer);
    struct distribution activation, variation;
    table_text(table, subject->generators[group->generator]);
    table_integer(table, group->generator);
    table_text(table, subject->methods[group->method]);
    table_integer(table, group->method);
    input_layer_label(&subject->layers[layer], label);
    table_format(table, "%s", label);
    table_integer(table, layer);
    table_integer(table, position);
    table_integer(table, (int64_t)tally.n_units);
    table_integer(table, (int64_t)group->n_replicates);
    add_tally(table, &tally);
    statistics_describe(values, figures_collect(subject, group, layer, figures_activation, values),
                        &activation);
    table_integer(table, (int64_t)activation.n);
    table_number(table, activation.median);
    table_number(table, activation.quantile_25);
    table_number(table, activation.quantile_75);
    table_number(table, median_queries(subject, group, layer, values));
    statistics_describe(values, figures_collect(subject, group, layer, figures_variation, values),
                        &variation);
    table_number(table, variation.median);
    add_relative(table, subject, group, layer, values);
    table_text(table, note(&tally, activation.n));
}

static enum status fill(const struct subject *subject, struct table *table, struct error *error)
{
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *group = &subject->groups[i];
        double *values = NULL;
        TRY(MEMORY_ALLOCATE(values, group->n_rows * group->n_replicates + group->n_rows, error));
        for (int layer = 0, position = 0; layer < subject->n_layers; layer++)
            if (figures_searched(subject, group, layer))
                add_row(table, subject, group, layer, position++, values);
        free(values);
    }
    return STATUS_OK;
}

/** One stack of bars: each state lies on those before it. */
static const struct {
    const char *title, *below, *count, *colour;
} states[] = {
    {"finished", "0", "column('done')-column('silent')-column('saturated')", "#56B4E9"},
    {"saturated", "column('done')-column('silent')-column('saturated')", "column('saturated')", "#E69F00"},
    {"silent", "column('done')-column('silent')", "column('silent')", "#000000"},
    {"failed", "column('done')", "column('failed')", "#D55E00"},
    {"missing", "column('done')+column('failed')", "column('missing')", "#cccccc"},
};
enum { N_STATES = sizeof states / sizeof *states, PANEL_HEIGHT = 150, MAX_COLUMNS = 2 };

/** What a panel shows: a group, and the layers that it searched. */
struct panel {
    const struct group *group;
    int n_places;
    struct place *places;
};

static void plot_stack(FILE *script, const struct group *group)
{
    for (int i = 0; i < N_STATES; i++)
        fprintf(
            script,
            "    'summary.csv' using (is('generator_index',%d)&&is('method_index',%d)&&(%s)>0 ? "
            "column('position') : "
            "NaN):(0):(column('position')-0.4):(column('position')+0.4):"
            "((%s)/column('runs')):((%s+%s)/column('runs')) with boxxyerror fs solid noborder lc rgb '%s' "
            "notitle%s\n",
            group->generator, group->method, states[i].count, states[i].below, states[i].below,
            states[i].count, states[i].colour, i + 1 < N_STATES ? ", \\" : "");
}

static void plot_group(struct plot *plot, const struct subject *subject, const struct panel *panel)
{
    char title[2 * NAME_CAPACITY];
    snprintf(title, sizeof title, "%s, %s", text_shorten(subject->generators[panel->group->generator]).text,
             text_shorten(subject->methods[panel->group->method]).text);
    bool first = plot_panel(plot, title);
    plot_places(plot, subject, panel->places, panel->n_places);
    fprintf(plot->script, "plot \\\n");
    for (int i = 0; first && i < N_STATES; i++)
        fprintf(plot->script, "    NaN with boxes fs solid noborder lc rgb '%s' title '%s', \\\n",
                states[i].colour, states[i].title);
    plot_stack(plot->script, panel->group);
}

static enum status draw(struct figure_context *context, const struct panel *panels, int n_panels,
                        struct error *error)
{
    const int n_columns = n_panels < MAX_COLUMNS ? n_panels : MAX_COLUMNS;
    struct plot_layout layout = {
        (n_panels + n_columns - 1) / n_columns, n_columns, 0, PANEL_HEIGHT, 0, N_STATES};
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    for (int i = 0; i < n_panels; i++)
        plot_make_room(&layout, context->subject, panels[i].places, panels[i].n_places, 1);
    snprintf(title, sizeof title, "%s: what became of the runs", text_shorten(context->subject->name).text);
    TRY(plot_begin(&plot, context, "summary", &layout, title, error));
    fprintf(plot.script, "set yrange [0:1]\nset ylabel 'share of runs'\n");
    for (int i = 0; i < n_panels; i++)
        plot_group(&plot, context->subject, &panels[i]);
    return plot_end(&plot, context,
                    "share of runs that finished, are saturated, silent, failed or missing, per layer; n: "
                    "units with a finished run",
                    error);
}

static enum status draw_groups(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    struct panel *panels = NULL;
    struct place *places = NULL;
    int n_panels = 0;
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(panels, (size_t)subject->n_groups, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(places, (size_t)subject->n_groups * (size_t)subject->n_layers, error));
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *group = &subject->groups[i];
        struct panel *panel = &panels[n_panels];
        *panel = (struct panel){.group = group, .places = places + n_panels * subject->n_layers};
        for (int layer = 0; layer < subject->n_layers; layer++)
            panel->n_places += figures_place(subject, group->generator, group->method, layer,
                                             figures_activation, &panel->places[panel->n_places]);
        n_panels += panel->n_places > 0;
    }
    status = draw(context, panels, n_panels, error);
cleanup:
    free(places);
    free(panels);
    return status;
}

enum status figure_summary(struct figure_context *context, struct error *error)
{
    struct table table;
    enum status status;
    table_start(&table, "summary", "per layer, generator and method: runs, flags, stop reasons, activation",
                columns, sizeof columns / sizeof *columns);
    TRY_CLEANUP(fill(context->subject, &table, error));
    TRY_CLEANUP(output_table(context, &table, error));
    status = table_n_rows(&table) > 0
                 ? draw_groups(context, error)
                 : plot_message(context, "summary", "no layer and no run in the file", error);
cleanup:
    table_free(&table);
    return status;
}
