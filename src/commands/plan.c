/* SPDX-License-Identifier: MIT */
/* `meicensus plan`: what a job would cost. */
#include "campaign.h"
#include "command.h"
#include "job_options.h"

static const struct command_option options[] = {
    JOB_SET_OPTION,
    {0},
};

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct job *job = NULL;
    int n_set;
    const char *const *set = arguments_list(arguments, "set", &n_set);
    TRY(job_read(arguments->positionals[0], set, n_set, &job, error));
    const enum status status = campaign_print_plan(job, error);
    job_free(job);
    return status;
}

const struct command command_plan = {
    .name = "plan",
    .summary = "check a job and print its runs, queries, estimated time and bytes; nothing is started",
    .positionals = {JOB_POSITIONAL},
    .options = options,
    .run = run,
};
