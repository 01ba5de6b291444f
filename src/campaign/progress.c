/* SPDX-License-Identifier: MIT */
#include "progress.h"

#include <stdio.h>

#include "clock.h"
#include "counter.h"

/* seconds between updates */
static const double line_interval = 0.2, log_interval = 15.0, json_interval = 2.0;

void progress_start(struct progress *progress, const char *folder, int shard)
{
    *progress = (struct progress){.shard = shard, .started = clock_seconds()};
    progress->updates_line = counter_on_terminal();
    snprintf(progress->json_path, sizeof progress->json_path, "%s/progress.%d.json", folder, shard);
}

static void format_seconds(double seconds, char text[32])
{
    const long whole = (long)seconds;
    if (seconds < 0 || seconds > 1e8)
        snprintf(text, 32, "?");
    else if (whole >= 86400)
        snprintf(text, 32, "%ldd%02ldh", whole / 86400, whole % 86400 / 3600);
    else
        snprintf(text, 32, "%ld:%02ld:%02ld", whole / 3600, whole % 3600 / 60, whole % 60);
}

/** Seconds to go: by queries at first, when no run has finished yet; by runs later. -1: unknown. */
static double estimate_rest(const struct progress *p, double elapsed)
{
    const int64_t here = p->n_finished - p->n_before, left = p->n_runs - p->n_finished;
    double share = 0;
    if (p->n_presentations > 0)
        share = (double)p->n_queries / (double)p->n_presentations;
    if (here > 0 && (double)here / (double)(here + left) > share)
        share = (double)here / (double)(here + left);
    return left == 0 ? 0 : share <= 0 ? -1 : elapsed * (1 - share) / share;
}

static void show_line(const struct progress *p, const char *state, double elapsed, bool last)
{
    char rest[32], line[256];
    format_seconds(estimate_rest(p, elapsed), rest);
    snprintf(line, sizeof line,
             "shard %d: %lld/%lld runs, %.2f runs/s, %.0f queries/s, %lld silent, %lld failed, left %s (%s)",
             p->shard, (long long)p->n_finished, (long long)p->n_runs,
             (double)(p->n_finished - p->n_before) / elapsed, (double)p->n_queries / elapsed,
             (long long)p->n_silent, (long long)p->n_failed, rest, state);
    if (p->updates_line) /* a line that is too long for the terminal is cut, not wrapped */
        fprintf(stderr, "\r\033[?7l%s\033[K\033[?7h%s", line, last ? "\n" : "");
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}

static void write_json(const struct progress *p, const char *state, double elapsed)
{
    char text[1024], date[CLOCK_DATE_CAPACITY];
    struct error ignored = {0};
    clock_date(date);
    snprintf(text, sizeof text,
             "{\n  \"shard\": %d,\n  \"state\": \"%s\",\n  \"date\": \"%s\",\n  \"runs\": %lld,\n  "
             "\"finished\": %lld,\n"
             "  \"failed\": %lld,\n  \"silent\": %lld,\n  \"queries_this_start\": %lld,\n  "
             "\"seconds_this_start\": %.1f,\n"
             "  \"seconds_left\": %.1f\n}\n",
             p->shard, state, date, (long long)p->n_runs, (long long)p->n_finished, (long long)p->n_failed,
             (long long)p->n_silent, (long long)p->n_queries, elapsed, estimate_rest(p, elapsed));
    folder_replace(p->json_path, text, &ignored); /* a convenience: the journals are what counts */
}

void progress_show(struct progress *progress, const char *state, bool last)
{
    const double now = clock_seconds(), elapsed = now - progress->started + 1e-9;
    const double interval = progress->updates_line ? line_interval : log_interval;
    if (last || now - progress->last_line >= interval) {
        show_line(progress, state, elapsed, last);
        progress->last_line = now;
    }
    if (last || now - progress->last_json >= json_interval) {
        write_json(progress, state, elapsed);
        progress->last_json = now;
    }
}
