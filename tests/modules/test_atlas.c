/* SPDX-License-Identifier: MIT */
/** What the analysis makes once of all subjects: the figure of the units that they share, and the atlas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>
#include <png.h>

#include "../../analysis/atlas.h"
#include "../../analysis/atlas_layer.h"
#include "../../analysis/figures.h"
#include "../../analysis/json.h"
#include "../../analysis/shared.h"
#include "../../analysis/sprites.h"
#include "analysis_fixture.h"

static char folder[] = "/tmp/test_atlas_XXXXXX";

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
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* A file of that shape; `other`: a second subject, or NULL. */
static void open_shape(const char *shape, const char *other, struct input *input)
{
    struct error error = {0};
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder("results.h5"));
    assert_int_equal(fixture_write(shape, path, &error), STATUS_OK);
    if (other != NULL)
        assert_true(fixture_add_subject(path, other));
    if (input_open(path, input, &error) != STATUS_OK)
        fail_msg("%s", error.message);
}

static char text[1 << 22]; /* of the file read last */

static const char *read_text(const char *name)
{
    FILE *file = fopen(in_folder(name), "r");
    if (file == NULL)
        fail_msg("%s: not written", name);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static int count_of(const char *in, const char *words)
{
    int n = 0;
    for (const char *at = in; (at = strstr(at, words)) != NULL; at += strlen(words))
        n++;
    return n;
}

/* ---- Shared units ------------------------------------------------------------------------------------- */

/* The list of weights names spiking_resnet18 only: the alphabet would place the other one first. */
static void subjects_stand_in_the_order_of_the_job(void **state)
{
    struct input input;
    (void)state;
    open_shape("few", "a_later_one", &input);
    assert_int_equal(input.n_subjects, 2);
    assert_string_equal(input.subjects[0].name, "spiking_resnet18");
    assert_string_equal(input.subjects[1].name, "a_later_one");
    input_close(&input);
}

static void shared_units_are_those_of_both(void **state)
{
    struct input input;
    struct shared shared;
    struct error error = {0};
    (void)state;
    open_shape("usual", "other", &input);
    assert_int_equal(shared_find(&input, &shared, &error), STATUS_OK);
    assert_int_equal(shared.n_sets, 2 * 3 * 5);
    assert_int_equal(shared.n_layers, 5);
    for (int i = 0; i < shared.n_sets; i++) {
        const struct shared_set *set = &shared.sets[i];
        const bool is_first_layer = i % 5 == 0; /* whose first unit differs */
        assert_int_equal(set->n_units, is_first_layer ? 23 : 24);
        assert_int_equal(set->layer_index, i % 5);
        for (size_t unit = 0; unit < set->n_units; unit++) {
            const int64_t *rows = set->rows + 2 * unit;
            const struct unit *first = &input.subjects[0].units[set->groups[0]->unit[rows[0]]],
                              *second = &input.subjects[1].units[set->groups[1]->unit[rows[1]]];
            assert_int_equal(first->channel, second->channel);
            assert_int_equal(first->y, second->y);
            assert_int_equal(first->x, second->x);
            assert_int_equal(first->kind, second->kind);
            assert_int_equal(first->layer, i % 5);
        }
    }
    shared_free(&shared);
    input_close(&input);
}

/* The figure without plots; its folder is DIR/NAME/subjects. */
static void make_figure(const struct input *input, const char *name)
{
    struct error error = {0};
    struct output output;
    struct figure_context context;
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(name));
    assert_int_equal(output_open(path, input->path, &output, &error), STATUS_OK);
    output.gnuplot_missing = true;
    assert_int_equal(output_all(&output, input, OUTPUT_SUBJECTS, &context, &error), STATUS_OK);
    if (figure_of_all.make(&context, &error) != STATUS_OK)
        fail_msg("%s", error.message);
    output_end(&context);
    assert_int_equal(output_close(&output, &error), STATUS_OK);
}

static void the_figure_follows_units(void **state)
{
    struct input input;
    (void)state;
    open_shape("few", "other", &input);
    make_figure(&input, "follow");
    /* 4 layers of 2 units, 2 methods, 2 subjects; less the unit with another number */
    assert_int_equal(count_of(read_text("follow/subjects/subjects.csv"), "\n"), 1 + (4 * 2 - 1) * 2 * 2);
    assert_int_equal(count_of(text, ",other,1,"), (4 * 2 - 1) * 2);
    assert_int_equal(count_of(read_text("follow/subjects/subjects_layers.csv"), "\n"), 1 + 4 * 2 * 2);
    assert_int_equal(count_of(text, "few units"), 4 * 2 * 2);
    read_text("follow/subjects/subjects_sn_gan_light.gp");
    assert_int_equal(count_of(text, "set title 'sn1 (n = 1)'"), 1);
    assert_int_equal(count_of(text, "(n = 2)'"), 3);
    assert_int_equal(count_of(text, "('spiking_resnet18' 0, 'other' 1)"), 4);
    input_close(&input);
}

static void colour_at(const png_image *header, const uint8_t *pixels, int x, int y, uint8_t colour[3])
{
    memcpy(colour, pixels + 3 * ((size_t)y * header->width + (size_t)x), 3);
}

static uint8_t *read_picture(const char *name, png_image *header)
{
    *header = (png_image){.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(header, in_folder(name)))
        fail_msg("%s: not written", name);
    header->format = PNG_FORMAT_RGB;
    uint8_t *pixels = malloc(PNG_IMAGE_SIZE(*header));
    assert_true(png_image_finish_read(header, NULL, pixels, 0, NULL));
    return pixels;
}

/* Both subjects have the same runs, so that their images are equal: side by side 4 pixels apart. */
static void sheets_show_a_unit_in_every_subject(void **state)
{
    struct input input;
    png_image header;
    int n_equal = 0;
    (void)state;
    open_shape("few", "other", &input);
    make_figure(&input, "sheet");
    uint8_t *pixels =
        read_picture("sheet/subjects/sheets/sn_gan_light/tt_b/layer1.0.sn1_channels_1.png", &header);
    for (int y = 0; y < (int)header.height; y++)
        for (int x = 0; x + 102 < (int)header.width; x++) {
            uint8_t first[3], second[3];
            colour_at(&header, pixels, x, y, first);
            colour_at(&header, pixels, x + 102, y, second); /* slot and gap */
            n_equal += memcmp(first, second, 3) == 0 && first[0] != first[1] && first[1] != first[2];
        }
    assert_true(n_equal > 2 * 96 * 96 * 9 / 10);
    free(pixels);
    input_close(&input);
}

static void one_subject_has_nothing_to_follow(void **state)
{
    struct input input;
    (void)state;
    open_shape("one", NULL, &input);
    make_figure(&input, "alone");
    assert_non_null(strstr(read_text("alone/README.txt"), "  subjects: no plot: one subject only (n = 1)"));
    assert_int_equal(count_of(read_text("alone/subjects/subjects.csv"), "\n"), 1);
    input_close(&input);
    open_shape("one", "other", &input); /* whose only unit has another number */
    make_figure(&input, "apart");
    assert_non_null(strstr(read_text("apart/README.txt"), "(n = 0 units, 2 subjects)"));
    input_close(&input);
}

static void folders_of_subjects_differ_from_the_others(void **state)
{
    struct subject subject = {.name = "subjects"};
    char name[FILE_NAME_CAPACITY];
    (void)state;
    output_subject_folder(&subject, name);
    assert_string_equal(name, "%73ubjects");
    strcpy(subject.name, "atlas");
    output_subject_folder(&subject, name);
    assert_string_equal(name, "%61tlas");
    strcpy(subject.name, "subjects2");
    output_subject_folder(&subject, name);
    assert_string_equal(name, "subjects2");
}

/* ---- Atlas -------------------------------------------------------------------------------------------- */

static void texts_cannot_leave_their_quotes(void **state)
{
    char *written = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&written, &n);
    (void)state;
    json_text(file, "</script>\"\\\n&\xc3\xa9");
    json_number(file, 0.25);
    json_number(file, NAN);
    json_number(file, INFINITY);
    fclose(file);
    assert_string_equal(written, "\"\\u003c/script\\u003e\\u0022\\u005c\\u000a\\u0026\xc3\xa9\"0.25nullnull");
    free(written);
}

static void tiles_stand_on_pages(void **state)
{
    enum { SIDE = 512, N = 11 }; /* 2 x 4 tiles a page */
    struct sprites sprites;
    struct error error = {0};
    png_image header;
    uint8_t colour[3], *tile = malloc(SIDE * SIDE), *pixels;
    (void)state;
    assert_int_equal(sprites_begin(&sprites, in_folder("tiles"), N, SIDE, SIDE, 1, &error), STATUS_OK);
    for (int i = 0; i < N; i++) {
        memset(tile, 10 * i, SIDE * SIDE);
        if (i != 3)
            assert_int_equal(sprites_add(&sprites, (size_t)i, tile, &error), STATUS_OK);
    }
    assert_int_equal(sprites_end(&sprites, &error), STATUS_OK);
    sprites_free(&sprites);
    free(tile);
    pixels = read_picture("tiles-0.png", &header);
    assert_int_equal(header.width * header.height, 1024 * 2048);
    colour_at(&header, pixels, 1023, 511, colour); /* tile 1 */
    assert_int_equal(colour[0], 10);
    colour_at(&header, pixels, 1023, 512, colour); /* tile 3 was left out */
    assert_int_equal(colour[0], 255);
    colour_at(&header, pixels, 0, 2047, colour); /* tile 6 */
    assert_int_equal(colour[2], 60);
    free(pixels);
    pixels = read_picture("tiles-1.png", &header);
    assert_int_equal(header.height, 2 * SIDE);
    colour_at(&header, pixels, 0, 2 * SIDE - 1, colour); /* tile 10 */
    assert_int_equal(colour[1], 100);
    free(pixels);
    assert_int_equal(sprites_begin(&sprites, "x", 1, 0, 8, 3, &error), STATUS_BAD_INPUT);
}

/* The layer as the page gets it. */
static cJSON *layer_of(const struct input *input, int layer)
{
    struct error error = {0};
    char *written = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&written, &n);
    assert_int_equal(atlas_layer(file, &input->subjects[0], layer, &error), STATUS_OK);
    fclose(file);
    cJSON *data = cJSON_Parse(written);
    if (data == NULL)
        fail_msg("not JSON: %.200s", cJSON_GetErrorPtr());
    free(written);
    return data;
}

static const cJSON *item(const cJSON *array, const char *name, int place)
{
    return cJSON_GetArrayItem(cJSON_GetObjectItem(array, name), place);
}

static double value_of(const cJSON *object, const char *name)
{
    const cJSON *value = cJSON_GetObjectItem(object, name);
    assert_true(cJSON_IsNumber(value));
    return value->valuedouble;
}

static void check_done(const struct group *group, const cJSON *run, size_t row, size_t replicate)
{
    const size_t place = row * group->n_replicates + replicate;
    const cJSON *history = cJSON_GetObjectItem(run, "history"),
                *classes = cJSON_GetObjectItem(run, "classes");
    assert_true(fabs(value_of(run, "activation") - (double)group->activation[place]) < 1e-6);
    assert_int_equal(value_of(run, "queries"), FIXTURE_BUDGET);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(run, "latent")), 16);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(run, "trials")), group->sizes.trials);
    assert_true(cJSON_GetArraySize(history) % 2 == 0);
    assert_int_equal(cJSON_GetArraySize(classes), 10);
    double sum = 0, last = 1;
    for (int i = 0; i < 10; i++) {
        const double probability = cJSON_GetArrayItem(cJSON_GetArrayItem(classes, i), 1)->valuedouble;
        assert_true(probability <= last);
        sum += last = probability;
    }
    assert_true(fabs(sum - 1) < 1e-4);
}

static void a_layer_tells_of_every_run(void **state)
{
    struct input input;
    int n[3] = {0};
    (void)state;
    open_shape("gaps", NULL, &input);
    cJSON *data = layer_of(&input, 1);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(data, "units")), 12);
    for (int g = 0; g < 4; g++)
        for (int unit = 0; unit < 12; unit++) {
            const struct group *group = &input.subjects[0].groups[g];
            const cJSON *its = cJSON_GetArrayItem(item(data, "groups", g), unit);
            const size_t row = (size_t)group->row_of_unit[12 + unit];
            assert_int_equal(value_of(its, "finished"), group->results[row].n_done);
            for (int i = 0; i < 2; i++) {
                const cJSON *run = item(its, "runs", i);
                const int status = (int)value_of(run, "status");
                assert_int_equal(status, group->status[2 * row + (size_t)i]);
                n[status]++;
                if (status == RUN_DONE)
                    check_done(group, run, row, (size_t)i);
                if (status == RUN_FAILED)
                    assert_string_equal(cJSON_GetObjectItem(run, "message")->valuestring,
                                        "the subject gave NaN");
            }
        }
    assert_true(n[RUN_MISSING] > 0 && n[RUN_DONE] > 0 && n[RUN_FAILED] > 0);
    cJSON_Delete(data);
    input_close(&input);
}

static void a_layer_tells_of_dataset_images(void **state)
{
    struct input input;
    (void)state;
    open_shape("usual", NULL, &input);
    cJSON *data = layer_of(&input, 1), *neurons = layer_of(&input, 0);
    for (int unit = 0; unit < 24; unit++) {
        const cJSON *best = cJSON_GetArrayItem(item(data, "natural", unit), 0);
        const int64_t image = fixture_natural_image((size_t)(24 + unit), 0);
        assert_int_equal(cJSON_GetArrayItem(best, 1)->valueint, image);
        assert_int_equal(input.subjects[0].natural.image[cJSON_GetArrayItem(best, 0)->valueint], image);
        assert_true(cJSON_IsNull(item(neurons, "natural", unit)));
    }
    cJSON_Delete(data);
    cJSON_Delete(neurons);
    input_close(&input);
}

/* Not searched units, no trials, nothing but silence: JSON all the same. */
static void odd_files_have_an_atlas(void **state)
{
    static const char *const shapes[] = {"unlike", "bare", "silent", "one", "minimise"};
    char name[64], path[512];
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct input input;
        struct output output;
        struct error error = {0};
        open_shape(shapes[i], NULL, &input);
        cJSON_Delete(layer_of(&input, 0));
        snprintf(path, sizeof path, "%s", in_folder(shapes[i]));
        assert_int_equal(output_open(path, "x/<b>.h5", &output, &error), STATUS_OK);
        assert_int_equal(atlas_write(&output, &input, &error), STATUS_OK);
        assert_int_equal(output_close(&output, &error), STATUS_OK);
        snprintf(name, sizeof name, "%s/atlas/data/index.js", shapes[i]);
        char *index = strstr(read_text(name), "atlasIndex(");
        assert_ptr_equal(index, text);
        text[strlen(text) - 3] = '\0'; /* ");\n" */
        cJSON *data = cJSON_Parse(text + strlen("atlasIndex("));
        assert_non_null(data);
        assert_int_equal(cJSON_GetArraySize(item(data, "subjects", 0)), 4);
        cJSON_Delete(data);
        snprintf(name, sizeof name, "%s/atlas/atlas.js", shapes[i]);
        assert_non_null(strstr(read_text(name), "function atlasLayer("));
        input_close(&input);
    }
}

/* The menu of layers tells the units of the chosen generator and method: 3 of the first, 4 of the second. */
static void layers_count_the_units_of_every_group(void **state)
{
    struct input input;
    struct output output;
    struct error error = {0};
    char path[512];
    (void)state;
    open_shape("unlike", NULL, &input);
    snprintf(path, sizeof path, "%s", in_folder("counts"));
    assert_int_equal(output_open(path, "counts.h5", &output, &error), STATUS_OK);
    assert_int_equal(atlas_write(&output, &input, &error), STATUS_OK);
    assert_int_equal(output_close(&output, &error), STATUS_OK);
    const char *index = read_text("counts/atlas/data/index.js");
    assert_int_equal(count_of(index, "{\"label\":\"sn1\",\"kind\":0,\"units\":[3,3,4,4]}"), 1);
    assert_int_equal(count_of(index, "\"units\":[1,1,4,4]}"), 1);
    input_close(&input);
}

static void class_outputs_are_called_so(void **state)
{
    const struct layer layer = {"class", 0, UNIT_CLASS};
    char label[NAME_CAPACITY + 16];
    (void)state;
    input_layer_label(&layer, label);
    assert_string_equal(label, "class outputs");
}

static void an_atlas_that_cannot_be_written_is_named(void **state)
{
    struct input input;
    struct output output;
    struct error error = {0};
    char path[512];
    (void)state;
    open_shape("one", NULL, &input);
    snprintf(path, sizeof path, "%s", in_folder("full"));
    assert_int_equal(output_open(path, "x.h5", &output, &error), STATUS_OK);
    assert_int_equal(mkdir(in_folder("full/atlas"), 0777), 0);
    assert_int_equal(mkdir(in_folder("full/atlas/atlas.js"), 0777), 0);
    assert_int_equal(atlas_write(&output, &input, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "atlas/atlas.js: cannot be written"));
    assert_int_equal(output_close(&output, &error), STATUS_OK);
    input_close(&input);
}

#define TEST(function) cmocka_unit_test(function)

int main(int n_words, char **words)
{
    const struct CMUnitTest tests[] = {
        TEST(subjects_stand_in_the_order_of_the_job),
        TEST(shared_units_are_those_of_both),
        TEST(the_figure_follows_units),
        TEST(sheets_show_a_unit_in_every_subject),
        TEST(one_subject_has_nothing_to_follow),
        TEST(folders_of_subjects_differ_from_the_others),
        TEST(texts_cannot_leave_their_quotes),
        TEST(tiles_stand_on_pages),
        TEST(a_layer_tells_of_every_run),
        TEST(a_layer_tells_of_dataset_images),
        TEST(odd_files_have_an_atlas),
        TEST(layers_count_the_units_of_every_group),
        TEST(class_outputs_are_called_so),
        TEST(an_atlas_that_cannot_be_written_is_named),
    };
    MPI_Init(&n_words, &words);
    int result = cmocka_run_group_tests(tests, make_folder, remove_folder);
    MPI_Finalize();
    return result;
}
