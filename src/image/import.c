/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an image to one or more outputs: devices, or files that are encrypted here.
 *
 *     qemu-nbd or raw file --> blocks of 256 KiB in 8 MiB of memory --O_DIRECT--> every output
 *
 * Blocks progress independently (import-internal.h has their states): each is read once, written to all
 * outputs at the same time, and free when all have it. So a block waits for memory only. Holes are not
 * read, and the kernel zeroes them. No hole is left out, since a fresh volume reads as noise there, and
 * nothing is ever discarded.
 */
#include "base/clock.h"
#include "image/import-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define POLL_MSEC       200
#define STALL_LIMIT_SEC 300  /* limit for an answer of qemu-nbd */
#define PAGE_BYTES      4096 /* O_DIRECT wants buffers at a multiple of this */

/* --------------------------------------------------- the progress of blocks */

/* Moves each block on as far as it gets without an answer. */
static int move_blocks(struct import *m, struct error *e)
{
    int r = 0;
    for (size_t n = 0; r == 0 && n < m->n_blocks; n++) {
        struct block *b = &m->blocks[n];
        if (b->state == BLOCK_WRITING && b->n_writing == 0 && (!m->hash || b->hashed))
            b->state = BLOCK_FREE;
        if (b->state == BLOCK_FREE && m->next_bytes < m->image->size_bytes)
            r = block_take(m, b, e);
        if (b->state == BLOCK_ARRIVED && b->result < 0)
            return image_read_failed(m->image, b->result, b->offset_bytes, e);
        if (r == 0 && b->state == BLOCK_ARRIVED)
            r = block_write(m, b, e);
    }
    return r < 0 ? r : checksum_go_on(m, e);
}

static size_t count_blocks(const struct import *m, enum block_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_blocks; i++)
        n += m->blocks[i].state == state;
    return n;
}

static uint64_t first_byte_reading(const struct import *m)
{
    uint64_t at = m->next_bytes;
    for (size_t i = 0; i < m->n_blocks; i++)
        if (m->blocks[i].state == BLOCK_READING && m->blocks[i].offset_bytes < at)
            at = m->blocks[i].offset_bytes;
    return at;
}

static int check_stop(const struct import *m, struct error *e)
{
    if (image_stopped(m->image))
        return error_set(e, -ECANCELED, "image %s: stopped after %" PRIu64 " bytes were written",
                         m->image->name, m->done_bytes);
    if (ring_under_way(m->ring) == 0 && count_blocks(m, BLOCK_READING) > 0 &&
        clock_msec() >= m->event_msec + STALL_LIMIT_SEC * 1000)
        return image_read_failed(m->image, -ETIMEDOUT, first_byte_reading(m), e);
    return 0;
}

/* Waits a while for an answer of qemu-nbd, or for the ring. */
static int wait_event(struct import *m, bool reading, struct error *e)
{
    struct nbd_handle *nbd = reading ? m->image->nbd : NULL;
    struct pollfd fds[] = {
        {.fd = ring_fd(m->ring), .events = POLLIN},
        {.fd = nbd ? nbd_aio_get_fd(nbd) : -1, .events = POLLIN},
    };
    if (nbd && nbd_aio_get_direction(nbd) & LIBNBD_AIO_DIRECTION_WRITE)
        fds[1].events |= POLLOUT;
    if (poll(fds, ARRAY_SIZE(fds), POLL_MSEC) <= 0 || !nbd || !fds[1].revents)
        return check_stop(m, e);
    m->event_msec = clock_msec();
    int r = fds[1].revents == POLLOUT ? nbd_aio_notify_write(nbd) : nbd_aio_notify_read(nbd);
    return r < 0 ? image_read_failed(m->image, -EIO, first_byte_reading(m), e) : check_stop(m, e);
}

/* Takes back the requests that are done. If there are none, waits for one. */
static int take_events(struct import *m, struct error *e)
{
    struct ring_request *q = ring_take_done(m->ring);
    size_t reading = count_blocks(m, BLOCK_READING);
    if (!q && (reading || ring_under_way(m->ring)))
        return wait_event(m, reading > 0, e);
    for (; q; q = ring_take_done(m->ring)) {
        int r = block_end_request(m, q, e);
        if (r < 0)
            return r;
    }
    return check_stop(m, e);
}

static int copy_all(struct import *m, struct error *e)
{
    int r = move_blocks(m, e);
    while (r == 0 && count_blocks(m, BLOCK_FREE) < m->n_blocks) {
        r = take_events(m, e);
        if (r == 0)
            r = move_blocks(m, e);
    }
    return r;
}

/* Syncs all outputs at the same time. The writes of the first block lend their requests. */
static int sync_all(struct import *m, struct error *e)
{
    struct ring_request *q;
    for (size_t n = 0; n < m->n_outputs; n++) {
        struct ring_request *sync = &m->writes[n].request;
        *sync = (struct ring_request){
            .operation = RING_SYNC, .fd = m->outputs[n].target.disk->fd, .owner = &m->outputs[n]};
        ring_start(m->ring, sync);
    }
    while (ring_under_way(m->ring) > 0) {
        while (!(q = ring_take_done(m->ring))) {
            int r = wait_event(m, false, e);
            if (r < 0)
                return r;
        }
        if (q->result < 0)
            return error_set(e, q->result, "image %.200s: disk %.100s cannot be synced: %s", m->image->name,
                             ((struct output *)q->owner)->target.name, strerrordesc_np(-q->result));
    }
    return 0;
}

/* --------------------------------------------------------- the whole import */

/* Ends an import. Cuts the connection, since libnbd may write to the buffers while a read is under way.
 * ring_free() waits for the ring. */
static void import_end(struct import *m)
{
    m->image->progress = NULL;
    if (m->image->nbd && count_blocks(m, BLOCK_READING) > 0) {
        nbd_close(m->image->nbd);
        m->image->nbd = NULL;
    }
    ring_free(m->ring);
    for (size_t n = 0; m->outputs && n < m->n_outputs; n++)
        if (m->outputs[n].direct)
            output_set_direct(&m->outputs[n], false);
    image_memory_free(&m->memory);
    free(m->ciphertext);
    EVP_MD_CTX_free(m->hash);
    free(m->writes);
    free(m->outputs);
}

static int check_room(const struct image *i, const struct image_target *t, struct error *e)
{
    uint64_t room = 0;
    int r = opened_size(t->disk, &room);
    if (r < 0)
        return error_set(e, r, "image %s: the size of disk %s cannot be found: %s", i->name, t->name,
                         strerrordesc_np(-r));
    if (room < i->size_bytes)
        return error_set(e, -EINVAL,
                         "image %s: its %" PRIu64 " bytes do not fit on disk %s of %" PRIu64
                         " bytes; make the disk larger",
                         i->name, i->size_bytes, t->name, room);
    return 0;
}

/* Checks the outputs, and turns O_DIRECT on. If a file system has no O_DIRECT, writes go through the page
 * cache. */
static int take_outputs(struct import *m, const struct image_target *targets, size_t n, struct error *e)
{
    m->outputs = calloc(n, sizeof *m->outputs);
    m->writes = calloc(n * BLOCKS_MAX, sizeof *m->writes);
    if (!m->outputs || !m->writes)
        return error_memory(e);
    m->n_outputs = n;
    for (size_t i = 0; i < n; i++) {
        int r = check_room(m->image, &targets[i], e);
        if (r < 0)
            return r;
        m->outputs[i].target = targets[i];
        m->encrypts = m->encrypts || targets[i].disk->cipher;
        (void)output_set_direct(&m->outputs[i], true);
    }
    return 0;
}

/* Allocates the buffers. They are locked if the image is encrypted, since its plaintext must not reach the
 * host's swap. */
static int take_memory(struct import *m, struct error *e)
{
    m->n_blocks = m->image->encrypted ? LOCKED_BLOCKS : m->encrypts ? ENCRYPTED_BLOCKS : BLOCKS_MAX;
    int r = image_memory_new(&m->memory, m->n_blocks * BLOCK_BYTES, m->image->encrypted, m->image->name, e);
    if (r < 0)
        return r;
    m->ciphertext = m->encrypts ? aligned_alloc(PAGE_BYTES, m->n_blocks * BLOCK_BYTES) : NULL;
    if (m->encrypts && !m->ciphertext)
        return error_memory(e);
    for (size_t n = 0; n < m->n_blocks; n++) {
        m->blocks[n].buffer = m->memory.data + n * BLOCK_BYTES;
        m->blocks[n].ciphertext = m->encrypts ? m->ciphertext + n * BLOCK_BYTES : NULL;
        m->blocks[n].writes = &m->writes[n * m->n_outputs];
    }
    return ring_new(&m->ring) < 0 ? error_memory(e) : 0;
}

int image_import(struct image *i, const struct image_target *targets, size_t n,
                 const struct image_progress *progress, struct error *e)
{
    if (i->fd < 0 && !i->nbd)
        return error_set(e, -ENOTCONN,
                         "image %s: cannot be imported: an earlier import has failed; open the image again",
                         i->name);

    i->progress = progress;
    _cleanup_(import_end) struct import m = {
        .image = i, .progress = progress, .cached = true, .event_msec = clock_msec()};
    int r = take_outputs(&m, targets, n, e);
    if (r == 0)
        r = take_memory(&m, e);
    if (r == 0)
        r = checksum_begin(&m, e);
    if (r == 0)
        r = copy_all(&m, e);
    if (r == 0)
        r = checksum_check(&m, e);
    return r < 0 ? r : sync_all(&m, e);
}
