/* SPDX-License-Identifier: MIT */
#include "bench_result.h"

#include <math.h>

#include "machine.h"

static const double giga = 1e9, mega = 1e6, mebi = 1024 * 1024;

static void print_head(const struct bench_result *result, FILE *out)
{
    const struct bench_plan *bench = result->bench;
    const struct job *job = result->task->job;
    const double *machine = result->machine;
    char processor[MACHINE_NAME_CAPACITY];
    machine_processor(processor);
    fprintf(out, "machine    %s, %d process%s, kernels %s\n", processor, result->n_cores,
            result->n_cores == 1 ? "" : "es", bench->backend.identity);
    fprintf(out, "           float32 %s: %.1f GFLOP/s one core alone, %.1f all\n", machine_multiply_add(),
            machine[MACHINE_PEAK_ALONE] / giga, machine[MACHINE_PEAK] / giga);
    fprintf(out, "           memory: %.1f GB/s one core alone, %.1f all\n",
            machine[MACHINE_BANDWIDTH_ALONE] / giga, machine[MACHINE_BANDWIDTH] / giga);
    fprintf(out, "job        %s: %s (T = %d), %s (%d images a call), %s; %lld runs in lockstep\n", job->path,
            job->subjects[bench->group->subject].name, model_timesteps(bench->subject),
            job->generators[bench->group->generator].name, result->image_batch,
            job->methods[bench->group->method].name, job->batch);
    fprintf(out, "memory     %.0f MiB a process at most, beyond the %.0f MiB of its tensor files\n\n",
            (result->resident_bytes - result->tensor_bytes) / mebi, result->tensor_bytes / mebi);
    fprintf(out, "ms of a query for all processes together: they do 1000 / ms queries a second.\n"
                 "multiply-adds are those of the definition, zeros and all; bytes moved at least: inputs, "
                 "output, weights, once\n\n");
}

static void print_work(const struct bench_result *result, const struct bench_work *work, double total_ms,
                       FILE *out)
{
    fprintf(out, "%-24.24s %9.4f %6.1f %%", work->name, work->ms, 100 * work->ms / total_ms);
    if (work->multiply_adds > 0)
        fprintf(out, " %10.3f %9.1f %6.1f %%", work->multiply_adds / mega, bench_speed(work) / giga,
                100 * bench_speed(work) / result->machine[MACHINE_PEAK]);
    else
        fprintf(out, " %10s %9s %8s", "-", "-", "-");
    fprintf(out, " %8.3f %8.1f", work->bytes / mega, 2 * work->multiply_adds / work->bytes);
    if (!isnan(work->firing_rate))
        fprintf(out, " %7.4f", work->firing_rate);
    fprintf(out, "\n");
}

static void print_network(const struct bench_result *result, const struct bench_network *network,
                          const char *title, const char *last, FILE *out)
{
    fprintf(out, "%-24.24s %9s %8s %10s %9s %8s %8s %8s %s\n", title, "ms", "share", "10^6 MAC", "GFLOP/s",
            "of peak", "MB", "FLOP/B", last);
    for (int i = 0; i < network->n_layers; i++)
        print_work(result, &network->layers[i], network->total.ms, out);
    print_work(result, &network->total, network->total.ms, out);
    fprintf(out, "\n");
}

static void print_targets(const struct bench_result *result, FILE *out)
{
    fprintf(out, "%-24s %7s %9s %9s %9s %9s %9s   MEI after, activation\n", "target layer", "units", "whole",
            "generator", "subject", "search", "the rest");
    for (int i = 0; i < result->bench->n_targets; i++) {
        const struct bench_target_result *target = &result->targets[i];
        fprintf(out, "%-24.24s %7lld %9.4f %9.4f %9.4f %9.4f %9.4f   %5.0f queries, %.4g\n",
                target->target->name, (long long)target->target->n_units, target->whole_ms,
                result->generator.total.ms, target->subject.total.ms, result->search_ms, target->other_ms,
                target->queries, target->activation);
    }
    fprintf(out, "%-24s %7lld %9.4f %9.4f %9.4f %9.4f %9.4f\n", "mean over the units",
            (long long)result->n_units, result->census_whole_ms, result->generator.total.ms,
            result->census_subject_ms, result->search_ms, result->census_other_ms);
}

void bench_print(const struct bench_result *result, FILE *out)
{
    const struct bench_target_result *deepest = &result->targets[result->bench->n_targets - 1];
    char title[64];
    print_head(result, out);
    print_network(result, &result->generator, "generator", "", out);
    snprintf(title, sizeof title, "to %.40s", deepest->target->name);
    print_network(result, &deepest->subject, title, "firing rate on MEIs", out);
    print_targets(result, out);
}
