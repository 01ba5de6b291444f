/* SPDX-License-Identifier: MIT */
/** Writing JSON that may stand in a script. Faults are those of the stream: ask ferror when done. */
#ifndef MEICENSUS_ANALYSIS_JSON_H
#define MEICENSUS_ANALYSIS_JSON_H

#include <stdio.h>

/** A quoted text. What is not UTF-8 passes as it is: readers of scripts replace it. */
void json_text(FILE *file, const char *text);

/** Six significant digits; null: does not exist. */
void json_number(FILE *file, double number);

#endif
