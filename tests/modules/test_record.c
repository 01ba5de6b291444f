/* SPDX-License-Identifier: MIT */
/** The record of a run: its table of fields, layout, missing values, points of the history. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "record.h"

static const struct record_sizes example = {.dimensions = 128,
                                            .channels = 3,
                                            .height = 32,
                                            .width = 32,
                                            .history = 220,
                                            .budget = 12001,
                                            .trace = 12001,
                                            .trials = 7,
                                            .classes = 10};

static void every_field_is_described_once(void **state)
{
    (void)state;
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        const struct record_field *field = &record_fields[i];
        assert_non_null(field->name);
        assert_true(record_type_bytes(field->type) > 0);
        assert_true(strlen(field->units) > 0 && strlen(field->long_name) > 0 &&
                    strlen(field->description) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(field->name, record_fields[j].name);
    }
}

static void fields_follow_one_another_aligned(void **state)
{
    (void)state;
    struct record_layout layout;
    struct error error = {0};
    assert_int_equal(record_layout_make(&example, &layout, &error), STATUS_OK);
    size_t end = 0;
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        size_t n_bytes = layout.n_elements[i] * record_type_bytes(record_fields[i].type);
        assert_int_equal(layout.offset[i] % 8, 0);
        assert_true(layout.offset[i] >= end && layout.offset[i] < end + 8);
        end = layout.offset[i] + n_bytes;
    }
    assert_true(layout.n_bytes >= end && layout.n_bytes < end + 8);
    assert_int_equal(layout.n_elements[FIELD_MEI], 3 * 32 * 32);
    assert_int_equal(layout.n_elements[FIELD_TRIAL_PROBABILITY], 7 * 10);
    assert_int_equal(layout.n_elements[FIELD_TRACE], 12001);
    assert_int_equal(layout.n_elements[FIELD_MESSAGE], 1);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    struct record_layout layout = {.n_bytes = 77};
    struct error error = {0};
    struct record_sizes sizes = example;
    sizes.trials = -1;
    assert_int_equal(record_layout_make(&sizes, &layout, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "trials/activation"));
    sizes = example;
    sizes.trace = INT64_MAX;
    assert_int_equal(record_layout_make(&sizes, &layout, &error), STATUS_INTERNAL);
    sizes = example;
    sizes.height = sizes.width = (int64_t)1 << 32;
    assert_int_equal(record_layout_make(&sizes, &layout, &error), STATUS_INTERNAL);
    sizes = example;
    sizes.trace = (int64_t)1 << 39;
    assert_int_equal(record_layout_make(&sizes, &layout, &error), STATUS_INTERNAL);
    assert_int_equal(layout.n_bytes, 77);
}

static void a_missing_record_shows_no_values(void **state)
{
    (void)state;
    struct record_layout layout;
    struct error error = {0};
    assert_int_equal(record_layout_make(&example, &layout, &error), STATUS_OK);
    unsigned char *record = malloc(layout.n_bytes);
    assert_non_null(record);
    memset(record, 0xa5, layout.n_bytes);
    record_set_missing(&layout, record);
    assert_int_equal(*(const uint8_t *)record_at_const(&layout, record, FIELD_STATUS), RUN_MISSING);
    assert_int_equal(*(const int64_t *)record_at_const(&layout, record, FIELD_QUERIES), 0);
    assert_int_equal(*(const int32_t *)record_at_const(&layout, record, FIELD_INCARNATION), -1);
    assert_true(isnan(*(const double *)record_at_const(&layout, record, FIELD_SECONDS_SEARCH)));
    const float *trace = record_at_const(&layout, record, FIELD_TRACE);
    const int32_t *latent = record_at_const(&layout, record, FIELD_LATENT);
    assert_true(isnan(trace[0]) && isnan(trace[12000]));
    assert_true(latent[0] == -1 && latent[127] == -1);
    const char *message = record_at(&layout, record, FIELD_MESSAGE);
    for (int i = 0; i < RECORD_TEXT_BYTES; i++)
        assert_int_equal(message[i], 0);
    free(record);
}

static void history_points_rise_to_the_budget(void **state)
{
    (void)state;
    const int64_t budgets[] = {1, 2, 19, 20, 21, 50, 100, 1000, 12000, 1000000000000};
    for (size_t b = 0; b < sizeof budgets / sizeof *budgets; b++) {
        int64_t queries[RECORD_HISTORY_MAX];
        int n = record_history_queries(budgets[b], queries);
        assert_true(n >= 1 && n <= RECORD_HISTORY_MAX);
        for (int i = 0; i < n; i++)
            assert_true(i < 20 ? queries[i] == i + 1 : queries[i] > queries[i - 1]);
        assert_true(queries[n - 1] == budgets[b]);
    }
    int64_t queries[RECORD_HISTORY_MAX];
    assert_int_equal(record_history_queries(0, queries), 0);
    assert_int_equal(record_history_queries(100000, queries), RECORD_HISTORY_MAX);
    /* log-spaced: half way in number is half way in the logarithm */
    assert_int_equal(queries[20 + 99], (int64_t)llround(sqrt(20.0 * 100000.0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_described_once),
        cmocka_unit_test(fields_follow_one_another_aligned),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(a_missing_record_shows_no_values),
        cmocka_unit_test(history_points_rise_to_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
