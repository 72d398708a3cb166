/* SPDX-License-Identifier: Apache-2.0 */
/* The connection of a front end, and the messages by which it has set the disk up. The keeper keeps both, and
 * a new worker goes on with them. The connection must not end with a worker: if it ends while the guest's
 * driver is not at work, QEMU 7.2 never connects again (vhost_user_async_close_bh() in its
 * hw/virtio/vhost-user.c).
 *
 * A worker only looks at a message in the socket, and carries it out. Then one note has the keeper keep the
 * message, take it out of the socket, and answer it. So a worker has handled a message as a whole, or the
 * next one finds it in the socket.
 *
 * The keeper does not look at what it keeps. The next worker checks it as if the front end had just sent it.
 */
#pragma once

#include "disks/disk.h"
#include "disks/note.h"

#define CONNECTION_PLACES (5 + 7 * DISK_QUEUES_MAX)

struct connection {
    int socket;                 /* -1: no front end is connected */
    struct vhost_message *kept; /* CONNECTION_PLACES, in the order in which they can be handled again; those
                                   with request 0 are empty */
};

int connection_new(struct connection *c) _must_check_;
void connection_free(struct connection *c);

/* Returns the place for a message that was carried out; -1: it need not be kept. */
int connection_place(const struct vhost_message *m);

/* Returns the place of the message without which a queue does not start: its kick. */
int connection_place_of_kick(unsigned queue);

/* Does what a note of NOTE_HANDLED says, and takes its descriptors. A connection that fails is shut down; the
 * worker sees that. */
void connection_handled(struct connection *c, struct note *n);

/* Forgets the front end. */
void connection_end(struct connection *c);
