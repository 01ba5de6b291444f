/* SPDX-License-Identifier: MIT */
/** The small part of the results file, written by one process into the file that all ranks have filled. */
#ifndef MEICENSUS_RESULTS_TABLES_H
#define MEICENSUS_RESULTS_TABLES_H

#include "results_file.h"

/** What only the writing itself knows. */
struct results_circumstances {
    bool complete; /**< every run is present */
    int32_t ranks;
    char mpi_io[MPI_IO_TEXT_CAPACITY];
};

/**
 * Add unit tables, dimension scales, texts and attributes to the closed file `path`. Not collective.
 * Every dataset gets named dimensions, so that netCDF readers (xarray) understand the file.
 */
enum status results_tables_write(const char *path, const struct results_description *description,
                                 const struct results_circumstances *circumstances, struct error *error);

#endif
