/* SPDX-License-Identifier: MIT */
/** Natural references: ranking, quantiles and means against plain computations; images in and out; files, and
 * what a job takes of them or refuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../../src/campaign/natural_statistics.h"
#include "campaign_fixture.h"
#include "dataset.h"
#include "memory.h"
#include "natural.h"

enum { N = 997, TOP = 9, N_CLASSES = 4 };

/* Values of few levels, so that many are equal, and labels of which one class is never used. */
static void make_values(uint32_t seed, uint32_t n_levels, float values[N], int32_t labels[N])
{
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        values[i] = (float)((seed >> 16) % n_levels) / 7.0f - 1.0f;
        labels[i] = (int32_t)((seed >> 8) % N_CLASSES) - 1;
    }
}

/* The first of the largest values that is not taken yet. */
static int64_t best_left(const float *values, int64_t n, const bool *is_taken)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (!is_taken[i] && (best < 0 || values[i] > values[best]))
            best = i;
    return best;
}

static void check_ranking(const float *values, int64_t n, int top)
{
    bool is_taken[N] = {false};
    int64_t images[N];
    natural_rank(values, n, top, images);
    for (int k = 0; k < top; k++) {
        const int64_t expected = best_left(values, n, is_taken);
        assert_int_equal(images[k], expected);
        is_taken[expected] = true;
    }
}

static void the_best_are_ranked_ties_by_number(void **state)
{
    (void)state;
    const uint32_t levels[] = {1, 2, 5, 60, 65536};
    float values[N];
    int32_t labels[N];
    for (uint32_t seed = 0; seed < 20; seed++)
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            make_values(seed, levels[l], values, labels);
            check_ranking(values, N, TOP);
            check_ranking(values, N, 1);
            check_ranking(values, TOP, TOP);
            check_ranking(values, 1, 1);
        }
    check_ranking(values, N, N);
}

/* The value with `place` values before it in sorted order, by counting. */
static double order_statistic(const float *values, int64_t n, int64_t place)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t n_smaller = 0, n_equal = 0;
        for (int64_t j = 0; j < n; j++) {
            n_smaller += values[j] < values[i];
            n_equal += values[j] == values[i];
        }
        if (n_smaller <= place && place < n_smaller + n_equal)
            return values[i];
    }
    fail_msg("no value at place %lld", (long long)place);
    return 0;
}

static void check_quantiles(const float values[N])
{
    const double probabilities[NATURAL_QUANTILES] = {0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1};
    const int64_t counts[] = {1, 2, 3, 100, 101, N};
    float sorted[N], quantiles[NATURAL_QUANTILES];
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        natural_quantiles(values, counts[i], sorted, quantiles);
        for (int q = 0; q < NATURAL_QUANTILES; q++) {
            const double position = probabilities[q] * (double)(counts[i] - 1);
            const int64_t below = (int64_t)position;
            const double low = order_statistic(values, counts[i], below);
            const double high = below + 1 < counts[i] ? order_statistic(values, counts[i], below + 1) : low;
            const double share = position - (double)below;
            assert_true(natural_probabilities[q] == probabilities[q]);
            assert_true(fabs(quantiles[q] - (low * (1 - share) + high * share)) <= 1e-6 * (fabs(high) + 1));
        }
    }
}

/* Chance, few levels, rising, falling, and a hill: what a choice of pivots may not like. */
static void quantiles_are_order_statistics(void **state)
{
    (void)state;
    const uint32_t levels[] = {1, 2, 5, 65536};
    const float four[] = {4, 1, 2, 3};
    float values[N], sorted[N], quantiles[NATURAL_QUANTILES];
    int32_t labels[N];
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        make_values(7, levels[l], values, labels);
        check_quantiles(values);
    }
    for (int shape = 0; shape < 3; shape++) {
        for (int i = 0; i < N; i++)
            values[i] = (float)(shape == 0 ? i : shape == 1 ? -i : i < N / 2 ? i : N - i);
        check_quantiles(values);
    }
    natural_quantiles(four, 4, sorted, quantiles);
    assert_true(quantiles[0] == 1 && quantiles[3] == 1.75f && quantiles[4] == 2.5f && quantiles[8] == 4);
}

static void moments_and_class_means(void **state)
{
    (void)state;
    float values[N], mean, std, class_mean[N_CLASSES];
    int32_t labels[N];
    long double sum = 0, squares = 0, class_sum[N_CLASSES] = {0}, class_n[N_CLASSES] = {0};
    make_values(3, 60, values, labels);
    for (int i = 0; i < N; i++) {
        sum += values[i];
        squares += (long double)values[i] * values[i];
        for (int c = 0; c < N_CLASSES; c++) {
            class_sum[c] += labels[i] == c ? values[i] : 0;
            class_n[c] += labels[i] == c;
        }
    }
    natural_moments(values, N, &mean, &std);
    assert_true(fabsl(mean - sum / N) < 1e-6L);
    assert_true(fabsl(std - sqrtl(squares / N - sum * sum / N / N)) < 1e-6L);
    int64_t class_images[N_CLASSES];
    double sums[N_CLASSES];
    for (int c = 0; c < N_CLASSES; c++)
        class_images[c] = (int64_t)class_n[c];
    natural_class_means(values, labels, N, class_images, N_CLASSES, sums, class_mean);
    for (int c = 0; c + 1 < N_CLASSES; c++)
        assert_true(class_n[c] > 0 && fabsl(class_mean[c] - class_sum[c] / class_n[c]) < 1e-6L);
    assert_true(isnan(class_mean[N_CLASSES - 1]));
    const float three[] = {1, 2, 6};
    natural_moments(three, 3, &mean, &std);
    assert_true(mean == 3 && fabs(std - sqrt(14.0 / 3)) < 1e-6);
}

/* ---- a dataset of rows ---- */

enum { PIXELS = 6, ROWS = 5 };

static const char *const class_names[] = {"one", "two"};
static const struct dataset_request request = {
    .model = "test", .channels = 1, .height = 2, .width = 3, .n_classes = 2, .class_names = class_names};

static void write_rows(const char *folder, const char *name, int first_label)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < ROWS; i++) {
        fputc((first_label + i) % 2, file);
        for (int p = 0; p < PIXELS; p++)
            fputc(40 * first_label + 10 * i + p, file);
    }
    assert_int_equal(fclose(file), 0);
}

static void check_images(const char *folder, size_t limit, size_t n_images, char sha256[SHA256_TEXT_CAPACITY])
{
    struct dataset_request limited = request;
    struct dataset *dataset = NULL;
    struct error error = {0};
    unsigned char bytes[PIXELS];
    float values[PIXELS];
    const double mean = 0.5, std = 0.25;
    limited.limit = limit;
    assert_int_equal(dataset_open(folder, &limited, &dataset, &error), STATUS_OK);
    assert_int_equal(dataset_n_images(dataset), n_images);
    assert_int_equal(dataset_image_values(dataset), PIXELS);
    for (size_t i = 0; i < n_images; i++) {
        const int first_label = i < ROWS ? 0 : 1, row = (int)(i % ROWS);
        assert_int_equal(dataset_label(dataset, i), (first_label + row) % 2);
        assert_int_equal(dataset_read(dataset, i, bytes, &error), STATUS_OK);
        for (int p = 0; p < PIXELS; p++)
            assert_int_equal(bytes[p], 40 * first_label + 10 * row + p);
        dataset_normalise(dataset, bytes, &mean, &std, values);
        for (int p = 0; p < PIXELS; p++)
            assert_true(fabs(values[p] - (bytes[p] / 255.0 - 0.5) / 0.25) < 1e-6);
    }
    assert_int_equal(dataset_sha256(dataset, sha256, &error), STATUS_OK);
    dataset_close(dataset);
}

static void take_sha256(const char *folder, size_t limit, char sha256[SHA256_TEXT_CAPACITY])
{
    struct dataset_request limited = request;
    struct dataset *dataset = NULL;
    struct error error = {0};
    limited.limit = limit;
    assert_int_equal(dataset_open(folder, &limited, &dataset, &error), STATUS_OK);
    assert_int_equal(dataset_sha256(dataset, sha256, &error), STATUS_OK);
    dataset_close(dataset);
}

static void rows_come_in_the_order_of_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/meicensus_natural_XXXXXX", command[64];
    char sha256[4][SHA256_TEXT_CAPACITY];
    assert_non_null(mkdtemp(folder));
    write_rows(folder, "b.bin", 1);
    write_rows(folder, "a.bin", 0);
    check_images(folder, 0, 2 * ROWS, sha256[0]);
    check_images(folder, 2 * ROWS, 2 * ROWS, sha256[1]);
    check_images(folder, ROWS + 1, ROWS + 1, sha256[2]);
    assert_string_equal(sha256[0], sha256[1]);
    assert_string_not_equal(sha256[0], sha256[2]);
    write_rows(folder, "c.bin", 0);
    check_images(folder, 2 * ROWS, 2 * ROWS, sha256[3]);
    assert_string_equal(sha256[0], sha256[3]);
    write_rows(folder, "a.bin", 1); /* other images, but the last one */
    take_sha256(folder, 2 * ROWS, sha256[3]);
    assert_string_not_equal(sha256[0], sha256[3]);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* ---- files, and what a job takes of them ---- */

enum { PLACES = 2, N_DATASET = 5000 };

struct files {
    char folder[64], path[96];
    struct fixture campaign;
    struct natural_table table; /* all channels of layer4.1.sn2 and sn1, and all classes */
};

/* What the unit with that number in the file is given: told apart from all others. */
static float activation_of_unit(int64_t row, int64_t place)
{
    return (float)(2 * row + 1) / 4096 - (float)place / 65536;
}

static int64_t image_of_unit(int64_t row, int64_t place)
{
    return (row * 7 + place * 1000 + 11) % N_DATASET;
}

static void name_row(struct natural_table *table, int64_t row, const char *layer, int kind, int channel)
{
    snprintf(table->layer[row], sizeof table->layer[row], "%s", layer);
    table->kind[row] = (uint8_t)kind;
    table->channel[row] = channel;
    for (int64_t place = 0; place < PLACES; place++) {
        table->top_image[row * PLACES + place] = image_of_unit(row, place);
        table->top_label[row * PLACES + place] = (int32_t)(row % 10);
        table->top_activation[row * PLACES + place] = activation_of_unit(row, place);
    }
}

static void copy_text(char **copy, const char *text)
{
    struct error error = {0};
    require(memory_copy_text(copy, text, &error), &error);
}

static void describe(struct files *files, int64_t n_units)
{
    struct natural_table *table = &files->table;
    struct error error = {0};
    const struct model *model = files->campaign.plan->subjects[0].model;
    const int64_t size[N_NATURAL_EXTENTS] = {n_units, PLACES, NATURAL_QUANTILES, 10, 0, 32, 32, 3};
    memcpy(table->size, size, sizeof size);
    require(natural_table_make(table, &error), &error);
    table->origin.timesteps = model_timesteps(model);
    table->origin.n_images = N_DATASET;
    copy_text(&table->origin.model, model_name(model));
    copy_text(&table->origin.model_sha256, model_sha256(model));
    copy_text(&table->origin.tensors_sha256, model_tensors_sha256(model));
    copy_text(&table->origin.kernels, "any");
    copy_text(&table->origin.dataset_sha256, "00");
    require(model_constants(model, &table->origin.neuron, &error), &error);
}

/* The pixels of an image are its number. */
static void fill_images(struct natural_table *table, int64_t n_places)
{
    struct error error = {0};
    require(natural_table_list_images(table, n_places, NULL, &error), &error);
    for (int64_t i = 0; i < table->size[NATURAL_IMAGES]; i++)
        memset(table->rgb8 + i * 3072, (int)(table->image[i] % 251), 3072);
}

static void write_natural(const struct files *files)
{
    struct hdf5_arrays *file = NULL;
    struct error error = {0};
    require(hdf5_arrays_create(files->path, &file, &error), &error);
    require(natural_file_add(file, &files->table, &error), &error);
    require(hdf5_arrays_add(file, "provenance/seconds", RECORD_FLOAT64, 1, (const int64_t[]){1},
                            (const double[]){1}, "s", "time", &error),
            &error);
    require(hdf5_arrays_set_text(file, "provenance", "data", "somewhere", &error), &error);
    require(hdf5_arrays_publish(file, &error), &error);
}

static const char searches[] =
    "methods: {random: {}}\n"
    "searches: [{budget: 10, layers: [layer4.1.sn2], select: [3, 500, 7]},\n"
    "           {budget: 10, unit: class, select: [9, 2]},\n"
    "           {budget: 10, unit: neuron, layers: [layer4.1.sn2], select: [[1, 0, 0]]}]\n";

/* A campaign whose subject has `more` in its mapping. */
static void open_campaign(struct files *files, const char *more, const char *what)
{
    char text[2048];
    snprintf(text, sizeof text,
             "results: none\n"
             "subjects: {spiking: {model: weights/spiking_resnet18.yaml%s, natural: %s}}\n"
             "generators: {vq_vae: {model: weights/vq_vae.yaml}}\n%s",
             more, files->path, what);
    fixture_open(&files->campaign, text);
}

static int open_files(void **state)
{
    struct files *files = calloc(1, sizeof *files);
    strcpy(files->folder, "/tmp/meicensus_natural_XXXXXX");
    assert_non_null(mkdtemp(files->folder));
    snprintf(files->path, sizeof files->path, "%s/natural.h5", files->folder);
    open_campaign(files, ", timesteps: 4", searches);
    describe(files, 64 + 512 + 10);
    for (int i = 0; i < 64 + 512 + 10; i++)
        name_row(&files->table, i,
                 i < 64    ? "sn1"
                 : i < 576 ? "layer4.1.sn2"
                           : "class",
                 i < 576 ? UNIT_CHANNEL : UNIT_CLASS,
                 i < 64    ? i
                 : i < 576 ? i - 64
                           : i - 576);
    *state = files;
    return 0;
}

static int close_files(void **state)
{
    struct files *files = *state;
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", files->folder);
    natural_table_free(&files->table);
    fixture_close(&files->campaign);
    free(files);
    return system(command);
}

static void files_come_back(void **state)
{
    struct files *files = *state;
    struct natural_table found = {0};
    struct error error = {0};
    const struct natural_table *table = &files->table;
    fill_images(&files->table, PLACES);
    write_natural(files);
    require(natural_file_read(files->path, true, &found, &error), &error);
    assert_memory_equal(found.size, table->size, sizeof found.size);
    assert_memory_equal(found.top_image, table->top_image, 586 * PLACES * sizeof *found.top_image);
    assert_memory_equal(found.top_label, table->top_label, 586 * PLACES * sizeof *found.top_label);
    assert_memory_equal(found.top_activation, table->top_activation, 586 * PLACES * sizeof(float));
    assert_memory_equal(found.layer, table->layer, 586 * sizeof *found.layer);
    assert_memory_equal(found.rgb8, table->rgb8, (size_t)found.size[NATURAL_IMAGES] * 3072);
    assert_string_equal(found.origin.neuron, table->origin.neuron);
    assert_string_equal(found.origin.data, "somewhere");
    for (int64_t i = 0; i < 586 * PLACES; i++)
        assert_true(found.image[natural_table_find_image(&found, found.top_image[i])] == found.top_image[i]);
    assert_true(natural_table_find_image(&found, N_DATASET) == -1);
    natural_table_free(&found);
    require(natural_file_read(files->path, false, &found, &error), &error);
    assert_true(found.size[NATURAL_IMAGES] == 0 && found.rgb8 == NULL);
    natural_table_free(&found);
}

/* Rows of the file for channels 3, 7, 500 of layer4.1.sn2 and classes 2 and 9; in the plan (sorted by layer,
 * kind, channel) a single neuron stands between them. */
static const int64_t expected_rows[] = {64 + 3, 64 + 7, 64 + 500, 576 + 2, 576 + 9};
static const int32_t expected_units[] = {0, 1, 2, 4, 5};

static void check_part(const struct natural_table *part)
{
    assert_int_equal(part->size[NATURAL_UNITS], 5);
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(part->unit[i], expected_units[i]);
        for (int64_t place = 0; place < PLACES; place++) {
            assert_true(part->top_activation[i * PLACES + place] ==
                        activation_of_unit(expected_rows[i], place));
            assert_true(part->top_image[i * PLACES + place] == image_of_unit(expected_rows[i], place));
        }
    }
}

static void a_job_takes_the_rows_of_its_units(void **state)
{
    struct files *files = *state;
    struct natural_table part = {0};
    struct error error = {0};
    for (int64_t n_places = 0; n_places <= PLACES; n_places++) { /* pixels of so many */
        natural_table_free(&part);
        free(files->table.image);
        free(files->table.rgb8);
        files->table.image = NULL;
        files->table.rgb8 = NULL;
        files->table.size[NATURAL_IMAGES] = 0;
        if (n_places > 0)
            fill_images(&files->table, n_places);
        write_natural(files);
        require(natural_of_subject(files->campaign.plan, 0, true, &part, &error), &error);
        check_part(&part);
        assert_true(part.size[NATURAL_IMAGES] >= 5 * n_places);
        assert_true(part.size[NATURAL_IMAGES] <= 5 * PLACES);
        for (int64_t i = 0; i < part.size[NATURAL_IMAGES]; i++)
            assert_int_equal(part.rgb8[i * 3072 + 3071], part.image[i] % 251);
    }
    natural_table_free(&part);
    require(natural_check(files->campaign.plan, NULL, &error), &error);
}

static void expect_refusal(const struct files *files, enum status status, const char *part_of_message)
{
    struct natural_table part = {0};
    struct error error = {0};
    assert_int_equal(natural_of_subject(files->campaign.plan, 0, true, &part, &error), status);
    natural_table_free(&part);
    if (strstr(error.message, part_of_message) == NULL || strstr(error.message, files->path) == NULL)
        fail_msg("'%s' is not in '%s'", part_of_message, error.message);
}

/* The same campaign with other keys of the subject, or other searches. */
static void expect_refusal_of(struct files *files, const char *more, const char *what, enum status status,
                              const char *part_of_message)
{
    struct fixture usual = files->campaign;
    open_campaign(files, more, what);
    expect_refusal(files, status, part_of_message);
    fixture_close(&files->campaign);
    files->campaign = usual;
}

static void references_of_something_else_are_refused(void **state)
{
    struct files *files = *state;
    const char *neurons =
        "methods: {random: {}}\n"
        "searches: [{budget: 10, unit: neuron, layers: [layer4.1.sn2], select: [[1, 0, 0]]}]\n";
    const char *other_layer = "methods: {random: {}}\n"
                              "searches: [{budget: 10, layers: [layer1.0.sn1], select: [5]}]\n";
    expect_refusal(files, STATUS_BAD_INPUT,
                   "make it with `meicensus natural --model weights/spiking_resnet18.yaml "
                   "--data DIR");
    write_natural(files);
    expect_refusal_of(files, "", searches, STATUS_BAD_INPUT, "found T = 4, but subject 'spiking' has T = 20");
    expect_refusal_of(files, ", timesteps: 4, neuron: {tau: 3}", searches, STATUS_BAD_INPUT,
                      "--neuron '{tau: 3}'`");
    expect_refusal_of(files, ", timesteps: 4", other_layer, STATUS_BAD_INPUT,
                      "channel 5 of layer 'layer1.0.sn1'");
    expect_refusal_of(files, ", timesteps: 4", neurons, STATUS_BAD_INPUT, "single neurons only");
    files->table.origin.tensors_sha256[0] ^= 1;
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "made for other weights");
    files->table.origin.tensors_sha256[0] ^= 1;
    files->table.origin.model_sha256[0] ^= 1;
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "made for another model file");
}

/* Constants are compared as numbers, whatever they are written like. */
static void equal_constants_are_equal(void **state)
{
    struct files *files = *state;
    struct fixture usual = files->campaign;
    struct natural_table part = {0};
    struct error error = {0};
    write_natural(files);
    open_campaign(files, ", timesteps: 4, neuron: {tau: 2.00, v_reset: 0}", searches);
    require(natural_of_subject(files->campaign.plan, 0, true, &part, &error), &error);
    check_part(&part);
    natural_table_free(&part);
    fixture_close(&files->campaign);
    files->campaign = usual;
}

static void values_without_sense_are_refused(void **state)
{
    struct files *files = *state;
    struct natural_table *table = &files->table;
    table->top_activation[5] = NAN;
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "unit 2, place 1");
    table->top_activation[5] = 0;
    table->top_image[7] = N_DATASET;
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "image 5000");
    table->top_image[7] = 1;
    table->top_label[9] = 10;
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "label 10");
    table->top_label[9] = -1;
    memset(table->layer[3], 'x', sizeof table->layer[3]);
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "text 3 has no end");
    snprintf(table->layer[3], sizeof table->layer[3], "sn1");
    fill_images(table, PLACES);
    table->image[4] = table->image[3];
    write_natural(files);
    expect_refusal(files, STATUS_BAD_INPUT, "the numbers do not rise");
}

static void other_files_are_refused(void **state)
{
    struct files *files = *state;
    struct hdf5_arrays *file = NULL;
    struct error error = {0};
    FILE *text = fopen(files->path, "w");
    fputs("natural\n", text);
    fclose(text);
    expect_refusal(files, STATUS_BAD_INPUT, "not natural references");
    require(hdf5_arrays_create(files->path, &file, &error), &error);
    require(hdf5_arrays_set_text(file, "/", "format", NATURAL_FORMAT, &error), &error);
    require(hdf5_arrays_set_integer(file, "/", "format_version", 1, &error), &error);
    require(hdf5_arrays_publish(file, &error), &error);
    expect_refusal(files, STATUS_BAD_INPUT, "format_version is 1, this program reads version 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_ranked_ties_by_number),
        cmocka_unit_test(quantiles_are_order_statistics),
        cmocka_unit_test(moments_and_class_means),
        cmocka_unit_test(rows_come_in_the_order_of_files),
        cmocka_unit_test_setup_teardown(files_come_back, open_files, close_files),
        cmocka_unit_test_setup_teardown(a_job_takes_the_rows_of_its_units, open_files, close_files),
        cmocka_unit_test_setup_teardown(references_of_something_else_are_refused, open_files, close_files),
        cmocka_unit_test_setup_teardown(equal_constants_are_equal, open_files, close_files),
        cmocka_unit_test_setup_teardown(values_without_sense_are_refused, open_files, close_files),
        cmocka_unit_test_setup_teardown(other_files_are_refused, open_files, close_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
