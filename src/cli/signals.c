/* SPDX-License-Identifier: Apache-2.0 */
/* See signals.h. */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void handle(int number)
{
    caught = number;
}

void signals_install(void)
{
    /* SA_RESTART: what is under way is finished, and the question asked at the next step */
    struct sigaction stop = {.sa_handler = handle, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

bool signals_stopped(void)
{
    return caught != 0;
}

int signals_caught(void)
{
    return caught;
}
