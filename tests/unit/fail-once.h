/* SPDX-License-Identifier: Apache-2.0 */
/* Has each call of the system fail once, one after the other: a test is linked with --wrap=NAME for each
 * WRAP(NAME), sets fail_at to 1, 2, ... and runs an operation until none has failed. */
#pragma once

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
