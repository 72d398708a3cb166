/* SPDX-License-Identifier: Apache-2.0 */
/* A disk as a front end (QEMU) sees it over vhost-user: negotiated features, the guest's memory, queues.
 * There is one connection at a time, and one thread for it. Each queue has a thread of its own. */
#pragma once

#include "disks/queue.h"

struct device {
    struct disk *disk;
    int socket;  /* connected to the front end; -1: none */
    int backend; /* socket on which we tell the front end of changes; -1: it has sent none */
    uint64_t features, protocol;
    struct memory_table memory;
    struct queue queue[DISK_QUEUES_MAX];
    uint8_t *inflight; /* the mapped file of requests under way; NULL: the front end keeps no such file */
    size_t inflight_bytes;
    struct vhost_inflight inflight_form;
};

void device_init(struct device *d, struct disk *disk);

/* Takes a front end that has connected, and owns `socket` from then on. */
void device_connect(struct device *d, int socket);

/* Stops the queues and forgets the front end. */
void device_disconnect(struct device *d);

/* Receives one message and handles it. A front end that is gone, or breaks the protocol, is disconnected. */
void device_receive(struct device *d);

/* Carries out a message, and answers it. After an error the connection cannot go on. */
int device_handle(struct device *d, struct vhost_message *m, struct error *e) _must_check_;

/* Tells the front end that the size of the disk has changed. */
void device_tell_size(struct device *d);
