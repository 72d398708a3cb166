/* SPDX-License-Identifier: Apache-2.0 */
/* Gives up privileges, before anything is read that others wrote. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* Forbids core dumps and tracing, and makes new files private. */
void privileges_harden(void);

/* Finds the user that root becomes. */
int privileges_user(uid_t *ret, struct error *e) _must_check_;

/* Makes root the user `mayfly`, with its groups, for good. */
int privileges_drop(struct error *e) _must_check_;
