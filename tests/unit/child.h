/* SPDX-License-Identifier: Apache-2.0 */
/* A child process of a test. */
#pragma once

#include "unit.h"

#include <sys/wait.h>

/* Waits for its end. Returns its status, as waitpid() has it. */
static inline int child_status(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
