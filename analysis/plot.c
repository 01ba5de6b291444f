/* SPDX-License-Identifier: MIT */
#include "plot.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

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

int plot_width(int n_marks)
{
    int width = 260 + 18 * n_marks;
    return width < 900 ? 900 : width > 4000 ? 4000 : width;
}

enum status plot_begin(struct plot *plot, const struct figure_context *context, const char *name, int width,
                       int height, int rows, int columns, const char *title, struct error *error)
{
    char path[PATH_MAX], quoted[QUOTED_CAPACITY];
    snprintf(plot->name, sizeof plot->name, "%s", name);
    snprintf(path, sizeof path, "%.*s/%s.gp", PATH_MAX - NAME_MAX - 2, context->folder, plot->name);
    plot->script = fopen(path, "w");
    if (plot->script == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    plot_quote(title, quoted);
    fprintf(plot->script,
            "# run in this folder: gnuplot %s.gp\n"
            "set encoding utf8\n"
            "set datafile separator comma\n"
            "set datafile columnheaders\n"
            "is(name, value) = column(name) == value\n"
            "do for [format in 'svg png'] {\n"
            "if (format eq 'svg') { set terminal svg size %d,%d font 'DejaVu Sans,11' background 'white' noenhanced "
            "} else { set terminal pngcairo size %d,%d font 'DejaVu Sans,11' noenhanced }\n"
            "set output '%s.'.format\n"
            "set multiplot layout %d,%d title %s font ',14'\n"
            "set grid y lc rgb '#dddddd'\n"
            "set tics nomirror out\n"
            "set border 3\n"
            "set key above samplen 2\n",
            name, width, height, width, height, name, rows, columns, quoted);
    return STATUS_OK;
}

/** Runs gnuplot in the subject's folder; no shell sees a name. Returns errno of the start, or its exit status. */
static int run_gnuplot(const char *folder, const char *script, int *exit_status)
{
    char *const arguments[] = {"gnuplot", "--default-settings", (char *)script, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawn_file_actions_addchdir_np(&actions, folder);
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

static void draw(struct figure_context *context, const char *name)
{
    struct output *output = context->output;
    char script[PLOT_NAME_CAPACITY + 4];
    int exit_status = 0;
    snprintf(script, sizeof script, "%s.gp", name);
    output->n_plots++;
    if (output->gnuplot_missing)
        return;
    int failed = run_gnuplot(context->folder, script, &exit_status);
    if (failed == ENOENT) {
        output->gnuplot_missing = true;
        fprintf(stderr, "gnuplot is not installed: no plots are drawn; CSV, HDF5 and the scripts are written\n");
    } else if (failed != 0) {
        output->n_plots_failed++;
        fprintf(stderr, "%s/%s: gnuplot cannot be started: %s\n", context->folder, script, strerror(failed));
    } else if (exit_status != 0) {
        output->n_plots_failed++;
        fprintf(stderr, "%s/%s: gnuplot failed (status %d)\n", context->folder, script, exit_status);
    }
}

enum status plot_end(struct plot *plot, struct figure_context *context, const char *caption, struct error *error)
{
    fprintf(plot->script, "unset multiplot\nunset output\n}\n");
    bool failed = ferror(plot->script) != 0;
    if (fclose(plot->script) != 0 || failed)
        return error_set_errno(error, STATUS_IO, "%s/%s.gp: cannot be written", context->folder, plot->name);
    draw(context, plot->name);
    fprintf(context->output->index, "  %s.gp .svg .png: %s\n", plot->name, caption);
    return STATUS_OK;
}

enum status plot_message(struct figure_context *context, const char *name, const char *message,
                         struct error *error)
{
    struct plot plot;
    char quoted[QUOTED_CAPACITY];
    printf("%s: %s: %s\n", context->subject->name, name, message);
    TRY(plot_begin(&plot, context, name, 900, 200, 1, 1, name, error));
    plot_quote(message, quoted);
    fprintf(plot.script,
            "unset border; unset tics; unset grid; unset key\n"
            "set label 1 %s at screen 0.5,0.45 center\n"
            "plot [0:1] [0:1] -1 lc rgb 'white'\n"
            "unset label 1\n",
            quoted);
    return plot_end(&plot, context, message, error);
}

void plot_layer_tics(struct plot *plot, const struct subject *subject, const int *layers, int n_layers,
                     const char *extra)
{
    char label[NAME_CAPACITY + 16], text[NAME_CAPACITY + 48], quoted[QUOTED_CAPACITY];
    fprintf(plot->script, "set xtics rotate by 40 right (");
    for (int i = 0; i < n_layers; i++) {
        input_layer_label(&subject->layers[layers[i]], label);
        snprintf(text, sizeof text, "%s, %zu", label, subject->layers[layers[i]].n_units);
        plot_quote(text, quoted);
        fprintf(plot->script, "%s%s %d", i == 0 ? "" : ", ", quoted, i);
    }
    if (extra != NULL) {
        plot_quote(extra, quoted);
        fprintf(plot->script, ", %s %d", quoted, n_layers);
    }
    fprintf(plot->script, ")\nset xrange [-0.6:%g]\n", n_layers - 0.4 + (extra != NULL));
}
