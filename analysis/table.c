/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* ---- Filling ------------------------------------------------------------------------------------------ */

void table_start(struct table *table, const char *name, const char *caption, const struct column *columns,
                 int n_columns)
{
    *table = (struct table){.name = name, .caption = caption, .columns = columns, .n_columns = n_columns};
}

void table_free(struct table *table)
{
    for (size_t i = 0; i < table->n_owned; i++)
        free(table->owned[i]);
    free(table->owned);
    free(table->cells);
}

size_t table_n_rows(const struct table *table)
{
    return table->n_cells / (size_t)table->n_columns;
}

static void add_cell(struct table *table, enum column_type type, union cell cell)
{
    const struct column *column = &table->columns[table->n_cells % (size_t)table->n_columns];
    if (table->status != STATUS_OK)
        return;
    if (column->type != type) {
        table->status =
            error_set(&table->error, STATUS_INTERNAL, "table %s: a cell of column %s has the wrong type",
                      table->name, column->name);
        return;
    }
    table->status =
        memory_grow((void **)&table->cells, &table->capacity, table->n_cells, sizeof cell, &table->error);
    if (table->status == STATUS_OK)
        table->cells[table->n_cells++] = cell;
}

void table_text(struct table *table, const char *text)
{
    add_cell(table, COLUMN_TEXT, (union cell){.text = text});
}

void table_integer(struct table *table, int64_t integer)
{
    add_cell(table, COLUMN_INTEGER, (union cell){.integer = integer});
}

void table_number(struct table *table, double number)
{
    add_cell(table, COLUMN_NUMBER, (union cell){.number = number});
}

void table_format(struct table *table, const char *format, ...)
{
    char text[512], *copy = NULL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (table->status == STATUS_OK)
        table->status = memory_grow((void **)&table->owned, &table->owned_capacity, table->n_owned,
                                    sizeof *table->owned, &table->error);
    if (table->status == STATUS_OK)
        table->status = memory_copy_text(&copy, text, &table->error);
    if (table->status != STATUS_OK)
        return;
    table->owned[table->n_owned++] = copy;
    table_text(table, copy);
}

/* ---- CSV ---------------------------------------------------------------------------------------------- */

/** RFC 4180; line breaks become spaces, because many readers take a line for a row. */
static void write_csv_text(FILE *file, const char *text)
{
    bool quote = strpbrk(text, ",\"\r\n") != NULL;
    if (quote)
        fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text == '\n' || *text == '\r' ? ' ' : *text, file);
    }
    if (quote)
        fputc('"', file);
}

static void write_csv_cell(FILE *file, enum column_type type, union cell cell)
{
    if (type == COLUMN_TEXT)
        write_csv_text(file, cell.text);
    else if (type == COLUMN_INTEGER)
        fprintf(file, "%" PRId64, cell.integer);
    else if (isfinite(cell.number))
        fprintf(file, "%.9g", cell.number);
}

static enum status write_csv(const struct table *table, const char *folder, struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.csv", folder, table->name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    for (int i = 0; i < table->n_columns; i++)
        fprintf(file, "%s%s", table->columns[i].name, i + 1 < table->n_columns ? "," : "\n");
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t column = i % (size_t)table->n_columns;
        write_csv_cell(file, table->columns[column].type, table->cells[i]);
        fputc(column + 1 < (size_t)table->n_columns ? ',' : '\n', file);
    }
    bool failed = ferror(file) != 0;
    if (fclose(file) != 0 || failed)
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    return STATUS_OK;
}

/* ---- HDF5 --------------------------------------------------------------------------------------------- */

static size_t longest_text(const struct table *table, int column)
{
    size_t longest = 1;
    for (size_t row = 0; row < table_n_rows(table); row++) {
        size_t length = strlen(table->cells[row * (size_t)table->n_columns + (size_t)column].text);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static hid_t text_type(size_t bytes)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

static herr_t write_text_attribute(hid_t object, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text) + 1), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t failed = H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return failed;
}

static herr_t write_fill_attribute(hid_t object)
{
    const double fill = TABLE_FILL_VALUE;
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, "_FillValue", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    herr_t failed = H5Awrite(attribute, H5T_NATIVE_DOUBLE, &fill);
    H5Aclose(attribute);
    H5Sclose(space);
    return failed;
}

static void pack_cell(enum column_type type, union cell cell, char *packed, size_t bytes)
{
    double number = isfinite(cell.number) ? cell.number : TABLE_FILL_VALUE;
    if (type == COLUMN_TEXT)
        memcpy(packed, cell.text, strlen(cell.text)); /* the buffer is zeroed */
    else
        memcpy(packed, type == COLUMN_INTEGER ? (const void *)&cell.integer : (const void *)&number, bytes);
}

static herr_t write_dataset(hid_t group, const struct column *column, hid_t type, hsize_t n,
                            const void *packed)
{
    hid_t space = H5Screate_simple(1, &n, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(creation, false); /* the same input gives the same bytes */
    hid_t dataset = H5Dcreate2(group, column->name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    herr_t failed = dataset < 0 ? -1 : 0;
    if (n > 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, packed) < 0)
        failed = -1;
    if (write_text_attribute(dataset, "units", column->units) < 0 ||
        write_text_attribute(dataset, "long_name", column->name) < 0 ||
        write_text_attribute(dataset, "description", column->description) < 0 ||
        (column->type == COLUMN_NUMBER && write_fill_attribute(dataset) < 0))
        failed = -1;
    H5Pclose(creation);
    H5Sclose(space);
    return H5Dclose(dataset) < 0 ? -1 : failed;
}

static enum status write_column(const struct table *table, int place, hid_t group, struct error *error)
{
    const struct column *column = &table->columns[place];
    size_t n_rows = table_n_rows(table);
    size_t bytes = column->type == COLUMN_TEXT ? longest_text(table, place) : sizeof(int64_t);
    char *packed = NULL;
    TRY(memory_allocate((void **)&packed, n_rows, bytes, column->name, error));
    for (size_t row = 0; row < n_rows; row++)
        pack_cell(column->type, table->cells[row * (size_t)table->n_columns + (size_t)place],
                  packed + row * bytes, bytes);
    hid_t type = column->type == COLUMN_TEXT
                     ? text_type(bytes)
                     : H5Tcopy(column->type == COLUMN_INTEGER ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE);
    herr_t failed = write_dataset(group, column, type, n_rows, packed);
    H5Tclose(type);
    free(packed);
    return failed < 0 ? error_set(error, STATUS_IO, "figures.h5: %s/%s cannot be written; is the disk full?",
                                  table->name, column->name)
                      : STATUS_OK;
}

static enum status write_group(const struct table *table, hid_t parent, struct error *error)
{
    enum status status = STATUS_OK;
    hid_t group = H5Gcreate2(parent, table->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0 || write_text_attribute(group, "caption", table->caption) < 0)
        status = error_set(error, STATUS_IO, "figures.h5: group %s cannot be written; is the disk full?",
                           table->name);
    for (int i = 0; i < table->n_columns && status == STATUS_OK; i++)
        status = write_column(table, i, group, error);
    H5Gclose(group);
    return status;
}

enum status table_write(struct table *table, const char *folder, hid_t parent, struct error *error)
{
    if (table->status != STATUS_OK) {
        *error = table->error;
        return table->status;
    }
    if (table->n_cells % (size_t)table->n_columns != 0)
        return error_set(error, STATUS_INTERNAL, "table %s: the last row is not complete", table->name);
    TRY(write_csv(table, folder, error));
    return write_group(table, parent, error);
}
