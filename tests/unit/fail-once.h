/* SPDX-License-Identifier: Apache-2.0 */
/* Has each call of the system fail once, one after the other: a test is linked with --wrap=NAME for each
 * WRAP(NAME), sets fail_at to 1, 2, ... and runs an operation until none has failed. */
#pragma once

#include "base/error.h"
#include "unit.h"

#include <errno.h>
#include <stdbool.h>

static unsigned calls, fail_at; /* 0: none fails */
static const char *failed;      /* the call that did */

static bool fails(const char *call)
{
    if (!fail_at || ++calls != fail_at)
        return false;
    failed = call;
    return true;
}

#define WRAP(result, name, bad, parameters, arguments)                                                       \
    result __real_##name parameters;                                                                         \
    result __wrap_##name parameters;                                                                         \
    result __wrap_##name parameters                                                                          \
    {                                                                                                        \
        return fails(#name) ? (bad) : __real_##name arguments;                                               \
    }

#define IO_ERROR  (errno = EIO, -1)
#define NO_MEMORY (errno = ENOMEM, NULL)

/* Runs an operation whose call `n` fails, and gives what it returned: without a failure 0, and an error with
 * a sentence. `name` is for a person. */
static inline int run_with_failure(const char *name, unsigned n, int (*run)(struct error *e), struct error *e)
{
    calls = 0;
    failed = NULL;
    fail_at = n;
    int r = run(e);
    fail_at = 0;
    if (!failed)
        assert_error(r, 0, *e);
    if (r < 0 && (e->errnum != r || !e->text[0]))
        fail_msg("%s: call %u, %s, failed, and %d is told: '%s'", name, n, failed, r, e->text);
    return r;
}
