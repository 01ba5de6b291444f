/* SPDX-License-Identifier: MIT */
/**
 * comparison: two methods with the same generator, or two generators with the same method, paired by unit:
 * median difference with its bootstrap interval, Wilcoxon signed-rank test, effect size, Holm's correction
 * over all tests of the table. Per layer and over all layers, as far as both searched the same units.
 *
 * One table; a plot a generator for its methods, whose panels show one method minus each later one, and a
 * plot for pairs of generators, a panel each. Colours are those of the method on the right, black where a
 * panel has one pair only; class outputs have plots of their own, because they are no rates.
 */
#include "figures.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"
#include "plot.h"

enum { PANEL_HEIGHT = 220, MAX_COLUMNS = 2 };

/** Activations are float32: numbers of spikes that are equal differ by less, unlike ones by far more. */
static const double rounding = 1e-6;

struct comparison {
    const struct group *first, *second;
};

/** Comparisons that are drawn together: [begin, end), in those layers. */
struct panel {
    int begin, end;
    bool classes; /**< class outputs, else everything but them */
    int n_places;
    struct place *places; /**< layers of which two groups share units, counted in pairs */
};

/** A row of the table. */
struct test {
    int panel, comparison, position, layer;
    size_t n;
    double median_first, median_second, median_difference, interval[2];
    struct signed_rank ranks;
    double p, p_holm; /**< NAN: no pair, no test */
};

struct comparisons {
    const struct subject *subject;
    int n_comparisons, n_panels;
    size_t n_tests;
    struct comparison *comparisons;
    struct panel *panels;
    struct place *places;
    struct test *tests;
};

static const struct column columns[] = {
    {"panel", COLUMN_INTEGER, "1", "panel, counted on from plot to plot"},
    {"comparison", COLUMN_INTEGER, "1", "number of the comparison, from 0"},
    {"compared", COLUMN_TEXT, "", "methods or generators"},
    {"first_generator", COLUMN_TEXT, "", "generator of the first"},
    {"first_method", COLUMN_TEXT, "", "search method of the first"},
    {"second_generator", COLUMN_TEXT, "", "generator of the second"},
    {"second_method", COLUMN_TEXT, "", "search method of the second"},
    {"layer", COLUMN_TEXT, "", "layer; 'all': all layers but class outputs"},
    {"position", COLUMN_INTEGER, "1", "place of the layer in the panel, in network order; 'all' comes last"},
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
    {"panel", COLUMN_INTEGER, "1", "as in comparison.csv"},
    {"comparison", COLUMN_INTEGER, "1", "as in comparison.csv"},
    {"layer", COLUMN_TEXT, "", "layer, or 'all'"},
    {"position", COLUMN_INTEGER, "1", "as in comparison.csv"},
    {"difference", COLUMN_NUMBER, "1", "activation first - second of one unit"},
};

/* ---- Which are compared ------------------------------------------------------------------------------- */

/** Two generators, else two methods. */
static bool of_generators(const struct comparison *comparison)
{
    return comparison->first->generator != comparison->second->generator;
}

static bool is_in(const struct subject *subject, int32_t unit, int layer)
{
    int of_unit = subject->units[unit].layer;
    return layer == ALL_LAYERS ? subject->layers[of_unit].kind != UNIT_CLASS : of_unit == layer;
}

/** Whether both groups were to search the same unit of the layer. */
static bool share_units(const struct subject *subject, const struct comparison *comparison, int layer)
{
    const struct group *first = comparison->first;
    for (size_t row = 0; row < first->n_rows; row++)
        if (is_in(subject, first->unit[row], layer) && comparison->second->row_of_unit[first->unit[row]] >= 0)
            return true;
    return false;
}

static size_t collect_pairs(const struct subject *subject, const struct comparison *comparison, int layer,
                            double *first, double *second)
{
    size_t n = 0;
    for (size_t row = 0; row < comparison->first->n_rows; row++) {
        int32_t unit = comparison->first->unit[row];
        int64_t other = comparison->second->row_of_unit[unit];
        if (!is_in(subject, unit, layer) || other < 0 || comparison->first->results[row].n_done == 0 ||
            comparison->second->results[other].n_done == 0)
            continue;
        first[n] = comparison->first->results[row].activation;
        second[n++] = comparison->second->results[other].activation;
    }
    return n;
}

static void consider(struct comparisons *all, const struct group *first, const struct group *second)
{
    const struct comparison comparison = {first, second};
    if (first == NULL || second == NULL || first->minimise != second->minimise)
        return;
    bool shared = share_units(all->subject, &comparison, ALL_LAYERS);
    for (int layer = 0; layer < all->subject->n_layers && !shared; layer++)
        shared = share_units(all->subject, &comparison, layer);
    if (shared)
        all->comparisons[all->n_comparisons++] = comparison;
}

/** Pairs of methods first, then pairs of generators; those of one panel follow each other. */
static void find_comparisons(struct comparisons *all)
{
    const struct subject *subject = all->subject;
    for (int generator = 0; generator < subject->n_generators; generator++)
        for (int i = 0; i < subject->n_methods; i++)
            for (int k = i + 1; k < subject->n_methods; k++)
                consider(all, input_find_group(subject, generator, i),
                         input_find_group(subject, generator, k));
    for (int i = 0; i < subject->n_generators; i++)
        for (int k = i + 1; k < subject->n_generators; k++)
            for (int method = 0; method < subject->n_methods; method++)
                consider(all, input_find_group(subject, i, method), input_find_group(subject, k, method));
}

static bool same_panel(const struct comparison *left, const struct comparison *right)
{
    return left->first->generator == right->first->generator &&
           left->second->generator == right->second->generator &&
           (of_generators(left) || left->first->method == right->first->method);
}

static void add_panel(struct comparisons *all, int begin, int end, bool classes)
{
    const struct subject *subject = all->subject;
    struct panel *panel = &all->panels[all->n_panels];
    *panel = (struct panel){begin, end, classes, 0, all->places + all->n_panels * (subject->n_layers + 1)};
    for (int i = 0; i <= subject->n_layers; i++) {
        int layer = i < subject->n_layers ? i : ALL_LAYERS;
        bool of_classes = layer != ALL_LAYERS && subject->layers[layer].kind == UNIT_CLASS, shared = false;
        for (int k = begin; k < end && of_classes == classes && !shared; k++)
            shared = share_units(subject, &all->comparisons[k], layer);
        if (shared)
            panel->places[panel->n_places++] = (struct place){layer, SIZE_MAX, 0};
    }
    all->n_panels += panel->n_places > 0;
}

static void make_panels(struct comparisons *all)
{
    for (int classes = 0; classes < 2; classes++)
        for (int begin = 0, end = 0; begin < all->n_comparisons; begin = end) {
            while (end < all->n_comparisons && same_panel(&all->comparisons[begin], &all->comparisons[end]))
                end++;
            add_panel(all, begin, end, classes != 0);
        }
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

static void add_layer_key(struct table *table, const struct subject *subject, const struct test *test)
{
    char label[NAME_CAPACITY + 16];
    if (test->layer == ALL_LAYERS)
        table_text(table, "all");
    else {
        input_layer_label(&subject->layers[test->layer], label);
        table_format(table, "%s", label);
    }
    table_integer(table, test->position);
}

static void add_singles(struct table *table, const struct subject *subject, const struct test *test,
                        const double *difference)
{
    for (size_t i = 0; i < test->n && test->n < FIGURES_FEW; i++) {
        table_integer(table, test->panel);
        table_integer(table, test->comparison);
        add_layer_key(table, subject, test);
        table_number(table, difference[i]);
    }
}

/** The tests of one comparison in one panel. */
static enum status add_tests(struct comparisons *all, int panel, int comparison, struct pairs *pairs,
                             struct table *singles, struct error *error)
{
    for (int i = 0; i < all->panels[panel].n_places; i++) {
        struct place *place = &all->panels[panel].places[i];
        struct test *test = &all->tests[all->n_tests];
        if (!share_units(all->subject, &all->comparisons[comparison], place->layer))
            continue;
        *test = (struct test){.panel = panel, .comparison = comparison, .position = i, .layer = place->layer};
        TRY(make_test(all->subject, &all->comparisons[comparison], pairs, test, error));
        add_singles(singles, all->subject, test, pairs->difference);
        plot_count(place, test->n);
        all->n_tests++;
    }
    return STATUS_OK;
}

static enum status make_tests(struct figure_context *context, struct comparisons *all, struct table *singles,
                              struct error *error)
{
    const size_t n_units = all->subject->n_units;
    struct pairs pairs = {0};
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(pairs.first, n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(pairs.second, n_units, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(pairs.difference, n_units, error));
    for (int panel = 0; panel < all->n_panels; panel++)
        for (int i = all->panels[panel].begin; i < all->panels[panel].end; i++) {
            progress_report(&context->output->progress, "comparison: pairs", (size_t)i,
                            (size_t)all->n_comparisons);
            TRY_CLEANUP(add_tests(all, panel, i, &pairs, singles, error));
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

static void add_row(struct table *table, const struct comparisons *all, const struct test *test)
{
    const struct subject *subject = all->subject;
    const struct comparison *comparison = &all->comparisons[test->comparison];
    const struct group *first = comparison->first, *second = comparison->second;
    table_integer(table, test->panel);
    table_integer(table, test->comparison);
    table_text(table, of_generators(comparison) ? "generators" : "methods");
    table_text(table, subject->generators[first->generator]);
    table_text(table, subject->methods[first->method]);
    table_text(table, subject->generators[second->generator]);
    table_text(table, subject->methods[second->method]);
    add_layer_key(table, subject, test);
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

/* ---- Plots -------------------------------------------------------------------------------------------- */

/** Panels of one plot: [begin, end). */
struct plotted {
    int begin, end;
};

static const struct comparison *first_of(const struct comparisons *all, int panel)
{
    return &all->comparisons[all->panels[panel].begin];
}

static bool same_plot(const struct comparisons *all, int panel, int other)
{
    const struct comparison *left = first_of(all, panel), *right = first_of(all, other);
    return all->panels[panel].classes == all->panels[other].classes &&
           of_generators(left) == of_generators(right) &&
           (of_generators(left) || left->first->generator == right->first->generator);
}

/** One method against one other, or one pair of generators with one method: its title says all. */
static bool is_single(const struct panel *panel)
{
    return panel->end - panel->begin == 1;
}

/** Whether the plot has the colour of that method. */
static bool has_method(const struct comparisons *all, struct plotted plotted, int method)
{
    for (int i = plotted.begin; i < plotted.end; i++)
        for (int k = all->panels[i].begin; k < all->panels[i].end && !is_single(&all->panels[i]); k++)
            if (all->comparisons[k].second->method == method)
                return true;
    return false;
}

/** What the legend tells besides the methods. */
enum mark { SIGNIFICANT, NOT_SIGNIFICANT, INTERVAL, SINGLE_UNITS, N_MARKS };

static const struct {
    const char *look, *title;
} marks[N_MARKS] = {[SIGNIFICANT] = {"points pt 7 ps 1.1", "median difference, p (Holm) < 0.05"},
                    [NOT_SIGNIFICANT] = {"points pt 6 ps 1.1", "median difference, p (Holm) >= 0.05"},
                    [INTERVAL] = {"lines lw 2", "95 % bootstrap interval"},
                    [SINGLE_UNITS] = {"points pt 7 ps 0.6", "single units, if fewer than 10"}};
_Static_assert(FIGURES_FEW == 10, "the legend says so");

/** Whether any panel of the plot has it. */
static bool has_mark(const struct comparisons *all, struct plotted plotted, int mark)
{
    for (size_t i = 0; i < all->n_tests; i++) {
        const struct test *test = &all->tests[i];
        const bool few = test->n < FIGURES_FEW,
                   is[N_MARKS] = {!few && test->p_holm < 0.05, !few && test->p_holm >= 0.05, !few,
                                  few && test->n > 0};
        if (test->panel >= plotted.begin && test->panel < plotted.end && is[mark])
            return true;
    }
    return false;
}

static void plot_legend(struct plot *plot, const struct comparisons *all, struct plotted plotted)
{
    for (int method = 0; method < all->subject->n_methods; method++)
        if (has_method(all, plotted, method))
            plot_legend_colour(plot, plot_colour(method), text_shorten(all->subject->methods[method]).text);
    for (int mark = 0; mark < N_MARKS; mark++)
        if (has_mark(all, plotted, mark))
            fprintf(plot->script, "    NaN with %s lc rgb 'black' title '%s', \\\n", marks[mark].look,
                    marks[mark].title);
}

/** Range of everything a panel shows, with 0 in it. */
static struct range panel_range(const struct comparisons *all, int panel, const struct table *singles)
{
    struct range range = {0, 0};
    for (size_t i = 0; i < all->n_tests; i++) {
        const struct test *test = &all->tests[i];
        const double values[] = {test->median_difference, test->interval[0], test->interval[1]};
        if (test->panel == panel && test->n >= FIGURES_FEW)
            figures_extend(&range, values, 3);
    }
    for (size_t row = 0; row < table_n_rows(singles); row++) {
        const union cell *cells = singles->cells + row * (size_t)singles->n_columns;
        if (cells[0].integer == panel)
            figures_extend(&range, &cells[singles->n_columns - 1].number, 1);
    }
    double margin = range.high > range.low ? 0.1 * (range.high - range.low) : 1;
    return (struct range){range.low - margin, range.high + margin};
}

/** One comparison of a panel, `offset` beside the middle of its places. */
static void plot_comparison(FILE *script, int panel, int comparison, double offset, const char *colour)
{
    static const char *const significances[] = {"<", ">="};
    char where[64], x[48];
    snprintf(where, sizeof where, "is('panel',%d) && is('comparison',%d)", panel, comparison);
    snprintf(x, sizeof x, "column('position')%+g", offset);
    fprintf(script,
            "    'comparison_single.csv' using (%s ? %s : NaN):(column('difference')) "
            "with points pt 7 ps 0.6 lc rgb '%s' notitle, \\\n"
            "    'comparison.csv' using (%s && column('n') >= %d ? %s : NaN):"
            "(column('median_difference')):(column('interval_low')):(column('interval_high')) "
            "with yerrorbars pt -1 lw 2 lc rgb '%s' notitle, \\\n",
            where, x, colour, where, FIGURES_FEW, x, colour);
    for (int i = 0; i < 2; i++)
        fprintf(script,
                "    'comparison.csv' using (%s && column('n') >= %d && column('p_holm') %s 0.05 ? %s : NaN):"
                "(column('median_difference')) with points pt 7 ps 1.1 lc rgb '%s' notitle, \\\n",
                where, FIGURES_FEW, significances[i], x, colour);
    fprintf(script,
            "    'comparison.csv' using (%s && column('n') >= %d && column('p_holm') >= 0.05 ? %s : NaN):"
            "(column('median_difference')) with points pt 7 ps 0.7 lc rgb 'white' notitle, \\\n",
            where, FIGURES_FEW, x);
}

static void write_panel_title(const struct comparisons *all, const struct panel *panel,
                              char title[NAME_CAPACITY])
{
    const struct subject *subject = all->subject;
    const struct comparison *comparison = &all->comparisons[panel->begin];
    const struct group *first = comparison->first, *second = comparison->second;
    if (of_generators(comparison))
        snprintf(title, NAME_CAPACITY, "%s - %s, with the same method",
                 text_shorten(subject->generators[first->generator]).text,
                 text_shorten(subject->generators[second->generator]).text);
    else if (panel->end - panel->begin > 1)
        snprintf(title, NAME_CAPACITY, "%s - another method",
                 text_shorten(subject->methods[first->method]).text);
    else
        snprintf(title, NAME_CAPACITY, "%s - %s", text_shorten(subject->methods[first->method]).text,
                 text_shorten(subject->methods[second->method]).text);
}

/** "activation of random / minus tt_b" on two lines; of more than one pair of methods "minus another's". */
static void write_axis(const struct comparisons *all, const struct panel *panel, FILE *script)
{
    const struct subject *subject = all->subject;
    const struct comparison *comparison = &all->comparisons[panel->begin];
    const struct group *first = comparison->first, *second = comparison->second;
    const bool generators = of_generators(comparison);
    const char *minuend =
        generators ? subject->generators[first->generator] : subject->methods[first->method];
    const char *subtrahend =
        generators ? subject->generators[second->generator] : subject->methods[second->method];
    char lines[2][NAME_CAPACITY], quoted[2][QUOTED_CAPACITY];
    snprintf(lines[0], NAME_CAPACITY, "%s %s %s", panel->classes ? "class output" : "activation",
             generators ? "with" : "of", text_shorten(minuend).text);
    snprintf(lines[1], NAME_CAPACITY, "minus %s",
             generators || is_single(panel) ? text_shorten(subtrahend).text : "another's");
    for (int i = 0; i < 2; i++)
        plot_quote(lines[i], quoted[i]);
    fprintf(script, "set ylabel %s.\"\\n\".%s offset -0.5\n", quoted[0], quoted[1]);
}

static size_t most_pairs(const struct panel *panel)
{
    size_t most = 0;
    for (int i = 0; i < panel->n_places; i++)
        most = panel->places[i].most > most ? panel->places[i].most : most;
    return most;
}

static void plot_one_panel(struct plot *plot, const struct comparisons *all, struct plotted plotted,
                           int index, const struct table *singles)
{
    const struct panel *panel = &all->panels[index];
    const int n = panel->end - panel->begin;
    char title[NAME_CAPACITY];
    write_panel_title(all, panel, title);
    if (most_pairs(panel) == 0) {
        plot_empty_panel(plot, title, "no unit with finished runs of both (n = 0 pairs)");
        return;
    }
    struct range range = panel_range(all, index, singles);
    bool is_first = plot_panel(plot, title);
    plot_places(plot, all->subject, panel->places, panel->n_places);
    write_axis(all, panel, plot->script);
    fprintf(plot->script, "set yrange [%.9g:%.9g]\nplot \\\n", range.low, range.high);
    if (is_first)
        plot_legend(plot, all, plotted);
    for (int i = 0; i < n; i++)
        plot_comparison(plot->script, index, panel->begin + i, 0.7 / n * (i - 0.5 * (n - 1)),
                        is_single(panel) ? "black"
                                         : plot_colour(all->comparisons[panel->begin + i].second->method));
    fprintf(plot->script, "    0 with lines lc rgb 'black' notitle\n");
}

/** Panels of few layers stand side by side. */
static struct plot_layout lay_out(const struct comparisons *all, struct plotted plotted)
{
    const int n_panels = plotted.end - plotted.begin;
    struct plot_layout layout = {1, n_panels, 0, PANEL_HEIGHT, 0, 0};
    for (int i = plotted.begin; i < plotted.end; i++) {
        const struct panel *panel = &all->panels[i];
        plot_make_room(&layout, all->subject, panel->places, panel->n_places, panel->end - panel->begin);
    }
    if (layout.panel_width > PLOT_WIDTH)
        layout.columns = 1;
    else if (layout.columns > MAX_COLUMNS)
        layout.columns = MAX_COLUMNS;
    layout.rows = (n_panels + layout.columns - 1) / layout.columns;
    for (int method = 0; method < all->subject->n_methods; method++)
        layout.n_legend += has_method(all, plotted, method);
    for (int mark = 0; mark < N_MARKS; mark++)
        layout.n_legend += has_mark(all, plotted, mark);
    return layout;
}

/** File name and title of a plot. */
static void name_plot(const struct comparisons *all, int panel, char name[PLOT_NAME_CAPACITY],
                      char title[2 * NAME_CAPACITY])
{
    const bool generators = of_generators(first_of(all, panel)), classes = all->panels[panel].classes;
    const char *generator = all->subject->generators[first_of(all, panel)->first->generator];
    char file_name[FILE_NAME_CAPACITY];
    output_file_name(generator, file_name);
    snprintf(name, PLOT_NAME_CAPACITY, "comparison%s_%s%s", classes ? "_class" : "",
             generators ? "generators" : "methods_", generators ? "" : file_name);
    snprintf(title, 2 * NAME_CAPACITY, "%s, %s%s: differences of %s, paired by unit",
             text_shorten(all->subject->name).text, generators ? "generators" : "generator ",
             generators ? "" : text_shorten(generator).text, classes ? "class outputs" : "activations");
}

static enum status draw(struct figure_context *context, const struct comparisons *all, struct plotted plotted,
                        const struct table *singles, struct error *error)
{
    const struct plot_layout layout = lay_out(all, plotted);
    char title[2 * NAME_CAPACITY], name[PLOT_NAME_CAPACITY];
    struct plot plot;
    name_plot(all, plotted.begin, name, title);
    TRY(plot_begin(&plot, context, name, &layout, title, error));
    fprintf(plot.script, "set errorbars 0\n");
    for (int i = plotted.begin; i < plotted.end; i++)
        plot_one_panel(&plot, all, plotted, i, singles);
    return plot_end(&plot, context, "median differences, paired by unit, per layer", error);
}

static enum status draw_all(struct figure_context *context, const struct comparisons *all,
                            const struct table *singles, struct error *error)
{
    size_t n_pairs = 0;
    for (int i = 0; i < all->n_panels; i++)
        n_pairs += most_pairs(&all->panels[i]);
    if (all->subject->n_groups < 2)
        return plot_message(context, "comparison", "one method and one generator only: nothing to compare",
                            error);
    if (all->n_panels == 0)
        return plot_message(context, "comparison",
                            "no unit was searched by two methods or with two generators: nothing to compare",
                            error);
    if (n_pairs == 0)
        return plot_message(context, "comparison", "no unit with finished runs of both (n = 0 pairs)", error);
    for (struct plotted plotted = {0, 0}; plotted.begin < all->n_panels; plotted.begin = plotted.end) {
        while (plotted.end < all->n_panels && same_plot(all, plotted.begin, plotted.end))
            plotted.end++;
        TRY(draw(context, all, plotted, singles, error));
    }
    return STATUS_OK;
}

static enum status compare(struct figure_context *context, struct comparisons *all, struct table *table,
                           struct table *singles, struct error *error)
{
    const size_t n_groups = (size_t)all->subject->n_groups, n_places = (size_t)all->subject->n_layers + 1;
    const size_t n_pairs = n_groups * (n_groups + 1) / 2;
    TRY(MEMORY_ALLOCATE(all->comparisons, n_pairs, error));
    find_comparisons(all);
    TRY(MEMORY_ALLOCATE(all->panels, 2 * n_pairs, error));
    TRY(MEMORY_ALLOCATE(all->places, 2 * (size_t)all->n_comparisons * n_places, error));
    TRY(MEMORY_ALLOCATE(all->tests, (size_t)all->n_comparisons * n_places, error));
    make_panels(all);
    TRY(make_tests(context, all, singles, error));
    TRY(correct(all->tests, all->n_tests, error));
    for (size_t i = 0; i < all->n_tests; i++)
        add_row(table, all, &all->tests[i]);
    TRY(output_table(context, table, error));
    TRY(output_table(context, singles, error));
    return draw_all(context, all, singles, error);
}

enum status figure_comparison(struct figure_context *context, struct error *error)
{
    struct comparisons all = {.subject = context->subject};
    struct table table, singles;
    table_start(&table, "comparison",
                "differences of activations, paired by unit, of all pairs that searched the same units",
                columns, sizeof columns / sizeof *columns);
    table_start(&singles, "comparison_single", "the single differences where there are fewer than 10",
                single_columns, sizeof single_columns / sizeof *single_columns);
    enum status status = compare(context, &all, &table, &singles, error);
    free(all.tests);
    free(all.places);
    free(all.panels);
    free(all.comparisons);
    table_free(&table);
    table_free(&singles);
    return status;
}
