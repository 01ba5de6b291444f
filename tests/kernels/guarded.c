/* SPDX-License-Identifier: MIT */
#include "guarded.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAND_FLOATS = 64 };

/** Quiet NaNs, told apart by their payload. */
static const uint32_t band_bits = 0x7FC0BEEF, empty_bits = 0x7FC0DEAD;

static void write_bits(unsigned char *at, size_t n, uint32_t bits)
{
    for (size_t i = 0; i < n; i++)
        memcpy(at + 4 * i, &bits, 4);
}

static bool has_bits(const unsigned char *at, size_t n, uint32_t bits)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(at + 4 * i, &bits, 4) != 0)
            return false;
    return true;
}

static const struct kernel_memory *shared;

void guarded_share(const struct kernel_memory *memory)
{
    shared = memory;
}

static unsigned char *make_block(size_t n_bytes)
{
    struct error error = {0};
    void *block = NULL;
    if (shared == NULL)
        block = aligned_alloc(64, n_bytes);
    else if (shared->allocate_shared(n_bytes, &block, &error) != STATUS_OK)
        fprintf(stderr, "%s\n", error.message);
    if (block == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return block;
}

struct guarded guarded_make(size_t n)
{
    unsigned char *block = make_block((4 * (n + 2 * (size_t)BAND_FLOATS) + 63) / 64 * 64);
    write_bits(block, BAND_FLOATS, band_bits);
    write_bits(block + 4 * BAND_FLOATS, n, empty_bits);
    write_bits(block + 4 * (BAND_FLOATS + n), BAND_FLOATS, band_bits);
    return (struct guarded){(float *)(void *)(block + 4 * BAND_FLOATS), n, block, shared};
}

void guarded_free(struct guarded *guarded)
{
    if (guarded->memory == NULL)
        free(guarded->block);
    else
        guarded->memory->release_shared(guarded->block);
}

bool guarded_is_intact(const struct guarded *guarded)
{
    return has_bits(guarded->block, BAND_FLOATS, band_bits) &&
           has_bits(guarded->block + 4 * (BAND_FLOATS + guarded->n), BAND_FLOATS, band_bits);
}

bool guarded_is_filled(const struct guarded *guarded)
{
    for (size_t i = 0; i < guarded->n; i++)
        if (memcmp(&guarded->values[i], &empty_bits, 4) == 0)
            return false;
    return true;
}

bool guarded_equal(const struct guarded *a, const struct guarded *b)
{
    return a->n == b->n && memcmp(a->values, b->values, 4 * a->n) == 0;
}

static uint64_t next_word(struct stream *stream)
{
    uint64_t z = stream->state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

int stream_integer(struct stream *stream, int lowest, int highest)
{
    return lowest + (int)(next_word(stream) % (uint64_t)(highest - lowest + 1));
}

double stream_uniform(struct stream *stream)
{
    return (double)(next_word(stream) >> 11) * 0x1p-53;
}

double stream_normal(struct stream *stream)
{
    const double radius = sqrt(-2 * log(1 - stream_uniform(stream)));
    return radius * cos(6.283185307179586 * stream_uniform(stream));
}

static double draw(struct stream *stream, enum fill fill)
{
    switch (fill) {
    case FILL_SPIKES:
        return stream_integer(stream, 0, 7) == 0 ? 1 : 0;
    case FILL_CANCEL:
        return (stream_integer(stream, 0, 1) == 0 ? -1e4 : 1e4) + stream_normal(stream);
    case FILL_TINY:
        return 1e-30 * stream_normal(stream);
    case FILL_EIGHTHS:
        return stream_integer(stream, -16, 16) / 8.0;
    default:
        return stream_normal(stream);
    }
}

void guarded_fill(const struct guarded *guarded, struct stream *stream, enum fill fill)
{
    for (size_t i = 0; i < guarded->n; i++)
        guarded->values[i] = (float)draw(stream, fill);
}
