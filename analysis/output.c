/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "hash.h"

enum status output_make_folder(const char *path, struct error *error)
{
    struct stat found;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode)))
        return STATUS_OK;
    return error_set_errno(error, STATUS_IO, "%s: the output folder cannot be made", path);
}

/** HDF5 does not say why a file cannot be created; trying it first does. */
static enum status try_to_write(const char *path, struct error *error)
{
    FILE *file = fopen(path, "w");
    if (file == NULL || fclose(file) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    return STATUS_OK;
}

static void write_index_head(struct output *output, const char *input_path)
{
    const char *slash = strrchr(input_path, '/');
    fprintf(
        output->index,
        "Analysis of %s by meicensus-analyze\n\n"
        "figures.h5  the data of all figures: a group a subject, a group a table, a dataset a column\n"
        "*.csv       the same tables; an empty cell is a number that does not exist (its n or note says "
        "why)\n"
        "*.gp        gnuplot scripts: change one and run 'gnuplot NAME.gp' in its folder\n"
        "*.svg *.png *.pdf  the plots that they draw: the PDF for papers, the PNG with 192 dots an inch; a "
        "plot\n"
        "            that would be empty is not made: this file says why\n"
        "\n"
        "A unit's value is the mean over its finished replicates. n counts units with a value, in plots "
        "those "
        "of\n"
        "the panel's own generator and methods: n = 2-3 is 2 units for one method and 3 for another. Layers "
        "that\n"
        "were not searched are left out; n = 0 is a searched layer without a value. Silent and saturated "
        "units\n"
        "are part of every distribution; failed and missing runs are part of none. Quantiles over units are\n"
        "interpolated linearly. Layers stand in network order; class outputs, which are not rates, apart.\n"
        "Distances leave silent runs out: their codes are arbitrary.\n",
        slash == NULL ? input_path : slash + 1);
}

enum status output_open(const char *folder, const char *input_path, struct output *output,
                        struct error *error)
{
    char path[PATH_MAX];
    *output = (struct output){.folder = folder, .figures = H5I_INVALID_HID};
    TRY(output_make_folder(folder, error));
    snprintf(path, sizeof path, "%s/figures.h5", folder);
    TRY(try_to_write(path, error));
    output->figures = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (output->figures < 0)
        return error_set(error, STATUS_IO, "%s: cannot be created as HDF5", path);
    output->index = open_memstream(&output->index_text, &output->index_bytes);
    if (output->index == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "%s: no memory for the index", folder);
    write_index_head(output, input_path);
    return STATUS_OK;
}

static enum status write_index(struct output *output, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/README.txt", output->folder);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    bool failed = fputs(output->index_text, file) == EOF;
    if (fclose(file) != 0 || failed)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    return STATUS_OK;
}

enum status output_close(struct output *output, struct error *error)
{
    enum status status = STATUS_OK;
    if (output->index != NULL && fclose(output->index) == 0)
        status = write_index(output, error);
    free(output->index_text);
    if (output->figures >= 0 && H5Fclose(output->figures) < 0 && status == STATUS_OK)
        status = error_set(error, STATUS_IO, "%s/figures.h5: cannot be written; is the disk full?",
                           output->folder);
    return status;
}

void output_file_name(const char *name, char file_name[FILE_NAME_CAPACITY])
{
    const size_t hash_length = 17; /* "-" and 16 digits */
    size_t length = 0;
    for (const char *at = name; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (length + 3 + hash_length >= FILE_NAME_CAPACITY) {
            length += (size_t)snprintf(file_name + length, FILE_NAME_CAPACITY - length, "-%016" PRIx64,
                                       hash_bytes(name, strlen(name)));
            break;
        }
        if ((byte < 128 && isalnum(byte)) || byte == '_' || byte == '-' || (byte == '.' && at != name))
            file_name[length++] = *at;
        else
            length += (size_t)snprintf(file_name + length, 4, "%%%02X", byte);
    }
    file_name[length] = '\0';
}

/** The names of what is not a subject's. They can be told from a subject's folder: a subject of that name
 * gets one that begins with a %XX. */
void output_subject_folder(const struct subject *subject, char name[FILE_NAME_CAPACITY])
{
    static const char *const taken[] = {OUTPUT_SUBJECTS, OUTPUT_ATLAS, "README.txt", "figures.h5"};
    output_file_name(subject->name, name);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(name, taken[i]) == 0)
            snprintf(name, FILE_NAME_CAPACITY, "%%%02X%s", (unsigned)taken[i][0], taken[i] + 1);
}

static enum status open_context(const char *folder, const char *group, struct figure_context *context,
                                struct error *error)
{
    const struct output *output = context->output;
    if ((size_t)snprintf(context->folder, sizeof context->folder, "%s/%s", output->folder, folder) +
            NAME_MAX >=
        sizeof context->folder)
        return error_set(error, STATUS_USAGE, "%s: the path of the output folder is too long",
                         output->folder);
    TRY(output_make_folder(context->folder, error));
    context->group = H5Gcreate2(output->figures, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    return context->group >= 0
               ? STATUS_OK
               : error_set(error, STATUS_IO, "%s/figures.h5: group %s cannot be made", output->folder, group);
}

enum status output_subject(struct output *output, const struct input *input, const struct subject *subject,
                           struct figure_context *context, struct error *error)
{
    char name[FILE_NAME_CAPACITY];
    const bool is_taken = strcmp(subject->name, OUTPUT_SUBJECTS) == 0;
    output_subject_folder(subject, name);
    *context = (struct figure_context){.input = input, .subject = subject, .output = output};
    TRY(open_context(name, is_taken ? name : subject->name, context, error));
    fprintf(output->index, "\n\nSubject %s, in %s/\n", subject->name, name);
    return STATUS_OK;
}

enum status output_all(struct output *output, const struct input *input, const char *name,
                       struct figure_context *context, struct error *error)
{
    *context = (struct figure_context){.input = input, .output = output};
    TRY(open_context(name, name, context, error));
    fprintf(output->index, "\n\nAll subjects, in %s/\n", name);
    return STATUS_OK;
}

void output_end(struct figure_context *context)
{
    if (context->group > 0)
        H5Gclose(context->group);
}

enum status output_table(struct figure_context *context, struct table *table, struct error *error)
{
    TRY(table_write(table, context->folder, context->group, error));
    fprintf(context->output->index, "  %s.csv: %s (%zu rows)\n", table->name, table->caption,
            table_n_rows(table));
    for (int i = 0; i < table->n_columns; i++) {
        const struct column *column = &table->columns[i];
        bool has_units = column->units[0] != '\0' && strcmp(column->units, "1") != 0;
        fprintf(context->output->index, "      %-24s %s%s%s%s\n", column->name, column->description,
                has_units ? " [" : "", has_units ? column->units : "", has_units ? "]" : "");
    }
    return STATUS_OK;
}
