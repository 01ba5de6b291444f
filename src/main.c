/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "campaign/ranks.h"
#include "clock.h"
#include "commands/command.h"

/** What was printed has to arrive: a full disk is a fault here, not a short text. */
static enum status flush_output(struct error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_OK;
    return error_set_errno(error, STATUS_IO, "the output cannot be written");
}

enum { SPEAKING_MS = 300 };

/** One rank tells, of a wrong command line, which is every rank's, the first one. The silent ones wait, lest
 * mpirun should end it for their exit before it has spoken. */
static void tell(const struct error *error, enum status status)
{
    if (error->message[0] == '\0' || (status == STATUS_USAGE && !ranks_started_first()))
        clock_sleep(1e-3 * SPEAKING_MS);
    else
        fprintf(stderr, "meicensus: error: %s\n", error->message);
}

int main(int argc, char **argv)
{
    struct error error = {0};
    enum status status = command_line_run(argc, argv, &error);
    if (status == STATUS_OK)
        status = flush_output(&error);
    if (status != STATUS_OK)
        tell(&error, status);
    return status_exit_code(status);
}
