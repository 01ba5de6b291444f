/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "commands/command.h"

/** What was printed has to arrive: a full disk is a fault here, not a short text. */
static enum status flush_output(struct error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_OK;
    return error_set_errno(error, STATUS_IO, "the output cannot be written");
}

int main(int argc, char **argv)
{
    struct error error = {0};
    enum status status = command_line_run(argc, argv, &error);
    if (status == STATUS_OK)
        status = flush_output(&error);
    if (status != STATUS_OK && error.message[0] != '\0')
        fprintf(stderr, "meicensus: error: %s\n", error.message);
    return status_exit_code(status);
}
