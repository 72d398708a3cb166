/* SPDX-License-Identifier: Apache-2.0 */
/* How long a keeper stays where nobody tells it to end: as long as front ends are connected, a moment more,
 * and before the first one as long as whoever has started it lives, or as disks/state.h says.
 */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct tenure {
    int state_fd;  /* disks/state.h; -1: it stays until it is told to end */
    int opener_fd; /* the process that has started it (pidfd); -1: it has ended */
    uint32_t connections;
    bool had_any;
    uint64_t since_msec; /* when the last front end has gone, or the opener */
};

/* Takes the file, so that others see that this keeper is there. -EBUSY: another one has it. */
int tenure_begin(struct tenure *t, struct error *e) _must_check_;

/* A front end has come or gone; all are gone: their worker is. */
void tenure_come(struct tenure *t);
void tenure_gone(struct tenure *t);
void tenure_all_gone(struct tenure *t);

/* The opener has ended. */
void tenure_opener_ended(struct tenure *t);

/* Milliseconds until it is to end, 0: now; -1: not before something happens. */
int tenure_left_msec(const struct tenure *t);
