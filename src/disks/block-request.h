/* SPDX-License-Identifier: Apache-2.0 */
/* A request of virtio-blk, read from a chain of a virtqueue: the operation, its place on the disk, and the
 * guest's memory for it. */
#pragma once

#include "disks/virtqueue.h"

#include <linux/virtio_blk.h>

#define BLOCK_SECTOR_BYTES 512u /* the unit of requests, whatever sectors the disk has */
#define BLOCK_SEGMENTS_MAX 126u /* data segments of a request, as the configuration tells the guest */
#define BLOCK_ZERO_MAX     ((uint32_t)16 << 20) /* in bytes, for one request */
#define BLOCK_DISCARD_MAX  ((uint32_t)1 << 30)

enum block_operation {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_ZERO,
    BLOCK_DISCARD,
    BLOCK_FLUSH,
    BLOCK_GET_ID,
    BLOCK_REFUSED, /* the request is answered by `answer`, and nothing else is done */
};

struct block_request {
    enum block_operation operation;
    uint8_t answer; /* the answer to a refused request: VIRTIO_BLK_S_* */
    uint64_t offset_bytes;
    uint64_t bytes;     /* on the disk */
    struct iovec *data; /* the descriptors between header and status */
    unsigned n_data;
    uint64_t data_bytes; /* in `data` */
    uint8_t *status;     /* in the guest's memory */
};

/* What the disk allows. */
struct block_limits {
    uint64_t size_bytes;
    bool read_only;
    bool discard;
};

/* Reads the request. `c`, which is changed, must live as long as the request. -EPROTO: nothing can be
 * answered, since the chain has no header, or no room for the status. Any other invalid request becomes
 * BLOCK_REFUSED. */
int block_request_read(const struct block_limits *limits, struct chain *c,
                       struct block_request *ret) _must_check_;

/* True if the request changes the disk. */
bool block_request_writes(const struct block_request *r);
