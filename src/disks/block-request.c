/* SPDX-License-Identifier: Apache-2.0 */
/* See block-request.h. */
#include "disks/block-request.h"

#include <errno.h>
#include <string.h>

struct header {
    uint32_t type;
    uint32_t priority;
    uint64_t sector;
};

struct range {
    uint64_t sector;
    uint32_t sectors;
    uint32_t flags;
};

/* Copies bytes from the beginning of the parts, which may end anywhere, and removes them there. */
static bool take_bytes(struct iovec **part, unsigned *n, void *to, size_t bytes)
{
    uint8_t *at = to;
    while (bytes > 0 && *n > 0) {
        size_t now = bytes < (*part)->iov_len ? bytes : (*part)->iov_len;
        memcpy(at, (*part)->iov_base, now);
        at += now;
        bytes -= now;
        (*part)->iov_base = (uint8_t *)(*part)->iov_base + now;
        (*part)->iov_len -= now;
        if ((*part)->iov_len == 0) {
            (*part)++;
            (*n)--;
        }
    }
    return bytes == 0;
}

/* Takes the last byte that we may write: the place of the status. NULL: the chain has no such byte. */
static uint8_t *take_status(struct chain *c)
{
    struct iovec *last = &c->part[c->n_out + c->n_in - 1];
    if (c->n_in == 0)
        return NULL;
    last->iov_len--;
    uint8_t *status = (uint8_t *)last->iov_base + last->iov_len;
    c->n_in -= last->iov_len == 0;
    return status;
}

static void refuse(struct block_request *r, uint8_t answer)
{
    r->operation = BLOCK_REFUSED;
    r->answer = answer;
}

static void set_data(struct block_request *r, struct iovec *part, unsigned n)
{
    r->data = part;
    r->n_data = n;
    for (unsigned i = 0; i < n; i++)
        r->data_bytes += part[i].iov_len;
}

static bool is_on_disk(const struct block_limits *l, uint64_t sector, uint64_t bytes)
{
    uint64_t sectors = l->size_bytes / BLOCK_SECTOR_BYTES;
    return bytes > 0 && bytes % BLOCK_SECTOR_BYTES == 0 && sector <= sectors &&
           bytes / BLOCK_SECTOR_BYTES <= sectors - sector;
}

static void set_transfer(const struct block_limits *l, struct block_request *r,
                         enum block_operation operation, uint64_t sector)
{
    r->operation = operation;
    r->bytes = r->data_bytes;
    if (!is_on_disk(l, sector, r->bytes) || (operation == BLOCK_WRITE && l->read_only))
        refuse(r, VIRTIO_BLK_S_IOERR);
    else
        r->offset_bytes = sector * BLOCK_SECTOR_BYTES;
}

/* Sets the range of a request, which has only one, as the configuration says (max_discard_seg,
 * max_write_zeroes_seg). */
static void set_range(const struct block_limits *l, struct block_request *r, enum block_operation operation)
{
    struct range range;
    if (r->data_bytes != sizeof range || !take_bytes(&r->data, &r->n_data, &range, sizeof range)) {
        refuse(r, VIRTIO_BLK_S_IOERR);
        return;
    }
    uint32_t known = operation == BLOCK_ZERO ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0;
    uint64_t most = operation == BLOCK_ZERO ? BLOCK_ZERO_MAX : BLOCK_DISCARD_MAX;
    r->operation = operation;
    r->bytes = (uint64_t)range.sectors * BLOCK_SECTOR_BYTES;
    r->data_bytes = 0;
    if (range.flags & ~known || (operation == BLOCK_DISCARD && !l->discard))
        refuse(r, VIRTIO_BLK_S_UNSUPP);
    else if (!is_on_disk(l, range.sector, r->bytes) || r->bytes > most || l->read_only)
        refuse(r, VIRTIO_BLK_S_IOERR);
    else
        r->offset_bytes = range.sector * BLOCK_SECTOR_BYTES;
}

int block_request_read(const struct block_limits *limits, struct chain *c, struct block_request *ret)
{
    struct iovec *out = c->part, *in = c->part + c->n_out;
    unsigned n_out = c->n_out;
    struct header header;
    *ret = (struct block_request){.status = take_status(c)};
    if (!ret->status || !take_bytes(&out, &n_out, &header, sizeof header))
        return -EPROTO;
    bool is_in = header.type == VIRTIO_BLK_T_IN || header.type == VIRTIO_BLK_T_GET_ID;
    set_data(ret, is_in ? in : out, is_in ? c->n_in : n_out);
    switch (header.type) {
    case VIRTIO_BLK_T_IN:
        set_transfer(limits, ret, BLOCK_READ, header.sector);
        break;
    case VIRTIO_BLK_T_OUT:
        set_transfer(limits, ret, BLOCK_WRITE, header.sector);
        break;
    case VIRTIO_BLK_T_FLUSH:
        ret->operation = BLOCK_FLUSH;
        break;
    case VIRTIO_BLK_T_GET_ID:
        ret->operation = BLOCK_GET_ID;
        break;
    case VIRTIO_BLK_T_DISCARD:
        set_range(limits, ret, BLOCK_DISCARD);
        break;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        set_range(limits, ret, BLOCK_ZERO);
        break;
    default:
        refuse(ret, VIRTIO_BLK_S_UNSUPP);
    }
    return 0;
}

bool block_request_writes(const struct block_request *r)
{
    return r->operation == BLOCK_WRITE || r->operation == BLOCK_ZERO || r->operation == BLOCK_DISCARD;
}
