/* SPDX-License-Identifier: MIT */
#include "bench_result.h"

#include <math.h>
#include <stdlib.h>

#include "memory.h"

/** The values of all processes: process p has values[p * stride ..]. */
struct gathered {
    const double *values;
    size_t stride;
    int n_cores;
};

static double sum(const struct gathered *all, size_t index)
{
    double total = 0;
    for (int p = 0; p < all->n_cores; p++)
        total += all->values[(size_t)p * all->stride + index];
    return total;
}

static double mean(const struct gathered *all, size_t index)
{
    return sum(all, index) / all->n_cores;
}

static double largest(const struct gathered *all, size_t index)
{
    double most = 0;
    for (int p = 0; p < all->n_cores; p++)
        most = fmax(most, all->values[(size_t)p * all->stride + index]);
    return most;
}

/** From the seconds of a query in each process, done side by side. */
static double ms_together(const struct gathered *all, size_t index)
{
    double queries_a_second = 0;
    for (int p = 0; p < all->n_cores; p++)
        queries_a_second += 1 / all->values[(size_t)p * all->stride + index];
    return 1e3 / queries_a_second;
}

double bench_speed(const struct bench_work *work)
{
    return work->ms > 0 ? 2 * work->multiply_adds / (1e-3 * work->ms) : 0;
}

/* ---- networks ---- */

/** Where the numbers of a network are among the values. */
struct place {
    const struct model *model;
    size_t total, seconds; /**< of a query; of the layers */
    size_t rates;          /**< 0: nothing spikes */
    int n_layers;          /**< up to the last that is run */
    double images_a_call;
};

static double layer_multiply_adds(const struct model *model, int layer)
{
    return model_layer_cost(model, layer) - (layer == 0 ? 0 : model_layer_cost(model, layer - 1));
}

static struct bench_work layer_work(const struct gathered *all, const struct place *place, int layer)
{
    const size_t index = (size_t)layer;
    const struct layer_traffic traffic = model_layer_traffic(place->model, layer);
    const bool spikes = place->rates > 0 && model_layer_is_spiking(place->model, layer);
    return (struct bench_work){
        .name = model_layer_name(place->model, layer),
        .ms = ms_together(all, place->total) * sum(all, place->seconds + index) / sum(all, place->total),
        .multiply_adds = layer_multiply_adds(place->model, layer),
        .bytes = traffic.inputs + traffic.output + traffic.weights / place->images_a_call,
        .firing_rate = spikes ? mean(all, place->rates + index) : NAN};
}

/** What is computed together with its reader, or is only passed on to it, is the reader's work; the map
 * between the two need not be moved. */
static void hand_on(const struct bench_work *work, double output_bytes, struct bench_work *reader)
{
    reader->ms += work->ms;
    reader->multiply_adds += work->multiply_adds;
    reader->bytes += work->bytes - 2 * output_bytes;
}

static void add_layers(const struct place *place, struct bench_network *network)
{
    for (int i = 0; i < place->n_layers; i++) {
        const struct bench_work work = network->layers[i];
        const int reader = model_layer_reader(place->model, i);
        const double output_bytes = model_layer_traffic(place->model, i).output;
        if (work.ms > 0 && output_bytes > 0) {
            network->total.multiply_adds += work.multiply_adds;
            network->total.bytes += work.bytes;
            network->layers[network->n_layers++] = work;
        } else if (reader >= 0 && reader < place->n_layers) {
            hand_on(&work, output_bytes, &network->layers[reader]);
        }
    }
}

static enum status make_network(const struct gathered *all, const struct place *place,
                                struct bench_network *network, struct error *error)
{
    TRY(MEMORY_ALLOCATE(network->layers, (size_t)place->n_layers, error));
    for (int i = 0; i < place->n_layers; i++)
        network->layers[i] = layer_work(all, place, i);
    network->total =
        (struct bench_work){.name = "all", .ms = ms_together(all, place->total), .firing_rate = NAN};
    add_layers(place, network);
    return STATUS_OK;
}

/* ---- the result ---- */

static void make_machine(const struct gathered *all, double *machine)
{
    machine[MACHINE_PEAK_ALONE] = sum(all, MACHINE_PEAK_ALONE);
    machine[MACHINE_PEAK] = sum(all, MACHINE_PEAK);
    machine[MACHINE_BANDWIDTH_ALONE] = sum(all, MACHINE_BANDWIDTH_ALONE);
    machine[MACHINE_BANDWIDTH] = sum(all, MACHINE_BANDWIDTH);
}

static enum status make_generator(const struct gathered *all, struct bench_result *result,
                                  struct error *error)
{
    const struct model *model = result->bench->generator;
    const struct place place = {.model = model,
                                .total = JOB_GENERATOR,
                                .seconds = N_JOB_VALUES,
                                .n_layers = model_n_layers(model),
                                .images_a_call = result->image_batch};
    return make_network(all, &place, &result->generator, error);
}

static enum status make_target(const struct gathered *all, int index, struct bench_result *result,
                               struct error *error)
{
    const struct bench_plan *bench = result->bench;
    const size_t first =
        N_JOB_VALUES + (size_t)model_n_layers(bench->generator) + (size_t)index * bench_target_values(bench);
    const size_t layers = first + N_TARGET_VALUES;
    struct bench_target_result *target = &result->targets[index];
    target->target = &bench->targets[index];
    const struct place place = {.model = bench->subject,
                                .total = first + TARGET_SUBJECT,
                                .seconds = layers,
                                .rates = layers + (size_t)model_n_layers(bench->subject),
                                .n_layers = target->target->layer + 1,
                                .images_a_call = 1};
    TRY(make_network(all, &place, &target->subject, error));
    target->whole_ms = ms_together(all, first + TARGET_WHOLE);
    target->other_ms =
        target->whole_ms - result->generator.total.ms - result->search_ms - target->subject.total.ms;
    target->queries = mean(all, first + TARGET_QUERIES);
    target->activation = mean(all, first + TARGET_ACTIVATION);
    return STATUS_OK;
}

static void make_census(struct bench_result *result)
{
    for (int i = 0; i < result->bench->n_targets; i++) {
        const struct bench_target_result *target = &result->targets[i];
        const double n_units = (double)target->target->n_units;
        result->n_units += target->target->n_units;
        result->census_whole_ms += n_units * target->whole_ms;
        result->census_subject_ms += n_units * target->subject.total.ms;
        result->census_other_ms += n_units * target->other_ms;
    }
    result->census_whole_ms /= (double)result->n_units;
    result->census_subject_ms /= (double)result->n_units;
    result->census_other_ms /= (double)result->n_units;
}

static enum status make_job(const struct gathered *all, struct bench_result *result, struct error *error)
{
    result->image_batch = (int)all->values[JOB_IMAGE_BATCH];
    result->search_ms = ms_together(all, JOB_SEARCH);
    result->resident_bytes = largest(all, JOB_RESIDENT_BYTES);
    result->tensor_bytes = largest(all, JOB_TENSOR_BYTES);
    TRY(make_generator(all, result, error));
    TRY(MEMORY_ALLOCATE(result->targets, (size_t)result->bench->n_targets, error));
    for (int i = 0; i < result->bench->n_targets; i++)
        TRY(make_target(all, i, result, error));
    make_census(result);
    return STATUS_OK;
}

enum status bench_result_make(const struct bench_plan *bench, const struct bench_task *task, int n_cores,
                              const double *machine, const double *job, struct bench_result *result,
                              struct error *error)
{
    const struct gathered machine_values = {machine, N_MACHINE_VALUES, n_cores};
    const struct gathered job_values = {job, bench_job_values(bench), n_cores};
    *result = (struct bench_result){.bench = bench, .task = task, .n_cores = n_cores};
    make_machine(&machine_values, result->machine);
    return make_job(&job_values, result, error);
}

void bench_result_free(struct bench_result *result)
{
    free(result->generator.layers);
    for (int i = 0; result->targets != NULL && i < result->bench->n_targets; i++)
        free(result->targets[i].subject.layers);
    free(result->targets);
}
