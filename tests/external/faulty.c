/* SPDX-License-Identifier: MIT */
/*
 * An external program that answers every question after the greeting wrongly, as its argument says:
 *   nan  short  half  many  type  version  early  refuse  text      (half: and ends)
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "external_frame.h"

static int is_mode(const char *mode, const char *name)
{
    return strcmp(mode, name) == 0;
}

static void send(const struct external_frame *frame, const void *payload, size_t n_bytes)
{
    fwrite(frame, sizeof *frame, 1, stdout);
    fwrite(payload, 1, n_bytes, stdout);
    fflush(stdout);
}

static void skip_payload(uint64_t n_bytes)
{
    while (n_bytes-- > 0 && getchar() != EOF)
        ;
}

static void answer(struct external_frame frame, const char *mode)
{
    static const char reason[] = "no light in the chamber";
    float *scores = calloc((size_t)frame.n_items + 1, sizeof *scores);
    if (scores == NULL)
        exit(EXIT_FAILURE);
    frame.type = is_mode(mode, "type") ? EXTERNAL_READY : EXTERNAL_SCORES;
    frame.version = is_mode(mode, "version") ? 9 : EXTERNAL_VERSION;
    frame.n_items += is_mode(mode, "many");
    frame.n_values = 1;
    frame.n_bytes = sizeof *scores * frame.n_items;
    if (is_mode(mode, "nan"))
        scores[2] = NAN;
    if (is_mode(mode, "refuse")) {
        frame.type = EXTERNAL_REFUSAL;
        frame.n_bytes = strlen(reason);
        send(&frame, reason, strlen(reason));
    } else if (is_mode(mode, "text")) {
        puts("evaluating a batch of codes on the rig");
        fflush(stdout);
    } else {
        const int is_half = is_mode(mode, "half");
        send(&frame, scores, frame.n_bytes - (is_half || is_mode(mode, "short") ? sizeof *scores : 0));
        if (is_half)
            exit(EXIT_SUCCESS);
    }
    free(scores);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    struct external_frame frame;
    while (fread(&frame, sizeof frame, 1, stdin) == 1) {
        if (frame.type == EXTERNAL_OBJECTIVE) {
            frame.type = EXTERNAL_READY;
            send(&frame, "", 0);
            continue;
        }
        if (!is_mode(mode, "early"))
            skip_payload(frame.n_bytes);
        answer(frame, mode);
    }
    return EXIT_SUCCESS;
}
