/* SPDX-License-Identifier: MIT */
#include "archive.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "memory.h"

/* utils.Pruning.sensible_default, for one worker and below 67,000 dimensions. */
enum { KEPT_AT_LEAST = 100, PRUNED_FROM = 1000 };

static const double VARIANCE_OF_ONE = 1e6;

enum status archive_prepare(struct archive *archive, int n_dimensions, struct error *error)
{
    *archive = (struct archive){.n_dimensions = n_dimensions, .capacity = PRUNED_FROM};
    archive->best = (struct archive_entry){.count = 1, .mean = INFINITY, .square = INFINITY};
    archive->best.variance = VARIANCE_OF_ONE;
    TRY(MEMORY_ALLOCATE(archive->entries, PRUNED_FROM, error));
    TRY(MEMORY_ALLOCATE(archive->codes, (size_t)PRUNED_FROM * (size_t)n_dimensions, error));
    TRY(MEMORY_ALLOCATE(archive->best_code, (size_t)n_dimensions, error));
    return MEMORY_ALLOCATE(archive->estimates, PRUNED_FROM, error);
}

void archive_release(struct archive *archive)
{
    free(archive->entries);
    free(archive->codes);
    free(archive->best_code);
    free(archive->estimates);
}

static int32_t *code_of(const struct archive *archive, int entry)
{
    return archive->codes + (ptrdiff_t)entry * archive->n_dimensions;
}

static size_t code_bytes(const struct archive *archive)
{
    return (size_t)archive->n_dimensions * sizeof(int32_t);
}

static double estimate(const struct archive_entry *entry, enum archive_estimate kind)
{
    double margin = 0.1 * sqrt(entry->variance / (1 + entry->count));
    if (kind == ARCHIVE_AVERAGE)
        return entry->mean;
    return kind == ARCHIVE_OPTIMISTIC ? entry->mean - margin : entry->mean + margin;
}

/* MultiValue.add_evaluation */
static void add_loss(struct archive_entry *entry, double loss)
{
    loss = fmin(fmax(loss, -1e10), 1e10);
    double count = entry->count + 1;
    entry->mean = entry->count / count * entry->mean + loss / count;
    entry->square = fmax((entry->count * entry->square + loss * loss) / count, entry->mean * entry->mean);
    entry->variance = sqrt(count / (count - 1)) * (entry->square - entry->mean * entry->mean);
    entry->count = count;
}

/* The entry of a point, or -1. */
static int find(const struct archive *archive, const int32_t *code, int point, uint64_t hash)
{
    for (int i = 0; i < archive->n_entries; i++) {
        const struct archive_entry *entry = &archive->entries[i];
        if (entry->hash == hash && entry->point == point &&
            memcmp(code_of(archive, i), code, code_bytes(archive)) == 0)
            return i;
    }
    return -1;
}

static void make_best(struct archive *archive, int entry)
{
    archive->best = archive->entries[entry];
    archive->best_is_kept = true;
    memcpy(archive->best_code, code_of(archive, entry), code_bytes(archive));
}

static int lowest_estimate(const struct archive *archive)
{
    int lowest = 0;
    for (int i = 1; i < archive->n_entries; i++) {
        if (estimate(&archive->entries[i], archive->best_by) <
            estimate(&archive->entries[lowest], archive->best_by))
            lowest = i;
    }
    return lowest;
}

static bool is_best(const struct archive *archive, int entry)
{
    const struct archive_entry *candidate = &archive->entries[entry];
    return archive->best_is_kept && candidate->hash == archive->best.hash &&
           candidate->point == archive->best.point &&
           memcmp(code_of(archive, entry), archive->best_code, code_bytes(archive)) == 0;
}

static void update_best(struct archive *archive, int changed, bool is_new)
{
    if (!is_new && is_best(archive, changed))
        make_best(archive, lowest_estimate(archive));
    else if (estimate(&archive->entries[changed], archive->best_by) <=
             estimate(&archive->best, archive->best_by))
        make_best(archive, changed);
}

static int compare_doubles(const void *first, const void *second)
{
    double a = *(const double *)first, b = *(const double *)second;
    return (a > b) - (a < b);
}

/* The quantile below which pruning keeps. */
static double pruning_limit(struct archive *archive, enum archive_estimate kind)
{
    int n = archive->n_entries;
    for (int i = 0; i < n; i++)
        archive->estimates[i] = estimate(&archive->entries[i], kind);
    qsort(archive->estimates, (size_t)n, sizeof *archive->estimates, compare_doubles);
    return archive->estimates[(int)((KEPT_AT_LEAST + 1.0) / n * (n - 1))];
}

static void prune(struct archive *archive)
{
    double limits[N_ARCHIVE_ESTIMATES];
    for (int kind = 0; kind < N_ARCHIVE_ESTIMATES; kind++)
        limits[kind] = pruning_limit(archive, (enum archive_estimate)kind);
    int n_kept = 0;
    bool best_is_kept = false;
    for (int i = 0; i < archive->n_entries; i++) {
        bool keep = false;
        for (int kind = 0; kind < N_ARCHIVE_ESTIMATES; kind++)
            keep = keep || estimate(&archive->entries[i], (enum archive_estimate)kind) < limits[kind];
        if (!keep)
            continue;
        best_is_kept = best_is_kept || is_best(archive, i);
        archive->entries[n_kept] = archive->entries[i];
        memmove(code_of(archive, n_kept), code_of(archive, i), code_bytes(archive));
        n_kept++;
    }
    archive->n_entries = n_kept;
    archive->best_is_kept = best_is_kept;
}

void archive_add(struct archive *archive, const int32_t *code, int point, double loss)
{
    uint64_t hash = hash_bytes(code, code_bytes(archive));
    int entry = find(archive, code, point, hash);
    bool is_new = entry < 0;
    if (is_new) {
        entry = archive->n_entries++;
        archive->entries[entry] = (struct archive_entry){hash, point, 1, loss, loss * loss, VARIANCE_OF_ONE};
        memcpy(code_of(archive, entry), code, code_bytes(archive));
    } else {
        add_loss(&archive->entries[entry], loss);
    }
    update_best(archive, entry, is_new);
    if (archive->n_entries >= PRUNED_FROM)
        prune(archive);
}
