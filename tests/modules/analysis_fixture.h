/* SPDX-License-Identifier: MIT */
/**
 * Small results files for the tests of the analysis: invented numbers, whose size and gaps a shape says.
 * The activation grows with the layer, methods differ by a constant, units by chance.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpi.h>

#include "hash.h"
#include "natural_file.h"
#include "results_file.h"

enum { FIXTURE_BUDGET = 200, FIXTURE_SIDE = 8, FIXTURE_CLASSES = 10, FIXTURE_MAX_GROUPS = 14 };

enum fixture_oddity {
    PLAIN,
    SILENT,   /* nothing drives any unit */
    GAPS,     /* every seventh run is missing, every eleventh failed */
    KINDS,    /* the first layer's units are neurons, the last one's are classes */
    MINIMISE, /* activations are minimised */
    CHAINED,  /* replicates had to be unlike those before */
    SHARED,   /* the first method's units share their images */
    UNLIKE    /* generators searched units of their own, and layer 1 failed: fixture_searches */
};

/* What the file says of the dataset images that excite the units most. */
enum fixture_natural { NO_NATURAL, NATURAL_NUMBERS, NATURAL_PIXELS };

struct fixture_shape {
    const char *name;
    int n_layers, units_per_layer, n_generators, n_methods, n_replicates, n_trials;
    enum fixture_oddity oddity;
    enum fixture_natural natural;
};

static const struct fixture_shape fixture_shapes[] = {
    {"usual", 5, 24, 2, 3, 2, 10, KINDS, NATURAL_PIXELS},
    {"large", 17, 40, 2, 4, 1, 5, PLAIN, NO_NATURAL},
    {"many", 17, 12, 2, 7, 1, 5, KINDS, NO_NATURAL},
    {"gaps", 3, 12, 2, 2, 2, 5, GAPS, NATURAL_PIXELS},
    {"few", 4, 2, 1, 2, 1, 5, PLAIN, NATURAL_NUMBERS},
    {"one", 1, 1, 1, 1, 1, 1, PLAIN, NO_NATURAL},
    {"single", 2, 8, 1, 1, 1, 5, PLAIN, NO_NATURAL},
    {"silent", 2, 8, 1, 2, 2, 5, SILENT, NATURAL_NUMBERS},
    {"bare", 2, 8, 1, 2, 1, 0, PLAIN, NO_NATURAL},
    {"minimise", 2, 12, 1, 2, 2, 5, MINIMISE, NATURAL_PIXELS},
    {"chained", 1, 2, 1, 1, 2, 5, CHAINED, NO_NATURAL},
    {"unlike", 5, 5, 2, 2, 2, 5, UNLIKE, NO_NATURAL},
    {"modes", 2, 8, 1, 2, 1, 5, SHARED, NO_NATURAL},
};

struct fixture {
    const struct fixture_shape *shape;
    size_t n_units;
    struct results_unit *units;
    int32_t *unit_rows[FIXTURE_MAX_GROUPS]; /* of each group the units that it searched */
    struct results_group groups[FIXTURE_MAX_GROUPS];
    struct record_layout layout;
    unsigned char **records; /* [group][unit][replicate]; NULL: missing */
};

static float fixture_uniform(uint64_t run, uint64_t i)
{
    const uint64_t words[2] = {run, i};
    return (float)(hash_bytes(words, sizeof words) >> 40) / (float)(1 << 24);
}

static void fixture_set(const struct fixture *fixture, void *record, enum record_field_id field,
                        const void *value)
{
    memcpy(record_at(&fixture->layout, record, field), value, record_type_bytes(record_fields[field].type));
}

/* Activations are counts of 80 spikes, so that they tie as those of a census do. */
static float fixture_activation(const struct fixture *fixture, int method, size_t unit, uint64_t run)
{
    double depth = (double)fixture->units[unit].layer_index / fixture->shape->n_layers;
    double value = 0.2 + 0.4 * depth + 0.3 * (double)fixture_uniform(unit, 7) - 0.05 * method +
                   0.08 * (double)fixture_uniform(run, 8);
    return fixture->shape->oddity == SILENT ? 0 : (float)(floor(80 * fmin(1, value)) / 80);
}

static void fixture_fill_search(const struct fixture *fixture, void *record, uint64_t run, float best)
{
    const int64_t n = FIXTURE_BUDGET, n_points = fixture->layout.sizes.history;
    float *history = record_at(&fixture->layout, record, FIELD_HISTORY);
    int32_t *latent = record_at(&fixture->layout, record, FIELD_LATENT);
    uint8_t *rgb = record_at(&fixture->layout, record, FIELD_MEI_RGB8);
    for (int64_t i = 0; i < n_points; i++)
        history[i] = best * (float)(1 - exp(-4.0 * (double)(i + 1) / (double)n_points)) / (1 - expf(-4));
    for (size_t i = 0; i < fixture->layout.n_elements[FIELD_LATENT]; i++)
        latent[i] = (int32_t)(32 * fixture_uniform(run, 100 + i));
    for (size_t i = 0; i < fixture->layout.n_elements[FIELD_MEI_RGB8]; i++)
        rgb[i] = (uint8_t)(255 * fixture_uniform(run, 300 + i));
    fixture_set(fixture, record, FIELD_ACTIVATION, &best);
    fixture_set(fixture, record, FIELD_ACTIVATION_SEARCHED, &best);
    fixture_set(fixture, record, FIELD_QUERIES, &n);
    fixture_set(fixture, record, FIELD_EVALUATIONS, &n);
    fixture_set(fixture, record, FIELD_BEST_QUERY, &n);
}

static void fixture_fill_trials(const struct fixture *fixture, void *record, uint64_t run, double sharpness)
{
    float *entropy = record_at(&fixture->layout, record, FIELD_TRIAL_ENTROPY);
    float *probability = record_at(&fixture->layout, record, FIELD_TRIAL_PROBABILITY);
    for (int64_t trial = 0; trial < fixture->layout.sizes.trials; trial++, probability += FIXTURE_CLASSES) {
        double sum = 0, bits = 0;
        for (int i = 0; i < FIXTURE_CLASSES; i++)
            sum += (double)(probability[i] = expf((float)sharpness *
                                                  fixture_uniform(run, 500 + (uint64_t)(trial * 10 + i))));
        for (int i = 0; i < FIXTURE_CLASSES; i++) {
            probability[i] = (float)((double)probability[i] / sum);
            bits -= (double)probability[i] * log2((double)probability[i]);
        }
        entropy[trial] = (float)(bits / log2(FIXTURE_CLASSES));
    }
    if (fixture->layout.sizes.trials > 0)
        memcpy(record_at(&fixture->layout, record, FIELD_CLASS_PROBABILITY), probability - FIXTURE_CLASSES,
               FIXTURE_CLASSES * sizeof *probability);
}

static void fixture_fill_record(struct fixture *fixture, int group, size_t unit, uint64_t run, void *record)
{
    const struct fixture_shape *shape = fixture->shape;
    float activation = fixture_activation(fixture, group % shape->n_methods, unit, run);
    const uint8_t status = RUN_DONE, reason = activation < 1 ? STOP_BUDGET : STOP_BOUND,
                  saturated = activation >= 1, silent = shape->oddity == SILENT;
    fixture_set(fixture, record, FIELD_STATUS, &status);
    fixture_set(fixture, record, FIELD_STOP_REASON, &reason);
    fixture_set(fixture, record, FIELD_SILENT, &silent);
    fixture_set(fixture, record, FIELD_SATURATED, &saturated);
    fixture_fill_search(fixture, record, run, activation);
    fixture_fill_trials(fixture, record, run,
                        1.0 + 12.0 * fixture->units[unit].layer_index / (double)shape->n_layers);
}

/* Whether a group was to search that unit of a layer. Of the shape "unlike", the first generator was in every
 * second layer: units 0 to 2, in the last one only unit 0; the second one in units 1 to 4 of every layer. */
static bool fixture_searches(const struct fixture_shape *shape, int generator, int layer, int number)
{
    if (shape->oddity != UNLIKE)
        return true;
    if (generator > 0)
        return number > 0;
    return layer % 2 == 0 && number < (layer == shape->n_layers - 1 ? 1 : 3);
}

static bool fixture_fails(const struct fixture *fixture, size_t run)
{
    const struct fixture_shape *shape = fixture->shape;
    size_t unit = run / (size_t)shape->n_replicates % fixture->n_units;
    bool is_layer_1 = unit / (size_t)shape->units_per_layer == 1;
    return (shape->oddity == GAPS && run % 11 == 5) || (shape->oddity == UNLIKE && is_layer_1);
}

static void fixture_make_records(struct fixture *fixture)
{
    static const char message[] = "the subject gave NaN";
    size_t n_groups = (size_t)(fixture->shape->n_generators * fixture->shape->n_methods);
    size_t n_replicates = (size_t)fixture->shape->n_replicates;
    size_t n_runs = n_groups * fixture->n_units * n_replicates;
    fixture->records = calloc(n_runs, sizeof *fixture->records);
    for (size_t run = 0; run < n_runs; run++) {
        if (fixture->shape->oddity == GAPS && run % 7 == 3)
            continue;
        fixture->records[run] = calloc(1, fixture->layout.n_bytes);
        if (fixture_fails(fixture, run)) {
            const uint8_t failed = RUN_FAILED;
            record_set_missing(&fixture->layout, fixture->records[run]);
            fixture_set(fixture, fixture->records[run], FIELD_STATUS, &failed);
            memcpy(record_at(&fixture->layout, fixture->records[run], FIELD_MESSAGE), message,
                   sizeof message);
        } else
            fixture_fill_record(fixture, (int)(run / n_replicates / fixture->n_units),
                                run / n_replicates % fixture->n_units, run, fixture->records[run]);
    }
}

static char fixture_layer_names[17][16];
static const char *fixture_layers[17];

static void fixture_make_units(struct fixture *fixture)
{
    const struct fixture_shape *shape = fixture->shape;
    fixture->n_units = (size_t)(shape->n_layers * shape->units_per_layer);
    fixture->units = calloc(fixture->n_units, sizeof *fixture->units);
    for (int i = 0; i < shape->n_layers; i++) {
        snprintf(fixture_layer_names[i], sizeof fixture_layer_names[i], i == 0 ? "sn1" : "layer%d.%d.sn%d",
                 1 + (i - 1) / 4, (i - 1) / 2 % 2, 1 + (i - 1) % 2);
        fixture_layers[i] = fixture_layer_names[i];
    }
    for (size_t i = 0; i < fixture->n_units; i++) {
        int layer = (int)i / shape->units_per_layer, number = (int)i % shape->units_per_layer;
        bool neuron = shape->oddity == KINDS && layer == 0,
             class = shape->oddity == KINDS && layer == shape->n_layers - 1;
        fixture->units[i] = (struct results_unit){fixture_layers[layer],
                                                  class ? -1 : layer,
                                                  neuron  ? UNIT_NEURON
                                                  : class ? UNIT_CLASS
                                                          : UNIT_CHANNEL,
                                                  number,
                                                  neuron ? number / 4 : -1,
                                                  neuron ? number % 4 : -1};
    }
}

static void fixture_choose_units(struct fixture *fixture, int group)
{
    const struct fixture_shape *shape = fixture->shape;
    size_t n = 0;
    fixture->unit_rows[group] = calloc(fixture->n_units, sizeof **fixture->unit_rows);
    for (int i = 0; i < (int)fixture->n_units; i++)
        if (fixture_searches(shape, group / shape->n_methods, i / shape->units_per_layer,
                             i % shape->units_per_layer))
            fixture->unit_rows[group][n++] = i;
    fixture->groups[group].unit_rows = fixture->unit_rows[group];
    fixture->groups[group].n_units = n;
}

static struct results_group fixture_group(const struct fixture *fixture, int index)
{
    static const char *const generators[] = {"sn_gan_light", "vq_vae"};
    static const char *const methods[] = {"tt_b", "random", "one_plus_one", "tt", "cma_es", "pso", "de"};
    static const char *const classes[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                          "dog",      "frog",       "horse", "ship", "truck"};
    static const double mean[] = {0.4914, 0.4822, 0.4465}, deviation[] = {0.2023, 0.1994, 0.2010};
    const struct fixture_shape *shape = fixture->shape;
    int64_t queries[RECORD_HISTORY_MAX];
    int generator = index / shape->n_methods;
    return (struct results_group){
        .subject = "spiking_resnet18",
        .generator = generators[generator],
        .method = methods[index % shape->n_methods],
        .settings = "{}\n",
        .mode = shape->oddity == SHARED && index % shape->n_methods == 0 ? "shared" : "independent",
        .sizes = {.dimensions = 16,
                  .channels = 3,
                  .height = FIXTURE_SIDE,
                  .width = FIXTURE_SIDE,
                  .history = record_history_queries(FIXTURE_BUDGET, queries),
                  .budget = FIXTURE_BUDGET,
                  .trace = FIXTURE_BUDGET,
                  .trials = shape->n_trials,
                  .classes = shape->n_trials == 0 ? 0 : FIXTURE_CLASSES},
        .n_replicates = (size_t)shape->n_replicates,
        .distinct = shape->oddity == CHAINED ? 0.5 : 0,
        .class_names = classes,
        .minimise = shape->oddity == MINIMISE,
        .timesteps = 20,
        .noise = "carry_over",
        .mean = mean,
        .std = deviation,
        .how_to_read = "an index of 32 values",
        .latent_points = 32,
        .latent_kind = generator == 0 ? "grid" : "codebook"};
}

static enum status fixture_find_row(void *context, size_t group, size_t row_of_group, size_t replicate,
                                    struct results_row *row, struct error *error)
{
    const struct fixture *fixture = context;
    const size_t unit = (size_t)fixture->unit_rows[group][row_of_group];
    (void)error;
    row->record =
        fixture
            ->records[(group * fixture->n_units + unit) * (size_t)fixture->shape->n_replicates + replicate];
    row->incarnation = row->record != NULL ? 0 : -1;
    return STATUS_OK;
}

/* ---- Natural references ---- */

enum { FIXTURE_PLACES = 3, FIXTURE_DATASET = 1000 };

/* No image excites every fifth unit, and none any unit of a silent census. */
static float fixture_natural_activation(const struct fixture *fixture, size_t unit)
{
    return unit % 5 == 2 || fixture->shape->oddity == SILENT ? 0 : (float)(20 + unit % 40) / 80;
}

static int64_t fixture_natural_image(size_t unit, int64_t place)
{
    return (int64_t)(unit * 37 + (size_t)place * 211) % FIXTURE_DATASET;
}

static void fixture_name_natural(struct natural_origin *origin)
{
    char **const texts[] = {&origin->model,  &origin->model_sha256, &origin->tensors_sha256,
                            &origin->neuron, &origin->kernels,      &origin->dataset_sha256,
                            &origin->data};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = strdup("invented");
    origin->timesteps = 20;
    origin->n_images = FIXTURE_DATASET;
}

/* Of all units but the single neurons. */
static enum status fixture_make_natural(const struct fixture *fixture, struct natural_table *table,
                                        struct error *error)
{
    const int64_t size[N_NATURAL_EXTENTS] = {
        (int64_t)fixture->n_units, FIXTURE_PLACES, 9, FIXTURE_CLASSES, 0, FIXTURE_SIDE, FIXTURE_SIDE, 3};
    memcpy(table->size, size, sizeof size);
    TRY(natural_table_make(table, error));
    fixture_name_natural(&table->origin);
    table->size[NATURAL_UNITS] = 0;
    for (size_t i = 0; i < fixture->n_units; i++) {
        if (fixture->units[i].kind == UNIT_NEURON)
            continue;
        const int64_t row = table->size[NATURAL_UNITS]++;
        table->unit[row] = (int32_t)i;
        for (int64_t place = 0; place < FIXTURE_PLACES; place++) {
            table->top_image[row * FIXTURE_PLACES + place] = fixture_natural_image(i, place);
            table->top_label[row * FIXTURE_PLACES + place] = (int32_t)(i % 11) - 1;
            table->top_activation[row * FIXTURE_PLACES + place] =
                place == 0 ? fixture_natural_activation(fixture, i) : 0;
        }
    }
    if (fixture->shape->natural != NATURAL_PIXELS)
        return STATUS_OK;
    TRY(natural_table_list_images(table, FIXTURE_PLACES, NULL, error));
    for (int64_t i = 0; i < table->size[NATURAL_IMAGES] * FIXTURE_SIDE * FIXTURE_SIDE * 3; i++)
        table->rgb8[i] = (uint8_t)(table->image[i / (FIXTURE_SIDE * FIXTURE_SIDE * 3)] % 256);
    return STATUS_OK;
}

static void fixture_free(struct fixture *fixture)
{
    size_t n_groups = (size_t)(fixture->shape->n_generators * fixture->shape->n_methods);
    for (size_t i = 0; i < n_groups * fixture->n_units * (size_t)fixture->shape->n_replicates; i++)
        free(fixture->records[i]);
    free(fixture->records);
    free(fixture->units);
    for (size_t i = 0; i < n_groups; i++)
        free(fixture->unit_rows[i]);
}

static enum status fixture_write_file(struct fixture *fixture, const char *path, struct error *error)
{
    struct natural_table natural_table = {0};
    const struct results_natural natural = {"spiking_resnet18", &natural_table, "natural.h5", "00ff",
                                            "images"};
    struct journal_incarnation incarnation = {.host = "node1", .pid = 1};
    const struct results_incarnation incarnations[] = {{&incarnation, "0.1.node1.77.journal"}};
    const struct results_weight weights[] = {{"spiking_resnet18", "weights/a.safetensors", "00ff"}};
    const struct results_subject subject = {"spiking_resnet18", fixture->n_units,
                                            fixture->units,     (size_t)fixture->shape->n_layers,
                                            fixture_layers,     "00ff"};
    const struct results_description description = {
        .title = "a census for tests",
        .source = "meicensus 0",
        .n_subjects = 1,
        .subjects = &subject,
        .n_groups = (size_t)(fixture->shape->n_generators * fixture->shape->n_methods),
        .groups = fixture->groups,
        .find_row = fixture_find_row,
        .context = fixture,
        .job = "",
        .settings = "",
        .program_version = "0",
        .code_revision = "unknown",
        .compiler = "",
        .flags = "",
        .date = "2000-01-01",
        .n_incarnations = 1,
        .incarnations = incarnations,
        .n_weights = 1,
        .weights = weights,
        .n_naturals = fixture->shape->natural != NO_NATURAL,
        .naturals = &natural};
    enum status status = STATUS_OK;
    if (description.n_naturals > 0)
        status = fixture_make_natural(fixture, &natural_table, error);
    if (status == STATUS_OK)
        status = results_file_write(MPI_COMM_SELF, path, &description, NULL, error);
    natural_table_free(&natural_table);
    return status;
}

/* Writes the results file of that shape; needs MPI. */
static enum status fixture_write(const char *shape_name, const char *path, struct error *error)
{
    struct fixture fixture = {0};
    for (size_t i = 0; i < sizeof fixture_shapes / sizeof *fixture_shapes; i++)
        if (strcmp(fixture_shapes[i].name, shape_name) == 0)
            fixture.shape = &fixture_shapes[i];
    if (fixture.shape == NULL)
        return error_set(error, STATUS_USAGE, "%s: no such shape", shape_name);
    fixture_make_units(&fixture);
    for (int i = 0; i < fixture.shape->n_generators * fixture.shape->n_methods; i++) {
        fixture.groups[i] = fixture_group(&fixture, i);
        fixture_choose_units(&fixture, i);
    }
    TRY(record_layout_make(&fixture.groups[0].sizes, &fixture.layout, error));
    fixture_make_records(&fixture);
    enum status status = fixture_write_file(&fixture, path, error);
    fixture_free(&fixture);
    return status;
}

/* One more subject in a file, whose units and runs are those of the first; the list of weights lacks it. Its
 * first channel gets another number. */
static bool fixture_add_subject(const char *path, const char *name)
{
    static const char *const parents[] = {"census", "units"};
    char from[64], to[320];
    int32_t *channels = NULL;
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    bool made = file >= 0;
    for (int i = 0; i < 2 && made; i++) {
        snprintf(from, sizeof from, "%s/spiking_resnet18", parents[i]);
        snprintf(to, sizeof to, "%s/%s", parents[i], name);
        made = H5Ocopy(file, from, file, to, H5P_DEFAULT, H5P_DEFAULT) >= 0;
    }
    snprintf(to, sizeof to, "units/%s/channel", name);
    hid_t dataset = H5Dopen2(file, to, H5P_DEFAULT);
    hid_t space = H5Dget_space(dataset);
    channels = calloc((size_t)H5Sget_simple_extent_npoints(space), sizeof *channels);
    made = made && H5Dread(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, channels) >= 0;
    channels[0] = 999;
    made = made && H5Dwrite(dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, channels) >= 0;
    free(channels);
    H5Sclose(space);
    H5Dclose(dataset);
    return H5Fclose(file) >= 0 && made;
}
