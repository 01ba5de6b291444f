/* SPDX-License-Identifier: MIT */
/**
 * Commands of the program: a table each of what stands on its command line, and the function it calls. Help
 * texts are made from these tables.
 *
 * Adding a command = one file in src/commands/ with a `const struct command`, one line in
 * src/commands/table.c.
 */
#ifndef MEICENSUS_COMMAND_H
#define MEICENSUS_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "status.h"

enum { COMMAND_MAX_OPTIONS = 12, COMMAND_MAX_POSITIONALS = 1 };

/** An option. A table ends with a NULL name; every command has --help, too. */
struct command_option {
    const char *name;          /**< without "--" */
    const char *value_name;    /**< "FILE"; NULL: a switch */
    const char *default_value; /**< NULL: none */
    bool is_required, is_repeatable;
    const char *description; /**< one line */
};

/** An argument without "--"; all are required. */
struct command_positional {
    const char *name, *description;
};

struct arguments;

struct command {
    const char *name;
    const char *summary; /**< one line */
    const char *details; /**< further lines of its --help, or NULL */
    struct command_positional positionals[COMMAND_MAX_POSITIONALS + 1]; /**< ended by a NULL name */
    const struct command_option *options;
    enum status (*run)(const struct arguments *arguments, struct error *error);
};

/** All commands, ended by NULL, in the order of `meicensus --help`. */
extern const struct command *const commands[];

/** Find the command that `argv` names and run it; also --help and --version. STATUS_USAGE: wrong command
 *  line. */
enum status command_line_run(int argc, char **argv, struct error *error);

/** Help texts. */
void command_print_overview(FILE *out);
void command_print_help(const struct command *command, FILE *out);

/* ---- what was given (arguments.c) ---- */

struct arguments {
    const struct command *command;
    bool wants_help;
    const char *positionals[COMMAND_MAX_POSITIONALS];
    const char **values[COMMAND_MAX_OPTIONS]; /**< per option, in the order given */
    int n_values[COMMAND_MAX_OPTIONS];
};

/**
 * Read the command line of a command, argv[0] being its name. Values stay in argv. arguments_free it, also
 * after a fault. STATUS_USAGE: unknown option, missing value, required option or positional argument that
 * is missing, option given twice that is not repeatable, surplus arguments.
 */
enum status arguments_read(const struct command *command, int argc, char **argv, struct arguments *arguments,
                           struct error *error);
void arguments_free(struct arguments *arguments);

/** The value of an option, its default, or NULL. */
const char *arguments_text(const struct arguments *arguments, const char *option);
bool arguments_given(const struct arguments *arguments, const char *option);

/** All values of a repeatable option, [*n_values]. */
const char *const *arguments_list(const struct arguments *arguments, const char *option, int *n_values);

/** A whole number in [minimum, maximum]; *value stays as it is where the option has no value. STATUS_USAGE.
 */
enum status arguments_integer(const struct arguments *arguments, const char *option, long long minimum,
                              long long maximum, long long *value, struct error *error);

#endif
