/* SPDX-License-Identifier: Apache-2.0 */
/* Has each call of the system fail once, one after the other: a test is linked with --wrap=NAME for each
 * WRAP(NAME), sets fail_at to 1, 2, ... and runs an operation until none has failed. */
#pragma once

#include "base/error.h"
#include "unit.h"

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

#define WRAP_FAILS(name) fails(name)
#include "../wrap.h"

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

/* Runs an operation with its first call failing, then its second, and so on. `run` is an expression with `n`,
 * the number of the call; it is false once the operation makes fewer calls. */
#define FAIL_EACH_CALL(run)                                                                                  \
    do {                                                                                                     \
        unsigned n = 1;                                                                                      \
        while (run)                                                                                          \
            n++;                                                                                             \
        assert_true(n > 1);                                                                                  \
    } while (0)
