/* SPDX-License-Identifier: MIT */
#include "natural_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

#define FACTS_FILE "natural.txt"
#define LOCK_FILE  "natural.lock"

enum { FACTS_CAPACITY = 1 << 16 };

/* seconds that a dying earlier start is waited for */
static const double lock_patience = 10.0;

int64_t natural_chunk_first(int64_t chunk)
{
    return chunk * NATURAL_CHUNK_IMAGES;
}

int64_t natural_chunk_images(const struct natural_parts *parts, int64_t chunk)
{
    const int64_t left = parts->n_images - natural_chunk_first(chunk);
    return left < NATURAL_CHUNK_IMAGES ? left : NATURAL_CHUNK_IMAGES;
}

/* ---- natural.txt ---- */

static enum status read_facts(const char *path, char text[FACTS_CAPACITY], struct error *error)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
    const size_t n = fread(text, 1, FACTS_CAPACITY - 1, stream);
    text[n] = '\0';
    const bool failed = ferror(stream) != 0;
    fclose(stream);
    return failed ? error_set_errno(error, STATUS_IO, "%s: cannot be read", path) : STATUS_OK;
}

static enum status compare_facts(const struct natural_parts *parts, const char *path, struct error *error)
{
    char there[FACTS_CAPACITY], line_there[FOLDER_LINE_CAPACITY], line_here[FOLDER_LINE_CAPACITY];
    TRY(read_facts(path, there, error));
    if (strcmp(there, parts->facts) == 0)
        return STATUS_OK;
    folder_first_difference(there, parts->facts, line_there, line_here);
    return error_set(
        error, STATUS_MISMATCH,
        "%s holds parts of other natural references: there '%s', here '%s'; go on with what they "
        "were started with, name another --output, or delete that folder",
        parts->folder, line_there, line_here);
}

enum status natural_parts_take(struct natural_parts *parts, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    TRY(folder_path(parts->folder, FACTS_FILE, path, error));
    TRY(folder_make(parts->folder, error));
    TRY(folder_lock(parts->folder, LOCK_FILE, lock_patience, &parts->lock, error));
    if (access(path, F_OK) != 0)
        TRY(folder_replace(path, parts->facts, error));
    return compare_facts(parts, path, error);
}

/* ---- the journals ---- */

static enum status take_chunk(void *context, const struct journal_frame *frame, struct error *error)
{
    struct natural_parts *parts = context;
    if (frame->incarnation->job_digest[0] == '\0')
        return STATUS_OK; /* its first frame is damaged: the scan says so */
    if (strcmp(frame->incarnation->job_digest, parts->digest) != 0)
        return error_set(error, STATUS_MISMATCH,
                         "%s: belongs to other natural references; move it away, or delete the folder",
                         frame->path);
    if (frame->kind != JOURNAL_VALUES || frame->key >= (uint64_t)parts->n_chunks ||
        frame->n_values != parts->n_units * natural_chunk_images(parts, (int64_t)frame->key))
        return error_set(error, STATUS_DAMAGED, "%s: byte %llu: not a chunk of these images", frame->path,
                         (unsigned long long)frame->offset);
    parts->chunks[frame->key] = frame->values;
    return STATUS_OK;
}

enum status natural_parts_read(struct natural_parts *parts, struct error *error)
{
    if (parts->chunks == NULL)
        TRY(MEMORY_ALLOCATE(parts->chunks, (size_t)parts->n_chunks, error));
    memset(parts->chunks, 0, (size_t)parts->n_chunks * sizeof *parts->chunks);
    journal_folder_close(parts->journals);
    parts->journals = NULL;
    TRY(journal_folder_open(parts->folder, -1, &parts->journals, error));
    return journal_folder_scan(parts->journals, take_chunk, parts, NULL, error);
}

static void delete_file(const struct natural_parts *parts, const char *name)
{
    char path[FOLDER_PATH_CAPACITY];
    struct error ignored = {0};
    if (folder_path(parts->folder, name, path, &ignored) == STATUS_OK)
        unlink(path);
}

void natural_parts_delete(struct natural_parts *parts)
{
    for (size_t i = 0; i < journal_folder_files(parts->journals); i++)
        unlink(journal_folder_path(parts->journals, i));
    delete_file(parts, FACTS_FILE);
    delete_file(parts, LOCK_FILE);
    rmdir(parts->folder);
}

void natural_parts_close(struct natural_parts *parts)
{
    journal_folder_close(parts->journals);
    free(parts->chunks);
    free(parts->facts);
    folder_unlock(parts->lock);
}
