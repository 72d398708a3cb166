/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of vhost-user 1.0: their form, and how one is received whole from a front end that is not
 * trusted. device.c carries them out. */
#pragma once

#include "base/rights.h"

#include <stdbool.h>
#include <stdint.h>

enum vhost_request {
    VHOST_GET_FEATURES = 1,
    VHOST_SET_FEATURES = 2,
    VHOST_SET_OWNER = 3,
    VHOST_RESET_OWNER = 4,
    VHOST_SET_MEM_TABLE = 5,
    VHOST_SET_VRING_NUM = 8,
    VHOST_SET_VRING_ADDR = 9,
    VHOST_SET_VRING_BASE = 10,
    VHOST_GET_VRING_BASE = 11,
    VHOST_SET_VRING_KICK = 12,
    VHOST_SET_VRING_CALL = 13,
    VHOST_SET_VRING_ERR = 14,
    VHOST_GET_PROTOCOL_FEATURES = 15,
    VHOST_SET_PROTOCOL_FEATURES = 16,
    VHOST_GET_QUEUE_NUM = 17,
    VHOST_SET_VRING_ENABLE = 18,
    VHOST_SET_BACKEND_REQ_FD = 21,
    VHOST_GET_CONFIG = 24,
    VHOST_SET_CONFIG = 25,
    VHOST_GET_INFLIGHT_FD = 31,
    VHOST_SET_INFLIGHT_FD = 32,
};

enum { VHOST_BACKEND_CONFIG_CHANGE = 2 }; /* from us, on the socket of SET_BACKEND_REQ_FD */

#define VHOST_USER_F_PROTOCOL_FEATURES 30

enum vhost_protocol_feature {
    VHOST_PROTOCOL_MQ = 0,
    VHOST_PROTOCOL_REPLY_ACK = 3,
    VHOST_PROTOCOL_BACKEND_REQ = 5,
    VHOST_PROTOCOL_CONFIG = 9,
    VHOST_PROTOCOL_INFLIGHT_SHMFD = 12,
};

#define VHOST_VERSION    1u
#define VHOST_REPLY      (1u << 2)
#define VHOST_NEED_REPLY (1u << 3)

#define VHOST_VRING_INDEX 0xffu /* bits of the number in SET_VRING_KICK and similar messages */
#define VHOST_VRING_NO_FD 0x100u

#define VHOST_REGIONS_MAX RIGHTS_MAX /* each comes with a descriptor */
#define VHOST_CONFIG_MAX  256

struct vhost_header {
    uint32_t request;
    uint32_t flags;
    uint32_t size; /* bytes after the header */
};

struct vhost_vring_state {
    uint32_t index;
    uint32_t number;
};

struct vhost_vring_address {
    uint32_t index;
    uint32_t flags;
    uint64_t descriptors, used, available, log;
};

struct vhost_region {
    uint64_t guest_address, bytes, user_address, file_offset;
};

struct vhost_memory {
    uint32_t n;
    uint32_t padding;
    struct vhost_region region[VHOST_REGIONS_MAX];
};

struct vhost_config {
    uint32_t offset, bytes, flags;
    uint8_t data[VHOST_CONFIG_MAX];
};

struct vhost_inflight {
    uint64_t map_bytes, file_offset;
    uint16_t queues, queue_size;
};

#define VHOST_CONFIG_HEAD   (sizeof(struct vhost_config) - VHOST_CONFIG_MAX)
#define VHOST_MEMORY_HEAD   (2 * sizeof(uint32_t))
#define VHOST_INFLIGHT_SIZE (2 * sizeof(uint64_t) + 2 * sizeof(uint16_t)) /* without padding */

struct vhost_message {
    struct vhost_header header;
    union {
        uint64_t number;
        struct vhost_vring_state state;
        struct vhost_vring_address address;
        struct vhost_memory memory;
        struct vhost_config config;
        struct vhost_inflight inflight;
    };
    int fd[RIGHTS_MAX]; /* descriptors that came with the message, which owns them */
    unsigned n_fds;
};

/* True if the message is about an eventfd of a queue. It brings one unless VHOST_VRING_NO_FD says otherwise.
 */
static inline bool vhost_is_about_event(const struct vhost_message *m)
{
    uint32_t r = m->header.request;
    return r == VHOST_SET_VRING_KICK || r == VHOST_SET_VRING_CALL || r == VHOST_SET_VRING_ERR;
}

/* Reads the next message, but leaves it in the socket. Waits at most `limit_msec` for all of it. 1: a message
 * came; 0: the front end has closed; -EPROTO: its version, its size or the number of its descriptors is
 * wrong; -ETIMEDOUT: only a part came. A message that brings descriptors must come in one piece. */
int vhost_peek(int socket, unsigned limit_msec, struct vhost_message *ret) _must_check_;

/* Takes the message out of the socket. Never waits: its bytes are there. */
int vhost_take(int socket, size_t bytes) _must_check_;

/* Checks size, number of descriptors and their kinds for this kind of message. -EPROTO */
int vhost_message_check(const struct vhost_message *m) _must_check_;

/* vhost-fds.c: checks only the kinds of the descriptors. */
int vhost_message_check_fds(const struct vhost_message *m) _must_check_;

/* Closes the descriptors that were not taken by TAKE_FD(). */
void vhost_message_end(struct vhost_message *m);
#define _cleanup_message_ _cleanup_(vhost_message_end)

/* Answers a message with `size` bytes of its union, and with `fd` unless that is -1. */
int vhost_reply(int socket, const struct vhost_message *m, uint32_t size, int fd) _must_check_;

/* Sends any message: on the socket of SET_BACKEND_REQ_FD, and for tests. */
int vhost_send(int socket, const struct vhost_message *m, const int *fds, unsigned n_fds) _must_check_;
