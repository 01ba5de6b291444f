/* SPDX-License-Identifier: MIT */
#include "results_seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "results.h"

static const char seal_start[] = RESULTS_FORMAT " file, HDF5 after 512 bytes\n";

static void make_seal(const unsigned char *file, size_t n_bytes, char seal[SEAL_BYTES])
{
    memset(seal, 0, SEAL_BYTES);
    snprintf(seal, SEAL_BYTES, "%sbytes %zu\nxxh3-64 of the bytes after the first 512: %016llx\n", seal_start,
             n_bytes, (unsigned long long)hash_bytes(file + SEAL_BYTES, n_bytes - SEAL_BYTES));
}

static enum status write_seal(int descriptor, const char *path, struct error *error)
{
    char seal[SEAL_BYTES];
    struct stat information;
    if (fstat(descriptor, &information) != 0 || information.st_size < SEAL_BYTES)
        return error_set_errno(error, STATUS_IO, "%s: cannot be sealed", path);
    const size_t n_bytes = (size_t)information.st_size;
    void *file = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (file == MAP_FAILED)
        return error_set_errno(error, STATUS_IO, "%s: cannot be mapped", path);
    make_seal(file, n_bytes, seal);
    munmap(file, n_bytes);
    if (pwrite(descriptor, seal, SEAL_BYTES, 0) != SEAL_BYTES)
        return error_set_errno(error, STATUS_IO, "%s: cannot be sealed", path);
    return STATUS_OK;
}

enum status results_seal_write(const char *path, struct error *error)
{
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    enum status status = write_seal(descriptor, path, error);
    if (close(descriptor) != 0 && status == STATUS_OK)
        status = error_set_errno(error, STATUS_IO, "%s: fault on closing", path);
    return status;
}

static enum status compare_seal(const unsigned char *file, size_t n_bytes, const char *path,
                                struct error *error)
{
    char seal[SEAL_BYTES];
    size_t promised = 0;
    if (n_bytes < SEAL_BYTES || memcmp(file, seal_start, sizeof seal_start - 1) != 0)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: is no results file (its first line is not that of one), or is damaged there",
                         path);
    make_seal(file, n_bytes, seal);
    if (memcmp(file, seal, SEAL_BYTES) == 0)
        return STATUS_OK;
    char stated[SEAL_BYTES + 1] = {0};
    memcpy(stated, file, SEAL_BYTES);
    if (sscanf(stated + sizeof seal_start - 1, "bytes %zu", &promised) == 1 && promised != n_bytes)
        return error_set(error, STATUS_DAMAGED,
                         "%s: has %zu bytes, was written with %zu: cut off, or added to; gather it again",
                         path, n_bytes, promised);
    return error_set(
        error, STATUS_DAMAGED,
        "%s: its content is not what was written (checksum over the whole file); gather it again", path);
}

static enum status check_seal(int descriptor, const char *path, struct error *error)
{
    struct stat information;
    if (fstat(descriptor, &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    const size_t n_bytes = (size_t)information.st_size;
    if (!S_ISREG(information.st_mode) || n_bytes == 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: is no results file (empty, or no regular file)", path);
    void *file = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (file == MAP_FAILED)
        return error_set_errno(error, STATUS_IO, "%s: cannot be mapped", path);
    enum status status = compare_seal(file, n_bytes, path, error);
    munmap(file, n_bytes);
    return status;
}

enum status results_seal_check(const char *path, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    enum status status = check_seal(descriptor, path, error);
    close(descriptor);
    return status;
}
