/* SPDX-License-Identifier: MIT */
/** Names as plots and sheets show them. Texts are UTF-8; what is not stays within its buffer. */
#ifndef MEICENSUS_ANALYSIS_TEXT_H
#define MEICENSUS_ANALYSIS_TEXT_H

#include <stdbool.h>

/** All but the first byte of a character. */
bool text_continues_character(char byte);

enum { SHORT_NAME_LENGTH = 20 }; /* characters */

struct short_name {
    char text[4 * SHORT_NAME_LENGTH + 1];
};

/**
 * A name for titles and labels. Of a long one the first parts shrink to a letter and their number, which tell
 * layers apart: features.denseblock1.layer12.sn2 becomes f.d1.layer12.sn2. What is still too long loses its
 * middle.
 */
struct short_name text_shorten(const char *name);

#endif
