/* SPDX-License-Identifier: MIT */
/* Start codes that are MEIs of an earlier census. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hdf5_arrays.h"
#include "memory.h"
#include "results.h"
#include "start_codes.h"

/** A unit of the earlier census, and its best replicate. */
struct found_unit {
    const char *layer;
    int kind, channel, y, x;
    double merit;    /**< activation of the MEI, negative where it was minimised; -INFINITY: it has none */
    int64_t code;    /**< row of all codes of the file */
    int64_t in_pool; /**< row of the pool, or -1 */
};

/** A group of an earlier results file; arrays as in results.h. */
struct earlier {
    struct start_codes *codes;
    const char *path;
    char group[256], units[160]; /**< paths in the file */
    int64_t n_units, n_replicates, n_dimensions, n_listed;
    int32_t *latent, *unit, *channel, *y, *x;
    float *activation;
    uint8_t *status, *kind;
    char (*layer)[RECORD_TEXT_BYTES];
    struct found_unit *found; /**< [n_units], by name */
    struct found_unit *best;  /**< [n_units], of each layer and kind the most active first */
};

/* ---- reading ---- */

static enum status read_values(const struct earlier *earlier, const char *group, const char *name,
                               enum record_type type, int n_dimensions, int64_t *shape, void *values,
                               struct error *error)
{
    char dataset[320];
    snprintf(dataset, sizeof dataset, "%s/%s", group, name);
    return hdf5_values_read(earlier->path, dataset, type, n_dimensions, shape, values, error);
}

static enum status read_runs(struct earlier *earlier, struct error *error)
{
    int64_t shape[] = {-1, -1, earlier->codes->group->layout.sizes.dimensions};
    TRY(read_values(earlier, earlier->group, "latent", RECORD_INT32, 3, shape, &earlier->latent, error));
    earlier->n_units = shape[0];
    earlier->n_replicates = shape[1];
    earlier->n_dimensions = shape[2];
    TRY(read_values(earlier, earlier->group, "activation", RECORD_FLOAT32, 2, shape, &earlier->activation,
                    error));
    TRY(read_values(earlier, earlier->group, "status", RECORD_UINT8, 2, shape, &earlier->status, error));
    return read_values(earlier, earlier->group, RESULTS_UNIT, RECORD_INT32, 1, shape, &earlier->unit, error);
}

static enum status read_units(struct earlier *earlier, struct error *error)
{
    int64_t shape[] = {-1};
    TRY(read_values(earlier, earlier->units, RESULTS_LAYER, RECORD_TEXT, 1, shape, &earlier->layer, error));
    earlier->n_listed = shape[0];
    TRY(read_values(earlier, earlier->units, RESULTS_KIND, RECORD_UINT8, 1, shape, &earlier->kind, error));
    TRY(read_values(earlier, earlier->units, RESULTS_CHANNEL, RECORD_INT32, 1, shape, &earlier->channel,
                    error));
    TRY(read_values(earlier, earlier->units, RESULTS_Y, RECORD_INT32, 1, shape, &earlier->y, error));
    return read_values(earlier, earlier->units, RESULTS_X, RECORD_INT32, 1, shape, &earlier->x, error);
}

static enum status check_format(const char *path, struct error *error)
{
    char *format = NULL;
    double version;
    TRY(hdf5_attribute_text(path, "/", "format", &format, error));
    const bool is_results = strcmp(format, RESULTS_FORMAT) == 0;
    free(format);
    if (!is_results)
        return error_set(error, STATUS_BAD_INPUT, "%s: no results file of a census", path);
    TRY(hdf5_attribute_number(path, "/", "format_version", &version, error));
    if (version != RESULTS_FORMAT_VERSION)
        return error_set(
            error, STATUS_BAD_INPUT,
            "%s: format_version is %g, this program reads version %d; gather its folder again with "
            "this program, or start without it",
            path, version, RESULTS_FORMAT_VERSION);
    return STATUS_OK;
}

static enum status check_place(const struct earlier *earlier, struct error *error)
{
    const struct job_start *start = &earlier->codes->group->start;
    char dataset[320];
    TRY(check_format(earlier->path, error));
    snprintf(dataset, sizeof dataset, "%s/latent", earlier->group);
    if (hdf5_dataset_exists(earlier->path, dataset))
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: holds no searches of %s/%s/%s; say whose MEIs are meant with 'start.subject', "
                     "'start.generator' and 'start.method'",
                     earlier->path, start->subject, start->generator, start->method);
}

/** Both files of the generator must be among those that the earlier census lists under its name. */
static enum status check_generator(const struct earlier *earlier, struct error *error)
{
    const struct plan *plan = earlier->codes->plan;
    const int generator = earlier->codes->group->generator;
    const char *const wanted[] = {model_sha256(plan->generators[generator]),
                                  model_tensors_sha256(plan->generators[generator])};
    char(*names)[RECORD_TEXT_BYTES] = NULL, (*sha256)[RECORD_TEXT_BYTES] = NULL;
    int64_t shape[] = {-1};
    int n_equal = 0;
    enum status status;
    TRY_CLEANUP(
        read_values(earlier, RESULTS_PROVENANCE "/weights", "name", RECORD_TEXT, 1, shape, &names, error));
    TRY_CLEANUP(
        read_values(earlier, RESULTS_PROVENANCE "/weights", "sha256", RECORD_TEXT, 1, shape, &sha256, error));
    for (int w = 0; w < 2; w++)
        for (int64_t i = 0; i < shape[0]; i++)
            if (strncmp(names[i], earlier->codes->group->start.generator, RECORD_TEXT_BYTES) == 0 &&
                strncmp(sha256[i], wanted[w], RECORD_TEXT_BYTES) == 0) {
                n_equal++;
                break;
            }
    if (n_equal < 2)
        status =
            error_set(error, STATUS_BAD_INPUT,
                      "%s: its '%s' is another generator (SHA-256): '%s' of the job has %s (model file) and "
                      "%s (tensors)",
                      earlier->path, earlier->codes->group->start.generator,
                      plan->job->generators[generator].name, wanted[0], wanted[1]);
cleanup:
    free(names);
    free(sha256);
    return status;
}

/* ---- its units ---- */

static int compare_names(const void *a, const void *b)
{
    const struct found_unit *u = a, *v = b;
    const int layers = strcmp(u->layer, v->layer);
    const int differences[] = {layers, u->kind - v->kind, u->channel - v->channel, u->y - v->y, u->x - v->x};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (differences[i] != 0)
            return differences[i];
    return 0;
}

static int compare_layers(const struct found_unit *u, const struct found_unit *v)
{
    const int layers = strcmp(u->layer, v->layer);
    return layers != 0 ? layers : u->kind - v->kind;
}

static int compare_merits(const void *a, const void *b)
{
    const struct found_unit *u = a, *v = b;
    const int layers = compare_layers(u, v);
    if (layers != 0)
        return layers;
    return u->merit == v->merit ? compare_names(a, b) : u->merit > v->merit ? -1 : 1;
}

static void take_best_replicate(const struct earlier *earlier, int64_t unit, double sign,
                                struct found_unit *found)
{
    for (int64_t i = unit * earlier->n_replicates; i < (unit + 1) * earlier->n_replicates; i++) {
        const double merit = sign * (double)earlier->activation[i];
        if (earlier->status[i] != RUN_DONE || isnan(merit) || merit <= found->merit)
            continue;
        found->merit = merit;
        found->code = i;
    }
}

static enum status find_units(struct earlier *earlier, struct error *error)
{
    double minimised = 0;
    const size_t n = (size_t)earlier->n_units;
    TRY(hdf5_attribute_number(earlier->path, earlier->group, "minimise", &minimised, error));
    TRY(MEMORY_ALLOCATE(earlier->found, n, error));
    TRY(MEMORY_ALLOCATE(earlier->best, n, error));
    for (int64_t i = 0; i < earlier->n_units; i++) {
        const int32_t row = earlier->unit[i];
        if (row < 0 || row >= earlier->n_listed)
            return error_set(error, STATUS_DAMAGED, "%s: %s/unit names row %d of %s, which has %lld rows",
                             earlier->path, earlier->group, row, earlier->units,
                             (long long)earlier->n_listed);
        earlier->layer[row][RECORD_TEXT_BYTES - 1] = '\0';
        earlier->found[i] = (struct found_unit){.layer = earlier->layer[row],
                                                .kind = earlier->kind[row],
                                                .channel = earlier->channel[row],
                                                .y = earlier->y[row],
                                                .x = earlier->x[row],
                                                .merit = -INFINITY,
                                                .code = -1,
                                                .in_pool = -1};
        take_best_replicate(earlier, i, minimised != 0 ? -1 : 1, &earlier->found[i]);
    }
    qsort(earlier->found, n, sizeof *earlier->found, compare_names);
    memcpy(earlier->best, earlier->found, n * sizeof *earlier->found);
    qsort(earlier->best, n, sizeof *earlier->best, compare_merits);
    return STATUS_OK;
}

/* ---- whose codes a unit gets ---- */

static struct found_unit name_of(const struct earlier *earlier, int64_t unit)
{
    const struct plan_subject *subject = &earlier->codes->plan->subjects[earlier->codes->group->subject];
    const struct unit *u = &subject->units[earlier->codes->group->units[unit]];
    return (struct found_unit){.layer = u->kind == UNIT_CLASS ? "class"
                                                              : model_layer_name(subject->model, u->layer),
                               .kind = (int)u->kind,
                               .channel = u->channel,
                               .y = u->y,
                               .x = u->x};
}

static enum status use_unit(const struct earlier *earlier, struct found_unit *found, int64_t *row,
                            struct error *error)
{
    if (found->in_pool < 0)
        TRY(start_codes_add(earlier->codes, earlier->latent + found->code * earlier->n_dimensions,
                            earlier->path, found->code, &found->in_pool, error));
    *row = found->in_pool;
    return STATUS_OK;
}

static enum status use_own(struct earlier *earlier, int64_t unit, int64_t *row, struct error *error)
{
    const struct found_unit wanted = name_of(earlier, unit);
    struct found_unit *found =
        bsearch(&wanted, earlier->found, (size_t)earlier->n_units, sizeof wanted, compare_names);
    if (found != NULL && found->code >= 0)
        return use_unit(earlier, found, row, error);
    return error_set(error, STATUS_BAD_INPUT, "%s: %s has no MEI of unit %d%s of layer '%s'", earlier->path,
                     earlier->group, wanted.channel, found == NULL ? "" : " (its search failed)",
                     wanted.layer);
}

/** Where the best units of a layer begin. */
static int64_t find_layer(const struct earlier *earlier, const struct found_unit *own)
{
    int64_t low = 0, high = earlier->n_units;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (compare_layers(&earlier->best[middle], own) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/** The n most active other units of the layer. */
static enum status use_neighbours(struct earlier *earlier, int64_t unit, int64_t n, int64_t *rows,
                                  struct error *error)
{
    const struct found_unit own = name_of(earlier, unit);
    int64_t n_taken = 0;
    for (int64_t i = find_layer(earlier, &own); i < earlier->n_units && n_taken < n; i++) {
        struct found_unit *other = &earlier->best[i];
        if (compare_layers(other, &own) != 0)
            break;
        if (other->code >= 0 && compare_names(other, &own) != 0)
            TRY(use_unit(earlier, other, &rows[n_taken++], error));
    }
    if (n_taken == n)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT,
                     "%s: %s has MEIs of %lld other units of layer '%s'; 'start.neighbours' is %lld, "
                     "expected at most that",
                     earlier->path, earlier->group, (long long)n_taken, own.layer, (long long)n);
}

static enum status use_units(struct earlier *earlier, struct error *error)
{
    struct start_codes *codes = earlier->codes;
    const int64_t n_neighbours = codes->group->start.neighbours;
    int first;
    TRY(start_codes_widen(codes, n_neighbours > 0 ? n_neighbours : 1, &first, error));
    for (int64_t unit = 0; unit < codes->group->n_units; unit++) {
        int64_t *rows = &codes->rows[unit * codes->n_columns + first];
        TRY(n_neighbours > 0 ? use_neighbours(earlier, unit, n_neighbours, rows, error)
                             : use_own(earlier, unit, rows, error));
    }
    return STATUS_OK;
}

static enum status read_all(struct earlier *earlier, struct error *error)
{
    TRY(check_place(earlier, error));
    TRY(check_generator(earlier, error));
    TRY(read_runs(earlier, error));
    TRY(read_units(earlier, error));
    TRY(find_units(earlier, error));
    return use_units(earlier, error);
}

enum status start_codes_of_results(struct start_codes *codes, struct error *error)
{
    const struct job_start *start = &codes->group->start;
    struct earlier earlier = {.codes = codes, .path = start->results};
    snprintf(earlier.group, sizeof earlier.group, "%s/%s/%s/%s", RESULTS_CENSUS, start->subject,
             start->generator, start->method);
    snprintf(earlier.units, sizeof earlier.units, "%s/%s", RESULTS_UNITS, start->subject);
    enum status status = read_all(&earlier, error);
    void *const arrays[] = {earlier.latent, earlier.unit, earlier.channel,   earlier.y,
                            earlier.x,      earlier.kind, earlier.status,    earlier.layer,
                            earlier.found,  earlier.best, earlier.activation};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    return status;
}
