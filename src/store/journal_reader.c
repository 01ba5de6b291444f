/* SPDX-License-Identifier: MIT */
#include "journal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal_frame.h"
#include "memory.h"

/* The system maps some 65 thousand files of a process, and every worker of every start leaves a journal,
 * often with nothing in it: small ones are read. */
enum { SMALL_BYTES = 1 << 14 };

struct journal_map {
    char *path;
    const unsigned char *bytes; /**< NULL if the file is empty */
    size_t n_bytes;
    unsigned char *small; /**< a small file: its bytes; else NULL */
    struct journal_incarnation incarnation;
};

struct journal_folder {
    struct journal_map *maps;
    size_t n_maps, capacity;
};

/* What a scan of one file needs to know. */
struct scan {
    const struct journal_map *map;
    size_t file;
    journal_visit *visit;
    void *context;
    struct journal_counts *counts;
    struct error *damage; /**< the first damaged place */
};

bool journal_identity_equal(const struct journal_identity *a, const struct journal_identity *b)
{
    return a->backend[0] != '\0' && memcmp(a, b, sizeof *a) == 0;
}

static bool text_ends(const char text[JOURNAL_TEXT_BYTES])
{
    return memchr(text, '\0', JOURNAL_TEXT_BYTES) != NULL;
}

static bool incarnation_texts_end(const struct journal_incarnation *incarnation)
{
    const struct journal_identity *identity = &incarnation->identity;
    return text_ends(identity->backend) && text_ends(identity->isa) && text_ends(identity->blas_core) &&
           text_ends(identity->precision) && text_ends(identity->device) && text_ends(incarnation->host) &&
           text_ends(incarnation->date) && text_ends(incarnation->program_version) &&
           text_ends(incarnation->job_digest);
}

/* The incarnation stays all zero where the frame is damaged: the scan reports that. */
static void read_incarnation(struct journal_map *map)
{
    struct frame_header header;
    const unsigned char *payload;
    size_t next;
    struct journal_incarnation found;
    if (map->n_bytes == 0 ||
        frame_check(map->bytes, map->n_bytes, 0, &header, &payload, &next) != FRAME_INTACT ||
        header.kind != JOURNAL_INCARNATION || header.payload_bytes != sizeof found)
        return;
    memcpy(&found, payload, sizeof found);
    if (incarnation_texts_end(&found))
        map->incarnation = found;
}

static enum status read_small(struct journal_map *map, int descriptor, struct error *error)
{
    if (map->n_bytes == 0)
        return STATUS_OK;
    TRY(MEMORY_ALLOCATE(map->small, map->n_bytes, error));
    for (size_t n = 0; n < map->n_bytes;) {
        const ssize_t some = pread(descriptor, map->small + n, map->n_bytes - n, (off_t)n);
        if (some < 0 && errno != EINTR)
            return error_set_errno(error, STATUS_IO, "%s: cannot be read", map->path);
        if (some == 0) /* it has been cut meanwhile */
            map->n_bytes = n;
        n += some > 0 ? (size_t)some : 0;
    }
    map->bytes = map->n_bytes == 0 ? NULL : map->small;
    return STATUS_OK;
}

static enum status map_bytes(struct journal_map *map, int descriptor, struct error *error)
{
    struct stat information;
    if (fstat(descriptor, &information) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be read", map->path);
    if (!S_ISREG(information.st_mode))
        return error_set(error, STATUS_IO, "%s: has the name of a journal but is no regular file", map->path);
    map->n_bytes = (size_t)information.st_size;
    if (map->n_bytes <= SMALL_BYTES)
        return read_small(map, descriptor, error);
    void *bytes = mmap(NULL, map->n_bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (bytes == MAP_FAILED)
        return error_set_errno(error, STATUS_IO, "%s: cannot be mapped", map->path);
    map->bytes = bytes;
    return STATUS_OK;
}

static enum status map_file(struct journal_map *map, struct error *error)
{
    int descriptor = open(map->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be opened", map->path);
    enum status status = map_bytes(map, descriptor, error);
    close(descriptor);
    if (status == STATUS_OK)
        read_incarnation(map);
    return status;
}

/* "<shard>.<anything>.journal" of the shard asked for (-1: any). */
static bool is_journal_of(const char *name, int shard)
{
    const char suffix[] = ".journal";
    size_t length = strlen(name);
    if (!isdigit((unsigned char)name[0]) || length < sizeof suffix ||
        strcmp(name + length - (sizeof suffix - 1), suffix) != 0)
        return false;
    char *end;
    long number = strtol(name, &end, 10);
    return *end == '.' && (shard < 0 || number == shard);
}

static enum status add_map(struct journal_folder *journals, const char *folder, const char *name,
                           struct error *error)
{
    TRY(memory_grow((void **)&journals->maps, &journals->capacity, journals->n_maps, sizeof *journals->maps,
                    error));
    struct journal_map *map = &journals->maps[journals->n_maps];
    *map = (struct journal_map){.path = NULL};
    size_t length = strlen(folder) + strlen(name) + 2;
    TRY(MEMORY_ALLOCATE(map->path, length, error));
    snprintf(map->path, length, "%s/%s", folder, name);
    journals->n_maps++;
    return map_file(map, error);
}

static int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum status add_entries(struct journal_folder *journals, const char *folder, int shard,
                               struct error *error)
{
    struct dirent **entries = NULL;
    int n_entries = scandir(folder, &entries, NULL, compare_names);
    if (n_entries < 0)
        return error_set_errno(error, STATUS_IO, "%s: the folder cannot be read", folder);
    enum status status = STATUS_OK;
    for (int i = 0; i < n_entries; i++) {
        if (status == STATUS_OK && is_journal_of(entries[i]->d_name, shard))
            status = add_map(journals, folder, entries[i]->d_name, error);
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum status journal_folder_open(const char *folder, int shard, struct journal_folder **journals,
                                struct error *error)
{
    struct journal_folder *made = NULL;
    TRY(MEMORY_ALLOCATE(made, 1, error));
    enum status status = add_entries(made, folder, shard, error);
    if (status == STATUS_OK)
        *journals = made;
    else
        journal_folder_close(made);
    return status;
}

size_t journal_folder_files(const struct journal_folder *journals)
{
    return journals->n_maps;
}

const char *journal_folder_path(const struct journal_folder *journals, size_t file)
{
    return journals->maps[file].path;
}

const struct journal_incarnation *journal_folder_incarnation(const struct journal_folder *journals,
                                                             size_t file)
{
    return &journals->maps[file].incarnation;
}

static bool parse_finished(const unsigned char *payload, size_t payload_bytes, struct journal_frame *frame)
{
    struct record_layout layout;
    struct error ignored = {0};
    frame->sizes = (const struct record_sizes *)(const void *)payload;
    if (payload_bytes < sizeof *frame->sizes ||
        record_layout_make(frame->sizes, &layout, &ignored) != STATUS_OK ||
        layout.n_bytes != payload_bytes - sizeof *frame->sizes)
        return false;
    frame->record = payload + sizeof *frame->sizes;
    frame->record_bytes = layout.n_bytes;
    return true;
}

static bool parse_unfinished(const unsigned char *payload, size_t payload_bytes, struct journal_frame *frame)
{
    if (payload_bytes < sizeof frame->progress)
        return false;
    memcpy(&frame->progress, payload, sizeof frame->progress);
    const size_t room = (payload_bytes - sizeof frame->progress) / sizeof *frame->scores;
    frame->scores = (const float *)(const void *)(payload + sizeof frame->progress);
    return frame->progress.n_told >= 0 && (uint64_t)frame->progress.n_told <= room;
}

static bool parse_values(const unsigned char *payload, size_t payload_bytes, struct journal_frame *frame)
{
    if (payload_bytes < sizeof frame->n_values)
        return false;
    memcpy(&frame->n_values, payload, sizeof frame->n_values);
    const size_t room = (payload_bytes - sizeof frame->n_values) / sizeof *frame->values;
    frame->values = (const float *)(const void *)(payload + sizeof frame->n_values);
    return frame->n_values >= 0 && (uint64_t)frame->n_values <= room;
}

static bool parse_round(const unsigned char *payload, size_t payload_bytes, struct journal_frame *frame)
{
    const struct journal_round *round = (const struct journal_round *)(const void *)payload;
    if (payload_bytes < sizeof *round || !round_is_possible(round, payload_bytes - sizeof *round))
        return false;
    const struct round_places places = round_places(round);
    const unsigned char *body = payload + sizeof *round;
    frame->round = round;
    frame->asked = (const int32_t *)(const void *)(body + places.asked);
    frame->round_scores = (const float *)(const void *)(body + places.scores);
    frame->news = (const struct journal_news *)(const void *)(body + places.news);
    return places.n_bytes == payload_bytes - sizeof *round;
}

/* A frame whose checksums are right but whose content is none of ours counts as damaged. */
static bool parse_run(const struct journal_map *map, size_t file, const struct frame_header *header,
                      const unsigned char *payload, struct journal_frame *frame)
{
    *frame = (struct journal_frame){.kind = (enum journal_kind)header->kind,
                                    .key = header->key,
                                    .path = map->path,
                                    .file = file,
                                    .offset = header->offset,
                                    .incarnation = &map->incarnation};
    if (header->kind == JOURNAL_FINISHED)
        return parse_finished(payload, header->payload_bytes, frame);
    if (header->kind == JOURNAL_VALUES)
        return parse_values(payload, header->payload_bytes, frame);
    if (header->kind == JOURNAL_ROUND)
        return parse_round(payload, header->payload_bytes, frame);
    return header->kind == JOURNAL_UNFINISHED && parse_unfinished(payload, header->payload_bytes, frame);
}

static enum status deliver(struct scan *scan, const struct frame_header *header, const unsigned char *payload,
                           bool *understood, struct error *error)
{
    struct journal_frame frame;
    *understood = true;
    if (header->kind == JOURNAL_INCARNATION)
        return STATUS_OK;
    *understood = parse_run(scan->map, scan->file, header, payload, &frame);
    if (!*understood)
        return STATUS_OK;
    if (frame.kind == JOURNAL_FINISHED)
        scan->counts->n_finished++;
    else if (frame.kind == JOURNAL_UNFINISHED)
        scan->counts->n_unfinished++;
    else if (frame.kind == JOURNAL_ROUND)
        scan->counts->n_rounds++;
    else
        scan->counts->n_values++;
    return scan->visit(scan->context, &frame, error);
}

static void note_damage(struct scan *scan, size_t offset)
{
    scan->counts->n_damaged++;
    if (scan->damage->status == STATUS_OK)
        error_set(
            scan->damage, STATUS_DAMAGED,
            "%s: damaged at byte %zu; all intact records of the folder were read. Restore the file from a "
            "copy, or move it away to have the lost runs done again",
            scan->map->path, offset);
}

static enum status scan_map(struct scan *scan, struct error *error)
{
    const struct journal_map *map = scan->map;
    size_t offset = 0;
    scan->counts->n_torn += map->n_bytes == 0;
    while (offset < map->n_bytes) {
        struct frame_header header;
        const unsigned char *payload = NULL;
        size_t next;
        bool understood = false;
        switch (frame_check(map->bytes, map->n_bytes, offset, &header, &payload, &next)) {
        case FRAME_TORN:
            scan->counts->n_torn++;
            return STATUS_OK;
        case FRAME_FOREIGN:
            return error_set(error, STATUS_MISMATCH,
                             "%s: journal format %u at byte %zu; this program reads %d", map->path,
                             header.version, offset, FRAME_VERSION);
        case FRAME_INTACT:
            TRY(deliver(scan, &header, payload, &understood, error));
            break;
        case FRAME_DAMAGED:
            break;
        }
        if (!understood) {
            note_damage(scan, offset);
            next = frame_find(map->bytes, map->n_bytes, next);
        }
        offset = next;
    }
    return STATUS_OK;
}

enum status journal_folder_scan(const struct journal_folder *journals, journal_visit *visit, void *context,
                                struct journal_counts *counts, struct error *error)
{
    struct journal_counts own;
    struct error damage = {0};
    if (counts == NULL)
        counts = &own;
    *counts = (struct journal_counts){.n_files = journals->n_maps};
    for (size_t i = 0; i < journals->n_maps; i++) {
        struct scan scan = {.map = &journals->maps[i],
                            .file = i,
                            .visit = visit,
                            .context = context,
                            .counts = counts,
                            .damage = &damage};
        TRY(scan_map(&scan, error));
    }
    if (damage.status != STATUS_OK)
        *error = damage;
    return damage.status;
}

enum status journal_folder_frame(const struct journal_folder *journals, size_t file, uint64_t offset,
                                 struct journal_frame *frame, struct error *error)
{
    if (file >= journals->n_maps)
        return error_set(error, STATUS_INTERNAL, "journal %zu of %zu", file, journals->n_maps);
    const struct journal_map *map = &journals->maps[file];
    struct frame_header header;
    const unsigned char *payload;
    size_t next;
    if (offset >= map->n_bytes || offset % FRAME_ALIGNMENT != 0 ||
        frame_check(map->bytes, map->n_bytes, offset, &header, &payload, &next) != FRAME_INTACT ||
        !parse_run(map, file, &header, payload, frame))
        return error_set(error, STATUS_DAMAGED, "%s: no intact record at byte %llu", map->path,
                         (unsigned long long)offset);
    return STATUS_OK;
}

void journal_folder_close(struct journal_folder *journals)
{
    if (journals == NULL)
        return;
    for (size_t i = 0; i < journals->n_maps; i++) {
        if (journals->maps[i].bytes != NULL && journals->maps[i].small == NULL)
            munmap((void *)(uintptr_t)journals->maps[i].bytes, journals->maps[i].n_bytes);
        free(journals->maps[i].small);
        free(journals->maps[i].path);
    }
    free(journals->maps);
    free(journals);
}

enum status journal_scan_folder(const char *folder, int shard, journal_visit *visit, void *context,
                                struct journal_counts *counts, struct error *error)
{
    struct journal_folder *journals = NULL;
    TRY(journal_folder_open(folder, shard, &journals, error));
    enum status status = journal_folder_scan(journals, visit, context, counts, error);
    journal_folder_close(journals);
    return status;
}
