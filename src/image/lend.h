/* SPDX-License-Identifier: Apache-2.0 */
/* A program that insists on opening its device or file by name is given a descriptor of ours instead: each
 * open with O_DIRECT that it tries is answered with that one, by the kernel (seccomp's user notification). So
 * neither it nor we need a right to any device node, and what the broker lends stays one descriptor, which
 * ends with us. (A node that we might open would be more: who keeps it, by O_PATH say, could open what the
 * kernel later puts under the same number.)
 *
 *     in the child:  lend_begin(socket)                 before it execs
 *     in the parent: lend_listen(socket, &listener, e)
 *                    lend_answer(listener, fd)          whenever poll() finds something to read there
 */
#pragma once

#include "base/error.h"

#define LEND_NAME "/proc/self/fd/0" /* what to call the device in argv, if it is standard input */

/* Never returns an error to be shown: 0, or a negative errno. */
int lend_begin(int socket) _must_check_;

int lend_listen(int socket, int *ret_listener, struct error *e) _must_check_;
void lend_answer(int listener, int fd);
