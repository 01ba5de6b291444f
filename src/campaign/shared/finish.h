/* SPDX-License-Identifier: MIT */
/** From a census whose units share their images to the record of each. */
#ifndef MEICENSUS_SHARED_FINISH_H
#define MEICENSUS_SHARED_FINISH_H

#include "../evaluator.h"
#include "../lockstep.h"
#include "state.h"

/**
 * Fill the record (layout of the run's group) of a unit of the census: its winner shown again, and its
 * trials. *finished stays false when the watch asks to leave before the last trial.
 */
enum status shared_finish(const struct shared_state *state, int64_t run, struct evaluator *evaluator,
                          const struct lockstep_watch *watch, void *record, bool *finished,
                          struct error *error);

#endif
