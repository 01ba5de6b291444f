/* SPDX-License-Identifier: MIT */
/** Tensor files and architecture files that are damaged or wrong: refused, with a message that says where. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend.h"
#include "document.h"
#include "model.h"
#include "safetensors.h"

enum { PATH_CAPACITY = 128, TEXT_CAPACITY = 8192, DATA_CAPACITY = 1024 };

/** The folder of this program's files, and the two files in it. */
struct fixture {
    char folder[PATH_CAPACITY], tensors[PATH_CAPACITY + 32], architecture[PATH_CAPACITY + 32];
};

static int make_folder(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL)
        return -1;
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_safetensors.XXXXXX");
    *state = fixture;
    if (mkdtemp(fixture->folder) == NULL)
        return -1;
    snprintf(fixture->tensors, sizeof fixture->tensors, "%s/tiny.safetensors", fixture->folder);
    snprintf(fixture->architecture, sizeof fixture->architecture, "%s/tiny.yaml", fixture->folder);
    return 0;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->tensors);
    unlink(fixture->architecture);
    const int code = rmdir(fixture->folder);
    free(fixture);
    return code;
}

static void write_bytes(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

/** A tensor file in memory. */
struct content {
    size_t n_bytes;
    unsigned char bytes[8 + TEXT_CAPACITY + DATA_CAPACITY];
};

static struct content assemble(const char *header, const void *data, size_t n_data_bytes)
{
    struct content content;
    const uint64_t header_bytes = strlen(header);
    assert_true(header_bytes < TEXT_CAPACITY && n_data_bytes < DATA_CAPACITY);
    memcpy(content.bytes, &header_bytes, 8);
    memcpy(content.bytes + 8, header, header_bytes);
    if (n_data_bytes > 0)
        memcpy(content.bytes + 8 + header_bytes, data, n_data_bytes);
    content.n_bytes = 8 + header_bytes + n_data_bytes;
    return content;
}

/** The message without the folder of this program. */
static const char *without_folder(const struct fixture *fixture, const struct error *error,
                                  char text[ERROR_MESSAGE_CAPACITY])
{
    const size_t length = strlen(fixture->folder) + 1;
    char *to = text;
    for (const char *from = error->message; *from != '\0';)
        if (strncmp(from, fixture->folder, length - 1) == 0 && from[length - 1] == '/')
            from += length;
        else
            *to++ = *from++;
    *to = '\0';
    return text;
}

static void assert_message(const struct fixture *fixture, const struct error *error, const char *expected)
{
    char text[ERROR_MESSAGE_CAPACITY];
    if (strcmp(without_folder(fixture, error, text), expected) != 0)
        fail_msg("expected '%s', not '%s'", expected, text);
}

/* ---- tensor files ---- */

static void assert_content_refused(const struct fixture *fixture, const struct content *content,
                                   const char *message)
{
    struct tensor_file *file = NULL;
    struct error error = {0};
    write_bytes(fixture->tensors, content->bytes, content->n_bytes);
    assert_int_equal(tensor_file_read(fixture->tensors, &file, &error), STATUS_BAD_INPUT);
    assert_null(file);
    assert_message(fixture, &error, message);
}

static void assert_header_refused(const struct fixture *fixture, const char *header, size_t n_data_bytes,
                                  const char *message)
{
    static const unsigned char zeros[DATA_CAPACITY];
    const struct content content = assemble(header, zeros, n_data_bytes);
    assert_content_refused(fixture, &content, message);
}

/** One tensor 'a' of eight bytes with this entry. */
static void assert_entry_refused(const struct fixture *fixture, const char *entry, const char *message)
{
    char header[TEXT_CAPACITY];
    snprintf(header, sizeof header, "{\"a\":%s}", entry);
    assert_header_refused(fixture, header, 8, message);
}

static struct tensor_file *read_valid(const struct fixture *fixture, const struct content *content)
{
    struct tensor_file *file = NULL;
    struct error error = {0};
    write_bytes(fixture->tensors, content->bytes, content->n_bytes);
    if (tensor_file_read(fixture->tensors, &file, &error) != STATUS_OK)
        fail_msg("refused: %s", error.message);
    return file;
}

static const char two_tensors[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                  "\"late\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},"
                                  "\"early\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[0,4]},"
                                  "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[12,16]},"
                                  "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[16,16]}}  ";

static struct content valid_content(void)
{
    unsigned char data[16];
    const uint16_t halves[] = {0x3C00, 0xC000}; /* 1, -2 */
    const float floats[] = {1.5f, -0.25f, 3};
    memcpy(data, halves, 4);
    memcpy(data + 4, floats, 12);
    return assemble(two_tensors, data, sizeof data);
}

static void reads_tensors(void **state)
{
    const struct content content = valid_content();
    struct tensor_file *file = read_valid(*state, &content);
    const struct tensor *early = tensor_find(file, "early"), *late = tensor_find(file, "late");
    char shape[TENSOR_SHAPE_CAPACITY];
    assert_int_equal(file->n_tensors, 4);
    assert_non_null(early);
    assert_non_null(late);
    assert_null(tensor_find(file, "__metadata__"));
    assert_true(early->values[0] == 1.0f && early->values[1] == -2.0f);
    assert_true(late->values[0] == 1.5f && late->values[1] == -0.25f);
    assert_true(tensor_find(file, "scalar")->values[0] == 3.0f);
    assert_int_equal(tensor_find(file, "empty")->n_values, 0);
    tensor_shape_text(early, shape);
    assert_string_equal(shape, "[1, 2]");
    tensor_file_free(file);
}

static void reads_every_kind_of_half(void **state)
{
    const uint16_t halves[] = {0x0000, 0x8000, 0x3C01, 0x7BFF, 0xFBFF, 0x0001, 0x83FF, 0x0400, 0x3555};
    const double values[] = {0.0,     -0.0,          1 + 0x1p-10, 65504.0, -65504.0, 0x1p-24, -1023 * 0x1p-24,
                             0x1p-14, 1365 * 0x1p-12};
    const struct content content =
        assemble("{\"a\":{\"dtype\":\"F16\",\"shape\":[9],\"data_offsets\":[0,18]}}", halves, sizeof halves);
    struct tensor_file *file = read_valid(*state, &content);
    for (size_t i = 0; i < 9; i++) {
        assert_true((double)file->tensors[0].values[i] == values[i]);
        assert_int_equal(signbit(file->tensors[0].values[i]) != 0, signbit(values[i]) != 0);
    }
    tensor_file_free(file);
}

static void refuses_paths(void **state)
{
    const struct fixture *fixture = *state;
    struct tensor_file *file = NULL;
    struct error error = {0};
    unlink(fixture->tensors);
    assert_int_equal(tensor_file_read(fixture->tensors, &file, &error), STATUS_IO);
    assert_message(fixture, &error,
                   "tiny.safetensors: the tensor file cannot be opened: No such file or directory");
    assert_int_equal(tensor_file_read("/tmp", &file, &error), STATUS_BAD_INPUT);
    assert_string_equal(error.message, "/tmp: not a file");
    assert_null(file);
}

static void refuses_lengths(void **state)
{
    const struct content empty = {.n_bytes = 0}, seven = {.n_bytes = 7};
    struct content content = valid_content();
    assert_content_refused(*state, &empty, "tiny.safetensors: 0 bytes are no safetensors file");
    assert_content_refused(*state, &seven, "tiny.safetensors: 7 bytes are no safetensors file");
    content.bytes[7] = 0x80; /* 2^63 more */
    char message[256];
    snprintf(
        message, sizeof message,
        "tiny.safetensors: no safetensors file, or truncated: it announces a header of %llu bytes (file: "
        "%zu bytes)",
        (1ULL << 63) + sizeof two_tensors - 1, content.n_bytes);
    assert_content_refused(*state, &content, message);
}

/** A header of more than 16 MiB, although the file has it. */
static void refuses_long_header(void **state)
{
    const struct fixture *fixture = *state;
    const uint64_t header_bytes = (1 << 24) + 1;
    struct tensor_file *file = NULL;
    struct error error = {0};
    unsigned char *bytes = malloc(8 + header_bytes);
    assert_non_null(bytes);
    memset(bytes, ' ', 8 + header_bytes);
    memcpy(bytes, &header_bytes, 8);
    memcpy(bytes + 8, "{}", 2);
    write_bytes(fixture->tensors, bytes, 8 + header_bytes);
    free(bytes);
    assert_int_equal(tensor_file_read(fixture->tensors, &file, &error), STATUS_BAD_INPUT);
    assert_message(
        fixture, &error,
        "tiny.safetensors: no safetensors file, or truncated: it announces a header of 16777217 bytes "
        "(file: 16777225 bytes)");
}

/** A file cut at any place, or with anything behind it. */
static void refuses_truncated_and_extended(void **state)
{
    const struct fixture *fixture = *state;
    const struct content content = valid_content();
    for (size_t n = 0; n < content.n_bytes; n++) {
        struct tensor_file *file = NULL;
        struct error error = {0};
        write_bytes(fixture->tensors, content.bytes, n);
        assert_int_equal(tensor_file_read(fixture->tensors, &file, &error), STATUS_BAD_INPUT);
        assert_null(file);
    }
    struct content cut = content, longer = content;
    cut.n_bytes--;
    assert_content_refused(fixture, &cut,
                           "tiny.safetensors: its tensors need 16 bytes, the file has 15; it is truncated or "
                           "has something appended");
    longer.bytes[longer.n_bytes++] = 0;
    assert_content_refused(fixture, &longer,
                           "tiny.safetensors: its tensors need 16 bytes, the file has 17; it is truncated or "
                           "has something appended");
}

static void refuses_headers_that_are_no_json(void **state)
{
    static const char message[] = "tiny.safetensors: its header is not a JSON object";
    char deep[TEXT_CAPACITY];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_header_refused(*state, "", 0, message);
    assert_header_refused(*state, "[]", 0, message);
    assert_header_refused(*state, "{\"a\":", 0, message);
    assert_header_refused(*state, "{} {}", 0, message);
    assert_header_refused(*state, "{}x", 0, message);
    assert_header_refused(*state, "\xff\xfe", 0, message);
    assert_header_refused(*state, deep, 0, message);
    const struct content nul = {.n_bytes = 11, .bytes = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}', '\0'}};
    assert_content_refused(*state, &nul, message);
}

static void refuses_entries(void **state)
{
    assert_entry_refused(*state, "5", "tiny.safetensors: tensor 'a': type is missing, expected F32 or F16");
    assert_entry_refused(*state, "{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}",
                         "tiny.safetensors: tensor 'a': type is I64, expected F32 or F16");
    assert_entry_refused(*state, "{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[0,8]}",
                         "tiny.safetensors: tensor 'a': type is BF16, expected F32 or F16");
    static const char bad_offsets[] = "tiny.safetensors: tensor 'a': data_offsets are not two rising numbers";
    static const char *const offsets[] = {"[8,0]",   "[0]",       "[0,4,8]", "[-8,0]",
                                          "[0,8.5]", "[0,1e300]", "null",    "[\"0\",\"8\"]"};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        char entry[128];
        snprintf(entry, sizeof entry, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":%s}", offsets[i]);
        assert_entry_refused(*state, entry, bad_offsets);
    }
    assert_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}",
                         "tiny.safetensors: tensor 'a': 8 bytes do not fit its shape (3 values)");
    assert_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,7]}",
                         "tiny.safetensors: tensor 'a': 7 bytes do not fit its shape (1 values)");
    assert_entry_refused(*state, "{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,8]}",
                         "tiny.safetensors: tensor 'a': 8 bytes do not fit its shape (2 values)");
}

static void refuses_shapes(void **state)
{
    static const char no_shape[] = "tiny.safetensors: tensor 'a': expected a shape of 0 to 8 dimensions";
    static const char invalid[] = "tiny.safetensors: tensor 'a': its shape is not valid";
    static const char *const shapes[][2] = {{"2", no_shape},
                                            {"[1,1,1,1,1,1,1,1,2]", no_shape},
                                            {"[-2]", invalid},
                                            {"[0.5]", invalid},
                                            {"[\"2\"]", invalid},
                                            {"[4294967298]", invalid},
                                            {"[2147483647,2147483647,2147483647]", invalid}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char entry[128];
        snprintf(entry, sizeof entry, "{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,8]}",
                 shapes[i][0]);
        assert_entry_refused(*state, entry, shapes[i][1]);
    }
}

/** Two tensors of one value each, 'a' and another. */
static void assert_pair_refused(const struct fixture *fixture, const char *a_offsets, const char *name,
                                const char *offsets, size_t n_data_bytes, const char *message)
{
    char header[TEXT_CAPACITY];
    snprintf(header, sizeof header,
             "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":%s},"
             "\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":%s}}",
             a_offsets, name, offsets);
    assert_header_refused(fixture, header, n_data_bytes, message);
}

static void refuses_overlaps_holes_and_duplicates(void **state)
{
    static const char tiling[] = "tiny.safetensors: its tensors overlap or leave holes";
    assert_pair_refused(*state, "[0,4]", "b", "[0,4]", 4, tiling);
    assert_pair_refused(*state, "[0,4]", "b", "[2,6]", 6, tiling);
    assert_pair_refused(*state, "[0,4]", "b", "[8,12]", 12, tiling);
    assert_pair_refused(*state, "[4,8]", "b", "[8,12]", 12, tiling);
    assert_pair_refused(*state, "[0,4]", "b", "[9007199254740988,9007199254740992]", 8, tiling);
    assert_pair_refused(*state, "[0,4]", "a", "[4,8]", 8, "tiny.safetensors: tensor 'a' is there twice");
}

static void refuses_values_that_are_not_finite(void **state)
{
    static const char message[] =
        "tiny.safetensors: tensor 'a': value 1 is not finite; the file is damaged or "
        "the training diverged";
    static const char floats_header[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    static const char halves_header[] = "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}";
    const float floats[][2] = {{1, NAN}, {1, INFINITY}, {1, -INFINITY}};
    const uint16_t halves[][2] = {{0x3C00, 0x7E00}, {0x3C00, 0x7C00}, {0x3C00, 0xFC00}};
    for (size_t i = 0; i < 3; i++) {
        const struct content single = assemble(floats_header, floats[i], 8);
        const struct content half = assemble(halves_header, halves[i], 4);
        assert_content_refused(*state, &single, message);
        assert_content_refused(*state, &half, message);
    }
}

/* ---- architecture files ---- */

static const char tiny[] = "format: meicensus model 1\n"
                           "name: tiny\n"
                           "role: subject\n"
                           "tensors: tiny.safetensors\n"
                           "input: {channels: 1, height: 4, width: 4}\n"
                           "image: {mean: [0.5], std: [0.25]}\n"
                           "timesteps: 3\n"
                           "neuron: {kind: lif, tau: 2.0}\n"
                           "classes: [left, right]\n"
                           "layers:\n"
                           "  - {name: conv, kind: convolution, stride: 1, padding: 1}\n"
                           "  - {name: bn, kind: batch_norm}\n"
                           "  - {name: spikes, kind: spiking}\n"
                           "  - {name: flatten, kind: flatten}\n"
                           "  - {name: fc, kind: linear}\n";

static const char tiny_codebook[] = "format: meicensus model 1\n"
                                    "name: book\n"
                                    "role: generator\n"
                                    "tensors: tiny.safetensors\n"
                                    "image: {mean: [0.5, 0.5], std: [0.25, 0.25]}\n"
                                    "latent: {kind: codebook, dimensions: 4, points: 3}\n"
                                    "layers:\n"
                                    "  - {name: book, kind: embedding, height: 2, width: 2}\n";

struct tensor_row {
    const char *name, *shape;
    size_t n_values;
};

static const struct tensor_row tiny_tensors[] = {{"conv.weight", "2,1,3,3", 18},
                                                 {"bn.weight", "2", 2},
                                                 {"bn.bias", "2", 2},
                                                 {"bn.running_mean", "2", 2},
                                                 {"bn.running_var", "2", 2},
                                                 {"fc.weight", "2,32", 64},
                                                 {"fc.bias", "2", 2},
                                                 {NULL, NULL, 0}};

static const struct tensor_row codebook_tensors[] = {{"book.weight", "3,2", 6}, {NULL, NULL, 0}};

/** A file of these tensors; value i of all is (i mod 7 + 1) / 4. */
static struct content tensor_content(const struct tensor_row *rows)
{
    char header[TEXT_CAPACITY];
    float values[DATA_CAPACITY / 4];
    size_t length = 0, n = 0;
    for (const struct tensor_row *row = rows; row->name != NULL; row++) {
        length +=
            (size_t)snprintf(header + length, sizeof header - length,
                             "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                             row == rows ? "{" : ",", row->name, row->shape, 4 * n, 4 * (n + row->n_values));
        for (size_t i = 0; i < row->n_values; i++, n++)
            values[n] = (float)(n % 7 + 1) / 4;
    }
    snprintf(header + length, sizeof header - length, "}");
    return assemble(header, values, 4 * n);
}

static void write_tensors(const struct fixture *fixture, const struct tensor_row *rows)
{
    const struct content content = tensor_content(rows);
    write_bytes(fixture->tensors, content.bytes, content.n_bytes);
}

/** `text` with `old` replaced by `new`, as the architecture file. */
static void write_architecture(const struct fixture *fixture, const char *text, const char *old,
                               const char *new)
{
    char changed[TEXT_CAPACITY];
    const char *place = strstr(text, old);
    assert_non_null(place);
    const int length =
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - text), text, new, place + strlen(old));
    assert_true(length < (int)sizeof changed);
    write_bytes(fixture->architecture, changed, (size_t)length);
}

static enum status load(const struct fixture *fixture, const struct model_overrides *overrides,
                        struct error *error)
{
    struct model *model = NULL;
    const enum status status =
        model_load(fixture->architecture, overrides, &kernels_reference, &model, error);
    assert_true(status == STATUS_OK ? model != NULL : model == NULL);
    model_free(model);
    return status;
}

static void assert_loads(const struct fixture *fixture, const struct model_overrides *overrides)
{
    struct error error = {0};
    if (load(fixture, overrides, &error) != STATUS_OK)
        fail_msg("refused: %s", error.message);
}

static void assert_model_refused(const struct fixture *fixture, const struct model_overrides *overrides,
                                 const char *message)
{
    struct error error = {0};
    assert_int_equal(load(fixture, overrides, &error), STATUS_BAD_INPUT);
    assert_message(fixture, &error, message);
}

/** A change of the text of an architecture file and the message it must lead to. */
struct change {
    const char *old, *new, *message;
};

static void assert_changes_refused(const struct fixture *fixture, const char *text,
                                   const struct change *changes)
{
    for (; changes->old != NULL; changes++) {
        write_architecture(fixture, text, changes->old, changes->new);
        assert_model_refused(fixture, NULL, changes->message);
    }
}

static void loads_tiny_models(void **state)
{
    const struct model_overrides more_steps = {.timesteps = 9};
    write_tensors(*state, tiny_tensors);
    write_architecture(*state, tiny, "", "");
    assert_loads(*state, NULL);
    assert_loads(*state, &more_steps);
    write_tensors(*state, codebook_tensors);
    write_architecture(*state, tiny_codebook, "", "");
    assert_loads(*state, NULL);
}

/** There are 2^40 ways from the input through so many sums; each layer is looked at once. */
static void loads_many_ways(void **state)
{
    enum { N_SUMS = 40 };
    char layers[TEXT_CAPACITY] = "kind: batch_norm}\n";
    size_t length = strlen(layers);
    for (int i = 0; i < N_SUMS; i++) {
        char input[16] = "bn";
        if (i > 0)
            snprintf(input, sizeof input, "s%d", i - 1);
        length += (size_t)snprintf(layers + length, sizeof layers - length,
                                   "  - {name: s%d, kind: add, inputs: [%s, %s]}\n", i, input, input);
    }
    write_tensors(*state, tiny_tensors);
    write_architecture(*state, tiny, "kind: batch_norm}\n", layers);
    struct backend backend;
    struct model *model = NULL;
    struct error error = {0};
    assert_int_equal(backend_open(NULL, &backend, &error), STATUS_OK);
    const struct fixture *fixture = *state;
    if (model_load(fixture->architecture, NULL, backend.kernels, &model, &error) != STATUS_OK)
        fail_msg("refused: %s", error.message);
    model_free(model);
}

static void refuses_files(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = {0};
    unlink(fixture->architecture);
    unlink(fixture->tensors);
    assert_int_equal(load(fixture, NULL, &error), STATUS_IO);
    assert_message(fixture, &error, "tiny.yaml: cannot be opened: No such file or directory");
    write_architecture(fixture, tiny, "", "");
    assert_int_equal(load(fixture, NULL, &error), STATUS_IO);
    assert_message(fixture, &error, "tiny.safetensors: cannot be opened: No such file or directory");
    write_bytes(fixture->architecture, "- 1\n", 4);
    assert_model_refused(fixture, NULL, "tiny.yaml: not a model file (expected 'format: meicensus model 1')");
}

static void refuses_keys(void **state)
{
    static const struct change changes[] = {
        {"model 1", "model 2", "tiny.yaml:1: format is 'meicensus model 2', expected 'meicensus model 1'"},
        {"timesteps: 3", "timestep: 3",
         "tiny.yaml:7: unknown key 'timestep'; did you mean 'timesteps'? (valid: format, name, role, "
         "description, tensors, input, image, timesteps, neuron, classes, latent, encoder, unused_tensors, "
         "layers)"},
        {"timesteps: 3", "timesteps: 0",
         "tiny.yaml:7: 'timesteps': 0 is out of range; expected 1 to 100000 time steps"},
        {"stride: 1", "strides: 1",
         "tiny.yaml:11: unknown key 'strides' in 'conv'; did you mean 'stride'? (valid: stride, padding)"},
        {"role: subject", "role: subjekt",
         "tiny.yaml:3: unknown value 'subjekt' in 'role'; did you mean 'subject'? (valid: subject, "
         "generator, encoder)"},
        {"name: tiny\n", "", "tiny.yaml:1: the key 'name' is missing (short name)"},
        {"channels: 1, ", "", "tiny.yaml:5: the key 'channels' is missing in 'input' (of the image)"},
        {"tau: 2.0", "tau: 1.0",
         "tiny.yaml:8: 'neuron.tau': 1.0 is out of range; expected 1.0000001 to 1000000000 time steps"},
        {"tau: 2.0", "beta: 0.9", "tiny.yaml:8: neuron: 'beta' has no meaning for kind lif (it has tau)"},
        {"lif, tau: 2.0", "leaky, tau: 2.0",
         "tiny.yaml:8: neuron: 'tau' has no meaning for kind leaky (it has beta)"},
        {"tau: 2.0", "reset: soft, v_reset: 0.5",
         "tiny.yaml:8: neuron: with 'reset: soft', v_reset must be 0"},
        {0}};
    write_tensors(*state, tiny_tensors);
    assert_changes_refused(*state, tiny, changes);
}

static void refuses_wiring(void **state)
{
    static const struct change changes[] = {
        {"kind: batch_norm", "kind: batchnorm",
         "tiny.yaml:12: layer 'bn': unknown kind 'batchnorm'; did you mean 'batch_norm'?"},
        {"{name: bn, kind: batch_norm}", "{name: bn}", "tiny.yaml:12: layer 'bn' has no 'kind'"},
        {"{name: bn, kind", "{kind", "tiny.yaml:12: a layer needs a mapping with 'name' and 'kind'"},
        {"name: bn,", "name: conv,", "tiny.yaml:12: a layer named 'conv' is already there"},
        {"name: bn,", "name: input,", "tiny.yaml:12: 'input' cannot be the name of a layer"},
        {"name: bn,", "name: a/b,", "tiny.yaml:12: 'a/b' cannot be the name of a layer"},
        {"batch_norm}", "batch_norm, from: convv}",
         "tiny.yaml:12: layer 'bn': its input 'convv' is not a layer above it"},
        {"batch_norm}", "batch_norm, from: spikes}",
         "tiny.yaml:12: layer 'bn': its input 'spikes' is not a layer above it"},
        {"batch_norm}", "batch_norm, inputs: [conv, conv]}",
         "tiny.yaml:12: layer 'bn' has one input: use 'from'"},
        {"kind: spiking}", "kind: add}",
         "tiny.yaml:13: layer 'spikes' needs 'inputs: [A, B]', two layers above it"},
        {"kind: spiking}", "kind: add, inputs: [bn, input]}",
         "tiny.yaml:13: layer 'spikes': cannot add 2 x 4 x 4 and 1 x 4 x 4"},
        {"kind: flatten}", "kind: flatten, from: bn}",
         "tiny.yaml:13: layer 'spikes' leads nowhere: no later layer has it as its input"},
        {"layers:\n", "layers: []\nunused_tensors:\n",
         "tiny.yaml:1: 'layers' must be a list of 1 to 10000 layers"},
        {0}};
    write_tensors(*state, tiny_tensors);
    assert_changes_refused(*state, tiny, changes);
}

static void refuses_shapes_of_layers(void **state)
{
    static const struct change changes[] = {
        {"channels: 1", "channels: 2",
         "tiny.safetensors: tensor 'conv.weight' has shape [2, 1, 3, 3], expected [any, 2, any, any]"},
        {"height: 4", "height: 5",
         "tiny.safetensors: tensor 'fc.weight' has shape [2, 32], expected [any, 40]"},
        {"  - {name: flatten, kind: flatten}\n", "",
         "tiny.yaml:14: layer 'fc': its input is a map of 4 x 4; put a flatten before it"},
        {"convolution, stride: 1, padding: 1", "convolution, stride: 64, padding: 33",
         "tiny.yaml:11: layer 'conv': its window meets nothing but padding"},
        {"height: 4, width: 4", "height: 2, width: 2",
         "tiny.safetensors: tensor 'fc.weight' has shape [2, 32], expected [any, 8]"},
        {"padding: 1}", "padding: 1}\n  - {name: pool, kind: max_pool, kernel: 2, stride: 1, padding: 2}",
         "tiny.yaml:12: layer 'pool': padding 2 is more than half the window of 2"},
        {"padding: 1}", "padding: 1}\n  - {name: pool, kind: max_pool, kernel: 5, stride: 1}",
         "tiny.yaml:12: layer 'pool': a map of 4 x 4 is smaller than its window"},
        {"flatten, kind: flatten", "flatten, kind: unflatten, height: 2, width: 2",
         "tiny.yaml:14: layer 'flatten': 2 features of 4 x 4 do not make maps of 2 x 2"},
        {"height: 4, width: 4}\nimage: {mean: [0.5], std: [0.25]}\ntimesteps: 3",
         "height: 4096, width: 4096}\nimage: {mean: [0.5], std: [0.25]}\ntimesteps: 100000",
         "tiny.yaml:11: layer 'conv': a map of 33554432 values at 100000 time steps is too large"},
        {0}};
    write_tensors(*state, tiny_tensors);
    assert_changes_refused(*state, tiny, changes);
}

static void refuses_what_does_not_make_a_subject(void **state)
{
    static const struct change changes[] = {
        {"kind: spiking", "kind: relu", "tiny.yaml:1: 3 time steps, but no layer spikes"},
        {"[left, right]", "[left]",
         "tiny.yaml:9: 'classes' must list 2 names, one for each output of the last layer"},
        {"classes: [left, right]\n", "",
         "tiny.yaml:1: 'classes' must list 2 names, one for each output of the last layer"},
        {"mean: [0.5], ", "", "tiny.yaml:6: 'image.mean' must list 1 numbers, one a channel"},
        {"image: {mean: [0.5], std: [0.25]}\n", "",
         "tiny.yaml:1: 'image: {mean: [..], std: [..]}' is missing"},
        {"std: [0.25]", "std: [0]", "tiny.yaml:6: 'image.std' must be above 0"},
        {"input: {channels: 1, height: 4, width: 4}\n", "",
         "tiny.yaml:1: a subject or an encoder needs 'input: {channels, height, width}'"},
        {"neuron: {kind: lif, tau: 2.0}\n", "",
         "tiny.yaml:12: layer 'spikes' spikes, but there is no 'neuron:' mapping"},
        {"timesteps: 3", "timesteps: 3\nencoder: other.yaml",
         "tiny.yaml:1: 'encoder' is a key of generators"},
        {"role: subject", "role: encoder",
         "tiny.yaml:15: layer 'fc' ends an encoder: its kind must be nearest_row"},
        {"role: subject", "role: generator",
         "tiny.yaml:1: a generator needs 'latent: {kind, dimensions, points}'"},
        {"role: subject", "role: generator\nlatent: {kind: grid, dimensions: 1, points: 4, low: 4, high: -4}",
         "tiny.yaml:4: 'latent.low' must be below 'latent.high'"},
        {0}};
    write_tensors(*state, tiny_tensors);
    assert_changes_refused(*state, tiny, changes);
}

static void refuses_overrides(void **state)
{
    const struct model_overrides steps = {.timesteps = 4};
    struct document *document = NULL;
    struct error error = {0};
    write_tensors(*state, tiny_tensors);
    write_architecture(*state, tiny, "timesteps: 3\nneuron: {kind: lif, tau: 2.0}", "");
    const char *old = "kind: spiking";
    char changed[sizeof tiny];
    const char *place = strstr(tiny, "timesteps: 3\n");
    snprintf(changed, sizeof changed, "%.*s%s", (int)(place - tiny), tiny, place + strlen("timesteps: 3\n"));
    write_architecture(*state, changed, old, "kind: relu");
    assert_loads(*state, NULL);
    assert_model_refused(*state, &steps, "tiny.yaml:1: 4 time steps, but no layer spikes");
    write_architecture(*state, tiny, "", "");
    assert_int_equal(document_read_text("{taus: 3.0}", "--neuron", &document, &error), STATUS_OK);
    const struct model_overrides neuron = {.neuron = document_root(document)};
    assert_model_refused(*state, &neuron,
                         "--neuron:1: unknown key 'taus' in 'neuron'; did you mean 'tau'? (valid: kind, tau, "
                         "decay_input, reset, v_reset, beta, threshold)");
    document_free(document);
}

static void refuses_missing_and_unused_tensors(void **state)
{
    static const struct change changes[] = {
        {"padding: 1}", "padding: 1, prefix: other}",
         "tiny.yaml:11: layer 'conv' needs tensor 'other.weight', which tiny.safetensors does not have"},
        {"  - {name: bn, kind: batch_norm}\n", "",
         "tiny.safetensors: tensor 'bn.weight' belongs to no layer of the architecture; list its prefix "
         "under "
         "'unused_tensors' if that is meant"},
        {"layers:", "unused_tensors: bn\nlayers:",
         "tiny.yaml:10: 'unused_tensors' must be a list of prefixes of tensor names"},
        {0}};
    struct tensor_row rows[10];
    memcpy(rows, tiny_tensors, sizeof tiny_tensors);
    rows[7] = (struct tensor_row){"conv.mask", "2", 2};
    rows[8] = (struct tensor_row){NULL, NULL, 0};
    write_tensors(*state, tiny_tensors);
    assert_changes_refused(*state, tiny, changes);
    write_tensors(*state, rows);
    write_architecture(*state, tiny, "", "");
    assert_model_refused(*state, NULL,
                         "tiny.safetensors: tensor 'conv.mask' belongs to no layer of the architecture; list "
                         "its prefix under 'unused_tensors' if that is meant");
    write_architecture(*state, tiny, "layers:", "unused_tensors: [conv.mask]\nlayers:");
    assert_loads(*state, NULL);
}

static void refuses_codebooks(void **state)
{
    static const struct change changes[] = {
        {"points: 3", "points: 4",
         "tiny.yaml:1: 'latent.points' is 4, but the dictionary of layer 'book' has 3 rows"},
        {"kind: codebook", "kind: grid",
         "tiny.yaml:8: layer 'book': only the codes of a generator with 'latent: {kind: codebook}' can be "
         "looked up"},
        {"dimensions: 4", "dimensions: 5",
         "tiny.yaml:8: layer 'book': 5 indices do not fill a grid of 2 x 2"},
        {0}};
    write_tensors(*state, codebook_tensors);
    assert_changes_refused(*state, tiny_codebook, changes);
}

static void refuses_codebooks_in_wrong_places(void **state)
{
    static const char encoder[] = "format: meicensus model 1\n"
                                  "name: back\n"
                                  "role: encoder\n"
                                  "tensors: tiny.safetensors\n"
                                  "image: {mean: [0.5, 0.5], std: [0.25, 0.25]}\n"
                                  "input: {channels: 2, height: 2, width: 2}\n"
                                  "layers:\n"
                                  "  - {name: book, kind: nearest_row}\n";
    static const struct change changes[] = {
        {"channels: 2", "channels: 1",
         "tiny.safetensors: tensor 'book.weight' has shape [3, 2], expected "
         "[any, 1]"},
        {"{name: book, kind: nearest_row}", "{name: flat, kind: flatten}\nunused_tensors: [book]",
         "tiny.yaml:8: layer 'flat' ends an encoder: its kind must be nearest_row"},
        {"{name: book, kind: nearest_row}",
         "{name: book, kind: nearest_row}\n  - {name: again, kind: nearest_row, from: input, prefix: book}",
         "tiny.yaml:8: layer 'book' leads nowhere: no later layer has it as its input"},
        {"{name: book, kind: nearest_row}",
         "{name: book, kind: nearest_row}\n  - {name: flat, kind: flatten}",
         "tiny.yaml:8: layer 'book': only the last layer of an encoder can be a nearest_row"},
        {"role: encoder", "role: subject\nclasses: [a]",
         "tiny.yaml:9: layer 'book': only the last layer of an encoder can be a nearest_row"},
        {"image: {mean: [0.5, 0.5], std: [0.25, 0.25]}\n", "",
         "tiny.yaml:1: 'image: {mean: [..], std: [..]}' is missing"},
        {0}};
    write_tensors(*state, codebook_tensors);
    write_architecture(*state, encoder, "", "");
    assert_loads(*state, NULL);
    assert_changes_refused(*state, encoder, changes);
}

static void refuses_variance_below_zero(void **state)
{
    struct content content = tensor_content(tiny_tensors);
    const float variance = -1;
    /* bn.running_var is values 24 and 25 of the 92 at the end of the file */
    memcpy(content.bytes + content.n_bytes - (size_t)4 * (92 - 25), &variance, sizeof variance);
    write_bytes(((struct fixture *)*state)->tensors, content.bytes, content.n_bytes);
    write_architecture(*state, tiny, "", "");
    assert_model_refused(*state, NULL,
                         "tiny.safetensors: tensor 'bn.running_var': variance 1 is -1, expected > 0");
}

/** Every bit of the length and of the header of a tensor file matters; every fifth is tried. */
static void refuses_flipped_bits_of_the_header(void **state)
{
    const struct fixture *fixture = *state;
    struct content content = tensor_content(tiny_tensors);
    const size_t n_header_bytes = content.n_bytes - (size_t)4 * 92;
    write_architecture(fixture, tiny, "", "");
    for (size_t bit = 0; bit < 8 * n_header_bytes; bit += 5) {
        struct error error = {0};
        content.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_bytes(fixture->tensors, content.bytes, content.n_bytes);
        if (load(fixture, NULL, &error) != STATUS_BAD_INPUT)
            fail_msg("bit %zu of byte %zu, '%c': not refused", bit % 8, bit / 8, content.bytes[bit / 8]);
        assert_non_null(strstr(error.message, "tiny."));
        content.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_tensors),
        cmocka_unit_test(reads_every_kind_of_half),
        cmocka_unit_test(refuses_paths),
        cmocka_unit_test(refuses_lengths),
        cmocka_unit_test(refuses_long_header),
        cmocka_unit_test(refuses_truncated_and_extended),
        cmocka_unit_test(refuses_headers_that_are_no_json),
        cmocka_unit_test(refuses_entries),
        cmocka_unit_test(refuses_shapes),
        cmocka_unit_test(refuses_overlaps_holes_and_duplicates),
        cmocka_unit_test(refuses_values_that_are_not_finite),
        cmocka_unit_test(loads_tiny_models),
        cmocka_unit_test(loads_many_ways),
        cmocka_unit_test(refuses_files),
        cmocka_unit_test(refuses_keys),
        cmocka_unit_test(refuses_wiring),
        cmocka_unit_test(refuses_shapes_of_layers),
        cmocka_unit_test(refuses_what_does_not_make_a_subject),
        cmocka_unit_test(refuses_overrides),
        cmocka_unit_test(refuses_missing_and_unused_tensors),
        cmocka_unit_test(refuses_codebooks),
        cmocka_unit_test(refuses_codebooks_in_wrong_places),
        cmocka_unit_test(refuses_variance_below_zero),
        cmocka_unit_test(refuses_flipped_bits_of_the_header),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
