/* SPDX-License-Identifier: MIT */
/**
 * Programs of somebody else that answer with numbers: an objective gives scores of codes, a subject gives
 * activations for images. They speak frames (external_frame.h). A program that dies or is too slow is started
 * again, and asked again, a bounded number of times; each time a line on standard error says so.
 *
 * Faults name the program: STATUS_IO (it died or was too slow, each time), STATUS_BAD_INPUT (it could not be
 * started, or answered what cannot be; not asked again), STATUS_STOPPED (the watch said so). After any of
 * them the program is gone, and the next question starts it.
 */
#ifndef MEICENSUS_EXTERNAL_H
#define MEICENSUS_EXTERNAL_H

#include <stdint.h>

#include "child_process.h"
#include "external_frame.h"
#include "status.h"

struct external_settings {
    const char *command; /**< for /bin/sh; must outlive the program */
    double timeout;      /**< seconds for an answer, and for a start */
    int restarts;        /**< of one question */
};

struct external; /* opaque */

/** Start a program that gives scores of codes [d] of indices 0 to n_points - 1. */
enum status external_open_objective(const struct external_settings *settings, int n_dimensions, int n_points,
                                    struct external **external, struct error *error);

/** Scores [n_codes] of codes [n_codes][d], in one frame. */
enum status external_score_codes(struct external *external, int n_codes, const int32_t *codes, float *scores,
                                 struct error *error);

/** Start a program that is a network under study, and take its description, which must stay the same. */
enum status external_open_subject(const struct external_settings *settings, struct external **external,
                                  struct error *error);

/** What a subject says of itself (README.md); belongs to it. */
const char *external_description(const struct external *external);

/** What is shown to a subject. */
struct external_show {
    struct external_unit unit;
    int n_images;
    size_t n_values;     /**< of an image */
    const float *images; /**< [n_images][n_values] */
};

/** Activations [n_images] of the unit, in one frame. watch: who may end the wait, or NULL. */
enum status external_show_images(struct external *external, const struct external_show *show,
                                 const struct child_watch *watch, float *activations, struct error *error);

/** Close its standard input, wait a little for it to end, else kill it. NULL: nothing. */
void external_close(struct external *external);

#endif
