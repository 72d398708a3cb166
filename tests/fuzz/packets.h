/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for the two ends of keys/agent-wire.h, made from the input of a fuzzer: each begins as a good one,
 * with its descriptor, over which a part of the input is laid.
 *
 *     | which good one | flags | place / 8 | length | bytes ... |
 */
#pragma once

#include "base/fd.h"
#include "keys/agent-wire.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct step {
    uint8_t which, flags;
    size_t place, size;
    const uint8_t *bytes;
};
#define STEP_ON_PACKET 1  /* the bytes are laid over the packet */
#define STEP_ON_FILE   2  /* and over the file */
#define STEP_CUT       4  /* the packet ends at the place */
#define STEP_LONGER    8  /* or has a byte too many */
#define STEP_NO_FD     16 /* its descriptor is missing, */
#define STEP_OTHER_FD  32 /* is /dev/null, */
#define STEP_TWO_FDS   64 /* or has company */

static inline bool step_take(const uint8_t **data, size_t *left, struct step *ret)
{
    if (*left < 4)
        return false;
    const uint8_t *head = *data;
    size_t size = head[3] < *left - 4 ? head[3] : *left - 4;
    *ret = (struct step){head[0], head[1], (size_t)head[2] * 8, size, head + 4};
    *data += 4 + size;
    *left -= 4 + size;
    return true;
}

static inline void step_lay(const struct step *s, void *over, size_t size)
{
    size_t at = s->place < size ? s->place : size;
    memcpy((uint8_t *)over + at, s->bytes, s->size < size - at ? s->size : size - at);
}

/* A sealed file, as secrets are handed over in. */
static inline int step_sealed_file(const void *bytes, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), mapped = (size + page - 1) / page * page;
    int fd = memfd_create("secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)mapped) < 0 || pwrite(fd, bytes, size, 0) != (ssize_t)size ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        abort();
    return fd;
}

/* Sends what was prepared, and closes `fd`. What does not fit into the socket any more is lost. */
static inline void step_send(const struct step *s, int socket, void *packet, size_t size, int fd)
{
    uint8_t longer[sizeof(struct agent_hello) + 1] = {0};
    int fds[2] = {s->flags & STEP_OTHER_FD ? STDIN_FILENO : fd, STDIN_FILENO};
    size_t n = s->flags & STEP_NO_FD || fds[0] < 0 ? 0 : s->flags & STEP_TWO_FDS ? 2 : 1;
    char control[CMSG_SPACE(sizeof fds)] __attribute__((aligned(sizeof(size_t)))) = {0};

    if (s->flags & STEP_ON_PACKET)
        step_lay(s, packet, size);
    memcpy(longer, packet, size);
    size = s->flags & STEP_CUT && s->place < size ? s->place : size + (s->flags & STEP_LONGER ? 1 : 0);
    struct iovec part = {longer, size};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (n) {
        m.msg_control = control;
        m.msg_controllen = CMSG_SPACE(n * sizeof *fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(n * sizeof *fds), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, n * sizeof *fds);
    }
    (void)!sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    fd_close(fd);
}

/* The number that the next descriptor will have: the same before and after, or one was left open. */
static inline int step_next_fd(void)
{
    int fd = dup(STDIN_FILENO);
    fd_close(fd);
    return fd;
}
