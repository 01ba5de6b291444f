/* SPDX-License-Identifier: MIT */
/* `meicensus verify`: is a results file whole? */
#include <stdio.h>

#include "command.h"
#include "results_file.h"

static const struct command_option options[] = {{0}};

static enum status run(const struct arguments *arguments, struct error *error)
{
    const char *path = arguments->positionals[0];
    struct results_summary summary = {0};
    TRY(results_file_verify(path, &summary, error));
    printf("%s: undamaged: %zu groups, %zu datasets; runs: %zu done, %zu failed, %zu missing\n", path,
           summary.n_groups, summary.n_datasets, summary.n_done, summary.n_failed, summary.n_missing);
    return STATUS_OK;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check every checksum of a results file",
    .positionals = {{"FILE", "results file"}},
    .options = options,
    .run = run,
};
