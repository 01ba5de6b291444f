/* SPDX-License-Identifier: MIT */
/**
 * Names in the results file: the contract between src/store/ (writes) and analysis/ (reads).
 * Fields of the runs are in record.h.
 *
 *   /                    attributes: format ("meicensus results"), format_version (2), Conventions,
 *                        title, source (program and version), complete (uint8: every run present)
 *   /census/<subject>/<generator>/<method>/
 *                        arrays over [unit][replicate][...], one per record field (record.h), and
 *       unit             [unit] int32: row of /units/<subject>
 *       replicate        [replicate] int32: 0, 1, ..
 *       history_queries  [history] int64: queries after which `history` was sampled
 *       class_name       [class] text
 *       trials/...       repeated presentations
 *       attributes       subject, generator, method (texts), settings (YAML of the method's settings),
 *                        mode ("independent"; "shared": all units saw all images, and budget, queries,
 *                        best_query and history count those of all units together),
 *                        budget (int64), minimise (uint8), timesteps (int32), noise (name),
 *                        noise_scale (float64), search_noise (name), search_noise_scale (float64),
 *                        recheck_presentations (int64), distinct (float64),
 *                        mean, std (float64 [channel]; RGB = mei * std + mean),
 *                        how_to_read (text), latent_points (int32), latent_kind ("grid" or "codebook")
 *   /units/<subject>/    one row per unit of the subject that any run is about, in network order:
 *       layer            text
 *       layer_index      int32: 0 = first spiking (or selectable) layer
 *       kind             uint8: 0 channel, 1 neuron, 2 class
 *       channel, y, x    int32 (-1 where not meant)
 *       attributes       layers (text list of all selectable layers, network order), model_sha256
 *   /natural/<subject>/  the images of a dataset that excite the units most; only where the job names natural
 *                        references of the subject (natural_file.h):
 *       unit             [unit] int32: row of /units/<subject>; single neurons have none
 *       place            [place] int32: 0 is the most exciting image
 *       top_image, top_label, top_activation   [unit][place] int64, int32, float32
 *       probability      [probability] float64
 *       quantile         [unit][probability] float32, of the activation over the dataset
 *       mean, std        [unit] float32
 *       class_name       [class_name] text
 *       class_mean       [unit][class_name] float32; NaN for a class without images
 *       class_images     [class_name] int64
 *       image            [image] int64: the numbers, rising, of the images in rgb8
 *       rgb8             [image][y][x][colour] uint8; image and rgb8 only if the references hold images
 *       attributes       as those of natural.h5
 *   /provenance/         everything that may differ between two executions of one job:
 *       job, settings    texts: the job file; the settings in use
 *       incarnations/    per process: backend, isa, blas_core, precision, device, batch (its identity),
 *                        host, rank, pid, date, program_version, journal
 *       runs/<subject>/<generator>/<method>/   provenance fields of record.h; attribute first_budget (int64):
 *                        the budget of the campaign before it was extended, with which its method planned
 *       weights/         name, path, sha256 of model and tensor files: of the subjects in the job's order,
 *                        then of the generators; then of the files that searches start from
 *       natural/         subject, file, sha256, data: files of natural references, and what
 * their dataset was attributes       program_version, code_revision, compiler, flags, mpi_library, mpi_io,
 *                        hdf5_version, ranks, date, duplicate_records (int64: records passed over
 *                        because another one of the run came first)
 *
 * Every array has named dimensions (HDF5 dimension scales in its group): beside those above dimension,
 * channel, y, x, trial, query, candidate; in the tables unit, incarnation, file, reference. Its attributes
 * are units, long_name, description, and _FillValue where a missing run shows it (NaN; -1 for int32). A field
 * with an extent of 0 (no trials) is left out, and so is a table without rows. Text attributes are of
 * variable length, text datasets of fixed length, zero-padded; both UTF-8. Arrays carry Fletcher-32
 * checksums; the first 512 bytes of the file (HDF5's user block) hold its length and an XXH3-64 of the rest.
 *
 * Everything outside /provenance is equal bit for bit between executions of one job.
 */
#ifndef MEICENSUS_RESULTS_H
#define MEICENSUS_RESULTS_H

#define RESULTS_FORMAT         "meicensus results"
#define RESULTS_FORMAT_VERSION 2

#define RESULTS_CENSUS     "/census"
#define RESULTS_UNITS      "/units"
#define RESULTS_NATURAL    "/natural"
#define RESULTS_PROVENANCE "/provenance"

#define RESULTS_UNIT            "unit"
#define RESULTS_REPLICATE       "replicate"
#define RESULTS_HISTORY_QUERIES "history_queries"
#define RESULTS_CLASS_NAME      "class_name"

#define RESULTS_LAYER       "layer"
#define RESULTS_LAYER_INDEX "layer_index"
#define RESULTS_KIND        "kind"
#define RESULTS_CHANNEL     "channel"
#define RESULTS_Y           "y"
#define RESULTS_X           "x"

#define NATURAL_PLACE          "place"
#define NATURAL_IMAGE          "image"
#define NATURAL_RGB8           "rgb8"
#define NATURAL_TOP_IMAGE      "top_image"
#define NATURAL_TOP_LABEL      "top_label"
#define NATURAL_TOP_ACTIVATION "top_activation"
#define NATURAL_N_IMAGES       "n_images"

enum unit_kind { UNIT_CHANNEL, UNIT_NEURON, UNIT_CLASS };

#endif
