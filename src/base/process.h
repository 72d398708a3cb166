/* SPDX-License-Identifier: Apache-2.0 */
/* Running another program: an exact argv, an exact environment, no shell, a deadline.
 *
 *     const char *argv[] = {"mkswap", "--label", label, path, NULL};
 *     r = process_run(argv, 60, &output, e);
 */
#pragma once

#include "base/error.h"

#include <sys/types.h>

#define PROCESS_NO_DEADLINE 0 /* for work that takes longer the more data there is */

/* Runs argv[0] (looked up in the fixed PATH /usr/sbin:/usr/bin:/sbin:/bin) with stdin from /dev/null, the
 * environment PATH and LC_ALL=C only, and waits at most `deadline_sec` for it (PROCESS_NO_DEADLINE: until it
 * ends); then it is killed. 0 when it exits with 0. *ret_output (may be NULL; the caller frees it) gets what
 * it printed on both outputs. -ENOENT: no such program. -ETIMEDOUT. -EIO: it failed, and the sentence in `e`
 * ends with its last line. */
int process_run(const char *const argv[], unsigned deadline_sec, char **ret_output,
                struct error *e) _must_check_;

/* As process_run(), with `input_fd` as standard input (-1: /dev/null), which the program may open again, for
 * reading and writing, as /proc/self/fd/0. The child calls prepare() (may be NULL) just before exec, and
 * exits with 126 if that fails. */
int process_run_prepared(int input_fd, int (*prepare)(void), const char *const argv[], unsigned deadline_sec,
                         char **ret_output, struct error *e) _must_check_;

/* Starts another program of Mayfly, with the path argv[0], with one end of a pair of sockets (AF_UNIX,
 * SOCK_SEQPACKET) as its standard input and our standard error for both outputs; the other end is
 * *ret_socket. The program has its own session, so that Ctrl-C does not end it in the middle of its work, and
 * gets no other descriptor. Its main() begins with process_begin_peer(). The caller ends it with
 * process_wait(). */
int process_start_peer(const char *const argv[], int *ret_socket, pid_t *ret_pid,
                       struct error *e) _must_check_;

/* Drops SIGINT, SIGTERM and SIGHUP that were sent to the old process group before this process had a session
 * of its own, and unblocks them. */
void process_begin_peer(void);

/* Becomes argv[0], looked up as by process_run(), in a child between fork and exec. Exits with 127 if that
 * fails. */
_noreturn_ void process_exec(const char *const argv[], const char *const environment[]);

/* Closes every descriptor from `first` on, in a child between fork and exec. */
void process_close_from(int first);

/* Gives every signal its default action and unblocks it, in a child between fork and exec. */
void process_reset_signals(void);

/* Waits for `pid`, at most `deadline_msec`. Returns its wait status, or -ETIMEDOUT: it goes on. */
int process_await(pid_t pid, unsigned deadline_msec);

/* As process_await(), but kills the process when the time is over, and returns -ETIMEDOUT. If it is stuck in
 * the kernel, waits only a moment longer. */
int process_wait(pid_t pid, unsigned deadline_msec);

/* Describes a wait status: "exited with status 5", "was killed by signal 9 (Killed)". */
const char *process_status_text(int status, char *field, size_t size);

extern const char *const process_environment[]; /* PATH and LC_ALL=C, for execve */
