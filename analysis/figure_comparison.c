/* SPDX-License-Identifier: MIT */
/**
 * comparison: two methods with the same generator, or two generators with the same method, paired by unit:
 * median difference with its bootstrap interval, Wilcoxon signed-rank test, effect size, Holm's correction
 * over all tests of the table. Per layer and over all layers.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"

enum { PANEL_HEIGHT = 220, MAX_COLUMNS = 2, ALL_LAYERS = -1 };

/** Activations are float32: numbers of spikes that are equal differ by less, unlike ones by far more. */
static const double rounding = 1e-6;

struct comparison {
    const struct group *first, *second;
    size_t n_pairs; /**< over all layers */
};

/** A row while it waits for its corrected p. */
struct test {
    int comparison, layer; /**< ALL_LAYERS: all but class outputs */
    size_t n;
    double median_first, median_second, median_difference, interval[2];
    struct signed_rank ranks;
    double p, p_holm; /**< NAN: no pair, no test */
};

static const struct column columns[] = {
    {"comparison", COLUMN_INTEGER, "1", "panel of the plot"},
    {"compared", COLUMN_TEXT, "", "methods or generators"},
    {"first_generator", COLUMN_TEXT, "", "generator of the first"},
    {"first_method", COLUMN_TEXT, "", "search method of the first"},
    {"second_generator", COLUMN_TEXT, "", "generator of the second"},
    {"second_method", COLUMN_TEXT, "", "search method of the second"},
    {"layer", COLUMN_TEXT, "", "layer; 'all': all layers but class outputs"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in network order, from 0; 'all' comes last"},
    {"n", COLUMN_INTEGER, "1", "units with finished runs of both"},
    {"median_first", COLUMN_NUMBER, "1", "median activation of the first over these units"},
    {"median_second", COLUMN_NUMBER, "1", "median activation of the second over these units"},
    {"median_difference", COLUMN_NUMBER, "1", "median over units of activation first - second"},
    {"interval_low", COLUMN_NUMBER, "1",
     "95 % bootstrap interval of it (percentiles of 2000 resamples of the units)"},
    {"interval_high", COLUMN_NUMBER, "1", "its upper end; needs 10 units"},
    {"n_nonzero", COLUMN_INTEGER, "1", "units whose difference is not 0: the test is about these"},
    {"rank_biserial", COLUMN_NUMBER, "1",
     "effect size of the signed ranks: 1 first always larger, -1 second"},
    {"p", COLUMN_NUMBER, "1", "Wilcoxon signed-rank test, two-sided"},
    {"p_holm", COLUMN_NUMBER, "1", "p after Holm's correction over all tests in this table"},
    {"p_from", COLUMN_TEXT, "",
     "exact: all sign patterns of the ranks; normal: approximation with tie correction"},
    {"note", COLUMN_TEXT, "", "what to keep in mind"},
};

static const struct column single_columns[] = {
    {"comparison", COLUMN_INTEGER, "1", "as in comparison.csv"},
    {"layer", COLUMN_TEXT, "", "layer, or 'all'"},
    {"position", COLUMN_INTEGER, "1", "as in comparison.csv"},
    {"difference", COLUMN_NUMBER, "1", "activation first - second of one unit"},
};

/* ---- Which are compared ------------------------------------------------------------------------------- */

static bool is_pair(const struct group *first, const struct group *second)
{
    return (first->generator == second->generator) != (first->method == second->method) &&
           first->minimise == second->minimise;
}

static size_t collect_pairs(const struct subject *subject, const struct comparison *comparison, int layer,
                            double *first, double *second)
{
    size_t n = 0;
    for (size_t row = 0; row < comparison->first->n_rows; row++) {
        int32_t unit = comparison->first->unit[row];
        int64_t other = comparison->second->row_of_unit[unit];
        int of_unit = subject->units[unit].layer;
        bool wanted = layer == ALL_LAYERS ? subject->layers[of_unit].kind != UNIT_CLASS : of_unit == layer;
        if (!wanted || other < 0 || comparison->first->results[row].n_done == 0 ||
            comparison->second->results[other].n_done == 0)
            continue;
        first[n] = comparison->first->results[row].activation;
        second[n++] = comparison->second->results[other].activation;
    }
    return n;
}

/** Pairs of methods first, then pairs of generators. */
static int find_comparisons(const struct subject *subject, struct comparison *comparisons)
{
    int n = 0;
    for (int of_generators = 0; of_generators < 2; of_generators++)
        for (int i = 0; i < subject->n_groups; i++)
            for (int k = i + 1; k < subject->n_groups; k++) {
                const struct group *first = &subject->groups[i], *second = &subject->groups[k];
                if (is_pair(first, second) && (first->generator != second->generator) == of_generators)
                    comparisons[n++] = (struct comparison){first, second, 0};
            }
    return n;
}

/* ---- Tests -------------------------------------------------------------------------------------------- */

/** Memory for the pairs of one test. */
struct pairs {
    double *first, *second, *difference;
};

static double median(double *values, size_t n)
{
    struct distribution distribution;
    statistics_describe(values, n, &distribution);
    return distribution.median;
}

static enum status make_test(const struct subject *subject, const struct comparison *comparison,
                             struct pairs *pairs, struct test *test, struct error *error)
{
    test->n = collect_pairs(subject, comparison, test->layer, pairs->first, pairs->second);
    double largest = 0;
    for (size_t i = 0; i < test->n; i++) {
        pairs->difference[i] = pairs->first[i] - pairs->second[i];
        largest = fmax(largest, fmax(fabs(pairs->first[i]), fabs(pairs->second[i])));
    }
    TRY(statistics_signed_rank(pairs->difference, test->n, rounding * largest, &test->ranks, error));
    test->p = test->p_holm = test->n == 0 ? NAN : test->ranks.p;
    test->median_first = median(pairs->first, test->n);
    test->median_second = median(pairs->second, test->n);
    test->median_difference = median(pairs->difference, test->n);
    test->interval[0] = test->interval[1] = NAN;
    if (test->n < FIGURES_FEW)
        return STATUS_OK;
    return statistics_bootstrap_median(pairs->difference, test->n, test->interval, error);
}

static void add_layer_key(struct table *table, const struct subject *subject, int layer)
{
    char label[NAME_CAPACITY + 16];
    if (layer == ALL_LAYERS)
        table_text(table, "all");
    else {
        input_layer_label(&subject->layers[layer], label);
        table_format(table, "%s", label);
    }
    table_integer(table, layer == ALL_LAYERS ? subject->n_layers : layer);
}

static void add_singles(struct table *table, const struct subject *subject, const struct test *test,
                        const double *difference)
{
    for (size_t i = 0; i < test->n && test->n < FIGURES_FEW; i++) {
        table_integer(table, test->comparison);
        add_layer_key(table, subject, test->layer);
        table_number(table, difference[i]);
    }
}

static enum status make_tests(struct figure_context *context, struct comparison *comparisons,
                              int n_comparisons, struct test *tests, struct table *singles,
                              struct error *error)
{
    const struct subject *subject = context->subject;
    struct pairs pairs = {0};
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(pairs.first, subject->n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(pairs.second, subject->n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(pairs.difference, subject->n_units, error));
    for (int i = 0; i < n_comparisons; i++)
        for (int layer = 0; layer <= subject->n_layers; layer++) {
            struct test *test = tests++;
            *test = (struct test){.comparison = i, .layer = layer < subject->n_layers ? layer : ALL_LAYERS};
            progress_report(&context->output->progress, "comparison: pairs", (size_t)i,
                            (size_t)n_comparisons);
            TRY_CLEANUP(make_test(subject, &comparisons[i], &pairs, test, error));
            add_singles(singles, subject, test, pairs.difference);
            comparisons[i].n_pairs += layer < subject->n_layers ? test->n : 0;
        }
cleanup:
    free(pairs.first);
    free(pairs.second);
    free(pairs.difference);
    return status;
}

static enum status correct(struct test *tests, size_t n, struct error *error)
{
    double *p = NULL;
    TRY(MEMORY_ALLOCATE(p, n, error));
    for (size_t i = 0; i < n; i++)
        p[i] = tests[i].p;
    enum status status = statistics_holm(p, n, error);
    for (size_t i = 0; i < n && status == STATUS_OK; i++)
        tests[i].p_holm = p[i];
    free(p);
    return status;
}

/* ---- Table -------------------------------------------------------------------------------------------- */

static int64_t budget(const struct group *group)
{
    return group->sizes.history > 0 ? group->history_queries[group->sizes.history - 1] : 0;
}

static void add_note(struct table *table, const struct comparison *comparison, const struct test *test)
{
    if (test->n == 0)
        table_text(table, "no unit with finished runs of both");
    else if (budget(comparison->first) != budget(comparison->second))
        table_format(table, "unlike budgets: %lld and %lld queries", (long long)budget(comparison->first),
                     (long long)budget(comparison->second));
    else if (test->ranks.n_nonzero == 0)
        table_text(table, "all differences are 0");
    else if (test->ranks.n_nonzero < 6)
        table_text(table, "few units that differ: p cannot be below 0.05");
    else
        table_text(table, "");
}

static void add_row(struct table *table, const struct subject *subject, const struct comparison *comparison,
                    const struct test *test)
{
    const struct group *first = comparison->first, *second = comparison->second;
    table_integer(table, test->comparison);
    table_text(table, first->generator == second->generator ? "methods" : "generators");
    table_text(table, subject->generators[first->generator]);
    table_text(table, subject->methods[first->method]);
    table_text(table, subject->generators[second->generator]);
    table_text(table, subject->methods[second->method]);
    add_layer_key(table, subject, test->layer);
    table_integer(table, (int64_t)test->n);
    table_number(table, test->median_first);
    table_number(table, test->median_second);
    table_number(table, test->median_difference);
    table_number(table, test->interval[0]);
    table_number(table, test->interval[1]);
    table_integer(table, (int64_t)test->ranks.n_nonzero);
    table_number(table, test->ranks.n_nonzero == 0 ? NAN : test->ranks.rank_biserial);
    table_number(table, test->p);
    table_number(table, test->p_holm);
    table_text(table, test->n == 0 ? "" : test->ranks.exact ? "exact" : "normal");
    add_note(table, comparison, test);
}

/* ---- Plot --------------------------------------------------------------------------------------------- */

static void plot_legend(FILE *script)
{
    fprintf(script,
            "    NaN with points pt 7 ps 1.1 lc rgb '%s' title 'median difference, p (Holm) < 0.05', \\\n"
            "    NaN with points pt 6 ps 1.1 lc rgb '%s' title 'p (Holm) >= 0.05', \\\n"
            "    NaN with lines lw 2 lc rgb '%s' title '95 %% bootstrap interval', \\\n"
            "    NaN with points pt 7 ps 0.8 lc rgb '#888888' title 'single units, if fewer than %d', \\\n",
            plot_colour(0), plot_colour(0), plot_colour(0), FIGURES_FEW);
}

/** Range of everything a panel shows, with 0 in it. */
static struct range panel_range(const struct test *tests, int n, const struct table *singles, int comparison)
{
    struct range range = {0, 0};
    for (int i = 0; i < n; i++)
        if (tests[i].n >= FIGURES_FEW) {
            const double values[] = {tests[i].median_difference, tests[i].interval[0], tests[i].interval[1]};
            figures_extend(&range, values, 3);
        }
    for (size_t row = 0; row < table_n_rows(singles); row++) {
        const union cell *cells = singles->cells + row * (size_t)singles->n_columns;
        if (cells[0].integer == comparison)
            figures_extend(&range, &cells[singles->n_columns - 1].number, 1);
    }
    double margin = range.high > range.low ? 0.1 * (range.high - range.low) : 1;
    return (struct range){range.low - margin, range.high + margin};
}

static void plot_comparison(struct plot *plot, const struct subject *subject,
                            const struct comparison *comparison, int index, struct range range)
{
    const struct group *first = comparison->first, *second = comparison->second;
    bool methods = first->generator == second->generator;
    char title[3 * NAME_CAPACITY], quoted[QUOTED_CAPACITY];
    snprintf(title, sizeof title, "%.40s - %.40s, %s %.40s",
             methods ? subject->methods[first->method] : subject->generators[first->generator],
             methods ? subject->methods[second->method] : subject->generators[second->generator],
             methods ? "generator" : "method",
             methods ? subject->generators[first->generator] : subject->methods[first->method]);
    if (comparison->n_pairs == 0) {
        plot_empty_panel(plot, title, "no unit with finished runs of both");
        return;
    }
    plot_quote("difference of activations", quoted);
    bool is_first = plot_panel(plot, title);
    fprintf(plot->script, "set ylabel %s\nset yrange [%.9g:%.9g]\nplot \\\n", quoted, range.low, range.high);
    if (is_first)
        plot_legend(plot->script);
    fprintf(
        plot->script,
        "    0 with lines lc rgb 'black' notitle, \\\n"
        "    'comparison_single.csv' using (is('comparison',%d) ? column('position') : "
        "NaN):(column('difference')) "
        "with points pt 7 ps 0.8 lc rgb '#888888' notitle, \\\n"
        "    'comparison.csv' using (is('comparison',%d) && column('n') >= %d ? column('position') : NaN):"
        "(column('median_difference')):(column('interval_low')):(column('interval_high')) with yerrorbars pt "
        "-1 "
        "lw 2 lc rgb '%s' notitle, \\\n",
        index, index, FIGURES_FEW, plot_colour(0));
    for (int significant = 0; significant < 2; significant++)
        fprintf(
            plot->script,
            "    'comparison.csv' using (is('comparison',%d) && column('n') >= %d && column('p_holm') %s "
            "0.05 ? "
            "column('position') : NaN):(column('median_difference')) with points pt %d ps 1.1 lc rgb '%s' "
            "notitle%s\n",
            index, FIGURES_FEW, significant ? "<" : ">=", significant ? 7 : 6, plot_colour(0),
            significant ? "" : ", \\");
}

static enum status draw(struct figure_context *context, const struct comparison *comparisons,
                        int n_comparisons, const struct test *tests, const struct table *singles,
                        struct error *error)
{
    const struct subject *subject = context->subject;
    const int n_columns = n_comparisons < MAX_COLUMNS ? n_comparisons : MAX_COLUMNS,
              n_rows = subject->n_layers + 1;
    const struct plot_layout layout = {(n_comparisons + n_columns - 1) / n_columns,
                                       n_columns,
                                       plot_panel_width(n_columns, n_rows, 1),
                                       PANEL_HEIGHT,
                                       plot_layer_tics_height(subject),
                                       4};
    char title[2 * NAME_CAPACITY];
    struct plot plot;
    int *layers = NULL;
    snprintf(title, sizeof title, "%.40s: differences of activations, paired by unit", subject->name);
    TRY(MEMORY_ALLOCATE(layers, (size_t)subject->n_layers, error));
    for (int i = 0; i < subject->n_layers; i++)
        layers[i] = i;
    enum status status = plot_begin(&plot, context, "comparison", &layout, title, error);
    if (status == STATUS_OK)
        plot_layer_tics(&plot, subject, layers, subject->n_layers, "all (not classes)");
    free(layers);
    TRY(status);
    fprintf(plot.script, "set errorbars 0\n");
    for (int i = 0; i < n_comparisons; i++)
        plot_comparison(&plot, subject, &comparisons[i], i,
                        panel_range(tests + i * n_rows, n_rows, singles, i));
    return plot_end(&plot, context, "median differences of activations, paired by unit, per layer", error);
}

static enum status finish(struct figure_context *context, const struct comparison *comparisons,
                          int n_comparisons, const struct test *tests, struct table *table,
                          struct table *singles, struct error *error)
{
    size_t n_pairs = 0;
    for (int i = 0; i < n_comparisons * (context->subject->n_layers + 1); i++)
        add_row(table, context->subject, &comparisons[tests[i].comparison], &tests[i]);
    for (int i = 0; i < n_comparisons; i++)
        n_pairs += comparisons[i].n_pairs;
    TRY(output_table(context, table, error));
    TRY(output_table(context, singles, error));
    if (n_comparisons == 0)
        return plot_message(context, "comparison", "one method and one generator only: nothing to compare",
                            error);
    if (n_pairs == 0)
        return plot_message(context, "comparison", "no unit with finished runs of both (n = 0 pairs)", error);
    return draw(context, comparisons, n_comparisons, tests, singles, error);
}

enum status figure_comparison(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    size_t n_groups = (size_t)subject->n_groups;
    struct table table, singles;
    struct comparison *comparisons = NULL;
    struct test *tests = NULL;
    enum status status;
    table_start(&table, "comparison", "differences of activations, paired by unit", columns,
                sizeof columns / sizeof *columns);
    table_start(&singles, "comparison_single", "the single differences where there are fewer than 10",
                single_columns, sizeof single_columns / sizeof *single_columns);
    TRY_CLEANUP(MEMORY_ALLOCATE(comparisons, n_groups * (n_groups + 1) / 2, error));
    int n = find_comparisons(subject, comparisons);
    size_t n_tests = (size_t)n * (size_t)(subject->n_layers + 1);
    TRY_CLEANUP(MEMORY_ALLOCATE(tests, n_tests, error));
    TRY_CLEANUP(make_tests(context, comparisons, n, tests, &singles, error));
    TRY_CLEANUP(correct(tests, n_tests, error));
    status = finish(context, comparisons, n, tests, &table, &singles, error);
cleanup:
    free(tests);
    free(comparisons);
    table_free(&table);
    table_free(&singles);
    return status;
}
