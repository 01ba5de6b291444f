/* SPDX-License-Identifier: MIT */
/**
 * What meicensus and an external program send each other, over the program's standard input and output: its
 * side of it needs this file only, or the table in README.md. jobs/external/ has examples.
 *
 * Everything is little endian. A frame is a header of 24 bytes and n_bytes of payload. The program gets one
 * frame, answers with one frame, and gets the next; it writes nothing else to its standard output (standard
 * error is free), and ends when its standard input does. It is started anew, and greeted again, when it died
 * or was too slow; so an answer may depend on nothing but the question.
 */
#ifndef MEICENSUS_EXTERNAL_FRAME_H
#define MEICENSUS_EXTERNAL_FRAME_H

#include <stdint.h>

#define EXTERNAL_MAGIC "MEIX"

enum { EXTERNAL_VERSION = 1 };

enum external_type {
    /** To an objective, first: codes of n_values indices, each from 0 to n_items - 1, will be asked. */
    EXTERNAL_OBJECTIVE = 1,
    /** Answer to it, with the same counts. */
    EXTERNAL_READY = 2,
    /** Codes [n_items][n_values] int32; to be answered by scores. More is better. */
    EXTERNAL_CODES = 3,
    /** Answer: scores [n_items] float32, each a finite number, in the order asked; n_values 1. */
    EXTERNAL_SCORES = 4,
    /** To a subject, first: to be answered by its description. */
    EXTERNAL_SUBJECT = 5,
    /** Answer to it: YAML or JSON, UTF-8, n_items 1, n_values 1. */
    EXTERNAL_DESCRIPTION = 6,
    /**
     * A struct external_unit, then images [n_items][channel][height][width] float32, normalised as the
     * description says, with n_values = channel * height * width; to be answered by scores: the unit's
     * activation for each image.
     */
    EXTERNAL_IMAGES = 7,
    /** Answer in place of any other: why there is none, UTF-8, n_items 1, n_values 1. Not asked again. */
    EXTERNAL_REFUSAL = 8
};

struct external_frame {
    char magic[4]; /**< EXTERNAL_MAGIC */
    uint16_t version, type;
    uint32_t n_items, n_values;
    uint64_t n_bytes; /**< of the payload; 0: none */
};

/** The unit whose activation is asked. */
struct external_unit {
    int32_t layer;         /**< place in the description's `layers`, from 0; of a class: -1 */
    int32_t kind;          /**< 0 a channel (mean over its map), 1 a single neuron, 2 a class output */
    int32_t channel, y, x; /**< channel or class; y, x of a single neuron, else -1 */
};

#endif
