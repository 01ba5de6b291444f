/* SPDX-License-Identifier: MIT */
#include "node_text.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST_WORD = 63 };

const char *text_excerpt(const char *text, char buffer[EXCERPT_CAPACITY])
{
    size_t length = strnlen(text, EXCERPT_CAPACITY);
    const bool is_cut = length == EXCERPT_CAPACITY;
    if (is_cut) {
        length = EXCERPT_CAPACITY - 4;
        while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80)
            length--; /* do not cut inside a UTF-8 character */
    }
    for (size_t i = 0; i < length; i++)
        buffer[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7F ? '?' : text[i];
    strcpy(buffer + length, is_cut ? "..." : "");
    return buffer;
}

const char *name_list(const char *const *names, char buffer[NAME_LIST_CAPACITY])
{
    size_t used = 0;
    buffer[0] = '\0';
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t needed = strlen(names[i]) + 2;
        if (used + needed + sizeof "..." > NAME_LIST_CAPACITY) {
            strcpy(buffer + used, "...");
            return buffer;
        }
        used += (size_t)snprintf(buffer + used, NAME_LIST_CAPACITY - used, "%s%s", names[i],
                                 names[i + 1] != NULL ? ", " : "");
    }
    return buffer;
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/** Edit distance with swaps of neighbours (optimal string alignment); lengths up to LONGEST_WORD. */
static int edit_distance(const char *a, const char *b)
{
    int rows[3][LONGEST_WORD + 1];
    int *before = rows[0], *above = rows[1], *row = rows[2];
    int length = (int)strlen(b);
    for (int j = 0; j <= length; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int *oldest = before;
        before = above;
        above = row;
        row = oldest;
        row[0] = i;
        for (int j = 1; j <= length; j++) {
            row[j] = smaller(smaller(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
    }
    return row[length];
}

const char *nearest_name(const char *word, const char *const *names)
{
    const char *nearest = NULL;
    size_t word_length = strnlen(word, LONGEST_WORD + 1);
    int best = (int)(word_length + 2) / 3 + 1;
    if (word_length > LONGEST_WORD)
        return NULL;
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t length = strnlen(names[i], LONGEST_WORD + 1);
        if (length > LONGEST_WORD)
            continue;
        int distance = edit_distance(word, names[i]);
        int longer = (int)(length > word_length ? length : word_length);
        if (distance < best && distance < longer) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
