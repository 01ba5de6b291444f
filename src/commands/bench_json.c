/* SPDX-License-Identifier: MIT */
#include "bench_result.h"

#include <math.h>

#include "machine.h"

static const double giga = 1e9, mebi = 1024 * 1024;

static void add_machine(const struct bench_result *result, cJSON *root)
{
    char processor[MACHINE_NAME_CAPACITY];
    const double *machine = result->machine;
    cJSON *object = cJSON_AddObjectToObject(root, "machine");
    machine_processor(processor);
    cJSON_AddStringToObject(object, "processor", processor);
    cJSON_AddNumberToObject(object, "processes", result->n_cores);
    cJSON_AddStringToObject(object, "kernels", result->bench->backend.identity);
    cJSON_AddStringToObject(object, "multiply_add", machine_multiply_add());
    cJSON_AddNumberToObject(object, "peak_one_core_gflop_per_s", machine[MACHINE_PEAK_ALONE] / giga);
    cJSON_AddNumberToObject(object, "peak_gflop_per_s", machine[MACHINE_PEAK] / giga);
    cJSON_AddNumberToObject(object, "bandwidth_one_core_gb_per_s", machine[MACHINE_BANDWIDTH_ALONE] / giga);
    cJSON_AddNumberToObject(object, "bandwidth_gb_per_s", machine[MACHINE_BANDWIDTH] / giga);
}

static void add_job(const struct bench_result *result, cJSON *root)
{
    const struct plan_group *group = result->bench->group;
    const struct job *job = result->task->job;
    cJSON *object = cJSON_AddObjectToObject(root, "job");
    cJSON_AddStringToObject(object, "file", job->path);
    cJSON_AddStringToObject(object, "subject", job->subjects[group->subject].name);
    cJSON_AddStringToObject(object, "generator", job->generators[group->generator].name);
    cJSON_AddStringToObject(object, "method", job->methods[group->method].name);
    cJSON_AddNumberToObject(object, "timesteps", model_timesteps(result->bench->subject));
    cJSON_AddNumberToObject(object, "runs_in_lockstep", (double)job->batch);
    cJSON_AddNumberToObject(object, "images_a_generator_call", result->image_batch);
    cJSON_AddNumberToObject(object, "measured_s", result->task->seconds);
}

static void add_work(const struct bench_result *result, const struct bench_work *work, cJSON *object)
{
    cJSON_AddNumberToObject(object, "ms_per_query", work->ms);
    cJSON_AddNumberToObject(object, "multiply_adds_per_query", work->multiply_adds);
    cJSON_AddNumberToObject(object, "least_bytes_per_query", work->bytes);
    cJSON_AddNumberToObject(object, "gflop_per_s", bench_speed(work) / giga);
    cJSON_AddNumberToObject(object, "share_of_peak", bench_speed(work) / result->machine[MACHINE_PEAK]);
    cJSON_AddNumberToObject(object, "flop_per_byte", 2 * work->multiply_adds / work->bytes);
    if (!isnan(work->firing_rate))
        cJSON_AddNumberToObject(object, "firing_rate_spikes_per_step", work->firing_rate);
}

static void add_network(const struct bench_result *result, const struct bench_network *network, cJSON *object)
{
    add_work(result, &network->total, object);
    cJSON *layers = cJSON_AddArrayToObject(object, "layers");
    for (int i = 0; i < network->n_layers; i++) {
        cJSON *layer = cJSON_CreateObject();
        cJSON_AddStringToObject(layer, "name", network->layers[i].name);
        add_work(result, &network->layers[i], layer);
        cJSON_AddItemToArray(layers, layer);
    }
}

static void add_target(const struct bench_result *result, const struct bench_target_result *target,
                       cJSON *targets)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "layer", target->target->name);
    cJSON_AddNumberToObject(object, "units", (double)target->target->n_units);
    cJSON_AddNumberToObject(object, "whole_ms_per_query", target->whole_ms);
    cJSON_AddNumberToObject(object, "rest_ms_per_query", target->other_ms);
    cJSON_AddNumberToObject(object, "mei_queries", target->queries);
    cJSON_AddNumberToObject(object, "mei_activation", target->activation);
    add_network(result, &target->subject, cJSON_AddObjectToObject(object, "subject"));
    cJSON_AddItemToArray(targets, object);
}

static void add_census(const struct bench_result *result, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "mean_over_units");
    cJSON_AddNumberToObject(object, "units", (double)result->n_units);
    cJSON_AddNumberToObject(object, "whole_ms_per_query", result->census_whole_ms);
    cJSON_AddNumberToObject(object, "subject_ms_per_query", result->census_subject_ms);
    cJSON_AddNumberToObject(object, "rest_ms_per_query", result->census_other_ms);
}

static void add_memory(const struct bench_result *result, cJSON *root)
{
    cJSON *object = cJSON_AddObjectToObject(root, "memory_of_a_process");
    cJSON_AddNumberToObject(object, "peak_mib", result->resident_bytes / mebi);
    cJSON_AddNumberToObject(object, "tensor_files_mib", result->tensor_bytes / mebi);
    cJSON_AddNumberToObject(object, "beyond_tensor_files_mib",
                            (result->resident_bytes - result->tensor_bytes) / mebi);
}

cJSON *bench_json(const struct bench_result *result)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "format", "meicensus bench 1");
    add_machine(result, root);
    add_job(result, root);
    add_memory(result, root);
    cJSON_AddNumberToObject(cJSON_AddObjectToObject(root, "search"), "ms_per_query", result->search_ms);
    add_network(result, &result->generator, cJSON_AddObjectToObject(root, "generator"));
    cJSON *targets = cJSON_AddArrayToObject(root, "targets");
    for (int i = 0; i < result->bench->n_targets; i++)
        add_target(result, &result->targets[i], targets);
    add_census(result, root);
    return root;
}
