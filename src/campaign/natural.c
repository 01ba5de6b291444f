/* SPDX-License-Identifier: MIT */
/* `meicensus natural`: from a dataset to natural.h5. */
#include "natural.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "build_info.h"
#include "clock.h"
#include "memory.h"
#include "natural_census.h"
#include "signals.h"

/** All channels of all selectable layers, and all class outputs. */
static enum status list_units(const struct model *model, struct unit_list *units, struct error *error)
{
    const struct job_search channels = {.unit = UNIT_CHANNEL}, classes = {.unit = UNIT_CLASS};
    TRY(units_select(&channels, model, units, error));
    return units_select(&classes, model, units, error);
}

/** What the activations depend on, a line each; the first line that differs is the one that is told. */
static enum status write_facts(struct natural *natural, struct error *error)
{
    const struct model *model = natural->network.model;
    size_t length = 0;
    TRY(model_constants(model, &natural->constants, error));
    FILE *stream = open_memstream(&natural->parts.facts, &length);
    if (stream == NULL)
        return error_set_errno(error, STATUS_INTERNAL, "no memory to write to");
    fprintf(stream, "model sha256: %s\n", model_sha256(model));
    fprintf(stream, "tensors sha256: %s\n", model_tensors_sha256(model));
    fprintf(stream, "timesteps: %d\n", model_timesteps(model));
    fprintf(stream, "neuron: %s\n", natural->constants);
    fprintf(stream, "kernels: %s\n", natural->network.backend.identity);
    fprintf(stream, "dataset sha256: %s\n", natural->dataset_sha256);
    fprintf(stream, "images: %zu, by %d\n", dataset_n_images(natural->dataset), NATURAL_CHUNK_IMAGES);
    fprintf(stream, "units: %zu\n", natural->units.n_items);
    fprintf(stream, "program version: %s\n", build_version);
    fprintf(stream, "code revision: %s\n", build_code_revision);
    if (fclose(stream) != 0)
        return error_set_errno(error, STATUS_INTERNAL, "no memory to write to");
    return hash_bytes_sha256(natural->parts.facts, length, natural->parts.digest, error);
}

static enum status check_top(const struct natural *natural, struct error *error)
{
    const size_t n_images = dataset_n_images(natural->dataset);
    if ((size_t)natural->options->top <= n_images)
        return STATUS_OK;
    return error_set(error, STATUS_BAD_INPUT, "%s: --top %d, but there are only %zu images",
                     natural->options->data, natural->options->top, n_images);
}

static enum status prepare_rank(struct natural *natural, struct error *error)
{
    const struct natural_options *options = natural->options;
    struct natural_parts *parts = &natural->parts;
    TRY(network_open(&options->network, &natural->network, error));
    TRY(model_dataset_open(natural->network.model, options->data, (size_t)options->limit, &natural->dataset,
                           error));
    TRY(check_top(natural, error));
    TRY(dataset_sha256(natural->dataset, natural->dataset_sha256, error));
    TRY(list_units(natural->network.model, &natural->units, error));
    parts->n_units = (int64_t)natural->units.n_items;
    parts->n_images = (int64_t)dataset_n_images(natural->dataset);
    parts->n_chunks = (parts->n_images + NATURAL_CHUNK_IMAGES - 1) / NATURAL_CHUNK_IMAGES;
    if (snprintf(parts->folder, sizeof parts->folder, "%s.parts", options->output) >=
        (int)sizeof parts->folder)
        return error_set(error, STATUS_BAD_INPUT, "%s: the path is too long", options->output);
    return write_facts(natural, error);
}

static enum status compare_ranks(const struct natural *natural, struct error *error)
{
    char host[128] = "?";
    if (ranks_hold_same(&natural->ranks, natural->parts.digest))
        return STATUS_OK;
    gethostname(host, sizeof host - 1);
    return error_set(error, STATUS_MISMATCH,
                     "rank %d on %s has another model, other images or kernels, or another program than rank "
                     "0: all ranks must see the same files, and be told the same --isa",
                     natural->ranks.rank, host);
}

static enum status take_parts(struct natural_parts *parts, struct error *error)
{
    TRY(natural_parts_take(parts, error));
    return natural_parts_read(parts, error);
}

/** All parts are there: rank 0 makes the file of them. */
static enum status finish(struct natural *natural, struct error *error)
{
    struct natural_parts *parts = &natural->parts;
    TRY(natural_parts_read(parts, error));
    TRY(natural_write(natural, error));
    natural_parts_delete(parts);
    printf("%s: %lld units, %d best of %lld images each\n", natural->options->output,
           (long long)parts->n_units, natural->options->top, (long long)parts->n_images);
    return STATUS_OK;
}

static enum status do_all(struct natural *natural, struct error *error)
{
    const struct ranks *ranks = &natural->ranks;
    const bool leads = ranks->rank == 0;
    TRY(ranks_agree(ranks, prepare_rank(natural, error), error));
    TRY(ranks_agree(ranks, compare_ranks(natural, error), error));
    TRY(ranks_agree(ranks, leads ? take_parts(&natural->parts, error) : STATUS_OK, error));
    TRY(ranks_agree(ranks, natural_work(natural, error), error));
    return ranks_agree(ranks, leads ? finish(natural, error) : STATUS_OK, error);
}

enum status natural_run(const struct natural_options *options, struct error *error)
{
    struct natural natural = {.options = options, .parts = {.lock = -1}, .started = clock_seconds()};
    signals_catch();
    enum status status = ranks_start(&natural.ranks, error);
    if (status == STATUS_OK)
        status = do_all(&natural, error);
    natural_parts_close(&natural.parts);
    free(natural.constants);
    free(natural.units.items);
    dataset_close(natural.dataset);
    network_close(&natural.network);
    ranks_end();
    return status;
}
