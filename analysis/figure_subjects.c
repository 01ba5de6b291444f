/* SPDX-License-Identifier: MIT */
/**
 * subjects: the same units in one subject after the other, as the job lists them. Where subjects are
 * checkpoints of one training, this is how the MEIs of a unit emerge.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "subject_sheets.h"

enum {
    PANEL_WIDTH = 300,
    PANEL_HEIGHT = 190,
    WIDTH_OF_SUBJECT = 34,
    LABEL_ANGLE = 30, /* of subjects' names, in degrees */
    LABEL_RISE = 4,   /* height of a character of them */
    LABEL_ROOM = 60
};

static const struct column unit_columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"channel", COLUMN_INTEGER, "1", "channel or class"},
    {"y", COLUMN_INTEGER, "1", "row of a neuron, else -1"},
    {"x", COLUMN_INTEGER, "1", "column of a neuron, else -1"},
    {"subject", COLUMN_TEXT, "", "subject"},
    {"subject_position", COLUMN_INTEGER, "1", "its place in the job, from 0"},
    {"finished", COLUMN_INTEGER, "1", "finished replicates"},
    {"activation", COLUMN_NUMBER, "1", "activation for the MEI, mean over finished replicates"},
    {"silent", COLUMN_INTEGER, "1", "finished replicates in which nothing excited the unit"},
    {"saturated", COLUMN_INTEGER, "1", "finished replicates at the largest activation there is"},
    {"entropy", COLUMN_NUMBER, "1", "normalised class entropy, mean over trials and replicates"},
    {"top_class", COLUMN_TEXT, "", "most probable class for the best replicate's MEI"},
    {"top_probability", COLUMN_NUMBER, "1", "its probability"},
};

static const struct column layer_columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"subject", COLUMN_TEXT, "", "subject"},
    {"subject_position", COLUMN_INTEGER, "1", "its place in the job, from 0"},
    {"shared", COLUMN_INTEGER, "1", "units of the layer that it shares with another subject"},
    {"silent", COLUMN_INTEGER, "1", "of these, units whose finished replicates are all silent"},
    FIGURES_QUANTILE_COLUMNS,
    {"note", COLUMN_TEXT, "", "what to know of the row"},
};

/* ---- Tables ------------------------------------------------------------------------------------------- */

/** One unit in one subject. */
static void add_row(struct table *table, const struct shared_set *set, const struct unit *unit,
                    const struct subject *subject, int position, size_t row)
{
    const struct group *group = set->groups[position];
    const struct unit_result *result = &group->results[row];
    char label[NAME_CAPACITY + 16];
    input_layer_label(set->layer, label);
    table_text(table, set->generator);
    table_text(table, set->method);
    table_format(table, "%s", label);
    table_integer(table, unit->channel);
    table_integer(table, unit->y);
    table_integer(table, unit->x);
    table_text(table, subject->name);
    table_integer(table, position);
    table_integer(table, result->n_done);
    table_number(table, result->activation);
    table_integer(table, figures_count_flag(group, group->silent, row));
    table_integer(table, figures_count_flag(group, group->saturated, row));
    table_number(table, result->entropy);
    table_text(table, result->top_class < 0 ? "" : group->class_names[result->top_class]);
    table_number(table, result->top_probability);
}

static enum status write_units(struct figure_context *context, const struct shared *shared,
                               struct error *error)
{
    const size_t n_subjects = (size_t)shared->input->n_subjects;
    struct table table;
    table_start(&table, "subjects", "one row per unit, generator, method and subject", unit_columns,
                sizeof unit_columns / sizeof *unit_columns);
    for (int i = 0; i < shared->n_sets; i++)
        for (size_t unit = 0; unit < shared->sets[i].n_units; unit++)
            for (size_t position = 0; position < n_subjects; position++) {
                const struct shared_set *set = &shared->sets[i];
                const int64_t row = set->rows[unit * n_subjects + position];
                if (row >= 0)
                    add_row(&table, set, shared_unit(shared, set, unit), &shared->input->subjects[position],
                            (int)position, (size_t)row);
            }
    enum status status = output_table(context, &table, error);
    table_free(&table);
    return status;
}

/** What the units of a set are in one subject. */
struct level {
    size_t n_shared, n_silent;
    struct distribution distribution;
};

/** values: room for the units of the set. */
static void describe_level(const struct shared *shared, const struct shared_set *set, int position,
                           double *values, struct level *level)
{
    const struct group *group = set->groups[position];
    size_t n = 0;
    *level = (struct level){0};
    for (size_t unit = 0; unit < set->n_units; unit++) {
        const int64_t row = set->rows[unit * (size_t)shared->input->n_subjects + (size_t)position];
        if (row < 0)
            continue;
        const struct unit_result *result = &group->results[row];
        level->n_shared++;
        level->n_silent +=
            result->n_done > 0 && figures_count_flag(group, group->silent, (size_t)row) == result->n_done;
        if (isfinite(result->activation))
            values[n++] = result->activation;
    }
    statistics_describe(values, n, &level->distribution);
}

static void add_level(struct table *table, const struct shared_set *set, const struct subject *subject,
                      int position, const struct level *level)
{
    char label[NAME_CAPACITY + 16];
    input_layer_label(set->layer, label);
    table_text(table, set->generator);
    table_text(table, set->method);
    table_format(table, "%s", label);
    table_text(table, subject->name);
    table_integer(table, position);
    table_integer(table, (int64_t)level->n_shared);
    table_integer(table, (int64_t)level->n_silent);
    figures_add_quantiles(table, &level->distribution);
    table_text(table, level->n_shared == 0 ? "not searched" : figures_note(level->distribution.n));
}

static enum status write_layers(struct figure_context *context, const struct shared *shared,
                                struct error *error)
{
    struct table table;
    struct level level;
    double *values = NULL;
    enum status status = STATUS_OK;
    table_start(&table, "subjects_layers",
                "activation: quantiles over the shared units of a layer, by subject", layer_columns,
                sizeof layer_columns / sizeof *layer_columns);
    for (int i = 0; i < shared->n_sets; i++) {
        TRY_CLEANUP(MEMORY_ALLOCATE(values, shared->sets[i].n_units, error));
        for (int position = 0; position < shared->input->n_subjects; position++) {
            describe_level(shared, &shared->sets[i], position, values, &level);
            add_level(&table, &shared->sets[i], &shared->input->subjects[position], position, &level);
        }
        free(values);
        values = NULL;
    }
    status = output_table(context, &table, error);
cleanup:
    free(values);
    table_free(&table);
    return status;
}

/* ---- Plots -------------------------------------------------------------------------------------------- */

/** Sets of one generator, as a plot shows them: a panel a layer, a colour a method. */
struct view {
    const struct shared *shared;
    int generator_index;
};

static bool is_shown(const struct view *view, int set, int layer_index)
{
    const struct shared_set *candidate = &view->shared->sets[set];
    return candidate->generator_index == view->generator_index &&
           (layer_index < 0 || candidate->layer_index == layer_index);
}

/** Activations of all units in all subjects of a panel. */
static struct range panel_axis(const struct view *view, int layer_index)
{
    const size_t n_subjects = (size_t)view->shared->input->n_subjects;
    struct range range = {INFINITY, -INFINITY};
    for (int i = 0; i < view->shared->n_sets; i++) {
        const struct shared_set *set = &view->shared->sets[i];
        for (size_t cell = 0; is_shown(view, i, layer_index) && cell < set->n_units * n_subjects; cell++) {
            const struct group *group = set->groups[cell % n_subjects];
            const double value = set->rows[cell] < 0 ? NAN : group->results[set->rows[cell]].activation;
            figures_extend(&range, &value, isfinite(value));
        }
    }
    return figures_axis(range);
}

/** Whether any set of the plot has that many units. */
static bool has_set(const struct view *view, size_t fewest, size_t most)
{
    for (int i = 0; i < view->shared->n_sets; i++)
        if (is_shown(view, i, -1) && view->shared->sets[i].n_units >= fewest &&
            view->shared->sets[i].n_units <= most)
            return true;
    return false;
}

static void plot_legend(struct plot *plot, const struct view *view)
{
    char quoted[QUOTED_CAPACITY];
    int last = -1;
    for (int i = 0; i < view->shared->n_sets; i++) {
        const struct shared_set *set = &view->shared->sets[i];
        if (!is_shown(view, i, -1) || set->method_index <= last)
            continue;
        last = set->method_index; /* methods rise within a generator */
        plot_quote(text_shorten(set->method).text, quoted);
        fprintf(plot->script, "    NaN with lines lw 2 lc rgb '%s' title %s, \\\n",
                plot_colour(set->method_index), quoted);
    }
    fprintf(plot->script,
            "    NaN with linespoints pt 7 ps 0.6 lw 2 lc rgb '#777777' title 'median over units', \\\n");
    if (has_set(view, FIGURES_FEW, SIZE_MAX))
        fprintf(plot->script,
                "    NaN with lines lw 1 lc rgb '#777777' title 'bar: 25-75 %% (from n = %d)', \\\n",
                FIGURES_FEW);
    if (has_set(view, 1, FIGURES_FEW - 1))
        fprintf(plot->script,
                "    NaN with lines lw 1 dt 3 lc rgb '#777777' title 'single units, if fewer than %d', \\\n",
                FIGURES_FEW);
}

/** Rows of a set in subjects.csv. */
static size_t count_rows(const struct shared *shared, const struct shared_set *set, size_t n_units)
{
    size_t n = 0;
    for (size_t cell = 0; cell < n_units * (size_t)shared->input->n_subjects; cell++)
        n += set->rows[cell] >= 0;
    return n;
}

/** Methods stand a little beside each other. */
static double shift_of(const struct view *view, const struct shared_set *set)
{
    int n_methods = 0;
    for (int i = 0; i < view->shared->n_sets; i++)
        if (is_shown(view, i, -1) && view->shared->sets[i].method_index >= n_methods)
            n_methods = view->shared->sets[i].method_index + 1;
    return 0.06 * (set->method_index - 0.5 * (n_methods - 1));
}

/** The lines of single units; `first` is the set's first row in subjects.csv. */
static void plot_units(FILE *script, const struct view *view, const struct shared_set *set, size_t first)
{
    for (size_t unit = 0; unit < set->n_units && set->n_units < FIGURES_FEW; unit++)
        fprintf(script,
                "    'subjects.csv' every ::%zu::%zu using (column('subject_position')+%g):"
                "(column('activation')) with linespoints pt 7 ps 0.3 lw 1 dt 3 lc rgb '%s' notitle, \\\n",
                first + count_rows(view->shared, set, unit),
                first + count_rows(view->shared, set, unit + 1) - 1, shift_of(view, set),
                plot_colour(set->method_index));
}

/** Median and quartiles; rows of a set in subjects_layers.csv are as many as there are subjects. */
static void plot_medians(FILE *script, const struct view *view, int place)
{
    const struct shared_set *set = &view->shared->sets[place];
    const int n_subjects = view->shared->input->n_subjects, first = place * n_subjects,
              last = first + n_subjects - 1;
    const char *colour = plot_colour(set->method_index);
    const double shift = shift_of(view, set);
    fprintf(script,
            "    'subjects_layers.csv' every ::%d::%d using (column('subject_position')+%g):"
            "(column('n') >= %d ? column('median') : NaN):(column('quantile_25')):(column('quantile_75')) "
            "with yerrorbars pt -1 lw 1 lc rgb '%s' notitle, \\\n"
            "    '' every ::%d::%d using (column('subject_position')+%g):(column('median')) "
            "with linespoints pt 7 ps 0.6 lw 2 lc rgb '%s' notitle, \\\n",
            first, last, shift, FIGURES_FEW, colour, first, last, shift, colour);
}

static void write_axes(struct plot *plot, const struct view *view, const struct layer *layer, int layer_index)
{
    const struct input *input = view->shared->input;
    const struct range axis = panel_axis(view, layer_index);
    char quoted[QUOTED_CAPACITY];
    fprintf(plot->script, "set xtics rotate by %d right (", LABEL_ANGLE);
    for (int i = 0; i < input->n_subjects; i++) {
        plot_quote(text_shorten(input->subjects[i].name).text, quoted);
        fprintf(plot->script, "%s%s %d", i == 0 ? "" : ", ", quoted, i);
    }
    fprintf(plot->script, ")\nset xrange [-0.4:%g]\nset ylabel '%s'\nset yrange [%.9g:%.9g]\nplot \\\n",
            input->n_subjects - 0.6, layer->kind == UNIT_CLASS ? "class output" : "activation", axis.low,
            axis.high);
}

static void plot_layer(struct plot *plot, const struct view *view, int layer_index)
{
    const struct shared_set *shown = NULL;
    char title[sizeof(struct short_name) + 64];
    size_t most = 0, first_row = 0;
    for (int i = 0; i < view->shared->n_sets; i++)
        if (is_shown(view, i, layer_index)) {
            shown = &view->shared->sets[i];
            most = shown->n_units > most ? shown->n_units : most;
        }
    if (shown == NULL)
        return;
    snprintf(title, sizeof title, "%s%s (n = %zu)", text_shorten(shown->layer->name).text,
             shown->layer->kind == UNIT_NEURON  ? " neurons"
             : shown->layer->kind == UNIT_CLASS ? " outputs"
                                                : "",
             most);
    const bool is_first = plot_panel(plot, title);
    write_axes(plot, view, shown->layer, layer_index);
    if (is_first)
        plot_legend(plot, view);
    for (int i = 0; i < view->shared->n_sets; i++) {
        const struct shared_set *set = &view->shared->sets[i];
        if (is_shown(view, i, layer_index)) {
            plot_units(plot->script, view, set, first_row);
            plot_medians(plot->script, view, i);
        }
        first_row += count_rows(view->shared, set, set->n_units);
    }
    fprintf(plot->script, "    NaN notitle\n");
}

static int count_panels(const struct view *view)
{
    int n = 0;
    for (int layer = 0; layer < view->shared->n_layers; layer++) {
        bool found = false;
        for (int i = 0; i < view->shared->n_sets && !found; i++)
            found = is_shown(view, i, layer);
        n += found;
    }
    return n;
}

static int count_methods(const struct view *view)
{
    int n = 0, last = -1;
    for (int i = 0; i < view->shared->n_sets; i++)
        if (is_shown(view, i, -1) && view->shared->sets[i].method_index != last) {
            last = view->shared->sets[i].method_index;
            n++;
        }
    return n;
}

static int longest_name(const struct input *input)
{
    int longest = 0;
    for (int i = 0; i < input->n_subjects; i++) {
        const int length = (int)strlen(text_shorten(input->subjects[i].name).text);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static enum status draw(struct figure_context *context, const struct view *view, const char *generator,
                        struct error *error)
{
    const struct input *input = view->shared->input;
    const int n_panels = count_panels(view), width = WIDTH_OF_SUBJECT * input->n_subjects;
    const int n_columns = n_panels < 4 ? n_panels : n_panels < 9 ? 3 : 5;
    const struct plot_layout layout = {(n_panels + n_columns - 1) / n_columns,
                                       n_columns,
                                       n_columns == 1        ? PLOT_WIDTH
                                       : width > PANEL_WIDTH ? width
                                                             : PANEL_WIDTH,
                                       PANEL_HEIGHT,
                                       LABEL_ROOM + LABEL_RISE * longest_name(input),
                                       count_methods(view) + 1 + has_set(view, FIGURES_FEW, SIZE_MAX) +
                                           has_set(view, 1, FIGURES_FEW - 1)};
    char file_name[FILE_NAME_CAPACITY], name[PLOT_NAME_CAPACITY], title[NAME_CAPACITY];
    struct plot plot;
    output_file_name(generator, file_name);
    snprintf(name, sizeof name, "subjects_%s", file_name);
    snprintf(title, sizeof title, "generator %s: the same units in %d subjects", text_shorten(generator).text,
             input->n_subjects);
    TRY(plot_begin(&plot, context, name, &layout, title, error));
    for (int layer = 0; layer < view->shared->n_layers; layer++)
        plot_layer(&plot, view, layer);
    return plot_end(&plot, context,
                    "activation of the shared units in every subject: median and quartiles, a panel a layer",
                    error);
}

static enum status draw_generators(struct figure_context *context, const struct shared *shared,
                                   struct error *error)
{
    struct view view = {shared, -1};
    for (int i = 0; i < shared->n_sets; i++)
        if (shared->sets[i].generator_index != view.generator_index) {
            view.generator_index = shared->sets[i].generator_index;
            TRY(draw(context, &view, shared->sets[i].generator, error));
        }
    return STATUS_OK;
}

/* ---- All ---------------------------------------------------------------------------------------------- */

static enum status say_nothing_is_shared(struct figure_context *context, struct error *error)
{
    char message[NAME_CAPACITY];
    if (context->input->n_subjects < 2)
        snprintf(message, sizeof message, "one subject only (n = 1): nothing to follow");
    else
        snprintf(message, sizeof message,
                 "no unit of two subjects with the same generator and method (n = 0 units, %d subjects)",
                 context->input->n_subjects);
    return plot_message(context, "subjects", message, error);
}

enum status figure_subjects(struct figure_context *context, struct error *error)
{
    struct shared shared;
    enum status status;
    TRY_CLEANUP(shared_find(context->input, &shared, error));
    TRY_CLEANUP(write_units(context, &shared, error));
    TRY_CLEANUP(write_layers(context, &shared, error));
    if (shared.n_sets == 0) {
        status = say_nothing_is_shared(context, error);
    } else {
        TRY_CLEANUP(draw_generators(context, &shared, error));
        status = subject_sheets(context, &shared, error);
    }
cleanup:
    shared_free(&shared);
    return status;
}
