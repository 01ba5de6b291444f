/* SPDX-License-Identifier: MIT */
/* A hash table with open addressing; at most half full. */
#include "seen_codes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "memory.h"

struct entry {
    uint64_t low, high; /**< both 0: free */
    float score;
};

struct seen_codes {
    struct entry *entries;
    size_t n_slots, n_used; /**< n_slots: a power of two */
};

enum { FIRST_SLOTS = 1024 };

enum status seen_codes_create(struct seen_codes **result, struct error *error)
{
    struct seen_codes *seen = NULL;
    TRY(MEMORY_ALLOCATE(seen, 1, error));
    seen->n_slots = FIRST_SLOTS;
    enum status status = MEMORY_ALLOCATE(seen->entries, seen->n_slots, error);
    if (status != STATUS_OK) {
        free(seen);
        return status;
    }
    *result = seen;
    return STATUS_OK;
}

void seen_codes_clear(struct seen_codes *seen)
{
    memset(seen->entries, 0, seen->n_slots * sizeof *seen->entries);
    seen->n_used = 0;
}

void seen_codes_free(struct seen_codes *seen)
{
    if (seen == NULL)
        return;
    free(seen->entries);
    free(seen);
}

/** The entry of this hash, or the free one where it belongs. */
static struct entry *find_slot(struct entry *entries, size_t n_slots, XXH128_hash_t hash)
{
    size_t slot = (size_t)hash.low64 & (n_slots - 1);
    while ((entries[slot].low != 0 || entries[slot].high != 0) &&
           (entries[slot].low != hash.low64 || entries[slot].high != hash.high64))
        slot = (slot + 1) & (n_slots - 1);
    return &entries[slot];
}

bool seen_codes_find(const struct seen_codes *seen, const void *code, size_t n_bytes, float *score)
{
    const XXH128_hash_t hash = XXH3_128bits(code, n_bytes);
    const struct entry *entry = find_slot(seen->entries, seen->n_slots, hash);
    if (entry->low == 0 && entry->high == 0)
        return false;
    *score = entry->score;
    return true;
}

static bool grow(struct seen_codes *seen)
{
    struct error ignored = {0};
    struct entry *larger = NULL;
    const size_t n_slots = seen->n_slots * 2;
    if (MEMORY_ALLOCATE(larger, n_slots, &ignored) != STATUS_OK)
        return false;
    for (size_t i = 0; i < seen->n_slots; i++)
        if (seen->entries[i].low != 0 || seen->entries[i].high != 0)
            *find_slot(larger, n_slots, (XXH128_hash_t){seen->entries[i].low, seen->entries[i].high}) =
                seen->entries[i];
    free(seen->entries);
    seen->entries = larger;
    seen->n_slots = n_slots;
    return true;
}

void seen_codes_add(struct seen_codes *seen, const void *code, size_t n_bytes, float score)
{
    const XXH128_hash_t hash = XXH3_128bits(code, n_bytes);
    if (2 * (seen->n_used + 1) > seen->n_slots && !grow(seen))
        return;
    *find_slot(seen->entries, seen->n_slots, hash) = (struct entry){hash.low64, hash.high64, score};
    seen->n_used++;
}
