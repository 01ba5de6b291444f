/* SPDX-License-Identifier: MIT */
/** Plain arrays in HDF5 files: what is written comes back as float32; files from outside give messages. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <hdf5.h>

#include "hdf5_arrays.h"

struct fixture {
    char folder[64], path[128], part[160];
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/meicensus_arrays_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/arrays.h5", fixture->folder);
    snprintf(fixture->part, sizeof fixture->part, "%s.part", fixture->path);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
    int result = system(command);
    free(fixture);
    return result;
}

/* A file with one dataset "a", made by HDF5 itself; values may be NULL. */
static void make_file(struct fixture *fixture, hid_t type, hid_t memory_type, int n_dimensions,
                      const hsize_t *shape, const void *values)
{
    hid_t file = H5Fcreate(fixture->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(n_dimensions, shape, NULL);
    hid_t dataset = H5Dcreate2(file, "a", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(dataset >= 0);
    if (values != NULL)
        assert_true(H5Dwrite(dataset, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(dataset);
    H5Sclose(space);
    H5Fclose(file);
}

static enum status read_array(struct fixture *fixture, struct hdf5_array *array)
{
    fixture->error = (struct error){0};
    return hdf5_array_read(fixture->path, "a", array, &fixture->error);
}

static void every_numeric_type_becomes_float32(void **state)
{
    struct fixture *fixture = *state;
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_I16BE, H5T_STD_I32LE,  H5T_STD_I64BE, H5T_STD_U8LE,
                           H5T_STD_U16BE, H5T_STD_U64LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE};
    const double values[6] = {0, 1, 2, 3, 100, 5};
    const hsize_t shape[] = {2, 3};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct hdf5_array array;
        make_file(fixture, types[i], H5T_NATIVE_DOUBLE, 2, shape, values);
        assert_int_equal(read_array(fixture, &array), STATUS_OK);
        assert_int_equal(array.n_dimensions, 2);
        assert_true(array.shape[0] == 2 && array.shape[1] == 3 && array.n_values == 6);
        for (int j = 0; j < 6; j++)
            assert_true(array.values[j] == (float)values[j]);
        hdf5_array_free(&array);
        assert_null(array.values);
    }
}

static void what_is_written_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct hdf5_arrays *arrays = NULL;
    struct hdf5_array array;
    enum { N = 700 };
    static float image[2][N][N];
    const int64_t shape[] = {2, N, N}, counts[] = {7, -1};
    const int64_t one = 1, two = 2;
    const char name[RECORD_TEXT_BYTES] = "layer4.1.sn2";
    char *text = NULL;
    for (int i = 0; i < 2 * N * N; i++)
        ((float *)image)[i] = (float)i;
    image[1][N - 1][N - 1] = NAN;
    assert_int_equal(hdf5_arrays_create(fixture->path, &arrays, &fixture->error), STATUS_OK);
    assert_int_equal(hdf5_arrays_add(arrays, "images/mei", RECORD_FLOAT32, 3, shape, image, "1", "an image",
                                     &fixture->error),
                     STATUS_OK);
    assert_int_equal(
        hdf5_arrays_add(arrays, "counts", RECORD_INT64, 1, &two, counts, "1", "numbers", &fixture->error),
        STATUS_OK);
    assert_int_equal(
        hdf5_arrays_add(arrays, "name", RECORD_TEXT, 1, &one, name, "1", "a text", &fixture->error),
        STATUS_OK);
    assert_int_equal(hdf5_arrays_set_text(arrays, "/", "source", "a test", &fixture->error), STATUS_OK);
    assert_int_equal(hdf5_arrays_set_number(arrays, "images/mei", "gain", 0.5, &fixture->error), STATUS_OK);
    assert_int_equal(access(fixture->path, F_OK), -1);
    assert_int_equal(hdf5_arrays_publish(arrays, &fixture->error), STATUS_OK);
    assert_int_equal(access(fixture->part, F_OK), -1);

    assert_int_equal(hdf5_array_read(fixture->path, "images/mei", &array, &fixture->error), STATUS_OK);
    assert_int_equal(array.n_values, 2 * N * N);
    assert_memory_equal(array.values, image, sizeof image);
    hdf5_array_free(&array);
    assert_int_equal(hdf5_array_read(fixture->path, "counts", &array, &fixture->error), STATUS_OK);
    assert_true(array.values[0] == 7 && array.values[1] == -1);
    hdf5_array_free(&array);
    assert_int_equal(hdf5_text_read(fixture->path, "name", &text, &fixture->error), STATUS_OK);
    assert_string_equal(text, name);
    free(text);
    double gain = 0;
    hid_t file = H5Fopen(fixture->path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t attribute = H5Aopen_by_name(file, "images/mei", "gain", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Aread(attribute, H5T_NATIVE_DOUBLE, &gain) >= 0 && gain == 0.5);
    H5Aclose(attribute);
    assert_true(H5Aexists(file, "source") > 0);
    H5Fclose(file);
}

static void values_keep_their_type_and_attributes(void **state)
{
    struct fixture *fixture = *state;
    struct error *error = &fixture->error;
    struct hdf5_arrays *arrays = NULL;
    const int64_t large[] = {INT64_C(9007199254740993), -5}, two = 2;
    const char *const dimensions[] = {"n"};
    const struct hdf5_described scale = {"n", RECORD_INT64, 1, &two, large, dimensions, "1", "long", "about"};
    int64_t shape = -1;
    void *values = NULL;
    char *text = NULL;
    double number = 0;
    assert_int_equal(hdf5_arrays_create(fixture->path, &arrays, error), STATUS_OK);
    assert_int_equal(hdf5_arrays_add_described(arrays, "g", &scale, error), STATUS_OK);
    assert_int_equal(hdf5_arrays_publish(arrays, error), STATUS_OK);
    assert_int_equal(hdf5_arrays_open(fixture->path, &arrays, error), STATUS_OK); /* go on in place */
    assert_int_equal(hdf5_arrays_set_text(arrays, "g/n", "said", "later", error), STATUS_OK);
    assert_int_equal(hdf5_arrays_set_integer(arrays, "/", "count", 41, error), STATUS_OK);
    assert_int_equal(hdf5_arrays_close(arrays, error), STATUS_OK);
    assert_int_equal(hdf5_values_read(fixture->path, "g/n", RECORD_INT64, 1, &shape, &values, error),
                     STATUS_OK);
    assert_true(shape == 2 && memcmp(values, large, sizeof large) == 0);
    free(values);
    assert_int_equal(hdf5_attribute_text(fixture->path, "g/n", "said", &text, error), STATUS_OK);
    assert_string_equal(text, "later");
    free(text);
    assert_int_equal(hdf5_attribute_number(fixture->path, "/", "count", &number, error), STATUS_OK);
    assert_true(number == 41);
    assert_true(hdf5_dataset_exists(fixture->path, "g/n") && !hdf5_dataset_exists(fixture->path, "g/m"));
}

static void other_values_and_attributes_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct error *error = &fixture->error;
    const hsize_t sizes[] = {2, 3};
    int64_t shape[] = {2, 4, -1};
    void *values = NULL;
    char *text = NULL;
    double number = 0;
    make_file(fixture, H5T_STD_I32LE, H5T_NATIVE_DOUBLE, 2, sizes, NULL);
    assert_int_equal(hdf5_values_read(fixture->path, "a", RECORD_INT32, 2, shape, &values, error),
                     STATUS_BAD_INPUT);
    assert_non_null(strstr(error->message, "its dimension 1 has 3 elements, expected 4"));
    assert_int_equal(hdf5_values_read(fixture->path, "a", RECORD_INT32, 3, shape, &values, error),
                     STATUS_BAD_INPUT);
    assert_non_null(strstr(error->message, "has 2 dimensions, expected 3"));
    shape[1] = 3;
    assert_int_equal(hdf5_values_read(fixture->path, "a", RECORD_FLOAT32, 2, shape, &values, error),
                     STATUS_BAD_INPUT);
    assert_int_equal(hdf5_values_read(fixture->path, "a", RECORD_TEXT, 2, shape, &values, error),
                     STATUS_BAD_INPUT);
    assert_int_equal(hdf5_values_read(fixture->path, "b", RECORD_INT32, 2, shape, &values, error),
                     STATUS_BAD_INPUT);
    assert_null(values);
    assert_int_equal(hdf5_attribute_text(fixture->path, "/", "said", &text, error), STATUS_BAD_INPUT);
    assert_non_null(strstr(error->message, "attribute said of / is missing"));
    assert_int_equal(hdf5_attribute_number(fixture->path, "b", "said", &number, error), STATUS_BAD_INPUT);
    assert_int_equal(hdf5_attribute_number("Makefile", "/", "said", &number, error), STATUS_BAD_INPUT);
    unlink(fixture->path);
    assert_int_equal(hdf5_attribute_number(fixture->path, "/", "said", &number, error), STATUS_IO);
    assert_false(hdf5_dataset_exists(fixture->path, "a"));
}

static void a_discarded_file_leaves_the_old_one(void **state)
{
    struct fixture *fixture = *state;
    struct hdf5_arrays *arrays = NULL;
    struct hdf5_array array;
    const hsize_t one = 1;
    const int64_t shape[] = {1, 0};
    const double value = 3;
    make_file(fixture, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 1, &one, &value);
    assert_int_equal(hdf5_arrays_create(fixture->path, &arrays, &fixture->error), STATUS_OK);
    assert_int_equal(
        hdf5_arrays_add(arrays, "x", RECORD_FLOAT64, 2, shape, &value, "1", "empty", &fixture->error),
        STATUS_INTERNAL);
    assert_int_equal(
        hdf5_arrays_add(arrays, "x", RECORD_FLOAT64, 0, shape, &value, "1", "scalar", &fixture->error),
        STATUS_INTERNAL);
    assert_int_equal(hdf5_arrays_set_number(arrays, "y", "gain", 1, &fixture->error), STATUS_IO);
    hdf5_arrays_discard(arrays);
    assert_int_equal(access(fixture->part, F_OK), -1);
    assert_int_equal(read_array(fixture, &array), STATUS_OK);
    hdf5_array_free(&array);
    assert_int_equal(hdf5_arrays_create("/no/such/folder/x.h5", &arrays, &fixture->error), STATUS_IO);
    assert_non_null(strstr(fixture->error.message, "/no/such/folder/x.h5"));
}

static void expect_refusal(struct fixture *fixture, const char *message)
{
    struct hdf5_array array;
    assert_int_equal(read_array(fixture, &array), STATUS_BAD_INPUT);
    assert_null(array.values);
    if (strstr(fixture->error.message, message) == NULL ||
        strstr(fixture->error.message, fixture->path) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", message, fixture->error.message);
}

static void datasets_that_are_no_arrays_are_refused(void **state)
{
    struct fixture *fixture = *state;
    const hsize_t one = 1, none = 0, nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    const hsize_t huge[2] = {(hsize_t)1 << 31, (hsize_t)1 << 31}, large = (hsize_t)1 << 33;
    make_file(fixture, H5T_C_S1, H5T_C_S1, 1, &one, "t");
    expect_refusal(fixture, "expected integers or floating-point numbers");
    make_file(fixture, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 9, nine, NULL);
    expect_refusal(fixture, "1 to 8 dimensions");
    make_file(fixture, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, &none, NULL);
    expect_refusal(fixture, "is empty");
    make_file(fixture, H5T_STD_I8LE, H5T_NATIVE_FLOAT, 1, &large, NULL);
    expect_refusal(fixture, "more values than a file of this length can hold");
    make_file(fixture, H5T_STD_I8LE, H5T_NATIVE_FLOAT, 2, huge, NULL);
    expect_refusal(fixture, "larger than any file");
    hid_t file = H5Fcreate(fixture->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Fclose(file);
    expect_refusal(fixture, "no such dataset");
}

static void values_in_other_files_are_not_followed(void **state)
{
    struct fixture *fixture = *state;
    char secret[128];
    const hsize_t n = 4;
    snprintf(secret, sizeof secret, "%s/secret", fixture->folder);
    FILE *other = fopen(secret, "w");
    fputs("secret text here", other);
    fclose(other);
    hid_t file = H5Fcreate(fixture->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, &n, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, secret, 0, 4);
    hid_t dataset = H5Dcreate2(file, "a", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(dataset >= 0);
    H5Dclose(dataset);
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
    expect_refusal(fixture, "another file");

    char target[160];
    const float values[4] = {1, 2, 3, 4};
    make_file(fixture, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, &n, values);
    snprintf(target, sizeof target, "%s/target.h5", fixture->folder);
    assert_int_equal(rename(fixture->path, target), 0);
    file = H5Fcreate(fixture->path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Lcreate_external(target, "a", file, "a", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    expect_refusal(fixture, "no such dataset");
}

/* Cut anywhere: a message or, where only unused bytes are gone, the array; and nothing on the terminal. */
static void cut_files_give_messages_and_no_noise(void **state)
{
    struct fixture *fixture = *state;
    const hsize_t n = 500;
    float values[500];
    char log[128];
    struct stat information;
    for (int i = 0; i < 500; i++)
        values[i] = (float)i;
    make_file(fixture, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, &n, values);
    assert_int_equal(stat(fixture->path, &information), 0);
    snprintf(log, sizeof log, "%s/log", fixture->folder);
    const int terminal = dup(2), file = open(log, O_WRONLY | O_CREAT, 0600);
    dup2(file, 2);
    size_t n_refused = 0, n_wrong = 0, n_cuts = 0;
    for (off_t cut = information.st_size - 1; cut >= 0; cut -= 1 + information.st_size / 200) {
        struct hdf5_array array;
        assert_int_equal(truncate(fixture->path, cut), 0);
        enum status status = read_array(fixture, &array);
        n_refused += status == STATUS_BAD_INPUT;
        n_wrong += status == STATUS_OK && memcmp(array.values, values, sizeof values) != 0;
        hdf5_array_free(&array);
        n_cuts++;
    }
    dup2(terminal, 2);
    close(terminal);
    close(file);
    assert_int_equal(stat(log, &information), 0);
    assert_int_equal(information.st_size, 0);
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n_refused, n_cuts);
    unlink(fixture->path);
    struct hdf5_array array;
    assert_int_equal(read_array(fixture, &array), STATUS_IO);
    assert_int_equal(hdf5_array_read("/tmp", "a", &array, &fixture->error), STATUS_BAD_INPUT);
    assert_int_equal(hdf5_array_read("Makefile", "a", &array, &fixture->error), STATUS_BAD_INPUT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_numeric_type_becomes_float32),     TEST(what_is_written_comes_back),
        TEST(values_keep_their_type_and_attributes),  TEST(other_values_and_attributes_are_refused),
        TEST(a_discarded_file_leaves_the_old_one),    TEST(datasets_that_are_no_arrays_are_refused),
        TEST(values_in_other_files_are_not_followed), TEST(cut_files_give_messages_and_no_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
