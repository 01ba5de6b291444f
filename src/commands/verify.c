/* SPDX-License-Identifier: MIT */
/* `meicensus verify`: is a results file whole, and do its MEIs excite as it says? */
#include <stdio.h>

#include "campaign.h"
#include "command.h"
#include "results_file.h"

static const struct command_option options[] = {{"recompute", "N", NULL, false, false,
                                                 "show N of the MEIs again, by the reference kernels (some "
                                                 "seconds each), and print how they differ"},
                                                {0}};

static enum status run(const struct arguments *arguments, struct error *error)
{
    const char *path = arguments->positionals[0];
    struct results_summary summary = {0};
    TRY(results_file_verify(path, &summary, error));
    printf("%s: undamaged: %zu groups, %zu datasets; runs: %zu done, %zu failed, %zu missing\n", path,
           summary.n_groups, summary.n_datasets, summary.n_done, summary.n_failed, summary.n_missing);
    if (!arguments_given(arguments, "recompute"))
        return STATUS_OK;
    long long n_runs;
    TRY(arguments_integer(arguments, "recompute", 1, 1000000000, &n_runs, error));
    return campaign_recompute(path, n_runs, error);
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check every checksum of a results file",
    .positionals = {{"FILE", "results file"}},
    .options = options,
    .run = run,
};
