/* SPDX-License-Identifier: Apache-2.0 */
/* Locks by uuid that go with the process: bytes of one file (see locks.c). */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

#define LOCKS_MAX 4096 /* that one connection may hold */

struct locks {
    int fd; /* -1: nothing locked yet */
    char (*held)[UUID_TEXT];
    size_t n;
};
#define LOCKS_NONE ((struct locks){.fd = -1})

/* Takes the lock of `uuid` in the file at `path`, which is made if missing. 0 too if we have it already.
 * -EBUSY: someone else does. */
int locks_take(struct locks *l, const char *path, const char *uuid, struct error *e) _must_check_;
bool locks_held(const struct locks *l, const char *uuid);

/* Gives all of them back. */
void locks_drop(struct locks *l);
