/* SPDX-License-Identifier: MIT */
/** The journal: what was acknowledged comes back, whatever happens to the file; nothing wrong ever does. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/store/journal_frame.h"
#include "hash.h"
#include "journal.h"

enum { N_RECORDS = 3, HEADER_BYTES = 48, FOOTER_BYTES = 16, N_SCORES = 5 };

static const struct record_sizes sizes = {.dimensions = 2,
                                          .channels = 1,
                                          .height = 1,
                                          .width = 1,
                                          .history = 2,
                                          .budget = 2,
                                          .trace = 2,
                                          .trials = 1,
                                          .classes = 2};
static const uint64_t keys[N_RECORDS] = {11, 0xffffffffffffffffULL, 13};
static const float scores[N_SCORES] = {0, 0.25f, 0.5f, 0.125f, 1};

/* A folder with one journal of three records: finished, unfinished, finished. */
struct fixture {
    char folder[64];
    char path[4096];
    unsigned char *bytes;
    size_t n_bytes;
    size_t end[1 + N_RECORDS]; /**< where each frame ends; the first describes the incarnation */
    struct record_layout layout;
    unsigned char *records[N_RECORDS];
    struct error error;
};

/* What a scan delivered, and whether it was what had been written. */
struct delivery {
    const struct fixture *fixture;
    bool seen[N_RECORDS];
    size_t n_frames;
    bool wrong;
};

static struct journal_incarnation make_incarnation(void)
{
    struct journal_incarnation incarnation;
    memset(&incarnation, 0, sizeof incarnation);
    strcpy(incarnation.identity.backend, "cpu");
    strcpy(incarnation.identity.isa, "reference");
    strcpy(incarnation.host, "node-1.cluster/x");
    strcpy(incarnation.date, "2026-01-31T23:59:59Z");
    strcpy(incarnation.job_digest, "0123");
    incarnation.rank = 3;
    incarnation.pid = 4321;
    return incarnation;
}

static void read_bytes(struct fixture *fixture)
{
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    fixture->n_bytes = (size_t)ftell(file);
    rewind(file);
    free(fixture->bytes);
    fixture->bytes = malloc(fixture->n_bytes);
    assert_int_equal(fread(fixture->bytes, 1, fixture->n_bytes, file), fixture->n_bytes);
    fclose(file);
}

static void write_bytes(const struct fixture *fixture, size_t n_bytes, const void *tail, size_t tail_bytes)
{
    unlink(fixture->path); /* a new file: some file systems flush one that is cut and written again */
    FILE *file = fopen(fixture->path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(fixture->bytes, 1, n_bytes, file), n_bytes);
    if (tail_bytes > 0)
        assert_int_equal(fwrite(tail, 1, tail_bytes, file), tail_bytes);
    assert_int_equal(fclose(file), 0);
}

static size_t file_bytes(const char *path)
{
    struct stat information;
    assert_int_equal(stat(path, &information), 0);
    return (size_t)information.st_size;
}

static enum status append(struct fixture *fixture, struct journal *journal, int i)
{
    if (i != 1)
        return journal_append_finished(journal, keys[i], &fixture->layout, fixture->records[i],
                                       &fixture->error);
    struct journal_progress progress = {.n_told = N_SCORES, .codes_hash = 99};
    return journal_append_unfinished(journal, keys[i], &progress, scores, &fixture->error);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/meicensus_journal_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(record_layout_make(&sizes, &fixture->layout, &fixture->error), STATUS_OK);
    struct journal_incarnation incarnation = make_incarnation();
    struct journal *journal = NULL;
    assert_int_equal(journal_create(fixture->folder, 7, &incarnation, &journal, &fixture->error), STATUS_OK);
    strcpy(fixture->path, journal_path(journal));
    fixture->end[0] = file_bytes(fixture->path);
    for (int i = 0; i < N_RECORDS; i++) {
        fixture->records[i] = malloc(fixture->layout.n_bytes);
        for (size_t j = 0; j < fixture->layout.n_bytes; j++)
            fixture->records[i][j] = (unsigned char)(j * 7 + (size_t)i + 1);
        assert_int_equal(append(fixture, journal, i), STATUS_OK);
        fixture->end[1 + i] = file_bytes(fixture->path);
    }
    assert_int_equal(journal_close(journal, &fixture->error), STATUS_OK);
    read_bytes(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
    int result = system(command);
    for (int i = 0; i < N_RECORDS; i++)
        free(fixture->records[i]);
    free(fixture->bytes);
    free(fixture);
    return result;
}

static bool frame_is(const struct fixture *fixture, const struct journal_frame *frame, int i)
{
    if (frame->offset != fixture->end[i] || frame->key != keys[i] || strcmp(frame->path, fixture->path) != 0)
        return false;
    if (i == 1)
        return frame->kind == JOURNAL_UNFINISHED && frame->progress.n_told == N_SCORES &&
               frame->progress.codes_hash == 99 && memcmp(frame->scores, scores, sizeof scores) == 0;
    return frame->kind == JOURNAL_FINISHED && frame->record_bytes == fixture->layout.n_bytes &&
           memcmp(frame->sizes, &sizes, sizeof sizes) == 0 && (uintptr_t)frame->record % 8 == 0 &&
           memcmp(frame->record, fixture->records[i], frame->record_bytes) == 0;
}

static enum status collect(void *context, const struct journal_frame *frame, struct error *error)
{
    (void)error;
    struct delivery *delivery = context;
    delivery->n_frames++;
    for (int i = 0; i < N_RECORDS; i++) {
        if (frame_is(delivery->fixture, frame, i) && !delivery->seen[i]) {
            delivery->seen[i] = true;
            return STATUS_OK;
        }
    }
    delivery->wrong = true;
    return STATUS_OK;
}

/* Scan; whatever comes must be right; the number of records delivered is returned. */
static size_t scan(struct fixture *fixture, struct delivery *delivery, struct journal_counts *counts,
                   enum status *status)
{
    *delivery = (struct delivery){.fixture = fixture};
    fixture->error = (struct error){0};
    *status = journal_scan_folder(fixture->folder, -1, collect, delivery, counts, &fixture->error);
    assert_false(delivery->wrong);
    assert_int_equal(counts->n_finished + counts->n_unfinished, delivery->n_frames);
    return delivery->n_frames;
}

static size_t frames_before(const struct fixture *fixture, size_t cut)
{
    size_t n = 0;
    for (int i = 0; i < N_RECORDS; i++)
        n += fixture->end[1 + i] <= cut;
    return n;
}

static bool is_frame_boundary(const struct fixture *fixture, size_t cut)
{
    for (int i = 0; i <= N_RECORDS; i++)
        if (fixture->end[i] == cut)
            return true;
    return false;
}

static void what_was_written_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct delivery delivery;
    struct journal_counts counts;
    enum status status;
    assert_int_equal(scan(fixture, &delivery, &counts, &status), N_RECORDS);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(counts.n_files, 1);
    assert_int_equal(counts.n_finished, 2);
    assert_int_equal(counts.n_unfinished, 1);
    assert_int_equal(counts.n_torn + counts.n_damaged, 0);
    /* the host's dots and slashes do not reach the file name */
    assert_non_null(strstr(fixture->path, "/7.3.node-1-cluster-x.4321."));
    struct journal_folder *journals = NULL;
    assert_int_equal(journal_folder_open(fixture->folder, 7, &journals, &fixture->error), STATUS_OK);
    struct journal_incarnation expected = make_incarnation();
    assert_memory_equal(journal_folder_incarnation(journals, 0), &expected, sizeof expected);
    struct journal_frame frame;
    assert_int_equal(journal_folder_frame(journals, 0, fixture->end[2], &frame, &fixture->error), STATUS_OK);
    assert_true(frame_is(fixture, &frame, 2));
    const uint64_t no_frames[] = {0, fixture->end[2] + 8, fixture->end[2] + 1, fixture->end[3], UINT64_MAX};
    for (size_t i = 0; i < sizeof no_frames / sizeof *no_frames; i++)
        assert_int_equal(journal_folder_frame(journals, 0, no_frames[i], &frame, &fixture->error),
                         STATUS_DAMAGED);
    journal_folder_close(journals);
}

static enum status take_values(void *context, const struct journal_frame *frame, struct error *error)
{
    struct journal_frame *taken = context;
    (void)error;
    if (frame->kind == JOURNAL_VALUES) {
        *taken = *frame;
        assert_int_equal(frame->n_values, N_SCORES);
        assert_memory_equal(frame->values, scores, sizeof scores);
    }
    return STATUS_OK;
}

static void plain_numbers_come_back(void **state)
{
    struct fixture *fixture = *state;
    struct journal_incarnation incarnation = make_incarnation();
    struct journal *journal = NULL;
    struct journal_frame taken = {.key = 0};
    struct journal_counts counts;
    assert_int_equal(journal_create(fixture->folder, 8, &incarnation, &journal, &fixture->error), STATUS_OK);
    assert_int_equal(journal_append_values(journal, 21, scores, N_SCORES, &fixture->error), STATUS_OK);
    assert_int_equal(journal_append_values(journal, 22, scores, -1, &fixture->error), STATUS_INTERNAL);
    assert_int_equal(journal_close(journal, &fixture->error), STATUS_OK);
    assert_int_equal(journal_scan_folder(fixture->folder, 8, take_values, &taken, &counts, &fixture->error),
                     STATUS_OK);
    assert_int_equal(taken.key, 21);
    assert_int_equal(counts.n_values, 1);
    assert_int_equal(counts.n_finished + counts.n_unfinished + counts.n_damaged, 0);
}

static void a_cut_anywhere_loses_only_the_last_frame(void **state)
{
    struct fixture *fixture = *state;
    for (size_t cut = 0; cut <= fixture->n_bytes; cut++) {
        struct delivery delivery;
        struct journal_counts counts;
        enum status status;
        write_bytes(fixture, cut, NULL, 0);
        assert_int_equal(scan(fixture, &delivery, &counts, &status), frames_before(fixture, cut));
        assert_int_equal(status, STATUS_OK);
        assert_int_equal(counts.n_torn, is_frame_boundary(fixture, cut) ? 0 : 1);
        assert_int_equal(counts.n_damaged, 0);
    }
}

static void a_tail_of_zeros_counts_as_torn(void **state)
{
    struct fixture *fixture = *state;
    unsigned char *zeros = calloc(1, fixture->n_bytes + 4096);
    for (size_t cut = 0; cut < fixture->n_bytes; cut++) {
        for (int extra = 0; extra <= 4096; extra += 4096) {
            struct delivery delivery;
            struct journal_counts counts;
            enum status status;
            write_bytes(fixture, cut, zeros, fixture->n_bytes - cut + (size_t)extra);
            assert_int_equal(scan(fixture, &delivery, &counts, &status), frames_before(fixture, cut));
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(counts.n_torn, 1);
        }
    }
    free(zeros);
}

static void a_tail_of_garbage_is_damage(void **state)
{
    struct fixture *fixture = *state;
    unsigned char garbage[300];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (unsigned char)(1 + hash_bytes(&i, sizeof i) % 64);
    for (size_t n = 1; n <= sizeof garbage; n++) {
        struct delivery delivery;
        struct journal_counts counts;
        enum status status;
        write_bytes(fixture, fixture->n_bytes, garbage, n);
        assert_int_equal(scan(fixture, &delivery, &counts, &status), N_RECORDS);
        assert_int_equal(status, STATUS_DAMAGED);
        assert_int_equal(counts.n_damaged, 1);
    }
}

static void flip(int descriptor, struct fixture *fixture, size_t bit)
{
    unsigned char byte = fixture->bytes[bit / 8] ^ (unsigned char)(1u << bit % 8);
    assert_int_equal(pwrite(descriptor, &byte, 1, (off_t)(bit / 8)), 1);
}

static void every_flipped_bit_is_found(void **state)
{
    struct fixture *fixture = *state;
    int descriptor = open(fixture->path, O_WRONLY);
    assert_true(descriptor >= 0);
    for (size_t bit = 0; bit < 8 * fixture->n_bytes; bit++) {
        struct delivery delivery;
        struct journal_counts counts;
        enum status status;
        size_t hit = 0; /* frame of the bit; 0 is the incarnation, which is no record */
        while (bit / 8 >= fixture->end[hit])
            hit++;
        flip(descriptor, fixture, bit);
        assert_int_equal(scan(fixture, &delivery, &counts, &status), hit == 0 ? N_RECORDS : N_RECORDS - 1);
        assert_int_equal(status, STATUS_DAMAGED);
        assert_int_equal(counts.n_damaged, 1);
        assert_int_equal(counts.n_torn, 0);
        char where[64];
        snprintf(where, sizeof where, "damaged at byte %zu;", hit == 0 ? 0 : fixture->end[hit - 1]);
        assert_non_null(strstr(fixture->error.message, where));
        assert_non_null(strstr(fixture->error.message, fixture->path));
        assert_int_equal(pwrite(descriptor, &fixture->bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    close(descriptor);
}

static void a_damaged_incarnation_is_unknown(void **state)
{
    struct fixture *fixture = *state;
    fixture->bytes[100] ^= 1;
    write_bytes(fixture, fixture->n_bytes, NULL, 0);
    struct journal_folder *journals = NULL;
    assert_int_equal(journal_folder_open(fixture->folder, -1, &journals, &fixture->error), STATUS_OK);
    const struct journal_incarnation *unknown = journal_folder_incarnation(journals, 0);
    assert_string_equal(unknown->identity.backend, "");
    assert_false(journal_identity_equal(&unknown->identity, &unknown->identity));
    struct journal_incarnation known = make_incarnation(), other = make_incarnation();
    assert_true(journal_identity_equal(&known.identity, &other.identity));
    other.identity.batch = 64;
    assert_false(journal_identity_equal(&known.identity, &other.identity));
    journal_folder_close(journals);
}

/* Frames that are whole but not ours: another format version, a length that does not fit the sizes. */
static void whole_frames_of_others_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct delivery delivery;
    struct journal_counts counts;
    enum status status;
    unsigned char *header = fixture->bytes + fixture->end[1], *payload = fixture->bytes + HEADER_BYTES;
    header[8]++;
    uint64_t checksum = hash_bytes(header, HEADER_BYTES - 8);
    memcpy(header + HEADER_BYTES - 8, &checksum, 8);
    write_bytes(fixture, fixture->n_bytes, NULL, 0);
    assert_int_equal(scan(fixture, &delivery, &counts, &status), 1);
    assert_int_equal(status, STATUS_MISMATCH);
    assert_non_null(strstr(fixture->error.message, "journal format 3"));

    header[8]--;
    checksum = hash_bytes(header, HEADER_BYTES - 8);
    memcpy(header + HEADER_BYTES - 8, &checksum, 8);
    payload = header + HEADER_BYTES;
    payload[0] = 200; /* more scores than the frame holds */
    size_t payload_bytes = fixture->end[2] - fixture->end[1] - HEADER_BYTES - FOOTER_BYTES;
    checksum = hash_bytes(payload, payload_bytes);
    memcpy(payload + payload_bytes, &checksum, 8);
    write_bytes(fixture, fixture->n_bytes, NULL, 0);
    assert_int_equal(scan(fixture, &delivery, &counts, &status), 2);
    assert_int_equal(status, STATUS_DAMAGED);
}

/* A block that stands whole in the wrong place is damage, not a record. */
static void a_misplaced_frame_is_damage(void **state)
{
    struct fixture *fixture = *state;
    struct delivery delivery;
    struct journal_counts counts;
    enum status status;
    write_bytes(fixture, fixture->n_bytes, fixture->bytes + fixture->end[0],
                fixture->end[1] - fixture->end[0]);
    assert_int_equal(scan(fixture, &delivery, &counts, &status), N_RECORDS);
    assert_int_equal(status, STATUS_DAMAGED);
}

static void a_full_disk_loses_nothing_acknowledged(void **state)
{
    struct fixture *fixture = *state;
    struct journal_incarnation incarnation = make_incarnation();
    struct rlimit before, limit;
    unlink(fixture->path);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t room = 0; room < fixture->end[N_RECORDS]; room += 97) {
        limit = before;
        limit.rlim_cur = room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        struct journal *journal = NULL;
        size_t n_acknowledged = 0;
        fixture->error = (struct error){0};
        enum status status = journal_create(fixture->folder, 7, &incarnation, &journal, &fixture->error);
        assert_int_equal(status, room < fixture->end[0] ? STATUS_IO : STATUS_OK);
        for (int i = 0; i < N_RECORDS && status == STATUS_OK; i++) {
            status = append(fixture, journal, i);
            n_acknowledged += status == STATUS_OK;
        }
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, STATUS_IO);
        assert_non_null(strstr(fixture->error.message, ".journal: "));
        assert_non_null(strstr(fixture->error.message, strerror(EFBIG)));
        assert_int_equal(n_acknowledged, frames_before(fixture, room));
        if (journal != NULL) { /* there is room again, but the fault is final */
            strcpy(fixture->path, journal_path(journal));
            const size_t written = file_bytes(fixture->path);
            assert_int_equal(append(fixture, journal, 0), STATUS_IO);
            assert_int_equal(file_bytes(fixture->path), written);
            assert_int_equal(journal_close(journal, &fixture->error), STATUS_OK);
            struct delivery delivery;
            struct journal_counts counts;
            assert_int_equal(scan(fixture, &delivery, &counts, &status), n_acknowledged);
            assert_int_equal(status, STATUS_OK);
            unlink(fixture->path);
        } else {
            char command[128];
            snprintf(command, sizeof command, "rm %s/*.journal", fixture->folder);
            assert_int_equal(system(command), 0);
        }
    }
}

static void folders_are_read_in_order_and_by_shard(void **state)
{
    struct fixture *fixture = *state;
    struct journal_incarnation incarnation = make_incarnation();
    const int shards[] = {12, 1, 7, 7};
    for (int i = 0; i < 4; i++) {
        struct journal *journal = NULL;
        assert_int_equal(journal_create(fixture->folder, shards[i], &incarnation, &journal, &fixture->error),
                         STATUS_OK);
        assert_int_equal(journal_close(journal, &fixture->error), STATUS_OK);
    }
    char other[128];
    snprintf(other, sizeof other, "%s/notes.txt", fixture->folder);
    fclose(fopen(other, "w"));
    snprintf(other, sizeof other, "%s/7.journal.part", fixture->folder);
    fclose(fopen(other, "w"));
    struct journal_folder *journals = NULL;
    assert_int_equal(journal_folder_open(fixture->folder, -1, &journals, &fixture->error), STATUS_OK);
    assert_int_equal(journal_folder_files(journals), 5);
    for (size_t i = 1; i < 5; i++)
        assert_true(strcmp(journal_folder_path(journals, i - 1), journal_folder_path(journals, i)) < 0);
    journal_folder_close(journals);
    assert_int_equal(journal_folder_open(fixture->folder, 1, &journals, &fixture->error), STATUS_OK);
    assert_int_equal(journal_folder_files(journals), 1);
    journal_folder_close(journals);
    assert_int_equal(journal_folder_open(fixture->folder, 7, &journals, &fixture->error), STATUS_OK);
    assert_int_equal(journal_folder_files(journals), 3);
    journal_folder_close(journals);
}

/* The frame behind it would begin at no whole word, and its scores would, too. */
static void frames_of_no_whole_words_are_damage(void **state)
{
    struct fixture *fixture = *state;
    const struct journal_incarnation incarnation = make_incarnation();
    const unsigned char payload[17] = {0};
    struct journal *journal = NULL;
    struct delivery delivery;
    struct journal_counts counts;
    enum status status;
    assert_int_equal(journal_create(fixture->folder, 0, &incarnation, &journal, &fixture->error), STATUS_OK);
    FILE *file = fopen(journal_path(journal), "ab");
    struct frame_footer footer;
    struct frame_header header = {.kind = JOURNAL_UNFINISHED,
                                  .offset = file_bytes(journal_path(journal)),
                                  .payload_bytes = sizeof payload};
    frame_seal(&header, payload, &footer);
    fwrite(&header, sizeof header, 1, file);
    fwrite(payload, sizeof payload, 1, file);
    fwrite(&footer, sizeof footer, 1, file);
    fclose(file);
    scan(fixture, &delivery, &counts, &status);
    assert_int_equal(status, STATUS_DAMAGED);
    assert_int_equal(counts.n_unfinished, 1); /* the fixture's */
    assert_int_equal(journal_close(journal, &fixture->error), STATUS_OK);
}

/* More than a process may map. */
static void folders_may_hold_very_many_journals(void **state)
{
    enum { N_NAMES = 2, N_LINKS = 35000 };
    struct fixture *fixture = *state;
    struct journal_incarnation incarnation = make_incarnation();
    struct journal_folder *journals = NULL;
    char made[4096], path[4096];
    for (int i = 0; i < N_NAMES; i++) {
        struct journal *journal = NULL;
        assert_int_equal(journal_create(fixture->folder, 0, &incarnation, &journal, &fixture->error),
                         STATUS_OK);
        snprintf(made, sizeof made, "%s", journal_path(journal));
        assert_int_equal(journal_close(journal, &fixture->error), STATUS_OK);
        for (int k = 1; k < N_LINKS; k++) {
            snprintf(path, sizeof path, "%s/0.%d.%d.journal", fixture->folder, i, k);
            assert_int_equal(link(made, path), 0);
        }
    }
    assert_int_equal(journal_folder_open(fixture->folder, 0, &journals, &fixture->error), STATUS_OK);
    assert_true(journal_folder_files(journals) >= N_NAMES * N_LINKS);
    assert_memory_equal(journal_folder_incarnation(journals, N_LINKS), &incarnation, sizeof incarnation);
    journal_folder_close(journals);
}

static void unreadable_places_are_named(void **state)
{
    struct fixture *fixture = *state;
    struct journal_incarnation incarnation = make_incarnation();
    struct journal *journal = NULL;
    struct journal_folder *journals = NULL;
    assert_int_equal(journal_create("/no/such/folder", 0, &incarnation, &journal, &fixture->error),
                     STATUS_IO);
    assert_non_null(strstr(fixture->error.message, "/no/such/folder/0.3."));
    assert_int_equal(journal_folder_open("/no/such/folder", -1, &journals, &fixture->error), STATUS_IO);
    assert_non_null(strstr(fixture->error.message, "/no/such/folder"));
    char path[128];
    snprintf(path, sizeof path, "%s/0.folder.journal", fixture->folder);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_int_equal(journal_folder_open(fixture->folder, 0, &journals, &fixture->error), STATUS_IO);
    assert_non_null(strstr(fixture->error.message, "no regular file"));
}

static enum status stop(void *context, const struct journal_frame *frame, struct error *error)
{
    (*(int *)context)++;
    return error_set(error, STATUS_STOPPED, "at %llu", (unsigned long long)frame->offset);
}

static void a_visit_can_end_the_scan(void **state)
{
    struct fixture *fixture = *state;
    int n_visits = 0;
    assert_int_equal(journal_scan_folder(fixture->folder, -1, stop, &n_visits, NULL, &fixture->error),
                     STATUS_STOPPED);
    assert_int_equal(n_visits, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_comes_back),
        TEST(plain_numbers_come_back),
        TEST(a_cut_anywhere_loses_only_the_last_frame),
        TEST(a_tail_of_zeros_counts_as_torn),
        TEST(a_tail_of_garbage_is_damage),
        TEST(every_flipped_bit_is_found),
        TEST(a_damaged_incarnation_is_unknown),
        TEST(whole_frames_of_others_are_refused),
        TEST(a_misplaced_frame_is_damage),
        TEST(a_full_disk_loses_nothing_acknowledged),
        TEST(folders_are_read_in_order_and_by_shard),
        TEST(frames_of_no_whole_words_are_damage),
        TEST(folders_may_hold_very_many_journals),
        TEST(unreadable_places_are_named),
        TEST(a_visit_can_end_the_scan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
