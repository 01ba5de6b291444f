/* SPDX-License-Identifier: MIT */
/** What a subject that is shown many images at once, a program or a network on a device, answers to the codes
 * of one ask. */
#ifndef MEICENSUS_ANSWERS_H
#define MEICENSUS_ANSWERS_H

#include "evaluator.h"
#include "seen_codes.h"

/** Zero-initialise, make with answers_create, free with answers_free. */
struct answers {
    int n_codes;           /**< of an ask, at most */
    size_t code_bytes;     /**< of a code */
    float *scores;         /**< [n_codes], by place in the ask */
    const int32_t **shown; /**< [n_codes] */
    int *sources;          /**< [n_codes], by place in the ask: which of the shown has its answer; -1: none */
    float *shown_activation; /**< [n_codes] */
};

enum status answers_create(int n_codes, size_t code_bytes, struct answers *answers, struct error *error);
void answers_free(struct answers *answers);

/**
 * Sort out which of the codes [n_codes][d], from place `first` of the ask on to before `end`, the subject has
 * to be shown: answers->shown, whose number is returned. A deterministic subject is not asked what it has
 * been asked before (`seen`; NULL: it has to be asked all the same).
 */
int answers_choose(struct answers *answers, const int32_t *codes, int first, int end,
                   const struct seen_codes *seen);

/** Once answers->shown_activation is there: the scores of that part of the ask. */
void answers_take(struct answers *answers, int first, int end);

#endif
