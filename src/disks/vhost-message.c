/* SPDX-License-Identifier: Apache-2.0 */
/* See vhost-message.h. A malformed message ends the connection, since nothing tells where the next begins. */
#include "disks/vhost-message.h"

#include "base/fd.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define PAYLOAD_MAX (offsetof(struct vhost_message, fd) - offsetof(struct vhost_message, number))

/* ----------------------------------------------------- the form of messages */

enum size_rule { NOTHING, NUMBER, STATE, ADDRESS, MEMORY, CONFIG, INFLIGHT };

struct rule {
    uint8_t known;
    uint8_t size; /* one of enum size_rule */
    uint8_t fds_min, fds_max;
};

static const struct rule rules[] = {
    [VHOST_GET_FEATURES] = {1, NOTHING, 0, 0},
    [VHOST_SET_FEATURES] = {1, NUMBER, 0, 0},
    [VHOST_SET_OWNER] = {1, NOTHING, 0, 0},
    [VHOST_RESET_OWNER] = {1, NOTHING, 0, 0},
    [VHOST_SET_MEM_TABLE] = {1, MEMORY, 1, VHOST_REGIONS_MAX},
    [VHOST_SET_VRING_NUM] = {1, STATE, 0, 0},
    [VHOST_SET_VRING_ADDR] = {1, ADDRESS, 0, 0},
    [VHOST_SET_VRING_BASE] = {1, STATE, 0, 0},
    [VHOST_GET_VRING_BASE] = {1, STATE, 0, 0},
    [VHOST_SET_VRING_KICK] = {1, NUMBER, 0, 1},
    [VHOST_SET_VRING_CALL] = {1, NUMBER, 0, 1},
    [VHOST_SET_VRING_ERR] = {1, NUMBER, 0, 1},
    [VHOST_GET_PROTOCOL_FEATURES] = {1, NOTHING, 0, 0},
    [VHOST_SET_PROTOCOL_FEATURES] = {1, NUMBER, 0, 0},
    [VHOST_GET_QUEUE_NUM] = {1, NOTHING, 0, 0},
    [VHOST_SET_VRING_ENABLE] = {1, STATE, 0, 0},
    [VHOST_SET_BACKEND_REQ_FD] = {1, NOTHING, 1, 1},
    [VHOST_GET_CONFIG] = {1, CONFIG, 0, 0},
    [VHOST_SET_CONFIG] = {1, CONFIG, 0, 0},
    [VHOST_GET_INFLIGHT_FD] = {1, INFLIGHT, 0, 0},
    [VHOST_SET_INFLIGHT_FD] = {1, INFLIGHT, 1, 1},
};

static bool memory_fits(const struct vhost_message *m)
{
    return m->header.size >= VHOST_MEMORY_HEAD && m->memory.n > 0 && m->memory.n <= VHOST_REGIONS_MAX &&
           m->memory.n == m->n_fds &&
           m->header.size >= VHOST_MEMORY_HEAD + m->memory.n * sizeof m->memory.region[0];
}

static bool config_fits(const struct vhost_message *m)
{
    return m->header.size >= VHOST_CONFIG_HEAD && m->config.bytes <= VHOST_CONFIG_MAX &&
           m->config.offset <= VHOST_CONFIG_MAX - m->config.bytes &&
           m->header.size == VHOST_CONFIG_HEAD + m->config.bytes;
}

static bool size_fits(const struct vhost_message *m, enum size_rule rule)
{
    switch (rule) {
    case NOTHING:
        return m->header.size == 0;
    case NUMBER:
        return m->header.size == sizeof m->number;
    case STATE:
        return m->header.size == sizeof m->state;
    case ADDRESS:
        return m->header.size == sizeof m->address;
    case MEMORY:
        return memory_fits(m);
    case CONFIG:
        return config_fits(m);
    case INFLIGHT:
        return m->header.size == VHOST_INFLIGHT_SIZE || m->header.size == sizeof m->inflight;
    }
    return false;
}

int vhost_message_check(const struct vhost_message *m)
{
    uint32_t request = m->header.request;
    if (request >= ARRAY_SIZE(rules) || !rules[request].known)
        return -EPROTO;
    const struct rule *rule = &rules[request];
    return m->n_fds >= rule->fds_min && m->n_fds <= rule->fds_max && size_fits(m, rule->size) ? 0 : -EPROTO;
}

/* ---------------------------------------------------------------- receiving */

static void take_fds(struct msghdr *h, struct vhost_message *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n && m->n_fds < ARRAY_SIZE(m->fd); i++)
            memcpy(&m->fd[m->n_fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

/* Receives the header. Returns how many bytes came; 0: the connection has ended. */
static ssize_t receive_header(int socket, struct vhost_message *m)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof m->fd)];
    } control;
    struct iovec part = {&m->header, sizeof m->header};
    struct msghdr h = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n;
    do
        n = recvmsg(socket, &h, MSG_CMSG_CLOEXEC | MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    take_fds(&h, m);
    return h.msg_flags & MSG_CTRUNC ? -EPROTO : n;
}

static int receive_payload(int socket, struct vhost_message *m)
{
    if (m->header.size == 0)
        return 0;
    if (m->header.size > PAYLOAD_MAX)
        return -EPROTO;
    ssize_t n;
    do
        n = recv(socket, &m->number, m->header.size, MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return (size_t)n == m->header.size ? 0 : -ETIMEDOUT;
}

int vhost_receive(int socket, struct vhost_message *ret)
{
    _cleanup_message_ struct vhost_message m;
    memset(&m, 0, sizeof m);
    ssize_t n = receive_header(socket, &m);
    if (n <= 0)
        return (int)n;
    if ((size_t)n < sizeof m.header)
        return -ETIMEDOUT;
    if ((m.header.flags & 3) != VHOST_VERSION || m.header.flags & VHOST_REPLY)
        return -EPROTO;
    int r = receive_payload(socket, &m);
    if (r == 0)
        r = vhost_message_check(&m);
    if (r < 0)
        return r;
    *ret = m;
    m.n_fds = 0;
    return 1;
}

void vhost_message_end(struct vhost_message *m)
{
    for (unsigned i = 0; i < m->n_fds; i++)
        fd_close(m->fd[i]);
    m->n_fds = 0;
}

/* ------------------------------------------------------------------ sending */

int vhost_send(int socket, const struct vhost_message *m, const int *fds, unsigned n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof m->fd)];
    } control = {0};
    size_t size = sizeof m->header + m->header.size;
    struct iovec part[] = {{(void *)&m->header, sizeof m->header}, {(void *)&m->number, m->header.size}};
    struct msghdr h = {.msg_iov = part, .msg_iovlen = 2};
    if (n_fds > 0) {
        h.msg_control = &control;
        h.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    ssize_t n = sendmsg(socket, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return -errno;
    return (size_t)n == size ? 0 : -EIO;
}

int vhost_reply(int socket, const struct vhost_message *m, uint32_t size, int fd)
{
    struct vhost_message answer = *m;
    answer.header.flags = VHOST_VERSION | VHOST_REPLY;
    answer.header.size = size;
    return vhost_send(socket, &answer, &fd, fd >= 0);
}
