/* SPDX-License-Identifier: MIT */
/** Pictures (enlarging, clipping, text, PNG) and the sheets made of them, read back from their PNG files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>

#include "../../analysis/figures.h"
#include "../../analysis/image.h"

static const uint8_t white[3] = {255, 255, 255};

static const uint8_t *pixel(const struct image *image, int x, int y)
{
    return image->rgb + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
}

static int count_colour(const struct image *image, const uint8_t colour[3])
{
    int n = 0;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            n += memcmp(pixel(image, x, y), colour, 3) == 0;
    return n;
}

static void assert_colour(const struct image *image, int x, int y, const uint8_t colour[3])
{
    assert_memory_equal(pixel(image, x, y), colour, 3);
}

static struct image blank(int width, int height)
{
    struct image image;
    struct error error = {0};
    assert_int_equal(image_make(width, height, &image, &error), STATUS_OK);
    assert_int_equal(count_colour(&image, white), width * height);
    return image;
}

static struct image read_png(const char *path)
{
    png_image header = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&header, path));
    header.format = PNG_FORMAT_RGB;
    struct image image = blank((int)header.width, (int)header.height);
    assert_true(png_image_finish_read(&header, NULL, image.rgb, 0, NULL));
    return image;
}

/* ---- Pictures ----------------------------------------------------------------------------------------- */

static void test_fill_is_clipped(void **state)
{
    static const uint8_t red[3] = {200, 0, 0};
    struct image image = blank(5, 4);
    (void)state;
    image_fill(&image, -2, -1, 4, 3, red); /* 2 x 2 pixels are inside */
    image_fill(&image, 4, 3, 9, 9, red);   /* 1 pixel */
    image_fill(&image, 9, 0, 3, 3, red);   /* none */
    assert_int_equal(count_colour(&image, red), 5);
    assert_colour(&image, 1, 1, red);
    assert_colour(&image, 2, 1, white);
    assert_colour(&image, 4, 3, red);
    image_free(&image);
}

static void test_paste_enlarges_and_reduces(void **state)
{
    /* [height 2][width 3][channels 3] */
    static const uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    struct image image = blank(20, 10);
    (void)state;
    image_paste(&image, 1, 2, 9, 6, pixels, 3, 2, 3);
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 9; x++)
            assert_colour(&image, 1 + x, 2 + y, pixels + (y / 3 * 3 + x / 3) * 3);
    assert_int_equal(count_colour(&image, white), 200 - 54);
    image_paste(&image, 12, 0, 1, 1, pixels, 3, 2, 3);
    assert_colour(&image, 12, 0, pixels);
    image_paste(&image, 18, 8, 9, 6, pixels, 3, 2, 3); /* over the corner: 2 x 2 pixels are inside */
    assert_int_equal(count_colour(&image, white), 200 - 54 - 1 - 4);
    image_free(&image);
}

static void test_paste_grey(void **state)
{
    static const uint8_t pixels[] = {10, 20}, first[3] = {10, 10, 10}, second[3] = {20, 20, 20};
    struct image image = blank(4, 1);
    (void)state;
    image_paste(&image, 0, 0, 4, 1, pixels, 2, 1, 1);
    assert_colour(&image, 1, 0, first);
    assert_colour(&image, 2, 0, second);
    image_free(&image);
}

/** Draws `text` and says whether it looks like `expected` drawn with ample room. */
static bool looks_like(const char *text, int max_width, const char *expected)
{
    struct image image = blank(200, 20), other = blank(200, 20);
    image_text(&image, 3, 2, 1, max_width, text);
    image_text(&other, 3, 2, 1, 200, expected);
    bool same = memcmp(image.rgb, other.rgb, 200 * 20 * 3) == 0;
    image_free(&image);
    image_free(&other);
    return same;
}

static void test_text(void **state)
{
    (void)state;
    assert_int_equal(image_text_width("channel 12", 1), 10 * IMAGE_FONT_WIDTH);
    assert_int_equal(image_text_width("r\xc3\xa9seau", 2), 6 * 2 * IMAGE_FONT_WIDTH);
    assert_true(looks_like("r\xc3\xa9seau", 200, "r?seau"));
    assert_false(looks_like("channel 12", 200, "channel 13"));
    assert_true(looks_like("channel 12", 10 * IMAGE_FONT_WIDTH, "channel 12"));
    assert_true(looks_like("channel 12", 10 * IMAGE_FONT_WIDTH - 1, "channel.."));
    assert_true(looks_like("channel 12", 0, ""));
}

static void test_text_is_clipped_and_enlarged(void **state)
{
    static const uint8_t black[3] = {0, 0, 0};
    struct image image = blank(30, 30), large = blank(60, 60);
    (void)state;
    image_text(&image, 2, 2, 1, 30, "Ag");
    image_text(&large, 4, 4, 2, 60, "Ag");
    assert_true(count_colour(&image, black) > 20);
    assert_int_equal(count_colour(&large, black), 4 * count_colour(&image, black));
    image_text(&image, -3, -5, 2, 200, "much too long for this picture");
    image_text(&image, 28, 28, 2, 200, "much too long for this picture");
    image_free(&image);
    image_free(&large);
}

/* ---- Sheets ------------------------------------------------------------------------------------------- */

enum { SIDE = 32, N_REPLICATES = 2, MANY = 300 };

static const uint8_t grey[3] = {208, 208, 208};

/** The colour of all pixels of a run's MEI. */
static void colour_of(size_t row, size_t replicate, uint8_t colour[3])
{
    colour[0] = (uint8_t)(100 + row % 100);
    colour[1] = (uint8_t)(10 + row / 100);
    colour[2] = (uint8_t)(20 + replicate);
}

struct campaign {
    char folder[64];
    hid_t file;
    struct subject subject;
    struct layer layer;
    struct group group;
    struct unit units[MANY];
    int32_t unit[MANY];
    int64_t row_of_unit[MANY];
    uint8_t status[MANY * N_REPLICATES], flag[MANY * N_REPLICATES];
    float activation[MANY * N_REPLICATES];
    struct unit_result results[MANY];
    char names[2][NAME_CAPACITY];
    struct output output;
    struct figure_context context;
};

static void write_images(const struct campaign *campaign, size_t n)
{
    const hsize_t sizes[] = {n, N_REPLICATES, SIDE, SIDE, 3};
    uint8_t *pixels = malloc(n * N_REPLICATES * SIDE * SIDE * 3);
    assert_non_null(pixels);
    for (size_t i = 0; i < n * N_REPLICATES * SIDE * SIDE; i++)
        colour_of(i / (N_REPLICATES * SIDE * SIDE), i / (SIDE * SIDE) % N_REPLICATES, pixels + i * 3);
    hid_t space = H5Screate_simple(5, sizes, NULL);
    hid_t set = H5Dcreate2(campaign->file, "mei_rgb8", H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT,
                           H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    free(pixels);
}

/** n channels, all runs done, the more active the later. */
static struct campaign *make_campaign(size_t n)
{
    struct campaign *campaign = calloc(1, sizeof *campaign);
    assert_non_null(campaign);
    strcpy(campaign->folder, "/tmp/meicensus-sheets-XXXXXX");
    assert_non_null(mkdtemp(campaign->folder));
    hid_t memory = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(memory, 1 << 16, 0);
    campaign->file = H5Fcreate("unused", H5F_ACC_TRUNC, H5P_DEFAULT, memory);
    H5Pclose(memory);
    write_images(campaign, n);
    for (size_t row = 0; row < n; row++) {
        campaign->units[row] = (struct unit){0, UNIT_CHANNEL, (int)row, -1, -1};
        campaign->unit[row] = (int32_t)row;
        campaign->row_of_unit[row] = (int64_t)row;
        campaign->results[row] = (struct unit_result){.n_done = 2, .best_replicate = 1};
        for (size_t replicate = 0; replicate < N_REPLICATES; replicate++) {
            campaign->status[row * N_REPLICATES + replicate] = RUN_DONE;
            campaign->activation[row * N_REPLICATES + replicate] = (float)row / MANY;
        }
    }
    strcpy(campaign->names[0], "generator");
    strcpy(campaign->names[1], "method");
    campaign->layer = (struct layer){"layer", 0, UNIT_CHANNEL};
    campaign->group = (struct group){.where = "test",
                                     .id = campaign->file,
                                     .n_rows = n,
                                     .n_replicates = N_REPLICATES,
                                     .sizes = {.channels = 3, .height = SIDE, .width = SIDE},
                                     .unit = campaign->unit,
                                     .row_of_unit = campaign->row_of_unit,
                                     .status = campaign->status,
                                     .silent = campaign->flag,
                                     .saturated = campaign->flag,
                                     .activation = campaign->activation,
                                     .results = campaign->results};
    campaign->subject = (struct subject){.name = "subject",
                                         .n_units = n,
                                         .units = campaign->units,
                                         .n_layers = 1,
                                         .layers = &campaign->layer,
                                         .n_generators = 1,
                                         .n_methods = 1,
                                         .generators = &campaign->names[0],
                                         .methods = &campaign->names[1],
                                         .n_groups = 1,
                                         .groups = &campaign->group};
    campaign->output.index = open_memstream(&campaign->output.index_text, &campaign->output.index_bytes);
    campaign->context = (struct figure_context){.subject = &campaign->subject, .output = &campaign->output};
    strcpy(campaign->context.folder, campaign->folder);
    return campaign;
}

static void free_campaign(struct campaign *campaign)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", campaign->folder);
    assert_int_equal(system(command), 0);
    fclose(campaign->output.index);
    free(campaign->output.index_text);
    H5Fclose(campaign->file);
    free(campaign);
}

static void path_in(const struct campaign *campaign, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/sheets/generator/method/%s", campaign->folder, name);
}

static struct image draw_and_read(struct campaign *campaign, const char *name)
{
    char path[PATH_MAX];
    struct error error = {0};
    assert_int_equal(figure_sheets(&campaign->context, &error), STATUS_OK);
    path_in(campaign, name, path);
    return read_png(path);
}

/** Pixels of the picture that show the run's MEI. */
static int shown(const struct image *image, size_t row, size_t replicate)
{
    uint8_t colour[3];
    colour_of(row, replicate, colour);
    return count_colour(image, colour);
}

static void test_sheet_shows_every_run(void **state)
{
    struct campaign *campaign = make_campaign(5);
    (void)state;
    campaign->status[1] = RUN_FAILED;
    campaign->status[4] = RUN_MISSING;
    struct image image = draw_and_read(campaign, "layer_channels_1.png");
    for (size_t run = 0; run < 10; run++)
        assert_int_equal(shown(&image, run / 2, run % 2), campaign->status[run] == RUN_DONE ? 128 * 128 : 0);
    /* two grey tiles less their words, and frames around all */
    assert_in_range(count_colour(&image, grey), 2 * (128 * 128 - 300) + 10 * 4 * 128,
                    2 * 128 * 128 + 10 * 4 * 130);
    for (int x = 0; x < image.width; x++)
        assert_colour(&image, x, image.height - 10, white);
    image_free(&image);
    free_campaign(campaign);
}

/** Adds to n_pixels the pixels that each row's replicate 1 takes in the picture. */
static void count_shown(const struct image *image, int n_pixels[MANY])
{
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const uint8_t *colour = pixel(image, x, y);
            size_t row = (size_t)(colour[1] - 10) * 100 + (size_t)(colour[0] - 100);
            if (colour[2] == 21 && row < MANY)
                n_pixels[row]++;
        }
}

/** Whether the picture has that text, with a blank before and behind it. */
static bool has_text(const struct image *image, const char *text)
{
    const int width = image_text_width(text, 1) + 2 * IMAGE_FONT_WIDTH;
    struct image pattern = blank(width, IMAGE_FONT_HEIGHT);
    image_text(&pattern, IMAGE_FONT_WIDTH, 0, 1, width, text);
    bool found = false;
    for (int y = 0; y + IMAGE_FONT_HEIGHT <= image->height && !found; y++)
        for (int x = 0; x + width <= image->width && !found; x++) {
            found = true;
            for (int row = 0; row < IMAGE_FONT_HEIGHT && found; row++)
                found = memcmp(pixel(image, x, y + row), pixel(&pattern, 0, row), (size_t)width * 3) == 0;
        }
    image_free(&pattern);
    return found;
}

static void test_headings_count_units_with_a_finished_run(void **state)
{
    struct campaign *campaign = make_campaign(5);
    (void)state;
    struct image image = draw_and_read(campaign, "overview.png");
    assert_true(has_text(&image, "n = 5"));
    image_free(&image);
    image = draw_and_read(campaign, "layer_channels_1.png");
    assert_true(has_text(&image, "n = 5,"));
    image_free(&image);
    for (int row = 1; row < 3; row++)
        campaign->results[row] = (struct unit_result){.n_done = 0, .best_replicate = -1};
    image = draw_and_read(campaign, "overview.png");
    assert_true(has_text(&image, "n = 3"));
    image_free(&image);
    image = draw_and_read(campaign, "layer_channels_1.png");
    assert_true(has_text(&image, "n = 3 of 5 units,"));
    image_free(&image);
    free_campaign(campaign);
}

static void test_sheet_pages(void **state)
{
    char name[64], path[PATH_MAX];
    int n_pixels[MANY] = {0};
    struct error error = {0};
    struct campaign *campaign = make_campaign(MANY);
    (void)state;
    assert_int_equal(figure_sheets(&campaign->context, &error), STATUS_OK);
    for (int i = 1; i <= 3; i++) {
        snprintf(name, sizeof name, "layer_channels_%d.png", i);
        path_in(campaign, name, path);
        struct image page = read_png(path);
        assert_true((size_t)page.width * (size_t)page.height < 12 << 20);
        count_shown(&page, n_pixels);
        image_free(&page);
    }
    path_in(campaign, "layer_channels_4.png", path);
    assert_int_not_equal(access(path, F_OK), 0);
    for (int row = 0; row < MANY; row++)
        assert_int_equal(n_pixels[row], 128 * 128);
    free_campaign(campaign);
}

/** Its dataset images are of one colour each; the last unit has none. */
static void add_natural(struct campaign *campaign, size_t n)
{
    struct natural *natural = &campaign->subject.natural;
    const hsize_t sizes[] = {n - 1, SIDE, SIDE, 3};
    uint8_t pixels[MANY * SIDE * SIDE * 3];
    *natural = (struct natural){.where = "test",
                                .id = campaign->file,
                                .n_rows = n - 1,
                                .n_places = 1,
                                .n_dataset = 4321,
                                .row_of_unit = calloc(n, sizeof *natural->row_of_unit),
                                .top_image = calloc(n, sizeof *natural->top_image),
                                .top_label = calloc(n, sizeof *natural->top_label),
                                .top_activation = calloc(n, sizeof *natural->top_activation),
                                .n_images = n - 1,
                                .image = calloc(n, sizeof *natural->image),
                                .height = SIDE,
                                .width = SIDE,
                                .channels = 3};
    for (size_t i = 0; i < n; i++) {
        natural->row_of_unit[i] = i + 1 < n ? (int64_t)i : -1;
        natural->top_image[i] = natural->image[i] = 100 + (int64_t)i;
        natural->top_label[i] = -1;
        natural->top_activation[i] = 0.125F;
    }
    for (size_t i = 0; i < (n - 1) * SIDE * SIDE; i++) {
        const uint8_t colour[3] = {250, 240, (uint8_t)(i / (SIDE * SIDE))};
        memcpy(pixels + 3 * i, colour, 3);
    }
    hid_t space = H5Screate_simple(4, sizes, NULL);
    hid_t set =
        H5Dcreate2(campaign->file, "rgb8", H5T_NATIVE_UINT8, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, pixels) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void free_natural(struct campaign *campaign)
{
    campaign->subject.natural.id = H5I_INVALID_HID; /* the campaign's */
    natural_close(&campaign->subject.natural);
}

static void test_dataset_images_stand_beside_the_meis(void **state)
{
    static const struct {
        const char *name;
        int side;
    } pictures[] = {{"layer_channels_1.png", 128}, {"overview.png", 96}};
    struct campaign *campaign = make_campaign(5);
    (void)state;
    add_natural(campaign, 5);
    for (int p = 0; p < 2; p++) {
        struct image image = draw_and_read(campaign, pictures[p].name);
        for (int i = 0; i < 5; i++) {
            const uint8_t colour[3] = {250, 240, (uint8_t)i};
            const int n_pixels = pictures[p].side * pictures[p].side;
            assert_int_equal(count_colour(&image, colour), i < 4 ? n_pixels : 0);
            assert_int_equal(shown(&image, (size_t)i, 1), n_pixels);
        }
        assert_true(has_text(&image, "image 103") && has_text(&image, "0.125"));
        assert_false(has_text(&image, "image 104"));
        assert_true(has_text(&image, "most exciting of 4321 dataset images"));
        image_free(&image);
    }
    free_natural(campaign);
    free_campaign(campaign);
}

static int left_edge(const struct image *image, size_t row, size_t replicate)
{
    uint8_t colour[3];
    colour_of(row, replicate, colour);
    for (int x = 0; x < image->width; x++)
        for (int y = 0; y < image->height; y++)
            if (memcmp(pixel(image, x, y), colour, 3) == 0)
                return x;
    fail_msg("row %zu, replicate %zu is not shown", row, replicate);
    return -1;
}

static void test_overview_shows_the_most_active(void **state)
{
    struct campaign *campaign = make_campaign(12);
    (void)state;
    campaign->results[11].best_replicate = -1; /* not done */
    campaign->activation[2 * 2 + 1] = 0.5F;    /* row 2 is the best */
    struct image image = draw_and_read(campaign, "overview.png");
    static const size_t expected[] = {2, 10, 9, 8, 7, 6, 5, 4};
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(shown(&image, expected[i], 1), 96 * 96);
        assert_int_equal(shown(&image, expected[i], 0), 0);
        if (i > 0)
            assert_true(left_edge(&image, expected[i], 1) >= left_edge(&image, expected[i - 1], 1) + 96);
    }
    assert_int_equal(shown(&image, 3, 1) + shown(&image, 0, 1) + shown(&image, 11, 1), 0);
    image_free(&image);
    free_campaign(campaign);
}

static void test_overview_of_minimised_shows_the_least_active(void **state)
{
    struct campaign *campaign = make_campaign(12);
    (void)state;
    campaign->group.minimise = true;
    struct image image = draw_and_read(campaign, "overview.png");
    assert_int_equal(shown(&image, 11, 1), 0);
    assert_true(left_edge(&image, 0, 1) < left_edge(&image, 7, 1));
    image_free(&image);
    free_campaign(campaign);
}

static void test_same_bytes_again(void **state)
{
    char path[PATH_MAX], command[3 * PATH_MAX];
    struct campaign *campaign = make_campaign(5);
    (void)state;
    struct image image = draw_and_read(campaign, "overview.png");
    path_in(campaign, "overview.png", path);
    snprintf(command, sizeof command, "cp '%s' '%s.first'", path, path);
    assert_int_equal(system(command), 0);
    image_free(&image);
    image = draw_and_read(campaign, "overview.png");
    snprintf(command, sizeof command, "cmp '%s' '%s.first'", path, path);
    assert_int_equal(system(command), 0);
    image_free(&image);
    free_campaign(campaign);
}

static void test_unwritable(void **state)
{
    struct image image = blank(3, 3);
    struct error error = {0};
    (void)state;
    assert_int_equal(image_write(&image, "/nonexistent/picture.png", &error), STATUS_IO);
    assert_non_null(strstr(error.message, "/nonexistent/picture.png"));
    /* a disk that is full; what cannot be written to must stay what it is */
    struct stat before, after;
    assert_int_equal(stat("/dev/full", &before), 0);
    assert_int_equal(image_write(&image, "/dev/full", &error), STATUS_IO);
    assert_int_equal(stat("/dev/full", &after), 0);
    assert_int_equal(before.st_rdev, after.st_rdev);
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill_is_clipped),
        cmocka_unit_test(test_paste_enlarges_and_reduces),
        cmocka_unit_test(test_paste_grey),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_is_clipped_and_enlarged),
        cmocka_unit_test(test_sheet_shows_every_run),
        cmocka_unit_test(test_headings_count_units_with_a_finished_run),
        cmocka_unit_test(test_sheet_pages),
        cmocka_unit_test(test_dataset_images_stand_beside_the_meis),
        cmocka_unit_test(test_overview_shows_the_most_active),
        cmocka_unit_test(test_overview_of_minimised_shows_the_least_active),
        cmocka_unit_test(test_same_bytes_again),
        cmocka_unit_test(test_unwritable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
