/* SPDX-License-Identifier: MIT */
/** Sheets of the units that subjects share: their MEIs in one subject after the other. */
#ifndef MEICENSUS_ANALYSIS_SUBJECT_SHEETS_H
#define MEICENSUS_ANALYSIS_SUBJECT_SHEETS_H

#include "output.h"
#include "shared.h"

/** sheets/GENERATOR/METHOD/LAYER_KIND_PAGE.png in the folder of the context, for every set. */
enum status subject_sheets(struct figure_context *context, const struct shared *shared, struct error *error);

#endif
