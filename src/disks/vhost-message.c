/* SPDX-License-Identifier: Apache-2.0 */
/* See vhost-message.h. A malformed message ends the connection, since nothing tells where the next begins. */
#include "disks/vhost-message.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
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
    bool fits = m->n_fds >= rule->fds_min && m->n_fds <= rule->fds_max && size_fits(m, rule->size);
    return fits ? vhost_message_check_fds(m) : -EPROTO;
}

/* ---------------------------------------------------------------- receiving */

#define WAIT_MSEC 1 /* between two looks at a message of which only a part is there */

static bool has_closed(int socket)
{
    struct pollfd p = {.fd = socket, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP);
}

/* Looks at what is in the socket, from its beginning. SO_PEEK_OFF would spare that, but Linux may return
 * bytes from the beginning with it, too. */
static ssize_t peek_once(int socket, struct vhost_message *m)
{
    struct iovec part[] = {{&m->header, sizeof m->header}, {&m->number, PAYLOAD_MAX}};
    struct msghdr h = {.msg_iov = part, .msg_iovlen = 2};
    ssize_t n = recvmsg(socket, &h, MSG_PEEK | MSG_DONTWAIT);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? -EAGAIN
           : errno == ECONNRESET             ? 0 /* it has closed before it read our last answer */
                                             : -errno;
}

static bool is_whole(const struct vhost_message *m, size_t bytes)
{
    return bytes >= sizeof m->header && bytes - sizeof m->header >= m->header.size;
}

/* Waits for the whole message. 1: it is there. */
static int peek_whole(int socket, unsigned limit_msec, struct vhost_message *m)
{
    uint64_t end = clock_msec() + limit_msec;
    for (;;) {
        ssize_t n = peek_once(socket, m);
        if (n == 0 || (n < 0 && n != -EAGAIN))
            return (int)n;
        if (n >= (ssize_t)sizeof m->header && m->header.size > PAYLOAD_MAX)
            return -EPROTO;
        if (n > 0 && is_whole(m, (size_t)n))
            return 1;
        if (clock_msec() >= end || has_closed(socket))
            return -ETIMEDOUT;
        clock_sleep_msec(WAIT_MSEC);
    }
}

static bool brings_fds(const struct vhost_message *m)
{
    uint32_t request = m->header.request;
    return request < ARRAY_SIZE(rules) && rules[request].fds_max > 0 &&
           !(vhost_is_about_event(m) && m->number & VHOST_VRING_NO_FD);
}

/* Copies the descriptors of the message. Only for a message that brings some: else the kernel would copy
 * those of a later one (unix_stream_read_generic() in Linux). */
static int peek_fds(int socket, struct vhost_message *m)
{
    union rights_room room;
    struct vhost_header again;
    struct iovec part = {&again, sizeof again};
    struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
    rights_expect(&h, &room);
    if (recvmsg(socket, &h, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return -errno;
    int n = rights_take(&h, m->fd, RIGHTS_MAX);
    m->n_fds = n < 0 ? 0 : (unsigned)n;
    return n < 0 ? n : 0;
}

int vhost_peek(int socket, unsigned limit_msec, struct vhost_message *ret)
{
    _cleanup_message_ struct vhost_message m;
    memset(&m, 0, sizeof m);
    int r = peek_whole(socket, limit_msec, &m);
    if (r <= 0)
        return r;
    memset((uint8_t *)&m.number + m.header.size, 0, PAYLOAD_MAX - m.header.size); /* of the next message */
    if ((m.header.flags & 3) != VHOST_VERSION || m.header.flags & VHOST_REPLY)
        return -EPROTO;
    r = brings_fds(&m) ? peek_fds(socket, &m) : 0;
    if (r == 0)
        r = vhost_message_check(&m);
    if (r < 0)
        return r;
    *ret = m;
    m.n_fds = 0;
    return 1;
}

/* The kernel closes the copies of descriptors that nobody asks for. */
int vhost_take(int socket, size_t bytes)
{
    struct vhost_message m;
    if (bytes > sizeof m.header + PAYLOAD_MAX)
        return -EPROTO;
    while (bytes > 0) {
        ssize_t n = recv(socket, &m, bytes, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        bytes -= (size_t)n;
    }
    return 0;
}

void vhost_message_end(struct vhost_message *m)
{
    rights_close(m->fd, m->n_fds);
    m->n_fds = 0;
}

/* ------------------------------------------------------------------ sending */

int vhost_send(int socket, const struct vhost_message *m, const int *fds, unsigned n_fds)
{
    union rights_room room;
    size_t size = sizeof m->header + m->header.size;
    if (m->header.size > PAYLOAD_MAX)
        return -EPROTO;
    struct iovec part[] = {{(void *)&m->header, sizeof m->header}, {(void *)&m->number, m->header.size}};
    struct msghdr h = {.msg_iov = part, .msg_iovlen = 2};
    rights_attach(&h, &room, fds, n_fds);
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
