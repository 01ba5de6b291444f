/* SPDX-License-Identifier: MIT */
/**
 * activation, relative, replicates, entropy, perplexity: the distribution of a number over the units of a
 * layer, as histograms that stand on their side (one a method) with median and quantiles on them. A panel a
 * generator, and panels of their own for class outputs where these have another unit than rates.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"
#include "statistics.h"

enum { PANEL_HEIGHT = 240, NOTE_CAPACITY = 256 };

/** Why units of a layer have no value; "" if all have one. */
typedef void left_out_note(const struct subject *subject, const struct group *group, int layer,
                           char note[NOTE_CAPACITY]);

struct quantity {
    const char *name, *caption, *title, *axis;
    const char
        *class_axis; /**< class outputs have another unit and panels of their own; NULL: they have not */
    result_value *value;
    const char *absent; /**< why there may be no value at all */
    bool has_parity;    /**< 1 means equality: the plot shows it */
    left_out_note *left_out;
};

/* What the first cells of a row say, in both tables. */
#define KEY_COLUMNS                                                                                          \
    {"panel", COLUMN_INTEGER, "1", "panel of the plot"},                                                     \
        {"generator", COLUMN_TEXT, "", "generator of the images"},                                           \
        {"method", COLUMN_TEXT, "", "search method"},                                                        \
        {"method_index", COLUMN_INTEGER, "1", "its place in this file"},                                     \
        {"layer", COLUMN_TEXT, "", "layer"},                                                                 \
    {                                                                                                        \
        "position", COLUMN_INTEGER, "1", "place of the layer in the panel, in network order"                 \
    }

static const struct column columns[] = {
    KEY_COLUMNS, FIGURES_QUANTILE_COLUMNS, {"note", COLUMN_TEXT, "", "what to keep in mind"}};

static const struct column histogram_columns[] = {KEY_COLUMNS, FIGURES_BIN_COLUMNS};

/** One panel: a generator, and either the class outputs or everything else. */
struct panel {
    int index, generator, n_methods, n_places;
    bool classes;
    struct place *places;
    size_t n_values;
    struct range axis;       /**< of the plot and of the bins */
    struct plot_shown shown; /**< by this panel and those before it */
};

static const double parity = 1;

/** What a row is about. */
struct key {
    const struct subject *subject;
    const struct panel *panel;
    const struct group *group;
    int position;
};

static void panel_range(const struct subject *subject, const struct quantity *quantity, struct panel *panel,
                        double *values)
{
    struct range range = {INFINITY, -INFINITY};
    for (int i = 0; i < subject->n_groups; i++)
        for (int k = 0; k < panel->n_places && subject->groups[i].generator == panel->generator; k++)
            figures_extend(&range, values,
                           figures_collect(subject, &subject->groups[i], panel->places[k].layer,
                                           quantity->value, values));
    if (quantity->has_parity && range.low <= range.high)
        figures_extend(&range, &parity, 1);
    panel->axis = figures_axis(range);
}

static void add_key(struct table *table, const void *context)
{
    const struct key *key = context;
    char label[NAME_CAPACITY + 16];
    input_layer_label(&key->subject->layers[key->panel->places[key->position].layer], label);
    table_integer(table, key->panel->index);
    table_text(table, key->subject->generators[key->panel->generator]);
    table_text(table, key->subject->methods[key->group->method]);
    table_integer(table, key->group->method);
    table_format(table, "%s", label);
    table_integer(table, key->position);
}

static void add_note(struct table *table, const struct quantity *quantity, const struct key *key, int layer,
                     size_t n)
{
    char left_out[NOTE_CAPACITY] = "";
    const char *note = n == 0 ? quantity->absent : figures_note(n);
    if (quantity->left_out != NULL)
        quantity->left_out(key->subject, key->group, layer, left_out);
    table_format(table, "%s%s%s", note, note[0] != '\0' && left_out[0] != '\0' ? "; " : "", left_out);
}

/** Fills both tables for one panel. */
static void fill_panel(const struct subject *subject, const struct quantity *quantity, struct panel *panel,
                       struct table *quantiles, struct table *histogram, double *values)
{
    struct distribution distribution;
    panel_range(subject, quantity, panel, values);
    for (int method = 0; method < subject->n_methods; method++) {
        const struct group *group = input_find_group(subject, panel->generator, method);
        panel->n_methods += group != NULL;
        for (int position = 0; group != NULL && position < panel->n_places; position++) {
            const struct key key = {subject, panel, group, position};
            const int layer = panel->places[position].layer;
            if (!figures_searched(subject, group, layer))
                continue;
            size_t n = figures_collect(subject, group, layer, quantity->value, values);
            statistics_describe(values, n, &distribution);
            add_key(quantiles, &key);
            figures_add_quantiles(quantiles, &distribution);
            add_note(quantiles, quantity, &key, layer, n);
            figures_add_histogram(histogram, values, n, panel->axis, add_key, &key);
            panel->n_values += n;
            plot_show(&panel->shown, n);
        }
    }
}

/** The methods of the panel's generator side by side at every place. */
static void plot_methods(struct plot *plot, const struct plot_marks *tables, const struct subject *subject,
                         const struct panel *panel)
{
    const double step = 0.7 / panel->n_methods;
    double offset = -0.5 * (panel->n_methods - 1) * step;
    for (int method = 0; method < subject->n_methods; method++) {
        char where[64], x[48];
        if (input_find_group(subject, panel->generator, method) == NULL)
            continue;
        snprintf(where, sizeof where, "is('panel',%d) && is('method_index',%d)", panel->index, method);
        snprintf(x, sizeof x, "column('position')%+g", offset);
        plot_distribution(plot, &(struct plot_marks){tables->quantiles, tables->histogram, where, x,
                                                     plot_colour(method), 0.46 * step});
        offset += step;
    }
}

static void plot_one_panel(struct plot *plot, const struct quantity *quantity,
                           const struct plot_marks *tables, const struct subject *subject,
                           const struct panel *panel)
{
    char title[2 * NAME_CAPACITY];
    snprintf(title, sizeof title, "generator %s%s", text_shorten(subject->generators[panel->generator]).text,
             panel->classes ? ", class outputs" : "");
    if (panel->n_values == 0) {
        plot_empty_panel(plot, title, quantity->absent);
        return;
    }
    bool first = plot_panel(plot, title);
    fprintf(plot->script, "set ylabel '%s'\nset yrange [%.9g:%.9g]\n",
            panel->classes ? quantity->class_axis : quantity->axis, panel->axis.low, panel->axis.high);
    plot_places(plot, subject, panel->places, panel->n_places);
    if (quantity->has_parity)
        fprintf(plot->script,
                "set arrow 1 from graph 0, first %g to graph 1, first %g nohead dt 2 lc rgb '#888888' back\n",
                parity, parity);
    fprintf(plot->script, "plot \\\n");
    for (int method = 0; first && method < subject->n_methods; method++)
        plot_legend_colour(plot, plot_colour(method), text_shorten(subject->methods[method]).text);
    plot_methods(plot, tables, subject, panel);
    plot_distribution_legend(plot);
}

static struct plot_layout lay_out(const struct subject *subject, const struct panel *panels, int n_panels)
{
    const int n_legend = subject->n_methods + plot_distribution_entries(&panels[n_panels - 1].shown);
    struct plot_layout layout = {n_panels, 1, 0, PANEL_HEIGHT, 0, n_legend};
    for (int i = 0; i < n_panels; i++)
        plot_make_room(&layout, subject, panels[i].places, panels[i].n_places, panels[i].n_methods);
    return layout;
}

static enum status draw(struct figure_context *context, const struct quantity *quantity,
                        const struct plot_marks *tables, const struct panel *panels, int n_panels,
                        struct error *error)
{
    const struct subject *subject = context->subject;
    const struct plot_layout layout = lay_out(subject, panels, n_panels);
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    snprintf(title, sizeof title, "%s: %s", text_shorten(subject->name).text, quantity->title);
    TRY(plot_begin(&plot, context, quantity->name, &layout, title, error));
    plot.shown = panels[n_panels - 1].shown;
    fprintf(plot.script, "set errorbars 0\n");
    for (int i = 0; i < n_panels; i++)
        plot_one_panel(&plot, quantity, tables, subject, &panels[i]);
    return plot_end(&plot, context, quantity->caption, error);
}

/** A panel a generator, class outputs apart where they differ; none without a layer. places: room for
 * [panel][layer]. */
static int make_panels(const struct subject *subject, const struct quantity *quantity, struct place *places,
                       struct panel *panels)
{
    const bool apart = quantity->class_axis != NULL;
    int n_panels = 0;
    for (int classes = 0; classes < (apart ? 2 : 1); classes++)
        for (int generator = 0; generator < subject->n_generators; generator++) {
            struct panel *panel = &panels[n_panels];
            *panel = (struct panel){.index = n_panels,
                                    .generator = generator,
                                    .classes = classes != 0,
                                    .places = places + n_panels * subject->n_layers};
            for (int layer = 0; layer < subject->n_layers; layer++)
                if (!apart || (subject->layers[layer].kind == UNIT_CLASS) == panel->classes)
                    panel->n_places += figures_place(subject, generator, ANY_METHOD, layer, quantity->value,
                                                     &panel->places[panel->n_places]);
            n_panels += panel->n_places > 0;
        }
    return n_panels;
}

static enum status make(struct figure_context *context, const struct quantity *quantity, struct error *error)
{
    const struct subject *subject = context->subject;
    const size_t most_panels = 2 * (size_t)subject->n_generators;
    struct table quantiles, histogram;
    double *values = NULL;
    struct place *places = NULL;
    struct panel *panels = NULL;
    size_t n_values = 0;
    char histogram_name[32];
    enum status status;
    snprintf(histogram_name, sizeof histogram_name, "%s_histogram", quantity->name);
    const struct plot_marks tables = {.quantiles = quantity->name, .histogram = histogram_name};
    table_start(&quantiles, tables.quantiles, quantity->caption, columns, sizeof columns / sizeof *columns);
    table_start(&histogram, tables.histogram, "the same as histograms", histogram_columns,
                sizeof histogram_columns / sizeof *histogram_columns);
    TRY_CLEANUP(MEMORY_ALLOCATE(values, subject->n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(places, most_panels * (size_t)subject->n_layers, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(panels, most_panels, error));
    int n_panels = make_panels(subject, quantity, places, panels);
    for (int i = 0; i < n_panels; i++) {
        panels[i].shown = i > 0 ? panels[i - 1].shown : (struct plot_shown){0};
        fill_panel(subject, quantity, &panels[i], &quantiles, &histogram, values);
        n_values += panels[i].n_values;
    }
    TRY_CLEANUP(output_table(context, &quantiles, error));
    TRY_CLEANUP(output_table(context, &histogram, error));
    status = n_values > 0 ? draw(context, quantity, &tables, panels, n_panels, error)
                          : plot_message(context, quantity->name, quantity->absent, error);
cleanup:
    free(panels);
    free(places);
    free(values);
    table_free(&histogram);
    table_free(&quantiles);
    return status;
}

/* ---- The quantities ----------------------------------------------------------------------------------- */

static double entropy_of(const struct unit_result *result)
{
    return result->entropy;
}

static double perplexity_of(const struct unit_result *result)
{
    return result->perplexity;
}

static void natural_left_out(const struct subject *subject, const struct group *group, int layer,
                             char note[NOTE_CAPACITY])
{
    size_t n_units = 0, n_unfinished = 0, n_without = 0, n_silent = 0;
    note[0] = '\0';
    for (size_t row = 0; row < group->n_rows; row++) {
        const struct unit_result *result = &group->results[row];
        if (input_layer_of(subject, group, row) != layer)
            continue;
        n_units++;
        n_unfinished += result->n_done == 0;
        n_without += result->n_done > 0 && !isfinite(result->natural);
        n_silent += result->n_done > 0 && result->natural <= 0;
    }
    if (group->minimise)
        snprintf(note, NOTE_CAPACITY, "activation minimised: no ratio");
    else if (n_unfinished + n_without + n_silent > 0)
        snprintf(
            note, NOTE_CAPACITY,
            "%zu of %zu units without a ratio (no image excites: %zu; no natural reference: %zu; no finished "
            "run: %zu)",
            n_unfinished + n_without + n_silent, n_units, n_silent, n_without, n_unfinished);
}

enum { ACTIVATION, RELATIVE, REPLICATES, ENTROPY, PERPLEXITY };

static const struct quantity quantities[] = {
    [ACTIVATION] = {"activation", "activation of the units for their MEIs, quantiles over units",
                    "activation for the MEIs (spiking units: spikes / step)", "activation",
                    "class output (mean over time)", figures_activation, "no finished run (n = 0 units)",
                    false, NULL},
    [RELATIVE] = {"relative",
                  "activation for the MEI / activation for the most exciting image of a dataset (natural "
                  "reference); quantiles over units",
                  "activation for the MEI / for the most exciting dataset image", "ratio (dashed: 1, equal)",
                  NULL, figures_relative,
                  "no unit with a finished run that some image of the dataset excites (n = 0 units)", true,
                  natural_left_out},
    [REPLICATES] = {"replicates",
                    "coefficient of variation of the activation over replicates (standard deviation / mean); "
                    "quantiles over units",
                    "spread of the activation over replicates", "standard deviation / mean", NULL,
                    figures_variation,
                    "no unit with two finished replicates whose mean activation is not 0 (n = 0 units)",
                    false, NULL},
    [ENTROPY] = {"entropy",
                 "normalised class entropy of the MEIs (bits / log2 classes), mean over repeated "
                 "presentations; quantiles over units",
                 "class entropy of the MEIs, mean over repeated presentations",
                 "entropy (1: all classes equal)", NULL, entropy_of,
                 "no finished run with repeated presentations (n = 0 units)", false, NULL},
    [PERPLEXITY] = {"perplexity",
                    "relative class perplexity of the MEIs (2^H / classes), mean over repeated "
                    "presentations; quantiles over units",
                    "relative class perplexity of the MEIs, mean over repeated presentations",
                    "relative perplexity 2^H / classes", NULL, perplexity_of,
                    "no finished run with repeated presentations (n = 0 units)", false, NULL},
};

enum status figure_activation(struct figure_context *context, struct error *error)
{
    return make(context, &quantities[ACTIVATION], error);
}

static bool all_minimise(const struct subject *subject)
{
    for (int i = 0; i < subject->n_groups; i++)
        if (!subject->groups[i].minimise)
            return false;
    return true;
}

enum status figure_relative(struct figure_context *context, struct error *error)
{
    struct quantity relative = quantities[RELATIVE];
    if (context->subject->natural.n_rows == 0)
        relative.absent =
            "no natural references in the results file: name them in the job, as natural of the "
            "subject (n = 0 units)";
    else if (all_minimise(context->subject))
        relative.absent = "every activation was minimised: no ratio (n = 0 units)";
    return make(context, &relative, error);
}

enum status figure_replicates(struct figure_context *context, struct error *error)
{
    return make(context, &quantities[REPLICATES], error);
}

enum status figure_entropy(struct figure_context *context, struct error *error)
{
    return make(context, &quantities[ENTROPY], error);
}

enum status figure_perplexity(struct figure_context *context, struct error *error)
{
    return make(context, &quantities[PERPLEXITY], error);
}
