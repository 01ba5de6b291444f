/* SPDX-License-Identifier: MIT */
/**
 * The parts of natural references while they are made, in the folder `<output>.parts`:
 *   natural.txt    what they depend on, a line each
 *   *.journal      activations by chunk of images (journal.h, JOURNAL_VALUES): key: number of the chunk;
 *                  values: [unit][image of the chunk]
 *   natural.lock   held while somebody works on them
 */
#ifndef MEICENSUS_NATURAL_PARTS_H
#define MEICENSUS_NATURAL_PARTS_H

#include "folder.h"
#include "journal.h"

enum { NATURAL_CHUNK_IMAGES = 250 };

struct natural_parts {
    char folder[FOLDER_PATH_CAPACITY];
    char *facts;
    char digest[SHA256_TEXT_CAPACITY]; /**< of facts */
    int64_t n_units, n_images, n_chunks;
    int lock;                        /**< -1: not held */
    struct journal_folder *journals; /**< mapped by natural_parts_read */
    const float **chunks;            /**< [n_chunks]; NULL: not there yet */
};

/** Images of a chunk, and the first of them. */
int64_t natural_chunk_images(const struct natural_parts *parts, int64_t chunk);
int64_t natural_chunk_first(int64_t chunk);

/** Take the folder and write natural.txt, or compare with the one that is there. STATUS_MISMATCH names the
 * first difference. */
enum status natural_parts_take(struct natural_parts *parts, struct error *error);

/** Map what the journals hold; every checksum is checked. STATUS_DAMAGED, STATUS_MISMATCH, STATUS_IO. */
enum status natural_parts_read(struct natural_parts *parts, struct error *error);

/** Delete the folder, the lock still being held. What is left behind is no fault. */
void natural_parts_delete(struct natural_parts *parts);

/** Forget the mapping, unlock. Also after a fault. */
void natural_parts_close(struct natural_parts *parts);

#endif
