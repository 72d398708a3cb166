/* SPDX-License-Identifier: Apache-2.0 */
/* What the files behind device.h share. */
#pragma once

#include "disks/device.h"

#define DEVICE_BIT(n) (UINT64_C(1) << (n))

#define DEVICE_PROTOCOL_FEATURES                                                                             \
    (DEVICE_BIT(VHOST_PROTOCOL_MQ) | DEVICE_BIT(VHOST_PROTOCOL_REPLY_ACK) |                                  \
     DEVICE_BIT(VHOST_PROTOCOL_BACKEND_REQ) | DEVICE_BIT(VHOST_PROTOCOL_CONFIG) |                            \
     DEVICE_BIT(VHOST_PROTOCOL_INFLIGHT_SHMFD))

/* device-config.c: the features and the configuration that the guest gets. */
uint64_t device_virtio_features(const struct disk *disk);
int device_get_config(struct device *d, struct vhost_message *m);

/* device-inflight.c: gets, sets and forgets the file of requests under way, which outlives a worker
 * (inflight.h). No queue may run meanwhile. */
int device_get_inflight(struct device *d, struct vhost_message *m);
int device_set_inflight(struct device *d, struct vhost_message *m);
void device_forget_inflight(struct device *d);

/* Gives a queue its part of the file. -EPROTO: the file has none for it. */
int device_place_inflight(const struct device *d, struct queue *q) _must_check_;
