/* SPDX-License-Identifier: MIT */
/* `meicensus optimize`: a search method on a function with a known best value, or on a program's scores. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "counter.h"
#include "document.h"
#include "external.h"
#include "functions.h"
#include "hash.h"
#include "memory.h"

static const struct command_option options[] = {
    {"function", "NAME", NULL, false, false, "sphere, ellipsoid, trap or noisy_sphere"},
    {"command", "PROGRAM", NULL, false, false,
     "in place of --function: a program that scores codes (README, Any black box), as the shell takes it"},
    {"timeout", "SECONDS", "60", false, false, "for an answer of the program"},
    {"restarts", "N", "3", false, false, "of the program for one answer, where it dies or is too slow"},
    {"name", "NAME", NULL, false, false,
     "of what is searched: part of the random key; the function's, or 'command'"},
    {"method", "NAME", NULL, true, false, "search method, see `meicensus list methods`"},
    {"settings", "MAPPING", NULL, false, false, "settings of the method, e.g. '{batch: 20}'"},
    {"dim", "D", "16", false, false, "indices of a code"},
    {"points", "N", "64", false, false, "values that an index can take"},
    {"grid", NULL, NULL, false, false, "indices are points of a grid over [-4, 4], not rows of a codebook"},
    {"budget", "B", "1000", false, false, "queries of a run"},
    {"seeds", "S", "1", false, false, "runs, with the seeds 0 to S - 1"},
    {0},
};

/** One run of a method on a function, or on what a program says. */
struct optimization {
    const char *name;
    const struct test_function *function; /**< NULL: the program's scores */
    struct external_settings external;
    struct external *program;
    const struct search_method *method;
    struct search_problem problem;
    struct document *document; /**< of the settings */
    void *settings;
    int32_t *codes; /**< [batch][n_dimensions] */
    float *scores;  /**< [batch]: what the method is told */
    float *values;  /**< [batch]: without noise */
    double *room;   /**< [2][n_dimensions] */
};

static enum status read_space(const struct arguments *arguments, struct search_problem *problem,
                              struct error *error)
{
    long long dimensions = 0, points = 0, budget = 0;
    TRY(arguments_integer(arguments, "dim", 1, 100000, &dimensions, error));
    TRY(arguments_integer(arguments, "points", 2, 1 << 20, &points, error));
    TRY(arguments_integer(arguments, "budget", 1, 1000000000, &budget, error));
    *problem =
        (struct search_problem){.n_dimensions = (int)dimensions, .n_points = (int)points, .budget = budget};
    if (arguments_given(arguments, "grid")) {
        problem->low = -4;
        problem->high = 4;
    }
    return STATUS_OK;
}

static enum status find_function(const char *name, const struct search_problem *problem,
                                 const struct test_function **function, struct error *error)
{
    *function = test_function_find(name);
    if (*function == NULL)
        return error_set(error, STATUS_USAGE,
                         "--function %s: expected sphere, ellipsoid, trap or noisy_sphere", name);
    if ((*function)->needs_power_of_two && (problem->n_points & (problem->n_points - 1)) != 0)
        return error_set(error, STATUS_USAGE, "--function %s: --points %d is no power of two", name,
                         problem->n_points);
    return STATUS_OK;
}

static enum status read_objective(const struct arguments *arguments, struct optimization *optimization,
                                  struct error *error)
{
    const char *function = arguments_text(arguments, "function"), *name = arguments_text(arguments, "name");
    long long timeout = 0, restarts = 0;
    optimization->external.command = arguments_text(arguments, "command");
    if ((function == NULL) == (optimization->external.command == NULL))
        return error_set(error, STATUS_USAGE,
                         "meicensus optimize needs either --function NAME or --command PROGRAM");
    TRY(arguments_integer(arguments, "timeout", 1, 1000000, &timeout, error));
    TRY(arguments_integer(arguments, "restarts", 0, 1000, &restarts, error));
    optimization->external.timeout = (double)timeout;
    optimization->external.restarts = (int)restarts;
    optimization->name = name != NULL ? name : function != NULL ? function : "command";
    return function == NULL ? STATUS_OK
                            : find_function(function, &optimization->problem, &optimization->function, error);
}

static enum status find_method(const char *name, const char *mapping, struct optimization *optimization,
                               struct error *error)
{
    optimization->method = search_method_find(name);
    if (optimization->method == NULL)
        return error_set(error, STATUS_USAGE, "--method %s: no such method; see `meicensus list methods`",
                         name);
    if (mapping != NULL)
        TRY(document_read_text(mapping, "--settings", &optimization->document, error));
    return search_settings_read(optimization->method,
                                mapping == NULL ? NULL : document_root(optimization->document), name,
                                &optimization->settings, error);
}

static enum status prepare(const struct arguments *arguments, struct optimization *optimization,
                           struct error *error)
{
    TRY(read_space(arguments, &optimization->problem, error));
    TRY(read_objective(arguments, optimization, error));
    TRY(find_method(arguments_text(arguments, "method"), arguments_text(arguments, "settings"), optimization,
                    error));
    const size_t d = (size_t)optimization->problem.n_dimensions;
    const size_t batch = (size_t)optimization->method->batch(optimization->settings, (int)d);
    TRY(MEMORY_ALLOCATE(optimization->codes, batch * d, error));
    TRY(MEMORY_ALLOCATE(optimization->scores, batch, error));
    TRY(MEMORY_ALLOCATE(optimization->values, batch, error));
    TRY(MEMORY_ALLOCATE(optimization->room, 2 * d, error));
    if (optimization->function != NULL)
        return STATUS_OK;
    return external_open_objective(&optimization->external, optimization->problem.n_dimensions,
                                   optimization->problem.n_points, &optimization->program, error);
}

/** As the key of a census' run: from names only. */
static uint64_t run_key(const struct optimization *optimization, long long seed)
{
    char text[512];
    snprintf(text, sizeof text, "%lld/%.256s/%d/%d/%s", seed, optimization->name,
             optimization->problem.n_dimensions, optimization->problem.n_points, optimization->method->name);
    return hash_bytes(text, strlen(text));
}

/** The best of a run so far. */
struct best {
    float score; /**< as the method was told */
    float value; /**< without noise */
};

static void print_row(long long seed, int64_t queries, const struct best *best)
{
    printf("%lld,%" PRId64 ",%.9g,%.9g\n", seed, queries, (double)best->score, (double)best->value);
}

static void evaluate_function(struct optimization *optimization, int64_t query, int n_codes)
{
    const struct search_problem *problem = &optimization->problem;
    const double noise = optimization->function->noise;
    for (int i = 0; i < n_codes; i++) {
        const int32_t *code = optimization->codes + (size_t)i * (size_t)problem->n_dimensions;
        const double value = optimization->function->value(problem, code, optimization->room);
        optimization->values[i] = (float)value;
        optimization->scores[i] =
            (float)(noise > 0 ? value + noise * test_function_noise(problem, query + i) : value);
    }
}

/** Scores of the first n_codes of an ask, whose first is query `query` (from 0). */
static enum status evaluate(struct optimization *optimization, int64_t query, int n_codes,
                            struct error *error)
{
    if (optimization->function != NULL) {
        evaluate_function(optimization, query, n_codes);
        return STATUS_OK;
    }
    TRY(external_score_codes(optimization->program, n_codes, optimization->codes, optimization->scores,
                             error));
    memcpy(optimization->values, optimization->scores, sizeof *optimization->values * (size_t)n_codes);
    return STATUS_OK;
}

static void keep_best(const struct optimization *optimization, long long seed, int64_t query, int n_codes,
                      struct best *best)
{
    for (int i = 0; i < n_codes; i++) {
        if (query + i > 0 && !(optimization->scores[i] > best->score))
            continue;
        *best = (struct best){optimization->scores[i], optimization->values[i]};
        print_row(seed, query + i + 1, best);
    }
}

/** A run as a campaign does it: the last batch is cut at the budget and not told. */
static enum status run_search(struct optimization *optimization, struct search *search, long long seed,
                              struct error *error)
{
    const struct search_method *method = optimization->method;
    const int64_t batch = method->batch(optimization->settings, optimization->problem.n_dimensions),
                  budget = optimization->problem.budget;
    struct best best = {0};
    for (int64_t query = 0; query < budget; query += batch) {
        const int n_codes = (int)(budget - query < batch ? budget - query : batch);
        method->ask(search, optimization->codes);
        TRY(evaluate(optimization, query, n_codes, error));
        keep_best(optimization, seed, query, n_codes, &best);
        if (n_codes == batch)
            method->tell(search, optimization->scores);
    }
    print_row(seed, budget, &best);
    return STATUS_OK;
}

static enum status run_seeds(struct optimization *optimization, long long n_seeds, struct error *error)
{
    enum status status = STATUS_OK;
    struct counter counter;
    printf("seed,queries,best,value\n");
    counter_begin(&counter, "runs", (size_t)n_seeds);
    for (long long seed = 0; seed < n_seeds && status == STATUS_OK; seed++) {
        struct search *search = NULL;
        optimization->problem.key = run_key(optimization, seed);
        status = search_create(optimization->method, &optimization->problem, optimization->settings, &search,
                               error);
        if (status != STATUS_OK)
            break;
        status = run_search(optimization, search, seed, error);
        search_destroy(optimization->method, search);
        counter_show(&counter, (size_t)seed + 1);
    }
    counter_end(&counter);
    return status;
}

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct optimization optimization = {0};
    long long n_seeds = 0;
    enum status status;
    TRY_CLEANUP(arguments_integer(arguments, "seeds", 1, 1000000, &n_seeds, error));
    TRY_CLEANUP(prepare(arguments, &optimization, error));
    status = run_seeds(&optimization, n_seeds, error);
cleanup:
    external_close(optimization.program);
    free(optimization.codes);
    free(optimization.scores);
    free(optimization.values);
    free(optimization.room);
    free(optimization.settings);
    document_free(optimization.document);
    return status;
}

const struct command command_optimize = {
    .name = "optimize",
    .summary = "run a search method on a function with a known best value, or on a program's scores",
    .details =
        "\n"
        "Prints CSV: a row whenever a run found a better score, and one at its end. best: the score as "
        "the\n"
        "method was told; value: of the same code, without noise.",
    .options = options,
    .run = run,
};
