/* SPDX-License-Identifier: MIT */
/*
 * Milliseconds of processor time a query that each search method takes for itself, on one core: asking and
 * telling on the sphere (include/functions.h), whose own time does not count.
 *
 *   bench_search [QUERIES [DIMENSIONS [POINTS]]]      default: 12000 128 64
 *
 * Prints CSV: method, milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "functions.h"
#include "memory.h"
#include "search.h"

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/** The arrays that a run needs. */
struct room {
    int32_t *codes;   /**< [batch][n_dimensions] */
    float *scores;    /**< [batch] */
    double *function; /**< [2][n_dimensions] */
};

static enum status room_make(struct room *room, size_t batch, size_t n_dimensions, struct error *error)
{
    TRY(MEMORY_ALLOCATE(room->codes, batch * n_dimensions, error));
    TRY(MEMORY_ALLOCATE(room->scores, batch, error));
    return MEMORY_ALLOCATE(room->function, 2 * n_dimensions, error);
}

static void score_codes(const struct search_problem *problem, int batch, const struct room *room)
{
    const struct test_function *sphere = test_function_find("sphere");
    for (int i = 0; i < batch; i++)
        room->scores[i] =
            (float)sphere->value(problem, room->codes + (ptrdiff_t)i * problem->n_dimensions, room->function);
}

/** Seconds that the search takes until the budget is spent, from its creation on. */
static enum status run_search(const struct search_method *method, const struct search_problem *problem,
                              const void *settings, int batch, const struct room *room, double *seconds,
                              struct error *error)
{
    struct search *search;
    double start = processor_seconds();
    TRY(search_create(method, problem, settings, &search, error));
    *seconds = processor_seconds() - start;
    for (int64_t query = 0; query < problem->budget; query += batch) {
        start = processor_seconds();
        method->ask(search, room->codes);
        *seconds += processor_seconds() - start;
        score_codes(problem, batch, room);
        start = processor_seconds();
        method->tell(search, room->scores);
        *seconds += processor_seconds() - start;
    }
    search_destroy(method, search);
    return STATUS_OK;
}

static enum status measure(const struct search_method *method, const struct search_problem *problem,
                           struct error *error)
{
    void *settings = NULL;
    struct room room = {0};
    double seconds = 0;
    enum status status = search_settings_read(method, NULL, method->name, &settings, error);
    if (status == STATUS_OK) {
        const int batch = method->batch(settings, problem->n_dimensions);
        status = room_make(&room, (size_t)batch, (size_t)problem->n_dimensions, error);
        if (status == STATUS_OK)
            status = run_search(method, problem, settings, batch, &room, &seconds, error);
    }
    if (status == STATUS_OK)
        printf("%s,%.4f\n", method->name, 1e3 * seconds / (double)problem->budget);
    free(room.codes);
    free(room.scores);
    free(room.function);
    free(settings);
    return status;
}

int main(int argc, char **argv)
{
    const struct search_problem problem = {.budget = argc > 1 ? atoi(argv[1]) : 12000,
                                           .n_dimensions = argc > 2 ? atoi(argv[2]) : 128,
                                           .n_points = argc > 3 ? atoi(argv[3]) : 64,
                                           .key = 1,
                                           .low = -4,
                                           .high = 4};
    struct error error = {0};
    printf("method,milliseconds\n");
    for (const struct search_method *const *method = search_methods; *method != NULL; method++) {
        if (measure(*method, &problem, &error) != STATUS_OK) {
            fprintf(stderr, "bench_search: %s\n", error.message);
            return 1;
        }
        fflush(stdout);
    }
    return 0;
}
