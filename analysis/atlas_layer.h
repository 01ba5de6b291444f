/* SPDX-License-Identifier: MIT */
/** What the atlas tells of the units of one layer. */
#ifndef MEICENSUS_ANALYSIS_ATLAS_LAYER_H
#define MEICENSUS_ANALYSIS_ATLAS_LAYER_H

#include <stdio.h>

#include "input.h"

/**
 * Writes one JSON object: units [unit] names ("12", "12,3,4"); groups [group][unit] what became of the unit
 * (null: not searched), with its runs; natural [unit] its best dataset images (null: none). Faults of the
 * stream are the caller's.
 */
enum status atlas_layer(FILE *file, const struct subject *subject, int layer, struct error *error);

#endif
