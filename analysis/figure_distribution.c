/* SPDX-License-Identifier: MIT */
/**
 * activation, replicates, entropy, perplexity: the distribution of a number over the units of a layer, as
 * histograms that stand on their side (one a method) with median and quantiles on them. A panel a generator,
 * and panels of their own for class outputs where these have another unit than rates.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"
#include "statistics.h"

enum { PANEL_HEIGHT = 240 };

struct quantity {
    const char *name, *caption, *histogram_name, *histogram_caption;
    const char *title, *axis, *class_axis;
    result_value *value;
    bool classes_apart; /**< class outputs are no rates: another axis */
    const char *absent; /**< why there may be no value at all */
};

static const struct column columns[] = {
    {"panel", COLUMN_INTEGER, "1", "panel of the plot"},
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"method_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel, in network order"},
    FIGURES_QUANTILE_COLUMNS,
    {"note", COLUMN_TEXT, "", "what to keep in mind"},
};

static const struct column histogram_columns[] = {
    {"panel", COLUMN_INTEGER, "1", "panel of the plot"},
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"method_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel, in network order"},
    FIGURES_BIN_COLUMNS,
};

/** One panel: a generator, and either the class outputs or everything else. */
struct panel {
    int index, generator, n_layers;
    int *layers;
    bool classes;
    size_t n_values;
    struct range axis; /**< of the plot and of the bins */
};

/** What the first cells of a row say. */
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
        for (int k = 0; k < panel->n_layers && subject->groups[i].generator == panel->generator; k++)
            figures_extend(
                &range, values,
                figures_collect(subject, &subject->groups[i], panel->layers[k], quantity->value, values));
    panel->axis = figures_axis(range);
}

static void add_key(struct table *table, const void *context)
{
    const struct key *key = context;
    char label[NAME_CAPACITY + 16];
    input_layer_label(&key->subject->layers[key->panel->layers[key->position]], label);
    table_integer(table, key->panel->index);
    table_text(table, key->subject->generators[key->panel->generator]);
    table_text(table, key->subject->methods[key->group->method]);
    table_integer(table, key->group->method);
    table_format(table, "%s", label);
    table_integer(table, key->position);
}

/** Fills both tables for one panel. */
static void fill_panel(const struct subject *subject, const struct quantity *quantity, struct panel *panel,
                       struct table *quantiles, struct table *histogram, double *values)
{
    struct distribution distribution;
    panel_range(subject, quantity, panel, values);
    for (int method = 0; method < subject->n_methods; method++) {
        const struct group *group = input_find_group(subject, panel->generator, method);
        for (int position = 0; group != NULL && position < panel->n_layers; position++) {
            const struct key key = {subject, panel, group, position};
            size_t n = figures_collect(subject, group, panel->layers[position], quantity->value, values);
            statistics_describe(values, n, &distribution);
            add_key(quantiles, &key);
            figures_add_quantiles(quantiles, &distribution);
            table_text(quantiles, n == 0 ? quantity->absent : figures_note(n));
            figures_add_histogram(histogram, values, n, panel->axis, add_key, &key);
            panel->n_values += n;
        }
    }
}

static void plot_methods(struct plot *plot, const struct quantity *quantity, const struct subject *subject,
                         const struct panel *panel)
{
    double step = 0.84 / subject->n_methods;
    for (int method = 0; method < subject->n_methods; method++) {
        char where[64], x[48];
        snprintf(where, sizeof where, "is('panel',%d) && is('method_index',%d)", panel->index, method);
        snprintf(x, sizeof x, "column('position')%+g", (method - 0.5 * (subject->n_methods - 1)) * step);
        plot_distribution(plot, &(struct plot_marks){quantity->name, quantity->histogram_name, where, x,
                                                     plot_colour(method), 0.46 * step});
    }
}

static void plot_one_panel(struct plot *plot, const struct quantity *quantity, const struct subject *subject,
                           const struct panel *panel)
{
    char title[2 * NAME_CAPACITY], quoted[QUOTED_CAPACITY];
    snprintf(title, sizeof title, "generator %s%s", subject->generators[panel->generator],
             panel->classes ? ", class outputs" : "");
    plot_quote(panel->classes ? quantity->class_axis : quantity->axis, quoted);
    fprintf(plot->script, "set ylabel %s\nset yrange [%.9g:%.9g]\n", quoted, panel->axis.low,
            panel->axis.high);
    plot_layer_tics(plot, subject, panel->layers, panel->n_layers, NULL);
    bool first = plot_panel(plot, title);
    fprintf(plot->script, "plot \\\n");
    for (int method = 0; first && method < subject->n_methods; method++)
        plot_legend_box(plot, plot_colour(method), subject->methods[method]);
    plot_methods(plot, quantity, subject, panel);
    plot_distribution_legend(plot);
}

static enum status draw(struct figure_context *context, const struct quantity *quantity,
                        const struct panel *panels, int n_panels, struct error *error)
{
    const struct subject *subject = context->subject;
    const struct plot_layout layout = {n_panels,
                                       1,
                                       plot_panel_width(1, subject->n_layers, subject->n_methods),
                                       PANEL_HEIGHT,
                                       plot_layer_tics_height(subject),
                                       subject->n_methods + PLOT_DISTRIBUTION_LEGEND};
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    snprintf(title, sizeof title, "%.40s: %s", subject->name, quantity->title);
    TRY(plot_begin(&plot, context, quantity->name, &layout, title, error));
    fprintf(plot.script, "set errorbars 0\n");
    for (int i = 0; i < n_panels; i++)
        plot_one_panel(&plot, quantity, subject, &panels[i]);
    return plot_end(&plot, context, quantity->caption, error);
}

/** Panels that have layers: a generator each, class outputs apart where they differ. */
static int make_panels(const struct subject *subject, const struct quantity *quantity, int *layers,
                       struct panel *panels)
{
    int n_panels = 0;
    for (int classes = 0; classes < (quantity->classes_apart ? 2 : 1); classes++) {
        int *selected = layers + classes * subject->n_layers, n_layers = 0;
        if (quantity->classes_apart)
            n_layers = figures_select_layers(subject, classes, selected);
        else
            for (; n_layers < subject->n_layers; n_layers++)
                selected[n_layers] = n_layers;
        for (int generator = 0; generator < subject->n_generators && n_layers > 0; generator++, n_panels++)
            panels[n_panels] =
                (struct panel){n_panels, generator, n_layers, selected, classes != 0, 0, {0, 1}};
    }
    return n_panels;
}

static enum status make(struct figure_context *context, const struct quantity *quantity, struct error *error)
{
    const struct subject *subject = context->subject;
    struct table quantiles, histogram;
    double *values = NULL;
    int *layers = NULL;
    struct panel *panels = NULL;
    size_t n_values = 0;
    enum status status;
    table_start(&quantiles, quantity->name, quantity->caption, columns, sizeof columns / sizeof *columns);
    table_start(&histogram, quantity->histogram_name, quantity->histogram_caption, histogram_columns,
                sizeof histogram_columns / sizeof *histogram_columns);
    TRY_CLEANUP(MEMORY_ALLOCATE(values, subject->n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(layers, 2 * (size_t)subject->n_layers, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(panels, 2 * (size_t)subject->n_generators, error));
    int n_panels = make_panels(subject, quantity, layers, panels);
    for (int i = 0; i < n_panels; i++)
        fill_panel(subject, quantity, &panels[i], &quantiles, &histogram, values);
    for (int i = 0; i < n_panels; i++)
        n_values += panels[i].n_values;
    TRY_CLEANUP(output_table(context, &quantiles, error));
    TRY_CLEANUP(output_table(context, &histogram, error));
    status = n_values > 0 ? draw(context, quantity, panels, n_panels, error)
                          : plot_message(context, quantity->name, quantity->absent, error);
cleanup:
    free(panels);
    free(layers);
    free(values);
    table_free(&histogram);
    table_free(&quantiles);
    return status;
}

enum status figure_activation(struct figure_context *context, struct error *error)
{
    static const struct quantity activation = {"activation",
                                               "activation of the units for their MEIs, quantiles over units",
                                               "activation_histogram",
                                               "the same as histograms",
                                               "activation of the units for their MEIs",
                                               "activation (spiking units: spikes per step)",
                                               "class output (mean over time)",
                                               figures_activation,
                                               true,
                                               "no finished run (n = 0 units)"};
    return make(context, &activation, error);
}

static double variation_of(const struct unit_result *result)
{
    return result->variation;
}

enum status figure_replicates(struct figure_context *context, struct error *error)
{
    static const struct quantity replicates = {
        "replicates",
        "coefficient of variation of the activation over replicates (standard deviation / mean); quantiles "
        "over units",
        "replicates_histogram",
        "the same as histograms",
        "spread of the activation over replicates",
        "standard deviation / mean over replicates",
        NULL,
        variation_of,
        false,
        "no unit with two finished replicates whose mean activation is not 0 (n = 0 units)"};
    return make(context, &replicates, error);
}

static double entropy_of(const struct unit_result *result)
{
    return result->entropy;
}

enum status figure_entropy(struct figure_context *context, struct error *error)
{
    static const struct quantity entropy = {"entropy",
                                            "normalised class entropy of the MEIs (bits / log2 classes), "
                                            "mean over repeated presentations; quantiles "
                                            "over units",
                                            "entropy_histogram",
                                            "the same as histograms",
                                            "class entropy of the MEIs, mean over repeated presentations",
                                            "normalised entropy (1: all classes equal)",
                                            NULL,
                                            entropy_of,
                                            false,
                                            "no finished run with repeated presentations (n = 0 units)"};
    return make(context, &entropy, error);
}

static double perplexity_of(const struct unit_result *result)
{
    return result->perplexity;
}

enum status figure_perplexity(struct figure_context *context, struct error *error)
{
    static const struct quantity perplexity = {
        "perplexity",
        "relative class perplexity of the MEIs (2^H / classes), mean over repeated presentations; quantiles "
        "over "
        "units",
        "perplexity_histogram",
        "the same as histograms",
        "relative class perplexity of the MEIs, mean over repeated presentations",
        "relative perplexity 2^H / classes",
        NULL,
        perplexity_of,
        false,
        "no finished run with repeated presentations (n = 0 units)"};
    return make(context, &perplexity, error);
}
