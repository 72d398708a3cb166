/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an image to a device, in order, block by block; it never leaves out a hole, for what a fresh volume
 * reads there is old ciphertext turned to noise, and never discards.
 *
 *     qemu-nbd: block n+3 n+2 n+1 (on their way)      block n -> pwrite, O_DIRECT where the device takes it
 *
 * Up to 4 blocks are read ahead. A block that base:allocation says is all zeros costs no read.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "image/image-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_BYTES     (UINT64_C(2) << 20)
#define WINDOW_BLOCKS   512 /* 1 GiB: what one question about holes covers */
#define WINDOW_BYTES    (WINDOW_BLOCKS * BLOCK_BYTES)
#define READS_AHEAD     4
#define POLL_MSEC       200
#define STALL_LIMIT_SEC 300 /* without an answer */

struct block {
    uint64_t offset_bytes;
    size_t bytes;
    bool zeros;
    int64_t cookie; /* of the read that fills `buffer`; 0: none is under way */
    uint8_t *buffer;
};

struct import {
    struct image *image;
    int fd;
    bool direct;           /* the descriptor is in O_DIRECT mode now */
    uint64_t next_bytes;   /* of the image: the first byte that no block has yet */
    uint64_t window_bytes; /* where the map of zeros below begins; UINT64_MAX: there is none */
    bool data[WINDOW_BLOCKS];
    struct block ring[READS_AHEAD];
    unsigned first, used; /* of the ring */
    uint8_t *memory, *zeros;
};

static int read_failed(struct import *m, int errnum, uint64_t offset_bytes, struct error *e)
{
    char what[64];
    snprintf(what, sizeof what, "cannot be read at byte %" PRIu64, offset_bytes);
    return image_failed(m->image, errnum, what, e);
}

/* libnbd's answer about holes: marks every block that an extent of data touches. */
struct marking {
    struct import *import;
    uint64_t end_bytes; /* how far the answers went */
};

static int mark_data(void *context, const char *name, uint64_t offset_bytes, uint32_t *entries, size_t n,
                     int *error)
{
    struct marking *k = context;
    (void)error;
    if (strcmp(name, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
        return 0;
    uint64_t at = offset_bytes, limit = k->import->window_bytes + WINDOW_BYTES;
    for (size_t i = 0; i + 1 < n && at < limit; i += 2) {
        uint64_t end = at + entries[i] < limit ? at + entries[i] : limit;
        if (!(entries[i + 1] & LIBNBD_STATE_ZERO))
            for (uint64_t b = at / BLOCK_BYTES; b * BLOCK_BYTES < end; b++)
                k->import->data[b % WINDOW_BLOCKS] = true;
        at = end;
    }
    k->end_bytes = at > k->end_bytes ? at : k->end_bytes;
    return 0;
}

/* Fills the map for the window at `start_bytes`. A server that cannot tell has data everywhere. */
static int map_window(struct import *m, uint64_t start_bytes, struct error *e)
{
    uint64_t left = m->image->size_bytes - start_bytes;
    uint64_t end = start_bytes + (left < WINDOW_BYTES ? left : WINDOW_BYTES);
    bool knows = nbd_can_meta_context(m->image->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
    struct marking k = {.import = m, .end_bytes = start_bytes};

    m->window_bytes = start_bytes;
    memset(m->data, !knows, sizeof m->data);
    while (knows && k.end_bytes < end) {
        uint64_t from = k.end_bytes;
        nbd_extent_callback callback = {.callback = mark_data, .user_data = &k};
        if (nbd_block_status(m->image->nbd, end - from, from, callback, 0) < 0)
            return read_failed(m, -EIO, from, e);
        if (k.end_bytes <= from)
            return read_failed(m, -EIO, from, e);
    }
    return 0;
}

/* Takes the next block into the ring, and asks for its bytes unless they are zeros. */
static int take_block(struct import *m, struct error *e)
{
    uint64_t at = m->next_bytes, left = m->image->size_bytes - at;
    if (at % WINDOW_BYTES == 0) {
        int r = map_window(m, at, e);
        if (r < 0)
            return r;
    }
    struct block *b = &m->ring[(m->first + m->used) % READS_AHEAD];
    b->offset_bytes = at;
    b->bytes = (size_t)(left < BLOCK_BYTES ? left : BLOCK_BYTES);
    b->zeros = !m->data[at / BLOCK_BYTES % WINDOW_BLOCKS];
    b->cookie = 0;
    if (!b->zeros) {
        b->cookie = nbd_aio_pread(m->image->nbd, b->buffer, b->bytes, at, NBD_NULL_COMPLETION, 0);
        if (b->cookie < 0)
            return read_failed(m, -EIO, at, e);
    }
    m->used++;
    m->next_bytes += b->bytes;
    return 0;
}

static bool stopped(const struct image_progress *p)
{
    return p && p->stopped && p->stopped(p->context);
}

static int wait_for_block(struct import *m, struct block *b, const struct image_progress *p, struct error *e)
{
    uint64_t limit_msec = clock_msec() + STALL_LIMIT_SEC * 1000;
    int done = 0;
    while (b->cookie > 0 && (done = nbd_aio_command_completed(m->image->nbd, (uint64_t)b->cookie)) == 0) {
        if (stopped(p))
            return error_set(e, -ECANCELED, "image %s: stopped at byte %" PRIu64, m->image->name,
                             b->offset_bytes);
        if (clock_msec() >= limit_msec)
            return read_failed(m, -ETIMEDOUT, b->offset_bytes, e);
        if (nbd_poll(m->image->nbd, POLL_MSEC) < 0)
            return read_failed(m, -EIO, b->offset_bytes, e);
    }
    b->cookie = 0; /* libnbd forgets it, and would say "not yet" for ever */
    return done < 0 ? read_failed(m, -EIO, b->offset_bytes, e) : 0;
}

static int set_direct(struct import *m, bool on)
{
    int flags = fcntl(m->fd, F_GETFL);
    if (flags < 0 || fcntl(m->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) < 0)
        return -errno;
    m->direct = on;
    return 0;
}

/* A tail that is no multiple of the device's blocks gives EINVAL under O_DIRECT, and goes through the cache.
 */
static int write_block(struct import *m, const struct block *b, struct error *e)
{
    const uint8_t *data = b->zeros ? m->zeros : b->buffer;
    int r = fd_pwrite_all(m->fd, data, b->bytes, b->offset_bytes);
    if (r == -EINVAL && m->direct) {
        r = set_direct(m, false);
        if (r == 0)
            r = fd_pwrite_all(m->fd, data, b->bytes, b->offset_bytes);
    }
    if (r < 0)
        return error_set(e, r, "image %s: the disk cannot be written at byte %" PRIu64 ": %s", m->image->name,
                         b->offset_bytes, strerrordesc_np(-r));
    return 0;
}

static int copy_all(struct import *m, const struct image_progress *p, struct error *e)
{
    uint64_t total = m->image->size_bytes;
    int r;

    while (m->next_bytes < total || m->used) {
        if (stopped(p))
            return error_set(e, -ECANCELED, "image %s: stopped at byte %" PRIu64, m->image->name,
                             m->used ? m->ring[m->first].offset_bytes : m->next_bytes);
        while (m->used < READS_AHEAD && m->next_bytes < total)
            if ((r = take_block(m, e)) < 0)
                return r;
        struct block *b = &m->ring[m->first];
        if ((r = wait_for_block(m, b, p, e)) < 0 || (r = write_block(m, b, e)) < 0)
            return r;
        m->first = (m->first + 1) % READS_AHEAD;
        m->used--;
        if (p && p->update)
            p->update(p->context, b->offset_bytes + b->bytes, total);
    }
    if (fsync(m->fd) < 0)
        return error_set(e, errno, "image %s: the disk cannot be synced: %m", m->image->name);
    return 0;
}

/* The buffers are libnbd's as long as a read is under way: they are waited for, or the connection is cut. */
static void release_import(struct import *m)
{
    for (; m->used; m->used--, m->first = (m->first + 1) % READS_AHEAD) {
        struct block *b = &m->ring[m->first];
        if (b->cookie > 0 && wait_for_block(m, b, NULL, NULL) < 0) {
            nbd_close(m->image->nbd);
            m->image->nbd = NULL;
            break;
        }
    }
    if (m->direct)
        set_direct(m, false);
    if (m->memory)
        munmap(m->memory, (READS_AHEAD + 1) * BLOCK_BYTES);
}

int image_import(struct image *i, int fd, const struct image_progress *progress, struct error *e)
{
    off_t room = lseek(fd, 0, SEEK_END);
    if (room < 0)
        return error_set(e, errno, "image %s: the size of the disk cannot be found: %m", i->name);
    if ((uint64_t)room < i->size_bytes)
        return error_set(e, -EINVAL,
                         "image %s: its %" PRIu64 " bytes do not fit on the disk of %" PRIu64
                         " bytes; make the disk larger",
                         i->name, i->size_bytes, (uint64_t)room);
    if (!i->nbd)
        return error_set(e, -ENOTCONN, "image %s: an import of it has failed before; open it again", i->name);

    _cleanup_(release_import) struct import m = {.image = i, .fd = fd};
    void *memory = mmap(NULL, (READS_AHEAD + 1) * BLOCK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return error_memory(e);
    m.memory = memory;
    for (unsigned n = 0; n < READS_AHEAD; n++)
        m.ring[n].buffer = m.memory + n * BLOCK_BYTES;
    m.zeros = m.memory + READS_AHEAD * BLOCK_BYTES;
    set_direct(&m, true); /* a file system may have none; then the page cache does it */
    return copy_all(&m, progress, e);
}
