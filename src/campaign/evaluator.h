/* SPDX-License-Identifier: MIT */
/** From a latent code to an image to an activation: one generator and one subject of a plan. */
#ifndef MEICENSUS_EVALUATOR_H
#define MEICENSUS_EVALUATOR_H

#include "campaign.h"

struct evaluator; /* opaque */

/** Buffers for one (subject, generator) pair of the plan; belongs to the caller. */
enum status evaluator_create(const struct plan *plan, int subject, int generator,
                             struct evaluator **evaluator, struct error *error);
void evaluator_free(struct evaluator *evaluator);

/** The same for a network on a device that is shown at most `batch` images a call, instead of as many as are
 * worth one (model_image_batch). */
enum status evaluator_create_batch(const struct plan *plan, int subject, int generator, int batch,
                                   struct evaluator **evaluator, struct error *error);

/**
 * Make the images of up to evaluator_batch() codes [d] together, which is faster than one by one and gives
 * the same bits; evaluator_image() has them then.
 */
int evaluator_batch(const struct evaluator *evaluator);
void evaluator_make_images(struct evaluator *evaluator, int n_codes, const int32_t *const *codes);
bool evaluator_has_image(const struct evaluator *evaluator, const int32_t *code);

/** The images that `maker`, of the same generator, made last are this evaluator's, too: in the space of its
 * own subject. */
void evaluator_share_images(struct evaluator *evaluator, const struct evaluator *maker);

/**
 * Show the images that were made last, as deep as n_units units need it (units of a layer and kind side by
 * side): activations [image][n_units]. STATUS_INTERNAL: a device failed.
 */
enum status evaluator_show_all(struct evaluator *evaluator, int64_t n_units, const struct unit *const *units,
                               float *activations, struct error *error);

/** Did the device that the subject works on, if it does, fail since this was asked last? */
enum status evaluator_check(const struct evaluator *evaluator, struct error *error);

/**
 * The image of a code [d], as the subject gets it: [channel][height][width] float32, normalised; valid until
 * images are made again. The generator's map to RGB and the subject's from it cancel where they are equal.
 */
const float *evaluator_image(struct evaluator *evaluator, const int32_t *code);

/** Is the subject a program? Then only the next two tell activations; else only the one behind them. */
bool evaluator_asks_program(const struct evaluator *evaluator);

/**
 * Activations [n_codes] of `unit` for the images of codes [n_codes][d], all in one frame; or for one image
 * shown n_times. Faults as in external.h, and an activation of a spiking unit outside [0, 1]. watch: who may
 * end the wait, or NULL.
 */
enum status evaluator_ask_codes(struct evaluator *evaluator, const struct unit *unit, int n_codes,
                                const int32_t *const *codes, const struct child_watch *watch,
                                float *activations, struct error *error);
enum status evaluator_ask_image(struct evaluator *evaluator, const struct unit *unit, const float *image,
                                int n_times, const struct child_watch *watch, float *activations,
                                struct error *error);

/** Activation of `unit` for an image shown once from a fresh state. */
float evaluator_activation(struct evaluator *evaluator, const struct unit *unit, const float *image);

/** The same under noise, with the random numbers of `key` and `presentation`. */
float evaluator_noisy_activation(struct evaluator *evaluator, const struct unit *unit,
                                 const struct job_trials *noise, uint64_t key, int64_t presentation,
                                 const float *image);

/** Is it a network that is shown many images at once, on a device? */
bool evaluator_is_on_device(const struct evaluator *evaluator);

/** A code, and the unit that its image is shown to. */
struct evaluator_query {
    const int32_t *code;
    const struct unit *unit;
};

/** Sets of queries that can be on their way at the same time. */
enum { EVALUATOR_FLIGHTS = 2 };

/**
 * Show a device the images of n queries; those of one layer that follow each other go together, in calls that
 * depend on nothing but these queries. Only starts it, once what this flight was asked before is done:
 * evaluator_finish waits for this flight only, and tells activations [n]. STATUS_INTERNAL: what a device
 * says.
 */
enum status evaluator_start(struct evaluator *evaluator, int flight, int n,
                            const struct evaluator_query *queries, struct error *error);
enum status evaluator_finish(struct evaluator *evaluator, int flight, float *activations,
                             struct error *error);

/** The generator's buffers, and those of a subject that is no program: for measuring and for trials. */
struct model_run *evaluator_generator(struct evaluator *evaluator);
struct model_run *evaluator_subject(struct evaluator *evaluator);

#endif
