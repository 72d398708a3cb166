/* SPDX-License-Identifier: Apache-2.0 */
/* Gives up privileges, before anything is read that others wrote. */
#pragma once

#include "base/error.h"

#include <sys/types.h>

/* No core dumps, no tracing, private files. */
void privileges_harden(void);

/* The user that root becomes. */
int privileges_user(uid_t *ret, struct error *e) _must_check_;

/* Root becomes the user `mayfly`, with its groups, for good. */
int privileges_drop(struct error *e) _must_check_;
