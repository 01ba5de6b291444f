/* SPDX-License-Identifier: MIT */
/**
 * Writing and checking the results file (layout: results.h; fields of the runs: record.h).
 *
 * Dimension legend: unit = row of the group's unit list, replicate = 0 .. n_replicates - 1.
 */
#ifndef MEICENSUS_RESULTS_FILE_H
#define MEICENSUS_RESULTS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mpi.h>

#include "journal.h"
#include "natural_file.h"
#include "record.h"
#include "results.h"
#include "status.h"

/** One unit that any run is about. */
struct results_unit {
    const char *layer;
    int32_t layer_index;
    uint8_t kind; /**< enum unit_kind */
    int32_t channel, y, x;
};

/** /units/<name> */
struct results_subject {
    const char *name;
    size_t n_units;
    const struct results_unit *units; /**< [n_units] in network order */
    size_t n_layers;
    const char *const *layers; /**< [n_layers] all selectable layers, network order */
    const char *model_sha256;
};

/** /census/<subject>/<generator>/<method> */
struct results_group {
    const char *subject, *generator, *method;
    const char *settings; /**< YAML of the method's settings */
    const char *mode;     /**< "independent" or "shared" */
    struct record_sizes sizes;
    int64_t first_budget; /**< queries that the method planned with */
    bool include_trace;
    size_t n_units;
    const int32_t *unit_rows; /**< [n_units] row of /units/<subject> */
    size_t n_replicates;
    const char *const *class_names; /**< [sizes.classes] */
    bool minimise;
    int32_t timesteps;
    const char *noise;
    double noise_scale;
    const char *search_noise; /**< of the queries */
    double search_noise_scale;
    int64_t recheck_presentations; /**< of each candidate */
    double distinct;               /**< weight of closeness to earlier replicates */
    const double *mean, *std;      /**< [sizes.channels] RGB = mei * std + mean */
    const char *how_to_read;       /**< how the latent indices become the generator's input */
    int32_t latent_points;
    const char *latent_kind; /**< "grid" or "codebook" */
};

struct results_incarnation {
    const struct journal_incarnation *incarnation;
    const char *journal; /**< name of its file */
};

struct results_weight {
    const char *name, *path, *sha256;
};

/** /natural/<subject>, and its row in /provenance/natural. */
struct results_natural {
    const char *subject;
    const struct natural_table *table;
    const char *file, *sha256, *data; /**< where it was, of its content, where its dataset was */
};

/** What one run left. */
struct results_row {
    const void
        *record; /**< buffer laid out by record_layout_make(&group->sizes), 8-byte aligned; NULL: missing */
    int32_t incarnation; /**< row of /provenance/incarnations; -1 for a missing run */
};

/** Find the record of a run. Asked for any (group, unit, replicate) by any rank, several times; the record
 *  has to stay where it is until results_file_write returns. */
typedef enum status results_find_row(void *context, size_t group, size_t unit, size_t replicate,
                                     struct results_row *row, struct error *error);

/** Everything a results file says. Equal on all ranks but for `context`. Belongs to the caller. */
struct results_description {
    const char *title;
    const char *source; /**< program and version */
    size_t n_subjects;
    const struct results_subject *subjects;
    size_t n_groups;
    const struct results_group *groups;
    results_find_row *find_row;
    void *context;

    /* /provenance */
    const char *job, *settings; /**< texts */
    const char *program_version, *code_revision, *compiler, *flags;
    const char *date;          /**< of the gather */
    int64_t duplicate_records; /**< records passed over because another one of the run came first */
    size_t n_incarnations;
    const struct results_incarnation *incarnations;
    size_t n_weights;
    const struct results_weight *weights;

    size_t n_naturals; /**< on rank 0 only */
    const struct results_natural *naturals;
};

/** What is in a results file. */
struct results_summary {
    size_t n_groups, n_datasets;
    size_t n_done, n_failed, n_missing; /**< runs */
};

/**
 * Write the results file. Collective: all ranks of comm.
 *
 * `<path>.part` is written by all ranks (units in contiguous blocks of whole chunks), closed, completed with
 * tables and attributes by rank 0, read back by all ranks and compared with the records byte for byte, sealed
 * with a checksum over the whole file, made durable and renamed to `path`. On a fault all ranks return the
 * same status and message, `path` is as it was, and `<path>.part` is gone.
 * STATUS_IO: disk full and the like. STATUS_DAMAGED: what was read back differs. STATUS_INTERNAL: a
 * description that contradicts itself. `summary` may be NULL.
 */
enum status results_file_write(MPI_Comm comm, const char *path, const struct results_description *description,
                               struct results_summary *summary, struct error *error);

/**
 * Check a whole results file: its seal (any changed, lost or added byte), then what HDF5 says: every dataset
 * is read (Fletcher-32), format attributes, arrays against the record table, counts. Not collective.
 * STATUS_IO: cannot be read. STATUS_BAD_INPUT: no results file, or another format version.
 * STATUS_DAMAGED: cut, changed or inconsistent; the message says where.
 */
enum status results_file_verify(const char *path, struct results_summary *summary, struct error *error);

enum { MPI_IO_TEXT_CAPACITY = 64 };

/** Which MPI-IO component this process has in use ("ompio", "romio", ..., "unknown"): right after a file was
 * opened. */
void mpi_io_component(char text[MPI_IO_TEXT_CAPACITY]);

/** Version of the HDF5 library in use, e.g. "1.10.8". */
enum { HDF5_VERSION_CAPACITY = 32 };
void hdf5_version(char text[HDF5_VERSION_CAPACITY]);

#endif
