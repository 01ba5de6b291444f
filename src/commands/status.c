/* SPDX-License-Identifier: MIT */
/* `meicensus status`: how far a census is. */
#include "campaign.h"
#include "command.h"

static const struct command_option options[] = {{0}};

static enum status run(const struct arguments *arguments, struct error *error)
{
    return campaign_status(arguments->positionals[0], error);
}

const struct command command_status = {
    .name = "status",
    .summary = "print how far each shard of a census is",
    .positionals = {{"DIR", "folder of the census (key 'results' of its job)"}},
    .options = options,
    .run = run,
};
