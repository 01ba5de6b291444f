/* SPDX-License-Identifier: MIT */
#include "differential_evolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "random.h"

enum { MEMBERS = DIFFERENTIAL_EVOLUTION_MEMBERS, LEAST_FOR_TWO_POINTS = 4 };
static const double DIFFERENCE_FACTOR = 0.8, BEST_FACTOR = 0.8, CROSSOVER = 0.5;

enum status differential_evolution_prepare(struct differential_evolution *evolution, int n_dimensions,
                                           const struct bins *bins, bool at_two_points, struct error *error)
{
    const size_t n = (size_t)n_dimensions;
    *evolution = (struct differential_evolution){.n_dimensions = n_dimensions, .bins = bins};
    evolution->at_two_points = at_two_points && n_dimensions >= LEAST_FOR_TWO_POINTS;
    TRY(archive_prepare(&evolution->archive, n_dimensions, error));
    TRY(MEMORY_ALLOCATE(evolution->values, MEMBERS * n, error));
    TRY(MEMORY_ALLOCATE(evolution->first, MEMBERS * n, error));
    TRY(MEMORY_ALLOCATE(evolution->child, n, error));
    return MEMORY_ALLOCATE(evolution->code, n, error);
}

void differential_evolution_release(struct differential_evolution *evolution)
{
    archive_release(&evolution->archive);
    free(evolution->values);
    free(evolution->first);
    free(evolution->child);
    free(evolution->code);
}

static double *values_of(const struct differential_evolution *evolution, int member)
{
    return evolution->values + (size_t)member * (size_t)evolution->n_dimensions;
}

static size_t value_bytes(const struct differential_evolution *evolution)
{
    return (size_t)evolution->n_dimensions * sizeof *evolution->values;
}

/* ---- Asking ---- */

/* A new member, N(0,1). */
static void draw_member(struct differential_evolution *evolution, struct draws *draws)
{
    const int n = evolution->n_dimensions, member = evolution->n_members++;
    double *first = evolution->first + (ptrdiff_t)evolution->n_first++ * n;
    draws_normals(draws, evolution->child, n);
    memcpy(first, evolution->child, value_bytes(evolution));
    memcpy(values_of(evolution, member), evolution->child, value_bytes(evolution));
    evolution->members[member] = (struct evolution_member){.loss = INFINITY, .joined = ++evolution->time};
    evolution->parent = member;
    evolution->point = evolution->n_first;
}

static int next_parent(const struct differential_evolution *evolution)
{
    int next = 0;
    for (int i = 1; i < MEMBERS; i++) {
        if (evolution->members[i].told < evolution->members[next].told)
            next = i;
    }
    return next;
}

/* Value i of the best point, which the archive knows by its code unless it was one of the first. */
static double best_value(const struct differential_evolution *evolution, int i)
{
    const struct archive *archive = &evolution->archive;
    if (archive->best.point == 0)
        return evolution->bins->centres[archive->best_code[i]];
    return evolution->first[(ptrdiff_t)(archive->best.point - 1) * evolution->n_dimensions + i];
}

/* child = parent + F1 (a - b) + F2 (best - parent) */
static void move(struct differential_evolution *evolution, struct draws *draws)
{
    const double *parent = values_of(evolution, evolution->parent);
    const double *a = values_of(evolution, (int)random_below(draws_word(draws), MEMBERS));
    const double *b = values_of(evolution, (int)random_below(draws_word(draws), MEMBERS));
    for (int i = 0; i < evolution->n_dimensions; i++)
        evolution->child[i] = parent[i] + DIFFERENCE_FACTOR * (a[i] - b[i]) +
                              BEST_FACTOR * (best_value(evolution, i) - parent[i]);
}

/* Each value from the parent with one half, but never all. */
static void cross_each(struct differential_evolution *evolution, struct draws *draws)
{
    const double *parent = values_of(evolution, evolution->parent);
    const int n = evolution->n_dimensions, kept = (int)random_below(draws_word(draws), (uint32_t)n);
    for (int i = 0; i < n; i++) {
        if (i != kept && random_uniform(draws_word(draws)) > CROSSOVER)
            evolution->child[i] = parent[i];
    }
}

/* The values between two points, or those outside, from the parent, but never all. */
static void cross_at_two_points(struct differential_evolution *evolution, struct draws *draws)
{
    const double *parent = values_of(evolution, evolution->parent);
    const int n = evolution->n_dimensions;
    int first = (int)random_below(draws_word(draws), (uint32_t)n + 1);
    int last = (int)random_below(draws_word(draws), (uint32_t)n);
    last += last >= first;
    int bounds[] = {first < last ? first : last, first < last ? last : first};
    if (bounds[0] == 0 && bounds[1] == n) {
        const int bound = 1 + (int)random_below(draws_word(draws), (uint32_t)n - 1);
        bounds[random_below(draws_word(draws), 2)] = bound;
    }
    const bool is_inside = random_below(draws_word(draws), 2) == 0;
    for (int i = 0; i < n; i++) {
        if ((i >= bounds[0] && i < bounds[1]) == is_inside)
            evolution->child[i] = parent[i];
    }
}

static void draw_child(struct differential_evolution *evolution, struct draws *draws)
{
    evolution->parent = next_parent(evolution);
    evolution->point = 0;
    move(evolution, draws);
    (evolution->at_two_points ? cross_at_two_points : cross_each)(evolution, draws);
}

void differential_evolution_ask(struct differential_evolution *evolution, struct draws *draws)
{
    const struct bins *bins = evolution->bins;
    const bool is_member = evolution->n_members < MEMBERS;
    (is_member ? draw_member : draw_child)(evolution, draws);
    for (int i = 0; i < evolution->n_dimensions; i++) {
        evolution->code[i] = bins_index(bins, evolution->child[i]);
        if (!is_member)
            evolution->child[i] = bins->centres[evolution->code[i]];
    }
}

/* ---- Learning ---- */

void differential_evolution_tell(struct differential_evolution *evolution, double loss)
{
    struct evolution_member *parent = &evolution->members[evolution->parent];
    archive_add(&evolution->archive, evolution->code, evolution->point, loss);
    parent->told = ++evolution->time;
    if (loss > parent->loss)
        return;
    parent->loss = loss;
    memcpy(values_of(evolution, evolution->parent), evolution->child, value_bytes(evolution));
}

/* Of highest loss, and of those the oldest. */
static int worst_member(const struct differential_evolution *evolution)
{
    const struct evolution_member *members = evolution->members;
    int worst = 0;
    for (int i = 1; i < MEMBERS; i++) {
        if (members[i].loss > members[worst].loss ||
            (members[i].loss == members[worst].loss && members[i].joined < members[worst].joined))
            worst = i;
    }
    return worst;
}

void differential_evolution_inform(struct differential_evolution *evolution, const int32_t *code, double loss)
{
    archive_add(&evolution->archive, code, 0, loss);
    const bool is_full = evolution->n_members == MEMBERS;
    const int member = is_full ? worst_member(evolution) : evolution->n_members++;
    if (is_full && loss >= evolution->members[member].loss)
        return;
    const int64_t time = ++evolution->time;
    evolution->members[member] = (struct evolution_member){.loss = loss, .joined = time, .told = time};
    for (int i = 0; i < evolution->n_dimensions; i++)
        values_of(evolution, member)[i] = evolution->bins->centres[code[i]];
}
