/* SPDX-License-Identifier: MIT */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

void plot_quote(const char *text, char quoted[QUOTED_CAPACITY])
{
    size_t length = 0;
    quoted[length++] = '\'';
    for (; *text != '\0' && length + 3 < QUOTED_CAPACITY; text++) {
        if (*text == '\'')
            quoted[length++] = '\'';
        quoted[length++] = (unsigned char)*text < ' ' ? ' ' : *text;
    }
    quoted[length++] = '\'';
    quoted[length] = '\0';
}

const char *plot_colour(int index)
{
    static const char *const colours[] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                          "#E69F00", "#56B4E9", "#000000", "#F0E442"};
    return colours[index % (int)(sizeof colours / sizeof *colours)];
}

enum {
    TITLE_HEIGHT = 36, /* of the figure, above the legend */
    LEGEND_LINE = 18,
    LEGEND_COLUMN = 390,
    PANEL_TITLE = 26,  /* above a panel */
    LEFT_MARGIN = 130, /* axis label, tic labels, what of a layer's label reaches to the left */
    RIGHT_MARGIN = 30,
    LABEL_ANGLE = 60,     /* of layers' labels, in degrees */
    LABEL_RISE = 6,       /* height of a character of them */
    LABEL_ROOM = 44,      /* height besides: ticks, distance to the panel below */
    MOST_DOUBLED = 16000, /* pixels a side: what would be larger as PNG of twice the size keeps the size */
    PIXELS_AN_INCH = 96
};

/** Of the PDF terminal, whose points are 72 an inch, where the others' are pixels. */
static const double PDF_FONT_SCALE = 0.75;

/** One layout for all formats: in SVG a pixel a pixel, in PNG two, in PDF 96 an inch. */
static void write_terminals(struct plot *plot, int width, int height)
{
    const int scale = 2 * (width > height ? width : height) > MOST_DOUBLED ? 1 : 2;
    fprintf(plot->script,
            "if (format eq 'svg') { set terminal svg size %d,%d font 'DejaVu Sans,11' background 'white' "
            "noenhanced }\n"
            "if (format eq 'png') { set terminal pngcairo size %d,%d font 'DejaVu Sans,11' fontscale %d "
            "linewidth %d pointscale %d noenhanced }\n"
            "if (format eq 'pdf') { set terminal pdfcairo size %.4fin,%.4fin font 'DejaVu Sans,11' "
            "fontscale %.2f noenhanced }\n",
            width, height, scale * width, scale * height, scale, scale, scale, (double)width / PIXELS_AN_INCH,
            (double)height / PIXELS_AN_INCH, PDF_FONT_SCALE);
}

/* "set tics nomirror" after "unset tics" would mirror them */
static const char axes[] = "set tics out\nset xtics nomirror\nset ytics nomirror\nset border 3\n";

static void write_head(struct plot *plot, const struct plot_layout *layout, const char *title)
{
    const int step_x = layout->panel_width + LEFT_MARGIN, width = layout->columns * step_x + RIGHT_MARGIN;
    const int legend_columns = width < 3 * LEGEND_COLUMN ? 2 : 3;
    const int legend_rows = (layout->n_legend + legend_columns - 1) / legend_columns;
    const int head = TITLE_HEIGHT + (legend_rows == 0 ? 0 : 12) + legend_rows * LEGEND_LINE;
    const int step_y = PANEL_TITLE + layout->panel_height + layout->below,
              height = head + layout->rows * step_y;
    char quoted[QUOTED_CAPACITY];
    plot_quote(title, quoted);
    fprintf(plot->script,
            "# run in this folder: gnuplot %s.gp\n"
            "do for [format in 'svg png pdf'] {\n"
            "reset\n",
            plot->name);
    write_terminals(plot, width, height);
    fprintf(plot->script,
            "set output '%s.'.format\n"
            "set encoding utf8\n"
            "set datafile separator comma\n"
            "set datafile columnheaders\n"
            "is(name, value) = column(name) == value\n"
            "set multiplot layout %d,%d margins %.5f,%.5f,%.5f,%.5f spacing %.5f,%.5f title %s font ',14'\n"
            "set grid y lt 1 lw 0.5 lc rgb '#dddddd'\n"
            "%s"
            "set ylabel offset 1\n"
            "set key at screen 0.5,%.5f center top vertical maxrows %d Left reverse samplen 2\n",
            plot->name, layout->rows, layout->columns, (double)LEFT_MARGIN / width,
            1 - (double)RIGHT_MARGIN / width, (double)layout->below / height,
            1 - (double)(head + PANEL_TITLE) / height, (double)LEFT_MARGIN / width,
            (double)(layout->below + PANEL_TITLE) / height, quoted, axes, 1 - (double)TITLE_HEIGHT / height,
            legend_rows < 1 ? 1 : legend_rows);
}

enum status plot_begin(struct plot *plot, const struct figure_context *context, const char *name,
                       const struct plot_layout *layout, const char *title, struct error *error)
{
    char path[PATH_MAX];
    *plot = (struct plot){0};
    snprintf(plot->name, sizeof plot->name, "%s", name);
    snprintf(path, sizeof path, "%.*s/%s.gp", PATH_MAX - NAME_MAX - 2, context->folder, plot->name);
    plot->script = fopen(path, "w");
    if (plot->script == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    write_head(plot, layout, title);
    return STATUS_OK;
}

static void write_panel_title(struct plot *plot, const char *title)
{
    char quoted[QUOTED_CAPACITY];
    plot_quote(title, quoted);
    fprintf(plot->script, "%sset title %s offset 0,-0.3\n", plot->has_legend ? "unset key\n" : "", quoted);
}

bool plot_panel(struct plot *plot, const char *title)
{
    bool is_first = !plot->has_legend;
    write_panel_title(plot, title);
    plot->has_legend = true;
    return is_first;
}

void plot_empty_panel(struct plot *plot, const char *title, const char *message)
{
    char quoted[QUOTED_CAPACITY];
    write_panel_title(plot, title);
    plot_quote(message, quoted);
    fprintf(plot->script,
            "unset border\nunset tics\nunset xlabel\nunset ylabel\n"
            "set label 1 %s at graph 0.5,0.5 center\n"
            "set xrange [1:10]\nset yrange [0:1]\n"
            "plot NaN notitle\n"
            "unset label 1\n%s",
            quoted, axes);
}

void plot_legend_colour(struct plot *plot, const char *colour, const char *title)
{
    char quoted[QUOTED_CAPACITY];
    plot_quote(title, quoted);
    fprintf(plot->script, "    NaN with %s lc rgb '%s' title %s, \\\n",
            plot->shown.histograms ? "boxes fs solid 0.55 noborder" : "points pt 7 ps 0.8", colour, quoted);
}

/* ---- Distributions ------------------------------------------------------------------------------------ */

static void plot_histogram(FILE *script, const struct plot_marks *marks)
{
    fprintf(script,
            "    '%s.csv' using (%s && column('low') < column('high') ? (%s) : NaN):(0):"
            "((%s)-%g*column('relative')):((%s)+%g*column('relative')):(column('low')):(column('high')) "
            "with boxxyerror fs solid 0.55 noborder lc rgb '%s' notitle, \\\n",
            marks->histogram, marks->where, marks->x, marks->x, marks->half_width, marks->x,
            marks->half_width, marks->colour);
}

/** Filled, then outlined in white: where many are close every one still shows. */
static void plot_dots(FILE *script, const struct plot_marks *marks)
{
    const struct {
        const char *look, *colour;
    } layers[] = {{"pt 7 ps 0.7", marks->colour}, {"pt 6 ps 0.8 lw 0.5", "white"}};
    for (int i = 0; i < 2; i++)
        fprintf(script,
                "    '%s.csv' using (%s && column('low') == column('high') ? (%s)+%g*column('shift') : NaN):"
                "(column('low')) with points %s lc rgb '%s' notitle, \\\n",
                marks->histogram, marks->where, marks->x, marks->half_width, layers[i].look,
                layers[i].colour);
}

static void plot_quantile_bar(FILE *script, const struct plot_marks *marks, const char *low, const char *high,
                              int line_width)
{
    fprintf(script,
            "    '%s.csv' using (%s && column('n') >= %d ? (%s) : "
            "NaN):(column('median')):(column('quantile_%s')):"
            "(column('quantile_%s')) with yerrorbars pt -1 lw %d lc rgb 'black' notitle, \\\n",
            marks->quantiles, marks->where, FIGURES_FEW, marks->x, low, high, line_width);
}

void plot_distribution(struct plot *plot, const struct plot_marks *marks)
{
    static const struct {
        const char *colour;
        double size;
    } dots[] = {{"black", 0.9}, {"white", 0.5}};
    plot_histogram(plot->script, marks);
    plot_quantile_bar(plot->script, marks, "05", "95", 1);
    plot_quantile_bar(plot->script, marks, "25", "75", 3);
    plot_dots(plot->script, marks);
    for (int i = 0; i < 2; i++)
        fprintf(
            plot->script,
            "    '%s.csv' using (%s && column('n') >= %d ? (%s) : NaN):(column('median')) with points pt 7 "
            "ps %g lc rgb '%s' notitle, \\\n",
            marks->quantiles, marks->where, FIGURES_FEW, marks->x, dots[i].size, dots[i].colour);
}

void plot_show(struct plot_shown *shown, size_t n)
{
    shown->dots = shown->dots || (n > 0 && n <= FIGURES_MOST_DOTS);
    shown->quantiles = shown->quantiles || n >= FIGURES_FEW;
    shown->histograms = shown->histograms || n > FIGURES_MOST_DOTS;
}

int plot_distribution_entries(const struct plot_shown *shown)
{
    return 3 * shown->quantiles + shown->dots;
}

void plot_distribution_legend(struct plot *plot)
{
    if (plot->shown.quantiles)
        fprintf(plot->script, "    NaN with points pt 6 lc rgb 'black' title 'median over units', \\\n"
                              "    NaN with lines lw 3 lc rgb 'black' title '25-75 %%', \\\n"
                              "    NaN with lines lw 1 lc rgb 'black' title '5-95 %%', \\\n");
    if (plot->shown.dots)
        fprintf(plot->script,
                "    NaN with points pt 7 ps 0.7 lc rgb '#888888' title 'single units, up to %d', \\\n",
                FIGURES_MOST_DOTS);
    fprintf(plot->script, "    NaN notitle\n");
}

/* ---- Drawing ------------------------------------------------------------------------------------------ */

/**
 * Runs gnuplot in the subject's folder; no shell sees a name. What it says goes to NAME.log, because it warns
 * of every plot element without data. Returns errno of the start, or its exit status.
 */
static int run_gnuplot(const char *folder, const char *script, const char *log, int *exit_status)
{
    char *const arguments[] = {"gnuplot", "--default-settings", (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (failed == 0)
        failed = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC,
                                                  0666);
    if (failed == 0)
        failed = posix_spawnp(&child, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        return failed;
    while (waitpid(child, exit_status, 0) < 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

/** Blanks the date that the PDF terminal writes: the same data make the same file. */
static void drop_date(const char *folder, const char *name)
{
    static const char key[] = "/CreationDate (";
    char path[PATH_MAX], line[512];
    snprintf(path, sizeof path, "%.*s/%s.pdf", PATH_MAX - NAME_MAX - 2, folder, name);
    FILE *file = fopen(path, "r+b");
    for (long start = 0; file != NULL && fgets(line, sizeof line, file) != NULL; start = ftell(file)) {
        const char *date = strstr(line, key), *end = date == NULL ? NULL : strchr(date, ')');
        if (end == NULL)
            continue;
        fseek(file, start + (date - line), SEEK_SET);
        fprintf(file, "%*s", (int)(end + 1 - date), "");
        break;
    }
    if (file != NULL)
        fclose(file);
}

static void draw(struct figure_context *context, const char *name)
{
    struct output *output = context->output;
    char script[PLOT_NAME_CAPACITY + 4], log[PLOT_NAME_CAPACITY + 5], path[PATH_MAX];
    int exit_status = 0;
    output->n_plots++;
    if (output->gnuplot_missing)
        return;
    snprintf(script, sizeof script, "%s.gp", name);
    snprintf(log, sizeof log, "%s.log", name);
    snprintf(path, sizeof path, "%.*s/%s", PATH_MAX - NAME_MAX - 2, context->folder, log);
    int failed = run_gnuplot(context->folder, script, log, &exit_status);
    if (failed != 0 || exit_status == 0)
        unlink(path);
    if (failed == ENOENT) {
        output->gnuplot_missing = true;
        fprintf(stderr,
                "gnuplot is not installed: no plots are drawn; CSV, HDF5 and the scripts are written\n");
    } else if (failed != 0) {
        output->n_plots_failed++;
        fprintf(stderr, "%s/%s: gnuplot cannot be started: %s\n", context->folder, script, strerror(failed));
    } else if (exit_status != 0) {
        output->n_plots_failed++;
        fprintf(stderr, "%s/%s: gnuplot failed, see %s\n", context->folder, script, log);
    } else {
        drop_date(context->folder, name);
    }
}

enum status plot_end(struct plot *plot, struct figure_context *context, const char *caption,
                     struct error *error)
{
    fprintf(plot->script, "unset multiplot\nunset output\n}\n");
    bool failed = ferror(plot->script) != 0;
    if (fclose(plot->script) != 0 || failed)
        return error_set_errno(error, STATUS_IO, "%s/%s.gp: cannot be written", context->folder, plot->name);
    draw(context, plot->name);
    fprintf(context->output->index, "  %s.gp .svg .png .pdf: %s\n", plot->name, caption);
    return STATUS_OK;
}

/** What an earlier analysis drew would belong to other data. */
static enum status remove_plot(const struct figure_context *context, const char *name, struct error *error)
{
    static const char *const endings[] = {"gp", "svg", "png", "pdf"};
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%.*s/%s.%s", PATH_MAX - NAME_MAX - 2, context->folder, name, endings[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return error_set_errno(error, STATUS_IO, "%s: cannot be removed", path);
    }
    return STATUS_OK;
}

enum status plot_message(struct figure_context *context, const char *name, const char *message,
                         struct error *error)
{
    printf("%s: %s: %s\n", context->subject == NULL ? "all subjects" : context->subject->name, name, message);
    fprintf(context->output->index, "  %s: no plot: %s\n", name, message);
    return remove_plot(context, name, error);
}

/* ---- Layers ------------------------------------------------------------------------------------------- */

void plot_count(struct place *place, size_t n)
{
    place->fewest = n < place->fewest ? n : place->fewest;
    place->most = n > place->most ? n : place->most;
}

void plot_place_label(const struct subject *subject, const struct place *place,
                      char label[PLACE_LABEL_CAPACITY])
{
    static const char *const kinds[] = {
        [UNIT_CHANNEL] = "", [UNIT_NEURON] = " neurons", [UNIT_CLASS] = " outputs"};
    const struct layer *layer = place->layer == ALL_LAYERS ? NULL : &subject->layers[place->layer];
    char range[32] = "";
    if (place->most > place->fewest)
        snprintf(range, sizeof range, "-%zu", place->most);
    snprintf(label, PLACE_LABEL_CAPACITY, "%s%s (n = %zu%s)",
             text_shorten(layer == NULL ? "all layers" : layer->name).text,
             layer == NULL ? "" : kinds[layer->kind], place->fewest, range);
}

void plot_places(struct plot *plot, const struct subject *subject, const struct place *places, int n_places)
{
    const double margin =
        0.6 + (n_places < 3 ? 0.5 * (3 - n_places) : 0); /* one layer is not as wide as three */
    char label[PLACE_LABEL_CAPACITY], quoted[QUOTED_CAPACITY];
    fprintf(plot->script, "set xtics rotate by %d right (", LABEL_ANGLE);
    for (int i = 0; i < n_places; i++) {
        plot_place_label(subject, &places[i], label);
        plot_quote(label, quoted);
        fprintf(plot->script, "%s%s %d", i == 0 ? "" : ", ", quoted, i);
    }
    fprintf(plot->script, ")\nset xrange [%g:%g]\n", -margin, n_places - 1 + margin);
}

void plot_make_room(struct plot_layout *layout, const struct subject *subject, const struct place *places,
                    int n_places, int n_marks)
{
    const int most = 4000, least = layout->columns == 1 ? PLOT_WIDTH : 420;
    int longest = 0, width = 40 + (n_places < 3 ? 3 : n_places) * (24 + 18 * n_marks);
    for (int i = 0; i < n_places; i++) {
        char label[PLACE_LABEL_CAPACITY];
        plot_place_label(subject, &places[i], label);
        longest = (int)strlen(label) > longest ? (int)strlen(label) : longest;
    }
    width = width < least ? least : width > most ? most : width;
    layout->panel_width = width > layout->panel_width ? width : layout->panel_width;
    layout->below =
        LABEL_ROOM + LABEL_RISE * longest > layout->below ? LABEL_ROOM + LABEL_RISE * longest : layout->below;
}
