/* SPDX-License-Identifier: Apache-2.0 */
/* The first SIGINT, SIGTERM or SIGHUP asks the operation in progress to stop: it undoes what it did, or
 * finishes what can no longer be undone. The second one ends the process at once, whatever it waits for. */
#pragma once

#include <stdbool.h>

/* Installs the handler. `quiet`: the first signal prints nothing. A SIGHUP that is ignored (nohup) stays
 * ignored. */
void signals_install(bool quiet);

/* True if a signal has come. Not while signals are held. */
bool signals_stopped(void);

/* Holds signals from the point of no return to the end of an operation. */
void signals_hold(bool on);

int signals_caught(void); /* the number of the signal; 0: none */
