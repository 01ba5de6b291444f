/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"
#include "memory.h"

/** Values of getopt_long: above every character. */
enum { FIRST_OPTION = 256, HELP_OPTION = FIRST_OPTION + COMMAND_MAX_OPTIONS };

static int n_options(const struct command *command)
{
    int n = 0;
    while (command->options[n].name != NULL)
        n++;
    return n;
}

static int find_option(const struct command *command, const char *name)
{
    for (int i = 0; command->options[i].name != NULL; i++)
        if (strcmp(command->options[i].name, name) == 0)
            return i;
    return -1;
}

/** The table for getopt_long, ended by zeros. */
static void long_options(const struct command *command, struct option table[COMMAND_MAX_OPTIONS + 2])
{
    const int n = n_options(command);
    for (int i = 0; i < n; i++)
        table[i] = (struct option){command->options[i].name,
                                   command->options[i].value_name == NULL ? no_argument : required_argument,
                                   NULL, FIRST_OPTION + i};
    table[n] = (struct option){"help", no_argument, NULL, HELP_OPTION};
    table[n + 1] = (struct option){0};
}

/** Unknown option: `word` as it was typed. */
static enum status unknown_option(const struct command *command, const char *word, struct error *error)
{
    const char *names[COMMAND_MAX_OPTIONS + 2];
    char typed[64];
    const int n = n_options(command);
    for (int i = 0; i < n; i++)
        names[i] = command->options[i].name;
    names[n] = "help";
    names[n + 1] = NULL;
    const char *name = word + strspn(word, "-");
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(name, "="), name);
    const char *nearest = nearest_name(typed, names);
    return error_set(error, STATUS_USAGE, "unknown option '%.*s'%s%s%s (see meicensus %s --help)",
                     (int)strcspn(word, "="), word, nearest == NULL ? "" : "; did you mean '--",
                     nearest == NULL ? "" : nearest, nearest == NULL ? "" : "'?", command->name);
}

/** getopt_long returned '?' or ':' for argv[optind - 1]. */
static enum status refused_option(const struct command *command, int code, const char *word,
                                  struct error *error)
{
    const int index = optopt - FIRST_OPTION;
    if (optopt > 0 && optopt < FIRST_OPTION)
        return unknown_option(command, (const char[]){'-', (char)optopt, '\0'}, error);
    if (optopt == HELP_OPTION)
        return error_set(error, STATUS_USAGE, "option --help takes no value");
    if (index < 0 || index >= n_options(command))
        return unknown_option(command, word, error);
    const struct command_option *option = &command->options[index];
    if (code == ':')
        return error_set(error, STATUS_USAGE, "option --%s needs a value: --%s %s", option->name,
                         option->name, option->value_name);
    return error_set(error, STATUS_USAGE, "option --%s takes no value", option->name);
}

static enum status add_value(struct arguments *arguments, int index, const char *value, struct error *error)
{
    const struct command_option *option = &arguments->command->options[index];
    if (arguments->n_values[index] > 0 && !option->is_repeatable)
        return error_set(error, STATUS_USAGE, "option --%s is given twice", option->name);
    if (value != NULL && (value[0] == '\0' || strncmp(value, "--", 2) == 0))
        return error_set(error, STATUS_USAGE, "option --%s needs a value (--%s %s), found '%s'", option->name,
                         option->name, option->value_name, value);
    arguments->values[index][arguments->n_values[index]++] = value;
    return STATUS_OK;
}

static enum status read_options(struct arguments *arguments, int argc, char **argv, struct error *error)
{
    struct option table[COMMAND_MAX_OPTIONS + 2];
    long_options(arguments->command, table);
    optind = 0; /* a fresh start of getopt_long */
    opterr = 0;
    for (;;) {
        const int code = getopt_long(argc, argv, ":", table, NULL);
        if (code == -1)
            return STATUS_OK;
        if (code == HELP_OPTION)
            arguments->wants_help = true;
        else if (code == '?' || code == ':')
            return refused_option(arguments->command, code, argv[optind - 1], error);
        else
            TRY(add_value(arguments, code - FIRST_OPTION, optarg, error));
    }
}

static enum status read_positionals(struct arguments *arguments, int n_words, char **words,
                                    struct error *error)
{
    const struct command *command = arguments->command;
    int n = 0;
    for (; command->positionals[n].name != NULL; n++) {
        if (n >= n_words || words[n][0] == '\0')
            return error_set(error, STATUS_USAGE, "meicensus %s needs %s: %s (see meicensus %s --help)",
                             command->name, command->positionals[n].name, command->positionals[n].description,
                             command->name);
        arguments->positionals[n] = words[n];
    }
    if (n_words > n)
        return error_set(error, STATUS_USAGE, "'%s' is one argument too many (see meicensus %s --help)",
                         words[n], command->name);
    return STATUS_OK;
}

static enum status check_required(const struct arguments *arguments, struct error *error)
{
    const struct command *command = arguments->command;
    for (int i = 0; command->options[i].name != NULL; i++)
        if (command->options[i].is_required && arguments->n_values[i] == 0)
            return error_set(error, STATUS_USAGE, "meicensus %s needs --%s %s: %s", command->name,
                             command->options[i].name, command->options[i].value_name,
                             command->options[i].description);
    return STATUS_OK;
}

enum status arguments_read(const struct command *command, int argc, char **argv, struct arguments *arguments,
                           struct error *error)
{
    *arguments = (struct arguments){.command = command};
    for (int i = 0; command->options[i].name != NULL; i++)
        TRY(MEMORY_ALLOCATE(arguments->values[i], (size_t)argc, error));
    TRY(read_options(arguments, argc, argv, error));
    if (arguments->wants_help)
        return STATUS_OK;
    TRY(read_positionals(arguments, argc - optind, argv + optind, error));
    return check_required(arguments, error);
}

void arguments_free(struct arguments *arguments)
{
    for (int i = 0; i < COMMAND_MAX_OPTIONS; i++)
        free(arguments->values[i]);
}

const char *arguments_text(const struct arguments *arguments, const char *option)
{
    const int index = find_option(arguments->command, option);
    if (index < 0)
        return NULL;
    const int n = arguments->n_values[index];
    return n > 0 ? arguments->values[index][n - 1] : arguments->command->options[index].default_value;
}

bool arguments_given(const struct arguments *arguments, const char *option)
{
    const int index = find_option(arguments->command, option);
    return index >= 0 && arguments->n_values[index] > 0;
}

const char *const *arguments_list(const struct arguments *arguments, const char *option, int *n_values)
{
    const int index = find_option(arguments->command, option);
    *n_values = index < 0 ? 0 : arguments->n_values[index];
    return index < 0 ? NULL : (const char *const *)arguments->values[index];
}

enum status arguments_integer(const struct arguments *arguments, const char *option, long long minimum,
                              long long maximum, long long *value, struct error *error)
{
    const char *text = arguments_text(arguments, option);
    char *end;
    if (text == NULL)
        return STATUS_OK;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    if (errno != 0 || strspn(text, "-0123456789") != strlen(text) || *end != '\0' || number < minimum ||
        number > maximum)
        return error_set(error, STATUS_USAGE, "--%s %s: expected a whole number from %lld to %lld", option,
                         text, minimum, maximum);
    *value = number;
    return STATUS_OK;
}
