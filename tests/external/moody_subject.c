/* SPDX-License-Identifier: MIT */
/*
 * An external subject with two layers of one spiking channel each, and its faults:
 *   moody_subject calm           its activation is a mean of the image's values, squeezed into [0, 1]
 *   moody_subject noisy          and differs every time, and says so
 *   moody_subject dies FILE N    kills itself at every N-th question, which FILE counts, once over all starts
 *   moody_subject mad            answers with 2 in the second layer
 *   moody_subject hangs          never answers in the second layer
 *   moody_subject slow           thinks for 0.2 s about every question
 *   moody_subject other          as calm, but describes itself otherwise
 *   moody_subject empty          describes no layer
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "external_frame.h"

enum { N_VALUES = 3 * 32 * 32 };

static char **words;

static int is(const char *mood)
{
    return words[1] != NULL && strcmp(words[1], mood) == 0;
}

static void describe(char *text, size_t capacity)
{
    snprintf(text, capacity,
             "{\"format\": \"meicensus subject 1\", \"name\": \"%s\", \"deterministic\": %s, "
             "\"input\": {\"channels\": 3, \"height\": 32, \"width\": 32}, \"layers\": [%s]}",
             is("other") ? "other" : "moody", is("noisy") ? "false" : "true",
             is("empty") ? ""
                         : "{\"name\": \"first\", \"channels\": 1, \"spiking\": true}, "
                           "{\"name\": \"second\", \"channels\": 1, \"spiking\": true}");
}

static double think(const struct external_unit *unit, const float *image)
{
    double sum = 0;
    for (int i = 0; i < N_VALUES; i++)
        sum += image[i] * ((i / (7 + unit->layer)) % 2 - 0.5);
    if (is("noisy"))
        sum += rand() % 1000;
    if (is("mad") && unit->layer == 1)
        return 2;
    return 0.5 + atan(sum / 100) / 4;
}

/** Adds to the number in a file. */
static long count(const char *path)
{
    long n = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%ld", &n) != 1)
        n = 0;
    if (file != NULL)
        fclose(file);
    file = fopen(path, "w");
    fprintf(file, "%ld\n", n + 1);
    fclose(file);
    return n + 1;
}

static void pause_for(double seconds)
{
    const struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static void send(enum external_type type, uint32_t n_items, const void *payload, size_t n_bytes)
{
    struct external_frame frame = {.version = EXTERNAL_VERSION,
                                   .type = (uint16_t)type,
                                   .n_items = n_items,
                                   .n_values = 1,
                                   .n_bytes = n_bytes};
    memcpy(frame.magic, EXTERNAL_MAGIC, sizeof frame.magic);
    fwrite(&frame, sizeof frame, 1, stdout);
    fwrite(payload, 1, n_bytes, stdout);
    fflush(stdout);
}

static void answer(uint32_t n_images)
{
    static float image[N_VALUES];
    struct external_unit unit;
    float *activations = calloc(n_images, sizeof *activations);
    if (activations == NULL || fread(&unit, sizeof unit, 1, stdin) != 1)
        exit(EXIT_FAILURE);
    for (uint32_t i = 0; i < n_images && fread(image, sizeof image, 1, stdin) == 1; i++)
        activations[i] = (float)think(&unit, image);
    if (is("dies") && count(words[2]) % atol(words[3]) == 0)
        raise(SIGKILL);
    if (is("hangs") && unit.layer == 1)
        pause_for(1000);
    if (is("slow"))
        pause_for(0.2);
    send(EXTERNAL_SCORES, n_images, activations, n_images * sizeof *activations);
    free(activations);
}

int main(int argc, char **argv)
{
    char text[512];
    struct external_frame frame;
    (void)argc;
    words = argv;
    srand((unsigned)getpid());
    describe(text, sizeof text);
    while (fread(&frame, sizeof frame, 1, stdin) == 1)
        if (frame.type == EXTERNAL_SUBJECT)
            send(EXTERNAL_DESCRIPTION, 1, text, strlen(text));
        else
            answer(frame.n_items);
    return EXIT_SUCCESS;
}
