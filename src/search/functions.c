/* SPDX-License-Identifier: MIT */
#include "functions.h"

#include <math.h>
#include <string.h>

#include "random.h"

/** x - c of every index. */
static void offsets(const struct search_problem *problem, const int32_t *code, double *offset)
{
    const double ratio = (sqrt(5) - 1) / 2;
    for (int i = 0; i < problem->n_dimensions; i++)
        offset[i] = (code[i] + 0.5) / problem->n_points - fmod((i + 1) * ratio, 1);
}

static double sphere(const struct search_problem *problem, const int32_t *code, double *room)
{
    double sum = 0;
    offsets(problem, code, room);
    for (int i = 0; i < problem->n_dimensions; i++)
        sum += room[i] * room[i];
    return -sum / problem->n_dimensions;
}

/** y -= 2 v (v^T y) / (v^T v) */
static void reflect(int n, const double *v, double *y)
{
    double product = 0, square = 0;
    for (int i = 0; i < n; i++) {
        product += v[i] * y[i];
        square += v[i] * v[i];
    }
    for (int i = 0; i < n; i++)
        y[i] -= 2 * v[i] * product / square;
}

static double ellipsoid(const struct search_problem *problem, const int32_t *code, double *room)
{
    enum { N_REFLECTIONS = 3 };
    const int d = problem->n_dimensions;
    double *y = room, *v = room + d, sum = 0, weights = 0;
    offsets(problem, code, y);
    for (int k = 0; k < N_REFLECTIONS; k++) {
        for (int i = 0; i < d; i++)
            v[i] = cos((k + 1.0) * (i + 1));
        reflect(d, v, y);
    }
    for (int i = 0; i < d; i++) {
        const double weight = pow(10, d > 1 ? 4.0 * i / (d - 1) : 0);
        sum += weight * y[i] * y[i];
        weights += weight;
    }
    return -sum / weights;
}

static double trap(const struct search_problem *problem, const int32_t *code, double *room)
{
    (void)room;
    const int digits = __builtin_ctz((unsigned)problem->n_points);
    double sum = 0;
    for (int i = 0; i < problem->n_dimensions; i++) {
        const int ones = __builtin_popcount((unsigned)code[i]);
        sum += ones == digits ? 1 : (digits - 1.0 - ones) / digits;
    }
    return sum / problem->n_dimensions;
}

const struct test_function test_functions[] = {
    {"sphere", "square distance to a point", false, 0, sphere},
    {"ellipsoid", "the same, rotated, 10,000 times as steep along one axis as along another", false, 0,
     ellipsoid},
    {"trap", "binary digits: all ones is best, but everything leads away from it", true, 0, trap},
    {"noisy_sphere", "square distance to a point, and noise of 0.02", false, 0.02, sphere},
    {NULL, NULL, false, 0, NULL},
};

const struct test_function *test_function_find(const char *name)
{
    for (const struct test_function *function = test_functions; function->name != NULL; function++)
        if (strcmp(function->name, name) == 0)
            return function;
    return NULL;
}

double test_function_noise(const struct search_problem *problem, int64_t query)
{
    uint32_t words[4];
    double pair[2];
    random_words(problem->key, (struct random_counter){{1, (uint32_t)query, (uint32_t)(query >> 32), 0}},
                 words);
    random_normal_pair(words[0], words[1], pair);
    return pair[0];
}
