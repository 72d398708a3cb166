/* SPDX-License-Identifier: Apache-2.0 */
/* A disk as a front end (QEMU) sees it over vhost-user: negotiated features, the guest's memory, queues.
 * There is one connection at a time, and one thread for it. Each queue has a thread of its own. */
#pragma once

#include "disks/connection.h"
#include "disks/queue.h"

struct device {
    struct disk *disk;
    unsigned number;    /* of the disk, in notes */
    int notes;          /* socket to the keeper */
    int socket;         /* connected to the front end; -1: none */
    bool awaits_keeper; /* the message that was handled has not left the socket yet: device_receive() must
                           wait */
    int backend;        /* socket on which we tell the front end of changes; -1: it has sent none */
    uint64_t features, protocol;
    struct memory_table memory;
    struct queue queue[DISK_QUEUES_MAX];
    uint8_t *inflight; /* the mapped file of requests under way; NULL: the front end keeps no such file */
    size_t inflight_bytes;
    struct vhost_inflight inflight_form;
};

void device_init(struct device *d, struct disk *disk, unsigned number, int notes);

/* Takes a front end that has connected, and owns `socket` from then on. */
void device_connect(struct device *d, int socket);

/* Goes on with the front end of an earlier worker, as its messages say, and takes their descriptors. A front
 * end whose queues cannot go on is disconnected. */
void device_adopt(struct device *d, struct connection *c);

/* Stops the queues and forgets the front end, whose connection the keeper still has. */
void device_leave(struct device *d);

/* Receives one message and handles it. A front end that is gone, or breaks the protocol, is disconnected. */
void device_receive(struct device *d);

/* Tells the front end that the size of the disk has changed. */
void device_tell_size(struct device *d);
