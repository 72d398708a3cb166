/* SPDX-License-Identifier: Apache-2.0 */
/* How long a keeper stays if it is never told to end: as long as front ends are connected, and a moment more;
 * before the first front end as long as its opener lives, or as disks/state.h says. */
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct tenure {
    int state_fd;  /* file of disks/state.h; -1: the keeper stays until it is told to end */
    int opener_fd; /* pidfd of the process that has started the keeper; -1: that process has ended */
    uint32_t connections;
    bool had_any;
    uint64_t since_msec; /* time when the last front end or the opener was gone */
};

/* Locks the state file, by which others see that this keeper lives. -EBUSY: another keeper has it. */
int tenure_begin(struct tenure *t, struct error *e) _must_check_;

/* Notes that a front end has connected, or is gone. */
void tenure_come(struct tenure *t);
void tenure_gone(struct tenure *t);

/* Notes that the opener has ended. */
void tenure_opener_ended(struct tenure *t);

/* Returns the milliseconds until the keeper is to end; 0: now; -1: not before something changes. */
int tenure_left_msec(const struct tenure *t);
