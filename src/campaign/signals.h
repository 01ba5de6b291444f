/* SPDX-License-Identifier: MIT */
/** The wish to stop: SIGUSR1 (Slurm's, forwarded by mpirun), SIGTERM, SIGINT. */
#ifndef MEICENSUS_SIGNALS_H
#define MEICENSUS_SIGNALS_H

#include <stdbool.h>

/** From now on these signals only set a flag. A second SIGINT ends the process. */
void signals_catch(void);

/** Has one arrived? */
bool signals_arrived(void);

#endif
