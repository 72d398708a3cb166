/* SPDX-License-Identifier: Apache-2.0 */
/* Locks by uuid that go with the process: bytes of one file (see locks.c). */
#pragma once

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

#define LOCKS_MAX 4096 /* locks that one connection may hold */
#define VERB_MAX  16   /* name of a verb, with its NUL */

struct locks {
    int fd; /* -1: nothing locked yet */
    char (*held)[UUID_TEXT];
    size_t n;
    pid_t pid; /* the process at the other end of the connection, for which locks are taken */
    uid_t uid; /* the user of that process; told to others who find a lock taken */
};
#define LOCKS_NONE ((struct locks){.fd = -1})

/* Opens the file, if it is not open yet. A process that inherits the descriptor keeps the locks alive. */
int locks_open(struct locks *l, const char *path, struct error *e) _must_check_;

/* Takes the lock of `uuid` in the file at `path`, which is made if missing. 0 also if we have the lock
 * already. `verb` says what for, and may be empty. -EBUSY: someone else has it; the sentence says who. */
int locks_take(struct locks *l, const char *path, const char *uuid, const char *verb,
               struct error *e) _must_check_;
bool locks_held(const struct locks *l, const char *uuid);

/* Gives a lock back. Does nothing if we do not have it. */
void locks_give_back(struct locks *l, const char *uuid);

/* Gives all of them back. */
void locks_drop(struct locks *l);
