/* SPDX-License-Identifier: MIT */
/**
 * Who does what: a job file becomes a plan of runs, workers do them in lockstep batches, journals keep them,
 * gather makes the results file of them.
 *
 * Legend: group = (subject, generator, method); unit = what is maximised; run = one search for one unit and
 * replicate of a group; shard = the runs r with r mod n_shards = shard, r being the run's place in the plan;
 * chain = replicates of a unit that depend on each other, all in one shard.
 */
#ifndef MEICENSUS_CAMPAIGN_H
#define MEICENSUS_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "backend.h"
#include "document.h"
#include "external.h"
#include "model.h"
#include "record.h"
#include "results.h"
#include "search.h"
#include "status.h"

/* ---- job files (job.c) ---- */

struct job_subject {
    const char *name;
    const char *model;                /**< NULL: a program */
    struct external_settings program; /**< command NULL: a model file */
    char *description;   /**< of the program, as the campaign was started with; NULL: the program is asked */
    const char *tensors; /**< NULL: as in the model file */
    long long timesteps; /**< 0: as in the model file */
    const struct node *neuron;
    const char *natural; /**< file of natural references (natural.h); NULL: none */
};

struct job_generator {
    const char *name, *model;
};

struct job_method {
    const char *name; /**< in the results; the method's own name unless the job gives another */
    const struct search_method *method;
    void *settings; /**< filled from method->keys */
};

struct job_trials {
    long long count;
    int noise;    /**< index into noise_kinds (trials.h) */
    double scale; /**< the noise kind's default if the job does not say */
};

struct job_stop {
    bool at_bound;
    bool has_target;
    double target;
    long long no_improvement; /**< queries; 0: never */
    double seconds;           /**< of a search, from its first ask on; 0: never */
};

/** Further presentations of the codes with the best scores, after a search with noise. */
struct job_recheck {
    long long candidates, presentations; /**< codes (0: no recheck), presentations of each */
};

/** Where the first codes of a search come from; nothing: it starts cold. */
struct job_start {
    const char *results;                      /**< results file of an earlier census; NULL: none */
    const char *subject, *generator, *method; /**< whose MEIs of it; NULL: those of the same names */
    long long neighbours; /**< of so many most active other units of the layer; 0: of the unit itself */
    long long natural;    /**< so many of the unit's best natural images */
    const char *codes;    /**< file as of `meicensus encode`; NULL: none */
};

/** Who searches: each unit alone, or all of them together with every image that any of them asked for. */
enum job_mode { MODE_INDEPENDENT, MODE_SHARED };

/** How units that share their images do so. */
struct job_shared {
    long long random; /**< uniform random codes that are shown first */
    long long round;  /**< images between two exchanges */
    long long elite;  /**< best codes that are known of each unit */
    int spending;     /**< who gets the next children: index into spending_names (shared/spending.h) */
};

/** One entry of `searches`; list nodes are resolved by the plan. */
struct job_search {
    const struct node *subjects, *generators, *methods, *layers, *select;
    int unit; /**< enum unit_kind */
    int mode; /**< enum job_mode */
    const struct node *shared_node;
    struct job_shared shared;
    long long sample;
    long long budget; /**< queries of a run; shared: of all of them together */
    long long replicates;
    long long first_budget; /**< that methods plan with: the budget, unless the campaign was extended */
    bool minimise;
    const struct node *start_node; /**< NULL: not said */
    struct job_start start;
    const struct node *noise_node, *recheck_node;
    struct job_trials noise; /**< of every query; noise none: the subject answers the same each time */
    struct job_recheck recheck;
    double
        distinct; /**< weight of closeness to the MEIs of earlier replicates; 0: replicates are independent */
    const struct node *node;
};

struct job {
    struct document *document;
    const char *path;
    const char *results; /**< folder */
    const char *kernels; /**< NULL: the fastest */
    long long seed, shards, batch;
    bool trace;
    struct job_trials trials;
    struct job_stop stop;
    int n_subjects, n_generators, n_methods, n_searches;
    struct job_subject *subjects;
    struct job_generator *generators;
    struct job_method *methods;
    struct job_search *searches;
};

/** Read and check a job file; `set` lists n_set texts "key=value" (--set). The caller frees it with job_free.
 */
enum status job_read(const char *path, const char *const *set, int n_set, struct job **job,
                     struct error *error);

/** As job_read, from the text of a job with all --set already in it (run.json); `name` stands for the file.
 */
enum status job_read_text(const char *text, const char *name, struct job **job, struct error *error);
void job_free(struct job *job);

/** Every setting in use, as YAML; the same job gives the same text. Keys that results do not depend on
 *  (results, batch) are left out unless `all`. */
void job_echo(const struct job *job, bool all, FILE *out);

/** jobs/example.yaml: every key with meaning, unit and default. */
void job_document(FILE *out);

/* ---- plans (plan.c) ---- */

struct unit {
    int layer; /**< of the model */
    enum unit_kind kind;
    int channel, y, x; /**< channel: class index of a UNIT_CLASS; y, x: -1 unless UNIT_NEURON */
};

struct plan_subject {
    struct model *model;
    struct external *program; /**< NULL: a model file, or a program that does not run */
    int64_t n_units;
    struct unit *units; /**< sorted: layer, kind, channel, y, x; no duplicates */
};

struct plan_group {
    int subject, generator, method; /**< indices into the job's lists */
    int search;                     /**< the first of the job's searches that asks for it */
    bool minimise;
    bool is_shared; /**< its runs belong to pools */
    bool
        is_chained; /**< a replicate depends on those before it: the replicates of a unit are done together */
    int replicates;
    int64_t n_units;
    int64_t *units; /**< rows of the subject's unit table, rising */
    struct record_layout layout;
    struct job_start start; /**< names filled in; natural images may have been added (start.h) */
    int n_start;            /**< start codes of every unit, by plan_load_starts; 0 before */
    int32_t *start_pool;    /**< [..][d] codes */
    int64_t *start_rows;    /**< [n_units][n_start] rows of start_pool */
};

struct run {
    int32_t group, replicate;
    int32_t pool; /**< -1: it is searched alone */
    int64_t unit; /**< row of the subject's unit table */
    uint64_t key;
};

/** Runs that share their images: all of one generator, method and replicate, of whatever subject. */
struct plan_pool {
    int generator, method;
    int32_t replicate;
    int search;   /**< of the first of its groups */
    uint64_t key; /**< Philox key of what no single run draws */
    int64_t n_runs;
    int64_t *runs; /**< [n_runs] numbers of the plan, rising */
};

struct plan {
    const struct job *job;
    struct plan_subject *subjects;
    struct model **generators;
    int n_groups;
    struct plan_group *groups;
    int64_t n_runs;
    struct run *runs; /**< sorted: group, unit, replicate */
    int64_t *by_key;  /**< run numbers by rising key */
    int n_pools;
    struct plan_pool *pools;
};

/**
 * Load the models, start the programs that are subjects and whose description the job does not have, and lay
 * out all runs. The plan keeps a reference to `job`.
 */
enum status plan_make(const struct job *job, const struct backend *backend, struct plan **plan,
                      struct error *error);
void plan_free(struct plan *plan);

/**
 * Read the codes that searches start from, which costs time (natural images are encoded) and is needed by who
 * searches. STATUS_BAD_INPUT: a file that is of another generator, lacks a unit, or holds what is no code of
 * the generator; a budget too small for them.
 */
enum status plan_load_starts(struct plan *plan, const struct backend *backend, struct error *error);

/** Start code i of a unit, by its place among the group's units: [d]. */
const int32_t *plan_start_code(const struct plan_group *group, int64_t unit, int i);

/** End the programs, where nobody will ask them. */
void plan_stop_programs(struct plan *plan);

/** Number of the run with that key, or -1. */
int64_t plan_find(const struct plan *plan, uint64_t key);

/** The shard of a run; all runs of a pool are in one. */
int plan_shard_of(const struct plan *plan, int64_t run);

/** The pool with that key, or -1. */
int plan_find_pool(const struct plan *plan, uint64_t key);

/** Does the run depend on the one before it, as a later replicate of its chain? */
bool plan_run_follows(const struct plan *plan, int64_t run);

/** Runs that a worker may get at a time: the job's batch, or the longest chain. */
int plan_batch_capacity(const struct plan *plan);

/** Runs of a shard. */
int64_t plan_shard_runs(const struct plan *plan, int shard);

/** "spiking_resnet18/vq_vae/tt_b/layer4.1.sn2/7": a run for messages. */
enum { RUN_NAME_CAPACITY = 320 };
void plan_run_name(const struct plan *plan, int64_t run, char name[RUN_NAME_CAPACITY]);

/** "spiking_resnet18/layer4.1.sn2/7" */
void plan_unit_name(const struct plan *plan, int subject, const struct unit *unit,
                    char name[RUN_NAME_CAPACITY]);

/** Index among the selectable layers of the subject (0 = first); -1 for class outputs. */
int plan_layer_index(const struct model *model, int layer);

/* ---- doing it (run.c, gather.c): collective over all ranks ---- */

struct run_options {
    const char *job;        /**< path of the job file */
    const char *const *set; /**< [n_set] "key=value" */
    int n_set;
    int shard;
    bool has_shard;
    bool extend; /**< the job may have larger budgets, more trials or replicates than the campaign so far */
};

/**
 * Do the runs of one shard that its journals do not have yet; starts and ends MPI itself. Collective.
 * STATUS_STOPPED after a signal. On a fault only rank 0 has a message; the others' is empty.
 */
enum status campaign_run(const struct run_options *options, struct error *error);

/**
 * Write `<folder>/results.h5` (or `output`, unless NULL) from the journals; starts and ends MPI itself.
 * Collective. STATUS_INCOMPLETE lists what is missing, unless `partial`.
 */
enum status campaign_gather(const char *folder, const char *output, bool partial, struct error *error);

/** Print how far each shard is. Not collective. */
enum status campaign_status(const char *folder, struct error *error);

/**
 * Show `n_runs` MEIs of a results file again, by the reference kernels, and print the largest difference of
 * an activation (in spikes, too), how many differ, and the mean activations. The model files must be where
 * the job names them. Not collective.
 */
enum status campaign_recompute(const char *path, int64_t n_runs, struct error *error);

/** Print runs, queries, estimated seconds and bytes, in all and per shard. Not collective. */
enum status campaign_print_plan(const struct job *job, struct error *error);

#endif
