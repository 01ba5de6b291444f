/* SPDX-License-Identifier: MIT */
/**
 * The record of one run, as one table of fields. The journal stores records, the results file stores them
 * as arrays over [unit][replicate]; both are driven by this table, so a field is added in one line here
 * (name, type, shape, units, texts) and filled in one place of src/campaign/.
 *
 * A record is one flat buffer: the fields one after another in table order, each aligned to 8 bytes, at
 * offsets that follow from the group's sizes (record_layout).
 */
#ifndef MEICENSUS_RECORD_H
#define MEICENSUS_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/** Sizes that all runs of one group (subject x generator x method) share. */
struct record_sizes {
    int64_t dimensions; /**< latent indices */
    int64_t channels, height, width;
    int64_t history; /**< points of the convergence history */
    int64_t budget;  /**< queries */
    int64_t trace;   /**< queries whose scores are kept: the budget; 0 where units share their images */
    int64_t trials;
    int64_t classes;
    int64_t candidates; /**< codes that are presented again before the winner is named; 0: none */
};

enum record_type {
    RECORD_FLOAT32,
    RECORD_FLOAT64,
    RECORD_INT32,
    RECORD_INT64,
    RECORD_UINT64,
    RECORD_UINT8,
    RECORD_TEXT
};

enum { RECORD_TEXT_BYTES = 256 }; /**< a RECORD_TEXT field: UTF-8, zero-padded */

/** Dimension of a field: the members of record_sizes; EXTENT_NONE pads. */
enum record_size {
    EXTENT_NONE,
    EXTENT_DIMENSIONS,
    EXTENT_CHANNELS,
    EXTENT_HEIGHT,
    EXTENT_WIDTH,
    EXTENT_HISTORY,
    EXTENT_TRACE,
    EXTENT_TRIALS,
    EXTENT_CLASSES,
    EXTENT_CANDIDATES
};

/** Where a field goes in the results file. */
enum record_place {
    PLACE_CENSUS,    /**< /census/<subject>/<generator>/<method>/<name> */
    PLACE_TRACE,     /**< the same, only where the job says `trace: true` (always in the journal) */
    PLACE_PROVENANCE /**< /provenance/runs/<subject>/<generator>/<method>/<name>: may differ between
                        executions */
};

/* id, name in the file, type, shape, place, units, long_name, description */
#define RECORD_FIELDS(ITEM)                                                                                  \
    ITEM(FIELD_STATUS, "status", RECORD_UINT8, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS, "1",     \
         "status of the run", "0 missing, 1 done, 2 failed (see message)")                                   \
    ITEM(FIELD_STOP_REASON, "stop_reason", RECORD_UINT8, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,              \
         PLACE_CENSUS, "1", "why the search stopped",                                                        \
         "0 none (missing or failed), 1 budget used, 2 activation at its bound, 3 target activation "        \
         "reached, 4 no improvement for the given number of queries, 5 wall time")                           \
    ITEM(FIELD_SILENT, "silent", RECORD_UINT8, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS, "1",     \
         "silent unit", "1 if no query of the run gave an activation above 0; class outputs never are")      \
    ITEM(FIELD_SATURATED, "saturated", RECORD_UINT8, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,    \
         "1", "saturated unit", "1 if the best activation of a spiking unit is 1, its maximum")              \
    ITEM(FIELD_ACTIVATION, "activation", RECORD_FLOAT32, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,              \
         PLACE_CENSUS, "1", "activation of the unit for its MEI",                                            \
         "recomputed for the winning code in a call of its own, without the noise of a search; spiking "     \
         "channels: spikes / (T H W); single "                                                               \
         "neurons: spikes / T; other layers: mean output; classes: mean output over T")                      \
    ITEM(FIELD_ACTIVATION_SEARCHED, "activation_searched", RECORD_FLOAT32, EXTENT_NONE, EXTENT_NONE,         \
         EXTENT_NONE, PLACE_CENSUS, "1", "best activation met by the search",                                \
         "the value the search saw for the winning code; with recheck the highest it saw for that code")     \
    ITEM(FIELD_CLOSENESS, "closeness", RECORD_FLOAT32, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,  \
         "1", "closeness to the MEIs of earlier replicates",                                                 \
         "largest correlation of the values of the MEI with those of the MEI of an earlier replicate of "    \
         "the unit, 0 where it is negative; a search with attribute distinct above 0 maximises activation "  \
         "- distinct * closeness (minimises the sum), and activation_searched, history and trace are that; " \
         "0 for replicate 0, and without distinct")                                                          \
    ITEM(FIELD_CLASS_PROBABILITY, "class_probability", RECORD_FLOAT32, EXTENT_CLASSES, EXTENT_NONE,          \
         EXTENT_NONE, PLACE_CENSUS, "1", "class probabilities for the MEI",                                  \
         "softmax of the class outputs (mean over T) for the MEI, shown once from a fresh state")            \
    ITEM(FIELD_QUERIES, "queries", RECORD_INT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,        \
         "queries", "queries used", "images the search asked for, codes asked again included")               \
    ITEM(FIELD_START_QUERIES, "start_queries", RECORD_INT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,          \
         PLACE_CENSUS, "queries", "queries of the start",                                                    \
         "the first so many queries are codes that the search was told, not ones that it asked; 0: it "      \
         "started cold")                                                                                     \
    ITEM(FIELD_EVALUATIONS, "evaluations", RECORD_INT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,              \
         PLACE_CENSUS, "queries", "images shown",                                                            \
         "queries less those whose code had been asked before in the run; mode shared: images of the "       \
         "census that were bred for this unit")                                                              \
    ITEM(FIELD_BRED_FOR, "bred_for", RECORD_TEXT, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS, "1",  \
         "whom the winner was bred for",                                                                     \
         "mode shared: the unit whose search asked for the image (subject/layer/channel), 'random' or "      \
         "'start'; empty where every unit is searched alone")                                                \
    ITEM(FIELD_BEST_QUERY, "best_query", RECORD_INT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,  \
         "queries", "number of the winning query",                                                           \
         "1-based number of the first query that reached the best score; 0 if the run is missing or failed") \
    ITEM(FIELD_LATENT, "latent", RECORD_INT32, EXTENT_DIMENSIONS, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,    \
         "1", "winning latent code",                                                                         \
         "grid or codebook indices; attribute how_to_read of the group says how to make the generator's "    \
         "input of them")                                                                                    \
    ITEM(FIELD_MEI, "mei", RECORD_FLOAT32, EXTENT_CHANNELS, EXTENT_HEIGHT, EXTENT_WIDTH, PLACE_CENSUS, "1",  \
         "most exciting image",                                                                              \
         "exactly what the subject got: normalised, not clipped; RGB = mei * std + mean, with mean and std " \
         "from the attributes of the group")                                                                 \
    ITEM(FIELD_MEI_RGB8, "mei_rgb8", RECORD_UINT8, EXTENT_HEIGHT, EXTENT_WIDTH, EXTENT_CHANNELS,             \
         PLACE_CENSUS, "1", "most exciting image for the eye",                                               \
         "RGB, clipped to [0, 1] and scaled to 0..255")                                                      \
    ITEM(FIELD_HISTORY, "history", RECORD_FLOAT32, EXTENT_HISTORY, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,   \
         "1", "best activation so far",                                                                      \
         "best activation after history_queries queries; constant after the search stopped; mode shared: "   \
         "as known at the end of the last round before, NaN in the first")                                   \
    ITEM(FIELD_TRIAL_ACTIVATION, "trials/activation", RECORD_FLOAT32, EXTENT_TRIALS, EXTENT_NONE,            \
         EXTENT_NONE, PLACE_CENSUS, "1", "activation in repeated presentations",                             \
         "activation of the unit in each presentation of the MEI under the noise named in the attributes "   \
         "of the group")                                                                                     \
    ITEM(FIELD_TRIAL_ENTROPY, "trials/entropy", RECORD_FLOAT32, EXTENT_TRIALS, EXTENT_NONE, EXTENT_NONE,     \
         PLACE_CENSUS, "1", "normalised class entropy in repeated presentations",                            \
         "entropy in bits of the softmax of the class outputs (mean over T), divided by log2(classes)")      \
    ITEM(FIELD_TRIAL_PROBABILITY, "trials/probability", RECORD_FLOAT32, EXTENT_TRIALS, EXTENT_CLASSES,       \
         EXTENT_NONE, PLACE_CENSUS, "1", "class probabilities in repeated presentations",                    \
         "softmax of the class outputs (mean over T)")                                                       \
    ITEM(FIELD_KEY, "key", RECORD_UINT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS, "1",          \
         "random key of the run",                                                                            \
         "Philox key: XXH3-64 of the text seed/subject/generator/method/layer/channel/y/x/replicate")        \
    ITEM(FIELD_RECHECKS, "rechecks", RECORD_INT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS,      \
         "presentations", "presentations of the recheck",                                                    \
         "of all candidates together, not counted among the queries; 0 without a recheck")                   \
    ITEM(FIELD_RECOMMENDED, "recommended", RECORD_INT32, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,              \
         PLACE_CENSUS, "1", "recommended candidate",                                                         \
         "the candidate with the highest mean in the recheck (the lowest when minimising): latent, mei, "    \
         "best_query, activation and trials are about it; -1 without a recheck, where they are about the "   \
         "best score seen")                                                                                  \
    ITEM(FIELD_RECHECK_QUERY, "recheck/query", RECORD_INT64, EXTENT_CANDIDATES, EXTENT_NONE, EXTENT_NONE,    \
         PLACE_CENSUS, "queries", "query of the candidate",                                                  \
         "1-based number of the query that gave its best score; candidate 0 is the best seen, the highest "  \
         "single score of the run; 0 where the search asked fewer codes")                                    \
    ITEM(FIELD_RECHECK_SCORE, "recheck/score", RECORD_FLOAT32, EXTENT_CANDIDATES, EXTENT_NONE, EXTENT_NONE,  \
         PLACE_CENSUS, "1", "best single score of the candidate", "as the search saw it")                    \
    ITEM(FIELD_RECHECK_MEAN, "recheck/mean", RECORD_FLOAT32, EXTENT_CANDIDATES, EXTENT_NONE, EXTENT_NONE,    \
         PLACE_CENSUS, "1", "mean activation in the recheck",                                                \
         "over further presentations under the noise of the search")                                         \
    ITEM(FIELD_RECHECK_LATENT, "recheck/latent", RECORD_INT32, EXTENT_CANDIDATES, EXTENT_DIMENSIONS,         \
         EXTENT_NONE, PLACE_CENSUS, "1", "latent code of the candidate", "as latent")                        \
    ITEM(FIELD_CODES_HASH, "codes_hash", RECORD_UINT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS, \
         "1", "hash of all codes asked", "rolling XXH3-64 over the codes in the order asked")                \
    ITEM(FIELD_MESSAGE, "message", RECORD_TEXT, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE, PLACE_CENSUS, "1",    \
         "why the run failed", "empty unless status is 2")                                                   \
    ITEM(FIELD_TRACE, "trace", RECORD_FLOAT32, EXTENT_TRACE, EXTENT_NONE, EXTENT_NONE, PLACE_TRACE, "1",     \
         "score of every query", "in the order asked; NaN after the search stopped")                         \
    ITEM(FIELD_SECONDS_SEARCH, "seconds_search", RECORD_FLOAT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,      \
         PLACE_PROVENANCE, "s", "time of the search",                                                        \
         "wall time of the lockstep batch, divided by its runs")                                             \
    ITEM(FIELD_SECONDS_TRIALS, "seconds_trials", RECORD_FLOAT64, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,      \
         PLACE_PROVENANCE, "s", "time of the repeated presentations", "wall time")                           \
    ITEM(FIELD_INCARNATION, "incarnation", RECORD_INT32, EXTENT_NONE, EXTENT_NONE, EXTENT_NONE,              \
         PLACE_PROVENANCE, "1", "which process did the run",                                                 \
         "row of /provenance/incarnations; -1 if missing")

enum record_field_id {
#define RECORD_ENUM(id, ...) id,
    RECORD_FIELDS(RECORD_ENUM)
#undef RECORD_ENUM
        N_RECORD_FIELDS
};

enum { RECORD_MAX_RANK = 3 };

struct record_field {
    const char *name;
    enum record_type type;
    enum record_size shape[RECORD_MAX_RANK];
    enum record_place place;
    const char *units, *long_name, *description;
};

extern const struct record_field record_fields[N_RECORD_FIELDS];

enum run_status { RUN_MISSING, RUN_DONE, RUN_FAILED };
enum stop_reason { STOP_NONE, STOP_BUDGET, STOP_BOUND, STOP_TARGET, STOP_NO_IMPROVEMENT, STOP_WALL_TIME };

/** Offsets of the fields in a record buffer. */
struct record_layout {
    struct record_sizes sizes;
    size_t offset[N_RECORD_FIELDS];
    size_t n_elements[N_RECORD_FIELDS];
    size_t n_bytes; /**< of the whole buffer */
};

/** STATUS_INTERNAL if a size is negative or the buffer would exceed 2^40 bytes. */
enum status record_layout_make(const struct record_sizes *sizes, struct record_layout *layout,
                               struct error *error);
size_t record_type_bytes(enum record_type type);
int64_t record_size_value(const struct record_sizes *sizes, enum record_size size);

/** Address of a field in a record buffer. */
void *record_at(const struct record_layout *layout, void *record, enum record_field_id field);
const void *record_at_const(const struct record_layout *layout, const void *record,
                            enum record_field_id field);

/** Fill a record with what a missing run shows: floating-point fields NaN, RECORD_INT32 fields -1, all else
 * 0. */
void record_set_missing(const struct record_layout *layout, void *record);

/** Query numbers (1-based) at which the history is sampled: 1..20, then up to 200 more, log-spaced, ending
 *  at `budget`; strictly increasing. Returns how many; `queries` needs room for RECORD_HISTORY_MAX. */
enum { RECORD_HISTORY_MAX = 220 };
int record_history_queries(int64_t budget, int64_t *queries);

#endif
