/* SPDX-License-Identifier: MIT */
/**
 * The seal: HDF5 leaves the first 512 bytes of a file to the user (its user block). There stands, as text,
 * the length of the file and a checksum of all that follows, so that any changed, lost or added byte shows,
 * also where HDF5 itself has no checksums (its own headers).
 */
#ifndef MEICENSUS_RESULTS_SEAL_H
#define MEICENSUS_RESULTS_SEAL_H

#include "status.h"

enum { SEAL_BYTES = 512 };

/** Write the seal of a closed file. STATUS_IO names the file. */
enum status results_seal_write(const char *path, struct error *error);

/** STATUS_IO: cannot be read. STATUS_BAD_INPUT: no results file. STATUS_DAMAGED: cut or changed. */
enum status results_seal_check(const char *path, struct error *error);

#endif
