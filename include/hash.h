/* SPDX-License-Identifier: MIT */
/** Hashes: XXH3-64 for keys and checksums (not against malice), SHA-256 for the identity of files. */
#ifndef MEICENSUS_HASH_H
#define MEICENSUS_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

enum { SHA256_TEXT_CAPACITY = 65 };

/** XXH3-64 with seed 0. */
uint64_t hash_bytes(const void *bytes, size_t n_bytes);

/** XXH3-64 of `bytes` seeded with an earlier hash: a rolling hash over a sequence of blocks. */
uint64_t hash_continue(uint64_t previous, const void *bytes, size_t n_bytes);

/** SHA-256 of a file's content / of bytes, as 64 lower-case hexadecimal digits. STATUS_IO names the file. */
enum status hash_file_sha256(const char *path, char text[SHA256_TEXT_CAPACITY], struct error *error);
enum status hash_bytes_sha256(const void *bytes, size_t n_bytes, char text[SHA256_TEXT_CAPACITY],
                              struct error *error);

#endif
