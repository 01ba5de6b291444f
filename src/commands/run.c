/* SPDX-License-Identifier: MIT */
/* `meicensus run`: do the runs of a job, or of one shard of it. */
#include <limits.h>

#include "campaign.h"
#include "command.h"
#include "job_options.h"

static const struct command_option options[] = {
    {"shard", "K", NULL, false, false,
     "do shard K only, counted from 0; the job's key 'shards' says of how many"},
    {"extend", NULL, NULL, false, false,
     "the job has larger budgets, more trials or more replicates than when it was started: go on with every "
     "run from what is stored of it"},
    JOB_SET_OPTION,
    {0},
};

static enum status run(const struct arguments *arguments, struct error *error)
{
    struct run_options run_options = {.job = arguments->positionals[0],
                                      .has_shard = arguments_given(arguments, "shard"),
                                      .extend = arguments_given(arguments, "extend")};
    long long shard = 0;
    TRY(arguments_integer(arguments, "shard", 0, INT_MAX, &shard, error));
    run_options.shard = (int)shard;
    run_options.set = arguments_list(arguments, "set", &run_options.n_set);
    return campaign_run(&run_options, error);
}

const struct command command_run = {
    .name = "run",
    .summary = "do a census, or go on with one",
    .details = "\n"
               "Start it with mpirun on one rank more than there are cores: the first one hands out work and "
               "sleeps. "
               "The same command again continues what was stopped.",
    .positionals = {JOB_POSITIONAL},
    .options = options,
    .run = run,
};
