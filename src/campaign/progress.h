/* SPDX-License-Identifier: MIT */
/** The progress line of a shard, and progress.<shard>.json beside it. */
#ifndef MEICENSUS_PROGRESS_H
#define MEICENSUS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "folder.h"

struct progress {
    char json_path[FOLDER_PATH_CAPACITY];
    int shard;
    bool updates_line; /**< a terminal: one line that changes; else a line now and then */
    double started, last_line, last_json;
    int64_t n_runs;                                    /**< of the shard */
    int64_t n_before;                                  /**< of them finished by earlier starts */
    int64_t n_finished, n_failed, n_silent, n_queries; /**< n_queries: of this start */
    int64_t n_presentations; /**< at most, of the runs that this start found unfinished: also rechecks and
                                trials */
};

void progress_start(struct progress *progress, const char *folder, int shard);

/** Show what has changed, if it is time (`last`: in any case). `state` is "running", "stopping", "stopped",
 * "done", "failed". */
void progress_show(struct progress *progress, const char *state, bool last);

#endif
