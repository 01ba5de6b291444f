/* SPDX-License-Identifier: MIT */
/**
 * A program of somebody else, talked to through its standard input and output. Its standard error is ours.
 */
#ifndef MEICENSUS_CHILD_PROCESS_H
#define MEICENSUS_CHILD_PROCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

struct child_process; /* opaque */

/** Who may end a wait early: asked several times a second while one lasts. A NULL function never does. */
struct child_watch {
    bool (*should_stop)(void *context);
    void *context;
};

/** How long is waited. */
struct child_wait {
    double seconds;                  /**< in all */
    const struct child_watch *watch; /**< or NULL */
};

/**
 * Start `command` by `/bin/sh -c`, as a process group of its own that holds no file of ours but standard
 * error, and that the system kills when this process dies. The caller ends it with child_stop.
 */
enum status child_start(const char *command, struct child_process **child, struct error *error);

/** A command as messages tell it: `command`, cut where it is long, so that there is room for the reason. */
enum { CHILD_NAME_CAPACITY = 112 };
void child_name(const char *command, char name[CHILD_NAME_CAPACITY]);

/** Bytes for its standard input. They are written while child_read waits, and must be there until then. */
void child_write(struct child_process *child, const void *bytes, size_t n_bytes);

/** Has it left some of these bytes unread? */
bool child_has_unread(const struct child_process *child);

/**
 * Read exactly n_bytes of its standard output. STATUS_IO: it died (or closed its output), or they did not
 * come in time; STATUS_BAD_INPUT: the shell could not start it; STATUS_STOPPED: the watch said so. Afterwards
 * nothing but child_stop makes sense.
 */
enum status child_read(struct child_process *child, void *buffer, size_t n_bytes,
                       const struct child_wait *wait, struct error *error);

/** Close its standard input, give it so long to end by itself, kill what is left of its group. NULL: nothing.
 */
void child_stop(struct child_process *child, double seconds);

#endif
