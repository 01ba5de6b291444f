/* SPDX-License-Identifier: MIT */
/* The neuron constants of a model as text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "model_private.h"
#include "network.h"

enum { CONSTANTS_CAPACITY = 256, NUMBER_CAPACITY = 32 };

/** The shortest text that reads as that number. */
static const char *write_number(double number, char text[NUMBER_CAPACITY])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, NUMBER_CAPACITY, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    return text;
}

static void write_constants(const struct neuron *neuron, char text[CONSTANTS_CAPACITY])
{
    char first[NUMBER_CAPACITY], threshold[NUMBER_CAPACITY], reset[NUMBER_CAPACITY];
    write_number(neuron->threshold, threshold);
    if (neuron->kind == NEURON_LEAKY)
        snprintf(text, CONSTANTS_CAPACITY, "{kind: leaky, beta: %s, threshold: %s}",
                 write_number(neuron->beta, first), threshold);
    else
        snprintf(text, CONSTANTS_CAPACITY,
                 "{kind: lif, tau: %s, decay_input: %s, reset: %s, v_reset: %s, threshold: %s}",
                 write_number(neuron->tau, first), neuron->decay_input ? "true" : "false",
                 neuron->soft_reset ? "soft" : "hard", write_number(neuron->v_reset, reset), threshold);
}

/** One text for all layers, or each layer's with its name. */
static void write_layers(const struct model *model, bool one_for_all, FILE *stream)
{
    char text[CONSTANTS_CAPACITY];
    bool is_first = true;
    for (int i = 0; i < model->n_layers; i++) {
        const struct layer *layer = &model->layers[i];
        if (!layer->kind->is_spiking || (one_for_all && !is_first))
            continue;
        write_constants(&layer->neuron, text);
        if (one_for_all)
            fputs(text, stream);
        else
            fprintf(stream, "%s%s: %s", is_first ? "" : "; ", layer->name, text);
        is_first = false;
    }
    if (is_first)
        fputs("none", stream);
}

static bool layers_are_alike(const struct model *model)
{
    char first[CONSTANTS_CAPACITY] = "", text[CONSTANTS_CAPACITY];
    for (int i = 0; i < model->n_layers; i++) {
        if (!model->layers[i].kind->is_spiking)
            continue;
        write_constants(&model->layers[i].neuron, text);
        if (first[0] != '\0' && strcmp(first, text) != 0)
            return false;
        memcpy(first, text, sizeof first);
    }
    return true;
}

enum status model_constants(const struct model *model, char **text, struct error *error)
{
    char *written = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&written, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "no memory to write to");
    write_layers(model, layers_are_alike(model), stream);
    if (fclose(stream) != 0) {
        free(written);
        return error_set_errno(error, STATUS_INTERNAL, "no memory to write to");
    }
    *text = written;
    return STATUS_OK;
}
