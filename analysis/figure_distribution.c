/* SPDX-License-Identifier: MIT */
/**
 * activation, entropy, perplexity: the distribution of a number over the units of a layer, as histograms
 * that stand on their side (one a method) with median and quantiles on them. A panel a generator, and
 * panels of their own for class outputs where these have another unit than rates.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"
#include "statistics.h"

enum { N_BINS = 40 };

struct quantity {
    const char *name, *caption, *histogram_name, *histogram_caption;
    const char *title, *axis;
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
    {"n", COLUMN_INTEGER, "1", "units with a value"},
    {"mean", COLUMN_NUMBER, "1", "mean over units"},
    {"minimum", COLUMN_NUMBER, "1", "smallest value"},
    {"quantile_05", COLUMN_NUMBER, "1", "5 % quantile over units"},
    {"quantile_25", COLUMN_NUMBER, "1", "25 % quantile over units"},
    {"median", COLUMN_NUMBER, "1", "median over units"},
    {"quantile_75", COLUMN_NUMBER, "1", "75 % quantile over units"},
    {"quantile_95", COLUMN_NUMBER, "1", "95 % quantile over units"},
    {"maximum", COLUMN_NUMBER, "1", "largest value"},
    {"note", COLUMN_TEXT, "", "what to keep in mind"},
};

static const struct column histogram_columns[] = {
    {"panel", COLUMN_INTEGER, "1", "panel of the plot"},
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"method_index", COLUMN_INTEGER, "1", "its place in this file"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel, in network order"},
    {"low", COLUMN_NUMBER, "1", "lower edge of the bin"},
    {"high", COLUMN_NUMBER, "1", "upper edge of the bin"},
    {"n", COLUMN_INTEGER, "1", "units in the bin (bins without units are left out)"},
    {"relative", COLUMN_NUMBER, "1", "n / n of the fullest bin of this layer and method"},
};

/** One panel: a generator, and either the class outputs or everything else. */
struct panel {
    int index, generator, n_layers;
    int *layers;
    bool classes;
    double low, high; /**< of the axis and the bins */
};

static void panel_range(const struct subject *subject, const struct quantity *quantity, struct panel *panel,
                        double *values)
{
    double low = 0, high = 0;
    for (int i = 0; i < subject->n_groups; i++)
        for (int k = 0; k < panel->n_layers && subject->groups[i].generator == panel->generator; k++) {
            size_t n = figures_collect(subject, &subject->groups[i], panel->layers[k], quantity->value, values);
            for (size_t j = 0; j < n; j++) {
                low = fmin(low, values[j]);
                high = fmax(high, values[j]);
            }
        }
    panel->low = low;
    panel->high = high > 0.5 && high <= 1 && low == 0 ? 1 : high > low ? high + 0.02 * (high - low) : low + 1;
}

static void add_key(struct table *table, const struct subject *subject, const struct panel *panel,
                    const struct group *group, int position)
{
    char label[NAME_CAPACITY + 16];
    input_layer_label(&subject->layers[panel->layers[position]], label);
    table_integer(table, panel->index);
    table_text(table, subject->generators[panel->generator]);
    table_text(table, subject->methods[group->method]);
    table_integer(table, group->method);
    table_format(table, "%s", label);
    table_integer(table, position);
}

static void add_distribution(struct table *table, const struct distribution *distribution, const char *absent)
{
    const double numbers[] = {distribution->mean,        distribution->minimum,     distribution->quantile_05,
                              distribution->quantile_25, distribution->median,      distribution->quantile_75,
                              distribution->quantile_95, distribution->maximum};
    table_integer(table, (int64_t)distribution->n);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        table_number(table, numbers[i]);
    table_text(table, distribution->n == 0 ? absent : figures_note(distribution->n));
}

static void add_histogram(struct table *table, const struct subject *subject, const struct panel *panel,
                          const struct group *group, int position, const double *values, size_t n)
{
    size_t counts[N_BINS], most = 0;
    double width = (panel->high - panel->low) / N_BINS;
    statistics_histogram(values, n, panel->low, panel->high, N_BINS, counts);
    for (int bin = 0; bin < N_BINS; bin++)
        most = counts[bin] > most ? counts[bin] : most;
    for (int bin = 0; bin < N_BINS; bin++) {
        if (counts[bin] == 0)
            continue;
        add_key(table, subject, panel, group, position);
        table_number(table, panel->low + bin * width);
        table_number(table, panel->low + (bin + 1) * width);
        table_integer(table, (int64_t)counts[bin]);
        table_number(table, (double)counts[bin] / (double)most);
    }
}

/** Fills both tables for one panel; returns the number of values. */
static size_t fill_panel(const struct subject *subject, const struct quantity *quantity, struct panel *panel,
                         struct table *quantiles, struct table *histogram, double *values)
{
    size_t n_values = 0;
    struct distribution distribution;
    panel_range(subject, quantity, panel, values);
    for (int method = 0; method < subject->n_methods; method++) {
        const struct group *group = input_find_group(subject, panel->generator, method);
        for (int position = 0; group != NULL && position < panel->n_layers; position++) {
            size_t n = figures_collect(subject, group, panel->layers[position], quantity->value, values);
            statistics_describe(values, n, &distribution);
            add_key(quantiles, subject, panel, group, position);
            add_distribution(quantiles, &distribution, quantity->absent);
            add_histogram(histogram, subject, panel, group, position, values, n);
            n_values += n;
        }
    }
    return n_values;
}

/** Marks of one method, side by side with the others: histogram, quantiles, median. */
static void plot_method(FILE *script, const struct quantity *quantity, const struct subject *subject,
                        const struct panel *panel, int method, const char *end)
{
    char title[QUOTED_CAPACITY];
    double step = 0.84 / subject->n_methods, offset = (method - 0.5 * (subject->n_methods - 1)) * step;
    plot_quote(subject->methods[method], title);
    fprintf(script,
            "    '%s.csv' using (here(%d,%d) ? at(%g) : NaN):(0):(at(%g)-%g*column('relative')):"
            "(at(%g)+%g*column('relative')):(column('low')):(column('high')) with boxxyerror fs solid 0.55 noborder "
            "lc rgb '%s' title %s, \\\n",
            quantity->histogram_name, panel->index, method, offset, offset, 0.46 * step, offset, 0.46 * step,
            plot_colour(method), title);
    fprintf(script,
            "    '%s.csv' using (here(%d,%d) ? at(%g) : NaN):(column('median')):(column('quantile_05')):"
            "(column('quantile_95')) with yerrorbars pt -1 lw 1 lc rgb 'black' notitle, \\\n"
            "    '' using (here(%d,%d) ? at(%g) : NaN):(column('median')):(column('quantile_25')):"
            "(column('quantile_75')) with yerrorbars pt -1 lw 3 lc rgb 'black' notitle, \\\n"
            "    '' using (here(%d,%d) ? at(%g) : NaN):(column('median')) with points pt 7 ps 0.9 lc rgb 'black' "
            "notitle, \\\n"
            "    '' using (here(%d,%d) ? at(%g) : NaN):(column('median')) with points pt 7 ps 0.5 lc rgb 'white' "
            "notitle%s\n",
            quantity->name, panel->index, method, offset, panel->index, method, offset, panel->index, method, offset,
            panel->index, method, offset, end);
}

static void plot_panel(struct plot *plot, const struct quantity *quantity, const struct subject *subject,
                       const struct panel *panel)
{
    char title[2 * NAME_CAPACITY], quoted[QUOTED_CAPACITY];
    snprintf(title, sizeof title, "generator %s%s", subject->generators[panel->generator],
             panel->classes ? ", class outputs" : "");
    plot_quote(title, quoted);
    fprintf(plot->script, "set title %s offset 0,0.4\nset yrange [%.9g:%.9g]\n", quoted, panel->low, panel->high);
    plot_quote(panel->classes ? "class output (mean over time)" : quantity->axis, quoted);
    fprintf(plot->script, "set ylabel %s\nset xlabel 'layer, units'\n", quoted);
    plot_layer_tics(plot, subject, panel->layers, panel->n_layers, NULL);
    fprintf(plot->script, "plot \\\n");
    for (int method = 0; method < subject->n_methods; method++)
        plot_method(plot->script, quantity, subject, panel, method, ", \\");
    fprintf(plot->script, "    NaN with lines lw 3 lc rgb 'black' title '25-75 %%', \\\n"
                          "    NaN with lines lw 1 lc rgb 'black' title '5-95 %%', \\\n"
                          "    NaN with points pt 6 lc rgb 'black' title 'median'\n");
}

static enum status draw(struct figure_context *context, const struct quantity *quantity, const struct panel *panels,
                        int n_panels, struct error *error)
{
    const struct subject *subject = context->subject;
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    snprintf(title, sizeof title, "%s: %s", subject->name, quantity->title);
    TRY(plot_begin(&plot, context, quantity->name, plot_width(subject->n_layers * subject->n_methods),
                   50 + 400 * n_panels, n_panels, 1, title, error));
    fprintf(plot.script, "set lmargin 10\nset bmargin 8\nset errorbars 0\n"
                         "here(panel, method) = column('panel') == panel && column('method_index') == method\n"
                         "at(offset) = column('position') + offset\n");
    for (int i = 0; i < n_panels; i++)
        plot_panel(&plot, quantity, subject, &panels[i]);
    return plot_end(&plot, context, quantity->caption, error);
}

/** Panels that have layers: a generator each, class outputs apart where they differ. */
static int make_panels(const struct subject *subject, const struct quantity *quantity, int *layers,
                       struct panel *panels)
{
    int n_panels = 0;
    for (int classes = 0; classes <= quantity->classes_apart; classes++) {
        int *selected = layers + classes * subject->n_layers, n_layers = 0;
        if (quantity->classes_apart)
            n_layers = figures_select_layers(subject, classes, selected);
        else
            for (; n_layers < subject->n_layers; n_layers++)
                selected[n_layers] = n_layers;
        for (int generator = 0; generator < subject->n_generators && n_layers > 0; generator++, n_panels++)
            panels[n_panels] = (struct panel){n_panels, generator, n_layers, selected, classes != 0, 0, 1};
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
        n_values += fill_panel(subject, quantity, &panels[i], &quantiles, &histogram, values);
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
                                               figures_activation,
                                               true,
                                               "no finished run (n = 0 units)"};
    return make(context, &activation, error);
}

static double entropy_of(const struct unit_result *result)
{
    return result->entropy;
}

enum status figure_entropy(struct figure_context *context, struct error *error)
{
    static const struct quantity entropy = {
        "entropy",
        "normalised class entropy of the MEIs (bits / log2 classes), mean over repeated presentations; quantiles "
        "over units",
        "entropy_histogram",
        "the same as histograms",
        "class entropy of the MEIs, mean over repeated presentations",
        "normalised entropy (1: all classes equal)",
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
        "relative class perplexity of the MEIs (2^H / classes), mean over repeated presentations; quantiles over "
        "units",
        "perplexity_histogram",
        "the same as histograms",
        "relative class perplexity of the MEIs, mean over repeated presentations",
        "relative perplexity 2^H / classes",
        perplexity_of,
        false,
        "no finished run with repeated presentations (n = 0 units)"};
    return make(context, &perplexity, error);
}
