/* SPDX-License-Identifier: MIT */
/**
 * The results file: a small census (2 methods, 2 replicates, 100 trials; one unit silent, one run failed, one
 * missing) is written, read back, damaged and filled up.
 *
 * With arguments it is a program for tests/end_to_end/results_ranks.sh, run by mpirun:
 *   test_results_file write PATH [change | fail]   change: one value differs; fail: rank 1 cannot find a
 * record
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
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

#include <hdf5.h>

#include "../../src/store/results_seal.h"
#include "hash.h"
#include "results_file.h"

enum {
    N_GROUPS = 2,
    N_UNITS = 41,
    N_REPLICATES = 2,
    N_RUNS = N_GROUPS * N_UNITS * N_REPLICATES,
    N_LAYERS = 3,
    BUDGET = 300,
    SILENT_UNIT = 5,
    FAILED_UNIT = 17,
    MISSING_UNIT = 23,
    IMAGE = 32
};

static const char *const layers[N_LAYERS] = {"sn1", "layer1.0.sn1", "fc"};
static const char *const classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                      "dog",      "frog",       "horse", "ship", "truck"};
static const double mean[] = {0.4914, 0.4822, 0.4465}, standard_deviation[] = {0.2023, 0.1994, 0.2010};

/* A whole census in memory. */
struct census {
    struct results_unit units[N_UNITS];
    int32_t unit_rows[N_UNITS];
    struct results_subject subject;
    struct results_group groups[N_GROUPS];
    struct journal_incarnation incarnation;
    struct results_incarnation incarnations[3];
    struct results_weight weights[2];
    struct record_layout layout;
    unsigned char *records[N_RUNS];
    bool fail_to_find;
    size_t n_calls, change_at_call; /**< find_row's; 0: no change */
    struct results_description description;
};

/* ---- a realistic census ---- */

static float uniform(uint64_t run, uint64_t i)
{
    const uint64_t words[2] = {run, i};
    return (float)(hash_bytes(words, sizeof words) >> 40) / (float)(1 << 24);
}

static void set_scalar(const struct record_layout *layout, void *record, enum record_field_id field,
                       const void *value)
{
    memcpy(record_at(layout, record, field), value, record_type_bytes(record_fields[field].type));
}

static void set_byte(const struct record_layout *layout, void *record, enum record_field_id field,
                     uint8_t value)
{
    set_scalar(layout, record, field, &value);
}

static void fill_failed(const struct record_layout *layout, void *record)
{
    record_set_missing(layout, record);
    set_byte(layout, record, FIELD_STATUS, RUN_FAILED);
    strcpy(record_at(layout, record, FIELD_MESSAGE), "the subject gave NaN for unit sn1[17] (\xc3\xa4)");
}

static void fill_images(const struct record_layout *layout, void *record, uint64_t run)
{
    float *mei = record_at(layout, record, FIELD_MEI);
    uint8_t *rgb = record_at(layout, record, FIELD_MEI_RGB8);
    int32_t *latent = record_at(layout, record, FIELD_LATENT);
    for (size_t i = 0; i < layout->n_elements[FIELD_MEI]; i++) {
        mei[i] = 2 * sinf(0.1f * (float)i + (float)run);
        rgb[i] = (uint8_t)(128 + 40 * mei[i]);
    }
    for (size_t i = 0; i < layout->n_elements[FIELD_LATENT]; i++)
        latent[i] = (int32_t)(64 * uniform(run, i));
}

static void fill_scores(const struct record_layout *layout, void *record, uint64_t run, bool silent)
{
    float *trace = record_at(layout, record, FIELD_TRACE),
          *history = record_at(layout, record, FIELD_HISTORY);
    float best = 0;
    int64_t queries[RECORD_HISTORY_MAX], best_query = 1, n = BUDGET;
    int n_points = record_history_queries(BUDGET, queries), point = 0;
    for (int64_t query = 1; query <= BUDGET; query++) {
        float score = silent ? 0 : floorf(20 * uniform(run, (uint64_t)(1000 + query))) / 20;
        trace[query - 1] = score;
        if (score > best) {
            best = score;
            best_query = query;
        }
        if (point < n_points && queries[point] == query)
            history[point++] = best;
    }
    set_scalar(layout, record, FIELD_ACTIVATION, &best);
    set_scalar(layout, record, FIELD_ACTIVATION_SEARCHED, &best);
    set_scalar(layout, record, FIELD_BEST_QUERY, &best_query);
    set_scalar(layout, record, FIELD_QUERIES, &n);
    set_scalar(layout, record, FIELD_EVALUATIONS, &n);
}

static void fill_trials(const struct record_layout *layout, void *record, uint64_t run, bool silent)
{
    float *activation = record_at(layout, record, FIELD_TRIAL_ACTIVATION);
    float *entropy = record_at(layout, record, FIELD_TRIAL_ENTROPY);
    float *probability = record_at(layout, record, FIELD_TRIAL_PROBABILITY);
    const size_t n_classes = (size_t)layout->sizes.classes;
    for (size_t trial = 0; trial < (size_t)layout->sizes.trials; trial++) {
        float sum = 0;
        activation[trial] = silent ? 0 : uniform(run, 5000 + trial);
        for (size_t i = 0; i < n_classes; i++)
            sum += probability[trial * n_classes + i] = 0.01f + uniform(run, 9000 + trial * n_classes + i);
        entropy[trial] = 0;
        for (size_t i = 0; i < n_classes; i++) {
            float p = probability[trial * n_classes + i] /= sum;
            entropy[trial] -= p * log2f(p) / log2f((float)n_classes);
        }
    }
    memcpy(record_at(layout, record, FIELD_CLASS_PROBABILITY), probability, n_classes * sizeof *probability);
}

static void fill_done(const struct record_layout *layout, void *record, uint64_t run, bool silent)
{
    const double seconds = 1.5;
    const uint64_t key = hash_bytes(&run, sizeof run), codes_hash = hash_bytes(&key, sizeof key);
    set_byte(layout, record, FIELD_STATUS, RUN_DONE);
    set_byte(layout, record, FIELD_STOP_REASON, STOP_BUDGET);
    set_byte(layout, record, FIELD_SILENT, silent);
    fill_images(layout, record, run);
    fill_scores(layout, record, run, silent);
    fill_trials(layout, record, run, silent);
    set_scalar(layout, record, FIELD_KEY, &key);
    set_scalar(layout, record, FIELD_CODES_HASH, &codes_hash);
    set_scalar(layout, record, FIELD_SECONDS_SEARCH, &seconds);
    set_scalar(layout, record, FIELD_SECONDS_TRIALS, &seconds);
}

static size_t run_number(size_t group, size_t unit, size_t replicate)
{
    return (group * N_UNITS + unit) * N_REPLICATES + replicate;
}

static enum status find_row(void *context, size_t group, size_t unit, size_t replicate,
                            struct results_row *row, struct error *error)
{
    struct census *census = context;
    if (++census->n_calls == census->change_at_call)
        unit = (unit + 1) % N_UNITS;
    if (census->fail_to_find && unit == N_UNITS - 1)
        return error_set(error, STATUS_DAMAGED, "a record of unit %zu cannot be found", unit);
    row->record = census->records[run_number(group, unit, replicate)];
    row->incarnation = row->record != NULL ? 0 : -1;
    return STATUS_OK;
}

static void make_records(struct census *census)
{
    for (size_t run = 0; run < N_RUNS; run++) {
        const size_t unit = run / N_REPLICATES % N_UNITS;
        const bool first = run / N_REPLICATES / N_UNITS == 0 && run % N_REPLICATES == 0;
        if (unit == MISSING_UNIT && first)
            continue;
        census->records[run] = calloc(1, census->layout.n_bytes);
        if (unit == FAILED_UNIT && first)
            fill_failed(&census->layout, census->records[run]);
        else
            fill_done(&census->layout, census->records[run], run, unit == SILENT_UNIT);
    }
}

static void make_units(struct census *census)
{
    for (int32_t i = 0; i < N_UNITS; i++) {
        const int32_t layer = i < 20 ? 0 : i < 31 ? 1 : 2;
        census->units[i] = (struct results_unit){.layer = layers[layer],
                                                 .layer_index = layer,
                                                 .kind = layer == 2 ? UNIT_CLASS : UNIT_CHANNEL,
                                                 .channel = i - (layer == 0   ? 0
                                                                 : layer == 1 ? 20
                                                                              : 31),
                                                 .y = -1,
                                                 .x = -1};
        census->unit_rows[i] = i;
    }
    census->subject = (struct results_subject){.name = "spiking_resnet18",
                                               .n_units = N_UNITS,
                                               .units = census->units,
                                               .n_layers = N_LAYERS,
                                               .layers = layers,
                                               .model_sha256 = "00ff"};
}

static struct results_group make_group(const struct census *census, const char *method)
{
    int64_t queries[RECORD_HISTORY_MAX];
    return (struct results_group){
        .subject = "spiking_resnet18",
        .generator = "sn_gan",
        .method = method,
        .settings = "rank: 5\n",
        .mode = "independent",
        .sizes = {.dimensions = 128,
                  .channels = 3,
                  .height = IMAGE,
                  .width = IMAGE,
                  .history = record_history_queries(BUDGET, queries),
                  .budget = BUDGET,
                  .trace = BUDGET,
                  .trials = 100,
                  .classes = 10},
        .include_trace = strcmp(method, "tt") == 0,
        .n_units = N_UNITS,
        .unit_rows = census->unit_rows,
        .n_replicates = N_REPLICATES,
        .class_names = classes,
        .timesteps = 20,
        .noise = "carry_over",
        .mean = mean,
        .std = standard_deviation,
        .how_to_read = "z = -4 + 8 (index + 0.5) / latent_points",
        .latent_points = 64,
        .latent_kind = "grid",
    };
}

static struct census *make_census(void)
{
    struct census *census = calloc(1, sizeof *census);
    struct error error = {0};
    make_units(census);
    census->groups[0] = make_group(census, "tt");
    census->groups[1] = make_group(census, "random");
    if (record_layout_make(&census->groups[0].sizes, &census->layout, &error) != STATUS_OK)
        abort();
    make_records(census);
    strcpy(census->incarnation.identity.backend, "cpu");
    strcpy(census->incarnation.host, "node1");
    census->incarnation.pid = getpid();
    for (int i = 0; i < 3; i++)
        census->incarnations[i] = (struct results_incarnation){&census->incarnation, "0.1.node1.77.journal"};
    census->weights[0] = (struct results_weight){"spiking_resnet18", "weights/a.safetensors", "00ff"};
    census->weights[1] = (struct results_weight){"sn_gan", "weights/b.safetensors", "11ee"};
    census->description = (struct results_description){.title = "a census for tests",
                                                       .source = "meicensus 0",
                                                       .n_subjects = 1,
                                                       .subjects = &census->subject,
                                                       .n_groups = N_GROUPS,
                                                       .groups = census->groups,
                                                       .find_row = find_row,
                                                       .context = census,
                                                       .job = "name: test\n",
                                                       .settings = "",
                                                       .program_version = "0",
                                                       .code_revision = "unknown",
                                                       .compiler = "cc",
                                                       .flags = "-O3",
                                                       .date = "2026-01-31T23:59:59Z",
                                                       .n_incarnations = 1,
                                                       .incarnations = census->incarnations,
                                                       .n_weights = 2,
                                                       .weights = census->weights};
    return census;
}

static void free_census(struct census *census)
{
    for (size_t run = 0; run < N_RUNS; run++)
        free(census->records[run]);
    free(census);
}

/* ---- fixture: a census and a folder with its results file ---- */

struct fixture {
    struct census *census;
    char folder[64], path[128], part[160];
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/meicensus_results_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/results.h5", fixture->folder);
    snprintf(fixture->part, sizeof fixture->part, "%s.part", fixture->path);
    fixture->census = make_census();
    struct results_summary summary;
    enum status status = results_file_write(MPI_COMM_WORLD, fixture->path, &fixture->census->description,
                                            &summary, &fixture->error);
    if (status != STATUS_OK)
        print_error("%s\n", fixture->error.message);
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(summary.n_done, N_RUNS - 2);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    unlink(fixture->part);
    int result = rmdir(fixture->folder);
    free_census(fixture->census);
    free(fixture);
    return result;
}

static void read_array(hid_t file, const char *name, hid_t type, void *values)
{
    hid_t dataset = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(dataset >= 0);
    assert_true(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
}

#define TT "/census/spiking_resnet18/sn_gan/tt/"

static void the_file_holds_the_census(void **state)
{
    struct fixture *fixture = *state;
    struct results_summary summary;
    assert_int_equal(results_file_verify(fixture->path, &summary, &fixture->error), STATUS_OK);
    assert_int_equal(summary.n_groups, N_GROUPS);
    assert_int_equal(summary.n_done, N_RUNS - 2);
    assert_int_equal(summary.n_failed, 1);
    assert_int_equal(summary.n_missing, 1);
    assert_true(summary.n_datasets > 50);
    assert_int_equal(access(fixture->part, F_OK), -1);

    static float mei[N_UNITS][N_REPLICATES][3][IMAGE][IMAGE];
    int32_t incarnation[N_UNITS][N_REPLICATES];
    uint8_t silent[N_UNITS][N_REPLICATES], statuses[N_UNITS][N_REPLICATES];
    char message[N_UNITS][N_REPLICATES][RECORD_TEXT_BYTES];
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, RECORD_TEXT_BYTES);
    H5Tset_cset(text, H5T_CSET_UTF8);
    read_array(file, TT "mei", H5T_NATIVE_FLOAT, mei);
    read_array(file, TT "status", H5T_NATIVE_UINT8, statuses);
    read_array(file, TT "silent", H5T_NATIVE_UINT8, silent);
    read_array(file, TT "message", text, message);
    read_array(file, "/provenance/runs/spiking_resnet18/sn_gan/tt/incarnation", H5T_NATIVE_INT32,
               incarnation);
    H5Tclose(text);
    assert_true(H5Lexists(file, TT "trace", H5P_DEFAULT) > 0);
    assert_int_equal(H5Lexists(file, "/census/spiking_resnet18/sn_gan/random/trace", H5P_DEFAULT), 0);
    H5Fclose(file);
    for (size_t unit = 0; unit < N_UNITS; unit++) {
        const unsigned char *record = fixture->census->records[run_number(0, unit, 0)];
        const bool missing = unit == MISSING_UNIT;
        assert_int_equal(statuses[unit][0], missing               ? RUN_MISSING
                                            : unit == FAILED_UNIT ? RUN_FAILED
                                                                  : RUN_DONE);
        assert_int_equal(silent[unit][0], unit == SILENT_UNIT);
        assert_int_equal(incarnation[unit][0], missing ? -1 : 0);
        assert_int_equal(strlen(message[unit][0]) > 0, unit == FAILED_UNIT);
        if (missing)
            assert_true(isnan(mei[unit][0][0][0][0]) && isnan(mei[unit][0][2][IMAGE - 1][IMAGE - 1]));
        else
            assert_memory_equal(mei[unit][0], record_at_const(&fixture->census->layout, record, FIELD_MEI),
                                sizeof mei[unit][0]);
    }
}

/* Every dataset but scalar texts has a checksum, named dimensions and its texts. */
static herr_t check_dataset(hid_t root, const char *name, const H5O_info_t *information, void *context)
{
    (void)context;
    if (information->type != H5O_TYPE_DATASET)
        return 0;
    hid_t dataset = H5Dopen2(root, name, H5P_DEFAULT), creation = H5Dget_create_plist(dataset);
    hid_t space = H5Dget_space(dataset);
    bool checksum = false;
    for (int i = 0; i < H5Pget_nfilters(creation); i++)
        checksum |= H5Pget_filter2(creation, (unsigned int)i, NULL, NULL, NULL, 0, NULL, NULL) ==
                    H5Z_FILTER_FLETCHER32;
    const bool array = H5Sget_simple_extent_ndims(space) > 0;
    if (information->mtime != 0 || information->ctime != 0)
        fail_msg("%s: has time stamps", name);
    if (checksum != array)
        fail_msg("%s: checksum %d", name, checksum);
    if (array && H5Aexists(dataset, "DIMENSION_LIST") + H5Aexists(dataset, "CLASS") != 1)
        fail_msg("%s: dimensions have no names", name);
    if (H5Aexists(dataset, "units") <= 0 || H5Aexists(dataset, "long_name") <= 0 ||
        H5Aexists(dataset, "description") <= 0)
        fail_msg("%s: not described", name);
    H5Sclose(space);
    H5Pclose(creation);
    H5Dclose(dataset);
    return 0;
}

static void every_dataset_describes_itself(void **state)
{
    struct fixture *fixture = *state;
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, check_dataset, NULL,
                          H5O_INFO_BASIC | H5O_INFO_TIME) >= 0);
    H5Fclose(file);
}

static size_t file_bytes(const char *path)
{
    struct stat information;
    assert_int_equal(stat(path, &information), 0);
    return (size_t)information.st_size;
}

static void flip_byte(const char *path, size_t offset, unsigned char mask)
{
    unsigned char byte;
    int descriptor = open(path, O_RDWR);
    assert_int_equal(pread(descriptor, &byte, 1, (off_t)offset), 1);
    byte ^= mask;
    assert_int_equal(pwrite(descriptor, &byte, 1, (off_t)offset), 1);
    close(descriptor);
}

static void any_changed_byte_is_found(void **state)
{
    struct fixture *fixture = *state;
    const size_t n_bytes = file_bytes(fixture->path);
    for (size_t offset = 0; offset < n_bytes; offset += offset < SEAL_BYTES ? 1 : 1 + n_bytes / 500) {
        const unsigned char mask = (unsigned char)(1u << offset % 8);
        flip_byte(fixture->path, offset, mask);
        assert_int_not_equal(results_file_verify(fixture->path, NULL, &fixture->error), STATUS_OK);
        flip_byte(fixture->path, offset, mask);
    }
    assert_int_equal(results_file_verify(fixture->path, NULL, &fixture->error), STATUS_OK);
}

static void a_cut_file_is_named(void **state)
{
    struct fixture *fixture = *state;
    const size_t n_bytes = file_bytes(fixture->path);
    const size_t cuts[] = {n_bytes - 1, n_bytes / 2, SEAL_BYTES, SEAL_BYTES - 1, 10, 0};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        assert_int_equal(truncate(fixture->path, (off_t)cuts[i]), 0);
        assert_int_equal(results_file_verify(fixture->path, NULL, &fixture->error),
                         cuts[i] < SEAL_BYTES ? STATUS_BAD_INPUT : STATUS_DAMAGED);
        assert_non_null(strstr(fixture->error.message, fixture->path));
        assert_true(cuts[i] < SEAL_BYTES || strstr(fixture->error.message, "cut off") != NULL);
    }
    unlink(fixture->path);
    assert_int_equal(results_file_verify(fixture->path, NULL, &fixture->error), STATUS_IO);
    assert_int_equal(results_file_verify("Makefile", NULL, &fixture->error), STATUS_BAD_INPUT);
    assert_int_equal(results_file_verify("/tmp", NULL, &fixture->error), STATUS_BAD_INPUT);
}

/* ---- files with a right seal and wrong content ---- */

static void expect_after_seal(struct fixture *fixture, enum status status, const char *message)
{
    assert_int_equal(results_seal_write(fixture->path, &fixture->error), STATUS_OK);
    assert_int_equal(results_file_verify(fixture->path, NULL, &fixture->error), status);
    if (strstr(fixture->error.message, message) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", message, fixture->error.message);
}

static void a_damaged_chunk_is_found(void **state)
{
    struct fixture *fixture = *state;
    haddr_t address;
    hsize_t size, offset[5];
    unsigned int filters;
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, TT "trials/entropy", H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    assert_true(H5Dget_chunk_info(dataset, space, 0, offset, &filters, &address, &size) >= 0);
    H5Sclose(space);
    H5Dclose(dataset);
    H5Fclose(file);
    flip_byte(fixture->path, SEAL_BYTES + (size_t)address + (size_t)size - 2, 4);
    expect_after_seal(fixture, STATUS_DAMAGED, "tt/trials/entropy: cannot be read (checksum)");
}

static void a_missing_dataset_is_found(void **state)
{
    struct fixture *fixture = *state;
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Ldelete(file, TT "latent", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    expect_after_seal(fixture, STATUS_DAMAGED, "tt/latent: is missing");
}

static void a_wrong_shape_is_found(void **state)
{
    struct fixture *fixture = *state;
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(H5Lmove(file, TT "activation", file, TT "kept", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lmove(file, TT "history", file, TT "activation", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lmove(file, TT "kept", file, TT "history", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    expect_after_seal(fixture, STATUS_DAMAGED, "tt/activation: its shape");
}

static void write_number(hid_t file, const char *attribute, hid_t type, const void *value)
{
    hid_t id = H5Aopen(file, attribute, H5P_DEFAULT);
    assert_true(H5Awrite(id, type, value) >= 0);
    H5Aclose(id);
}

static void contradictions_are_found(void **state)
{
    struct fixture *fixture = *state;
    const int32_t future = RESULTS_FORMAT_VERSION + 1, present = RESULTS_FORMAT_VERSION, beyond = N_UNITS;
    const uint8_t yes = 1;
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    write_number(file, "format_version", H5T_NATIVE_INT32, &future);
    H5Fclose(file);
    expect_after_seal(fixture, STATUS_BAD_INPUT, "format_version 2 only");

    file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    write_number(file, "format_version", H5T_NATIVE_INT32, &present);
    write_number(file, "complete", H5T_NATIVE_UINT8, &yes);
    H5Fclose(file);
    expect_after_seal(fixture, STATUS_DAMAGED, "complete contradicts");

    int32_t rows[N_UNITS];
    uint8_t statuses[N_UNITS * N_REPLICATES];
    file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t unit = H5Dopen2(file, TT "unit", H5P_DEFAULT), status = H5Dopen2(file, TT "status", H5P_DEFAULT);
    H5Dread(status, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, statuses);
    statuses[7] = 3;
    H5Dwrite(status, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, statuses);
    H5Fflush(file, H5F_SCOPE_LOCAL);
    H5Dclose(status);
    H5Dread(unit, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows);
    H5Dclose(unit);
    H5Fclose(file);
    expect_after_seal(fixture, STATUS_DAMAGED, "tt/status: a value that is no status");

    file = H5Fopen(fixture->path, H5F_ACC_RDWR, H5P_DEFAULT);
    unit = H5Dopen2(file, TT "unit", H5P_DEFAULT);
    rows[3] = beyond;
    H5Dwrite(unit, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows);
    H5Dclose(unit);
    H5Fclose(file);
    expect_after_seal(fixture, STATUS_DAMAGED, "tt/unit: names a unit");
}

/* ---- faults while writing ---- */

static enum status write_again(struct fixture *fixture)
{
    fixture->error = (struct error){0};
    return results_file_write(MPI_COMM_WORLD, fixture->path, &fixture->census->description, NULL,
                              &fixture->error);
}

static void expect_old_file(struct fixture *fixture)
{
    assert_int_equal(access(fixture->part, F_OK), -1);
    assert_int_equal(results_file_verify(fixture->path, NULL, &fixture->error), STATUS_OK);
}

static void a_full_disk_leaves_the_old_file(void **state)
{
    struct fixture *fixture = *state;
    const size_t n_bytes = file_bytes(fixture->path);
    struct rlimit before, limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t room = 0; room < n_bytes; room += n_bytes / 7) {
        limit = before;
        limit.rlim_cur = room;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        enum status status = write_again(fixture);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(status, STATUS_IO);
        assert_non_null(strstr(fixture->error.message, fixture->part));
        expect_old_file(fixture);
    }
    assert_int_equal(write_again(fixture), STATUS_OK);
    expect_old_file(fixture);
}

static void a_record_that_cannot_be_found_ends_it(void **state)
{
    struct fixture *fixture = *state;
    fixture->census->fail_to_find = true;
    assert_int_equal(write_again(fixture), STATUS_DAMAGED);
    assert_string_equal(fixture->error.message, "a record of unit 40 cannot be found");
    expect_old_file(fixture);
}

/* The second half of the calls is for reading back: a record that is another one then stands for a file that
 * does not hold what was written. */
static void what_reads_back_otherwise_is_not_published(void **state)
{
    struct fixture *fixture = *state;
    struct census *census = fixture->census;
    const size_t n_calls = census->n_calls, n_runs = N_UNITS * N_REPLICATES;
    census->n_calls = 0;
    census->change_at_call =
        n_calls - n_runs * 4; /* in the group's last arrays, which differ from unit to unit */
    for (size_t i = 0; i < 12; i++, census->n_calls = 0, census->change_at_call -= n_runs) {
        enum status status = write_again(fixture);
        if (status == STATUS_DAMAGED)
            break;
        assert_int_equal(status, STATUS_OK); /* a field that is the same for all units */
    }
    assert_non_null(strstr(fixture->error.message, "reads back other than its record"));
    census->change_at_call = 0;
    expect_old_file(fixture);
}

static void impossible_descriptions_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct results_group *group = &fixture->census->groups[1];
    group->method = "a/b";
    assert_int_equal(write_again(fixture), STATUS_BAD_INPUT);
    group->method = "random";
    group->n_replicates = 0;
    assert_int_equal(write_again(fixture), STATUS_INTERNAL);
    group->n_replicates = N_REPLICATES;
    group->sizes.history--;
    assert_int_equal(write_again(fixture), STATUS_INTERNAL);
    expect_old_file(fixture);
    char path[256];
    snprintf(path, sizeof path, "%s/no/such/folder.h5", fixture->folder);
    assert_int_equal(
        results_file_write(MPI_COMM_WORLD, path, &fixture->census->description, NULL, &fixture->error),
        STATUS_IO);
    assert_non_null(strstr(fixture->error.message, path));
    assert_non_null(strstr(fixture->error.message, strerror(ENOENT)));
}

static void fields_without_elements_are_left_out(void **state)
{
    struct fixture *fixture = *state;
    struct record_layout *layout = &fixture->census->layout;
    struct results_summary summary;
    for (int i = 0; i < N_GROUPS; i++)
        fixture->census->groups[i].sizes.trials = 0;
    assert_int_equal(record_layout_make(&fixture->census->groups[0].sizes, layout, &fixture->error),
                     STATUS_OK);
    for (size_t run = 0; run < N_RUNS; run++) { /* the old records have another layout */
        free(fixture->census->records[run]);
        fixture->census->records[run] = calloc(1, layout->n_bytes);
        set_byte(layout, fixture->census->records[run], FIELD_STATUS, RUN_DONE);
    }
    assert_int_equal(write_again(fixture), STATUS_OK);
    assert_int_equal(results_file_verify(fixture->path, &summary, &fixture->error), STATUS_OK);
    assert_int_equal(summary.n_done, N_RUNS);
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_int_equal(H5Lexists(file, TT "trials", H5P_DEFAULT), 0);
    assert_true(H5Lexists(file, TT "mei", H5P_DEFAULT) > 0);
    H5Fclose(file);
}

/* ---- the program under mpirun ---- */

/* All that may differ between two executions of a job does. */
static void make_other_execution(struct census *census)
{
    const double seconds = 99.25;
    for (size_t run = 0; run < N_RUNS; run++)
        if (census->records[run] != NULL)
            set_scalar(&census->layout, census->records[run], FIELD_SECONDS_SEARCH, &seconds);
    strcpy(census->incarnation.host, "a-machine-with-a-longer-name");
    strcpy(census->incarnation.date, "2030-01-01T00:00:00Z");
    census->description.n_incarnations = 3;
    census->description.date = "2030-01-01T00:00:01Z";
    census->description.compiler = "another compiler";
    census->description.duplicate_records = 2;
    census->description.n_weights = 1;
}

static int write_under_mpirun(int n_arguments, char **arguments)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct census *census = make_census();
    struct error error = {0};
    const char *variant = n_arguments > 3 ? arguments[3] : "";
    float *activation = record_at(&census->layout, census->records[9], FIELD_ACTIVATION);
    if (strcmp(variant, "change") == 0)
        *activation = nextafterf(*activation, 2);
    census->fail_to_find = strcmp(variant, "fail") == 0 && rank == 1;
    if (strcmp(variant, "other") == 0)
        make_other_execution(census);
    enum status status = results_file_write(MPI_COMM_WORLD, arguments[2], &census->description, NULL, &error);
    if (status != STATUS_OK)
        fprintf(stderr, "rank %d: %s\n", rank, error.message);
    free_census(census);
    return status_exit_code(status);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int n_arguments, char **arguments)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_holds_the_census),
        TEST(every_dataset_describes_itself),
        TEST(any_changed_byte_is_found),
        TEST(a_cut_file_is_named),
        TEST(a_damaged_chunk_is_found),
        TEST(a_missing_dataset_is_found),
        TEST(a_wrong_shape_is_found),
        TEST(contradictions_are_found),
        TEST(a_full_disk_leaves_the_old_file),
        TEST(a_record_that_cannot_be_found_ends_it),
        TEST(what_reads_back_otherwise_is_not_published),
        TEST(impossible_descriptions_are_refused),
        TEST(fields_without_elements_are_left_out),
    };
    MPI_Init(&n_arguments, &arguments);
    int result = n_arguments > 2 && strcmp(arguments[1], "write") == 0
                     ? write_under_mpirun(n_arguments, arguments)
                     : cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return result;
}
