/* SPDX-License-Identifier: MIT */
/**
 * The atlas: a page that shows every unit, in a browser, from disk. It stands in DIR/atlas/:
 *
 *   index.html atlas.css atlas.js   the page (analysis/atlas/, part of the program)
 *   data/index.js                   subjects, groups, layers
 *   data/S-L.js                     units of layer L of subject S, read when they are first shown
 *   images/S-G-L-P.png              their MEIs: a tile a run, group G, page P
 *   images/S-natural-P.png          dataset images
 *
 * S, G, L and P are numbers, so no file is named after what a results file says. Data are scripts that call a
 * function of atlas.js, because a page from disk may not read other files.
 */
#ifndef MEICENSUS_ANALYSIS_ATLAS_H
#define MEICENSUS_ANALYSIS_ATLAS_H

#include "output.h"

enum status atlas_write(struct output *output, const struct input *input, struct error *error);

#endif
