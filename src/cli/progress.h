/* SPDX-License-Identifier: Apache-2.0 */
/* Progress: a bar on a terminal, lines on a descriptor for programs, steps as log lines with -v.
 *
 *     step TEXT            a step begins
 *     progress DONE TOTAL  bytes of all images of this launch that are written
 */
#pragma once

#include "instance/context.h"

struct progress {
    struct reporter reporter;
    int fd;               /* descriptor for programs; -1: none */
    bool terminal;        /* standard error is a terminal */
    bool drawn;           /* the last line of the terminal has a bar */
    unsigned percent;     /* percent that the bar shows */
    uint64_t total_bytes; /* total that the bar shows */
};

void progress_init(struct progress *p, int fd);
/* Tells that the broker has not answered this request for this long. */
void progress_waiting(struct progress *p, const char *request, unsigned waited_sec);

void progress_end(struct progress *p); /* erases the bar */
