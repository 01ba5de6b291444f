/* SPDX-License-Identifier: MIT */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cJSON.h>

#include "../store/files.h"
#include "build_info.h"
#include "clock.h"
#include "memory.h"
#include "signals.h"
#include "start.h"

#define RUN_FILE   "run.json"
#define RUN_FORMAT "meicensus campaign"

enum { RUN_FORMAT_VERSION = 1 };

/* seconds that another start may take to extend the campaign */
static const double extension_patience = 10.0;

enum status folder_path(const char *folder, const char *name, char path[FOLDER_PATH_CAPACITY],
                        struct error *error)
{
    if (snprintf(path, FOLDER_PATH_CAPACITY, "%s/%s", folder, name) >= FOLDER_PATH_CAPACITY)
        return error_set(error, STATUS_BAD_INPUT, "%s: the path is too long", folder);
    return STATUS_OK;
}

/* ---- facts ---- */

static enum status echo_text(const struct job *job, bool all, char **text, struct error *error)
{
    char *written = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&written, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "the job cannot be written to memory");
    job_echo(job, all, stream);
    fclose(stream);
    enum status status = memory_copy_text(text, written, error);
    free(written);
    return status;
}

static void list_model(FILE *stream, const char *name, const char *path, const struct model *model)
{
    fprintf(stream, "%s  %s: %s\n", model_sha256(model), name, path);
    fprintf(stream, "%s  %s: %s\n", model_tensors_sha256(model), name, model_tensors_path(model));
}

static enum status list_starts(FILE *stream, const struct plan *plan, struct error *error)
{
    struct start_files files = {0};
    enum status status = start_files_list(plan, &files, error);
    for (size_t i = 0; i < files.n_items; i++)
        fprintf(stream, "%s  %s: %s\n", files.items[i].sha256, files.items[i].name, files.items[i].path);
    free(files.items);
    return status;
}

const char *subject_source(const struct job_subject *subject)
{
    return subject->model != NULL ? subject->model : "what the program says of itself";
}

static enum status list_weights(const struct plan *plan, char **text, struct error *error)
{
    char *written = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&written, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "the weights cannot be listed in memory");
    for (int i = 0; i < plan->job->n_subjects; i++)
        list_model(stream, plan->job->subjects[i].name, subject_source(&plan->job->subjects[i]),
                   plan->subjects[i].model);
    for (int i = 0; i < plan->job->n_generators; i++)
        list_model(stream, plan->job->generators[i].name, plan->job->generators[i].model,
                   plan->generators[i]);
    enum status status = list_starts(stream, plan, error);
    fclose(stream);
    if (status == STATUS_OK)
        status = memory_copy_text(text, written, error);
    free(written);
    return status;
}

static enum status list_descriptions(const struct plan *plan, char **text, struct error *error)
{
    cJSON *root = cJSON_CreateObject();
    for (int i = 0; i < plan->job->n_subjects; i++)
        if (model_description(plan->subjects[i].model) != NULL)
            cJSON_AddStringToObject(root, plan->job->subjects[i].name,
                                    model_description(plan->subjects[i].model));
    *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    return *text == NULL ? error_set(error, STATUS_INTERNAL, "descriptions: out of memory") : STATUS_OK;
}

enum status folder_facts_describe(const struct folder_facts *facts, struct job *job, struct error *error)
{
    cJSON *root = cJSON_Parse(facts->descriptions);
    enum status status = STATUS_OK;
    for (int i = 0; i < job->n_subjects && status == STATUS_OK; i++) {
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(root, job->subjects[i].name);
        if (job->subjects[i].model == NULL)
            status = cJSON_IsString(text)
                         ? memory_copy_text(&job->subjects[i].description, text->valuestring, error)
                         : error_set(error, STATUS_DAMAGED,
                                     "%s: the description of subject '%s' is missing: the file is damaged",
                                     RUN_FILE, job->subjects[i].name);
    }
    cJSON_Delete(root);
    return status;
}

static enum status make_digest(struct folder_facts *facts, struct error *error)
{
    char *all = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&all, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "the digest cannot be made in memory");
    fprintf(stream, "%s\n%s\n%s\n%s", facts->settings, facts->weights, facts->program_version,
            facts->code_revision);
    for (size_t i = 0; i < facts->n_earlier; i++)
        fprintf(stream, "\n%s", facts->earlier[i].digest);
    fclose(stream);
    enum status status = hash_bytes_sha256(all, strlen(all), facts->digest, error);
    free(all);
    return status;
}

enum status folder_facts_make(const struct plan *plan, struct folder_facts *facts, struct error *error)
{
    *facts = (struct folder_facts){.shards = plan->job->shards, .n_runs = plan->n_runs};
    TRY(echo_text(plan->job, true, &facts->job, error));
    TRY(echo_text(plan->job, false, &facts->settings, error));
    TRY(list_weights(plan, &facts->weights, error));
    TRY(list_descriptions(plan, &facts->descriptions, error));
    TRY(memory_copy_text(&facts->program_version, build_version, error));
    TRY(memory_copy_text(&facts->code_revision, build_code_revision, error));
    return make_digest(facts, error);
}

static void free_earlier(struct folder_facts *facts)
{
    for (size_t i = 0; i < facts->n_earlier; i++)
        free(facts->earlier[i].job);
    free(facts->earlier);
}

void folder_facts_free(struct folder_facts *facts)
{
    free(facts->job);
    free(facts->settings);
    free(facts->program_version);
    free(facts->code_revision);
    free(facts->weights);
    free_earlier(facts);
    free(facts->descriptions);
    *facts = (struct folder_facts){0};
}

/* ---- run.json ---- */

static enum status read_whole(const char *path, char **text, struct error *error)
{
    enum { LARGEST = 1 << 26 };
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return error_set_errno(error, errno == ENOENT ? STATUS_BAD_INPUT : STATUS_IO,
                               "%s: not the folder of a campaign", path);
    struct stat information;
    enum status status = STATUS_OK;
    if (fstat(fileno(stream), &information) != 0 || information.st_size > LARGEST)
        status = error_set(error, STATUS_BAD_INPUT, "%s: too large to be a campaign's", path);
    if (status == STATUS_OK)
        status = MEMORY_ALLOCATE(*text, (size_t)information.st_size + 1, error);
    if (status == STATUS_OK &&
        fread(*text, 1, (size_t)information.st_size, stream) != (size_t)information.st_size)
        status = error_set_errno(error, STATUS_IO, "%s: cannot be read", path);
    fclose(stream);
    if (status != STATUS_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}

static enum status take_text(const char *path, const cJSON *root, const char *name, char **text,
                             struct error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    if (!cJSON_IsString(item))
        return error_set(error, STATUS_DAMAGED, "%s: '%s' is missing: the file is damaged", path, name);
    return memory_copy_text(text, item->valuestring, error);
}

static enum status take_number(const char *path, const cJSON *root, const char *name, int64_t *value,
                               struct error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 0x1p53)
        return error_set(error, STATUS_DAMAGED, "%s: '%s' is missing: the file is damaged", path, name);
    *value = (int64_t)item->valuedouble;
    return STATUS_OK;
}

static enum status take_digest(const char *path, const cJSON *root, char digest[SHA256_TEXT_CAPACITY],
                               struct error *error)
{
    char *stored = NULL;
    TRY(take_text(path, root, "digest", &stored, error));
    snprintf(digest, SHA256_TEXT_CAPACITY, "%.64s", stored);
    free(stored);
    return STATUS_OK;
}

/** A campaign that was never extended has no such list. */
static enum status take_earlier(const char *path, const cJSON *root, struct folder_facts *facts,
                                struct error *error)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "earlier"), *item;
    if (list == NULL)
        return STATUS_OK;
    TRY(MEMORY_ALLOCATE(facts->earlier, (size_t)cJSON_GetArraySize(list), error));
    cJSON_ArrayForEach(item, list)
    {
        struct folder_stage *stage = &facts->earlier[facts->n_earlier++];
        TRY(take_text(path, item, "job", &stage->job, error));
        TRY(take_digest(path, item, stage->digest, error));
    }
    return STATUS_OK;
}

/** Folders of campaigns without programs have none. */
static enum status take_descriptions(const cJSON *root, struct folder_facts *facts, struct error *error)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, "descriptions");
    facts->descriptions = item == NULL ? strdup("{}") : cJSON_PrintUnformatted(item);
    return facts->descriptions == NULL ? error_set(error, STATUS_INTERNAL, "run.json: out of memory")
                                       : STATUS_OK;
}

static enum status take_facts(const char *path, const cJSON *root, struct folder_facts *facts,
                              struct error *error)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(root, "format");
    char digest[SHA256_TEXT_CAPACITY];
    int64_t version = 0;
    if (!cJSON_IsString(format) || strcmp(format->valuestring, RUN_FORMAT) != 0)
        return error_set(error, STATUS_BAD_INPUT, "%s: not a campaign's run.json", path);
    TRY(take_number(path, root, "format_version", &version, error));
    if (version != RUN_FORMAT_VERSION)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: format_version is %lld, this program knows version %d; go on with the one that "
                         "began it",
                         path, (long long)version, RUN_FORMAT_VERSION);
    TRY(take_text(path, root, "job", &facts->job, error));
    TRY(take_text(path, root, "settings", &facts->settings, error));
    TRY(take_text(path, root, "program_version", &facts->program_version, error));
    TRY(take_text(path, root, "code_revision", &facts->code_revision, error));
    TRY(take_text(path, root, "weights", &facts->weights, error));
    TRY(take_descriptions(root, facts, error));
    TRY(take_number(path, root, "shards", &facts->shards, error));
    TRY(take_number(path, root, "n_runs", &facts->n_runs, error));
    TRY(take_digest(path, root, digest, error));
    TRY(take_earlier(path, root, facts, error));
    TRY(make_digest(facts, error));
    return strcmp(digest, facts->digest) == 0
               ? STATUS_OK
               : error_set(error, STATUS_DAMAGED,
                           "%s: its digest does not match its content: the file is damaged", path);
}

enum status folder_facts_read(const char *folder, struct folder_facts *facts, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    char *text = NULL;
    *facts = (struct folder_facts){0};
    TRY(folder_path(folder, RUN_FILE, path, error));
    TRY(read_whole(path, &text, error));
    cJSON *root = cJSON_Parse(text);
    free(text);
    if (root == NULL)
        return error_set(error, STATUS_DAMAGED, "%s: not JSON: the file is damaged", path);
    enum status status = take_facts(path, root, facts, error);
    cJSON_Delete(root);
    if (status != STATUS_OK)
        folder_facts_free(facts);
    return status;
}

static void add_earlier(cJSON *root, const struct folder_facts *facts)
{
    cJSON *list = facts->n_earlier == 0 ? NULL : cJSON_AddArrayToObject(root, "earlier");
    for (size_t i = 0; i < facts->n_earlier; i++) {
        cJSON *stage = cJSON_CreateObject();
        cJSON_AddStringToObject(stage, "digest", facts->earlier[i].digest);
        cJSON_AddStringToObject(stage, "job", facts->earlier[i].job);
        cJSON_AddItemToArray(list, stage);
    }
}

static enum status facts_text(const struct folder_facts *facts, char **text, struct error *error)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "format", RUN_FORMAT);
    cJSON_AddNumberToObject(root, "format_version", RUN_FORMAT_VERSION);
    cJSON_AddStringToObject(root, "program_version", facts->program_version);
    cJSON_AddStringToObject(root, "code_revision", facts->code_revision);
    cJSON_AddStringToObject(root, "digest", facts->digest);
    cJSON_AddNumberToObject(root, "shards", (double)facts->shards);
    cJSON_AddNumberToObject(root, "n_runs", (double)facts->n_runs);
    cJSON_AddStringToObject(root, "weights", facts->weights);
    if (strcmp(facts->descriptions, "{}") != 0)
        cJSON_AddRawToObject(root, "descriptions", facts->descriptions);
    cJSON_AddStringToObject(root, "settings", facts->settings);
    cJSON_AddStringToObject(root, "job", facts->job);
    add_earlier(root, facts);
    *text = cJSON_Print(root);
    cJSON_Delete(root);
    return *text == NULL ? error_set(error, STATUS_INTERNAL, "run.json: out of memory") : STATUS_OK;
}

static enum status write_durable(int file, const char *path, const char *text, struct error *error)
{
    const size_t length = strlen(text);
    for (size_t done = 0; done < length;) {
        const ssize_t n = write(file, text + done, length - done);
        if (n < 0 && errno != EINTR)
            return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
        done += n < 0 ? 0 : (size_t)n;
    }
    if (fsync(file) != 0)
        return error_set_errno(error, STATUS_IO, "%s: cannot be made durable", path);
    return STATUS_OK;
}

/** Give `temporary` the name `path` unless that exists; a file system without hard links may replace it. */
static bool publish(const char *temporary, const char *path)
{
    const bool linked = link(temporary, path) == 0;
    const bool cannot_link = !linked && (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS);
    return linked || (cannot_link && rename(temporary, path) == 0);
}

/** A new file `<path>.<number>.part`. Processes of several machines, or containers, may have one number. */
static int create_own(const char *path, char temporary[FOLDER_PATH_CAPACITY + 32])
{
    int file = -1;
    errno = EEXIST;
    for (int attempt = 0; file < 0 && errno == EEXIST && attempt < 1000; attempt++) {
        snprintf(temporary, FOLDER_PATH_CAPACITY + 32, "%s.%ld.part", path, (long)getpid() + attempt);
        file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    }
    return file;
}

/** Publish run.json under its name only when it is whole; unless `replace`, only if no other start was first.
 */
static enum status publish_facts(const char *path, const struct folder_facts *facts, bool replace,
                                 struct error *error)
{
    char temporary[FOLDER_PATH_CAPACITY + 32];
    char *text = NULL;
    TRY(facts_text(facts, &text, error));
    const int file = create_own(path, temporary);
    enum status status = file < 0 ? error_set_errno(error, STATUS_IO, "%s: cannot be created", temporary)
                                  : write_durable(file, temporary, text, error);
    free(text);
    if (file >= 0)
        close(file);
    if (status == STATUS_OK && !(replace ? rename(temporary, path) == 0 : publish(temporary, path)) &&
        errno != EEXIST)
        status = error_set_errno(error, STATUS_IO, "%s: cannot be created", path);
    unlink(temporary);
    return status;
}

void folder_first_difference(const char *a, const char *b, char line_a[FOLDER_LINE_CAPACITY],
                             char line_b[FOLDER_LINE_CAPACITY])
{
    while (*a != '\0' && *b != '\0') {
        const size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (n != m || strncmp(a, b, n) != 0)
            break;
        a += n + (a[n] == '\n');
        b += m + (b[m] == '\n');
    }
    a += strspn(a, " ");
    b += strspn(b, " ");
    snprintf(line_a, FOLDER_LINE_CAPACITY, "%.*s", (int)strcspn(a, "\n"), a);
    snprintf(line_b, FOLDER_LINE_CAPACITY, "%.*s", (int)strcspn(b, "\n"), b);
}

static enum status compare_texts(const char *folder, const char *what, const char *there, const char *here,
                                 struct error *error)
{
    char line_there[FOLDER_LINE_CAPACITY], line_here[FOLDER_LINE_CAPACITY];
    if (strcmp(there, here) == 0)
        return STATUS_OK;
    folder_first_difference(there, here, line_there, line_here);
    return error_set(
        error, STATUS_MISMATCH,
        "%s holds a campaign with %s: there '%s', here '%s'; name another folder with 'results', or go on "
        "with what the campaign was started with (`run --extend` takes larger budgets, more trials and more "
        "replicates, and nothing else)",
        folder, what, line_there, line_here);
}

/** Both are of one code version and have the same weights. */
static enum status compare_circumstances(const char *folder, const struct folder_facts *there,
                                         const struct folder_facts *here, struct error *error)
{
    const bool same_programs = strcmp(there->descriptions, here->descriptions) == 0;
    TRY(compare_texts(folder, same_programs ? "other weights" : "a subject that described itself otherwise",
                      there->weights, here->weights, error));
    TRY(compare_texts(folder, "another version of meicensus", there->program_version, here->program_version,
                      error));
    return compare_texts(folder, "another code revision of meicensus", there->code_revision,
                         here->code_revision, error);
}

/** What the campaign was earlier is known from its folder alone. */
static enum status take_over_earlier(struct folder_facts *there, struct folder_facts *here,
                                     struct error *error)
{
    here->earlier = there->earlier;
    here->n_earlier = there->n_earlier;
    there->earlier = NULL;
    there->n_earlier = 0;
    return make_digest(here, error);
}

static enum status compare_facts(const char *folder, struct folder_facts *facts, struct error *error)
{
    struct folder_facts there;
    TRY(folder_facts_read(folder, &there, error));
    enum status status = compare_texts(folder, "another job", there.settings, facts->settings, error);
    if (status == STATUS_OK)
        status = compare_circumstances(folder, &there, facts, error);
    if (status == STATUS_OK)
        status = take_over_earlier(&there, facts, error);
    folder_facts_free(&there);
    return status;
}

/* ---- extensions ---- */

static enum status check_growth(const char *folder, const char *what, long long there, long long here,
                                struct error *error)
{
    if (here >= there)
        return STATUS_OK;
    return error_set(error, STATUS_MISMATCH,
                     "%s holds a campaign with %s %lld, and an extension cannot make it less (%lld)", folder,
                     what, there, here);
}

/** Nothing but sizes differs: with the sizes of the new job the old one is the new one. */
static enum status compare_grown(const char *folder, struct job *there, const struct job *here,
                                 const char *settings, struct error *error)
{
    char *grown = NULL;
    there->trials.count = here->trials.count;
    for (int i = 0; i < there->n_searches && i < here->n_searches; i++) {
        there->searches[i].budget = here->searches[i].budget;
        there->searches[i].replicates = here->searches[i].replicates;
    }
    TRY(echo_text(there, false, &grown, error));
    enum status status = compare_texts(folder, "another job", grown, settings, error);
    free(grown);
    return status;
}

static enum status check_extension(const char *folder, const struct folder_facts *there,
                                   const struct folder_facts *here, struct error *error)
{
    struct job *old = NULL, *new = NULL;
    enum status status = STATUS_OK;
    TRY_CLEANUP(compare_circumstances(folder, there, here, error));
    TRY_CLEANUP(job_read_text(there->job, "run.json", &old, error));
    TRY_CLEANUP(job_read_text(here->job, "the job", &new, error));
    TRY_CLEANUP(check_growth(folder, "trials.count", old->trials.count, new->trials.count, error));
    for (int i = 0; i < old->n_searches && i < new->n_searches; i++) {
        TRY_CLEANUP(
            check_growth(folder, "a budget of", old->searches[i].budget, new->searches[i].budget, error));
        TRY_CLEANUP(check_growth(folder, "replicates", old->searches[i].replicates,
                                 new->searches[i].replicates, error));
    }
    status = compare_grown(folder, old, new, here->settings, error);
cleanup:
    job_free(old);
    job_free(new);
    return status;
}

/** What is there becomes the last of the earlier stages of what is here. */
static enum status add_stage(struct folder_facts *there, struct folder_facts *here, struct error *error)
{
    const size_t n = there->n_earlier;
    TRY(MEMORY_ALLOCATE(here->earlier, n + 1, error));
    for (size_t i = 0; i < n; i++)
        here->earlier[i] = there->earlier[i];
    there->n_earlier = 0; /* their texts have moved */
    here->n_earlier = n;
    TRY(memory_copy_text(&here->earlier[n].job, there->job, error));
    memcpy(here->earlier[n].digest, there->digest, sizeof there->digest);
    here->n_earlier = n + 1;
    return make_digest(here, error);
}

static enum status extend_facts(const char *folder, const char *path, struct folder_facts *facts,
                                struct error *error)
{
    struct folder_facts there;
    TRY(folder_facts_read(folder, &there, error));
    enum status status = STATUS_OK;
    if (strcmp(there.settings, facts->settings) == 0)
        goto cleanup;
    TRY_CLEANUP(check_extension(folder, &there, facts, error));
    TRY_CLEANUP(add_stage(&there, facts, error));
    TRY_CLEANUP(publish_facts(path, facts, /*replace=*/true, error));
    status = folder_sync(folder, error);
cleanup:
    folder_facts_free(&there);
    return status;
}

/** One start at a time; all others then find what it made. */
static enum status extend_folder(const char *folder, const char *path, const struct folder_facts *facts,
                                 struct error *error)
{
    struct folder_facts extended = *facts;
    int lock = -1;
    TRY(folder_lock(folder, "run.lock", extension_patience, &lock, error));
    enum status status = extend_facts(folder, path, &extended, error);
    folder_unlock(lock);
    free_earlier(&extended);
    return status;
}

enum status folder_first_budgets(const struct folder_facts *facts, struct job *job, struct error *error)
{
    struct job *first = NULL;
    if (facts->n_earlier == 0)
        return STATUS_OK;
    TRY(job_read_text(facts->earlier[0].job, "run.json", &first, error));
    for (int i = 0; i < job->n_searches && i < first->n_searches; i++)
        job->searches[i].first_budget = first->searches[i].budget;
    job_free(first);
    return STATUS_OK;
}

/* ---- the folder ---- */

enum status folder_make(const char *path, struct error *error)
{
    char part[FOLDER_PATH_CAPACITY];
    const size_t length = strlen(path);
    if (length >= sizeof part)
        return error_set(error, STATUS_BAD_INPUT, "%s: the path is too long", path);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0777) == 0)
            TRY(folder_of_file_sync(part, error));
        else if (errno != EEXIST)
            return error_set_errno(error, STATUS_IO, "%s: the folder cannot be made", part);
    }
    return STATUS_OK;
}

enum status folder_prepare(const char *folder, bool extend, struct folder_facts *facts, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY], journals[FOLDER_PATH_CAPACITY];
    TRY(folder_path(folder, RUN_FILE, path, error));
    TRY(folder_path(folder, "journal", journals, error));
    TRY(folder_make(journals, error));
    if (access(path, F_OK) != 0) {
        TRY(publish_facts(path, facts, /*replace=*/false, error));
        TRY(folder_sync(folder, error));
    }
    if (extend)
        TRY(extend_folder(folder, path, facts, error));
    return compare_facts(folder, facts, error);
}

/* ---- locks ---- */

static void tell_holder(int file)
{
    char text[256], host[128] = "?", date[CLOCK_DATE_CAPACITY];
    gethostname(host, sizeof host - 1);
    clock_date(date);
    const int length =
        snprintf(text, sizeof text, "process %ld on %s since %s\n", (long)getpid(), host, date);
    if (ftruncate(file, 0) != 0 || pwrite(file, text, (size_t)length, 0) != length)
        return; /* the lock holds all the same; only its holder stays unnamed */
}

/** Another process holds the lock: say who. */
static enum status refuse(int file, const char *path, struct error *error)
{
    char holder[200] = "";
    if (pread(file, holder, sizeof holder - 1, 0) > 0)
        holder[strcspn(holder, "\n")] = '\0';
    return error_set(error, STATUS_INCOMPLETE, "%s is held by %s: wait until it has ended, or stop it", path,
                     holder[0] == '\0' ? "another process" : holder);
}

/** A file system without locks: two starts then do the same work twice, with equal results. */
static bool has_no_locks(int reason)
{
    return reason == ENOLCK || reason == EOPNOTSUPP || reason == ENOSYS;
}

/** Open the file and hold it, unless somebody else does, or who did has deleted it meanwhile. *file < 0: it
 * cannot be opened. */
static bool take_lock(const char *path, int *file)
{
    struct stat information;
    if (*file >= 0)
        close(*file);
    *file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*file < 0 || (flock(*file, LOCK_EX | LOCK_NB) != 0 && !has_no_locks(errno)))
        return false;
    return fstat(*file, &information) == 0 && information.st_nlink > 0;
}

enum status folder_lock(const char *folder, const char *name, double seconds, int *lock, struct error *error)
{
    char path[FOLDER_PATH_CAPACITY];
    const double until = clock_seconds() + seconds;
    int file = -1;
    enum status status = folder_path(folder, name, path, error);
    while (status == STATUS_OK && !take_lock(path, &file)) {
        if (file < 0)
            status = error_set_errno(error, STATUS_IO, "%s: cannot be opened", path);
        else if (signals_arrived())
            status =
                error_set(error, STATUS_STOPPED,
                          "stopped by a signal, while others held %s; start the same command again", path);
        else if (clock_seconds() > until)
            status = refuse(file, path, error);
        else
            clock_sleep(0.1);
    }
    if (status == STATUS_OK) {
        tell_holder(file);
        *lock = file;
    } else if (file >= 0) {
        close(file);
    }
    return status;
}

void folder_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

enum status folder_replace(const char *path, const char *text, struct error *error)
{
    char temporary[FOLDER_PATH_CAPACITY + 32];
    snprintf(temporary, sizeof temporary, "%s.%ld.part", path, (long)getpid());
    FILE *stream = fopen(temporary, "wb");
    if (stream == NULL)
        return error_set_errno(error, STATUS_IO, "%s: cannot be created", temporary);
    const bool written = fputs(text, stream) >= 0;
    if (fclose(stream) != 0 || !written || rename(temporary, path) != 0) {
        unlink(temporary);
        return error_set_errno(error, STATUS_IO, "%s: cannot be written", path);
    }
    return STATUS_OK;
}
