/* SPDX-License-Identifier: MIT */
#include "journal_frame.h"

#include <stdbool.h>
#include <string.h>

#include "hash.h"

/* "MEIframe" and a word without a zero byte, no byte of which is one bit away from zero: a zero-filled tail
 * and a flipped bit in the commit word can be told apart. */
static const uint64_t magic_word = 0x656d61726649454dULL;
static const uint64_t commit_word = 0x5ac3a53c96c3695aULL;

void frame_seal(struct frame_header *header, const void *payload, struct frame_footer *footer)
{
    header->magic = magic_word;
    header->version = FRAME_VERSION;
    header->checksum = hash_bytes(header, offsetof(struct frame_header, checksum));
    footer->payload_checksum = hash_bytes(payload, header->payload_bytes);
    footer->commit = commit_word;
}

static bool header_is_intact(const struct frame_header *header, size_t offset)
{
    return header->magic == magic_word && header->offset == offset &&
           header->checksum == hash_bytes(header, offsetof(struct frame_header, checksum));
}

static size_t start_of_trailing_zeros(const unsigned char *file, size_t n_bytes, size_t offset)
{
    size_t start = n_bytes;
    while (start > offset && file[start - 1] == 0)
        start--;
    return start;
}

/* Cut, or filled with zeros, before the header was complete. Anything else in its place is damage. */
static bool header_is_torn(const unsigned char *file, size_t n_bytes, size_t offset)
{
    size_t written = start_of_trailing_zeros(file, n_bytes, offset) - offset;
    if (written >= sizeof(struct frame_header))
        return false;
    size_t comparable = written < sizeof magic_word ? written : sizeof magic_word;
    return memcmp(file + offset, &magic_word, comparable) == 0 &&
           (n_bytes - offset < sizeof(struct frame_header) || written < n_bytes - offset);
}

enum frame_state frame_check(const unsigned char *file, size_t n_bytes, size_t offset,
                             struct frame_header *header, const unsigned char **payload, size_t *next)
{
    const size_t available = n_bytes - offset;
    *next = offset + FRAME_ALIGNMENT;
    if (available >= sizeof *header)
        memcpy(header, file + offset, sizeof *header);
    if (available < sizeof *header || !header_is_intact(header, offset))
        return header_is_torn(file, n_bytes, offset) ? FRAME_TORN : FRAME_DAMAGED;
    if (header->version != FRAME_VERSION)
        return FRAME_FOREIGN;
    if (header->payload_bytes % FRAME_ALIGNMENT != 0)
        return FRAME_DAMAGED;
    if (available - sizeof *header < sizeof(struct frame_footer) ||
        header->payload_bytes > available - sizeof *header - sizeof(struct frame_footer))
        return FRAME_TORN;

    struct frame_footer footer;
    *payload = file + offset + sizeof *header;
    memcpy(&footer, *payload + header->payload_bytes, sizeof footer);
    *next = offset + sizeof *header + header->payload_bytes + sizeof footer;
    if (footer.commit == commit_word &&
        footer.payload_checksum == hash_bytes(*payload, header->payload_bytes))
        return FRAME_INTACT;
    /* Power loss can leave the length of a file right and its last blocks zero. */
    return start_of_trailing_zeros(file, n_bytes, offset) < *next ? FRAME_TORN : FRAME_DAMAGED;
}

size_t frame_find(const unsigned char *file, size_t n_bytes, size_t offset)
{
    for (; offset < n_bytes && n_bytes - offset >= sizeof(struct frame_header); offset += FRAME_ALIGNMENT) {
        struct frame_header header;
        if (memcmp(file + offset, &magic_word, sizeof magic_word) != 0)
            continue;
        memcpy(&header, file + offset, sizeof header);
        if (header_is_intact(&header, offset))
            return offset;
    }
    return n_bytes;
}

static size_t whole_words(size_t n_bytes)
{
    return (n_bytes + FRAME_ALIGNMENT - 1) / FRAME_ALIGNMENT * FRAME_ALIGNMENT;
}

struct round_places round_places(const struct journal_round *round)
{
    struct round_places places = {0};
    places.scores = whole_words((size_t)round->n_asked * sizeof(int32_t));
    places.news = places.scores + whole_words((size_t)round->n_images * sizeof(float));
    places.n_bytes = places.news + (size_t)round->n_news * sizeof(struct journal_news);
    return places;
}

bool round_is_possible(const struct journal_round *round, size_t n_bytes)
{
    const int64_t most = (int64_t)(n_bytes / sizeof(int32_t));
    return round->number >= 0 && round->first >= 0 && round->n_asked >= 0 && round->n_asked <= most &&
           round->n_images >= 0 && round->n_images <= most && round->n_news >= 0 && round->n_news <= most;
}
