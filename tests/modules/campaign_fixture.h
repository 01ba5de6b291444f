/* SPDX-License-Identifier: MIT */
/** A small campaign on the real networks, for tests of src/campaign. */
#ifndef MEICENSUS_CAMPAIGN_FIXTURE_H
#define MEICENSUS_CAMPAIGN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "campaign.h"

#define FIXTURE_MODELS                                                                                       \
    "results: none\n"                                                                                        \
    "subjects: {spiking: {model: weights/spiking_resnet18.yaml, timesteps: 4}}\n"                            \
    "generators: {vq_vae: {model: weights/vq_vae.yaml}}\n"

struct fixture {
    struct job *job;
    struct backend backend;
    struct plan *plan;
};

static inline void require(enum status status, const struct error *error)
{
    if (status != STATUS_OK)
        fail_msg("%s", error->message);
}

static inline void fixture_open(struct fixture *fixture, const char *text)
{
    struct error error = {0};
    *fixture = (struct fixture){0};
    require(job_read_text(text, "test.yaml", &fixture->job, &error), &error);
    require(backend_open(fixture->job->kernels, &fixture->backend, &error), &error);
    require(plan_make(fixture->job, &fixture->backend, &fixture->plan, &error), &error);
}

static inline void fixture_close(struct fixture *fixture)
{
    plan_free(fixture->plan);
    job_free(fixture->job);
}

/** Number of the run with that name (plan_run_name). */
static inline int64_t find_run(const struct plan *plan, const char *wanted)
{
    char name[RUN_NAME_CAPACITY];
    for (int64_t r = 0; r < plan->n_runs; r++) {
        plan_run_name(plan, r, name);
        if (strcmp(name, wanted) == 0)
            return r;
    }
    fail_msg("no run %s", wanted);
    return -1;
}

static inline const struct record_layout *run_layout(const struct plan *plan, int64_t run)
{
    return &plan->groups[plan->runs[run].group].layout;
}

/** The first field that differs outside /provenance, or NULL. */
static inline const char *different_field(const struct record_layout *layout, const void *a, const void *b)
{
    for (int i = 0; i < N_RECORD_FIELDS; i++) {
        const enum record_field_id field = (enum record_field_id)i;
        const size_t n_bytes = layout->n_elements[field] * record_type_bytes(record_fields[field].type);
        if (record_fields[field].place != PLACE_PROVENANCE &&
            memcmp(record_at_const(layout, a, field), record_at_const(layout, b, field), n_bytes) != 0)
            return record_fields[field].name;
    }
    return NULL;
}

#endif
