/* SPDX-License-Identifier: MIT */
/* `meicensus optimize`: a search method on a function with a known best value. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "command.h"
#include "counter.h"
#include "document.h"
#include "functions.h"
#include "hash.h"
#include "memory.h"

static const struct command_option options[] = {
    {"function", "NAME", NULL, true, false, "sphere, ellipsoid, trap or noisy_sphere"},
    {"method", "NAME", NULL, true, false, "search method, see `meicensus list methods`"},
    {"settings", "MAPPING", NULL, false, false, "settings of the method, e.g. '{batch: 20}'"},
    {"dim", "D", "16", false, false, "indices of a code"},
    {"points", "N", "64", false, false, "values that an index can take"},
    {"grid", NULL, NULL, false, false, "indices are points of a grid over [-4, 4], not rows of a codebook"},
    {"budget", "B", "1000", false, false, "queries of a run"},
    {"seeds", "S", "1", false, false, "runs, with the seeds 0 to S - 1"},
    {0},
};

/** One run of a method on a function. */
struct optimization {
    const struct test_function *function;
    const struct search_method *method;
    struct search_problem problem;
    struct document *document; /**< of the settings */
    void *settings;
    int32_t *codes; /**< [batch][n_dimensions] */
    float *scores;  /**< [batch] */
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
    TRY(find_function(arguments_text(arguments, "function"), &optimization->problem, &optimization->function,
                      error));
    TRY(find_method(arguments_text(arguments, "method"), arguments_text(arguments, "settings"), optimization,
                    error));
    const size_t d = (size_t)optimization->problem.n_dimensions;
    const size_t batch = (size_t)optimization->method->batch(optimization->settings, (int)d);
    TRY(MEMORY_ALLOCATE(optimization->codes, batch * d, error));
    TRY(MEMORY_ALLOCATE(optimization->scores, batch, error));
    return MEMORY_ALLOCATE(optimization->room, 2 * d, error);
}

/** As the key of a census' run: from names only. */
static uint64_t run_key(const struct optimization *optimization, long long seed)
{
    char text[256];
    const int length = snprintf(text, sizeof text, "%lld/%s/%d/%d/%s", seed, optimization->function->name,
                                optimization->problem.n_dimensions, optimization->problem.n_points,
                                optimization->method->name);
    return hash_bytes(text, (size_t)length);
}

/** The best of a run so far. */
struct best {
    double score; /**< as the method was told */
    double value; /**< without noise */
};

static void print_row(long long seed, int64_t queries, const struct best *best)
{
    printf("%lld,%" PRId64 ",%.9g,%.9g\n", seed, queries, best->score, best->value);
}

/** Score of query `query` (from 0), the code being the `place`-th of its batch. */
static void evaluate(struct optimization *optimization, long long seed, int64_t query, int place,
                     struct best *best)
{
    const struct search_problem *problem = &optimization->problem;
    const int32_t *code = optimization->codes + (size_t)place * (size_t)problem->n_dimensions;
    const double value = optimization->function->value(problem, code, optimization->room);
    const double noise = optimization->function->noise;
    const float score = (float)(noise > 0 ? value + noise * test_function_noise(problem, query) : value);
    optimization->scores[place] = score;
    if (query > 0 && !((double)score > best->score))
        return;
    *best = (struct best){(double)score, value};
    print_row(seed, query + 1, best);
}

/** A run as a campaign does it: the last batch is cut at the budget and not told. */
static void run_search(struct optimization *optimization, struct search *search, long long seed)
{
    const struct search_method *method = optimization->method;
    const int64_t batch = method->batch(optimization->settings, optimization->problem.n_dimensions),
                  budget = optimization->problem.budget;
    struct best best = {-INFINITY, -INFINITY};
    for (int64_t query = 0; query < budget; query += batch) {
        method->ask(search, optimization->codes);
        for (int i = 0; i < batch && query + i < budget; i++)
            evaluate(optimization, seed, query + i, i, &best);
        if (budget - query >= batch)
            method->tell(search, optimization->scores);
    }
    print_row(seed, budget, &best);
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
        status = optimization->method->create(optimization->method, &optimization->problem,
                                              optimization->settings, &search, error);
        if (status != STATUS_OK)
            break;
        run_search(optimization, search, seed);
        optimization->method->destroy(search);
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
    free(optimization.codes);
    free(optimization.scores);
    free(optimization.room);
    free(optimization.settings);
    document_free(optimization.document);
    return status;
}

const struct command command_optimize = {
    .name = "optimize",
    .summary = "run a search method on a function with a known best value",
    .details =
        "\n"
        "Prints CSV: a row whenever a run found a better score, and one at its end. best: the score as "
        "the\n"
        "method was told; value: of the same code, without noise.",
    .options = options,
    .run = run,
};
