/* SPDX-License-Identifier: MIT */
/**
 * Random numbers: Philox4x32-10 (Salmon et al. 2011; Random123), counter-based, so that every draw is a
 * function of (key, counter) alone and no generator has a state to save.
 */
#ifndef MEICENSUS_RANDOM_H
#define MEICENSUS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** What a number is for: the four counter words. Search: (0, step, draw, 0); trials: (1 + trial, layer, four
 * values, purpose). */
struct random_counter {
    uint32_t word[4];
};

/** Four uniform 32-bit words for (key, counter). */
void random_words(uint64_t key, struct random_counter counter, uint32_t words[4]);

/** Uniform in (0, 1): (word + 0.5) / 2^32, never 0 or 1. */
double random_uniform(uint32_t word);

/** Uniform integer in [0, n), n >= 1, by multiply-and-shift (bias below n / 2^32). */
uint32_t random_below(uint32_t word, uint32_t n);

/** Two independent N(0,1) from two words (Box-Muller, double precision). */
void random_normal_pair(uint32_t word_0, uint32_t word_1, double normal[2]);

/**
 * n independent N(0,1), single precision, |value| < 7; the first n of any larger number. Four are made of a
 * counter, whose word 2 counts up.
 */
void random_normals(uint64_t key, struct random_counter counter, size_t n, float *normals);

#endif
