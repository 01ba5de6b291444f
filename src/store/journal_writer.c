/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "files.h"
#include "journal_frame.h"
#include "memory.h"

struct journal {
    int descriptor;
    uint64_t n_bytes; /**< of intact frames in the file */
    char path[4096];
    struct error fault; /**< the first one; final */
};

static enum status fault(struct journal *journal, const char *what, struct error *error)
{
    error_set_errno(&journal->fault, STATUS_IO, "%s: %s; what was acknowledged before is kept", journal->path,
                    what);
    *error = journal->fault;
    return STATUS_IO;
}

/* One writev as a rule; the kernel may accept less (2 GiB a call, a full disk), then the rest is offered. */
static bool write_all(int descriptor, struct iovec *parts, int n_parts)
{
    while (n_parts > 0) {
        ssize_t written = writev(descriptor, parts, n_parts);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        while (n_parts > 0 && (size_t)written >= parts->iov_len) {
            written -= (ssize_t)parts->iov_len;
            parts++;
            n_parts--;
        }
        if (n_parts > 0) {
            parts->iov_base = (char *)parts->iov_base + written;
            parts->iov_len -= (size_t)written;
        }
    }
    return true;
}

static enum status append(struct journal *journal, enum journal_kind kind, uint64_t key, const void *payload,
                          size_t payload_bytes, struct error *error)
{
    if (journal->fault.status != STATUS_OK) {
        *error = journal->fault;
        return journal->fault.status;
    }
    struct frame_header header = {
        .kind = kind, .key = key, .offset = journal->n_bytes, .payload_bytes = payload_bytes};
    struct frame_footer footer;
    frame_seal(&header, payload, &footer);
    struct iovec parts[] = {
        {&header, sizeof header}, {(void *)(uintptr_t)payload, payload_bytes}, {&footer, sizeof footer}};
    if (!write_all(journal->descriptor, parts, sizeof parts / sizeof *parts))
        return fault(journal, "a record cannot be written", error);
    if (fdatasync(journal->descriptor) != 0)
        return fault(journal, "a record cannot be made durable (fdatasync)", error);
    journal->n_bytes += sizeof header + payload_bytes + sizeof footer;
    return STATUS_OK;
}

/* Two parts in one buffer, zero-padded to whole words: the checksum then covers the padding too. */
static enum status append_parts(struct journal *journal, enum journal_kind kind, uint64_t key,
                                struct iovec head, struct iovec body, struct error *error)
{
    size_t n_bytes = (head.iov_len + body.iov_len + FRAME_ALIGNMENT - 1) / FRAME_ALIGNMENT * FRAME_ALIGNMENT;
    unsigned char *payload = NULL;
    TRY(MEMORY_ALLOCATE(payload, n_bytes, error));
    memcpy(payload, head.iov_base, head.iov_len);
    if (body.iov_len > 0)
        memcpy(payload + head.iov_len, body.iov_base, body.iov_len);
    enum status status = append(journal, kind, key, payload, n_bytes, error);
    free(payload);
    return status;
}

static enum status make_path(struct journal *journal, const char *folder, int shard,
                             const struct journal_incarnation *incarnation, struct error *error)
{
    char host[JOURNAL_TEXT_BYTES] = "unknown";
    for (size_t i = 0; i + 1 < sizeof host && incarnation->host[i] != '\0'; i++) {
        host[i] = isalnum((unsigned char)incarnation->host[i]) ? incarnation->host[i] : '-';
        host[i + 1] = '\0';
    }
    uint64_t nonce;
    if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
        return error_set_errno(error, STATUS_INTERNAL, "no random bytes for the name of a journal");
    int length =
        snprintf(journal->path, sizeof journal->path, "%s/%d.%lld.%s.%lld.%016llx.journal", folder, shard,
                 (long long)incarnation->rank, host, (long long)incarnation->pid, (unsigned long long)nonce);
    if (length < 0 || (size_t)length >= sizeof journal->path)
        return error_set(error, STATUS_IO, "%s: the path is too long for a journal", folder);
    return STATUS_OK;
}

enum status journal_create(const char *folder, int shard, const struct journal_incarnation *incarnation,
                           struct journal **journal, struct error *error)
{
    struct journal *made = NULL;
    enum status status = STATUS_OK;
    TRY(MEMORY_ALLOCATE(made, 1, error));
    made->descriptor = -1;
    TRY_CLEANUP(make_path(made, folder, shard, incarnation, error));
    made->descriptor = open(made->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (made->descriptor < 0) {
        status = error_set_errno(error, STATUS_IO, "%s: the journal cannot be created", made->path);
        goto cleanup;
    }
    TRY_CLEANUP(append(made, JOURNAL_INCARNATION, 0, incarnation, sizeof *incarnation, error));
    TRY_CLEANUP(folder_sync(folder, error));
    *journal = made;
    return STATUS_OK;
cleanup:
    if (made->descriptor >= 0)
        close(made->descriptor);
    free(made);
    return status;
}

enum status journal_append_finished(struct journal *journal, uint64_t key, const struct record_layout *layout,
                                    const void *record, struct error *error)
{
    struct record_sizes sizes = layout->sizes;
    return append_parts(journal, JOURNAL_FINISHED, key, (struct iovec){&sizes, sizeof sizes},
                        (struct iovec){(void *)(uintptr_t)record, layout->n_bytes}, error);
}

enum status journal_append_unfinished(struct journal *journal, uint64_t key,
                                      const struct journal_progress *progress, const float *scores,
                                      struct error *error)
{
    if (progress->n_told < 0)
        return error_set(error, STATUS_INTERNAL, "%s: a run with %lld scores", journal->path,
                         (long long)progress->n_told);
    struct journal_progress head = *progress;
    return append_parts(journal, JOURNAL_UNFINISHED, key, (struct iovec){&head, sizeof head},
                        (struct iovec){(void *)(uintptr_t)scores, (size_t)head.n_told * sizeof *scores},
                        error);
}

enum status journal_append_values(struct journal *journal, uint64_t key, const float *values,
                                  int64_t n_values, struct error *error)
{
    if (n_values < 0)
        return error_set(error, STATUS_INTERNAL, "%s: a frame of %lld values", journal->path,
                         (long long)n_values);
    return append_parts(journal, JOURNAL_VALUES, key, (struct iovec){&n_values, sizeof n_values},
                        (struct iovec){(void *)(uintptr_t)values, (size_t)n_values * sizeof *values}, error);
}

enum status journal_append_round(struct journal *journal, uint64_t key, const struct journal_round *round,
                                 const int32_t *asked, const float *scores, const struct journal_news *news,
                                 struct error *error)
{
    struct journal_round head = *round;
    const struct round_places places = round_places(round);
    unsigned char *body = NULL;
    TRY(MEMORY_ALLOCATE(body, places.n_bytes, error));
    memcpy(body + places.asked, asked, (size_t)round->n_asked * sizeof *asked);
    memcpy(body + places.scores, scores, (size_t)round->n_images * sizeof *scores);
    memcpy(body + places.news, news, (size_t)round->n_news * sizeof *news);
    enum status status = append_parts(journal, JOURNAL_ROUND, key, (struct iovec){&head, sizeof head},
                                      (struct iovec){body, places.n_bytes}, error);
    free(body);
    return status;
}

const char *journal_path(const struct journal *journal)
{
    return journal->path;
}

enum status journal_close(struct journal *journal, struct error *error)
{
    if (journal == NULL)
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (close(journal->descriptor) != 0)
        status = error_set_errno(error, STATUS_IO, "%s: fault on closing", journal->path);
    free(journal);
    return status;
}
