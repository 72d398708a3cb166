/* SPDX-License-Identifier: Apache-2.0 */
/* The first SIGINT, SIGTERM or SIGHUP asks the operation in progress to stop: it undoes what it did, or
 * finishes what can no longer be undone. The second one ends the process at once, whatever it waits for. */
#pragma once

#include <stdbool.h>

/* `quiet`: the first signal prints nothing. A SIGHUP that is ignored (nohup) stays ignored. */
void signals_install(bool quiet);

/* Has one come? Not while signals are held. */
bool signals_stopped(void);

/* Held from the point of no return to the end of an operation. */
void signals_hold(bool on);

int signals_caught(void); /* which one; 0: none */
