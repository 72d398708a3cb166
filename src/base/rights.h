/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that go over a socket of AF_UNIX (SCM_RIGHTS, unix(7)). */
#pragma once

#include "base/macro.h"

#include <sys/socket.h>

#define RIGHTS_MAX 8 /* descriptors with one message; of more the kernel itself drops the rest */

union rights_room {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * RIGHTS_MAX)];
};

/* Adds `n` descriptors to a message that is to be sent. `room` must last until then. */
void rights_attach(struct msghdr *m, union rights_room *room, const int fds[], unsigned n);

/* Makes room for the descriptors of a message that is to be received. */
void rights_expect(struct msghdr *m, union rights_room *room);

/* Takes the descriptors out of a message that was received. `fds` has room for RIGHTS_MAX. Returns how many
 * came. -EPROTO: more than `limit`; all are closed. */
int rights_take(struct msghdr *m, int fds[], unsigned limit) _must_check_;

/* Closes `n` descriptors. Those that are -1 were taken. */
void rights_close(const int fds[], unsigned n);
