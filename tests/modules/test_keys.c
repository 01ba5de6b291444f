/* SPDX-License-Identifier: MIT */
/** Key tables: settings filled from a mapping, refusals, echo and manual. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "document.h"
#include "keys.h"

struct settings {
    long long budget, seed;
    double rate, cutoff;
    bool trace;
    const char *label, *folder;
    int method;
    const struct node *units;
};

static const char *const method_names[] = {"tt", "tt_b", "random", NULL};

#define MEMBER(name) offsetof(struct settings, name)

static const struct key table[] = {
    {"budget", KEY_INTEGER, MEMBER(budget), 1, 1000000, NULL, "queries", NULL, "Queries a search may use"},
    {"seed", KEY_INTEGER, MEMBER(seed), 0, 0, "0", "1", NULL, "Seed of all random numbers"},
    {"rate", KEY_REAL, MEMBER(rate), 0, 1, "0.05", "1", NULL, "Learning rate"},
    {"cutoff", KEY_REAL, MEMBER(cutoff), 0, INFINITY, "10", "s", NULL, "Wall time"},
    {"trace", KEY_BOOLEAN, MEMBER(trace), 0, 0, "false", "", NULL, "Store every score"},
    {"label", KEY_TEXT, MEMBER(label), 0, 0, "", "", NULL, "Free text"},
    {"folder", KEY_TEXT, MEMBER(folder), 0, 0, "results/my census", "", NULL, "Where results go"},
    {"method", KEY_CHOICE, MEMBER(method), 0, 0, "tt_b", "", method_names, "Search method"},
    {"units", KEY_NODE, MEMBER(units), 0, 0, "", "", NULL, "Which units"},
    {.name = NULL},
};

static struct document *read_valid(const char *text)
{
    struct document *document = NULL;
    struct error error = {0};
    if (document_read_text(text, "job.yaml", &document, &error) != STATUS_OK)
        fail_msg("refused: %s", error.message);
    return document;
}

static void assert_refused(const char *text, const char *section, const char *message)
{
    struct document *document = read_valid(text);
    struct settings settings;
    struct error error = {0};
    assert_int_equal(keys_read(table, document_root(document), section, &settings, &error), STATUS_BAD_INPUT);
    if (strcmp(error.message, message) != 0)
        fail_msg("expected '%s', not '%s'", message, error.message);
    document_free(document);
}

static void reads_values_and_defaults(void **state)
{
    (void)state;
    struct document *document = read_valid("budget: 500\nmethod: random\nrate: 0.25\ntrace: true\n"
                                           "label: a b\nseed: 9223372036854775807\nunits: [1, 2]\n");
    struct settings settings;
    struct error error = {0};
    memset(&settings, 0x5A, sizeof settings);
    assert_int_equal(keys_read(table, document_root(document), "runs[0]", &settings, &error), STATUS_OK);
    assert_int_equal(settings.budget, 500);
    assert_true(settings.seed == LLONG_MAX);
    assert_true(settings.rate == 0.25);
    assert_true(settings.cutoff == 10.0);
    assert_true(settings.trace);
    assert_string_equal(settings.label, "a b");
    assert_string_equal(settings.folder, "results/my census");
    assert_int_equal(settings.method, 2);
    assert_ptr_equal(settings.units, node_find(document_root(document), "units"));
    document_free(document);
}

static void takes_all_defaults_where_nothing_is_written(void **state)
{
    (void)state;
    struct document *document = read_valid("search:\n");
    const struct node *const absent[] = {NULL, node_find(document_root(document), "search")};
    for (size_t i = 0; i < 2; i++) {
        struct settings settings;
        struct error error = {0};
        memset(&settings, 0x5A, sizeof settings);
        assert_int_equal(keys_read(table + 1, absent[i], "search", &settings, &error), STATUS_OK);
        assert_int_equal(settings.seed, 0);
        assert_int_equal(settings.method, 1);
        assert_false(settings.trace);
        assert_null(settings.label);
        assert_null(settings.units);
        assert_int_equal(keys_read(table, absent[i], "search", &settings, &error), STATUS_BAD_INPUT);
        assert_non_null(strstr(error.message, "the key 'budget' is missing in 'search' (Queries"));
    }
    document_free(document);
}

static void refuses_with_place_and_expectation(void **state)
{
    (void)state;
    const char *valid = "(valid: budget, seed, rate, cutoff, trace, label, folder, method, units)";
    char message[512];
    snprintf(message, sizeof message,
             "job.yaml:2: unknown key 'budgett' in 'runs[0]'; did you mean 'budget'? %s", valid);
    assert_refused("seed: 1\nbudgett: 5\n", "runs[0]", message);
    snprintf(message, sizeof message, "job.yaml:1: unknown key 'temperature' %s", valid);
    assert_refused("temperature: 5\n", "", message);
    snprintf(message, sizeof message,
             "job.yaml:1: unknown key 'b' in 'runs[0]'; a value with a comma stands between quotes %s",
             valid);
    assert_refused("{label: a,b}\n", "runs[0]", message);
    assert_refused("seed: 1\n", "runs[0]",
                   "job.yaml:1: the key 'budget' is missing in 'runs[0]' (Queries a search may use)");
    assert_refused("budget: 0\n", "runs[0]",
                   "job.yaml:1: 'runs[0].budget': 0 is out of range; expected 1 to 1000000 queries");
    assert_refused("budget: 1000001\n", "",
                   "job.yaml:1: 'budget': 1000001 is out of range; expected 1 to 1000000 queries");
    assert_refused("budget: 1e4\n", "",
                   "job.yaml:1: 'budget': expected an integer in plain decimal digits, like 10000 (not 1e4), "
                   "found '1e4'");
    assert_refused("budget: 1\nrate: 1.5\n", "", "job.yaml:2: 'rate': 1.5 is out of range; expected 0 to 1");
    assert_refused("budget: 1\ncutoff: -1\n", "",
                   "job.yaml:2: 'cutoff': -1 is out of range; expected at least 0 s");
    assert_refused(
        "budget: 1\nmethod: tt_c\n", "",
        "job.yaml:2: unknown value 'tt_c' in 'method'; did you mean 'tt_b'? (valid: tt, tt_b, random)");
    assert_refused("budget: 1\nlabel:\n  - x\n", "", "job.yaml:3: 'label': expected a text, found a list");
    assert_refused("- 1\n", "runs",
                   "job.yaml:1: 'runs': expected a mapping ('key: value' lines), found a list");
    assert_refused("text\n", "",
                   "job.yaml:1: 'the file': expected a mapping ('key: value' lines), found a single "
                   "value");
}

static void names_the_set_option_for_its_keys(void **state)
{
    (void)state;
    struct document *document = read_valid("budget: 1\n");
    struct settings settings;
    struct error error = {0};
    assert_int_equal(document_set(document, "rat", "1", &error), STATUS_OK);
    assert_int_equal(keys_read(table, document_root(document), "", &settings, &error), STATUS_BAD_INPUT);
    assert_non_null(strstr(error.message, "--set rat:1: unknown key 'rat'; did you mean 'rate'?"));
    document_free(document);
}

static void calls_a_wrong_table_internal(void **state)
{
    (void)state;
    const struct key wrong_default[] = {
        {"rate", KEY_REAL, MEMBER(rate), 0, 1, "2", "1", NULL, "Learning rate"}, {.name = NULL}};
    const struct key node_default[] = {
        {"units", KEY_NODE, MEMBER(units), 0, 0, "[]", "", NULL, "Which units"}, {.name = NULL}};
    struct settings settings;
    struct error error = {0};
    assert_int_equal(keys_read(wrong_default, NULL, "", &settings, &error), STATUS_INTERNAL);
    assert_int_equal(error.status, STATUS_INTERNAL);
    assert_int_equal(keys_read(node_default, NULL, "", &settings, &error), STATUS_INTERNAL);
    assert_non_null(strstr(error.message, "'units'"));
}

typedef void writer(const struct settings *settings, FILE *out);

static void write_echo(const struct settings *settings, FILE *out)
{
    fputs("runs:\n", out);
    keys_echo(table, settings, 2, out);
}

static void write_manual(const struct settings *settings, FILE *out)
{
    (void)settings;
    fputs("runs:\n", out);
    keys_document(table, 2, out);
}

static char *written(writer *write, const struct settings *settings)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    write(settings, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void read_settings(const char *text, struct document **document, struct settings *settings)
{
    struct error error = {0};
    *document = read_valid(text);
    const struct node *runs = node_find(document_root(*document), "runs");
    if (keys_read(table, runs, "runs", settings, &error) != STATUS_OK)
        fail_msg("refused: %s\n%s", error.message, text);
}

static void echo_reads_back_as_the_same_settings(void **state)
{
    (void)state;
    const char *const texts[] = {
        "runs: {budget: 1}\n",
        "runs: {budget: 7, seed: -9223372036854775808, rate: 0.1, cutoff: 1.7976931348623157e308, trace: "
        "true}\n",
        "runs: {budget: 7, rate: 0.30000000000000004, label: '', folder: \"a\\n\\\"b\\\" # \\x01\\u2028\"}\n",
        "runs: {budget: 7, rate: 2.2250738585072014e-308, label: 'null', method: tt, units: {a: [1, {b: "
        "''}]}}\n",
        "runs: {budget: 7, units: [], label: \"\xC3\xA9: \\\\\"}\n",
        "runs: {budget: 7, units: '5'}\n",
        "runs: {budget: 7, units: }\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct document *first = NULL, *second = NULL;
        struct settings before = {0}, after = {0};
        read_settings(texts[i], &first, &before);
        char *text = written(write_echo, &before);
        read_settings(text, &second, &after);
        assert_int_equal(before.budget, after.budget);
        assert_true(before.seed == after.seed);
        assert_true(before.rate == after.rate && before.cutoff == after.cutoff);
        assert_int_equal(before.trace, after.trace);
        assert_int_equal(before.method, after.method);
        assert_string_equal(before.folder, after.folder);
        assert_int_equal(before.label == NULL, after.label == NULL);
        if (before.label != NULL)
            assert_string_equal(before.label, after.label);
        assert_int_equal(before.units == NULL, after.units == NULL);
        char *again = written(write_echo, &after);
        assert_string_equal(text, again);
        free(text);
        free(again);
        document_free(first);
        document_free(second);
    }
}

static void echo_is_plain_yaml(void **state)
{
    (void)state;
    struct document *document = NULL;
    struct settings settings = {0};
    read_settings("runs: {budget: 7, rate: 0.1, units: [{layer: sn1, channels: [0, 1]}, all]}\n", &document,
                  &settings);
    char *text = written(write_echo, &settings);
    assert_string_equal(text, "runs:\n"
                              "  budget: 7\n"
                              "  seed: 0\n"
                              "  rate: 0.1\n"
                              "  cutoff: 10\n"
                              "  trace: false\n"
                              "  folder: \"results/my census\"\n"
                              "  method: tt_b\n"
                              "  units:\n"
                              "    - layer: sn1\n"
                              "      channels:\n"
                              "        - 0\n"
                              "        - 1\n"
                              "    - all\n");
    free(text);
    document_free(document);
}

static void manual_shows_every_key(void **state)
{
    (void)state;
    char *text = written(write_manual, NULL);
    assert_string_equal(text, "runs:\n"
                              "  # Queries a search may use [integer, 1 to 1000000 queries; required]\n"
                              "  budget: <required>\n"
                              "  # Seed of all random numbers [integer, any number; default 0]\n"
                              "  seed: 0\n"
                              "  # Learning rate [real, 0 to 1; default 0.05]\n"
                              "  rate: 0.05\n"
                              "  # Wall time [real, at least 0 s; default 10]\n"
                              "  cutoff: 10\n"
                              "  # Store every score [boolean; default false]\n"
                              "  trace: false\n"
                              "  # Free text [text; optional]\n"
                              "  # label: <text>\n"
                              "  # Where results go [text; default results/my census]\n"
                              "  folder: results/my census\n"
                              "  # Search method [one of tt, tt_b, random; default tt_b]\n"
                              "  method: tt_b\n"
                              "  # Which units [value; optional]\n"
                              "  # units: <value>\n");
    free(text);
}

/** Once the required keys are filled in, the manual is a file that gives the defaults. */
static void manual_reads_as_the_defaults(void **state)
{
    (void)state;
    char *text = written(write_manual, NULL);
    struct document *document = read_valid(text);
    struct settings from_manual = {0}, defaults = {0};
    struct error error = {0};
    const struct node *runs = node_find(document_root(document), "runs");
    assert_int_equal(keys_read(table, runs, "runs", &from_manual, &error), STATUS_BAD_INPUT);
    assert_non_null(strstr(error.message, "'runs.budget': expected an integer"));
    assert_int_equal(document_set(document, "runs.budget", "12", &error), STATUS_OK);
    assert_int_equal(keys_read(table, runs, "runs", &from_manual, &error), STATUS_OK);
    assert_int_equal(keys_read(table + 1, NULL, "runs", &defaults, &error), STATUS_OK);
    assert_int_equal(from_manual.budget, 12);
    assert_int_equal(from_manual.seed, defaults.seed);
    assert_true(from_manual.rate == defaults.rate && from_manual.cutoff == defaults.cutoff);
    assert_string_equal(from_manual.folder, defaults.folder);
    assert_int_equal(from_manual.method, defaults.method);
    assert_null(from_manual.label);
    assert_null(from_manual.units);
    free(text);
    document_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_and_defaults),
        cmocka_unit_test(takes_all_defaults_where_nothing_is_written),
        cmocka_unit_test(refuses_with_place_and_expectation),
        cmocka_unit_test(names_the_set_option_for_its_keys),
        cmocka_unit_test(calls_a_wrong_table_internal),
        cmocka_unit_test(echo_reads_back_as_the_same_settings),
        cmocka_unit_test(echo_is_plain_yaml),
        cmocka_unit_test(manual_shows_every_key),
        cmocka_unit_test(manual_reads_as_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
