/* SPDX-License-Identifier: MIT */
/* `meicensus gather`: one results file from the journals of a census. */
#include "campaign.h"
#include "command.h"

static const struct command_option options[] = {
    {"output", "FILE", NULL, false, false, "results file to write, instead of DIR/results.h5"},
    {"partial", NULL, NULL, false, false, "write it although runs are missing; they are marked"},
    {0},
};

static enum status run(const struct arguments *arguments, struct error *error)
{
    return campaign_gather(arguments->positionals[0], arguments_text(arguments, "output"),
                           arguments_given(arguments, "partial"), error);
}

const struct command command_gather = {
    .name = "gather",
    .summary = "write the results file of a census",
    .positionals = {{"DIR", "folder of the census (key 'results' of its job)"}},
    .options = options,
    .run = run,
};
