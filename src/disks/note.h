/* SPDX-License-Identifier: Apache-2.0 */
/* What keeper and worker tell each other, over a pair of sockets that each worker gets anew. */
#pragma once

#include "disks/vhost-message.h"

enum note_kind {
    NOTE_SERVES = 1, /* from the worker: it has taken the keys, and serves */
    NOTE_COME,       /* from the keeper: a front end has connected; its socket comes along */
    NOTE_HANDLED,    /* from the worker: it has carried out a message of the front end */
    NOTE_TAKEN,      /* from the keeper: that message has left the socket, and is answered */
    NOTE_GONE,       /* from the worker: the front end is gone */
};

struct note {
    uint32_t kind;
    uint32_t disk; /* its number */

    /* for NOTE_HANDLED */
    int32_t place;               /* where connection.h keeps the message; -1: nowhere */
    uint32_t message_bytes;      /* its size in the socket */
    struct vhost_message kept;   /* the message; request 0: an earlier one is forgotten */
    struct vhost_message answer; /* request 0: none */

    /* that come along: of the kept message, else of the answer, else the socket; owned by who receives it */
    int fd[RIGHTS_MAX];
    unsigned n_fds;
};

/* Makes the pair. The keeper's end never waits, so that no worker can hold the keeper up. */
int note_pair(int *ret_keeper, int *ret_worker) _must_check_;

/* Sends a note, and leaves its descriptors open. -ECONNRESET: the other process is gone. */
int note_send(int socket, const struct note *n) _must_check_;

/* Receives a note. -EAGAIN: there is none; -ECONNRESET: the other process is gone. */
int note_receive(int socket, struct note *ret) _must_check_;

/* Closes the descriptors that were not taken by TAKE_FD(). */
void note_end(struct note *n);
#define _cleanup_note_ _cleanup_(note_end)
