/* SPDX-License-Identifier: MIT */
/** What searches start from: files of codes, and what is refused of them. */
#include <unistd.h>

#include "campaign_fixture.h"

#include "../../src/campaign/start.h"
#include "hdf5_arrays.h"

enum { N_CODES = 3, N_INDICES = 64, N_POINTS = 512 };

static char folder[] = "/tmp/test_start.XXXXXX", path[64];

static int open_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/codes.h5", folder);
    return 0;
}

static int close_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/** Codes whose indices count from 0 on, for the generator with this digest. */
static void write_codes(int n_indices, const char *generator_sha256, int32_t last)
{
    struct error error = {0};
    struct hdf5_arrays *file;
    int32_t codes[N_CODES * N_INDICES];
    const int64_t shape[] = {N_CODES, n_indices};
    for (int i = 0; i < N_CODES * n_indices; i++)
        codes[i] = i;
    codes[N_CODES * n_indices - 1] = last;
    require(hdf5_arrays_create(path, &file, &error), &error);
    require(hdf5_arrays_add(file, "code", RECORD_INT32, 2, shape, codes, "1", "codes", &error), &error);
    require(hdf5_arrays_set_text(file, "/", "generator_sha256", generator_sha256, &error), &error);
    require(hdf5_arrays_publish(file, &error), &error);
}

static void open_job(struct fixture *fixture, const char *method, int budget)
{
    char text[1024];
    snprintf(text, sizeof text,
             FIXTURE_MODELS "methods: {%s: {}}\n"
                            "searches: [{layers: [sn1], select: [3, 5], budget: %d, start: {codes: %s}}]\n",
             method, budget, path);
    fixture_open(fixture, text);
}

static void expect_refusal(int budget, const char *part)
{
    struct fixture fixture;
    struct error error = {0};
    open_job(&fixture, "tt_b", budget);
    assert_int_equal(plan_load_starts(fixture.plan, &fixture.backend, &error), STATUS_BAD_INPUT);
    if (strstr(error.message, part) == NULL)
        fail_msg("'%s' does not say '%s'", error.message, part);
    fixture_close(&fixture);
}

static const char *sha256(void)
{
    static char text[SHA256_TEXT_CAPACITY];
    struct fixture fixture;
    open_job(&fixture, "tt_b", 100);
    snprintf(text, sizeof text, "%s", model_sha256(fixture.plan->generators[0]));
    fixture_close(&fixture);
    return text;
}

static void test_codes_of_a_file(void **state)
{
    (void)state;
    struct fixture fixture;
    struct error error = {0};
    write_codes(N_INDICES, sha256(), N_POINTS - 1);
    open_job(&fixture, "tt_b", N_CODES + 25);
    require(plan_load_starts(fixture.plan, &fixture.backend, &error), &error);
    const struct plan_group *group = &fixture.plan->groups[0];
    assert_int_equal(group->n_start, N_CODES);
    for (int unit = 0; unit < 2; unit++)
        for (int i = 0; i < N_CODES; i++)
            assert_int_equal(plan_start_code(group, unit, i)[1], i * N_INDICES + 1);
    assert_int_equal(plan_start_code(group, 1, N_CODES - 1)[N_INDICES - 1], N_POINTS - 1);
    fixture_close(&fixture);
}

static void test_codes_outside_the_grid(void **state)
{
    (void)state;
    write_codes(N_INDICES, sha256(), N_POINTS);
    expect_refusal(100, "codes.h5: index 63 of code 2 is 512; generator 'vq_vae' takes 0 to 511");
    write_codes(N_INDICES, sha256(), -1);
    expect_refusal(100, "codes.h5: index 63 of code 2 is -1; generator 'vq_vae' takes 0 to 511");
}

static void test_codes_of_another_length(void **state)
{
    (void)state;
    write_codes(N_INDICES - 1, sha256(), 0);
    expect_refusal(100, "dimension 1 has 63 elements, expected 64");
}

static void test_codes_of_another_generator(void **state)
{
    (void)state;
    write_codes(N_INDICES, "abc", 0);
    expect_refusal(100,
                   "codes.h5: its codes are of another generator (SHA-256 of the model file): found abc");
}

static void test_budget_must_hold_the_start(void **state)
{
    (void)state;
    write_codes(N_INDICES, sha256(), 0);
    expect_refusal(N_CODES + 24,
                   "less than 3 start codes and the first population of method 'tt_b'; expected 28 "
                   "to 1000000000 queries");
}

static void test_files_are_listed(void **state)
{
    (void)state;
    struct fixture fixture;
    struct start_files files = {0};
    struct error error = {0};
    char expected[SHA256_TEXT_CAPACITY];
    write_codes(N_INDICES, sha256(), 0);
    open_job(&fixture, "tt_b", 100);
    require(start_files_list(fixture.plan, &files, &error), &error);
    require(hash_file_sha256(path, expected, &error), &error);
    assert_int_equal(files.n_items, 1);
    assert_string_equal(files.items[0].sha256, expected);
    assert_string_equal(files.items[0].path, path);
    assert_string_equal(files.items[0].name, "start of spiking/vq_vae/tt_b: codes");
    free(files.items);
    unlink(path);
    files = (struct start_files){0};
    assert_int_equal(start_files_list(fixture.plan, &files, &error), STATUS_IO);
    free(files.items);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_of_a_file),
        cmocka_unit_test(test_codes_outside_the_grid),
        cmocka_unit_test(test_codes_of_another_length),
        cmocka_unit_test(test_codes_of_another_generator),
        cmocka_unit_test(test_budget_must_hold_the_start),
        cmocka_unit_test(test_files_are_listed),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
