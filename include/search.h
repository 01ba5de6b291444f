/* SPDX-License-Identifier: MIT */
/**
 * Search methods: propose latent codes, learn from scores. They never see a network.
 *
 * All are ask/tell. A search is a deterministic function of its problem (with the key) and of the scores
 * told so far: that is its whole state, so resuming means replaying ask and tell with stored scores.
 * Scores are always maximised; whoever minimises tells the negative.
 *
 * Ask and tell alternate. Only the last batch of a run, when the budget cuts it, is asked and never told; a
 * larger budget replays the run and gets the same batch from that ask, except of methods that plan with the
 * budget and say so (portfolio, spsa): of them it is another search.
 *
 * Random numbers: random_words(key, {0, step, draw, 0}); `step` counts asks from 1 (0: the creation of the
 * search), `draw` counts within one.
 *
 * Adding a method: one file in src/search/ with its keys, a struct search that begins with the problem, and a
 * `const struct search_method` (the shortest is random.c); its declaration in src/search/methods.h; one line
 * in src/search/table.c. search_create does what all methods have in common.
 */
#ifndef MEICENSUS_SEARCH_H
#define MEICENSUS_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keys.h"
#include "status.h"

/** The space that is searched. */
struct search_problem {
    int n_dimensions; /**< d, >= 1: indices in a code */
    int n_points;     /**< n, >= 2: each index is in 0..n-1 (a power of two for quantised methods) */
    int64_t budget;   /**< queries the run may use, >= 1; methods may plan with it */
    uint64_t key;     /**< Philox key of the run */
    double low, high; /**< values of index 0 and of n-1 on a grid; equal: indices are rows of a codebook */
};

/** Opaque: each method has its own, whose first member is the `struct search_problem` it was created with. */
struct search;

struct search_method {
    const char *name;
    const char *summary;     /**< one line, with the source; printed by `list methods` */
    const struct key *keys;  /**< settings with their defaults, for the job file */
    size_t settings_size;    /**< bytes of the settings struct that `keys` fills */
    size_t search_size;      /**< bytes of the struct search of the method */
    bool needs_power_of_two; /**< n_points must be a power of two; what else a method needs, prepare checks */
    bool is_baseline;        /**< learns nothing from scores: any budget will do */

    /**
     * Make a search ready for its first ask: its problem is there and checked, all else is zero. `settings`
     * was filled from `keys` and does not outlive the call. STATUS_BAD_INPUT says which setting. After a
     * failure the search is released like any other.
     */
    enum status (*prepare)(const struct search_method *method, struct search *search, const void *settings,
                           struct error *error);

    /** How many codes an ask of these settings proposes in a space of d dimensions (constant over a run),
     * >= 1. */
    int (*batch)(const void *settings, int n_dimensions);

    /** Propose the next codes [batch][n_dimensions] int32. */
    void (*ask)(struct search *search, int32_t *codes);

    /**
     * Learn the scores [batch] float32 of the codes last asked, in the same order. Not called for a cut
     * batch. A score that is not a number counts as lower than any other.
     */
    void (*tell)(struct search *search, const float *scores);

    /**
     * Learn codes that the search did not ask, [n_codes][n_dimensions] with their scores [n_codes]: before
     * the first ask (a warm start), or between a tell and the next ask. NULL: the method has no use for them.
     */
    void (*inform)(struct search *search, int n_codes, const int32_t *codes, const float *scores);

    /** Free what prepare allocated, as far as it came, but not the search itself. NULL: nothing is. */
    void (*release)(struct search *search);
};

/**
 * A search of the problem, ready for its first ask. `settings`: as search_settings_read makes them; both are
 * copied. *search is set on success; the caller frees it with search_destroy. STATUS_BAD_INPUT names the
 * method and the setting, or says that the space has no dimension or no choice, or no power of two where the
 * method needs one.
 */
enum status search_create(const struct search_method *method, const struct search_problem *problem,
                          const void *settings, struct search **search, struct error *error);

/** Free a search of that method; NULL is none. */
void search_destroy(const struct search_method *method, struct search *search);

/** All methods, ended by NULL, in the order of `list methods`. */
extern const struct search_method *const search_methods[];

/** The method of that name, or NULL. */
const struct search_method *search_method_find(const char *name);

/**
 * The settings of a method from a mapping of the job file; NULL: all defaults. `section` is for messages, as
 * for keys_read. The caller frees *settings with free(), not before the document that `mapping` belongs to.
 */
enum status search_settings_read(const struct search_method *method, const struct node *mapping,
                                 const char *section, void **settings, struct error *error);

#endif
