/* SPDX-License-Identifier: MIT */
/* Job files: the key tables of every section, reading, echo, manual. */
#include <stdlib.h>
#include <string.h>

#include "campaign.h"
#include "keys.h"
#include "memory.h"
#include "shared/spending.h"
#include "trials.h"

/* ---- key tables ---- */

struct job_settings {
    const char *results, *isa;
    long long seed, shards, batch;
    bool trace;
    const struct node *subjects, *generators, *methods, *searches, *trials, *stop;
};

#define JOB_KEY(name, type, low, high, fallback, unit, choices, text)                                        \
    {                                                                                                        \
#name, type, offsetof(struct job_settings, name), low, high, fallback, unit, choices, text           \
    }

static const struct key job_keys[] = {
    JOB_KEY(
        results, KEY_TEXT, 0, 0, NULL, "", NULL,
        "folder for journals and results.h5, made if missing (paths are relative to the working directory)"),
    JOB_KEY(seed, KEY_INTEGER, 0, 9007199254740991, "0", "1", NULL,
            "with the run's names it makes the random key of every run"),
    JOB_KEY(shards, KEY_INTEGER, 1, 1000000, "1", "1", NULL, "array tasks; frozen with the first start"),
    JOB_KEY(batch, KEY_INTEGER, 1, 4096, "10", "runs", NULL,
            "runs that a worker advances together; results do not depend on it on the CPU"),
    JOB_KEY(isa, KEY_TEXT, 0, 0, "", "", NULL,
            "avx512, avx2, openblas, reference, amx (bf16x3), or cuda, cuda-tf32, cuda-bf16; the fastest in "
            "float32 of this processor if absent"),
    JOB_KEY(trace, KEY_BOOLEAN, 0, 0, "false", "", NULL,
            "store the score of every query in the results file, too"),
    JOB_KEY(subjects, KEY_NODE, 0, 0, "", "", NULL, "networks under study: name: {model, ...}"),
    JOB_KEY(generators, KEY_NODE, 0, 0, "", "", NULL, "image generators: name: {model}"),
    JOB_KEY(methods, KEY_NODE, 0, 0, "", "", NULL, "search methods: name: {settings}"),
    JOB_KEY(searches, KEY_NODE, 0, 0, "", "", NULL, "what is searched: a list of combinations"),
    JOB_KEY(trials, KEY_NODE, 0, 0, "", "", NULL, "repeated presentations of every finished MEI"),
    JOB_KEY(stop, KEY_NODE, 0, 0, "", "", NULL, "when a search ends before its budget"),
    {0}};

/** timesteps is a node: it may be absent, and no number may mean that. */
struct subject_settings {
    const char *model, *tensors, *natural;
    const struct node *timesteps, *neuron;
};

#define SUBJECT_KEY(name, type, low, high, fallback, unit, choices, text)                                    \
    {                                                                                                        \
#name, type, offsetof(struct subject_settings, name), low, high, fallback, unit, choices, text       \
    }

static const struct key subject_keys[] = {
    SUBJECT_KEY(model, KEY_TEXT, 0, 0, NULL, "", NULL, "model file"),
    SUBJECT_KEY(
        tensors, KEY_TEXT, 0, 0, "", "", NULL,
        "safetensors file, e.g. a checkpoint of a training; the one that the model file names if absent"),
    SUBJECT_KEY(timesteps, KEY_NODE, 0, 0, "", "time steps", NULL,
                "presentations of the image in a query, 1 to 100000; as in the model file if absent"),
    SUBJECT_KEY(neuron, KEY_NODE, 0, 0, "", "", NULL,
                "neuron constants that differ from the model file's, e.g. {tau: 3.0}"),
    SUBJECT_KEY(
        natural, KEY_TEXT, 0, 0, "", "", NULL,
        "natural.h5 of this subject, made by `meicensus natural`: the images that excite its units most "
        "go into the results"),
    {0}};

struct program_settings {
    const char *command;
    double timeout;
    long long restarts;
};

#define PROGRAM_KEY(name, type, low, high, fallback, unit, choices, text)                                    \
    {                                                                                                        \
#name, type, offsetof(struct program_settings, name), low, high, fallback, unit, choices, text       \
    }

static const struct key program_keys[] = {
    PROGRAM_KEY(command, KEY_TEXT, 0, 0, NULL, "", NULL,
                "a program that answers for the network, as the shell takes it; started once a rank"),
    PROGRAM_KEY(timeout, KEY_REAL, 0.01, 1e6, "60", "s", NULL, "for an answer, and for its start"),
    PROGRAM_KEY(restarts, KEY_INTEGER, 0, 1000, "3", "1", NULL,
                "of the program for one answer, where it dies or is too slow; then the run has failed"),
    {0}};

static const struct key generator_keys[] = {
    {"model", KEY_TEXT, offsetof(struct job_generator, model), 0, 0, NULL, "", NULL, "model file"}, {0}};

struct trial_settings {
    long long count;
    int noise;
    double scale;
};

#define TRIAL_KEY(name, type, low, high, fallback, unit, choices, text)                                      \
    {                                                                                                        \
#name, type, offsetof(struct trial_settings, name), low, high, fallback, unit, choices, text         \
    }

static const struct key trial_keys[] = {
    TRIAL_KEY(count, KEY_INTEGER, 1, 1000000, "100", "presentations", NULL, "repeated presentations"),
    TRIAL_KEY(noise, KEY_CHOICE, 0, 0, "carry_over", "", noise_names, "what differs between them"),
    TRIAL_KEY(scale, KEY_REAL, -1, 1000, "-1", "1", NULL,
              "strength of the noise; -1: the default of its kind"),
    {0}};

struct stop_settings {
    bool at_bound;
    const struct node *target;
    long long no_improvement;
    double seconds;
};

#define STOP_KEY(name, type, low, high, fallback, unit, choices, text)                                       \
    {                                                                                                        \
#name, type, offsetof(struct stop_settings, name), low, high, fallback, unit, choices, text          \
    }

static const struct key stop_keys[] = {
    STOP_KEY(at_bound, KEY_BOOLEAN, 0, 0, "true", "", NULL,
             "stop where a spiking unit cannot go further: at 1 (at 0 when minimising)"),
    STOP_KEY(target, KEY_NODE, 0, 0, "", "1", NULL, "stop once the activation has reached this number"),
    STOP_KEY(no_improvement, KEY_INTEGER, 0, 9007199254740991, "0", "queries", NULL,
             "stop after so many queries without improvement; 0: never"),
    STOP_KEY(seconds, KEY_REAL, 0, 1e9, "0", "s", NULL,
             "stop after this wall time (such results cannot be repeated exactly); 0: never"),
    {0}};

static const char *const unit_kinds[] = {"channel", "neuron", "class", NULL};
static const char *const modes[] = {"independent", "shared", NULL};

#define SEARCH_KEY(name, type, low, high, fallback, unit, choices, text)                                     \
    {                                                                                                        \
#name, type, offsetof(struct job_search, name), low, high, fallback, unit, choices, text             \
    }

static const struct key search_keys[] = {
    {"mode", KEY_CHOICE, offsetof(struct job_search, mode), 0, 0, "independent", "", modes,
     "independent: each unit is searched alone; shared: every image is shown to all units, and each learns "
     "from those that were bred for others"},
    SEARCH_KEY(subjects, KEY_NODE, 0, 0, "", "", NULL, "names; all if absent"),
    SEARCH_KEY(generators, KEY_NODE, 0, 0, "", "", NULL, "names; all if absent"),
    SEARCH_KEY(methods, KEY_NODE, 0, 0, "", "", NULL, "names; all if absent"),
    {"unit", KEY_CHOICE, offsetof(struct job_search, unit), 0, 0, "channel", "", unit_kinds,
     "what is maximised: a channel (mean over time, height, width), a single neuron, a class output"},
    SEARCH_KEY(layers, KEY_NODE, 0, 0, "", "", NULL, "layer names (see `list layers`); all if absent"),
    SEARCH_KEY(select, KEY_NODE, 0, 0, "", "", NULL,
               "channels or classes: [0, 3, 5-9]; neurons: [[channel, y, x], ...]; all if absent"),
    SEARCH_KEY(sample, KEY_INTEGER, 0, 9007199254740991, "0", "units", NULL,
               "take only so many of the selected units of each layer, evenly spread; 0: all"),
    SEARCH_KEY(budget, KEY_INTEGER, 1, 1000000000, NULL, "queries", NULL,
               "images a search may show; mode shared: all units together"),
    SEARCH_KEY(replicates, KEY_INTEGER, 1, 100000, "1", "1", NULL, "independent searches of each unit"),
    SEARCH_KEY(
        distinct, KEY_REAL, 0, 1e6, "0", "1", NULL,
        "weight w: replicate r looks for activation - w * closeness to the MEIs of replicates 0..r-1 of its "
        "unit (correlation of images, 0 to 1), one after the other; 0: replicates are independent"),
    SEARCH_KEY(minimise, KEY_BOOLEAN, 0, 0, "false", "", NULL,
               "find the most inhibiting image instead; without 'start' it begins at the unit's best natural "
               "image, where the subject has 'natural' and the generator an encoder"),
    {"start", KEY_NODE, offsetof(struct job_search, start_node), 0, 0, "", "", NULL,
     "codes that are shown first and told to the method; nothing if absent"},
    {"noise", KEY_NODE, offsetof(struct job_search, noise_node), 0, 0, "", "", NULL,
     "noise in every query of the search; none if absent"},
    {"recheck", KEY_NODE, offsetof(struct job_search, recheck_node), 0, 0, "", "", NULL,
     "present the best codes again before the winner is named; not if absent"},
    {"shared", KEY_NODE, offsetof(struct job_search, shared_node), 0, 0, "", "", NULL,
     "how units share their images, with 'mode: shared'"},
    {0}};

#define SHARED_KEY(name, type, low, high, fallback, unit, choices, text)                                     \
    {                                                                                                        \
#name, type, offsetof(struct job_shared, name), low, high, fallback, unit, choices, text             \
    }

static const struct key shared_keys[] = {
    SHARED_KEY(random, KEY_INTEGER, 1, 1000000000, "1000", "images", NULL,
               "of uniform random codes, which all units begin with, after the codes of 'start'"),
    SHARED_KEY(round, KEY_INTEGER, 1, 1000000, "500", "images", NULL,
               "between two exchanges of what was found; results depend on it, but not on ranks"),
    SHARED_KEY(elite, KEY_INTEGER, 1, 1000, "8", "codes", NULL,
               "best ones that are known of every unit, whoever they were bred for"),
    SHARED_KEY(spending, KEY_CHOICE, 0, 0, "bandit", "", spending_names,
               "which units get children: in turn; with pauses that double while nothing is gained; as a "
               "bandit chooses (Thompson sampling of gains)"),
    {0}};

/** carry_over is none of them: a query must not depend on the one before. */
static const char *const query_noise_names[] = {"none",  "initial_membrane", "membrane",
                                                "input", "poisson",          NULL};

struct noise_settings {
    int kind;
    double scale;
};

static const struct key noise_keys[] = {
    {"kind", KEY_CHOICE, offsetof(struct noise_settings, kind), 0, 0, "none", "", query_noise_names,
     "what differs between presentations, as in 'trials'; random numbers are of the run and the query"},
    {"scale", KEY_REAL, offsetof(struct noise_settings, scale), -1, 1000, "-1", "1", NULL,
     "strength of the noise; -1: the default of its kind"},
    {0}};

static const struct key recheck_keys[] = {
    {"candidates", KEY_INTEGER, offsetof(struct job_recheck, candidates), 0, 1000, "0", "codes", NULL,
     "codes with the best single scores; the one with the best mean becomes the MEI; 0: no recheck"},
    {"presentations", KEY_INTEGER, offsetof(struct job_recheck, presentations), 1, 100000, "10",
     "presentations", NULL, "further presentations of each, not counted as queries"},
    {0}};

#define START_KEY(name, type, low, high, fallback, unit, choices, text)                                      \
    {                                                                                                        \
#name, type, offsetof(struct job_start, name), low, high, fallback, unit, choices, text              \
    }

static const struct key start_keys[] = {
    START_KEY(results, KEY_TEXT, 0, 0, "", "", NULL,
              "results file of an earlier census with the same generator: the unit's best MEI in it"),
    START_KEY(subject, KEY_TEXT, 0, 0, "", "", NULL, "subject in that file; of the same name if absent"),
    START_KEY(generator, KEY_TEXT, 0, 0, "", "", NULL, "generator in that file; of the same name if absent"),
    START_KEY(method, KEY_TEXT, 0, 0, "", "", NULL, "method in that file; of the same name if absent"),
    START_KEY(neighbours, KEY_INTEGER, 0, 100000, "0", "units", NULL,
              "take the MEIs of so many most active other units of the layer in its place"),
    START_KEY(natural, KEY_INTEGER, 0, 1000, "0", "images", NULL,
              "the unit's best images of the subject's 'natural', through the generator's encoder"),
    START_KEY(
        codes, KEY_TEXT, 0, 0, "", "", NULL,
        "HDF5 file with codes for all units: dataset 'code' [n][d] and attribute 'generator_sha256', as "
        "`meicensus encode` writes them"),
    {0}};

/* ---- reading ---- */

static enum status check_name(const struct node *mapping, size_t i, const char *section, struct error *error)
{
    const char *name = mapping->names[i];
    const size_t length = strlen(name);
    if (length > 0 && length <= 64 &&
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == length &&
        name[0] != '.')
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s:%d: '%s' in '%s' cannot be a name: use up to 64 letters, digits, '_', '-', '.'",
                     mapping->file, mapping->name_lines[i], name, section);
}

static enum status check_section(const struct job *job, const struct node *node, const char *name,
                                 enum node_kind kind, struct error *error)
{
    const char *expected = kind == NODE_MAPPING ? "a mapping (name: {..})" : "a list (- {..})";
    if (node == NULL)
        return error_set(error, STATUS_BAD_INPUT, "%s: '%s' is missing: expected %s", job->path, name,
                         expected);
    if (node->kind != kind || node->n_items == 0)
        return node_error(node, error, "'%s' must be %s with at least one entry", name, expected);
    for (size_t i = 0; kind == NODE_MAPPING && i < node->n_items; i++)
        TRY(check_name(node, i, name, error));
    return STATUS_OK;
}

/** A subject that is a program says itself what a model file would say. */
static enum status read_program(const struct node *node, const char *name, struct job_subject *subject,
                                struct error *error)
{
    struct program_settings settings;
    for (const struct key *key = subject_keys; key->name != NULL; key++)
        if (node_find(node, key->name) != NULL)
            return node_error(node_find(node, key->name), error,
                              "subject '%s': '%s' is for model files, 'command' for programs; only one of "
                              "them can be meant",
                              name, key->name);
    TRY(keys_read(program_keys, node, name, &settings, error));
    *subject = (struct job_subject){.name = name,
                                    .program = {settings.command, settings.timeout, (int)settings.restarts}};
    return STATUS_OK;
}

static enum status read_subject(const struct node *node, const char *name, struct job_subject *subject,
                                struct error *error)
{
    struct subject_settings settings;
    if (node->kind == NODE_MAPPING && node_find(node, "command") != NULL)
        return read_program(node, name, subject, error);
    TRY(keys_read(subject_keys, node, name, &settings, error));
    *subject = (struct job_subject){.name = name,
                                    .model = settings.model,
                                    .tensors = settings.tensors,
                                    .neuron = settings.neuron,
                                    .natural = settings.natural};
    return settings.timesteps == NULL
               ? STATUS_OK
               : node_integer(settings.timesteps, "timesteps", 1, 100000, &subject->timesteps, error);
}

static enum status read_subjects(struct job *job, const struct node *node, struct error *error)
{
    TRY(check_section(job, node, "subjects", NODE_MAPPING, error));
    TRY(MEMORY_ALLOCATE(job->subjects, node->n_items, error));
    for (size_t i = 0; i < node->n_items; i++) {
        TRY(read_subject(node->items[i], node->names[i], &job->subjects[i], error));
        job->n_subjects++;
    }
    return STATUS_OK;
}

static enum status read_generators(struct job *job, const struct node *node, struct error *error)
{
    TRY(check_section(job, node, "generators", NODE_MAPPING, error));
    TRY(MEMORY_ALLOCATE(job->generators, node->n_items, error));
    for (size_t i = 0; i < node->n_items; i++) {
        TRY(keys_read(generator_keys, node->items[i], node->names[i], &job->generators[i], error));
        job->generators[i].name = node->names[i];
        job->n_generators++;
    }
    return STATUS_OK;
}

static enum status unknown_method(const struct node *node, const char *name, struct error *error)
{
    const char *names[64];
    size_t n = 0;
    for (; n < 63 && search_methods[n] != NULL; n++)
        names[n] = search_methods[n]->name;
    names[n] = NULL;
    const char *nearest = nearest_name(name, names);
    return node_error(node, error, "unknown method '%s'%s%s%s (see `meicensus list methods`)", name,
                      nearest == NULL ? "" : "; did you mean '", nearest == NULL ? "" : nearest,
                      nearest == NULL ? "" : "'?");
}

/** `name: {settings}`, or `name: {method: NAME, settings}` to use a method under another name. */
static enum status read_method(struct job_method *method, const char *name, const struct node *mapping,
                               struct error *error)
{
    static const char *const own_names[] = {"method", NULL};
    struct node settings;
    TRY(node_without(mapping, own_names, &settings, error));
    const struct node *named = node_find(mapping, "method");
    const char *method_name = name;
    enum status status = named == NULL ? STATUS_OK : node_text(named, "method", &method_name, error);
    method->name = name;
    if (status == STATUS_OK) {
        method->method = search_method_find(method_name);
        status = method->method == NULL
                     ? unknown_method(named == NULL ? mapping : named, method_name, error)
                     : search_settings_read(method->method, &settings, name, &method->settings, error);
    }
    node_release(&settings);
    return status;
}

static enum status read_methods(struct job *job, const struct node *node, struct error *error)
{
    TRY(check_section(job, node, "methods", NODE_MAPPING, error));
    TRY(MEMORY_ALLOCATE(job->methods, node->n_items, error));
    for (size_t i = 0; i < node->n_items; i++) {
        job->n_methods++;
        TRY(read_method(&job->methods[i], node->names[i], node->items[i], error));
    }
    return STATUS_OK;
}

static enum status read_start(const struct node *node, const char *section, struct job_start *start,
                              struct error *error)
{
    char name[96];
    snprintf(name, sizeof name, "%s.start", section);
    TRY(keys_read(start_keys, node, name, start, error));
    const bool names =
        start->subject != NULL || start->generator != NULL || start->method != NULL || start->neighbours > 0;
    if (names && start->results == NULL)
        return node_error(
            node, error, "'%s' says whose MEIs are meant, but not of which file: 'results' is missing", name);
    return STATUS_OK;
}

/** noise_kinds are those of trials. */
static int noise_of_queries(int choice)
{
    static const enum noise_kind kinds[] = {NOISE_NONE, NOISE_INITIAL_MEMBRANE, NOISE_MEMBRANE, NOISE_INPUT,
                                            NOISE_POISSON};
    return (int)kinds[choice];
}

static enum status read_noise(struct job_search *search, const char *section, struct error *error)
{
    struct noise_settings settings;
    char name[96];
    snprintf(name, sizeof name, "%s.noise", section);
    TRY(keys_read(noise_keys, search->noise_node, name, &settings, error));
    if (settings.scale < 0 && settings.scale != -1)
        return node_error(search->noise_node, error,
                          "'%s.scale' is %g, expected 0 or more (or -1 for the default)", name,
                          settings.scale);
    const int noise = noise_of_queries(settings.kind);
    search->noise =
        (struct job_trials){0, noise, settings.scale < 0 ? noise_default_scale(noise) : settings.scale};
    snprintf(name, sizeof name, "%s.recheck", section);
    return keys_read(recheck_keys, search->recheck_node, name, &search->recheck, error);
}

static bool is_same_sharing(const struct job_shared *a, const struct job_shared *b)
{
    return a->random == b->random && a->round == b->round && a->elite == b->elite &&
           a->spending == b->spending;
}

/** Who says how images are shared wants them shared. */
static enum status read_shared(struct job_search *search, const char *section, struct error *error)
{
    struct job_shared defaults;
    char name[96];
    snprintf(name, sizeof name, "%s.shared", section);
    TRY(keys_read(shared_keys, NULL, name, &defaults, error));
    TRY(keys_read(shared_keys, search->shared_node, name, &search->shared, error));
    if (search->mode == MODE_SHARED || is_same_sharing(&search->shared, &defaults))
        return STATUS_OK;
    return node_error(search->shared_node, error, "'%s' means nothing without 'mode: shared'", name);
}

static enum status read_searches(struct job *job, const struct node *node, struct error *error)
{
    char section[64];
    TRY(check_section(job, node, "searches", NODE_LIST, error));
    TRY(MEMORY_ALLOCATE(job->searches, node->n_items, error));
    for (size_t i = 0; i < node->n_items; i++) {
        snprintf(section, sizeof section, "searches[%zu]", i);
        TRY(keys_read(search_keys, node->items[i], section, &job->searches[i], error));
        job->searches[i].node = node->items[i];
        job->searches[i].first_budget = job->searches[i].budget;
        TRY(read_start(job->searches[i].start_node, section, &job->searches[i].start, error));
        TRY(read_noise(&job->searches[i], section, error));
        TRY(read_shared(&job->searches[i], section, error));
        job->n_searches++;
    }
    return STATUS_OK;
}

static enum status read_trials(struct job *job, const struct node *node, struct error *error)
{
    struct trial_settings settings;
    TRY(keys_read(trial_keys, node, "trials", &settings, error));
    if (settings.scale < 0 && settings.scale != -1)
        return node_error(node, error, "'trials.scale' is %g, expected 0 or more (or -1 for the default)",
                          settings.scale);
    job->trials =
        (struct job_trials){settings.count, settings.noise,
                            settings.scale < 0 ? noise_default_scale(settings.noise) : settings.scale};
    return STATUS_OK;
}

static enum status read_stop(struct job *job, const struct node *node, struct error *error)
{
    struct stop_settings settings;
    TRY(keys_read(stop_keys, node, "stop", &settings, error));
    job->stop = (struct job_stop){settings.at_bound, settings.target != NULL, 0, settings.no_improvement,
                                  settings.seconds};
    return settings.target == NULL
               ? STATUS_OK
               : node_real(settings.target, "stop.target", -1e30, 1e30, &job->stop.target, error);
}

static enum status read_job(struct job *job, struct error *error)
{
    struct job_settings settings;
    const struct node *root = document_root(job->document);
    if (root == NULL || root->kind != NODE_MAPPING)
        return error_set(error, STATUS_BAD_INPUT,
                         "%s: not a job file (expected keys such as 'results:'; see jobs/example.yaml)",
                         job->path);
    TRY(keys_read(job_keys, root, "", &settings, error));
    if (settings.results[0] == '\0')
        return node_error(node_find(root, "results"), error, "'results' is empty: expected a folder");
    job->results = settings.results;
    job->kernels = settings.isa;
    job->seed = settings.seed;
    job->shards = settings.shards;
    job->batch = settings.batch;
    job->trace = settings.trace;
    TRY(read_subjects(job, settings.subjects, error));
    TRY(read_generators(job, settings.generators, error));
    TRY(read_methods(job, settings.methods, error));
    TRY(read_searches(job, settings.searches, error));
    TRY(read_trials(job, settings.trials, error));
    return read_stop(job, settings.stop, error);
}

static enum status apply_set(struct document *document, const char *text, struct error *error)
{
    char path[512];
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof path)
        return error_set(error, STATUS_USAGE, "--set %s: expected key=value", text);
    memcpy(path, text, (size_t)(equals - text));
    path[equals - text] = '\0';
    return document_set(document, path, equals + 1, error);
}

/** Takes the document over. */
static enum status job_from_document(struct document *document, const char *path, const char *const *set,
                                     int n_set, struct job **result, struct error *error)
{
    struct job *job = NULL;
    enum status status = MEMORY_ALLOCATE(job, 1, error);
    if (status != STATUS_OK) {
        document_free(document);
        return status;
    }
    job->document = document;
    job->path = path;
    for (int i = 0; i < n_set && status == STATUS_OK; i++)
        status = apply_set(document, set[i], error);
    if (status == STATUS_OK)
        status = read_job(job, error);
    if (status != STATUS_OK) {
        job_free(job);
        return status;
    }
    *result = job;
    return STATUS_OK;
}

enum status job_read(const char *path, const char *const *set, int n_set, struct job **job,
                     struct error *error)
{
    struct document *document = NULL;
    TRY(document_read_file(path, &document, error));
    return job_from_document(document, path, set, n_set, job, error);
}

enum status job_read_text(const char *text, const char *name, struct job **job, struct error *error)
{
    struct document *document = NULL;
    TRY(document_read_text(text, name, &document, error));
    return job_from_document(document, name, NULL, 0, job, error);
}

void job_free(struct job *job)
{
    if (job == NULL)
        return;
    for (int i = 0; i < job->n_methods; i++)
        free(job->methods[i].settings);
    for (int i = 0; i < job->n_subjects; i++)
        free(job->subjects[i].description);
    free(job->subjects);
    free(job->generators);
    free(job->methods);
    free(job->searches);
    document_free(job->document);
    free(job);
}

/* ---- echo ---- */

static void echo_trials(const struct job *job, FILE *out)
{
    const struct trial_settings settings = {job->trials.count, job->trials.noise, job->trials.scale};
    fprintf(out, "trials:\n");
    keys_echo(trial_keys, &settings, 2, out);
}

static void echo_stop(const struct job *job, FILE *out)
{
    fprintf(out, "stop:\n  at_bound: %s\n", job->stop.at_bound ? "true" : "false");
    if (job->stop.has_target)
        fprintf(out, "  target: %.17g\n", job->stop.target);
    fprintf(out, "  no_improvement: %lld\n  seconds: %.17g\n", job->stop.no_improvement, job->stop.seconds);
}

static void echo_top(const struct job *job, bool all, FILE *out)
{
    const struct job_settings settings = {.results = job->results,
                                          .isa = job->kernels,
                                          .seed = job->seed,
                                          .shards = job->shards,
                                          .batch = job->batch,
                                          .trace = job->trace};
    struct key keys[sizeof job_keys / sizeof *job_keys] = {{0}};
    size_t n = 0;
    for (size_t i = 0; job_keys[i].name != NULL; i++)
        if (all || (strcmp(job_keys[i].name, "results") != 0 && strcmp(job_keys[i].name, "batch") != 0))
            keys[n++] = job_keys[i];
    keys_echo(keys, &settings, 0, out);
}

/** How patient we are with a program changes no result. */
static void echo_program(const struct job_subject *subject, bool all, FILE *out)
{
    const struct program_settings settings = {subject->program.command, subject->program.timeout,
                                              subject->program.restarts};
    const struct key command_only[] = {program_keys[0], {0}};
    keys_echo(all ? program_keys : command_only, &settings, 4, out);
}

static void echo_model(const struct job_subject *subject, FILE *out)
{
    const struct subject_settings settings = {.model = subject->model,
                                              .tensors = subject->tensors,
                                              .neuron = subject->neuron,
                                              .natural = subject->natural};
    keys_echo(subject_keys, &settings, 4, out);
    if (subject->timesteps > 0)
        fprintf(out, "    timesteps: %lld\n", subject->timesteps);
}

static void echo_subjects(const struct job *job, bool all, FILE *out)
{
    fprintf(out, "subjects:\n");
    for (int i = 0; i < job->n_subjects; i++) {
        fprintf(out, "  %s:\n", job->subjects[i].name);
        if (job->subjects[i].program.command != NULL)
            echo_program(&job->subjects[i], all, out);
        else
            echo_model(&job->subjects[i], out);
    }
}

/** How images are shared with every default, as results depend on it. */
static void echo_search(const struct job_search *search, FILE *out)
{
    struct key keys[sizeof search_keys / sizeof *search_keys] = {{0}};
    for (size_t i = 0; strcmp(search_keys[i].name, "shared") != 0; i++)
        keys[i] = search_keys[i];
    fprintf(out, "  -\n");
    keys_echo(keys, search, 4, out);
    if (search->mode != MODE_SHARED)
        return;
    fprintf(out, "    shared:\n");
    keys_echo(shared_keys, &search->shared, 6, out);
}

void job_echo(const struct job *job, bool all, FILE *out)
{
    echo_top(job, all, out);
    echo_subjects(job, all, out);
    fprintf(out, "generators:\n");
    for (int i = 0; i < job->n_generators; i++) {
        fprintf(out, "  %s:\n", job->generators[i].name);
        keys_echo(generator_keys, &job->generators[i], 4, out);
    }
    fprintf(out, "methods:\n");
    for (int i = 0; i < job->n_methods; i++) {
        fprintf(out, "  %s:\n    method: %s\n", job->methods[i].name, job->methods[i].method->name);
        keys_echo(job->methods[i].method->keys, job->methods[i].settings, 4, out);
    }
    fprintf(out, "searches:\n");
    for (int i = 0; i < job->n_searches; i++)
        echo_search(&job->searches[i], out);
    echo_trials(job, out);
    echo_stop(job, out);
}

/* ---- manual ---- */

static void document_methods(FILE *out)
{
    fprintf(
        out,
        "\nmethods:\n  # name: {settings}; `name: {method: tt_b, ...}` uses a method under another name\n");
    for (size_t i = 0; search_methods[i] != NULL; i++) {
        const struct search_method *method = search_methods[i];
        fprintf(out, "\n  # %s\n", method->summary);
        fprintf(out, method->keys[0].name == NULL ? "  %s: {}\n" : "  %s:\n", method->name);
        keys_document(method->keys, 4, out);
    }
}

/** Commented out: a job needs no program. */
static void document_programs(FILE *out)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    fprintf(out, "\n  # a program in place of a model file (README.md, Any black box):\n  # laboratory:\n");
    if (stream == NULL)
        return;
    keys_document(program_keys, 2, stream);
    fclose(stream);
    for (const char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        fprintf(out, "  # %s\n", line);
    free(text);
}

static void document_noises(FILE *out)
{
    fprintf(out, "  # kinds of noise, default scale:\n");
    for (int i = 0; noise_names[i] != NULL; i++)
        fprintf(out, "  #   %-17s %-5g %s\n", noise_names[i], noise_default_scale(i), noise_description(i));
}

static void document_searches(FILE *out)
{
    struct key plain[sizeof search_keys / sizeof *search_keys] = {{0}};
    for (size_t i = 0; strcmp(search_keys[i].name, "start") != 0; i++)
        plain[i] = search_keys[i];
    keys_document(plain, 4, out);
    fprintf(out, "    # codes that are shown first and told to the method, in this order\n    start:\n");
    keys_document(start_keys, 6, out);
    fprintf(out, "    # noise in every query of the search\n    noise:\n");
    keys_document(noise_keys, 6, out);
    fprintf(out, "    # present the best codes again before the winner is named\n    recheck:\n");
    keys_document(recheck_keys, 6, out);
    fprintf(out, "    # how units share their images, with mode: shared\n    shared:\n");
    keys_document(shared_keys, 6, out);
}

void job_document(FILE *out)
{
    static const char *const sections[] = {"subjects", "generators", "methods", "searches",
                                           "trials",   "stop",       NULL};
    struct key top[sizeof job_keys / sizeof *job_keys] = {{0}};
    size_t n = 0;
    for (size_t i = 0; job_keys[i].name != NULL; i++)
        if (strcmp(sections[0], job_keys[i].name) == 0)
            break;
        else
            top[n++] = job_keys[i];
    fprintf(out, "# Every key of a job file, with its meaning, unit, range and default.\n"
                 "# Printed by `meicensus list keys`. Paths are relative to the working directory.\n\n");
    keys_document(top, 0, out);
    fprintf(out, "\nsubjects:\n  spiking_resnet18:\n");
    keys_document(subject_keys, 4, out);
    document_programs(out);
    fprintf(out, "\ngenerators:\n  vq_vae:\n");
    keys_document(generator_keys, 4, out);
    document_methods(out);
    fprintf(out, "\nsearches:\n  -\n");
    document_searches(out);
    fprintf(out, "\ntrials:\n");
    document_noises(out);
    keys_document(trial_keys, 2, out);
    fprintf(out, "\nstop:\n");
    keys_document(stop_keys, 2, out);
}
