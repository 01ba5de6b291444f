/* SPDX-License-Identifier: MIT */
/** meicensus-analyze: from a results file to tables, plots and sheets. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gsl/gsl_errno.h>

#include "atlas.h"
#include "figures.h"

struct options {
    const char *input, *folder;
    bool help;
};

static void print_figure(const struct figure *figure)
{
    printf("  %-12s %s\n  %-12s   needs %s\n", figure->name, figure->title, "", figure->needs);
}

static void print_help(void)
{
    printf("usage: meicensus-analyze RESULTS.h5 --out DIR\n\n"
           "Reads a results file that 'meicensus gather' wrote and writes to DIR, for every subject:\n\n");
    for (int i = 0; i < n_figures; i++)
        print_figure(&figures[i]);
    printf("\nand of all subjects:\n\n");
    print_figure(&figure_of_all);
    printf("  %-12s DIR/atlas/index.html: every unit, to look at in a browser\n", OUTPUT_ATLAS);
    printf("\nEvery figure is a CSV file, a group in DIR/figures.h5, a gnuplot script and its SVG, PNG and "
           "PDF;\n"
           "DIR/README.txt lists all files and columns. Files of an earlier analysis in DIR are replaced.\n\n"
           "exit codes:\n");
#define HELP_LINE(name, exit_code, meaning) printf("  %2d  %s\n", exit_code, meaning);
    STATUS_LIST(HELP_LINE)
#undef HELP_LINE
}

static enum status parse_options(int n, char **words, struct options *options, struct error *error)
{
    for (int i = 1; i < n; i++) {
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0)
            options->help = true;
        else if (strcmp(words[i], "--out") == 0 && i + 1 < n)
            options->folder = words[++i];
        else if (words[i][0] == '-')
            return error_set(error, STATUS_USAGE, "%s: %s; see meicensus-analyze --help", words[i],
                             strcmp(words[i], "--out") == 0 ? "needs a folder" : "no such option");
        else if (options->input != NULL)
            return error_set(error, STATUS_USAGE, "%s: one results file at a time, %s is given already",
                             words[i], options->input);
        else
            options->input = words[i];
    }
    if (!options->help && (options->input == NULL || options->folder == NULL))
        return error_set(error, STATUS_USAGE, "usage: meicensus-analyze RESULTS.h5 --out DIR (or --help)");
    return STATUS_OK;
}

static enum status make_figure(const struct figure *figure, struct figure_context *context,
                               struct error *error)
{
    fprintf(context->output->index, "\n%s: %s (needs %s)\n", figure->name, figure->title, figure->needs);
    return figure->make(context, error);
}

static enum status analyse_subject(struct output *output, const struct input *input,
                                   const struct subject *subject, struct error *error)
{
    struct figure_context context;
    enum status status = output_subject(output, input, subject, &context, error);
    for (int i = 0; i < n_figures && status == STATUS_OK; i++) {
        progress_report(&output->progress, figures[i].name, (size_t)i, (size_t)n_figures);
        status = make_figure(&figures[i], &context, error);
    }
    output_end(&context);
    return status;
}

static enum status analyse_all(struct output *output, const struct input *input, struct error *error)
{
    struct figure_context context;
    enum status status = output_all(output, input, OUTPUT_SUBJECTS, &context, error);
    if (status == STATUS_OK)
        status = make_figure(&figure_of_all, &context, error);
    output_end(&context);
    return status;
}

static void print_files_to_open(const struct output *output, const struct input *input)
{
    char name[FILE_NAME_CAPACITY], plot[PATH_MAX];
    printf("open first:\n  %s/README.txt\n  %s/atlas/index.html (in a browser)\n", output->folder,
           output->folder);
    for (int i = 0; i < input->n_subjects; i++) {
        output_subject_folder(&input->subjects[i], name);
        printf("  %s/%s/%s\n", output->folder, name, "summary.csv");
        snprintf(plot, sizeof plot, "%s/%s/activation.png", output->folder, name);
        if (!output->gnuplot_missing && access(plot, F_OK) == 0) /* nothing finished: no plot */
            printf("  %s\n", plot);
        printf("  %s/%s/sheets/*/*/overview.png\n", output->folder, name);
    }
}

static enum status analyse(const struct options *options, struct error *error)
{
    struct input input = {0};
    struct output output = {.figures = H5I_INVALID_HID};
    struct error close_error = {0};
    enum status status;
    TRY_CLEANUP(input_open(options->input, &input, error));
    TRY_CLEANUP(output_open(options->folder, options->input, &output, error));
    for (int i = 0; i < input.n_subjects && status == STATUS_OK; i++)
        status = analyse_subject(&output, &input, &input.subjects[i], error);
    if (status == STATUS_OK)
        status = analyse_all(&output, &input, error);
    if (status == STATUS_OK)
        status = atlas_write(&output, &input, error);
cleanup:;
    enum status closed = output_close(&output, &close_error);
    if (status == STATUS_OK && closed != STATUS_OK) {
        *error = close_error;
        status = closed;
    }
    if (status == STATUS_OK)
        print_files_to_open(&output, &input);
    if (status == STATUS_OK && output.n_plots_failed > 0)
        status = error_set(error, STATUS_INTERNAL,
                           "gnuplot failed on %d of %d plots (see above); the data files are complete",
                           output.n_plots_failed, output.n_plots);
    input_close(&input);
    return status;
}

int main(int n_words, char **words)
{
    struct options options = {0};
    struct error error = {0};
    gsl_set_error_handler_off(); /* the default handler aborts */
    enum status status = parse_options(n_words, words, &options, &error);
    if (status == STATUS_OK && options.help) {
        print_help();
        return 0;
    }
    if (status == STATUS_OK)
        status = analyse(&options, &error);
    if (status != STATUS_OK)
        fprintf(stderr, "meicensus-analyze: %s\n", error.message);
    return status_exit_code(status);
}
