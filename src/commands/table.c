/* SPDX-License-Identifier: MIT */
#include "command.h"

extern const struct command command_run, command_plan, command_status, command_gather, command_verify,
    command_list, command_forward, command_accuracy, command_natural, command_encode, command_optimize,
    command_bench;

const struct command *const commands[] = {
    &command_run,
    &command_plan,
    &command_status,
    &command_gather,
    &command_verify,
    &command_list,
    &command_forward,
    &command_accuracy,
    &command_natural,
    &command_encode,
    &command_optimize,
    &command_bench,
    NULL,
};
