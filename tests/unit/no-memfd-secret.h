/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel that has memfd_secret() switched off, for as long as a test wants it. Link with --wrap=syscall. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

static bool no_memfd_secret;

long __real_syscall(long number, unsigned flags);
long __wrap_syscall(long number, unsigned flags);
long __wrap_syscall(long number, unsigned flags)
{
    if (number != SYS_memfd_secret || !no_memfd_secret)
        return __real_syscall(number, flags);
    errno = ENOSYS;
    return -1;
}
