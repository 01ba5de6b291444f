/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "memory.h"

static enum status sync_path(const char *path, int flags, struct error *error)
{
    int descriptor = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    enum status status = STATUS_OK;
    /* Some file systems have no fsync of folders and say EINVAL. */
    if (fsync(descriptor) != 0 && !((flags & O_DIRECTORY) != 0 && errno == EINVAL))
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
    if (rename(part, path) != 0) {
        const int reason = errno;
        /* Over NFS an answer can be lost: then the rename has happened although it says that it failed. */
        const bool happened = access(part, F_OK) != 0 && access(path, F_OK) == 0;
        errno = reason;
        if (!happened)
            return error_set_errno(error, STATUS_IO, "%s: cannot be renamed to %s", part, path);
    }
    return folder_of_file_sync(path, error);
}

enum status file_part_name(const char *path, char **part, struct error *error)
{
    size_t n_bytes = strlen(path) + sizeof ".part";
    TRY(MEMORY_ALLOCATE(*part, n_bytes, error));
    snprintf(*part, n_bytes, "%s.part", path);
    return STATUS_OK;
}

/* 0, or the errno that says why the space cannot be had. */
static int reserve(int descriptor, size_t n_bytes)
{
    struct rlimit limit;
    struct statvfs file_system;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < n_bytes)
        return EFBIG;
    if (fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, (off_t)n_bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return errno;
    if (fstatvfs(descriptor, &file_system) == 0 && file_system.f_bavail < n_bytes / file_system.f_frsize)
        return ENOSPC;
    return 0;
}

enum status file_reserve(const char *path, size_t n_bytes, struct error *error)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    const int reason = reserve(descriptor, n_bytes);
    close(descriptor);
    errno = reason;
    return reason == 0
               ? STATUS_OK
               : error_set_errno(error, STATUS_IO, "%s: needs up to %zu bytes of disk space", path, n_bytes);
}

void file_release(const char *path)
{
    struct stat information;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return;
    /* File systems differ in which of the two they do; neither changes the content. */
    if (fstat(descriptor, &information) == 0 && ftruncate(descriptor, information.st_size) == 0)
        (void)fallocate(descriptor, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, information.st_size,
                        INT64_MAX / 2 - information.st_size);
    close(descriptor);
}
