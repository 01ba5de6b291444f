/* SPDX-License-Identifier: MIT */
/**
 * Status codes, error messages and exit codes: the only way a function says that it failed.
 *
 * Every function that can fail returns `enum status` and takes `struct error *error` as its last
 * parameter. The place that notices the fault writes the message (file, key or unit; what was
 * expected; what to do); everybody above only forwards with TRY. `main` prints it, once.
 */
#ifndef MEICENSUS_STATUS_H
#define MEICENSUS_STATUS_H

/** name, exit code of the program, meaning (printed by `meicensus --help`). */
#define STATUS_LIST(ITEM)                                                                                    \
    ITEM(STATUS_OK, 0, "done")                                                                               \
    ITEM(STATUS_INTERNAL, 1, "a fault inside the program, or out of memory")                                 \
    ITEM(STATUS_USAGE, 2, "wrong command line")                                                              \
    ITEM(STATUS_BAD_INPUT, 3, "a job, model, tensor or data file that cannot be used as it is")              \
    ITEM(STATUS_IO, 4, "a file could not be read or written (disk full, permissions); resumable")            \
    ITEM(STATUS_MISMATCH, 5, "the results folder belongs to another job, code version or other weights")     \
    ITEM(STATUS_INCOMPLETE, 6, "the campaign is not complete, or another start of the shard is running")     \
    ITEM(STATUS_DAMAGED, 7, "a checksum does not match: a journal or results file is damaged")               \
    ITEM(STATUS_STOPPED, 75, "stopped by a signal; start the same command again to continue")

enum status {
#define STATUS_ENUM(name, exit_code, meaning) name,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
};

enum { ERROR_MESSAGE_CAPACITY = 1024 };

/** The message of the first fault. Owned by the caller; zero-initialise it. */
struct error {
    enum status status;
    char message[ERROR_MESSAGE_CAPACITY];
};

/** Forward a failure to the caller. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        enum status try_status_ = (call);                                                                    \
        if (try_status_ != STATUS_OK)                                                                        \
            return try_status_;                                                                              \
    } while (0)

/** Forward a failure to the clean-up of this function; needs `enum status status` and a label `cleanup`. */
#define TRY_CLEANUP(call)                                                                                    \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status != STATUS_OK)                                                                             \
            goto cleanup;                                                                                    \
    } while (0)

/** Write the message (printf-like) and return `status`, so that `return error_set(...)` reads well. */
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** As error_set, with ": <text of errno>" appended; call it before anything can change errno. */
enum status error_set_errno(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Exit code of the program for `status`, and what it means. */
int status_exit_code(enum status status);
const char *status_meaning(enum status status);

#endif
