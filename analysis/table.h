/* SPDX-License-Identifier: MIT */
/**
 * Figure data: named, typed columns, written as CSV and as an HDF5 group with one dataset a column.
 *
 * Cells are added from left to right. Adding cannot fail visibly: the first fault (no memory, a cell of the
 * wrong type) is kept and returned by table_write.
 */
#ifndef MEICENSUS_ANALYSIS_TABLE_H
#define MEICENSUS_ANALYSIS_TABLE_H

#include <stdint.h>

#include <hdf5.h>

#include "status.h"

enum column_type { COLUMN_TEXT, COLUMN_INTEGER, COLUMN_NUMBER };

struct column {
    const char *name;
    enum column_type type;
    const char *units; /**< "1" where there is none; "" for texts */
    const char *description;
};

/** A number that does not exist in a NUMBER column: empty in CSV, this value (_FillValue) in HDF5. */
#define TABLE_FILL_VALUE 9.9692099683868690e+36

union cell {
    const char *text;
    int64_t integer;
    double number;
};

struct table {
    const char *name, *caption;
    const struct column *columns;
    int n_columns;
    union cell *cells; /**< [row][column] */
    size_t n_cells, capacity;
    char **owned; /**< texts made by table_format */
    size_t n_owned, owned_capacity;
    enum status status;
    struct error error;
};

/** name: of the file (.csv) and of the HDF5 group. All texts must outlive the table. */
void table_start(struct table *table, const char *name, const char *caption, const struct column *columns,
                 int n_columns);
void table_free(struct table *table);

void table_text(struct table *table, const char *text); /**< `text` must outlive the table */
void table_format(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_integer(struct table *table, int64_t integer);
void table_number(struct table *table, double number); /**< NAN: does not exist */

size_t table_n_rows(const struct table *table);

/** Writes folder/name.csv and the group `name` below `parent`. */
enum status table_write(struct table *table, const char *folder, hid_t parent, struct error *error);

#endif
