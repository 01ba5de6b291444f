/* SPDX-License-Identifier: MIT */
/*
 * An objective (include/external_frame.h) whose scores are the activations of one unit: generator and subject
 * as in a census, the search being somebody else's.
 *
 *   score_unit SUBJECT GENERATOR LAYER CHANNEL      two model files, a layer's name, a channel of it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/campaign/evaluator.h"
#include "backend.h"
#include "campaign.h"
#include "external_frame.h"
#include "memory.h"

static const char *const job_text = "results: unused\n"
                                    "subjects: {subject: {model: %s}}\n"
                                    "generators: {generator: {model: %s}}\n"
                                    "methods: {random: {}}\n"
                                    "searches: [{layers: [%s], select: [%s], budget: 1}]\n";

struct scorer {
    struct backend backend;
    struct job *job;
    struct plan *plan;
    struct evaluator *evaluator;
    const struct latent_space *latent;
};

static enum status scorer_open(char *const *arguments, struct scorer *scorer, struct error *error)
{
    char text[4096];
    const int length =
        snprintf(text, sizeof text, job_text, arguments[0], arguments[1], arguments[2], arguments[3]);
    if (length >= (int)sizeof text)
        return error_set(error, STATUS_USAGE, "the arguments are too long");
    TRY(job_read_text(text, "score_unit", &scorer->job, error));
    TRY(backend_open(NULL, &scorer->backend, error));
    TRY(plan_make(scorer->job, &scorer->backend, &scorer->plan, error));
    scorer->latent = model_latent(scorer->plan->generators[0]);
    return evaluator_create(scorer->plan, 0, 0, &scorer->evaluator, error);
}

static enum status refuse(const struct external_frame *frame, struct error *error)
{
    return error_set(error, STATUS_BAD_INPUT,
                     "a frame of type %d with %u items of %u values was not expected", frame->type,
                     frame->n_items, frame->n_values);
}

static enum status answer(struct external_frame frame, enum external_type type, uint32_t n_values,
                          const float *scores, struct error *error)
{
    frame.type = (uint16_t)type;
    frame.n_values = n_values;
    frame.n_bytes = scores == NULL ? 0 : sizeof *scores * frame.n_items;
    if (fwrite(&frame, sizeof frame, 1, stdout) != 1 ||
        (scores != NULL && fwrite(scores, sizeof *scores, frame.n_items, stdout) != frame.n_items) ||
        fflush(stdout) != 0)
        return error_set(error, STATUS_IO, "nobody takes the answer");
    return STATUS_OK;
}

static enum status answer_codes(const struct scorer *scorer, const struct external_frame *frame,
                                struct error *error)
{
    const size_t n = frame->n_items, d = frame->n_values;
    const struct unit *unit = &scorer->plan->subjects[0].units[0];
    int32_t *codes = NULL;
    float *scores = NULL;
    enum status status;
    TRY_CLEANUP(MEMORY_ALLOCATE(codes, n * d, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(scores, n, error));
    if (fread(codes, sizeof *codes, n * d, stdin) != n * d)
        TRY_CLEANUP(error_set(error, STATUS_IO, "the codes end too early"));
    for (size_t i = 0; i < n; i++)
        scores[i] =
            evaluator_activation(scorer->evaluator, unit, evaluator_image(scorer->evaluator, codes + i * d));
    status = answer(*frame, EXTERNAL_SCORES, 1, scores, error);
cleanup:
    free(codes);
    free(scores);
    return status;
}

static enum status serve(const struct scorer *scorer, struct error *error)
{
    const uint32_t d = (uint32_t)scorer->latent->n_dimensions, n = (uint32_t)scorer->latent->n_points;
    struct external_frame frame;
    while (fread(&frame, sizeof frame, 1, stdin) == 1) {
        if (frame.type == EXTERNAL_OBJECTIVE && frame.n_items == n && frame.n_values == d)
            TRY(answer(frame, EXTERNAL_READY, d, NULL, error));
        else if (frame.type == EXTERNAL_CODES && frame.n_values == d)
            TRY(answer_codes(scorer, &frame, error));
        else
            return refuse(&frame, error);
    }
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct scorer scorer = {0};
    struct error error = {0};
    enum status status = STATUS_USAGE;
    if (argc != 5)
        error_set(&error, STATUS_USAGE, "usage: score_unit SUBJECT GENERATOR LAYER CHANNEL");
    else if ((status = scorer_open(argv + 1, &scorer, &error)) == STATUS_OK)
        status = serve(&scorer, &error);
    if (status != STATUS_OK)
        fprintf(stderr, "score_unit: %s\n", error.message);
    evaluator_free(scorer.evaluator);
    plan_free(scorer.plan);
    job_free(scorer.job);
    return status;
}
