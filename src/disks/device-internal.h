/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind device.h share. */
#pragma once

#include "disks/device.h"

#define DEVICE_BIT(n) (UINT64_C(1) << (n))

#define DEVICE_PROTOCOL_FEATURES                                                                             \
    (DEVICE_BIT(VHOST_PROTOCOL_MQ) | DEVICE_BIT(VHOST_PROTOCOL_REPLY_ACK) |                                  \
     DEVICE_BIT(VHOST_PROTOCOL_BACKEND_REQ) | DEVICE_BIT(VHOST_PROTOCOL_CONFIG) |                            \
     DEVICE_BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD))

/* device-messages.c: carries a message out. A question becomes its answer, which may bring a descriptor. The
 * queues are started by themselves. */
int device_carry_out(struct device *d, struct vhost_message *m);
bool device_is_asked(const struct vhost_message *m);

/* Makes a number the answer to a message. */
int device_answer_number(struct vhost_message *m, uint64_t number);

/* Starts the queues for which the front end has sent all that they need; stops all. */
int device_start_queues(struct device *d, struct error *e) _must_check_;
void device_stop_queues(struct device *d);

/* device-config.c: the features and the configuration that the guest gets. */
uint64_t device_virtio_features(const struct disk *disk);
int device_get_config(struct device *d, struct vhost_message *m);

/* device-inflight.c: gets, sets and forgets the file of requests under way, which outlives a worker
 * (inflight.h). No queue may run meanwhile. */
int device_get_inflight(struct device *d, struct vhost_message *m);
int device_set_inflight(struct device *d, struct vhost_message *m);
void device_forget_inflight(struct device *d);

/* Gives a queue its part of the file. -EPROTO: the file has none for it. */
int device_place_inflight(const struct device *d, struct queue *q, struct error *e) _must_check_;
