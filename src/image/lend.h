/* SPDX-License-Identifier: Apache-2.0 */
/* Lends a descriptor to a program that opens its device or file only by name. The kernel (seccomp's user
 * notification) answers each open with O_DIRECT by the lent descriptor. So no user needs a right to a device
 * node, and what the broker lends is one descriptor, which ends with us. A node would be more: a process that
 * keeps it open, by O_PATH for example, could open the device that the kernel later puts under the same
 * number.
 *
 *     in the child:  lend_begin(socket)                 before it execs
 *     in the parent: lend_listen(socket, &listener, e)
 *                    lend_answer(listener, fd)          whenever poll() says that the listener can be read
 */
#pragma once

#include "base/error.h"

#define LEND_NAME "/proc/self/fd/0" /* how argv names a device that is standard input */

/* Has each open with O_DIRECT of this process wait for lend_answer(). Returns 0 or a negative errno. */
int lend_begin(int socket) _must_check_;

int lend_listen(int socket, int *ret_listener, struct error *e) _must_check_;
void lend_answer(int listener, int fd);
