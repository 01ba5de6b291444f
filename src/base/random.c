/* SPDX-License-Identifier: MIT */
#include "random.h"

#include <math.h>
#include <string.h>

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
    double radius = sqrt(-2.0 * log(random_uniform(word_0)));
    double angle = 2 * M_PI * random_uniform(word_1);
    normal[0] = radius * cos(angle);
    normal[1] = radius * sin(angle);
}

/** As random_normal_pair, in single precision. */
static void normal_pair(uint32_t word_0, uint32_t word_1, float normal[2])
{
    const float radius = sqrtf(-2 * logf(((float)word_0 + 0.5f) * 0x1p-32f));
    const float angle = (float)(2 * M_PI * 0x1p-32) * (float)word_1;
    normal[0] = radius * cosf(angle);
    normal[1] = radius * sinf(angle);
}

void random_normals(uint64_t key, struct random_counter counter, size_t n, float *normals)
{
    for (size_t i = 0; i < n; i += 4, counter.word[2]++) {
        uint32_t words[4];
        float four[4];
        random_words(key, counter, words);
        normal_pair(words[0], words[1], four);
        normal_pair(words[2], words[3], four + 2);
        memcpy(normals + i, four, sizeof *four * (n - i < 4 ? n - i : 4));
    }
}
