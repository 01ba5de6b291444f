/* SPDX-License-Identifier: MIT */
#include "atlas_layer.h"

#include <math.h>
#include <stdlib.h>

#include "json.h"
#include "memory.h"

enum { MOST_CLASSES = 10 };

/** Fields of one row, [replicate][..]. */
struct row_fields {
    int64_t *evaluations, *best_query;
    float *history, *trials, *trial_probability, *class_probability;
    int32_t *latent;
    double *probability; /**< [class] of one run */
};

static enum status allocate(const struct group *group, struct row_fields *fields, struct error *error)
{
    *fields = (struct row_fields){0};
    TRY(MEMORY_ALLOCATE(fields->evaluations, group->n_replicates, error));
    TRY(MEMORY_ALLOCATE(fields->best_query, group->n_replicates, error));
    TRY(MEMORY_ALLOCATE(fields->history, input_row_elements(group, FIELD_HISTORY), error));
    TRY(MEMORY_ALLOCATE(fields->trials, input_row_elements(group, FIELD_TRIAL_ACTIVATION), error));
    TRY(MEMORY_ALLOCATE(fields->trial_probability, input_row_elements(group, FIELD_TRIAL_PROBABILITY),
                        error));
    TRY(MEMORY_ALLOCATE(fields->class_probability, input_row_elements(group, FIELD_CLASS_PROBABILITY),
                        error));
    TRY(MEMORY_ALLOCATE(fields->latent, input_row_elements(group, FIELD_LATENT), error));
    return MEMORY_ALLOCATE(fields->probability, (size_t)group->sizes.classes, error);
}

static void release(struct row_fields *fields)
{
    free(fields->evaluations);
    free(fields->best_query);
    free(fields->history);
    free(fields->trials);
    free(fields->trial_probability);
    free(fields->class_probability);
    free(fields->latent);
    free(fields->probability);
}

static enum status read_row(const struct group *group, size_t row, struct row_fields *fields,
                            struct error *error)
{
    const struct {
        enum record_field_id field;
        void *memory;
    } wanted[] = {{FIELD_EVALUATIONS, fields->evaluations},
                  {FIELD_BEST_QUERY, fields->best_query},
                  {FIELD_HISTORY, fields->history},
                  {FIELD_TRIAL_ACTIVATION, fields->trials},
                  {FIELD_TRIAL_PROBABILITY, fields->trial_probability},
                  {FIELD_CLASS_PROBABILITY, fields->class_probability},
                  {FIELD_LATENT, fields->latent}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (input_row_elements(group, wanted[i].field) > 0) /* what is empty is not in the file */
            TRY(input_read(group, wanted[i].field, row, 1, wanted[i].memory, error));
    return STATUS_OK;
}

/* ---- A run -------------------------------------------------------------------------------------------- */

/** Points at which the best activation changed: place in history_queries, value, .. */
static void write_history(FILE *file, const float *history, size_t n)
{
    const char *separator = "";
    fputs(",\"history\":[", file);
    for (size_t i = 0; i < n; i++)
        if (isfinite(history[i]) && (i == 0 || history[i] != history[i - 1])) {
            fprintf(file, "%s%zu,", separator, i);
            json_number(file, (double)history[i]);
            separator = ",";
        }
    fputc(']', file);
}

static void write_trials(FILE *file, const float *trials, size_t n)
{
    fputs(",\"trials\":[", file);
    for (size_t i = 0; i < n; i++) {
        fputs(i == 0 ? "" : ",", file);
        json_number(file, (double)trials[i]);
    }
    fputc(']', file);
}

/** Means over trials, or those of the one presentation where there are no trials. */
static void mean_probability(const struct group *group, const struct row_fields *fields, size_t replicate)
{
    const size_t n_classes = (size_t)group->sizes.classes, n_trials = (size_t)group->sizes.trials;
    for (size_t i = 0; i < n_classes; i++) {
        double sum = 0;
        for (size_t trial = 0; trial < n_trials; trial++)
            sum += (double)fields->trial_probability[(replicate * n_trials + trial) * n_classes + i];
        fields->probability[i] = n_trials > 0 ? sum / (double)n_trials
                                              : (double)fields->class_probability[replicate * n_classes + i];
    }
}

/** The most probable classes with their probabilities, highest first. */
static void write_classes(FILE *file, const struct group *group, double *probability)
{
    fputs(",\"classes\":[", file);
    for (int n = 0; n < MOST_CLASSES; n++) {
        int64_t best = -1;
        for (int64_t i = 0; i < group->sizes.classes; i++)
            if (isfinite(probability[i]) && (best < 0 || probability[i] > probability[best]))
                best = i;
        if (best < 0)
            break;
        fprintf(file, "%s[%lld,", n == 0 ? "" : ",", (long long)best);
        json_number(file, probability[best]);
        fputc(']', file);
        probability[best] = NAN;
    }
    fputc(']', file);
}

static void write_latent(FILE *file, const int32_t *latent, size_t n)
{
    fputs(",\"latent\":[", file);
    for (size_t i = 0; i < n; i++)
        fprintf(file, "%s%d", i == 0 ? "" : ",", latent[i]);
    fputc(']', file);
}

static void write_done(FILE *file, const struct group *group, size_t row, size_t replicate,
                       const struct row_fields *fields)
{
    const struct record_sizes *sizes = &group->sizes;
    const size_t run = row * group->n_replicates + replicate, n_history = (size_t)sizes->history,
                 n_trials = (size_t)sizes->trials, n_latent = (size_t)sizes->dimensions;
    fputs(",\"activation\":", file);
    json_number(file, (double)group->activation[run]);
    fprintf(file, ",\"silent\":%s,\"saturated\":%s,\"stop\":%d", group->silent[run] ? "true" : "false",
            group->saturated[run] ? "true" : "false", group->stop_reason[run]);
    fprintf(file, ",\"queries\":%lld,\"evaluations\":%lld,\"best_query\":%lld",
            (long long)group->queries[run], (long long)fields->evaluations[replicate],
            (long long)fields->best_query[replicate]);
    write_history(file, fields->history + replicate * n_history, n_history);
    write_trials(file, fields->trials + replicate * n_trials, n_trials);
    mean_probability(group, fields, replicate);
    write_classes(file, group, fields->probability);
    write_latent(file, fields->latent + replicate * n_latent, n_latent);
}

static enum status write_run(FILE *file, const struct group *group, size_t row, size_t replicate,
                             const struct row_fields *fields, struct error *error)
{
    const size_t run = row * group->n_replicates + replicate;
    char message[RECORD_TEXT_BYTES + 1];
    fprintf(file, "{\"status\":%d", group->status[run]);
    if (input_run_done(group, row, replicate)) {
        write_done(file, group, row, replicate, fields);
    } else if (group->status[run] == RUN_FAILED) {
        TRY(input_read_message(group, row, replicate, message, error));
        fputs(",\"message\":", file);
        json_text(file, message);
    }
    fputc('}', file);
    return STATUS_OK;
}

/* ---- A unit ------------------------------------------------------------------------------------------- */

static void write_result(FILE *file, const struct unit_result *result)
{
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"activation", result->activation},
                   {"entropy", result->entropy},
                   {"relative", result->relative},
                   {"top_probability", result->top_probability}};
    fprintf(file, "{\"best\":%d,\"finished\":%d,\"top_class\":%d", result->best_replicate, result->n_done,
            result->top_class);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        fprintf(file, ",\"%s\":", numbers[i].name);
        json_number(file, numbers[i].value);
    }
}

static enum status write_row(FILE *file, const struct group *group, int64_t row, struct row_fields *fields,
                             struct error *error)
{
    if (row < 0) {
        fputs("null", file);
        return STATUS_OK;
    }
    TRY(read_row(group, (size_t)row, fields, error));
    write_result(file, &group->results[row]);
    fputs(",\"runs\":[", file);
    for (size_t i = 0; i < group->n_replicates; i++) {
        fputs(i == 0 ? "" : ",", file);
        TRY(write_run(file, group, (size_t)row, i, fields, error));
    }
    fputs("]}", file);
    return STATUS_OK;
}

static void write_natural(FILE *file, const struct natural *natural, size_t unit)
{
    const int64_t row = natural->n_rows == 0 ? -1 : natural->row_of_unit[unit];
    if (row < 0) {
        fputs("null", file);
        return;
    }
    for (size_t place = 0; place < natural->n_places; place++) {
        const size_t i = (size_t)row * natural->n_places + place;
        fprintf(file, "%s[%lld,%lld,%d,", place == 0 ? "[" : ",",
                (long long)natural_find(natural, natural->top_image[i]), (long long)natural->top_image[i],
                natural->top_label[i]);
        json_number(file, (double)natural->top_activation[i]);
        fputc(']', file);
    }
    fputc(']', file);
}

/* ---- A layer ------------------------------------------------------------------------------------------ */

static enum status write_group(FILE *file, const struct subject *subject, const struct group *group,
                               int layer, struct error *error)
{
    struct row_fields fields;
    bool is_first = true;
    enum status status;
    TRY_CLEANUP(allocate(group, &fields, error));
    for (size_t unit = 0; unit < subject->n_units; unit++) {
        if (subject->units[unit].layer != layer)
            continue;
        fputs(is_first ? "\n" : ",\n", file);
        is_first = false;
        TRY_CLEANUP(write_row(file, group, group->row_of_unit[unit], &fields, error));
    }
cleanup:
    release(&fields);
    return status;
}

enum status atlas_layer(FILE *file, const struct subject *subject, int layer, struct error *error)
{
    char label[UNIT_LABEL_CAPACITY];
    const char *separator = "";
    fputs("{\"units\":[", file);
    for (size_t unit = 0; unit < subject->n_units; unit++)
        if (subject->units[unit].layer == layer) {
            input_unit_label(&subject->units[unit], label);
            fprintf(file, "%s\"%s\"", separator, label);
            separator = ",";
        }
    fputs("],\n\"natural\":[", file);
    separator = "";
    for (size_t unit = 0; unit < subject->n_units; unit++)
        if (subject->units[unit].layer == layer) {
            fputs(separator, file);
            write_natural(file, &subject->natural, unit);
            separator = ",";
        }
    fputs("],\n\"groups\":[", file);
    for (int i = 0; i < subject->n_groups; i++) {
        fputs(i == 0 ? "[" : ",[", file);
        TRY(write_group(file, subject, &subject->groups[i], layer, error));
        fputc(']', file);
    }
    fputs("]}", file);
    return STATUS_OK;
}
