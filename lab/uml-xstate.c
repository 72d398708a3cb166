/* SPDX-License-Identifier: Apache-2.0 */
/* Lets User-Mode Linux 6.1 run on processors with AMX. lab/run compiles and preloads it there.
 *
 * That kernel keeps a process's extended registers in a buffer of 2696 bytes, which ends before AMX's. To
 * read as much through ptrace is allowed; to write less than the whole is EFAULT, upon which the kernel dies
 * ("ptrace set fp regs failed"). So what it writes is filled up to the whole here. AMX itself then has its
 * initial state, which is what it always has: UML offers no way to ask for its use (arch_prctl,
 * ARCH_REQ_XCOMP_PERM).
 *
 * The format is XSAVE's (Intel SDM 1, 13.4): XSTATE_BV, the set of the components that are there, at byte
 * 512.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BUFFER_BYTES = 16384, XSTATE_BV = 512 };
#define AMX ((uint64_t)3 << 17) /* TILECFG and TILEDATA */

static size_t whole_bytes; /* how much the host wants: what the last reading gave */

static long call(long request, long pid, void *address, void *data)
{
    return syscall(SYS_ptrace, request, pid, address, data);
}

static long get_xstate(long pid, void *address, struct iovec *wanted)
{
    static char buffer[BUFFER_BYTES];
    struct iovec all = {buffer, sizeof buffer};
    long r = call(PTRACE_GETREGSET, pid, address, &all);
    if (r < 0)
        return r;
    whole_bytes = all.iov_len;
    if (wanted->iov_len > whole_bytes)
        wanted->iov_len = whole_bytes;
    memcpy(wanted->iov_base, buffer, wanted->iov_len);
    return 0;
}

static long set_xstate(long pid, void *address, const struct iovec *given)
{
    static char buffer[BUFFER_BYTES];
    struct iovec all = {buffer, whole_bytes};
    uint64_t components;
    if (given->iov_len >= whole_bytes)
        return call(PTRACE_SETREGSET, pid, address, (void *)given);

    memcpy(buffer, given->iov_base, given->iov_len); /* what lies behind it was never written: zero */
    memcpy(&components, buffer + XSTATE_BV, sizeof components);
    components &= ~AMX;
    memcpy(buffer + XSTATE_BV, &components, sizeof components);
    return call(PTRACE_SETREGSET, pid, address, &all);
}

long ptrace(enum __ptrace_request request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    pid_t pid = va_arg(arguments, pid_t);
    void *address = va_arg(arguments, void *), *data = va_arg(arguments, void *);
    va_end(arguments);

    if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
        long word; /* as in the C library: the answer is the result, and errno tells of errors */
        long r = call(request, pid, address, &word);
        if (r < 0)
            return r;
        errno = 0;
        return word;
    }
    if ((uintptr_t)address == NT_X86_XSTATE && request == PTRACE_GETREGSET)
        return get_xstate(pid, address, data);
    if ((uintptr_t)address == NT_X86_XSTATE && request == PTRACE_SETREGSET)
        return set_xstate(pid, address, data);
    return call(request, pid, address, data);
}
