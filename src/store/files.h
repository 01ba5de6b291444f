/* SPDX-License-Identifier: MIT */
/** Making names durable: an fsync of a file does not cover its entry in the folder. */
#ifndef MEICENSUS_FILES_H
#define MEICENSUS_FILES_H

#include <stddef.h>

#include "status.h"

/** fsync of a folder / of the folder that holds `path`. STATUS_IO names it. */
enum status folder_sync(const char *folder, struct error *error);
enum status folder_of_file_sync(const char *path, struct error *error);

/** fsync of a file by its path. */
enum status file_sync(const char *path, struct error *error);

/**
 * Reserve disk space so that the file can grow to n_bytes; its length stays. Where the file system cannot
 * reserve, free space is compared. STATUS_IO: there is not enough, or the size is not allowed.
 */
enum status file_reserve(const char *path, size_t n_bytes, struct error *error);

/** Give back what was reserved beyond the end of the file. */
void file_release(const char *path);

/** Make `part` durable, give it the name `path`, make the name durable. */
enum status file_publish(const char *part, const char *path, struct error *error);

/** "<path>.part"; the caller frees it. */
enum status file_part_name(const char *path, char **part, struct error *error);

#endif
