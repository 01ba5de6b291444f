/* SPDX-License-Identifier: MIT */
#include "bench_measure.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "bench_process.h"
#include "machine.h"
#include "memory.h"

/* Parts of the time, which all targets share. */
static const double part_find = 0.35, part_whole = 0.3, part_subject = 0.15, part_search = 0.05,
                    part_generator = 0.15;

/* What is compared is measured in turn, so that a change of the machine's speed meets all of it. */
enum { ROUNDS = 3, STEPS_OF_TARGET = 1 + ROUNDS };

/* ---- the machine ---- */

static const double machine_part_s = 0.3;
static const size_t triad_bytes = (size_t)64 << 20;

enum status bench_measure_machine(struct core *core, void *context, struct error *error)
{
    (void)context;
    core->n_values = N_MACHINE_VALUES;
    if (core->index == 0) {
        core->values[MACHINE_PEAK_ALONE] = machine_peak(machine_part_s);
        TRY(machine_bandwidth(machine_part_s, triad_bytes, &core->values[MACHINE_BANDWIDTH_ALONE], error));
    }
    core_meet(core);
    core->values[MACHINE_PEAK] = machine_peak(machine_part_s);
    core_meet(core);
    return machine_bandwidth(machine_part_s, triad_bytes, &core->values[MACHINE_BANDWIDTH], error);
}

/* ---- the job ---- */

size_t bench_target_values(const struct bench_plan *bench)
{
    return N_TARGET_VALUES + 2 * (size_t)model_n_layers(bench->subject);
}

size_t bench_job_values(const struct bench_plan *bench)
{
    return N_JOB_VALUES + (size_t)model_n_layers(bench->generator) +
           (size_t)bench->n_targets * bench_target_values(bench);
}

size_t bench_image_values(const struct measurement *m)
{
    const struct map_shape shape = model_input_shape(m->bench->subject);
    return (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
}

int bench_lockstep_runs(const struct measurement *m)
{
    return (int)(m->job->batch < m->target->n_runs ? m->job->batch : m->target->n_runs);
}

static void divide(double *values, int n, double by)
{
    for (int i = 0; i < n; i++)
        values[i] /= by;
}

/** rates [n_layers]: mean over the MEIs and channels of each spiking layer that took time. */
static void measure_rates(const struct measurement *m, const double *seconds, double *rates)
{
    for (size_t n = 0; n < BENCH_MEIS; n++) {
        model_forward(evaluator_subject(m->evaluator), m->meis + n * bench_image_values(m), m->target->layer,
                      NULL);
        for (int i = 0; i <= m->target->layer; i++) {
            const int n_channels = model_layer_shape(m->bench->subject, i).channels;
            if (!model_layer_is_spiking(m->bench->subject, i) || !(seconds[i] > 0))
                continue;
            for (int c = 0; c < n_channels; c++)
                rates[i] += (double)model_channel_activation(evaluator_subject(m->evaluator), i, c) /
                            n_channels / BENCH_MEIS;
        }
    }
}

static void begin_target(struct measurement *m, int index)
{
    m->target = &m->bench->targets[index];
    m->values = m->core->values + N_JOB_VALUES + model_n_layers(m->bench->generator) +
                (size_t)index * bench_target_values(m->bench);
    m->whole = m->subject = (struct tally){0, 0};
    m->n_whole_runs = 0;
}

static void end_target(struct measurement *m)
{
    const int n_layers = model_n_layers(m->bench->subject);
    double *layers = m->values + N_TARGET_VALUES;
    m->values[TARGET_WHOLE] = m->whole.seconds / m->whole.n_queries;
    m->values[TARGET_SUBJECT] = m->subject.seconds / m->subject.n_queries;
    divide(layers, n_layers, m->subject.n_queries);
    measure_rates(m, layers, layers + n_layers);
}

/** Is something left of its part of these seconds? */
static bool has_time(const struct tally *tally, double part, double seconds)
{
    return tally->seconds < part * seconds;
}

/** One turn of everything, but for what took so long that its later turns are spent. */
static enum status measure_round(struct measurement *m, int index, int round, double seconds,
                                 struct error *error)
{
    const double target_s = (round + 1) * seconds, all_s = (index * ROUNDS + round + 1) * seconds;
    core_meet(m->core);
    if (has_time(&m->whole, part_whole, target_s))
        TRY(bench_time_whole(m, part_whole * seconds, error));
    core_meet(m->core);
    if (has_time(&m->generator, part_generator, all_s))
        bench_time_generator(m, part_generator * seconds);
    core_meet(m->core);
    if (has_time(&m->subject, part_subject, target_s))
        bench_time_subject(m, part_subject * seconds);
    core_meet(m->core);
    if (has_time(&m->search, part_search, all_s))
        TRY(bench_time_search(m, part_search * seconds, error));
    core_step_done(m->core);
    return STATUS_OK;
}

static enum status measure_target(struct measurement *m, int index, double seconds, struct error *error)
{
    begin_target(m, index);
    core_meet(m->core);
    TRY(bench_find_meis(m, part_find * seconds, error));
    core_step_done(m->core);
    for (int round = 0; round < ROUNDS; round++)
        TRY(measure_round(m, index, round, seconds / ROUNDS, error));
    end_target(m);
    return STATUS_OK;
}

static double file_bytes(const char *path)
{
    struct stat file;
    return path != NULL && stat(path, &file) == 0 ? (double)file.st_size : 0;
}

static void measure_memory(const struct measurement *m)
{
    const struct plan *plan = m->bench->plan;
    struct rusage usage;
    double tensors = 0;
    for (int i = 0; i < plan->job->n_subjects; i++)
        if (model_description(plan->subjects[i].model) == NULL)
            tensors += file_bytes(model_tensors_path(plan->subjects[i].model));
    for (int i = 0; i < plan->job->n_generators; i++)
        tensors += file_bytes(model_tensors_path(plan->generators[i]));
    getrusage(RUSAGE_SELF, &usage);
    m->core->values[JOB_RESIDENT_BYTES] = (double)usage.ru_maxrss * 1024;
    m->core->values[JOB_TENSOR_BYTES] = tensors;
}

static enum status measure(struct measurement *m, double seconds, struct error *error)
{
    double *values = m->core->values;
    const int n_targets = m->bench->n_targets;
    core_set_steps(m->core, n_targets * STEPS_OF_TARGET);
    for (int i = 0; i < n_targets; i++)
        TRY(measure_target(m, i, seconds / n_targets, error));
    values[JOB_GENERATOR] = m->generator.seconds / m->generator.n_queries;
    values[JOB_SEARCH] = m->search.seconds / m->search.n_queries;
    values[JOB_IMAGE_BATCH] = evaluator_batch(m->evaluator);
    divide(values + N_JOB_VALUES, model_n_layers(m->bench->generator), m->generator.n_queries);
    measure_memory(m);
    return STATUS_OK;
}

static enum status prepare(struct measurement *m, struct error *error)
{
    m->core->n_values = bench_job_values(m->bench);
    if (m->core->n_values > CORE_MOST_VALUES)
        return error_set(error, STATUS_BAD_INPUT, "%s: %d searched layers of a network of %d are too many",
                         m->job->path, m->bench->n_targets, model_n_layers(m->bench->subject));
    TRY(evaluator_create(m->bench->plan, m->bench->group->subject, m->bench->group->generator, &m->evaluator,
                         error));
    TRY(MEMORY_ALLOCATE(m->codes,
                        (size_t)evaluator_batch(m->evaluator) *
                            (size_t)model_latent(m->bench->generator)->n_dimensions,
                        error));
    TRY(MEMORY_ALLOCATE(m->meis, BENCH_MEIS * bench_image_values(m), error));
    TRY(MEMORY_ALLOCATE(m->runs, (size_t)m->job->batch, error));
    return MEMORY_ALLOCATE(m->replays, (size_t)m->job->batch, error);
}

enum status bench_measure_job(struct core *core, void *context, struct error *error)
{
    const struct bench_task *task = context;
    struct bench_plan bench = {0};
    struct measurement m = {.core = core, .bench = &bench, .job = task->job};
    enum status status;
    TRY_CLEANUP(bench_plan_open(task->job, &task->names, &bench, error));
    TRY_CLEANUP(prepare(&m, error));
    status = measure(&m, task->seconds, error);
cleanup:
    evaluator_free(m.evaluator);
    free(m.codes);
    free(m.meis);
    free(m.runs);
    free(m.replays);
    free(m.scores);
    bench_plan_close(&bench);
    return status;
}
