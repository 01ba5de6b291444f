/* SPDX-License-Identifier: MIT */
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

bool text_continues_character(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static int count_characters(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += !text_continues_character(*text);
    return n;
}

/** Bytes of the first n characters. */
static int length_of(const char *text, int n)
{
    int length = 0;
    for (; n > 0 && text[length] != '\0'; n--)
        do
            length++;
        while (text_continues_character(text[length]));
    return length;
}

/** Shrinks a part of a name that ends at `dot`; returns where the next one begins. */
static char *shrink(char *part, char *dot)
{
    char *number = dot, *letter_end = part + length_of(part, 1);
    while (number > part && isdigit((unsigned char)number[-1]))
        number--;
    if (number <= letter_end)
        return dot + 1;
    memmove(letter_end, number, strlen(number) + 1);
    return letter_end + (dot - number) + 1;
}

/** Cuts the middle of a text of n characters out. */
static void cut_middle(char *text, int n)
{
    const int kept = (SHORT_NAME_LENGTH - 2) / 2; /* of each end */
    char *gap = text + length_of(text, kept), *tail = text + length_of(text, n - kept);
    memmove(gap + 2, tail, strlen(tail) + 1);
    memcpy(gap, "..", 2);
}

struct short_name text_shorten(const char *name)
{
    struct short_name result;
    char text[512], *part = text, *dot;
    snprintf(text, sizeof text, "%s", name);
    while (count_characters(text) > SHORT_NAME_LENGTH && (dot = strchr(part, '.')) != NULL)
        part = shrink(part, dot);
    if (count_characters(text) > SHORT_NAME_LENGTH)
        cut_middle(text, count_characters(text));
    snprintf(result.text, sizeof result.text, "%.*s", (int)sizeof result.text - 1, text);
    return result;
}
