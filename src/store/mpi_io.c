/* SPDX-License-Identifier: MIT */
#include "results_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* MPI offers no question for its I/O component, but components are shared libraries that are loaded when the
 * first file is opened. The order matters: a ROMIO component is loaded with the others before one is chosen,
 * the collective parts of OMPIO (fcoll) only when OMPIO was. */
static const struct {
    const char *in_path, *component;
} components[] = {
    {"mca_fcoll_", "ompio"}, {"mca_io_romio", "romio"}, {"libmpich", "romio"}, {"libmpi_cray", "romio"}};

void mpi_io_component(char text[MPI_IO_TEXT_CAPACITY])
{
    const size_t n_components = sizeof components / sizeof *components;
    size_t found = n_components;
    char *line = NULL;
    size_t capacity = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && getline(&line, &capacity, maps) > 0)
        for (size_t i = 0; i < found; i++)
            if (strstr(line, components[i].in_path) != NULL)
                found = i;
    if (maps != NULL)
        fclose(maps);
    free(line);
    snprintf(text, MPI_IO_TEXT_CAPACITY, "%s",
             found < n_components ? components[found].component : "unknown");
}
