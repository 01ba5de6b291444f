/* SPDX-License-Identifier: MIT */
/** The folder of a campaign, on a file system of this test's choice: fsync is its own. */
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include <sys/stat.h>

#include "campaign_fixture.h"

#include "../../src/campaign/folder.h"

static const char job_text[] = FIXTURE_MODELS "methods: {random: {}}\n"
                                              "searches: [{layers: [sn1], select: [3], budget: 8}]\n"
                                              "trials: {count: 2}\n";

/** What fsync does: of folders it can be unknown; the last ones that it was asked for. */
static struct {
    bool knows_folders;
    int n_folders;
    char folders[8][PATH_MAX];
} disk;

int fsync(int file)
{
    char link[64];
    struct stat information;
    if (fstat(file, &information) != 0 || !S_ISDIR(information.st_mode))
        return fdatasync(file);
    if (!disk.knows_folders) {
        errno = EINVAL;
        return -1;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    char *path = disk.folders[disk.n_folders++ % 8];
    const ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = '\0';
    return 0;
}

static bool was_synced(const char *folder)
{
    for (int i = 0; i < disk.n_folders && i < 8; i++)
        if (strcmp(disk.folders[i], folder) == 0)
            return true;
    return false;
}

static struct fixture shared;
static char root[64];

static int open_shared(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/meicensus-folder-XXXXXX");
    fixture_open(&shared, job_text);
    return mkdtemp(root) == NULL;
}

static int close_shared(void **state)
{
    char command[128];
    (void)state;
    fixture_close(&shared);
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void prepare(const char *folder)
{
    struct error error = {0};
    struct folder_facts facts;
    require(folder_facts_make(shared.plan, &facts, &error), &error);
    require(folder_prepare(folder, /*extend=*/false, &facts, &error), &error);
    folder_facts_free(&facts);
}

static void test_file_systems_without_fsync_of_folders(void **state)
{
    char folder[128];
    (void)state;
    disk.knows_folders = false;
    snprintf(folder, sizeof folder, "%s/plain", root);
    prepare(folder);
}

static void test_names_of_new_folders_are_durable(void **state)
{
    char folder[128], above[128];
    (void)state;
    disk.knows_folders = true;
    disk.n_folders = 0;
    snprintf(above, sizeof above, "%s/above", root);
    snprintf(folder, sizeof folder, "%s/above/below", root);
    prepare(folder);
    assert_true(was_synced(root));
    assert_true(was_synced(above));
    assert_true(was_synced(folder));
}

/** A process of another machine may have this one's number. */
static void test_a_part_of_somebody_else_is_left_alone(void **state)
{
    char folder[128], path[256], text[8] = "";
    (void)state;
    disk.knows_folders = true;
    snprintf(folder, sizeof folder, "%s/busy", root);
    assert_int_equal(mkdir(folder, 0777), 0);
    snprintf(path, sizeof path, "%s/run.json.%ld.part", folder, (long)getpid());
    FILE *part = fopen(path, "w+");
    fputs("theirs", part);
    fflush(part);
    prepare(folder);
    assert_int_equal(access(path, F_OK), 0);
    rewind(part);
    assert_non_null(fgets(text, sizeof text, part));
    assert_string_equal(text, "theirs");
    fclose(part);
}

static void test_campaigns_of_another_format_are_refused(void **state)
{
    char folder[128], command[512];
    struct folder_facts facts;
    struct error error = {0};
    (void)state;
    disk.knows_folders = true;
    snprintf(folder, sizeof folder, "%s/later", root);
    prepare(folder);
    require(folder_facts_read(folder, &facts, &error), &error);
    folder_facts_free(&facts);
    snprintf(command, sizeof command, "sed -i 's/\\(\"format_version\":[^0-9]*\\)[0-9]*/\\1987/' %s/run.json",
             folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(folder_facts_read(folder, &facts, &error), STATUS_BAD_INPUT);
    assert_non_null(
        strstr(error.message, "later/run.json: format_version is 987, this program knows version "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_systems_without_fsync_of_folders),
        cmocka_unit_test(test_names_of_new_folders_are_durable),
        cmocka_unit_test(test_a_part_of_somebody_else_is_left_alone),
        cmocka_unit_test(test_campaigns_of_another_format_are_refused),
    };
    return cmocka_run_group_tests(tests, open_shared, close_shared);
}
