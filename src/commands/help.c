/* SPDX-License-Identifier: MIT */
/* Help texts, made from the tables of the commands. */
#include "command.h"

#include <string.h>

enum { WORD_CAPACITY = 64 };

/** "--model FILE" */
static void option_text(const struct command_option *option, char text[WORD_CAPACITY])
{
    snprintf(text, WORD_CAPACITY, "--%s%s%s", option->name, option->value_name == NULL ? "" : " ",
             option->value_name == NULL ? "" : option->value_name);
}

static int widest_word(const struct command *command)
{
    char text[WORD_CAPACITY];
    int widest = (int)strlen("--help");
    for (int i = 0; command->positionals[i].name != NULL; i++)
        widest = (int)strlen(command->positionals[i].name) > widest
                     ? (int)strlen(command->positionals[i].name)
                     : widest;
    for (int i = 0; command->options[i].name != NULL; i++) {
        option_text(&command->options[i], text);
        widest = (int)strlen(text) > widest ? (int)strlen(text) : widest;
    }
    return widest;
}

static void print_usage(const struct command *command, FILE *out)
{
    char text[WORD_CAPACITY];
    fprintf(out, "Usage: meicensus %s", command->name);
    for (int i = 0; command->positionals[i].name != NULL; i++)
        fprintf(out, " %s", command->positionals[i].name);
    for (int i = 0; command->options[i].name != NULL; i++) {
        const struct command_option *option = &command->options[i];
        option_text(option, text);
        fprintf(out, option->is_required ? " %s" : " [%s]", text);
        fputs(option->is_repeatable ? "..." : "", out);
    }
    fputc('\n', out);
}

static void print_option(const struct command_option *option, int width, FILE *out)
{
    char text[WORD_CAPACITY];
    option_text(option, text);
    fprintf(out, "  %-*s  %s", width, text, option->description);
    if (option->is_required)
        fputs(" (required)", out);
    if (option->is_repeatable)
        fputs(" (repeatable)", out);
    if (option->default_value != NULL)
        fprintf(out, " (default: %s)", option->default_value);
    fputc('\n', out);
}

void command_print_help(const struct command *command, FILE *out)
{
    const int width = widest_word(command);
    print_usage(command, out);
    fprintf(out, "\n%s\n", command->summary);
    if (command->details != NULL)
        fprintf(out, "%s\n", command->details);
    if (command->positionals[0].name != NULL)
        fputs("\nArguments:\n", out);
    for (int i = 0; command->positionals[i].name != NULL; i++)
        fprintf(out, "  %-*s  %s\n", width, command->positionals[i].name,
                command->positionals[i].description);
    fputs("\nOptions:\n", out);
    for (int i = 0; command->options[i].name != NULL; i++)
        print_option(&command->options[i], width, out);
    fprintf(out, "  %-*s  %s\n", width, "--help", "this text");
}

void command_print_overview(FILE *out)
{
    fputs("Usage: meicensus COMMAND [ARGUMENT]...\n\n"
          "Finds for every unit of a trained spiking network the image that excites it most, without "
          "gradients.\n\n"
          "Commands:\n",
          out);
    for (int i = 0; commands[i] != NULL; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\nOptions:\n"
          "  --help     this text; meicensus COMMAND --help: all about one command\n"
          "  --version  version of the program and revision of its code\n\n"
          "Exit codes:\n",
          out);
#define PRINT_STATUS(name, exit_code, meaning) fprintf(out, "  %-10d %s\n", exit_code, meaning);
    STATUS_LIST(PRINT_STATUS)
#undef PRINT_STATUS
}
