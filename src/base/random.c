/* SPDX-License-Identifier: MIT */
#include "random.h"

#include <math.h>

#include <Random123/philox.h>

void random_words(uint64_t key, struct random_counter counter, uint32_t words[4])
{
    philox4x32_key_t philox_key = {{(uint32_t)key, (uint32_t)(key >> 32)}};
    philox4x32_ctr_t philox_counter = {{counter.word[0], counter.word[1], counter.word[2], counter.word[3]}};
    philox4x32_ctr_t result = philox4x32_R(10, philox_counter, philox_key);
    for (int i = 0; i < 4; i++)
        words[i] = result.v[i];
}

double random_uniform(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-32;
}

uint32_t random_below(uint32_t word, uint32_t n)
{
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

void random_normal_pair(uint32_t word_0, uint32_t word_1, double normal[2])
{
    const double two_pi = 6.283185307179586476925286766559;
    double radius = sqrt(-2.0 * log(random_uniform(word_0)));
    double angle = two_pi * random_uniform(word_1);
    normal[0] = radius * cos(angle);
    normal[1] = radius * sin(angle);
}
