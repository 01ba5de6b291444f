/* SPDX-License-Identifier: MIT */
/*
 * An objective of your own, as small as it gets: the function `sphere` as a program.
 *
 *   cc -O2 -Iinclude jobs/external/sphere.c -o sphere -lm
 *   meicensus optimize --command ./sphere --method cma --dim 16 --points 64 --budget 1000
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "external_frame.h"

/** An index i of n points stands for x = (i + 0.5) / n; best is x_i = frac((i + 1) (sqrt(5) - 1) / 2). */
static float sphere(const int32_t *code, uint32_t n_dimensions, uint32_t n_points)
{
    double sum = 0;
    for (uint32_t i = 0; i < n_dimensions; i++) {
        const double turns = (i + 1) * ((sqrt(5) - 1) / 2), best = turns - floor(turns);
        const double offset = (code[i] + 0.5) / n_points - best;
        sum += offset * offset;
    }
    return (float)(-sum / n_dimensions);
}

static int answer(struct external_frame frame, enum external_type type, uint32_t n_values,
                  const float *scores)
{
    frame.type = (uint16_t)type;
    frame.n_values = n_values;
    frame.n_bytes = scores == NULL ? 0 : sizeof *scores * frame.n_items;
    return fwrite(&frame, sizeof frame, 1, stdout) == 1 &&
           (scores == NULL || fwrite(scores, sizeof *scores, frame.n_items, stdout) == frame.n_items) &&
           fflush(stdout) == 0;
}

static int answer_codes(struct external_frame frame, uint32_t n_points)
{
    const size_t n = frame.n_items, d = frame.n_values;
    int32_t *codes = malloc(n * d * sizeof *codes);
    float *scores = malloc(n * sizeof *scores);
    int done = codes != NULL && scores != NULL && fread(codes, sizeof *codes, n * d, stdin) == n * d;
    for (size_t i = 0; done && i < n; i++)
        scores[i] = sphere(codes + i * d, frame.n_values, n_points);
    done = done && answer(frame, EXTERNAL_SCORES, 1, scores);
    free(codes);
    free(scores);
    return done;
}

int main(void)
{
    struct external_frame frame;
    uint32_t n_points = 1;
    int done = 1;
    while (done && fread(&frame, sizeof frame, 1, stdin) == 1) {
        if (frame.type == EXTERNAL_OBJECTIVE) {
            n_points = frame.n_items;
            done = answer(frame, EXTERNAL_READY, frame.n_values, NULL);
        } else {
            done = frame.type == EXTERNAL_CODES && answer_codes(frame, n_points);
        }
    }
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
