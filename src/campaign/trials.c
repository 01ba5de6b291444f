/* SPDX-License-Identifier: MIT */
#include "trials.h"

#include <math.h>
#include <string.h>

#include "random.h"

struct noise {
    double default_scale;
    const char *description;
};

const char *const noise_names[] = {"none",    "carry_over", "initial_membrane", "membrane", "input",
                                   "poisson", NULL};

static const struct noise noises[] = {
    {0, "reset, one presentation"},
    {0, "reset before the first presentation only, no random numbers (what MANGO does)"},
    {0.2, "v0 = v_reset + scale * threshold * N(0, 1), every spiking neuron"},
    {0.1, "scale * threshold * N(0, 1) added to the membrane before the threshold, every neuron and step"},
    {0.05, "scale * N(0, 1) added to RGB, one draw a pixel and trial, not clipped"},
    {0, "at each step each RGB value becomes 1 with its clipped value as probability, else 0"},
};

double noise_default_scale(int noise)
{
    return noises[noise].default_scale;
}

const char *noise_description(int noise)
{
    return noises[noise].description;
}

int64_t trials_count(const struct job_trials *trials)
{
    return trials->noise == NOISE_NONE ? 1 : trials->count;
}

/** input = image with noise on its RGB values. */
static void add_input_noise(const struct model *model, double scale, uint64_t key, int64_t trial,
                            const float *image, float *input)
{
    const struct map_shape shape = model_input_shape(model);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width;
    random_normals(key, (struct random_counter){{1 + (uint32_t)trial, 0, 0, 0}},
                   (size_t)shape.channels * pixels, input);
    for (size_t c = 0; c < (size_t)shape.channels; c++) {
        const double mean = model_mean(model)[c], std = model_std(model)[c];
        for (size_t i = c * pixels; i < (c + 1) * pixels; i++)
            input[i] = (float)(((double)image[i] * std + mean + scale * (double)input[i] - mean) / std);
    }
}

/** input [channel][time][pixel]: black and white values whose mean over time is the image. */
static void draw_poisson(const struct model *model, uint64_t key, int64_t trial, const float *image,
                         float *input)
{
    const struct map_shape shape = model_input_shape(model);
    const size_t pixels = (size_t)shape.height * (size_t)shape.width, time = (size_t)model_timesteps(model);
    struct random_counter counter = {{1 + (uint32_t)trial, 0, 0, 1}};
    uint32_t words[4];
    for (size_t i = 0; i < (size_t)shape.channels * time * pixels; i++) {
        const size_t c = i / (time * pixels), place = c * pixels + i % pixels;
        const double mean = model_mean(model)[c], std = model_std(model)[c];
        if (i % 4 == 0)
            random_words(key, counter, words);
        counter.word[2] += i % 4 == 3;
        const double rgb = (double)image[place] * std + mean;
        const double value = random_uniform(words[i % 4]) < rgb ? 1.0 : 0.0;
        input[i] = (float)((value - mean) / std);
    }
}

float class_probabilities(const struct model_run *run, const struct model *model, float *probability)
{
    const int output = model_output_layer(model), n = model_n_classes(model);
    double largest = -INFINITY, sum = 0, bits = 0;
    for (int i = 0; i < n; i++) {
        probability[i] = model_channel_activation(run, output, i);
        largest = fmax(largest, (double)probability[i]);
    }
    for (int i = 0; i < n; i++)
        sum += exp((double)probability[i] - largest);
    for (int i = 0; i < n; i++) {
        const double p = exp((double)probability[i] - largest) / sum;
        bits -= p > 0 ? p * log2(p) : 0;
        probability[i] = (float)p;
    }
    return n > 1 ? (float)(bits / log2((double)n)) : 0.0f;
}

float unit_activation(const struct model_run *run, const struct unit *unit)
{
    if (unit->kind == UNIT_NEURON)
        return model_neuron_activation(run, unit->layer, unit->channel, unit->y, unit->x);
    return model_channel_activation(run, unit->layer, unit->channel);
}

/** Show the image to the layers up to `layer`. */
static void present(struct model_run *run, const struct model *model, int layer,
                    const struct job_trials *trials, uint64_t key, int64_t trial, const float *image,
                    float *input)
{
    struct presentation presentation = {.key = key, .trial = (uint32_t)trial};
    const float *shown = image;
    switch ((enum noise_kind)trials->noise) {
    case NOISE_NONE:
        break;
    case NOISE_CARRY_OVER:
        presentation.keep_state = trial > 0;
        presentation.leave_state = true;
        break;
    case NOISE_INITIAL_MEMBRANE:
        presentation.initial_membrane = trials->scale;
        break;
    case NOISE_MEMBRANE:
        presentation.membrane = trials->scale;
        break;
    case NOISE_INPUT:
        add_input_noise(model, trials->scale, key, trial, image, input);
        shown = input;
        break;
    case NOISE_POISSON:
        draw_poisson(model, key, trial, image, input);
        presentation.n_frames = model_timesteps(model);
        shown = input;
        break;
    }
    model_forward(run, shown, layer, &presentation);
}

void trial_present(struct model_run *run, const struct model *model, const struct unit *unit,
                   const struct job_trials *trials, uint64_t key, int64_t trial, const float *image,
                   float *input, struct trial_result *result)
{
    present(run, model, model_output_layer(model), trials, key, trial, image, input);
    result->activation = unit_activation(run, unit);
    result->entropy = class_probabilities(run, model, result->probability);
}

float trial_activation(struct model_run *run, const struct model *model, const struct unit *unit,
                       const struct job_trials *trials, uint64_t key, int64_t trial, const float *image,
                       float *input)
{
    present(run, model, unit->layer, trials, key, trial, image, input);
    return unit_activation(run, unit);
}
