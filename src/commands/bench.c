/* SPDX-License-Identifier: MIT */
/* `meicensus bench`: what the queries of a job cost on this machine, and where the time goes. */
#include <stdlib.h>
#include <string.h>

#include "bench_result.h"
#include "command.h"
#include "job_options.h"
#include "machine.h"

static const struct command_option options[] = {
    JOB_SET_OPTION,
    {"subject", "NAME", NULL, false, false, "of the job, instead of the first that it searches"},
    {"generator", "NAME", NULL, false, false, "the same"},
    {"method", "NAME", NULL, false, false, "the same"},
    {"seconds", "S", "30", false, false,
     "of measuring, shared by all layers that the job names; loading and the machine take a few more"},
    {"cores", "N", NULL, false, false, "processes side by side, instead of one for each core"},
    {"json", "FILE", NULL, false, false,
     "write everything as JSON, too; '-': to standard output, without text"},
    {0},
};

enum { MOST_SECONDS = 100000 };

static enum status write_json(const struct bench_result *result, const char *path, struct error *error)
{
    cJSON *root = bench_json(result);
    char *text = root == NULL ? NULL : cJSON_Print(root);
    cJSON_Delete(root);
    if (text == NULL)
        return error_set(error, STATUS_INTERNAL, "out of memory for the JSON");
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    bool is_written = file != NULL && fprintf(file, "%s\n", text) > 0;
    if (file != NULL && file != stdout)
        is_written = fclose(file) == 0 && is_written;
    cJSON_free(text);
    return is_written ? STATUS_OK : error_set_errno(error, STATUS_IO, "%s cannot be written", path);
}

static enum status tell(const struct arguments *arguments, const struct bench_result *result,
                        struct error *error)
{
    const char *json = arguments_text(arguments, "json");
    if (json == NULL || strcmp(json, "-") != 0)
        bench_print(result, stdout);
    return json == NULL ? STATUS_OK : write_json(result, json, error);
}

/** Processes measure; this one loads the models only afterwards, lest they should begin with its memory. */
static enum status measure(const struct arguments *arguments, struct bench_task *task, int n_cores,
                           struct error *error)
{
    double *machine = NULL, *job = NULL;
    size_t n_machine, n_job;
    struct bench_plan bench = {0};
    struct bench_result result = {0};
    enum status status;
    TRY_CLEANUP(cores_run(n_cores, bench_measure_machine, NULL, &machine, &n_machine, error));
    TRY_CLEANUP(cores_run(n_cores, bench_measure_job, task, &job, &n_job, error));
    TRY_CLEANUP(bench_plan_open(task->job, &task->names, &bench, error));
    TRY_CLEANUP(bench_result_make(&bench, task, n_cores, machine, job, &result, error));
    status = tell(arguments, &result, error);
cleanup:
    bench_result_free(&result);
    bench_plan_close(&bench);
    free(machine);
    free(job);
    return status;
}

static enum status read_numbers(const struct arguments *arguments, long long *seconds, long long *n_cores,
                                struct error *error)
{
    const int most = machine_n_cores();
    *n_cores = most;
    TRY(arguments_integer(arguments, "seconds", 1, MOST_SECONDS, seconds, error));
    return arguments_integer(arguments, "cores", 1, most, n_cores, error);
}

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct bench_task task = {.names = {.subject = arguments_text(arguments, "subject"),
                                        .generator = arguments_text(arguments, "generator"),
                                        .method = arguments_text(arguments, "method")}};
    long long seconds = 0, n_cores = 0;
    int n_set;
    const char *const *set = arguments_list(arguments, "set", &n_set);
    TRY(read_numbers(arguments, &seconds, &n_cores, error));
    TRY(job_read(arguments->positionals[0], set, n_set, &task.job, error));
    task.seconds = (double)seconds;
    enum status status = bench_job_prepare(task.job, &task.names, error);
    if (status == STATUS_OK)
        status = measure(arguments, &task, (int)n_cores, error);
    job_free(task.job);
    return status;
}

const struct command command_bench = {
    .name = "bench",
    .summary = "measure what the queries of a job cost on this machine, layer by layer",
    .details =
        "\n"
        "One process a core, each with models of its own, as a campaign has ranks; nothing is kept. "
        "Measured\n"
        "are the machine (float32 multiply-adds, memory), for every layer whose units the job searches a\n"
        "whole query as a worker does it, the subject on images that a short search found, layer by layer,\n"
        "with firing rates; the search's ask and tell, and the generator, layer by layer. Noise of queries "
        "is\n"
        "in whole queries only; start codes, trials and rechecks are left out.",
    .positionals = {JOB_POSITIONAL},
    .options = options,
    .run = run,
};
