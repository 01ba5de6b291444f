/* SPDX-License-Identifier: MIT */
/**
 * The journal: what is true while a campaign runs. One file per worker process (incarnation), never shared,
 * never opened again for writing, never cut: no locks, and a torn frame can only be the last of its file.
 *
 * File: <folder>/<shard>.<rank>.<host>.<pid>.<nonce>.journal, a sequence of frames, the first of which
 * describes the incarnation. Frame (all integers little-endian, every part a multiple of 8 bytes):
 *
 *   header   u64 magic, u32 version, u32 kind, u64 run key, u64 offset of the frame in its file,
 *            u64 payload bytes, u64 XXH3-64 of the header so far
 *   payload  incarnation: struct journal_incarnation
 *            finished:    struct record_sizes, record buffer (record.h)
 *            unfinished:  struct journal_progress, float32 score of every query told, padding
 *            values:      int64 how many, so many float32, padding
 *            round:       struct journal_round, int32 asked, float32 scores, each padded, news
 *   footer   u64 XXH3-64 of the payload, u64 commit word
 *
 * The header has its own checksum, so that a damaged length is never taken for a torn tail.
 * No function here is collective.
 */
#ifndef MEICENSUS_JOURNAL_H
#define MEICENSUS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "status.h"

enum { JOURNAL_TEXT_BYTES = 128 };

/** With what a record was computed. Texts are UTF-8, zero-padded to the end. */
struct journal_identity {
    char backend[JOURNAL_TEXT_BYTES];   /**< cpu, cuda */
    char isa[JOURNAL_TEXT_BYTES];       /**< reference, avx2, avx512, amx; CUDA: compute capability */
    char blas_core[JOURNAL_TEXT_BYTES]; /**< as the BLAS library names it */
    char precision[JOURNAL_TEXT_BYTES];
    char device[JOURNAL_TEXT_BYTES]; /**< CUDA: device model; CPU: empty */
    int64_t batch;                   /**< CUDA: images a call; CPU: 0, where results do not depend on it */
};

/** One worker process. Zero-initialise, so that padding is equal too. */
struct journal_incarnation {
    struct journal_identity identity;
    char host[JOURNAL_TEXT_BYTES];
    char date[JOURNAL_TEXT_BYTES]; /**< start of the process, UTC, ISO 8601: sorts by time */
    char program_version[JOURNAL_TEXT_BYTES];
    char job_digest[JOURNAL_TEXT_BYTES]; /**< of everything that results depend on; a reader compares it */
    int64_t rank;
    int64_t pid;
};

/** Same backend, ISA, BLAS core, precision, device and batch. An unknown identity equals nothing. */
bool journal_identity_equal(const struct journal_identity *a, const struct journal_identity *b);

/** How far an unfinished run had come. */
struct journal_progress {
    int64_t n_told;      /**< scores told to the method */
    uint64_t codes_hash; /**< rolling hash of the codes asked up to there */
};

/** What one image did to one unit of a census whose units share their images. */
struct journal_news {
    int64_t image; /**< of the census, from 0; -1: only that the unit was active at all */
    int32_t unit;  /**< by its place in the census */
    float score;
};

/** A round of such a census; arrays follow it in a frame. */
struct journal_round {
    int64_t number; /**< from 0 */
    int64_t first;  /**< the census' number of its first image */
    int64_t n_asked, n_images, n_news;
    uint64_t codes_hash; /**< rolling, of the codes of all rounds so far */
};

enum journal_kind {
    JOURNAL_INCARNATION = 1,
    JOURNAL_FINISHED,
    JOURNAL_UNFINISHED,
    JOURNAL_VALUES,
    JOURNAL_ROUND
};

/* ---- writing ---- */

/** A journal open for appending: one per process. */
struct journal;

/**
 * Create the file in `folder` (which exists), write the incarnation frame and make both durable (fdatasync
 * of the file, fsync of the folder). STATUS_IO names the file and the fault.
 * `incarnation` is copied; *journal is closed by journal_close.
 */
enum status journal_create(const char *folder, int shard, const struct journal_incarnation *incarnation,
                           struct journal **journal, struct error *error);

/**
 * Append a run. When STATUS_OK is returned the frame is durable (written, fdatasync): only then may the run
 * be reported as done. A fault (STATUS_IO, with file and reason) is final for this file: nothing is tried
 * again, and every later call fails with the same message.
 * record: `layout->n_bytes` bytes. scores: [progress->n_told] float32.
 */
enum status journal_append_finished(struct journal *journal, uint64_t key, const struct record_layout *layout,
                                    const void *record, struct error *error);
enum status journal_append_unfinished(struct journal *journal, uint64_t key,
                                      const struct journal_progress *progress, const float *scores,
                                      struct error *error);

/** Append plain numbers under a key of the caller's. Durability and faults as above. values: [n_values]. */
enum status journal_append_values(struct journal *journal, uint64_t key, const float *values,
                                  int64_t n_values, struct error *error);

/**
 * Append a round under the key of its census. Durability and faults as above. asked [n_asked]: units whose
 * searches were asked; scores [n_images]: of each image for the unit that it was bred for; news [n_news].
 */
enum status journal_append_round(struct journal *journal, uint64_t key, const struct journal_round *round,
                                 const int32_t *asked, const float *scores, const struct journal_news *news,
                                 struct error *error);

/** Path of the file; belongs to the journal. */
const char *journal_path(const struct journal *journal);

/** Close the file and free the journal (also after a fault; NULL is allowed). */
enum status journal_close(struct journal *journal, struct error *error);

/* ---- reading ---- */

/** An intact frame of a run, or of plain numbers. All pointers lead into the mapped file and live until
 * journal_folder_close. */
struct journal_frame {
    enum journal_kind kind; /**< any but JOURNAL_INCARNATION */
    uint64_t key;           /**< Philox key of the run or census; values: the caller's */
    const char *path;       /**< of the journal */
    size_t file;            /**< number of the journal in the folder, by sorted name */
    uint64_t offset;        /**< of the frame in the file */
    /** never NULL; all zero (texts "") when the incarnation frame itself was damaged */
    const struct journal_incarnation *incarnation;

    const struct record_sizes *sizes; /**< finished: sizes of the record */
    const void *record;               /**< finished: the record buffer, aligned to 8 bytes */
    size_t record_bytes;              /**< finished */

    struct journal_progress progress; /**< unfinished */
    const float *scores;              /**< unfinished: [progress.n_told] */

    int64_t n_values;
    const float *values; /**< values: [n_values] */

    const struct journal_round *round; /**< round */
    const int32_t *asked;              /**< round: [round->n_asked] */
    const float *round_scores;         /**< round: [round->n_images] */
    const struct journal_news *news;   /**< round: [round->n_news] */
};

/** Called for every intact frame of a run; any status but STATUS_OK ends the scan and is returned. */
typedef enum status journal_visit(void *context, const struct journal_frame *frame, struct error *error);

struct journal_counts {
    size_t n_files;
    size_t n_finished, n_unfinished, n_values, n_rounds; /**< intact frames */
    size_t n_torn;    /**< files whose last frame was not written to its end */
    size_t n_damaged; /**< damaged places */
};

/** The journals of a folder, mapped read-only. */
struct journal_folder;

/**
 * Map all journals of `folder`, of one shard or (shard = -1) of all, in the order of strcmp of their names.
 * Other files are passed over. Files may still grow: what is there now is seen. STATUS_IO names the file.
 */
enum status journal_folder_open(const char *folder, int shard, struct journal_folder **journals,
                                struct error *error);

/** How many journals; path and incarnation of one (all zero when not readable). Valid until
 * journal_folder_close. */
size_t journal_folder_files(const struct journal_folder *journals);
const char *journal_folder_path(const struct journal_folder *journals, size_t file);
const struct journal_incarnation *journal_folder_incarnation(const struct journal_folder *journals,
                                                             size_t file);

/**
 * Deliver every intact frame, file after file, in file order. A torn tail is counted and no fault. Damage
 * elsewhere does not stop the scan: once all intact frames have been delivered STATUS_DAMAGED names file and
 * offset of the first damaged place. STATUS_MISMATCH: frames of another format version. counts may be NULL.
 */
enum status journal_folder_scan(const struct journal_folder *journals, journal_visit *visit, void *context,
                                struct journal_counts *counts, struct error *error);

/** The run frame at `offset` of a journal, checked again: STATUS_DAMAGED if it is no intact frame. */
enum status journal_folder_frame(const struct journal_folder *journals, size_t file, uint64_t offset,
                                 struct journal_frame *frame, struct error *error);

/** NULL is allowed. */
void journal_folder_close(struct journal_folder *journals);

/** Open, scan, close: frames live only during the visit. */
enum status journal_scan_folder(const char *folder, int shard, journal_visit *visit, void *context,
                                struct journal_counts *counts, struct error *error);

#endif
