/* SPDX-License-Identifier: MIT */
#include "evaluator.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "trials.h"

struct evaluator {
    const struct model *generator, *subject;
    struct model_run *generator_run, *subject_run;
    float *latent; /**< [d] */
    float *image;  /**< [channel][height][width]; used unless the maps to RGB are equal */
    bool same_space;
};

static bool same_space(const struct model *generator, const struct model *subject)
{
    for (int c = 0; c < model_input_shape(subject).channels; c++)
        if (model_mean(generator)[c] != model_mean(subject)[c] ||
            model_std(generator)[c] != model_std(subject)[c])
            return false;
    return true;
}

enum status evaluator_create(const struct plan *plan, int subject, int generator, struct evaluator **result,
                             struct error *error)
{
    struct evaluator *evaluator = NULL;
    enum status status = STATUS_OK;
    TRY(MEMORY_ALLOCATE(evaluator, 1, error));
    evaluator->generator = plan->generators[generator];
    evaluator->subject = plan->subjects[subject].model;
    evaluator->same_space = same_space(evaluator->generator, evaluator->subject);
    const struct map_shape shape = model_input_shape(evaluator->subject);
    const size_t n_values = (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
    TRY_CLEANUP(model_run_create(evaluator->generator, &evaluator->generator_run, error));
    TRY_CLEANUP(model_run_create(evaluator->subject, &evaluator->subject_run, error));
    TRY_CLEANUP(
        MEMORY_ALLOCATE(evaluator->latent, (size_t)model_latent(evaluator->generator)->n_dimensions, error));
    TRY_CLEANUP(MEMORY_ALLOCATE(evaluator->image, n_values, error));
    *result = evaluator;
    evaluator = NULL;
cleanup:
    evaluator_free(evaluator);
    return status;
}

void evaluator_free(struct evaluator *evaluator)
{
    if (evaluator == NULL)
        return;
    model_run_free(evaluator->generator_run);
    model_run_free(evaluator->subject_run);
    free(evaluator->latent);
    free(evaluator->image);
    free(evaluator);
}

/** The generator's output in the subject's space. */
static const float *renormalise(struct evaluator *evaluator, const float *made)
{
    const struct map_shape shape = model_input_shape(evaluator->subject);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    for (size_t c = 0; c < (size_t)shape.channels; c++) {
        const float made_mean = (float)model_mean(evaluator->generator)[c];
        const float made_std = (float)model_std(evaluator->generator)[c];
        const float mean = (float)model_mean(evaluator->subject)[c],
                    std = (float)model_std(evaluator->subject)[c];
        for (size_t p = c * pixels; p < (c + 1) * pixels; p++)
            evaluator->image[p] = (made[p] * made_std + made_mean - mean) / std;
    }
    return evaluator->image;
}

const float *evaluator_image(struct evaluator *evaluator, const int32_t *code)
{
    const struct latent_space *latent = model_latent(evaluator->generator);
    const double step = (latent->high - latent->low) / (latent->n_points - 1);
    int time;
    for (int i = 0; i < latent->n_dimensions; i++)
        evaluator->latent[i] =
            latent->kind == LATENT_GRID ? (float)(latent->low + code[i] * step) : (float)code[i];
    const int output = model_output_layer(evaluator->generator);
    model_forward(evaluator->generator_run, evaluator->latent, output, NULL);
    const float *made = model_output(evaluator->generator_run, output, &time);
    return evaluator->same_space ? made : renormalise(evaluator, made);
}

float evaluator_activation(struct evaluator *evaluator, const struct unit *unit, const float *image)
{
    model_forward(evaluator->subject_run, image, unit->layer, NULL);
    return unit_activation(evaluator->subject_run, unit);
}

struct model_run *evaluator_subject(struct evaluator *evaluator)
{
    return evaluator->subject_run;
}
