/* SPDX-License-Identifier: MIT */
#include "draws.h"

#include "random.h"

enum { WORDS_PER_DRAW = 4 };

struct draws draws_begin(uint64_t key, uint32_t step)
{
    return (struct draws){.key = key, .step = step, .n_used = WORDS_PER_DRAW};
}

uint32_t draws_word(struct draws *draws)
{
    if (draws->n_used == WORDS_PER_DRAW) {
        random_words(draws->key, (struct random_counter){{0, draws->step, draws->draw, 0}}, draws->words);
        draws->draw++;
        draws->n_used = 0;
    }
    return draws->words[draws->n_used++];
}

void draws_normals(struct draws *draws, double *normals, int n)
{
    for (int i = 0; i < n; i += 2) {
        double pair[2];
        uint32_t first = draws_word(draws);
        uint32_t second = draws_word(draws);
        random_normal_pair(first, second, pair);
        normals[i] = pair[0];
        if (i + 1 < n)
            normals[i + 1] = pair[1];
    }
}
