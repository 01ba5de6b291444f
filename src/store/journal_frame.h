/* SPDX-License-Identifier: MIT */
/** One frame of a journal: its header and footer, and whether bytes hold an intact one. */
#ifndef MEICENSUS_JOURNAL_FRAME_H
#define MEICENSUS_JOURNAL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"

enum { FRAME_VERSION = 2, FRAME_ALIGNMENT = 8 };

struct frame_header {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    uint64_t key;
    uint64_t offset; /**< of the frame in its file: a misplaced block is not taken for a record */
    uint64_t payload_bytes;
    uint64_t checksum; /**< XXH3-64 of the members above */
};

struct frame_footer {
    uint64_t payload_checksum;
    uint64_t commit;
};

/** Fill in header (from kind, key, offset, payload_bytes) and footer of a frame around a payload. */
void frame_seal(struct frame_header *header, const void *payload, struct frame_footer *footer);

enum frame_state {
    FRAME_INTACT,
    FRAME_TORN, /**< the last of the file, not written to its end */
    FRAME_DAMAGED,
    FRAME_FOREIGN /**< intact header of another format version */
};

/**
 * Judge what stands at `offset` (a multiple of 8, below n_bytes) of a file of n_bytes.
 * FRAME_INTACT: header and payload are set. Other states: *next is where the search for the next frame
 * begins.
 */
enum frame_state frame_check(const unsigned char *file, size_t n_bytes, size_t offset,
                             struct frame_header *header, const unsigned char **payload, size_t *next);

/** First offset at or after `offset` with an intact header, or n_bytes. */
size_t frame_find(const unsigned char *file, size_t n_bytes, size_t offset);

/** Where the arrays of a round begin, in bytes after struct journal_round. */
struct round_places {
    size_t asked, scores, news, n_bytes;
};

struct round_places round_places(const struct journal_round *round);

/** Could a round with these numbers stand in so many bytes? */
bool round_is_possible(const struct journal_round *round, size_t n_bytes);

#endif
