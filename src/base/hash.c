/* SPDX-License-Identifier: MIT */
#include "hash.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <xxhash.h>

uint64_t hash_bytes(const void *bytes, size_t n_bytes)
{
    return XXH3_64bits(bytes, n_bytes);
}

uint64_t hash_continue(uint64_t previous, const void *bytes, size_t n_bytes)
{
    return XXH3_64bits_withSeed(bytes, n_bytes, previous);
}

static enum status digest_to_text(EVP_MD_CTX *context, char text[SHA256_TEXT_CAPACITY], struct error *error)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (EVP_DigestFinal_ex(context, digest, &length) != 1 || length != 32)
        return error_set(error, STATUS_INTERNAL, "libcrypto could not finish a SHA-256");
    for (unsigned int i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return STATUS_OK;
}

static enum status digest_file(EVP_MD_CTX *context, FILE *file, const char *path, struct error *error)
{
    unsigned char block[1 << 16];
    size_t length;
    while ((length = fread(block, 1, sizeof block, file)) > 0)
        if (EVP_DigestUpdate(context, block, length) != 1)
            return error_set(error, STATUS_INTERNAL, "libcrypto could not update a SHA-256");
    if (ferror(file))
        return error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    return STATUS_OK;
}

/** What never ends, or waits for a writer, has no hash. */
static enum status open_regular(const char *path, FILE **file, struct error *error)
{
    struct stat information;
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    enum status status = STATUS_OK;
    if (fstat(descriptor, &information) != 0)
        status = error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    else if (!S_ISREG(information.st_mode))
        status = error_set(error, STATUS_BAD_INPUT, "%s: is no regular file", path);
    else if ((*file = fdopen(descriptor, "rb")) == NULL)
        status = error_set_errno(error, STATUS_INTERNAL, "%s: cannot be read", path);
    if (status != STATUS_OK)
        close(descriptor);
    return status;
}

enum status hash_file_sha256(const char *path, char text[SHA256_TEXT_CAPACITY], struct error *error)
{
    FILE *file = NULL;
    TRY(open_regular(path, &file, error));
    enum status status = STATUS_OK;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1)
        status = error_set(error, STATUS_INTERNAL, "libcrypto offers no SHA-256");
    if (status == STATUS_OK)
        status = digest_file(context, file, path, error);
    if (status == STATUS_OK)
        status = digest_to_text(context, text, error);
    EVP_MD_CTX_free(context);
    fclose(file);
    return status;
}

enum status hash_bytes_sha256(const void *bytes, size_t n_bytes, char text[SHA256_TEXT_CAPACITY],
                              struct error *error)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(context, bytes, n_bytes) != 1) {
        EVP_MD_CTX_free(context);
        return error_set(error, STATUS_INTERNAL, "libcrypto offers no SHA-256");
    }
    enum status status = digest_to_text(context, text, error);
    EVP_MD_CTX_free(context);
    return status;
}
