/* SPDX-License-Identifier: MIT */
/** How far something is, on standard error: a bar on a terminal, else a line now and then. */
#ifndef MEICENSUS_COUNTER_H
#define MEICENSUS_COUNTER_H

#include <stdbool.h>
#include <stddef.h>

struct counter {
    const char *what; /**< "images" */
    size_t n_total;
    bool is_terminal, is_shown;
    double start_s, next_s;
};

void counter_begin(struct counter *counter, const char *what, size_t n_total);

/** `n_done` are done: writes only if 2 s have passed since the beginning, and then not too often. */
void counter_show(struct counter *counter, size_t n_done);

/** Ends the bar's line, if there is one. Also after a fault. */
void counter_end(struct counter *counter);

/** Is standard error a terminal? Under mpirun the output of a rank goes through a pseudo-terminal: what
 * counts is where mpirun's own goes. */
bool counter_on_terminal(void);

#endif
