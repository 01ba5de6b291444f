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

/** Fewer values than these are shown one by one: quantiles of them say little. */
enum { FIGURES_FEW = 10 };

/** What a figure gets. */
struct figure_context {
    const struct subject *subject;
    struct output *output;
    char folder[PATH_MAX]; /**< of the subject */
    hid_t group;           /**< of the subject in figures.h5 */
};

/** Creates DIR and figures.h5. The caller calls output_close, also after a failure. */
enum status output_open(const char *folder, const char *input_path, struct output *output,
                        struct error *error);

/** Writes README.txt and closes. */
enum status output_close(struct output *output, struct error *error);

/** Folder and HDF5 group of a subject. */
enum status output_subject(struct output *output, const struct subject *subject,
                           struct figure_context *context, struct error *error);
void output_subject_end(struct figure_context *context);

/** Makes a folder below the subject's. */
enum status output_make_folder(const char *path, struct error *error);

/** Writes the table and adds it, with its columns, to the index. */
enum status output_table(struct figure_context *context, struct table *table, struct error *error);

/** A name as part of a file name: all but A-Z a-z 0-9 _ - and inner dots becomes %XX; what is longer than
 *  FILE_NAME_CAPACITY ends in a hash of the whole name. */
enum { FILE_NAME_CAPACITY = 64 };
void output_file_name(const char *name, char file_name[FILE_NAME_CAPACITY]);

#endif
