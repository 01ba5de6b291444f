/* SPDX-License-Identifier: MIT */
/**
 * The analysis: its statistics against published packages, its tables, and what it reads of a results file.
 *
 * With arguments it writes a file for tests/end_to_end/analysis.sh:
 *   test_analysis write SHAPE PATH [newer | subject NAME]   SHAPE: see analysis_fixture.h; newer: of the next
 * format version; subject: with a second subject of that name
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../analysis/figures.h"
#include "../../analysis/hdf5_read.h"
#include "../../analysis/plot.h"
#include "../../analysis/statistics.h"
#include "../../analysis/text.h"
#include "../../src/store/results_seal.h"
#include "analysis_fixture.h"

static char folder[] = "/tmp/test_analysis_XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void assert_near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fmax(1, fabs(expected))))
        fail_msg("%.17g, expected %.17g", value, expected);
}

static struct signed_rank signed_rank(const double *differences, size_t n)
{
    struct signed_rank result;
    struct error error = {0};
    assert_int_equal(statistics_signed_rank(differences, n, 1e-6, &result, &error), STATUS_OK);
    return result;
}

/* ---- Statistics --------------------------------------------------------------------------------------- */

/* numpy.quantile (2.x, its default method), .mean, .std(ddof=1) */
static void quantiles_are_those_of_numpy(void **state)
{
    double values[] = {3.5, -1, 4, 1, 5, 9, 2, 6, 5.25, 3};
    struct distribution distribution;
    (void)state;
    assert_near(statistics_variation(values, 10), 0.740386951818619);
    statistics_describe(values, 10, &distribution);
    assert_int_equal(distribution.n, 10);
    assert_near(distribution.mean, 3.775);
    assert_near(distribution.minimum, -1);
    assert_near(distribution.quantile_05, -0.1);
    assert_near(distribution.quantile_25, 2.25);
    assert_near(distribution.median, 3.75);
    assert_near(distribution.quantile_75, 5.1875);
    assert_near(distribution.quantile_95, 7.65);
    assert_near(distribution.maximum, 9);
}

static void numbers_of_nothing_do_not_exist(void **state)
{
    const double one = 2, zeros[] = {0, 0};
    double interval[2], value = 2;
    struct distribution distribution;
    struct error error = {0};
    (void)state;
    statistics_describe(&value, 0, &distribution);
    assert_int_equal(distribution.n, 0);
    assert_true(isnan(distribution.median) && isnan(distribution.mean) && isnan(distribution.maximum));
    assert_true(isnan(statistics_variation(&one, 1)));
    assert_true(isnan(statistics_variation(zeros, 2)));
    assert_int_equal(statistics_bootstrap_median(&value, 1, interval, &error), STATUS_OK);
    assert_true(isnan(interval[0]) && isnan(interval[1]));
    assert_near(signed_rank(zeros, 0).p, 1);
    assert_near(signed_rank(zeros, 2).p, 1);
    assert_int_equal(signed_rank(zeros, 2).n_nonzero, 0);
}

/* Depression scores of Hollander and Wolfe (1973), the example of wilcox.test in R: V = 40, p = 0.03906. */
static void signed_ranks_without_ties_are_those_of_r(void **state)
{
    const double first[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
    const double second[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
    double differences[9];
    (void)state;
    for (int i = 0; i < 9; i++)
        differences[i] = first[i] - second[i];
    struct signed_rank result = signed_rank(differences, 9);
    assert_near(result.positive_sum, 40);
    assert_near(result.p, 0.0390625);
    assert_near(result.rank_biserial, (40.0 - 5.0) / 45.0);
    assert_true(result.exact);
}

/* scipy.stats.wilcoxon 1.17.1, zero_method='wilcox', method=PermutationMethod(n_resamples=inf) */
static void signed_ranks_with_ties_and_zeros_are_those_of_scipy(void **state)
{
    double differences[] = {3, -1, 2, 2, -2, 5, 0, 4, 1, -1, 6, 2};
    (void)state;
    struct signed_rank result = signed_rank(differences, 12);
    assert_int_equal(result.n_nonzero, 11);
    assert_near(result.positive_sum, 56.5);
    assert_near(result.p, 0.037109375);
    for (int i = 0; i < 12; i++)
        differences[i] *= -1;
    assert_near(signed_rank(differences, 12).p, 0.037109375);
    assert_near(signed_rank(differences, 12).rank_biserial, -result.rank_biserial);
}

/* scipy.stats.wilcoxon 1.17.1, zero_method='wilcox', correction=False, method='approx' */
static void many_signed_ranks_are_those_of_scipy(void **state)
{
    double differences[60];
    (void)state;
    for (int i = 0; i < 60; i++)
        differences[i] = i * 37 % 23 - 9;
    struct signed_rank result = signed_rank(differences, 60);
    assert_int_equal(result.n_nonzero, 58);
    assert_near(result.positive_sum, 1116);
    assert_near(result.rank_biserial, 0.304500292226768);
    assert_true(fabs(result.p - 0.04353205576279501) < 1e-12);
    assert_false(result.exact);
}

/* Spike counts over 20 steps as float32: rounding must not order equal differences. */
static void equal_differences_tie_whatever_their_rounding(void **state)
{
    double differences[8], counts[8];
    (void)state;
    for (int i = 0; i < 8; i++) {
        counts[i] = i < 3 ? 1 : -1;
        differences[i] = (double)((float)(i + 7 + counts[i]) / 20.0f) - (double)((float)(i + 7) / 20.0f);
    }
    assert_near(signed_rank(counts, 8).positive_sum, 13.5);
    assert_near(signed_rank(differences, 8).positive_sum, 13.5);
    assert_near(signed_rank(differences, 8).p, signed_rank(counts, 8).p);
}

/* p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") in R; and c(0.5, 0.9, 0.02) */
static void holm_is_that_of_r(void **state)
{
    double p[] = {0.01, 0.04, NAN, 0.03, 0.005}, large[] = {0.5, 0.9, 0.02};
    struct error error = {0};
    (void)state;
    assert_int_equal(statistics_holm(p, 5, &error), STATUS_OK);
    assert_near(p[0], 0.03);
    assert_near(p[1], 0.06);
    assert_true(isnan(p[2]));
    assert_near(p[3], 0.06);
    assert_near(p[4], 0.02);
    assert_int_equal(statistics_holm(large, 3, &error), STATUS_OK);
    assert_near(large[0], 1);
    assert_near(large[1], 1);
    assert_near(large[2], 0.06);
    assert_int_equal(statistics_holm(NULL, 0, &error), STATUS_OK);
}

/*
 * A resample of 1..n has a median of at most k with the binomial probability P(B(n, k / n) >= (n + 1) / 2):
 * for n = 11, 0.0072 at 2, 0.0512 at 3, 0.9488 at 8, 0.9928 at 9; so the interval is [3, 9].
 */
static void bootstrap_interval_is_that_of_the_exact_distribution(void **state)
{
    double values[11], again[11], interval[2], second[2];
    struct error error = {0};
    (void)state;
    for (int i = 0; i < 11; i++)
        values[i] = again[i] = 1 + (i * 7) % 11;
    assert_int_equal(statistics_bootstrap_median(values, 11, interval, &error), STATUS_OK);
    assert_near(interval[0], 3);
    assert_near(interval[1], 9);
    assert_int_equal(statistics_bootstrap_median(again, 11, second, &error), STATUS_OK);
    assert_memory_equal(interval, second, sizeof interval);
}

static void bootstrap_of_an_even_number_takes_the_middle_of_two(void **state)
{
    double values[] = {0, 1}, equal[] = {3, 3, 3, 3}, interval[2];
    struct error error = {0};
    (void)state;
    assert_int_equal(statistics_bootstrap_median(values, 2, interval, &error), STATUS_OK);
    assert_near(interval[0], 0); /* medians 0, 1/2, 1 with 1/4, 1/2, 1/4 */
    assert_near(interval[1], 1);
    assert_int_equal(statistics_bootstrap_median(equal, 4, interval, &error), STATUS_OK);
    assert_near(interval[0], 3);
    assert_near(interval[1], 3);
}

static void codes_have_a_distance(void **state)
{
    const int32_t low[] = {0, 0, 0, 0}, high[] = {31, 31, 31, 31}, one[] = {0, 0, 31, 0};
    (void)state;
    assert_near(statistics_code_distance(low, high, 4, 32, false), 1);
    assert_near(statistics_code_distance(low, one, 4, 32, false), 0.5);
    assert_near(statistics_code_distance(low, low, 4, 32, false), 0);
    assert_near(statistics_code_distance(low, one, 4, 32, true), 0.25);
    assert_near(statistics_code_distance(low, high, 4, 32, true), 1);
    assert_near(statistics_code_distance(low, high, 4, 1, true), 1);
}

static void histogram_counts_every_value_once(void **state)
{
    const double values[] = {0, 0.24, 0.25, 0.5, 0.99, 1};
    const size_t expected[] = {2, 1, 1, 2};
    size_t counts[4];
    (void)state;
    statistics_histogram(values, 6, 0, 1, 4, counts);
    assert_memory_equal(counts, expected, sizeof counts);
}

/* ---- Tables and names --------------------------------------------------------------------------------- */

static const struct column columns[] = {{"name", COLUMN_TEXT, "", "a text"},
                                        {"count", COLUMN_INTEGER, "1", "an integer"},
                                        {"value", COLUMN_NUMBER, "s", "a number"}};

static void a_table_becomes_csv_and_hdf5(void **state)
{
    struct table table;
    struct error error = {0};
    char text[128] = "";
    double values[2];
    (void)state;
    hid_t file = H5Fcreate(in_folder("table.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    table_start(&table, "plain", "a table", columns, 3);
    table_text(&table, "a, \"b\"");
    table_integer(&table, -3);
    table_number(&table, 0.25);
    table_format(&table, "line\n%d", 2);
    table_integer(&table, 4);
    table_number(&table, NAN);
    assert_int_equal(table_write(&table, folder, file, &error), STATUS_OK);
    table_free(&table);
    FILE *csv = fopen(in_folder("plain.csv"), "r");
    assert_true(fread(text, 1, sizeof text - 1, csv) > 0);
    fclose(csv);
    assert_string_equal(text, "name,count,value\n\"a, \"\"b\"\"\",-3,0.25\n\"line 2\",4,\n");
    hid_t dataset = H5Dopen2(file, "plain/value", H5P_DEFAULT);
    assert_true(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    assert_near(values[0], 0.25);
    assert_near(values[1], TABLE_FILL_VALUE);
    H5Dclose(dataset);
    H5Fclose(file);
}

static void wrong_cells_are_refused(void **state)
{
    struct table table;
    struct error error = {0};
    (void)state;
    table_start(&table, "wrong", "", columns, 3);
    table_text(&table, "a");
    table_number(&table, 1);
    assert_int_equal(table_write(&table, folder, H5I_INVALID_HID, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "column count has the wrong type"));
    table_free(&table);
    table_start(&table, "short", "", columns, 3);
    table_text(&table, "a");
    assert_int_equal(table_write(&table, folder, H5I_INVALID_HID, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "not complete"));
    table_free(&table);
}

static void names_become_safe_file_names(void **state)
{
    char name[FILE_NAME_CAPACITY], other[FILE_NAME_CAPACITY], length[300], quoted[QUOTED_CAPACITY];
    (void)state;
    output_file_name("sn_gan-1.0", name);
    assert_string_equal(name, "sn_gan-1.0");
    output_file_name("../a b", name);
    assert_string_equal(name, "%2E.%2Fa%20b");
    memset(length, 'x', sizeof length);
    length[299] = '\0';
    output_file_name(length, name);
    length[298] = 'y';
    output_file_name(length, other);
    assert_true(strlen(name) < FILE_NAME_CAPACITY && strcmp(name, other) != 0);
    plot_quote("it's `ls`\n", quoted);
    assert_string_equal(quoted, "'it''s `ls` '");
}

static void no_key(struct table *table, const void *key)
{
    (void)table;
    (void)key;
}

static void few_values_are_their_own_bins(void **state)
{
    double values[FIGURES_MOST_DOTS + 1] = {0};
    static const struct column bins[] = {FIGURES_BIN_COLUMNS};
    struct table table;
    (void)state;
    for (int i = 0; i <= FIGURES_MOST_DOTS; i++)
        values[i] = i < 2 ? 0.5 : i == 2 ? 0.7 : 0.9;
    table_start(&table, "bins", "", bins, 6);
    figures_add_histogram(&table, values, FIGURES_MOST_DOTS, (struct range){0, 1}, no_key, NULL);
    assert_int_equal(table_n_rows(&table), FIGURES_MOST_DOTS);
    assert_near(table.cells[12].number, 0.7);
    assert_near(table.cells[13].number, 0.7);
    table_free(&table);
    table_start(&table, "bins", "", bins, 6);
    figures_add_histogram(&table, values, FIGURES_MOST_DOTS + 1, (struct range){0, 1}, no_key, NULL);
    assert_int_equal(table_n_rows(&table), 3);
    assert_int_equal(table.cells[2].integer, 2);
    assert_near(table.cells[3].number, 2.0 / 41);
    assert_near(table.cells[4].number, 2.0 / 38);
    assert_near(table.cells[5].number, 0);
    table_free(&table);
}

static void no_dot_hides_another(void **state)
{
    const double values[] = {0.1, 0.5, 0.5, 0.5, 0.51, 0.6}, shifts[] = {0, 0, 0.25, -0.25, 0.5, 0};
    static const struct column bins[] = {FIGURES_BIN_COLUMNS};
    double equal[FIGURES_MOST_DOTS] = {0};
    struct table table;
    (void)state;
    table_start(&table, "bins", "", bins, 6);
    figures_add_histogram(&table, values, 6, (struct range){0, 1}, no_key, NULL);
    for (int i = 0; i < 6; i++)
        assert_near(table.cells[6 * i + 5].number, shifts[i]);
    table_free(&table);
    table_start(&table, "bins", "", bins, 6);
    figures_add_histogram(&table, equal, FIGURES_MOST_DOTS, (struct range){0, 1}, no_key, NULL);
    for (int i = 0; i < FIGURES_MOST_DOTS; i++) {
        assert_true(fabs(table.cells[6 * i + 5].number) <= 1);
        for (int k = 0; k < i; k++)
            assert_true(fabs(table.cells[6 * i + 5].number - table.cells[6 * k + 5].number) > 0.04);
    }
    table_free(&table);
}

/* ---- Results files ------------------------------------------------------------------------------------ */

static void write_shape(const char *shape, const char *path)
{
    struct error error = {0};
    if (fixture_write(shape, path, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static void a_results_file_is_read(void **state)
{
    struct input input;
    struct error error = {0};
    (void)state;
    write_shape("usual", in_folder("usual.h5"));
    assert_int_equal(input_open(in_folder("usual.h5"), &input, &error), STATUS_OK);
    const struct subject *subject = &input.subjects[0];
    assert_int_equal(input.n_subjects, 1);
    assert_int_equal(subject->n_layers, 5);
    assert_int_equal(subject->n_groups, 6);
    assert_int_equal(subject->layers[0].kind, UNIT_NEURON);
    assert_int_equal(subject->layers[4].kind, UNIT_CLASS); /* whose layer_index is -1 */
    const struct group *group = &subject->groups[0];
    float activation[2], entropy[20];
    assert_int_equal(input_read(group, FIELD_ACTIVATION, 7, 1, activation, &error), STATUS_OK);
    assert_near(group->results[7].activation, 0.5 * ((double)activation[0] + (double)activation[1]));
    assert_int_equal(group->results[7].best_replicate, activation[1] > activation[0]);
    assert_int_equal(input_read(group, FIELD_TRIAL_ENTROPY, 7, 1, entropy, &error), STATUS_OK);
    double sum = 0;
    for (int i = 0; i < 20; i++)
        sum += (double)entropy[i] / 20;
    assert_true(fabs(group->results[7].entropy - sum) < 1e-9);
    input_close(&input);
}

static void missing_and_failed_runs_are_left_out(void **state)
{
    struct input input;
    struct error error = {0};
    size_t n[3] = {0};
    (void)state;
    write_shape("gaps", in_folder("gaps.h5"));
    assert_int_equal(input_open(in_folder("gaps.h5"), &input, &error), STATUS_OK);
    for (int i = 0; i < input.subjects[0].n_groups; i++) {
        const struct group *group = &input.subjects[0].groups[i];
        for (size_t row = 0; row < group->n_rows; row++) {
            int done = input_run_done(group, row, 0) + input_run_done(group, row, 1);
            assert_int_equal(group->results[row].n_done, done);
            assert_int_equal(isnan(group->results[row].activation) != 0, done == 0);
            assert_int_equal(isnan(group->results[row].variation) != 0, done < 2);
            n[done]++;
        }
    }
    assert_true(n[0] > 0 && n[1] > 0 && n[2] > 0);
    input_close(&input);
}

static void runs_without_trials_have_no_entropy(void **state)
{
    struct input input;
    struct error error = {0};
    (void)state;
    write_shape("bare", in_folder("bare.h5"));
    assert_int_equal(input_open(in_folder("bare.h5"), &input, &error), STATUS_OK);
    const struct unit_result *result = &input.subjects[0].groups[0].results[0];
    assert_true(isnan(result->entropy) && isnan(result->perplexity) && isfinite(result->activation));
    assert_int_equal(result->top_class, -1);
    input_close(&input);
}

static void minimising_prefers_the_smaller(void **state)
{
    struct input input;
    struct error error = {0};
    (void)state;
    write_shape("minimise", in_folder("minimise.h5"));
    assert_int_equal(input_open(in_folder("minimise.h5"), &input, &error), STATUS_OK);
    const struct group *group = &input.subjects[0].groups[0];
    int n_unlike = 0;
    for (size_t row = 0; row < group->n_rows; row++) {
        const float *activation = group->activation + 2 * row;
        assert_true(activation[group->results[row].best_replicate] <=
                    activation[1 - group->results[row].best_replicate]);
        n_unlike += activation[0] != activation[1];
    }
    assert_true(group->minimise && n_unlike > 0);
    input_close(&input);
}

/* As analysis_fixture.h invents them. */
static void check_reference(const struct subject *subject, const struct group *group, size_t row)
{
    const struct unit_result *result = &group->results[row];
    const size_t unit = (size_t)group->unit[row];
    const struct natural_reference best = natural_reference(&subject->natural, unit);
    const double natural = unit % 5 == 2 ? 0 : (double)((float)(20 + unit % 40) / 80);
    if (subject->units[unit].kind == UNIT_NEURON) {
        assert_true(isnan(result->natural) && isnan(result->relative) && best.image == -1);
        return;
    }
    assert_near(result->natural, natural);
    assert_int_equal(best.image, fixture_natural_image(unit, 0));
    assert_int_equal(best.label, (int)(unit % 11) - 1);
    if (natural == 0)
        assert_true(isnan(result->relative));
    else
        assert_near(result->relative, result->activation / natural);
}

static void natural_references_are_read(void **state)
{
    struct input input;
    struct error error = {0};
    uint8_t pixels[FIXTURE_SIDE * FIXTURE_SIDE * 3];
    (void)state;
    write_shape("usual", in_folder("usual.h5"));
    assert_int_equal(input_open(in_folder("usual.h5"), &input, &error), STATUS_OK);
    const struct subject *subject = &input.subjects[0];
    assert_int_equal(subject->natural.n_rows, 4 * 24);
    assert_int_equal(subject->natural.n_dataset, FIXTURE_DATASET);
    for (int i = 0; i < subject->n_groups; i++)
        for (size_t row = 0; row < subject->groups[i].n_rows; row++)
            check_reference(subject, &subject->groups[i], row);
    assert_false(natural_has_image(&subject->natural, 0)); /* a single neuron */
    assert_true(natural_has_image(&subject->natural, 50));
    assert_int_equal(natural_read_image(&subject->natural, 50, pixels, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof pixels; i++)
        assert_int_equal(pixels[i], fixture_natural_image(50, 0) % 256);
    input_close(&input);
}

static void references_may_lack_pixels_or_a_ratio(void **state)
{
    struct input input;
    struct error error = {0};
    (void)state;
    write_shape("few", in_folder("few.h5"));
    assert_int_equal(input_open(in_folder("few.h5"), &input, &error), STATUS_OK);
    assert_false(natural_has_image(&input.subjects[0].natural, 1));
    assert_true(input.subjects[0].groups[0].results[1].relative > 0);
    input_close(&input);
    write_shape("minimise", in_folder("minimise.h5"));
    assert_int_equal(input_open(in_folder("minimise.h5"), &input, &error), STATUS_OK);
    assert_true(input.subjects[0].groups[0].results[1].natural > 0);
    assert_true(isnan(input.subjects[0].groups[0].results[1].relative));
    input_close(&input);
    write_shape("bare", in_folder("bare.h5"));
    assert_int_equal(input_open(in_folder("bare.h5"), &input, &error), STATUS_OK);
    assert_int_equal(input.subjects[0].natural.n_rows, 0);
    assert_true(isnan(input.subjects[0].groups[0].results[1].natural));
    input_close(&input);
}

static hid_t open_to_change(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static void make_newer(const char *path)
{
    const int32_t version = RESULTS_FORMAT_VERSION + 1;
    hid_t file = open_to_change(path);
    hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
    assert_true(H5Awrite(attribute, H5T_NATIVE_INT32, &version) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
}

static void assert_refused(const char *name, enum status expected, const char *words)
{
    struct input input;
    struct error error = {0};
    enum status status = input_open(in_folder(name), &input, &error);
    input_close(&input);
    if (status != expected || strstr(error.message, words) == NULL)
        fail_msg("status %d, '%s'; expected %d, '%s'", status, error.message, expected, words);
}

static void other_files_are_refused(void **state)
{
    const char text[] = "no HDF5";
    const int32_t unit = 99;
    (void)state;
    assert_refused("nothing.h5", STATUS_IO, "cannot be opened");
    FILE *file = fopen(in_folder("text.h5"), "w");
    fputs(text, file);
    fclose(file);
    assert_refused("text.h5", STATUS_BAD_INPUT, "is not an HDF5 file");
    H5Fclose(H5Fcreate(in_folder("empty.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    assert_refused("empty.h5", STATUS_BAD_INPUT, "format");

    write_shape("few", in_folder("cut.h5"));
    assert_int_equal(truncate(in_folder("cut.h5"), 100000), 0);
    assert_refused("cut.h5", STATUS_DAMAGED, "cut off or damaged");

    write_shape("few", in_folder("newer.h5"));
    make_newer(in_folder("newer.h5"));
    assert_refused("newer.h5", STATUS_BAD_INPUT, "format_version is 3, this program reads version 2");

    write_shape("one", in_folder("unit.h5"));
    hid_t id = open_to_change(in_folder("unit.h5"));
    hid_t dataset = H5Dopen2(id, "census/spiking_resnet18/sn_gan_light/tt_b/unit", H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, &unit) >= 0);
    H5Dclose(dataset);
    H5Fclose(id);
    assert_refused("unit.h5", STATUS_BAD_INPUT, "row 0 names unit 99");
}

static void wrong_references_are_refused(void **state)
{
    static const char *const names[] = {"unit", "top_image", "top_label", "top_activation", "image"};
    const int32_t units[] = {0, 1, 2, 3, 4, 5, 6, 6}; /* one twice */
    char path[96];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "natural/spiking_resnet18/%s", names[i]);
        write_shape("usual", in_folder("missing.h5"));
        hid_t file = open_to_change(in_folder("missing.h5"));
        assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
        H5Fclose(file);
        assert_refused("missing.h5", STATUS_BAD_INPUT, names[i]);
    }
    write_shape("few", in_folder("twice.h5"));
    hid_t file = open_to_change(in_folder("twice.h5"));
    hid_t dataset = H5Dopen2(file, "natural/spiking_resnet18/unit", H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, units) >= 0);
    H5Dclose(dataset);
    H5Fclose(file);
    assert_refused("twice.h5", STATUS_BAD_INPUT, "row 7 names unit 6");
}

/* `meicensus verify` of a file whose seal is right and whose references are not. */
static void assert_found_damaged(const char *name, const char *words)
{
    struct error error = {0};
    assert_int_equal(results_seal_write(in_folder(name), &error), STATUS_OK);
    assert_int_equal(results_file_verify(in_folder(name), NULL, &error), STATUS_DAMAGED);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s'; expected '%s'", error.message, words);
}

static void wrong_references_are_damage(void **state)
{
    const int32_t units[] = {0, 1, 2, 3, 4, 5, 6, 8};
    struct error error = {0};
    (void)state;
    write_shape("few", in_folder("damaged.h5"));
    assert_int_equal(results_file_verify(in_folder("damaged.h5"), NULL, &error), STATUS_OK);
    hid_t file = open_to_change(in_folder("damaged.h5"));
    hid_t dataset = H5Dopen2(file, "natural/spiking_resnet18/unit", H5P_DEFAULT);
    assert_true(H5Dwrite(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, units) >= 0);
    H5Dclose(dataset);
    H5Fclose(file);
    assert_found_damaged("damaged.h5", "names a unit that the subject's table does not have");
    write_shape("few", in_folder("damaged.h5"));
    file = open_to_change(in_folder("damaged.h5"));
    assert_true(H5Ldelete(file, "natural/spiking_resnet18/top_activation", H5P_DEFAULT) >= 0);
    H5Fclose(file);
    assert_found_damaged("damaged.h5", "its shape does not fit the units");
}

static void replace_dataset(hid_t file, const char *path, hid_t type, const hsize_t extent[2])
{
    const hsize_t chunk[] = {1, 1};
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(2, extent, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(creation, 2, chunk) >= 0);
    hid_t dataset = H5Dcreate2(file, path, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
}

/* 8 units with 2^61 images each: a number of elements that wraps around to 0. Nothing of it is on the disk.
 */
static void sizes_beyond_counting_are_refused(void **state)
{
    static const char *const names[] = {"top_image", "top_label", "top_activation"};
    const hsize_t extent[] = {8, (hsize_t)1 << 61};
    (void)state;
    write_shape("few", in_folder("endless.h5"));
    hid_t file = open_to_change(in_folder("endless.h5"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[96];
        snprintf(path, sizeof path, "natural/spiking_resnet18/%s", names[i]);
        replace_dataset(file, path, i == 2 ? H5T_NATIVE_FLOAT : H5T_NATIVE_INT64, extent);
    }
    H5Fclose(file);
    assert_refused("endless.h5", STATUS_BAD_INPUT, "top_image: has more elements than can be counted");
}

static void missing_datasets_are_named(void **state)
{
    static const char *const names[] = {"latent", "activation", "history", "mei_rgb8", "status", "unit"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[96];
        snprintf(path, sizeof path, "census/spiking_resnet18/sn_gan_light/tt_b/%s", names[i]);
        write_shape("one", in_folder("missing.h5"));
        hid_t file = open_to_change(in_folder("missing.h5"));
        assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
        H5Fclose(file);
        assert_refused("missing.h5", STATUS_BAD_INPUT, names[i]);
    }
}

/* ---- Figures ------------------------------------------------------------------------------------------ */

struct analysis {
    struct input input;
    struct output output;
    struct figure_context context;
    char folder[128], file[160];
    char text[1 << 20]; /* of the file read last */
};

/* Analyses a file of that shape into a folder of its name; scripts are written, but nothing is drawn. */
static struct analysis *analyse(const char *shape, figure_function *figure)
{
    struct error error = {0};
    struct analysis *analysis = calloc(1, sizeof *analysis);
    assert_non_null(analysis);
    snprintf(analysis->folder, sizeof analysis->folder, "%s/figures-%s", folder, shape);
    snprintf(analysis->file, sizeof analysis->file, "%s.h5", analysis->folder);
    write_shape(shape, analysis->file);
    assert_int_equal(input_open(analysis->file, &analysis->input, &error), STATUS_OK);
    assert_int_equal(output_open(analysis->folder, analysis->file, &analysis->output, &error), STATUS_OK);
    analysis->output.gnuplot_missing = true;
    assert_int_equal(output_subject(&analysis->output, &analysis->input, &analysis->input.subjects[0],
                                    &analysis->context, &error),
                     STATUS_OK);
    assert_int_equal(figure(&analysis->context, &error), STATUS_OK);
    return analysis;
}

static void free_analysis(struct analysis *analysis)
{
    struct error error = {0};
    output_end(&analysis->context);
    assert_int_equal(output_close(&analysis->output, &error), STATUS_OK);
    input_close(&analysis->input);
    free(analysis);
}

/* A file of the subject's folder. */
static const char *text_of(struct analysis *analysis, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", analysis->context.folder, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s: not written", path);
    size_t n = fread(analysis->text, 1, sizeof analysis->text - 1, file);
    analysis->text[n] = '\0';
    fclose(file);
    return analysis->text;
}

static int count_of(const char *text, const char *words)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, words)) != NULL; at += strlen(words))
        n++;
    return n;
}

static void assert_count(struct analysis *analysis, const char *name, const char *words, int expected)
{
    int n = count_of(text_of(analysis, name), words);
    if (n != expected)
        fail_msg("%s: '%s' %d times, expected %d", name, words, n, expected);
}

/* Of the shape "unlike", whose layers have 5 units. */
static const char first_layers[] = "'sn1 (n = 3)' 0, 'layer1.0.sn2 (n = 3)' 1, 'layer1.1.sn2 (n = 1)' 2)";
static const char second_layers[] = "'sn1 (n = 4)' 0, 'layer1.0.sn1 (n = 0)' 1, 'layer1.0.sn2 (n = 4)' 2, "
                                    "'layer1.1.sn1 (n = 4)' 3, 'layer1.1.sn2 (n = 4)' 4)";

static void panels_have_the_layers_and_units_of_their_groups(void **state)
{
    const struct {
        figure_function *make;
        const char *table, *script;
        int n_lines, n_panels; /* lines with the heading; panels of each generator */
    } figures_of_layers[] = {
        {figure_summary, "summary.csv", "summary.gp", 1 + 2 * (3 + 5), 2},
        {figure_activation, "activation.csv", "activation.gp", 1 + 2 * (3 + 5), 1},
        {figure_replicates, "replicates.csv", "replicates.gp", 1 + 2 * (3 + 5), 1},
        {figure_entropy, "entropy.csv", "entropy.gp", 1 + 2 * (3 + 5), 1},
        {figure_distance, "distance.csv", "distance.gp", 1 + 5 * (3 + 5), 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof figures_of_layers / sizeof *figures_of_layers; i++) {
        struct analysis *analysis = analyse("unlike", figures_of_layers[i].make);
        assert_count(analysis, figures_of_layers[i].table, "\n", figures_of_layers[i].n_lines);
        assert_count(analysis, figures_of_layers[i].script, first_layers, figures_of_layers[i].n_panels);
        assert_count(analysis, figures_of_layers[i].script, second_layers, figures_of_layers[i].n_panels);
        free_analysis(analysis);
    }
}

static void convergence_has_a_panel_a_searched_layer(void **state)
{
    struct analysis *analysis = analyse("unlike", figure_convergence);
    (void)state;
    assert_count(analysis, "convergence_sn_gan_light.gp", "set title '", 3);
    assert_count(analysis, "convergence_sn_gan_light.gp", "(n = 3)'", 2);
    assert_count(analysis, "convergence_sn_gan_light.gp", "set title 'layer1.1.sn2 (n = 1)'", 1);
    assert_count(analysis, "convergence_vq_vae.gp", "set title '", 5);
    assert_count(analysis, "convergence_vq_vae.gp", "(n = 4)'", 4);
    assert_count(analysis, "convergence_vq_vae.gp", "set title 'layer1.0.sn1 (n = 0)'", 1);
    assert_count(analysis, "convergence_vq_vae.gp", "'no finished run'", 1);
    free_analysis(analysis);
}

/* The others' histories are less their closeness to the first. */
static void unlike_replicates_converge_by_the_first(void **state)
{
    struct analysis *analysis = analyse("chained", figure_convergence);
    const struct group *group = &analysis->input.subjects[0].groups[0];
    char row[96];
    (void)state;
    assert_true(group->is_chained);
    assert_true(group->activation[0] + group->activation[2] != group->activation[1] + group->activation[3]);
    snprintf(row, sizeof row, ",%d,2,", FIXTURE_BUDGET);
    const char *last = strstr(text_of(analysis, "convergence.csv"), row);
    assert_non_null(last);
    double low, quarter, median;
    assert_int_equal(sscanf(last + strlen(row), "%lf,%lf,%lf", &low, &quarter, &median), 3);
    assert_float_equal(median, 0.5 * (double)(group->activation[0] + group->activation[2]), 1e-6);
    free_analysis(analysis);
}

static void shared_images_are_divided_by_their_units(void **state)
{
    struct analysis *analysis = analyse("modes", figure_passes);
    (void)state;
    assert_count(analysis, "passes_sn_gan_light.gp", "set title '", 2);
    assert_count(analysis, "passes_sn_gan_light.gp", "(n = 8)'", 2);
    /* 200 images for 16 units; 200 queries alone: of each layer the last points */
    assert_count(analysis, "passes.csv", ",12.5,8,", 2);
    assert_count(analysis, "passes.csv", ",200,8,", 2);
    assert_count(analysis, "passes.csv", ",0.0625,8,", 2);
    free_analysis(analysis);
}

/* As the analysis of a file with more runs may have left them. */
static void leave_plots(const struct figure_context *context, const char *name)
{
    static const char *const endings[] = {"gp", "svg", "png", "pdf"};
    char path[PATH_MAX + 64];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", context->folder, name, endings[i]);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
    }
}

static void what_would_be_empty_is_not_drawn(void **state)
{
    static const char *const endings[] = {"gp", "svg", "png", "pdf"};
    struct analysis *analysis = analyse("one", figure_units);
    struct error error = {0};
    char path[PATH_MAX + 64];
    (void)state;
    leave_plots(&analysis->context, "replicates");
    assert_int_equal(figure_replicates(&analysis->context, &error), STATUS_OK);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path, sizeof path, "%s/replicates.%s", analysis->context.folder, endings[i]);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_count(analysis, "replicates.csv", "\n", 2);
    fflush(analysis->output.index);
    assert_int_equal(
        count_of(analysis->output.index_text, "  replicates: no plot: no unit with two finished"), 1);
    free_analysis(analysis);
}

static void legends_name_what_is_drawn(void **state)
{
    const struct {
        const char *shape, *script;
        figure_function *make;
        bool dots, quantiles, boxes; /* in the legend */
    } legends[] = {
        {"few", "activation.gp", figure_activation, 1, 0, 0},
        {"usual", "activation.gp", figure_activation, 1, 1, 0},
        {"few", "distance.gp", figure_distance, 1, 0, 0},
        {"few", "convergence_sn_gan_light.gp", figure_convergence, 0, 0, 0},
        {"usual", "convergence_vq_vae.gp", figure_convergence, 0, 1, 1},
        {"few", "comparison_methods_sn_gan_light.gp", figure_comparison, 1, 0, 0},
        {"usual", "comparison_methods_sn_gan_light.gp", figure_comparison, 0, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof legends / sizeof *legends; i++) {
        struct analysis *analysis = analyse(legends[i].shape, legends[i].make);
        const char *script = text_of(analysis, legends[i].script);
        assert_int_equal(strstr(script, "title 'single units, ") != NULL, legends[i].dots);
        assert_int_equal(strstr(script, "25-75 %") != NULL || strstr(script, "95 % bootstrap") != NULL,
                         legends[i].quantiles);
        assert_int_equal(strstr(script, "NaN with boxes") != NULL, legends[i].boxes);
        free_analysis(analysis);
    }
}

/* random searches alone, tt_b with shared images. */
static void queries_and_shared_images_have_axes_of_their_own(void **state)
{
    struct analysis *analysis = analyse("modes", figure_convergence);
    (void)state;
    assert_count(analysis, "convergence_sn_gan_light.gp", "set xlabel 'queries'", 2);
    assert_count(analysis, "convergence_sn_gan_light.gp", "title 'random'", 1);
    assert_count(analysis, "convergence_sn_gan_light.gp", "title 'tt_b'", 0);
    assert_count(analysis, "convergence_sn_gan_light.gp", "with steps", 2);
    assert_true(count_of(text_of(analysis, "convergence.csv"), ",tt_b,") > 0);
    struct subject *subject = &analysis->input.subjects[0];
    struct error error = {0};
    for (int i = 0; i < subject->n_groups; i++)
        subject->groups[i].is_shared = true;
    output_end(&analysis->context);
    H5Ldelete(analysis->output.figures, subject->name, H5P_DEFAULT);
    assert_int_equal(output_subject(&analysis->output, &analysis->input, subject, &analysis->context, &error),
                     STATUS_OK);
    assert_int_equal(figure_convergence(&analysis->context, &error), STATUS_OK);
    assert_count(analysis, "convergence_sn_gan_light.gp", "set xlabel 'images shown to all units together'",
                 2);
    assert_count(analysis, "convergence_sn_gan_light.gp", "with steps", 4);
    free_analysis(analysis);
}

static void comparisons_have_the_units_of_both(void **state)
{
    struct analysis *analysis = analyse("unlike", figure_comparison);
    (void)state;
    assert_count(analysis, "comparison_methods_sn_gan_light.gp",
                 "'layer1.1.sn2 (n = 1)' 2, 'all layers (n = 7)' 3)", 1);
    assert_count(analysis, "comparison_methods_vq_vae.gp", "'layer1.0.sn1 (n = 0)' 1,", 1);
    assert_count(analysis, "comparison_methods_vq_vae.gp", "'all layers (n = 16)' 5)", 1);
    assert_count(analysis, "comparison_generators.gp",
                 "('sn1 (n = 2)' 0, 'layer1.0.sn2 (n = 2)' 1, 'all layers (n = 4)' 2)", 1);
    assert_count(analysis, "comparison.csv", "\n", 1 + 4 + 6 + 2 * 3);
    assert_count(analysis, "comparison.csv", "no unit with finished runs of both", 1);
    free_analysis(analysis);
}

static void one_pair_has_no_colour_of_a_method(void **state)
{
    struct analysis *analysis = analyse("few", figure_comparison);
    (void)state;
    assert_count(analysis, "comparison_methods_sn_gan_light.gp",
                 "set ylabel 'activation of random'.\"\\n\".'minus tt_b'", 1);
    assert_count(analysis, "comparison_methods_sn_gan_light.gp", "title 'tt_b'", 0);
    assert_count(analysis, "comparison_methods_sn_gan_light.gp", plot_colour(1), 0);
    free_analysis(analysis);
    analysis = analyse("usual", figure_comparison);
    assert_count(analysis, "comparison_methods_vq_vae.gp",
                 "'activation of one_plus_one'.\"\\n\".'minus another''s'", 1);
    assert_count(analysis, "comparison_methods_vq_vae.gp", "title 'tt_b'", 1);
    assert_count(analysis, "comparison_class_generators.gp",
                 "'class output with sn_gan_light'.\"\\n\".'minus vq_vae'", 1);
    free_analysis(analysis);
}

static void many_methods_have_few_panels(void **state)
{
    struct analysis *analysis = analyse("many", figure_comparison);
    (void)state;
    assert_count(analysis, "comparison_methods_sn_gan_light.gp", "set title '", 6);
    assert_count(analysis, "comparison_methods_vq_vae.gp", "set title '", 6);
    assert_count(analysis, "comparison_generators.gp", "set title '", 1);
    assert_count(analysis, "comparison_class_methods_vq_vae.gp", "set title '", 6);
    assert_count(analysis, "comparison_class_generators.gp", "set title '", 1);
    assert_count(analysis, "comparison_methods_vq_vae.gp", "classes (n", 0);
    /* 21 pairs of methods a generator, 7 of generators, each of 17 layers and all */
    assert_count(analysis, "comparison.csv", "\n", 1 + (21 + 21 + 7) * 18);
    assert_count(analysis, "comparison.csv", ",all,", 21 + 21 + 7);
    free_analysis(analysis);
}

static void labels_count_from_the_fewest_to_the_most(void **state)
{
    struct layer layers[] = {{"sn1", 0, UNIT_CHANNEL}, {"fc", 1, UNIT_CLASS}};
    const struct subject subject = {.layers = layers};
    struct place place = {0, SIZE_MAX, 0};
    char label[PLACE_LABEL_CAPACITY];
    (void)state;
    plot_count(&place, 3);
    plot_place_label(&subject, &place, label);
    assert_string_equal(label, "sn1 (n = 3)");
    plot_count(&place, 0);
    plot_count(&place, 2);
    plot_place_label(&subject, &place, label);
    assert_string_equal(label, "sn1 (n = 0-3)");
    plot_place_label(&subject, &(struct place){1, 10, 10}, label);
    assert_string_equal(label, "fc outputs (n = 10)");
    plot_place_label(&subject, &(struct place){ALL_LAYERS, 7, 7}, label);
    assert_string_equal(label, "all layers (n = 7)");
}

static void the_first_panel_with_data_makes_the_legend(void **state)
{
    static const struct plot_layout layout = {3, 1, PLOT_WIDTH, 100, 20, 1};
    struct plot plot;
    struct analysis *analysis = analyse("one", figure_units);
    struct error error = {0};
    (void)state;
    assert_int_equal(plot_begin(&plot, &analysis->context, "legend", &layout, "legend", &error), STATUS_OK);
    plot_empty_panel(&plot, "empty", "nothing");
    assert_true(plot_panel(&plot, "first"));
    assert_false(plot_panel(&plot, "second"));
    assert_int_equal(plot_end(&plot, &analysis->context, "", &error), STATUS_OK);
    const char *text = text_of(analysis, "legend.gp");
    assert_int_equal(count_of(text, "unset key"), 1);
    assert_true(strstr(text, "unset key") > strstr(text, "'first'"));
    free_analysis(analysis);
}

static void formats_have_one_layout(void **state)
{
    /* without legend: 130 + 800 + 30 wide, 36 + 26 + 314 + 20 high */
    static const struct plot_layout layout = {1, 1, PLOT_WIDTH, 314, 20, 0}, wide = {1, 1, 9000, 314, 20, 0};
    struct plot plot;
    struct analysis *analysis = analyse("one", figure_units);
    struct error error = {0};
    (void)state;
    assert_int_equal(plot_begin(&plot, &analysis->context, "formats", &layout, "", &error), STATUS_OK);
    assert_int_equal(plot_end(&plot, &analysis->context, "", &error), STATUS_OK);
    assert_count(analysis, "formats.gp", "in 'svg png pdf'", 1);
    assert_count(analysis, "formats.gp", "svg size 960,396 font", 1);
    assert_count(analysis, "formats.gp", "pngcairo size 1920,792 font 'DejaVu Sans,11' fontscale 2 ", 1);
    assert_count(analysis, "formats.gp", "pdfcairo size 10.0000in,4.1250in", 1);
    assert_int_equal(plot_begin(&plot, &analysis->context, "wide", &wide, "", &error), STATUS_OK);
    assert_int_equal(plot_end(&plot, &analysis->context, "", &error), STATUS_OK);
    assert_count(analysis, "wide.gp", "pngcairo size 9160,396 font 'DejaVu Sans,11' fontscale 1 ", 1);
    free_analysis(analysis);
}

static void long_names_keep_what_tells_them_apart(void **state)
{
    (void)state;
    assert_string_equal(text_shorten("layer1.0.sn2").text, "layer1.0.sn2");
    assert_string_equal(text_shorten("01234567890123456789").text, "01234567890123456789");
    assert_string_equal(text_shorten("features.denseblock1.denselayer12.sn2").text, "f.d1.d12.sn2");
    assert_string_equal(text_shorten("a_generator_of_very_many_words").text, "a_generat..any_words");
    assert_string_equal(text_shorten("\xc3\xa9t\xc3\xa9_r\xc3\xa9seau_tr\xc3\xa8s_profond_12").text,
                        "\xc3\xa9t\xc3\xa9_r\xc3\xa9sea..rofond_12");
}

/* For tests/end_to_end/analysis.sh. */
static int write_file(const char *shape, const char *path, const char *change, const char *name)
{
    struct error error = {0};
    if (fixture_write(shape, path, &error) != STATUS_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (strcmp(change, "newer") == 0)
        make_newer(path);
    return strcmp(change, "subject") == 0 && !fixture_add_subject(path, name);
}

#define TEST(function) cmocka_unit_test(function)

int main(int n_words, char **words)
{
    const struct CMUnitTest tests[] = {
        TEST(quantiles_are_those_of_numpy),
        TEST(numbers_of_nothing_do_not_exist),
        TEST(signed_ranks_without_ties_are_those_of_r),
        TEST(signed_ranks_with_ties_and_zeros_are_those_of_scipy),
        TEST(many_signed_ranks_are_those_of_scipy),
        TEST(equal_differences_tie_whatever_their_rounding),
        TEST(holm_is_that_of_r),
        TEST(bootstrap_interval_is_that_of_the_exact_distribution),
        TEST(bootstrap_of_an_even_number_takes_the_middle_of_two),
        TEST(codes_have_a_distance),
        TEST(histogram_counts_every_value_once),
        TEST(a_table_becomes_csv_and_hdf5),
        TEST(wrong_cells_are_refused),
        TEST(names_become_safe_file_names),
        TEST(few_values_are_their_own_bins),
        TEST(no_dot_hides_another),
        TEST(a_results_file_is_read),
        TEST(missing_and_failed_runs_are_left_out),
        TEST(runs_without_trials_have_no_entropy),
        TEST(minimising_prefers_the_smaller),
        TEST(natural_references_are_read),
        TEST(references_may_lack_pixels_or_a_ratio),
        TEST(wrong_references_are_refused),
        TEST(wrong_references_are_damage),
        TEST(sizes_beyond_counting_are_refused),
        TEST(other_files_are_refused),
        TEST(missing_datasets_are_named),
        TEST(panels_have_the_layers_and_units_of_their_groups),
        TEST(convergence_has_a_panel_a_searched_layer),
        TEST(unlike_replicates_converge_by_the_first),
        TEST(shared_images_are_divided_by_their_units),
        TEST(what_would_be_empty_is_not_drawn),
        TEST(legends_name_what_is_drawn),
        TEST(queries_and_shared_images_have_axes_of_their_own),
        TEST(comparisons_have_the_units_of_both),
        TEST(one_pair_has_no_colour_of_a_method),
        TEST(many_methods_have_few_panels),
        TEST(labels_count_from_the_fewest_to_the_most),
        TEST(the_first_panel_with_data_makes_the_legend),
        TEST(formats_have_one_layout),
        TEST(long_names_keep_what_tells_them_apart),
    };
    MPI_Init(&n_words, &words);
    int result =
        n_words >= 4 && strcmp(words[1], "write") == 0
            ? write_file(words[2], words[3], n_words > 4 ? words[4] : "", n_words > 5 ? words[5] : "other")
            : cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return result;
}
