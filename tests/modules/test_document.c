/* SPDX-License-Identifier: MIT */
/** Documents: what is read, at which line; what is refused, with which message; `--set`. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "document.h"
#include "keys.h"

static const char JOB[] = "# a job\n"
                          "seed: 7\n"
                          "subjects:\n"
                          "  - name: resnet18\n"
                          "    steps: 20\n"
                          "  - name: \"quoted # text\"\n"
                          "trials: {count: 5, noise: carry_over}\n"
                          "note: |\n"
                          "  two\n"
                          "  lines\n";

static struct document *read_valid(const char *text)
{
    struct document *document = NULL;
    struct error error = {0};
    if (document_read_text(text, "job.yaml", &document, &error) != STATUS_OK)
        fail_msg("refused: %s", error.message);
    return document;
}

static void assert_refused(const char *text, const char *message)
{
    struct document *document = NULL;
    struct error error = {0};
    assert_int_equal(document_read_text(text, "job.yaml", &document, &error), STATUS_BAD_INPUT);
    assert_null(document);
    assert_int_equal(error.status, STATUS_BAD_INPUT);
    if (strstr(error.message, message) == NULL)
        fail_msg("expected '%s' in '%s'", message, error.message);
}

static char *repeat(const char *part, size_t count)
{
    size_t length = strlen(part);
    char *text = malloc(length * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * length, part, length);
    text[length * count] = '\0';
    return text;
}

static void reads_values_with_their_lines(void **state)
{
    (void)state;
    struct document *document = read_valid(JOB);
    const struct node *root = document_root(document);
    assert_int_equal(root->kind, NODE_MAPPING);
    assert_int_equal(root->n_items, 4);
    assert_string_equal(root->names[3], "note");
    assert_int_equal(root->name_lines[3], 8);
    assert_string_equal(root->file, "job.yaml");

    const struct node *subjects = node_find(root, "subjects");
    assert_int_equal(subjects->kind, NODE_LIST);
    assert_int_equal(subjects->n_items, 2);
    const struct node *steps = node_find(subjects->items[0], "steps");
    assert_string_equal(steps->text, "20");
    assert_int_equal(steps->line, 5);
    assert_false(steps->quoted);
    const struct node *name = node_find(subjects->items[1], "name");
    assert_string_equal(name->text, "quoted # text");
    assert_true(name->quoted);
    assert_string_equal(node_find(root, "note")->text, "two\nlines\n");
    assert_null(node_find(root, "absent"));
    assert_null(node_find(subjects, "name"));
    assert_null(node_find(NULL, "name"));
    document_free(document);
}

static void refuses_what_is_not_a_plain_tree(void **state)
{
    (void)state;
    const struct {
        const char *text, *message;
    } cases[] = {
        {"a: 1\nb: 2\n\na: 3\n", "job.yaml:4: duplicate key 'a' (first in line 1)"},
        {"a:\n  b: 1\n  'b': 2\n", "job.yaml:3: duplicate key 'b' (first in line 2)"},
        {"a: &x 1\n", "job.yaml:1: anchors"},
        {"a: &x {}\n", "job.yaml:1: anchors"},
        {"a: 1\nb: *a\n", "job.yaml:2: aliases"},
        {"*a : 1\n", "job.yaml:1: aliases"},
        {"a: !!int 1\n", "job.yaml:1: tags"},
        {"a: !mine [1]\n", "job.yaml:1: tags"},
        {"!!str a: 1\n", "job.yaml:1: tags"},
        {"a: 1\n---\nb: 1\n", "job.yaml:2: a second YAML document"},
        {"? [a]\n: 1\n", "job.yaml:1: a key must be a text"},
        {"? {a: 1}\n: 1\n", "job.yaml:1: a key must be a text"},
        {"a: 1\n\"\": 2\n", "job.yaml:2: an empty key"},
        {"?\n: 1\n", "job.yaml:1: an empty key"},
        {"a: [1,\n  2\nb: 3\n", "job.yaml:3: YAML syntax"},
        {"a: 'open\n", "that begins in line 1"},
        {"a: 1\n b: 2\n", "job.yaml:2: YAML syntax"},
        {"a:\n\t- 1\n", "job.yaml:2: YAML syntax"},
        {"a: \"x\\0y\"\n", "job.yaml:1: a NUL character"},
        {"\"\\0\": 1\n", "job.yaml:1: a NUL character"},
        {"a: 1\nb: \x01\n", "job.yaml:2: not a YAML text: control characters"},
        {"a: 1\nb: \xC3(\n", "job.yaml:2: not a YAML text"},
        {"\x7F"
         "ELF\x02\x01\x01",
         "job.yaml:1: not a YAML text"},
        {"", "job.yaml: empty"},
        {"# nothing\n", "job.yaml: empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, cases[i].message);
}

static void limits_levels(void **state)
{
    (void)state;
    char *open = repeat("[", 65), *close = repeat("]", 64), *blocks = repeat("- ", 100000);
    char text[200];
    snprintf(text, sizeof text, "%s%s", open + 1, close);
    document_free(read_valid(text));
    snprintf(text, sizeof text, "%s%s]", open, close);
    assert_refused(text, "more than 64 levels");
    assert_refused(blocks, "more than 64 levels");
    free(open);
    free(close);
    free(blocks);
}

static void limits_sizes(void **state)
{
    (void)state;
    char *many = repeat("- 1\n", 1000001), *large = repeat("# 345678\n12345", 16 * 1024 * 1024 / 14 + 1);
    char *key = repeat("k", 201), text[300];
    assert_refused(many, "more than 1000000 values");
    assert_refused(large, "larger than 16 MiB");
    snprintf(text, sizeof text, "%s: 1\n", key);
    assert_refused(text, "job.yaml:1: a key of more than 200 bytes");
    snprintf(text, sizeof text, "%s: 1\n", key + 1);
    document_free(read_valid(text));
    free(many);
    free(large);
    free(key);
}

/** Duplicates are found by sorting, so that a hostile mapping costs no quadratic time. */
static void finds_a_duplicate_among_many_keys(void **state)
{
    (void)state;
    enum { N_KEYS = 200000 };
    char *text = malloc(N_KEYS * 12 + 32);
    size_t length = 0;
    assert_non_null(text);
    for (int i = 0; i < N_KEYS; i++)
        length += (size_t)sprintf(text + length, "k%d: 1\n", i);
    document_free(read_valid(text));
    strcpy(text + length, "k77: 2\n");
    assert_refused(text, "job.yaml:200001: duplicate key 'k77' (first in line 78)");
    free(text);
}

static void write_bytes(const char *path, const void *bytes, size_t n_bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    assert_int_equal(fclose(file), 0);
}

static void reads_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_document.XXXXXX", path[64];
    struct document *document = NULL;
    struct error error = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/job.yaml", folder);
    assert_int_equal(document_read_file(path, &document, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "job.yaml: cannot be opened: No such file"));
    assert_int_equal(document_read_file(folder, &document, &error), STATUS_IO);
    assert_non_null(strstr(error.message, "directory"));

    write_bytes(path, "a: 1\nb: x\0y\n", 12);
    assert_int_equal(document_read_file(path, &document, &error), STATUS_BAD_INPUT);
    assert_non_null(strstr(error.message, "job.yaml:2: not a YAML text: control characters"));
    assert_null(document);

    write_bytes(path, JOB, sizeof JOB - 1);
    assert_int_equal(document_read_file(path, &document, &error), STATUS_OK);
    assert_string_equal(document_root(document)->file, path);
    document_free(document);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static struct node scalar(const char *text, bool quoted)
{
    return (struct node){.kind = NODE_SCALAR, .file = "job.yaml", .line = 3, .text = text, .quoted = quoted};
}

static void converts_integers_whole(void **state)
{
    (void)state;
    const char *const refused[] = {"",   "1e4", "10junk", "0x10", "1.0", "+5",   " 5",
                                   "5 ", "010", "-",      "--5",  "1_0", "five", "99999999999999999999"};
    const struct {
        const char *text;
        long long value;
    } taken[] = {
        {"0", 0}, {"-12", -12}, {"9223372036854775807", LLONG_MAX}, {"-9223372036854775808", LLONG_MIN}};
    struct error error = {0};
    long long value = 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct node node = scalar(refused[i], false);
        assert_int_equal(node_integer(&node, "budget", LLONG_MIN, LLONG_MAX, &value, &error),
                         STATUS_BAD_INPUT);
        assert_non_null(strstr(error.message, "job.yaml:3: 'budget': "));
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        struct node node = scalar(taken[i].text, false);
        assert_int_equal(node_integer(&node, "budget", LLONG_MIN, LLONG_MAX, &value, &error), STATUS_OK);
        assert_true(value == taken[i].value);
    }
    struct node node = scalar("5", true), list = {.kind = NODE_LIST, .file = "job.yaml", .line = 3};
    assert_int_equal(node_integer(&node, "budget", 0, 9, &value, &error), STATUS_BAD_INPUT);
    assert_non_null(strstr(error.message, "found the quoted text '5'"));
    assert_int_equal(node_integer(&list, "budget", 0, 9, &value, &error), STATUS_BAD_INPUT);
    assert_non_null(strstr(error.message, "found a list"));
    node.quoted = false;
    assert_int_equal(node_integer(&node, "budget", 6, 9, &value, &error), STATUS_BAD_INPUT);
    assert_string_equal(error.message, "job.yaml:3: 'budget': 5 is out of range; expected 6 to 9");
    assert_int_equal(node_integer(&node, "budget", 5, 5, &value, &error), STATUS_OK);
}

static void converts_reals_whole_and_finite(void **state)
{
    (void)state;
    const char *const refused[] = {"",     "nan", "inf", "-inf", ".inf", "NaN",   "1e999", "1e-999",
                                   "1.5s", "0x1", "1,5", "e",    ".",    "1 000", "--1",   "1e"};
    struct error error = {0};
    double value = 0.0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct node node = scalar(refused[i], false);
        assert_int_equal(node_real(&node, "tau", -1e300, 1e300, &value, &error), STATUS_BAD_INPUT);
    }
    struct node node = scalar("-2.5e-3", false);
    assert_int_equal(node_real(&node, "tau", -1.0, 1.0, &value, &error), STATUS_OK);
    assert_true(value == -2.5e-3);
    assert_int_equal(node_real(&node, "tau", 0.5, 1.0, &value, &error), STATUS_BAD_INPUT);
    assert_string_equal(error.message, "job.yaml:3: 'tau': -2.5e-3 is out of range; expected 0.5 to 1");
}

static void converts_booleans_and_texts(void **state)
{
    (void)state;
    struct error error = {0};
    bool flag = false;
    const char *text = NULL;
    struct node node = scalar("true", false);
    assert_int_equal(node_boolean(&node, "trace", &flag, &error), STATUS_OK);
    assert_true(flag);
    node.quoted = true;
    assert_int_equal(node_boolean(&node, "trace", &flag, &error), STATUS_BAD_INPUT);
    node = scalar("yes", false);
    assert_int_equal(node_boolean(&node, "trace", &flag, &error), STATUS_BAD_INPUT);
    assert_string_equal(error.message, "job.yaml:3: 'trace': expected true or false, found 'yes'");

    assert_int_equal(node_text(&node, "name", &text, &error), STATUS_OK);
    assert_string_equal(text, "yes");
    node = scalar("null", false);
    assert_int_equal(node_text(&node, "name", &text, &error), STATUS_BAD_INPUT);
    node = scalar("", false);
    assert_int_equal(node_text(&node, "name", &text, &error), STATUS_BAD_INPUT);
    node.quoted = true;
    assert_int_equal(node_text(&node, "name", &text, &error), STATUS_OK);
}

static void keeps_control_characters_out_of_messages(void **state)
{
    (void)state;
    char *word = repeat("\xC3\xA9\x1B", 100);
    struct node node = scalar(word + 2, false); /* so that the cut falls inside a character */
    struct error error = {0};
    bool flag;
    assert_int_equal(node_boolean(&node, "trace", &flag, &error), STATUS_BAD_INPUT);
    assert_null(strchr(error.message, 0x1B));
    assert_non_null(strstr(error.message, "\xC3\xA9?\xC3\xA9?"));
    assert_non_null(strstr(error.message, "...'"));
    assert_null(strstr(error.message, "\xC3...")); /* no half character */
    assert_true(strlen(error.message) < 150);
    free(word);
}

static void finds_the_nearest_name(void **state)
{
    (void)state;
    const char *const names[] = {"budget", "batch", "seed", "top", "T", "k", NULL};
    assert_string_equal(nearest_name("budgett", names), "budget");
    assert_string_equal(nearest_name("bugdet", names), "budget");
    assert_string_equal(nearest_name("Budget", names), "budget");
    assert_string_equal(nearest_name("otp", names), "top"); /* one swap, not two changes */
    assert_string_equal(nearest_name("sed", names), "seed");
    assert_null(nearest_name("temperature", names));
    assert_null(nearest_name("x", names));
    assert_null(nearest_name("", names));
    char *word = repeat("budget", 100);
    assert_null(nearest_name(word, names));
    free(word);
}

static void assert_set(struct document *document, const char *path, const char *value)
{
    struct error error = {0};
    if (document_set(document, path, value, &error) != STATUS_OK)
        fail_msg("--set %s=%s: %s", path, value, error.message);
}

static void sets_values_by_path(void **state)
{
    (void)state;
    struct document *document = read_valid(JOB);
    const struct node *root = document_root(document), *trials = node_find(root, "trials");
    const char *replaced = node_find(root, "seed")->text;
    assert_set(document, "seed", "8");
    assert_set(document, "trials.count", "[1, {a: 2}]");
    assert_set(document, "subjects.1.name", "vgg");
    assert_set(document, "new.deeper.still", "\"x\"");
    assert_set(document, "new.deeper.again", "");
    assert_set(document, "new.deeper.again.part", "1");
    assert_string_equal(node_find(root, "seed")->text, "8");
    assert_string_equal(node_find(root, "seed")->file, "--set seed");
    assert_string_equal(replaced, "7"); /* what was read before stays valid */
    assert_string_equal(node_find(node_find(trials, "count")->items[1], "a")->text, "2");
    assert_string_equal(node_find(trials, "noise")->text, "carry_over");
    assert_string_equal(node_find(node_find(root, "subjects")->items[1], "name")->text, "vgg");
    const struct node *deeper = node_find(node_find(root, "new"), "deeper");
    assert_true(node_find(deeper, "still")->quoted);
    assert_string_equal(node_find(node_find(deeper, "again"), "part")->text, "1");
    document_free(document);
}

static void refuses_sets_that_do_not_fit(void **state)
{
    (void)state;
    char *deep = repeat("a.", 65), *nested = repeat("[", 64), *wide = repeat("k", 201);
    const struct {
        const char *path, *value, *message;
    } cases[] = {
        {"subjects.2.name", "x",
         "--set subjects.2.name: '2' is no element of the list at job.yaml:4; expected a "
         "number from 0 to 1"},
        {"subjects.-1", "x", "'-1' is no element"},
        {"subjects.first", "x", "'first' is no element"},
        {"subjects.4294967296", "x", "'4294967296' is no element"},
        {"seed.x", "1", "--set seed.x: 'x' is asked of a single value ('7')"},
        {"a..b", "1", "--set a..b: an empty name"},
        {"", "1", "--set : an empty name"},
        {"a.", "1", "--set a.: an empty name"},
        {"a", "[1", "--set a:2: YAML syntax"},
        {"a", "*x", "--set a:1: aliases"},
        {"a", "{x: 1, x: 2}", "--set a:1: duplicate key 'x'"},
        {"a", "# x", "--set a: the value is only a comment"},
        {"a", nested, "--set a:1: lists and mappings are nested more than 64 levels"},
        {deep, "1", "the path is more than 64 levels deep"},
        {wide, "1", "a name of more than 200 bytes"},
    };
    struct document *document = read_valid(JOB);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = {0};
        assert_int_equal(document_set(document, cases[i].path, cases[i].value, &error), STATUS_BAD_INPUT);
        if (strstr(error.message, cases[i].message) == NULL)
            fail_msg("expected '%s' in '%s'", cases[i].message, error.message);
    }
    assert_int_equal(document_root(document)->n_items, 4); /* a refused --set changes nothing */
    document_free(document);
    free(deep);
    free(nested);
    free(wide);
}

static char *echo(const struct node *node)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    node_echo(node, 0, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_equal_trees(const struct node *a, const struct node *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->n_items, b->n_items);
    if (a->kind == NODE_SCALAR)
        assert_string_equal(a->text, b->text);
    for (size_t i = 0; i < a->n_items; i++) {
        if (a->kind == NODE_MAPPING)
            assert_string_equal(a->names[i], b->names[i]);
        assert_equal_trees(a->items[i], b->items[i]);
    }
}

static void echoes_a_tree_that_reads_back_equal(void **state)
{
    (void)state;
    const char *const texts[] = {
        JOB,
        "- [[], {}, [[1, [2]], {a: {b: [c]}}]]\n- - - x\n    - y\n-\n- k:\n- ''\n- '5'\n",
        "? 'a: b'\n: '# x'\n'- ': \"tab\\tquote\\\"slash\\\\bell\\a\"\nd: a\n  b\n\n  c\n",
        "[\"\\x85 \\u2028 \\u2029\\ufeff\\u00e9\\U0001F600\", \xC3\xA9, '---', '...', '-', 'null', ~, -.5, "
        "'%x', '@']\n",
        "'true': yes\n'[a]': '{b}'\n? '*x'\n: '&y'\n'!t': '| '\n\"lead \": ' both '\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct document *first = read_valid(texts[i]);
        char *text = echo(document_root(first));
        struct document *second = read_valid(text);
        assert_null(strstr(text, " \n"));
        assert_equal_trees(document_root(first), document_root(second));
        char *again = echo(document_root(second));
        assert_string_equal(text, again);
        document_free(first);
        document_free(second);
        free(text);
        free(again);
    }
}

static uint64_t next_random(uint64_t *random)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return *random >> 33;
}

/** Damaged copies of a job are read or refused with a message; what is read can be echoed and read again. */
static void survives_damaged_texts(void **state)
{
    (void)state;
    static const char inserts[] = "\n :-[]{},#&*!|>'\"%@`?\t\\\x01\xC3";
    uint64_t random = 1;
    size_t n_read = 0, n_refused = 0;
    for (int i = 0; i < 5000; i++) {
        char text[sizeof JOB];
        memcpy(text, JOB, sizeof JOB);
        for (uint64_t changes = 1 + next_random(&random) % 4; changes > 0; changes--)
            text[next_random(&random) % (sizeof JOB - 1)] =
                inserts[next_random(&random) % (sizeof inserts - 1)];
        struct document *document = NULL;
        struct error error = {0};
        if (document_read_text(text, "job.yaml", &document, &error) == STATUS_OK) {
            char *echoed = echo(document_root(document));
            struct document *second = read_valid(echoed);
            assert_equal_trees(document_root(document), document_root(second));
            document_free(second);
            free(echoed);
            n_read++;
        } else {
            assert_memory_equal(error.message, "job.yaml:", 9);
            n_refused++;
        }
        document_free(document);
    }
    assert_true(n_read > 500 && n_refused > 500); /* both ways are exercised */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_with_their_lines),
        cmocka_unit_test(refuses_what_is_not_a_plain_tree),
        cmocka_unit_test(limits_levels),
        cmocka_unit_test(limits_sizes),
        cmocka_unit_test(finds_a_duplicate_among_many_keys),
        cmocka_unit_test(reads_files),
        cmocka_unit_test(converts_integers_whole),
        cmocka_unit_test(converts_reals_whole_and_finite),
        cmocka_unit_test(converts_booleans_and_texts),
        cmocka_unit_test(keeps_control_characters_out_of_messages),
        cmocka_unit_test(finds_the_nearest_name),
        cmocka_unit_test(sets_values_by_path),
        cmocka_unit_test(refuses_sets_that_do_not_fit),
        cmocka_unit_test(echoes_a_tree_that_reads_back_equal),
        cmocka_unit_test(survives_damaged_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
