/* SPDX-License-Identifier: MIT */
/**
 * Repeated presentations (trials) of a finished MEI under a named noise.
 *
 * Trial r presents the MEI for T steps. Random numbers: the run's key, counter words
 * {1 + r, 0 for the input or 1 + index of the spiking layer, four values, purpose}: 0 for what is there at
 * the start, 1 for what comes at every step. Values are numbered as they lie in memory
 * ([channel][step][pixel]).
 */
#ifndef MEICENSUS_TRIALS_H
#define MEICENSUS_TRIALS_H

#include "campaign.h"
#include "model.h"

enum noise_kind {
    NOISE_NONE,
    NOISE_CARRY_OVER,
    NOISE_INITIAL_MEMBRANE,
    NOISE_MEMBRANE,
    NOISE_INPUT,
    NOISE_POISSON
};

/** Names and default scales, in the order of enum noise_kind. */
extern const char *const noise_names[]; /**< ended by NULL */
double noise_default_scale(int noise);
const char *noise_description(int noise);

/** Presentations that `trials` asks for: 1 for noise `none`. */
int64_t trials_count(const struct job_trials *trials);

/** What one trial showed. */
struct trial_result {
    float activation;
    float entropy;      /**< bits / log2(classes), in [0, 1] */
    float *probability; /**< [classes], belongs to the caller */
};

/**
 * Present `image` [channel][height][width] (normalised) once more. Trials of one MEI must be done in rising
 * order of `trial`, starting at 0 (carry_over goes on from the last state).
 * input: scratch of [channel][T][height][width] floats.
 */
void trial_present(struct model_run *run, const struct model *model, const struct unit *unit,
                   const struct job_trials *trials, uint64_t key, int64_t trial, const float *image,
                   float *input, struct trial_result *result);

/** As trial_present, but no further than the unit's layer. */
float trial_activation(struct model_run *run, const struct model *model, const struct unit *unit,
                       const struct job_trials *trials, uint64_t key, int64_t trial, const float *image,
                       float *input);

/** Softmax of the class outputs (mean over time) after a forward to the output layer; the entropy as above.
 */
float class_probabilities(const struct model_run *run, const struct model *model, float *probability);

/** Activation of a unit after a forward to its layer (a class: mean output over time). */
float unit_activation(const struct model_run *run, const struct unit *unit);

#endif
