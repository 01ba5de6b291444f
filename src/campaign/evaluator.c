/* SPDX-License-Identifier: MIT */
#include "evaluator.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "trials.h"

/** Queries on their way to a device and back; what it reads and writes meanwhile is shared with it. */
struct flight {
    int capacity, n;
    float *latents;  /**< of one call [d][images] after the other; shared */
    size_t *first;   /**< [capacity], see model_start_sums; shared */
    double *sums;    /**< [capacity]; shared */
    double *n_added; /**< [capacity] */
};

struct evaluator {
    const struct model *generator, *subject;
    struct model_run *generator_run, *subject_run;
    struct external *program; /**< a subject that is one; it has no subject_run */
    float *shown;             /**< [capacity][channel][height][width]: what a program is shown at once */
    int capacity;
    size_t n_dimensions, n_values; /**< of a code, of an image */
    int batch;                     /**< images at a time */
    int n_images;                  /**< that are there */
    int32_t *codes;                /**< [batch][d] */
    float *latents;                /**< [d][batch] */
    float *images;                 /**< [batch][channel][height][width] */
    float *noisy;                  /**< [channel][T][height][width] */
    bool same_space;
    struct model_place *places;  /**< [batch], on a device */
    const int32_t **shown_codes; /**< [batch], likewise */
    struct model_run *many_run;  /**< the subject's for `batch` images on a device; else NULL */
    struct flight flights[EVALUATOR_FLIGHTS];
    float *lined_up; /**< [channel][batch][height][width], on a device */
    size_t n_sums;   /**< room in `first` and `sums`, which are shared with a device */
    size_t *first;
    double *sums;
};

static bool same_space(const struct model *generator, const struct model *subject)
{
    for (int c = 0; c < model_input_shape(subject).channels; c++)
        if (model_mean(generator)[c] != model_mean(subject)[c] ||
            model_std(generator)[c] != model_std(subject)[c])
            return false;
    return true;
}

/** Room for a whole batch on a device. */
static enum status create_many(struct evaluator *evaluator, struct error *error)
{
    TRY(MEMORY_ALLOCATE(evaluator->places, (size_t)evaluator->batch, error));
    TRY(MEMORY_ALLOCATE(evaluator->shown_codes, (size_t)evaluator->batch, error));
    TRY(MEMORY_ALLOCATE(evaluator->lined_up, (size_t)evaluator->batch * evaluator->n_values, error));
    TRY(model_run_create_batch(evaluator->subject, evaluator->batch, &evaluator->many_run, error));
    return model_run_follow(evaluator->many_run, evaluator->generator_run, error);
}

enum status evaluator_create(const struct plan *plan, int subject, int generator, struct evaluator **result,
                             struct error *error)
{
    return evaluator_create_batch(plan, subject, generator, model_image_batch(plan->generators[generator]),
                                  result, error);
}

enum status evaluator_create_batch(const struct plan *plan, int subject, int generator, int images,
                                   struct evaluator **result, struct error *error)
{
    struct evaluator *evaluator = NULL;
    enum status status = STATUS_OK;
    TRY(MEMORY_ALLOCATE(evaluator, 1, error));
    evaluator->generator = plan->generators[generator];
    evaluator->subject = plan->subjects[subject].model;
    evaluator->program = plan->subjects[subject].program;
    evaluator->same_space = same_space(evaluator->generator, evaluator->subject);
    const struct map_shape shape = model_input_shape(evaluator->subject);
    evaluator->n_values = (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
    evaluator->n_dimensions = (size_t)model_latent(evaluator->generator)->n_dimensions;
    evaluator->batch = images;
    const size_t batch = (size_t)evaluator->batch;
    TRY_CLEANUP(
        model_run_create_batch(evaluator->generator, evaluator->batch, &evaluator->generator_run, error));
    if (evaluator->program == NULL)
        TRY_CLEANUP(model_run_create(evaluator->subject, &evaluator->subject_run, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(evaluator->codes, batch * evaluator->n_dimensions, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(evaluator->latents, batch * evaluator->n_dimensions, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(evaluator->images, batch * evaluator->n_values, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(evaluator->noisy,
                                evaluator->n_values * (size_t)model_timesteps(evaluator->subject), error));
    if (evaluator->program == NULL && model_is_on_device(evaluator->subject))
        TRY_CLEANUP(create_many(evaluator, error));
    *result = evaluator;
    evaluator = NULL;
cleanup:
    evaluator_free(evaluator);
    return status;
}

static void free_flight(const struct evaluator *evaluator, struct flight *flight)
{
    const struct kernel_memory *memory = model_memory(evaluator->generator);
    if (flight->latents != NULL)
        memory->release_shared(flight->latents);
    if (flight->first != NULL)
        memory->release_shared(flight->first);
    if (flight->sums != NULL)
        memory->release_shared(flight->sums);
    free(flight->n_added);
    *flight = (struct flight){0};
}

static void free_sums(struct evaluator *evaluator)
{
    const struct kernel_memory *memory = model_memory(evaluator->generator);
    if (evaluator->first != NULL)
        memory->release_shared(evaluator->first);
    if (evaluator->sums != NULL)
        memory->release_shared(evaluator->sums);
    evaluator->first = NULL;
    evaluator->sums = NULL;
    evaluator->n_sums = 0;
}

void evaluator_free(struct evaluator *evaluator)
{
    if (evaluator == NULL)
        return;
    if (evaluator_is_on_device(evaluator))
        model_memory(evaluator->generator)->finish();
    for (int i = 0; i < EVALUATOR_FLIGHTS; i++)
        free_flight(evaluator, &evaluator->flights[i]);
    free_sums(evaluator);
    free(evaluator->lined_up);
    model_run_free(evaluator->generator_run);
    model_run_free(evaluator->subject_run);
    model_run_free(evaluator->many_run);
    free(evaluator->places);
    free((void *)evaluator->shown_codes);
    free(evaluator->codes);
    free(evaluator->latents);
    free(evaluator->images);
    free(evaluator->noisy);
    free(evaluator->shown);
    free(evaluator);
}

/* ---- images ---- */

/** latents [d][n_codes]. */
static void make_latents(const struct evaluator *evaluator, int n_codes, const int32_t *const *codes,
                         float *latents)
{
    const struct latent_space *latent = model_latent(evaluator->generator);
    const double step = (latent->high - latent->low) / (latent->n_points - 1);
    float *value = latents;
    for (size_t d = 0; d < evaluator->n_dimensions; d++)
        for (int i = 0; i < n_codes; i++)
            *value++ =
                latent->kind == LATENT_GRID ? (float)(latent->low + codes[i][d] * step) : (float)codes[i][d];
}

/** One channel of one image in the subject's space. */
static void renormalise(const struct evaluator *evaluator, int channel, size_t n_pixels, const float *made,
                        float *image)
{
    const float made_mean = (float)model_mean(evaluator->generator)[channel];
    const float made_std = (float)model_std(evaluator->generator)[channel];
    const float mean = (float)model_mean(evaluator->subject)[channel];
    const float std = (float)model_std(evaluator->subject)[channel];
    if (evaluator->same_space)
        memcpy(image, made, sizeof *image * n_pixels);
    else
        for (size_t p = 0; p < n_pixels; p++)
            image[p] = (made[p] * made_std + made_mean - mean) / std;
}

/** The generator's output [channel][image][pixel] as images. */
static void take_images(struct evaluator *evaluator, const float *made)
{
    const struct map_shape shape = model_input_shape(evaluator->subject);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    for (int c = 0; c < shape.channels; c++)
        for (int i = 0; i < evaluator->n_images; i++, made += pixels)
            renormalise(evaluator, c, pixels, made,
                        evaluator->images + (size_t)i * evaluator->n_values + (size_t)c * pixels);
}

int evaluator_batch(const struct evaluator *evaluator)
{
    return evaluator->batch;
}

void evaluator_make_images(struct evaluator *evaluator, int n_codes, const int32_t *const *codes)
{
    const struct presentation presentation = {.n_images = n_codes};
    const int output = model_output_layer(evaluator->generator);
    int time;
    for (size_t i = 0; i < (size_t)n_codes; i++)
        memcpy(evaluator->codes + i * evaluator->n_dimensions, codes[i],
               sizeof **codes * evaluator->n_dimensions);
    evaluator->n_images = n_codes;
    make_latents(evaluator, n_codes, codes, evaluator->latents);
    model_forward(evaluator->generator_run, evaluator->latents, output, &presentation);
    take_images(evaluator, model_output(evaluator->generator_run, output, &time));
}

static const float *find_image(const struct evaluator *evaluator, const int32_t *code)
{
    const size_t n = evaluator->n_dimensions;
    for (size_t i = 0; i < (size_t)evaluator->n_images; i++)
        if (memcmp(evaluator->codes + i * n, code, sizeof *code * n) == 0)
            return evaluator->images + i * evaluator->n_values;
    return NULL;
}

bool evaluator_has_image(const struct evaluator *evaluator, const int32_t *code)
{
    return find_image(evaluator, code) != NULL;
}

const float *evaluator_image(struct evaluator *evaluator, const int32_t *code)
{
    if (!evaluator_has_image(evaluator, code))
        evaluator_make_images(evaluator, 1, &code);
    return find_image(evaluator, code);
}

void evaluator_share_images(struct evaluator *evaluator, const struct evaluator *maker)
{
    const int output = model_output_layer(maker->generator);
    int time;
    evaluator->n_images = maker->n_images;
    memcpy(evaluator->codes, maker->codes,
           sizeof *maker->codes * (size_t)maker->n_images * maker->n_dimensions);
    take_images(evaluator, model_output(maker->generator_run, output, &time));
}

/* ---- activations ---- */

static int deepest_layer(int64_t n_units, const struct unit *const *units)
{
    int deepest = 0;
    for (int64_t i = 0; i < n_units; i++)
        deepest = units[i]->layer > deepest ? units[i]->layer : deepest;
    return deepest;
}

static void show_one_by_one(struct evaluator *evaluator, int64_t n_units, const struct unit *const *units,
                            float *activations)
{
    const int deepest = deepest_layer(n_units, units);
    for (int image = 0; image < evaluator->n_images; image++) {
        model_forward(evaluator->subject_run, evaluator->images + (size_t)image * evaluator->n_values,
                      deepest, NULL);
        for (int64_t i = 0; i < n_units; i++)
            *activations++ = unit_activation(evaluator->subject_run, units[i]);
    }
}

/** As a forward of many takes them: [channel][image][pixel]. */
static void line_up(struct evaluator *evaluator)
{
    const struct map_shape shape = model_input_shape(evaluator->subject);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width, n = (size_t)evaluator->n_images;
    for (size_t c = 0; c < (size_t)shape.channels; c++)
        for (size_t i = 0; i < n; i++)
            memcpy(evaluator->lined_up + (c * n + i) * pixels,
                   evaluator->images + i * evaluator->n_values + c * pixels, pixels * sizeof(float));
}

static enum status make_room_for_sums(struct evaluator *evaluator, size_t n, struct error *error)
{
    const struct kernel_memory *memory = model_memory(evaluator->subject);
    if (n <= evaluator->n_sums)
        return STATUS_OK;
    free_sums(evaluator);
    TRY(memory->allocate_shared(n * sizeof *evaluator->first, (void **)&evaluator->first, error));
    TRY(memory->allocate_shared(n * sizeof *evaluator->sums, (void **)&evaluator->sums, error));
    evaluator->n_sums = n;
    return STATUS_OK;
}

/** Units of one layer and kind, from `first` on: their number, at most as many as there is room for. */
static int count_neighbours(const struct evaluator *evaluator, int64_t first, int64_t n_units,
                            const struct unit *const *units)
{
    int n = 1;
    while (n < evaluator->batch && first + n < n_units && units[first + n]->layer == units[first]->layer &&
           units[first + n]->kind == units[first]->kind)
        n++;
    return n;
}

/** Activations of some units side by side for all images. */
static enum status read_activations(struct evaluator *evaluator, int64_t first, int n, int64_t n_units,
                                    const struct unit *const *units, float *activations, struct error *error)
{
    const struct kernel_memory *memory = model_memory(evaluator->subject);
    for (int i = 0; i < n; i++) {
        const struct unit *unit = units[first + i];
        evaluator->places[i] = (struct model_place){unit->channel, unit->y, unit->x};
    }
    const double n_added = model_start_place_sums(evaluator->many_run, units[first]->layer, n,
                                                  evaluator->places, evaluator->first, evaluator->sums);
    memory->finish();
    TRY(memory->check(error));
    for (int image = 0; image < evaluator->n_images; image++)
        for (int i = 0; i < n; i++)
            activations[image * n_units + first + i] = (float)(evaluator->sums[image * n + i] / n_added);
    return STATUS_OK;
}

static enum status show_together(struct evaluator *evaluator, int64_t n_units,
                                 const struct unit *const *units, float *activations, struct error *error)
{
    const struct presentation presentation = {.n_images = evaluator->n_images};
    const size_t batch = (size_t)evaluator->batch;
    TRY(make_room_for_sums(evaluator, batch * batch, error));
    line_up(evaluator);
    model_forward(evaluator->many_run, evaluator->lined_up, deepest_layer(n_units, units), &presentation);
    for (int64_t first = 0; first < n_units;) {
        const int n = count_neighbours(evaluator, first, n_units, units);
        TRY(read_activations(evaluator, first, n, n_units, units, activations, error));
        first += n;
    }
    return STATUS_OK;
}

enum status evaluator_show_all(struct evaluator *evaluator, int64_t n_units, const struct unit *const *units,
                               float *activations, struct error *error)
{
    if (evaluator->many_run != NULL)
        return show_together(evaluator, n_units, units, activations, error);
    show_one_by_one(evaluator, n_units, units, activations);
    return STATUS_OK;
}

enum status evaluator_check(const struct evaluator *evaluator, struct error *error)
{
    return model_check(evaluator->subject, error);
}

float evaluator_activation(struct evaluator *evaluator, const struct unit *unit, const float *image)
{
    model_forward_channel(evaluator->subject_run, image, unit->layer, unit->channel);
    return unit_activation(evaluator->subject_run, unit);
}

float evaluator_noisy_activation(struct evaluator *evaluator, const struct unit *unit,
                                 const struct job_trials *noise, uint64_t key, int64_t presentation,
                                 const float *image)
{
    return trial_activation(evaluator->subject_run, evaluator->subject, unit, noise, key, presentation, image,
                            evaluator->noisy);
}

/* ---- networks on a device ---- */

bool evaluator_is_on_device(const struct evaluator *evaluator)
{
    return evaluator->many_run != NULL;
}

/** How many of n queries, at most a batch, go together: units of one layer, all channels or all neurons. */
static int count_alike(const struct evaluator *evaluator, int n, const struct evaluator_query *queries)
{
    int i = 1;
    while (i < n && i < evaluator->batch && queries[i].unit->layer == queries[0].unit->layer &&
           queries[i].unit->kind == queries[0].unit->kind)
        i++;
    return i;
}

static enum status make_flight(const struct evaluator *evaluator, int n, struct flight *flight,
                               struct error *error)
{
    const struct kernel_memory *memory = model_memory(evaluator->generator);
    const size_t capacity = (size_t)n;
    TRY(memory->allocate_shared(capacity * evaluator->n_dimensions * sizeof *flight->latents,
                                (void **)&flight->latents, error));
    TRY(memory->allocate_shared(capacity * sizeof *flight->first, (void **)&flight->first, error));
    TRY(memory->allocate_shared(capacity * sizeof *flight->sums, (void **)&flight->sums, error));
    TRY(MEMORY_ALLOCATE(flight->n_added, capacity, error));
    flight->capacity = n;
    return STATUS_OK;
}

/** Start a call: up to a batch, from query `first` of the flight on. The images that the generator's last
 * call made are others then. */
static void start_call(struct evaluator *evaluator, struct flight *flight, int first, int n,
                       const struct evaluator_query *queries)
{
    const struct presentation presentation = {.n_images = n, .is_shared = true};
    const int layer = queries[0].unit->layer;
    float *latents = flight->latents + (size_t)first * evaluator->n_dimensions;
    evaluator->n_images = 0;
    for (int i = 0; i < n; i++) {
        evaluator->shown_codes[i] = queries[i].code;
        evaluator->places[i] =
            (struct model_place){queries[i].unit->channel, queries[i].unit->y, queries[i].unit->x};
    }
    make_latents(evaluator, n, evaluator->shown_codes, latents);
    model_forward(evaluator->generator_run, latents, model_output_layer(evaluator->generator), &presentation);
    model_forward_made(evaluator->many_run, layer);
    const double n_added = model_start_sums(evaluator->many_run, layer, evaluator->places,
                                            flight->first + first, flight->sums + first);
    for (int i = 0; i < n; i++)
        flight->n_added[first + i] = n_added;
}

enum status evaluator_start(struct evaluator *evaluator, int number, int n,
                            const struct evaluator_query *queries, struct error *error)
{
    const struct kernel_memory *memory = model_memory(evaluator->generator);
    struct flight *flight = &evaluator->flights[number];
    if (flight->n > 0)
        memory->wait(number);
    flight->n = 0;
    if (n > flight->capacity) {
        free_flight(evaluator, flight);
        TRY(make_flight(evaluator, n, flight, error));
    }
    for (int first = 0, some; first < n; first += some) {
        some = count_alike(evaluator, n - first, queries + first);
        start_call(evaluator, flight, first, some, queries + first);
    }
    memory->mark(number);
    flight->n = n;
    return STATUS_OK;
}

enum status evaluator_finish(struct evaluator *evaluator, int number, float *activations, struct error *error)
{
    const struct kernel_memory *memory = model_memory(evaluator->generator);
    struct flight *flight = &evaluator->flights[number];
    memory->wait(number);
    for (int i = 0; i < flight->n; i++)
        activations[i] = (float)(flight->sums[i] / flight->n_added[i]);
    flight->n = 0;
    return memory->check(error);
}

/* ---- subjects that are programs ---- */

bool evaluator_asks_program(const struct evaluator *evaluator)
{
    return evaluator->program != NULL;
}

static enum status make_room(struct evaluator *evaluator, int n_images, struct error *error)
{
    if (n_images <= evaluator->capacity)
        return STATUS_OK;
    free(evaluator->shown);
    evaluator->shown = NULL;
    evaluator->capacity = 0;
    TRY(MEMORY_ALLOCATE(evaluator->shown, (size_t)n_images * evaluator->n_values, error));
    evaluator->capacity = n_images;
    return STATUS_OK;
}

static enum status check_bounds(const struct evaluator *evaluator, const struct unit *unit, int n,
                                const float *activations, struct error *error)
{
    char name[CHILD_NAME_CAPACITY];
    if (!model_layer_is_spiking(evaluator->subject, unit->layer))
        return STATUS_OK;
    child_name(model_tensors_path(evaluator->subject), name);
    for (int i = 0; i < n; i++)
        if (!(activations[i] >= 0 && activations[i] <= 1))
            return error_set(error, STATUS_BAD_INPUT,
                             "%s answered with %g for a unit of layer '%s', which is said to spike: "
                             "expected 0 to 1",
                             name, (double)activations[i], model_layer_name(evaluator->subject, unit->layer));
    return STATUS_OK;
}

/** The images are in `shown`. */
static enum status ask(struct evaluator *evaluator, const struct unit *unit, int n_images,
                       const struct child_watch *watch, float *activations, struct error *error)
{
    const int32_t layer = unit->kind == UNIT_CLASS ? -1 : unit->layer;
    const struct external_show show = {{layer, (int32_t)unit->kind, unit->channel, unit->y, unit->x},
                                       n_images,
                                       evaluator->n_values,
                                       evaluator->shown};
    TRY(external_show_images(evaluator->program, &show, watch, activations, error));
    return check_bounds(evaluator, unit, n_images, activations, error);
}

enum status evaluator_ask_codes(struct evaluator *evaluator, const struct unit *unit, int n_codes,
                                const int32_t *const *codes, const struct child_watch *watch,
                                float *activations, struct error *error)
{
    TRY(make_room(evaluator, n_codes, error));
    for (int first = 0; first < n_codes; first += evaluator->n_images) {
        const int left = n_codes - first;
        evaluator_make_images(evaluator, left < evaluator->batch ? left : evaluator->batch, codes + first);
        memcpy(evaluator->shown + (size_t)first * evaluator->n_values, evaluator->images,
               sizeof *evaluator->shown * (size_t)evaluator->n_images * evaluator->n_values);
    }
    return ask(evaluator, unit, n_codes, watch, activations, error);
}

enum status evaluator_ask_image(struct evaluator *evaluator, const struct unit *unit, const float *image,
                                int n_times, const struct child_watch *watch, float *activations,
                                struct error *error)
{
    TRY(make_room(evaluator, n_times, error));
    for (size_t i = 0; i < (size_t)n_times; i++)
        memcpy(evaluator->shown + i * evaluator->n_values, image, sizeof *image * evaluator->n_values);
    return ask(evaluator, unit, n_times, watch, activations, error);
}

struct model_run *evaluator_generator(struct evaluator *evaluator)
{
    return evaluator->generator_run;
}

struct model_run *evaluator_subject(struct evaluator *evaluator)
{
    return evaluator->subject_run;
}
