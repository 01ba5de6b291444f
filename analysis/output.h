/* SPDX-License-Identifier: MIT */
/**
 * The output folder: DIR/README.txt (index), DIR/figures.h5 (all figure data) and one folder a subject with
 * CSV files, gnuplot scripts, plots and sheets.
 */
#ifndef MEICENSUS_ANALYSIS_OUTPUT_H
#define MEICENSUS_ANALYSIS_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <hdf5.h>

#include "input.h"
#include "progress.h"
#include "status.h"
#include "table.h"

#define OUTPUT_SUBJECTS "subjects"
#define OUTPUT_ATLAS    "atlas"

struct output {
    const char *folder;
    hid_t figures;
    FILE *index; /**< text of README.txt while it grows */
    char *index_text;
    size_t index_bytes;
    bool gnuplot_missing;
    int n_plots, n_plots_failed;
    struct progress progress;
};

/** Of fewer values than these quantiles say little: none are drawn. */
enum { FIGURES_FEW = 10 };

/** Up to so many values are dots beside each other, more are histograms. */
enum { FIGURES_MOST_DOTS = 40 };

/** What a figure gets. */
struct figure_context {
    const struct input *input;     /**< the whole file */
    const struct subject *subject; /**< NULL in a figure of all subjects */
    struct output *output;
    char folder[PATH_MAX]; /**< of the subject, or of the figure of all */
    hid_t group;           /**< the same in figures.h5 */
};

/** A name as part of a file name: all but A-Z a-z 0-9 _ - and inner dots becomes %XX; what is longer than
 *  FILE_NAME_CAPACITY ends in a hash of the whole name. */
enum { FILE_NAME_CAPACITY = 64 };
void output_file_name(const char *name, char file_name[FILE_NAME_CAPACITY]);

/** Creates DIR and figures.h5. The caller calls output_close, also after a failure. */
enum status output_open(const char *folder, const char *input_path, struct output *output,
                        struct error *error);

/** Writes README.txt and closes. */
enum status output_close(struct output *output, struct error *error);

/** Folder and HDF5 group of a subject. The caller calls output_end, also after a failure. */
enum status output_subject(struct output *output, const struct input *input, const struct subject *subject,
                           struct figure_context *context, struct error *error);

/** The same of what shows all subjects; `name` is one of the names that no subject's folder gets. */
enum status output_all(struct output *output, const struct input *input, const char *name,
                       struct figure_context *context, struct error *error);
void output_end(struct figure_context *context);

/** The folder of a subject in the output folder. */
void output_subject_folder(const struct subject *subject, char name[FILE_NAME_CAPACITY]);

/** Makes a folder below the subject's. */
enum status output_make_folder(const char *path, struct error *error);

/** Writes the table and adds it, with its columns, to the index. */
enum status output_table(struct figure_context *context, struct table *table, struct error *error);

#endif
