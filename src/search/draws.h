/* SPDX-License-Identifier: MIT */
/** Random numbers of one step of a search, one after another: counter {0, step, draw, 0}, four words a draw.
 */
#ifndef MEICENSUS_SEARCH_DRAWS_H
#define MEICENSUS_SEARCH_DRAWS_H

#include <stdint.h>

/** A position in the random words of one step. Step 0 is the creation of a search, step s its s-th ask. */
struct draws {
    uint64_t key;
    uint32_t step;
    uint32_t draw;     /**< the next counter */
    uint32_t words[4]; /**< of the counter before */
    int n_used;        /**< of `words` */
};

/** The words of `step`, from the first. */
struct draws draws_begin(uint64_t key, uint32_t step);

/** The next uniform word. */
uint32_t draws_word(struct draws *draws);

/** The next n independent N(0,1), two words for each pair (an odd n wastes half of the last pair). */
void draws_normals(struct draws *draws, double *normals, int n);

#endif
