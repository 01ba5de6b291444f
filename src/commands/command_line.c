/* SPDX-License-Identifier: MIT */
/* The first word of the command line, and the run of the command it names. */
#include "command.h"

#include <string.h>

#include "build_info.h"
#include "document.h"

enum { MAX_COMMANDS = 32 };

static const struct command *find_command(const char *name)
{
    for (int i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static enum status unknown_command(const char *word, struct error *error)
{
    const char *names[MAX_COMMANDS + 1];
    int n = 0;
    for (; n < MAX_COMMANDS && commands[n] != NULL; n++)
        names[n] = commands[n]->name;
    names[n] = NULL;
    const char *nearest = nearest_name(word, names);
    return error_set(error, STATUS_USAGE, "unknown command '%.60s'%s%s%s (see meicensus --help)", word,
                     nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
                     nearest == NULL ? "" : "'?");
}

static enum status run_command(const struct command *command, int argc, char **argv, struct error *error)
{
    struct arguments arguments;
    enum status status = arguments_read(command, argc, argv, &arguments, error);
    if (status == STATUS_OK && arguments.wants_help)
        command_print_help(command, stdout);
    else if (status == STATUS_OK)
        status = command->run(&arguments, error);
    arguments_free(&arguments);
    return status;
}

enum status command_line_run(int argc, char **argv, struct error *error)
{
    if (argc < 2)
        return error_set(error, STATUS_USAGE, "a command is missing (see meicensus --help)");
    const char *word = argv[1];
    const struct command *command = find_command(word);
    if (command != NULL)
        return run_command(command, argc - 1, argv + 1, error);
    const bool is_help = strcmp(word, "--help") == 0, is_version = strcmp(word, "--version") == 0;
    if (!is_help && !is_version)
        return unknown_command(word, error);
    if (argc > 2)
        return error_set(error, STATUS_USAGE, "'%.60s' is one argument too many (see meicensus --help)",
                         argv[2]);
    if (is_help)
        command_print_overview(stdout);
    else
        printf("meicensus %s (%s)\n", build_version, build_code_revision);
    return STATUS_OK;
}
