/* SPDX-License-Identifier: MIT */
/** units: one row a unit, generator and method; a table only. */
#include "figures.h"

#include <string.h>

static const struct column columns[] = {
    {"generator", COLUMN_TEXT, "", "generator of the images"},
    {"method", COLUMN_TEXT, "", "search method"},
    {"layer", COLUMN_TEXT, "", "layer"},
    {"kind", COLUMN_TEXT, "", "channel, neuron or class"},
    {"channel", COLUMN_INTEGER, "1", "channel, or class"},
    {"y", COLUMN_INTEGER, "1", "row of a neuron, else -1"},
    {"x", COLUMN_INTEGER, "1", "column of a neuron, else -1"},
    {"n_done", COLUMN_INTEGER, "1", "finished replicates"},
    {"activation", COLUMN_NUMBER, "1", "mean over finished replicates"},
    {"replicate_cv", COLUMN_NUMBER, "1", "standard deviation / mean over finished replicates"},
    {"silent", COLUMN_INTEGER, "1", "silent replicates"},
    {"saturated", COLUMN_INTEGER, "1", "saturated replicates"},
    {"entropy", COLUMN_NUMBER, "1", "normalised class entropy, mean over trials and replicates"},
    {"relative_perplexity", COLUMN_NUMBER, "1", "2^H / classes, mean over trials and replicates"},
    {"best_replicate", COLUMN_INTEGER, "1", "place of the best finished replicate, -1 if there is none"},
    {"top_class", COLUMN_TEXT, "", "most probable class for the best replicate's MEI"},
    {"top_probability", COLUMN_NUMBER, "1", "its probability"},
    {"natural_activation", COLUMN_NUMBER, "1", "activation for the most exciting image of a dataset"},
    {"relative_activation", COLUMN_NUMBER, "1",
     "activation / natural_activation, where that is above 0 and the activation is maximised"},
    {"natural_image", COLUMN_INTEGER, "1", "number of that image in the dataset, -1 if there is none"},
    {"natural_class", COLUMN_TEXT, "", "its class"},
};

static void add_natural(struct table *table, const struct subject *subject, const struct group *group,
                        size_t row)
{
    const struct unit_result *result = &group->results[row];
    const struct natural_reference best = natural_reference(&subject->natural, (size_t)group->unit[row]);
    table_number(table, result->natural);
    table_number(table, result->relative);
    table_integer(table, best.image);
    table_text(table,
               best.label < 0 || best.label >= group->sizes.classes ? "" : group->class_names[best.label]);
}

static void add_row(struct table *table, const struct subject *subject, const struct group *group, size_t row)
{
    static const char *const kinds[] = {
        [UNIT_CHANNEL] = "channel", [UNIT_NEURON] = "neuron", [UNIT_CLASS] = "class"};
    const struct unit *unit = &subject->units[group->unit[row]];
    const struct unit_result *result = &group->results[row];
    table_text(table, subject->generators[group->generator]);
    table_text(table, subject->methods[group->method]);
    table_text(table, subject->layers[unit->layer].name);
    table_text(table, kinds[unit->kind]);
    table_integer(table, unit->channel);
    table_integer(table, unit->y);
    table_integer(table, unit->x);
    table_integer(table, result->n_done);
    table_number(table, result->activation);
    table_number(table, result->variation);
    table_integer(table, figures_count_flag(group, group->silent, row));
    table_integer(table, figures_count_flag(group, group->saturated, row));
    table_number(table, result->entropy);
    table_number(table, result->perplexity);
    table_integer(table, result->best_replicate);
    table_text(table, result->top_class < 0 ? "" : group->class_names[result->top_class]);
    table_number(table, result->top_probability);
    add_natural(table, subject, group, row);
}

enum status figure_units(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    struct table table;
    table_start(&table, "units", "one row per unit, generator and method", columns,
                sizeof columns / sizeof *columns);
    for (int i = 0; i < subject->n_groups; i++)
        for (size_t row = 0; row < subject->groups[i].n_rows; row++)
            add_row(&table, subject, &subject->groups[i], row);
    enum status status = output_table(context, &table, error);
    table_free(&table);
    return status;
}
