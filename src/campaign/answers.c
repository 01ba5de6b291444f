/* SPDX-License-Identifier: MIT */
#include "answers.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum status answers_create(int n_codes, size_t code_bytes, struct answers *answers, struct error *error)
{
    answers->n_codes = n_codes;
    answers->code_bytes = code_bytes;
    TRY(MEMORY_ALLOCATE(answers->scores, (size_t)n_codes, error));
    TRY(MEMORY_ALLOCATE(answers->shown, (size_t)n_codes, error));
    TRY(MEMORY_ALLOCATE(answers->sources, (size_t)n_codes, error));
    return MEMORY_ALLOCATE(answers->shown_activation, (size_t)n_codes, error);
}

void answers_free(struct answers *answers)
{
    free(answers->scores);
    free((void *)answers->shown);
    free(answers->sources);
    free(answers->shown_activation);
    *answers = (struct answers){0};
}

/** Which of the n codes that are to be shown it is; -1: none. */
static int find_shown(const struct answers *answers, int n, const int32_t *code)
{
    for (int i = 0; i < n; i++)
        if (memcmp(answers->shown[i], code, answers->code_bytes) == 0)
            return i;
    return -1;
}

int answers_choose(struct answers *answers, const int32_t *codes, int first, int end,
                   const struct seen_codes *seen)
{
    const size_t n_dimensions = answers->code_bytes / sizeof *codes;
    int n = 0;
    for (int i = first; i < end; i++) {
        const int32_t *code = codes + (size_t)i * n_dimensions;
        answers->sources[i] = -1;
        if (seen != NULL && seen_codes_find(seen, code, answers->code_bytes, &answers->scores[i]))
            continue;
        answers->sources[i] = seen == NULL ? -1 : find_shown(answers, n, code);
        if (answers->sources[i] >= 0)
            continue;
        answers->shown[n] = code;
        answers->sources[i] = n++;
    }
    return n;
}

void answers_take(struct answers *answers, int first, int end)
{
    for (int i = first; i < end; i++)
        if (answers->sources[i] >= 0)
            answers->scores[i] = answers->shown_activation[answers->sources[i]];
}
