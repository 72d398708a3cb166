/* SPDX-License-Identifier: Apache-2.0 */
/* A disk as a front end sees it over vhost-user: what it has negotiated, its memory, its queues. One
 * connection at a time, one thread for it; the queues have their own. */
#pragma once

#include "disks/queue.h"

struct device {
    struct disk *disk;
    int socket;  /* of the front end; -1: there is none */
    int backend; /* where we tell it of changes; -1: it does not want to know */
    uint64_t features, protocol;
    struct memory_table memory;
    struct queue queue[DISK_QUEUES_MAX];
    uint8_t *inflight; /* the file of requests under way, as the front end keeps it; NULL: it does not */
    size_t inflight_bytes;
    struct vhost_inflight inflight_form;
};

void device_init(struct device *d, struct disk *disk);

/* A front end has connected; `socket` is the device's from here on. */
void device_connect(struct device *d, int socket);

/* Stops the queues and forgets the front end. */
void device_disconnect(struct device *d);

/* Takes one message and does what it says. A front end that has gone, or lies, is disconnected. */
void device_message(struct device *d);

/* Does what a message says, and answers. -EPROTO and others: the connection is worth nothing any more. */
int device_handle(struct device *d, struct vhost_message *m, struct error *e) _must_check_;

/* Tells the front end that the size of the disk is another. */
void device_tell_size(struct device *d);
