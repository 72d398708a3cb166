/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT, SIGTERM and SIGHUP ask the operation at work to stop: it then undoes what it did. */
#pragma once

#include <stdbool.h>

void signals_install(void);
bool signals_stopped(void);
int signals_caught(void); /* which one; 0: none */
