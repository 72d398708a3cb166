/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of a virtqueue as a request of virtio-blk: what is to be done, where on the disk, and with which
 * memory of the guest's. */
#pragma once

#include "disks/virtqueue.h"

#include <linux/virtio_blk.h>

#define BLOCK_SECTOR_BYTES 512u /* in which requests count, whatever the disk's own sectors are */
#define BLOCK_SEGMENTS_MAX 126u /* of data in a request, as the configuration tells the guest */
#define BLOCK_ZERO_MAX     ((uint32_t)16 << 20) /* bytes of one request */
#define BLOCK_DISCARD_MAX  ((uint32_t)1 << 30)

enum block_operation {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_ZERO,
    BLOCK_DISCARD,
    BLOCK_FLUSH,
    BLOCK_GET_ID,
    BLOCK_REFUSED, /* `answer` says why */
};

struct block_request {
    enum block_operation operation;
    uint8_t answer; /* VIRTIO_BLK_S_*, of one that is refused */
    uint64_t offset_bytes;
    uint64_t bytes;     /* on the disk */
    struct iovec *data; /* the parts of the chain that are not header or status */
    unsigned n_data;
    uint64_t data_bytes; /* in them */
    uint8_t *status;     /* the guest's */
};

/* What this disk takes. */
struct block_limits {
    uint64_t size_bytes;
    bool read_only;
    bool discard;
};

/* `c` must live as long as the request, which changes it. -EPROTO: there is no header, or no room for the
 * status: nothing can be answered. What is only wrong in itself is BLOCK_REFUSED. */
int block_request_read(const struct block_limits *limits, struct chain *c,
                       struct block_request *ret) _must_check_;

bool block_request_writes(const struct block_request *r);
