/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum status error_set(struct error *error, enum status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

enum status error_set_errno(struct error *error, enum status status, const char *format, ...)
{
    const int saved_errno = errno;
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    int length = vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    if (length >= 0 && (size_t)length < sizeof error->message)
        snprintf(error->message + length, sizeof error->message - (size_t)length, ": %s",
                 strerror(saved_errno));
    return status;
}

int status_exit_code(enum status status)
{
    switch (status) {
#define STATUS_CASE(name, exit_code, meaning)                                                                \
    case name:                                                                                               \
        return exit_code;
        STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return 1;
}

const char *status_meaning(enum status status)
{
    switch (status) {
#define STATUS_CASE(name, exit_code, meaning)                                                                \
    case name:                                                                                               \
        return meaning;
        STATUS_LIST(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}
