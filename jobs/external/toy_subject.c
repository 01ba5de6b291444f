/* SPDX-License-Identifier: MIT */
/*
 * A network of your own, as small as it gets: two layers over images of 3 x 32 x 32, as a program.
 *
 *   cc -O2 -Iinclude jobs/external/toy_subject.c -o toy_subject -lm
 *   subjects: {toy: {command: ./toy_subject}}          # in a job file
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "external_frame.h"

enum { CHANNELS = 3, SIDE = 32, N_VALUES = CHANNELS * SIDE * SIDE, N_FILTERS = 4 };

static const char description[] = "format: meicensus subject 1\n"
                                  "name: toy\n"
                                  "input: {channels: 3, height: 32, width: 32}\n"
                                  "image: {mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]}\n"
                                  "deterministic: true\n"
                                  "classes: 2\n"
                                  "layers:\n"
                                  "  - {name: waves, channels: 4, height: 2, width: 2, spiking: true}\n"
                                  "  - {name: contrast, channels: 3}\n";

/** How much a corner of the image (y, x: 0 or 1) looks like wave number `filter`, from 0 to 1. */
static double wave(const float *image, int filter, int y, int x)
{
    const int half = SIDE / 2;
    double sum = 0;
    for (int c = 0; c < CHANNELS; c++)
        for (int i = y * half; i < (y + 1) * half; i++)
            for (int j = x * half; j < (x + 1) * half; j++)
                sum += image[(c * SIDE + i) * SIDE + j] * cos(0.4 * (filter + 1) * (filter % 2 ? i : j));
    return 1 / (1 + exp(-sum / (8 * half)));
}

static double mean_wave(const float *image, int filter)
{
    return (wave(image, filter, 0, 0) + wave(image, filter, 0, 1) + wave(image, filter, 1, 0) +
            wave(image, filter, 1, 1)) /
           4;
}

/** Standard deviation of one colour. */
static double contrast(const float *image, int colour)
{
    double sum = 0, squares = 0;
    for (int i = colour * SIDE * SIDE; i < (colour + 1) * SIDE * SIDE; i++) {
        sum += image[i];
        squares += image[i] * image[i];
    }
    const double mean = sum / (SIDE * SIDE);
    return sqrt(fmax(squares / (SIDE * SIDE) - mean * mean, 0));
}

static double activation(const struct external_unit *unit, const float *image)
{
    if (unit->kind == 2)
        return mean_wave(image, unit->channel) - mean_wave(image, unit->channel + 1);
    if (unit->layer == 1)
        return contrast(image, unit->channel);
    return unit->kind == 1 ? wave(image, unit->channel, unit->y, unit->x) : mean_wave(image, unit->channel);
}

static int answer(enum external_type type, uint32_t n_items, const void *payload, size_t n_bytes)
{
    struct external_frame frame = {.version = EXTERNAL_VERSION,
                                   .type = (uint16_t)type,
                                   .n_items = n_items,
                                   .n_values = 1,
                                   .n_bytes = n_bytes};
    memcpy(frame.magic, EXTERNAL_MAGIC, sizeof frame.magic);
    return fwrite(&frame, sizeof frame, 1, stdout) == 1 && fwrite(payload, 1, n_bytes, stdout) == n_bytes &&
           fflush(stdout) == 0;
}

static int answer_images(uint32_t n_images)
{
    static float image[N_VALUES];
    struct external_unit unit;
    float *activations = malloc(n_images * sizeof *activations);
    int done = activations != NULL && fread(&unit, sizeof unit, 1, stdin) == 1;
    for (uint32_t i = 0; done && i < n_images; i++) {
        done = fread(image, sizeof image, 1, stdin) == 1;
        activations[i] = (float)activation(&unit, image);
    }
    done = done && answer(EXTERNAL_SCORES, n_images, activations, n_images * sizeof *activations);
    free(activations);
    return done;
}

int main(void)
{
    struct external_frame frame;
    int done = 1;
    while (done && fread(&frame, sizeof frame, 1, stdin) == 1)
        done = frame.type == EXTERNAL_SUBJECT
                   ? answer(EXTERNAL_DESCRIPTION, 1, description, strlen(description))
                   : frame.type == EXTERNAL_IMAGES && answer_images(frame.n_items);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
