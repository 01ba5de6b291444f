/* SPDX-License-Identifier: MIT */
/* `meicensus encode`: the codes from which a generator makes given images again. */
#include <stdlib.h>

#include "build_info.h"
#include "command.h"
#include "counter.h"
#include "encoder.h"
#include "hdf5_arrays.h"
#include "memory.h"
#include "network_options.h"

static const struct command_option options[] = {
    {"model", "FILE", NULL, true, false,
     "architecture file of a generator that has an encoder, e.g. weights/vq_vae.yaml"},
    {"data", "PATH", NULL, true, false, "images, as for `meicensus accuracy`"},
    {"output", "FILE", NULL, true, false, "HDF5 file to write; an older one is replaced"},
    {"limit", "N", NULL, false, false, "only the first N images"},
    NETWORK_ISA_OPTION,
    {"images", NULL, NULL, false, false, "write what the generator makes of the codes, too"},
    {0},
};

/** What takes part, and what comes of it. */
struct encoding {
    struct network generator;
    struct encoder *encoder;
    struct dataset *dataset;
    size_t n_images, n_values; /**< values of one image */
    int n_indices;
    unsigned char *bytes;  /**< [n_values] */
    float *normalised;     /**< [n_values] */
    float *latent;         /**< [n_indices] */
    int32_t *codes;        /**< [n_images][n_indices] */
    int32_t *labels;       /**< [n_images] */
    float *errors;         /**< [n_images] */
    float *reconstruction; /**< [n_images][n_values], or NULL */
};

static enum status open_all(const struct arguments *arguments, struct encoding *encoding, struct error *error)
{
    long long limit = 0;
    const char *path = arguments_text(arguments, "model");
    const struct network_request request = {.model = path, .kernels = arguments_text(arguments, "isa")};
    TRY(arguments_integer(arguments, "limit", 1, 1000000000, &limit, error));
    TRY(network_open(&request, &encoding->generator, error));
    const struct model *generator = encoding->generator.model;
    if (model_role(generator) != MODEL_GENERATOR)
        return error_set(error, STATUS_BAD_INPUT, "%s: expected a generator", path);
    TRY(encoder_open(generator, path, encoding->generator.backend.kernels, &encoding->encoder, error));
    TRY(model_images_open(encoder_model(encoding->encoder), arguments_text(arguments, "data"), (size_t)limit,
                          &encoding->dataset, error));
    encoding->n_images = dataset_n_images(encoding->dataset);
    encoding->n_values = dataset_image_values(encoding->dataset);
    encoding->n_indices = model_latent(generator)->n_dimensions;
    return STATUS_OK;
}

static enum status allocate(struct encoding *encoding, bool with_images, struct error *error)
{
    const size_t n = encoding->n_images, n_indices = (size_t)encoding->n_indices;
    TRY(MEMORY_ALLOCATE(encoding->bytes, encoding->n_values, error));
    TRY(MEMORY_ALLOCATE(encoding->normalised, encoding->n_values, error));
    TRY(MEMORY_ALLOCATE(encoding->latent, n_indices, error));
    TRY(MEMORY_ALLOCATE(encoding->codes, n * n_indices, error));
    TRY(MEMORY_ALLOCATE(encoding->labels, n, error));
    TRY(MEMORY_ALLOCATE(encoding->errors, n, error));
    return with_images ? MEMORY_ALLOCATE(encoding->reconstruction, n * encoding->n_values, error) : STATUS_OK;
}

/** Mean squared difference of the generator's image and the bytes it was made from, in RGB from 0 to 1. */
static float squared_error(const struct encoding *encoding, const float *image)
{
    const struct model *generator = encoding->generator.model;
    const struct map_shape shape = model_layer_shape(generator, model_output_layer(generator));
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    double sum = 0;
    for (size_t i = 0; i < encoding->n_values; i++) {
        const size_t c = i / pixels;
        const double rgb = (double)image[i] * model_std(generator)[c] + model_mean(generator)[c];
        const double difference = rgb - encoding->bytes[i] / 255.0;
        sum += difference * difference;
    }
    return (float)(sum / (double)encoding->n_values);
}

static void reconstruct(struct encoding *encoding, size_t image)
{
    const struct model *generator = encoding->generator.model;
    const int32_t *code = encoding->codes + image * (size_t)encoding->n_indices;
    int time;
    for (int i = 0; i < encoding->n_indices; i++)
        encoding->latent[i] = (float)code[i];
    model_forward(encoding->generator.run, encoding->latent, model_output_layer(generator), NULL);
    const float *made = model_output(encoding->generator.run, model_output_layer(generator), &time);
    encoding->errors[image] = squared_error(encoding, made);
    if (encoding->reconstruction != NULL)
        for (size_t i = 0; i < encoding->n_values; i++)
            encoding->reconstruction[image * encoding->n_values + i] = made[i];
}

static enum status encode_image(struct encoding *encoding, size_t image, struct error *error)
{
    const struct model *model = encoder_model(encoding->encoder);
    TRY(dataset_read(encoding->dataset, image, encoding->bytes, error));
    dataset_normalise(encoding->dataset, encoding->bytes, model_mean(model), model_std(model),
                      encoding->normalised);
    encoder_encode(encoding->encoder, encoding->normalised,
                   encoding->codes + image * (size_t)encoding->n_indices);
    encoding->labels[image] = dataset_label(encoding->dataset, image);
    reconstruct(encoding, image);
    TRY(model_check(encoding->generator.model, error));
    return model_check(model, error);
}

static enum status encode_all(struct encoding *encoding, struct error *error)
{
    enum status status = STATUS_OK;
    struct counter counter;
    counter_begin(&counter, "images", encoding->n_images);
    for (size_t i = 0; i < encoding->n_images && status == STATUS_OK; i++) {
        status = encode_image(encoding, i, error);
        counter_show(&counter, i + 1);
    }
    counter_end(&counter);
    return status;
}

static enum status write_arrays(const struct encoding *encoding, struct hdf5_arrays *file,
                                struct error *error)
{
    const struct map_shape shape = model_input_shape(encoder_model(encoding->encoder));
    const int64_t extents[] = {(int64_t)encoding->n_images, shape.channels, shape.height, shape.width};
    const int64_t codes[] = {(int64_t)encoding->n_images, encoding->n_indices};
    TRY(hdf5_arrays_add(file, "code", RECORD_INT32, 2, codes, encoding->codes, "1",
                        "indices into the generator's codebook: [image][index]", error));
    TRY(hdf5_arrays_add(file, "label", RECORD_INT32, 1, extents, encoding->labels, "1",
                        "class of each image, -1 where it has none: [image]", error));
    TRY(hdf5_arrays_add(file, "error", RECORD_FLOAT32, 1, extents, encoding->errors, "1",
                        "mean squared difference of the image and what the generator makes of its code, RGB "
                        "from 0 to 1: [image]",
                        error));
    if (encoding->reconstruction == NULL)
        return STATUS_OK;
    return hdf5_arrays_add(file, "output", RECORD_FLOAT32, 4, extents, encoding->reconstruction, "1",
                           "the generator's images: [image][channel][height][width]; the model file's mean "
                           "and std lead to RGB",
                           error);
}

static enum status write_attributes(const struct encoding *encoding, struct hdf5_arrays *file,
                                    struct error *error)
{
    const struct model *generator = encoding->generator.model, *encoder = encoder_model(encoding->encoder);
    char images[SHA256_TEXT_CAPACITY];
    TRY(dataset_sha256(encoding->dataset, images, error));
    const struct {
        const char *name, *text;
    } attributes[] = {{"source", "meicensus encode"},
                      {"program_version", build_version},
                      {"code_revision", build_code_revision},
                      {"identity", encoding->generator.backend.identity},
                      {"generator", model_name(generator)},
                      {"generator_sha256", model_sha256(generator)},
                      {"encoder_sha256", model_sha256(encoder)},
                      {"tensors_sha256", model_tensors_sha256(encoder)},
                      {"images_sha256", images}};
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        TRY(hdf5_arrays_set_text(file, "/", attributes[i].name, attributes[i].text, error));
    return STATUS_OK;
}

static enum status write_file(const struct encoding *encoding, const char *path, struct error *error)
{
    struct hdf5_arrays *file = NULL;
    enum status status;
    TRY_CLEANUP(hdf5_arrays_create(path, &file, error));
    TRY_CLEANUP(write_arrays(encoding, file, error));
    TRY_CLEANUP(write_attributes(encoding, file, error));
    status = hdf5_arrays_publish(file, error);
    file = NULL;
cleanup:
    hdf5_arrays_discard(file);
    return status;
}

static void print_summary(const struct encoding *encoding)
{
    double sum = 0;
    for (size_t i = 0; i < encoding->n_images; i++)
        sum += (double)encoding->errors[i];
    printf("encoded %zu images by %s: mean squared error %.5f of RGB from 0 to 1\n", encoding->n_images,
           model_name(encoding->generator.model), sum / (double)encoding->n_images);
}

static void close_all(struct encoding *encoding)
{
    dataset_close(encoding->dataset);
    encoder_close(encoding->encoder);
    network_close(&encoding->generator);
    free(encoding->bytes);
    free(encoding->normalised);
    free(encoding->latent);
    free(encoding->codes);
    free(encoding->labels);
    free(encoding->errors);
    free(encoding->reconstruction);
}

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct encoding encoding = {0};
    enum status status;
    TRY_CLEANUP(open_all(arguments, &encoding, error));
    TRY_CLEANUP(allocate(&encoding, arguments_given(arguments, "images"), error));
    TRY_CLEANUP(encode_all(&encoding, error));
    TRY_CLEANUP(write_file(&encoding, arguments_text(arguments, "output"), error));
    print_summary(&encoding);
cleanup:
    close_all(&encoding);
    return status;
}

const struct command command_encode = {
    .name = "encode",
    .summary = "find the codes from which a generator makes given images again",
    .details = "\n"
               "Output: 'code' [N][d], 'label' [N] (-1: none), 'error' [N] (mean squared, RGB from 0 to 1);\n"
               "with --images also 'output' [N][channel][height][width].",
    .options = options,
    .run = run,
};
