/* SPDX-License-Identifier: MIT */
/** IDX files and grey PNG images as datasets: what is read from good ones, what is said of hostile ones. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <png.h>

#include "dataset.h"

enum { HEIGHT = 2, WIDTH = 3, PIXELS = HEIGHT * WIDTH, N = 5, CLASSES = 3, PATH_CAPACITY = 128 };
enum { IMAGES_MAGIC = 0x803, LABELS_MAGIC = 0x801 };

static const char *const class_names[] = {"a", "b", "c"};
static const struct dataset_request request = {.model = "test",
                                               .channels = 1,
                                               .height = HEIGHT,
                                               .width = WIDTH,
                                               .n_classes = CLASSES,
                                               .class_names = class_names};

/* A folder, and one pair of files in it whose headers may lie. */
struct fixture {
    char folder[64];
};

static int make_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/meicensus_dataset_XXXXXX");
    *state = fixture;
    return mkdtemp(fixture->folder) == NULL;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    char command[PATH_CAPACITY];
    snprintf(command, sizeof command, "rm -r %s", fixture->folder);
    const int failed = system(command);
    free(fixture);
    return failed;
}

static const char *path_of(const struct fixture *fixture, const char *name, char path[PATH_CAPACITY])
{
    snprintf(path, PATH_CAPACITY, "%s/%s", fixture->folder, name);
    return path;
}

/* Big-endian words, then bytes. */
static void write_words(const struct fixture *fixture, const char *name, int n_words, const uint32_t *words,
                        int n_bytes, const void *bytes)
{
    char path[PATH_CAPACITY];
    FILE *file = fopen(path_of(fixture, name, path), "wb");
    assert_non_null(file);
    for (int i = 0; i < n_words; i++)
        for (int shift = 24; shift >= 0; shift -= 8)
            fputc((int)(words[i] >> shift & 0xff), file);
    assert_int_equal(fwrite(bytes, 1, (size_t)n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void write_images(const struct fixture *fixture, const char *name, const uint32_t header[4],
                         int n_bytes)
{
    unsigned char bytes[N * PIXELS + 1];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(7 * i);
    write_words(fixture, name, 4, header, n_bytes, bytes);
}

static void write_labels(const struct fixture *fixture, const char *name, const uint32_t header[2],
                         int n_bytes, int last_label)
{
    const unsigned char bytes[] = {0, 2, 1, 1, (unsigned char)last_label, 0};
    write_words(fixture, name, 2, header, n_bytes, bytes);
}

static const uint32_t good_images[] = {IMAGES_MAGIC, N, HEIGHT, WIDTH}, good_labels[] = {LABELS_MAGIC, N};

static void write_good(const struct fixture *fixture, const char *set)
{
    char name[64];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", set);
    write_images(fixture, name, good_images, N * PIXELS);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte", set);
    write_labels(fixture, name, good_labels, N, 2);
}

/* ---- what is read ---- */

static void check_good(const char *path, size_t limit, size_t n_images)
{
    const int labels[N] = {0, 2, 1, 1, 2};
    const double mean = 0.5, std = 0.25;
    struct dataset_request limited = request;
    struct dataset *dataset = NULL;
    struct error error = {0};
    unsigned char bytes[PIXELS];
    float values[PIXELS];
    limited.limit = limit;
    assert_int_equal(dataset_open(path, &limited, &dataset, &error), STATUS_OK);
    assert_int_equal(dataset_n_images(dataset), n_images);
    for (size_t i = 0; i < n_images; i++) {
        assert_int_equal(dataset_label(dataset, i), labels[i % N]);
        assert_int_equal(dataset_read(dataset, i, bytes, &error), STATUS_OK);
        dataset_normalise(dataset, bytes, &mean, &std, values);
        for (size_t p = 0; p < PIXELS; p++) {
            assert_int_equal(bytes[p], 7 * (i % N * PIXELS + p) & 0xff);
            assert_true(fabs(values[p] - (bytes[p] / 255.0 - 0.5) / 0.25) < 1e-6);
        }
    }
    dataset_close(dataset);
}

static void images_and_labels_of_idx_files(void **state)
{
    const struct fixture *fixture = *state;
    char path[PATH_CAPACITY];
    write_good(fixture, "t10k");
    check_good(path_of(fixture, "t10k-images-idx3-ubyte", path), 0, N);
    check_good(path, 3, 3);
    check_good(fixture->folder, 0, N);
    write_good(fixture, "train");
    check_good(path, 0, N);
    check_good(fixture->folder, 0, 2 * N);
    check_good(fixture->folder, N + 2, N + 2);
}

static void path_that_begins_with_a_dot(void **state)
{
    const struct fixture *fixture = *state;
    char path[PATH_CAPACITY];
    write_good(fixture, "dot");
    snprintf(path, sizeof path, "./../../../../../..%s/dot-images-idx3-ubyte", fixture->folder);
    check_good(path, 0, N);
}

/* ---- what is refused ---- */

/* The message is about `name` and ends with `said`. */
static void check_refused_as(const struct fixture *fixture, const struct dataset_request *asked,
                             const char *name, const char *wrong, enum status status, const char *said)
{
    char path[PATH_CAPACITY], expected[ERROR_MESSAGE_CAPACITY];
    struct dataset *dataset = NULL;
    struct error error = {0};
    assert_int_equal(dataset_open(path_of(fixture, name, path), asked, &dataset, &error), status);
    assert_null(dataset);
    snprintf(expected, sizeof expected, "%s: %s", path_of(fixture, wrong, path), said);
    assert_string_equal(error.message, expected);
}

static void check_refused(const struct fixture *fixture, const char *wrong, const char *said)
{
    check_refused_as(fixture, &request, "x-images-idx3-ubyte", wrong, STATUS_BAD_INPUT, said);
}

static void hostile_images_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        uint32_t header[4];
        int n_bytes;
        const char *said;
    } cases[] = {
        {{0x801, N, HEIGHT, WIDTH},
         N * PIXELS,
         "begins with 0x00000801; expected an IDX file of images, unpacked: 0x00000803"},
        {{0x03080000, N, HEIGHT, WIDTH},
         N * PIXELS,
         "begins with 0x03080000; expected an IDX file of images, unpacked: 0x00000803"},
        {{IMAGES_MAGIC, N, HEIGHT, WIDTH},
         N * PIXELS - 1,
         "the header announces 5 images of 2 x 3 bytes, but 29 bytes follow it"},
        {{IMAGES_MAGIC, N, HEIGHT, WIDTH},
         N * PIXELS + 1,
         "the header announces 5 images of 2 x 3 bytes, but 31 bytes follow it"},
        {{IMAGES_MAGIC, 0, HEIGHT, WIDTH},
         0,
         "the header announces 0 images of 2 x 3 bytes, but 0 bytes follow it"},
        /* 769546 * 494770 * 48448661 = 2^64 + 4 */
        {{IMAGES_MAGIC, 769546, 494770, 48448661},
         4,
         "the header announces 769546 images of 494770 x 48448661 bytes, but 4 bytes follow it"},
        {{IMAGES_MAGIC, UINT32_MAX, UINT32_MAX, UINT32_MAX},
         N * PIXELS,
         "the header announces 4294967295 images of 4294967295 x 4294967295 bytes, but 30 bytes follow it"},
        {{IMAGES_MAGIC, N, WIDTH, HEIGHT},
         N * PIXELS,
         "the images are 1 x 3 x 2 (channels x height x width); test takes 1 x 2 x 3"},
    };
    write_good(fixture, "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_images(fixture, "x-images-idx3-ubyte", cases[i].header, cases[i].n_bytes);
        check_refused(fixture, "x-images-idx3-ubyte", cases[i].said);
    }
    write_words(fixture, "x-images-idx3-ubyte", 3, good_images, 0, "");
    check_refused(fixture, "x-images-idx3-ubyte", "12 bytes are too few for the header of an IDX file");
}

static void hostile_labels_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const struct {
        uint32_t header[2];
        int n_bytes, last_label;
        const char *said;
    } cases[] = {
        {{IMAGES_MAGIC, N},
         N,
         0,
         "begins with 0x00000803; expected an IDX file of labels, unpacked: 0x00000801"},
        {{LABELS_MAGIC, N}, N - 1, 0, "the header announces 5 labels, but 4 bytes follow it"},
        {{LABELS_MAGIC, UINT32_MAX}, N, 0, "the header announces 4294967295 labels, but 5 bytes follow it"},
        {{LABELS_MAGIC, N}, N, CLASSES, "image 4 has label 3, but test has 3 classes"},
    };
    write_good(fixture, "x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_labels(fixture, "x-labels-idx1-ubyte", cases[i].header, cases[i].n_bytes, cases[i].last_label);
        check_refused(fixture, "x-labels-idx1-ubyte", cases[i].said);
    }
    write_words(fixture, "x-labels-idx1-ubyte", 1, good_labels, 0, "");
    check_refused(fixture, "x-labels-idx1-ubyte", "4 bytes are too few for the header of an IDX file");
}

static void labels_that_do_not_belong_to_the_images(void **state)
{
    const struct fixture *fixture = *state;
    const uint32_t header[] = {LABELS_MAGIC, N + 1};
    char path[PATH_CAPACITY], said[PATH_CAPACITY + 64];
    write_good(fixture, "x");
    write_labels(fixture, "x-labels-idx1-ubyte", header, N + 1, 0);
    snprintf(said, sizeof said, "6 labels for the 5 images of %s",
             path_of(fixture, "x-images-idx3-ubyte", path));
    check_refused(fixture, "x-labels-idx1-ubyte", said);
    assert_int_equal(remove(path_of(fixture, "x-labels-idx1-ubyte", path)), 0);
    check_refused_as(fixture, &request, "x-images-idx3-ubyte", "x-labels-idx1-ubyte", STATUS_IO,
                     "cannot be opened: No such file or directory");
    assert_int_equal(mkdir(path, 0700), 0);
    check_refused(fixture, "x-labels-idx1-ubyte", "0 bytes are too few for the header of an IDX file");
}

static void images_for_a_model_of_three_channels(void **state)
{
    const struct fixture *fixture = *state;
    struct dataset_request coloured = request;
    coloured.channels = 3;
    write_good(fixture, "x");
    check_refused_as(fixture, &coloured, "x-images-idx3-ubyte", "x-images-idx3-ubyte", STATUS_BAD_INPUT,
                     "the images are 1 x 2 x 3 (channels x height x width); test takes 3 x 2 x 3");
}

static void packed_files_only(void **state)
{
    const struct fixture *fixture = *state;
    write_words(fixture, "x-images-idx3-ubyte.gz", 4, good_images, 0, "");
    check_refused_as(
        fixture, &request, "x-images-idx3-ubyte.gz", "x-images-idx3-ubyte.gz", STATUS_BAD_INPUT,
        "16 bytes are not whole rows of 7 bytes (label and image); expected a binary CIFAR-10 file, "
        "unpacked, or one named *-images-idx3-ubyte");
    check_refused_as(
        fixture, &request, ".", ".", STATUS_BAD_INPUT,
        "no file *.bin (binary CIFAR-10), *-images-idx3-ubyte (unpacked) or *.png in this folder or, of "
        "the latter, in a folder of it");
}

/* ---- PNG ---- */

static void write_png(const struct fixture *fixture, const char *name, png_uint_32 format, const void *pixels)
{
    char path[PATH_CAPACITY];
    png_image png = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = format};
    assert_true(png_image_write_to_file(&png, path_of(fixture, name, path), 0, pixels, 0, NULL));
}

static void grey_png_for_one_channel(void **state)
{
    const struct fixture *fixture = *state;
    const unsigned char pixels[3 * PIXELS] = {0, 1, 127, 128, 254, 255, 3};
    struct dataset *dataset = NULL;
    struct error error = {0};
    unsigned char bytes[PIXELS];
    char path[PATH_CAPACITY];
    assert_int_equal(mkdir(path_of(fixture, "b", path), 0700), 0);
    write_png(fixture, "b/1.png", PNG_FORMAT_GRAY, pixels);
    assert_int_equal(dataset_open(fixture->folder, &request, &dataset, &error), STATUS_OK);
    assert_int_equal(dataset_label(dataset, 0), 1);
    assert_int_equal(dataset_read(dataset, 0, bytes, &error), STATUS_OK);
    assert_memory_equal(bytes, pixels, PIXELS);
    dataset_close(dataset);
    write_png(fixture, "b/1.png", PNG_FORMAT_RGB, pixels);
    check_refused_as(fixture, &request, ".", "./b/1.png", STATUS_BAD_INPUT,
                     "the image is RGB; expected grey of 8 bits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(images_and_labels_of_idx_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(path_that_begins_with_a_dot, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(hostile_images_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(hostile_labels_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(labels_that_do_not_belong_to_the_images, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(images_for_a_model_of_three_channels, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(packed_files_only, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(grey_png_for_one_channel, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
