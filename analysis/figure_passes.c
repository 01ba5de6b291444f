/* SPDX-License-Identifier: MIT */
/**
 * passes: best activation after so many forward passes of the subject a unit, where units that share their
 * images stand beside units that are searched alone. A search alone has a forward pass a query; of a shared
 * census every image is one for all units together. Only units that all these methods searched count.
 */
#include "curves.h"
#include "figures.h"
#include "plot.h"

static const struct column columns[] = {
    CURVES_KEYS,
    {"passes", COLUMN_NUMBER, "1", "forward passes of the subject, divided by the units they were made for"},
    CURVES_QUANTILES};

static const struct curves curves = {
    .name = "passes",
    .x = "passes",
    .x_label = "forward passes a unit",
    .title = "best activation so far, of units that all methods searched",
    .caption = "best activation so far against forward passes of the subject a unit, shared images beside "
               "independent searches: median and quantile bands over the units that all methods searched, a "
               "panel a layer",
    .counts_rows = true};

/** Both ways for one generator, in one direction? */
static bool is_compared(const struct subject *subject, const struct group *group)
{
    bool alone = false, shared = false;
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *other = &subject->groups[i];
        if (other->generator != group->generator || other->minimise != group->minimise)
            continue;
        alone = alone || !other->is_shared;
        shared = shared || other->is_shared;
    }
    return alone && shared;
}

/** Was the layer searched both ways for this generator, and has every method that searched it finished the
 * unit? */
static bool is_common(const struct subject *subject, const struct group *group, size_t row)
{
    const int layer = input_layer_of(subject, group, row);
    const int32_t unit = group->unit[row];
    bool alone = false, shared = false;
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *other = &subject->groups[i];
        if (other->generator != group->generator || other->minimise != group->minimise ||
            !figures_searched(subject, other, layer))
            continue;
        if (other->row_of_unit[unit] < 0 || other->results[other->row_of_unit[unit]].n_done == 0)
            return false;
        alone = alone || !other->is_shared;
        shared = shared || other->is_shared;
    }
    return alone && shared;
}

bool figures_passes_show(const struct subject *subject, int generator, int layer)
{
    for (int i = 0; i < subject->n_groups; i++) {
        const struct group *group = &subject->groups[i];
        for (size_t row = 0; group->generator == generator && row < group->n_rows; row++)
            if (input_layer_of(subject, group, row) == layer && is_common(subject, group, row))
                return true;
    }
    return false;
}

static void add_passes(struct table *table, const struct group *group, size_t point)
{
    table_number(table,
                 (double)group->history_queries[point] / (group->is_shared ? (double)group->n_rows : 1));
}

enum status figure_passes(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    struct table table;
    enum status status = STATUS_OK;
    table_start(&table, curves.name, curves.caption, columns, sizeof columns / sizeof *columns);
    bool compared = false;
    for (int i = 0; i < subject->n_groups; i++)
        if (is_compared(subject, &subject->groups[i])) {
            compared = true;
            TRY_CLEANUP(curves_add_group(context, &subject->groups[i], is_common, add_passes, &table, error));
        }
    if (!compared)
        goto cleanup;
    TRY_CLEANUP(output_table(context, &table, error));
    status = table_n_rows(&table) > 0
                 ? curves_draw(context, &curves, &table, /*always=*/false, error)
                 : plot_message(context, curves.name, "no unit that all methods have searched", error);
cleanup:
    table_free(&table);
    return status;
}
