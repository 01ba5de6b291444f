/* SPDX-License-Identifier: MIT */
/** The job file and --set of a command line: rows of the tables of `run` and `plan`. */
#ifndef MEICENSUS_JOB_OPTIONS_H
#define MEICENSUS_JOB_OPTIONS_H

#define JOB_POSITIONAL                                                                                       \
    {                                                                                                        \
        "JOB", "job file (meicensus list keys prints all that can stand in one)"                             \
    }
#define JOB_SET_OPTION                                                                                       \
    {                                                                                                        \
        "set", "KEY=VALUE", NULL, false, true, "change a key of the job, e.g. --set trials.count=10"         \
    }

#endif
