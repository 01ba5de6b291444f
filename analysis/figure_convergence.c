/* SPDX-License-Identifier: MIT */
/** convergence: best activation after so many queries, quantiles over the units of a layer. */
#include "curves.h"
#include "figures.h"
#include "plot.h"

static const struct column columns[] = {
    CURVES_KEYS,
    {"queries", COLUMN_INTEGER, "queries",
     "images the search had asked for; of a shared search, of all its units together"},
    CURVES_QUANTILES};

static const struct curves curves = {
    .name = "convergence",
    .x = "queries",
    .x_label = "queries",
    .title = "best activation so far",
    .caption =
        "best activation so far against queries: median and quantile bands over units, a panel a layer; of "
        "searches for unlike replicates (distinct) the first replicates only; shared searches "
        "stand in passes where there are independent ones beside them",
    .hides_shared = figures_passes_show};

static bool every_unit(const struct subject *subject, const struct group *group, size_t row)
{
    (void)subject;
    (void)group;
    (void)row;
    return true;
}

static void add_queries(struct table *table, const struct group *group, size_t point)
{
    table_integer(table, group->history_queries[point]);
}

enum status figure_convergence(struct figure_context *context, struct error *error)
{
    const struct subject *subject = context->subject;
    struct table table;
    enum status status = STATUS_OK;
    table_start(&table, "convergence", "best activation so far against queries: quantiles over units",
                columns, sizeof columns / sizeof *columns);
    for (int i = 0; i < subject->n_groups; i++)
        TRY_CLEANUP(curves_add_group(context, &subject->groups[i], every_unit, add_queries, &table, error));
    TRY_CLEANUP(output_table(context, &table, error));
    status = table_n_rows(&table) > 0
                 ? curves_draw(context, &curves, &table, /*always=*/true, error)
                 : plot_message(context, "convergence", "no finished run (n = 0 units)", error);
cleanup:
    table_free(&table);
    return status;
}
