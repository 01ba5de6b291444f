/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

static enum status sync_path(const char *path, int flags, struct error *error)
{
    int descriptor = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    enum status status = STATUS_OK;
    if (fsync(descriptor) != 0)
        status = error_set_errno(error, STATUS_IO, "%s: cannot be made durable (fsync)", path);
    close(descriptor);
    return status;
}

enum status folder_sync(const char *folder, struct error *error)
{
    return sync_path(folder, O_DIRECTORY, error);
}

enum status file_sync(const char *path, struct error *error)
{
    return sync_path(path, 0, error);
}

enum status folder_of_file_sync(const char *path, struct error *error)
{
    char *copy = NULL;
    TRY(memory_copy_text(&copy, path, error));
    enum status status = folder_sync(dirname(copy), error);
    free(copy);
    return status;
}

enum status file_publish(const char *part, const char *path, struct error *error)
{
    TRY(file_sync(part, error));
    if (rename(part, path) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be renamed to %s", part, path);
    return folder_of_file_sync(path, error);
}

enum status file_part_name(const char *path, char **part, struct error *error)
{
    size_t n_bytes = strlen(path) + sizeof ".part";
    TRY(MEMORY_ALLOCATE(*part, n_bytes, error));
    snprintf(*part, n_bytes, "%s.part", path);
    return STATUS_OK;
}
