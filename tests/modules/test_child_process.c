/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "child_process.h"
#include "clock.h"

static const struct child_wait patient = {30, NULL}, impatient = {0.3, NULL};

static struct child_process *start(const char *command)
{
    struct child_process *child = NULL;
    struct error error = {0};
    assert_int_equal(child_start(command, &child, &error), STATUS_OK);
    return child;
}

static void test_more_than_pipes_hold(void **state)
{
    enum { N_BYTES = 4 << 20 };
    struct error error = {0};
    char *sent = malloc(N_BYTES), *got = calloc(N_BYTES, 1);
    struct child_process *child = start("cat");
    (void)state;
    for (int i = 0; i < N_BYTES; i++)
        sent[i] = (char)(i * 31 + i / 1000);
    child_write(child, sent, N_BYTES);
    assert_int_equal(child_read(child, got, N_BYTES, &patient, &error), STATUS_OK);
    assert_memory_equal(sent, got, N_BYTES);
    assert_false(child_has_unread(child));
    child_stop(child, 5);
    free(sent);
    free(got);
}

static void test_unread_bytes(void **state)
{
    struct error error = {0};
    char *sent = calloc(1 << 20, 1), got[2];
    struct child_process *child = start("printf ab; sleep $LONG");
    (void)state;
    child_write(child, sent, 1 << 20);
    assert_int_equal(child_read(child, got, 2, &patient, &error), STATUS_OK);
    assert_true(child_has_unread(child));
    child_stop(child, 0);
    free(sent);
}

static void check_fault(const char *command, const struct child_wait *wait, enum status expected,
                        const char *message)
{
    struct error error = {0};
    char bytes[8];
    struct child_process *child = start(command);
    child_write(child, "question", 8);
    assert_int_equal(child_read(child, bytes, 8, wait, &error), expected);
    if (strstr(error.message, message) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, message);
    child_stop(child, 0);
}

static void test_faults(void **state)
{
    (void)state;
    check_fault("exit 5", &patient, STATUS_IO, "`exit 5` ended with exit status 5");
    check_fault("printf abc; exit 0", &patient, STATUS_IO, "exit status 0: 3 of 8 bytes of its answer came");
    check_fault("kill -TERM $$", &patient, STATUS_IO, "died by signal 15");
    check_fault("sleep $LONG", &impatient, STATUS_IO, "did not answer within 0.3 s");
    check_fault("printf abc; sleep $LONG", &impatient, STATUS_IO, "0.3 s: 3 of 8 bytes");
    check_fault("exec >&-; sleep $LONG", &patient, STATUS_IO, "closed its standard output");
    check_fault("./no-such-program", &patient, STATUS_BAD_INPUT, "could not be started");
}

/** Writing to the dead must not kill, and must leave the signal as it was. */
static void test_no_signal(void **state)
{
    struct sigaction before;
    sigset_t pending;
    struct error error = {0};
    char *sent = calloc(1 << 20, 1), byte;
    struct child_process *child = start("exec <&-; sleep 0.2; printf a; sleep $LONG");
    (void)state;
    child_write(child, sent, 1 << 20);
    assert_int_equal(child_read(child, &byte, 1, &patient, &error), STATUS_OK);
    assert_int_equal(sigaction(SIGPIPE, NULL, &before), 0);
    assert_true(before.sa_handler == SIG_DFL);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
    child_stop(child, 0);
    free(sent);
}

static bool stops_third_time(void *context)
{
    return ++*(int *)context >= 3;
}

static void test_watch(void **state)
{
    int n_asked = 0;
    const struct child_watch watch = {stops_third_time, &n_asked};
    const struct child_wait wait = {1000, &watch};
    (void)state;
    check_fault("sleep $LONG", &wait, STATUS_STOPPED, "stopped while `sleep $LONG`");
    assert_int_equal(n_asked, 3);
}

/** Processes that have that number as an argument. */
static int n_sleeping(void)
{
    char text[32] = "";
    FILE *pipe = popen("grep -lxzs -e \"1000[.]${LONG#*.}\" /proc/[0-9]*/cmdline | wc -l", "r");
    if (fgets(text, sizeof text, pipe) == NULL)
        text[0] = '\0';
    pclose(pipe);
    return atoi(text);
}

static void wait_for_sleeping(bool wanted)
{
    for (int i = 0; i < 500 && (n_sleeping() > 0) != wanted; i++)
        clock_sleep(0.01);
    assert_int_equal(n_sleeping() > 0, wanted);
}

static void test_nothing_is_left(void **state)
{
    struct error error = {0};
    char byte;
    struct child_process *child = start("sleep $LONG | sleep $LONG & printf a; sleep $LONG");
    (void)state;
    assert_int_equal(child_read(child, &byte, 1, &patient, &error), STATUS_OK);
    wait_for_sleeping(true);
    child_stop(child, 0);
    wait_for_sleeping(false);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/** A program that ends with its input is given the time to; whoever is killed takes its program along. */
static void test_end(void **state)
{
    char path[] = "/tmp/child_process_XXXXXX", command[128];
    const int file = mkstemp(path);
    (void)state;
    snprintf(command, sizeof command, "cat; rm %s", path);
    child_stop(start(command), 20);
    assert_int_equal(access(path, F_OK), -1);
    close(file);
    const pid_t other = fork();
    if (other == 0) {
        start("exec sleep $LONG");
        for (;;)
            pause();
    }
    wait_for_sleeping(true);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    wait_for_sleeping(false);
}

int main(void)
{
    char seconds[32]; /* a number that nobody else sleeps */
    snprintf(seconds, sizeof seconds, "1000.%d", (int)getpid());
    setenv("LONG", seconds, 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_more_than_pipes_hold),
                                       cmocka_unit_test(test_unread_bytes),
                                       cmocka_unit_test(test_faults),
                                       cmocka_unit_test(test_no_signal),
                                       cmocka_unit_test(test_watch),
                                       cmocka_unit_test(test_nothing_is_left),
                                       cmocka_unit_test(test_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
