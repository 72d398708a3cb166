/* SPDX-License-Identifier: Apache-2.0 */
/* The transfers of a block: from qemu-nbd or a raw file into memory, from there to every output. */
#include "base/clock.h"
#include "image/import-internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>

#define ZEROS_MAX_BYTES (UINT64_C(16) << 20) /* largest part of a hole in one block */
#define DIRECT_BYTES    4096                 /* O_DIRECT wants a multiple of this */
#define TELL_BYTES      (UINT64_C(2) << 20)  /* progress is told once for this many */

/* ------------------------------------------------------------------ reading */

static int read_arrived(void *block, int *error)
{
    struct block *b = block;
    b->result = *error ? -EIO : 0;
    b->state = BLOCK_ARRIVED;
    return 1; /* tells libnbd that the command is dealt with */
}

/* Reads from the page cache up to the first block that is not in it, then past the cache: asking it again
 * would have the kernel read ahead what is read anyway. */
static void read_file(struct import *m, struct block *b)
{
    const struct image *i = m->image;
    uint64_t left = i->file_bytes - b->offset_bytes;
    size_t bytes = left < b->bytes ? (size_t)left : b->bytes;
    struct iovec all = {b->buffer, bytes};
    memset(b->buffer + bytes, 0, b->bytes - bytes);
    m->cached = m->cached && preadv2(i->fd, &all, 1, (off_t)b->offset_bytes, RWF_NOWAIT) == (ssize_t)bytes;
    if (m->cached) {
        b->state = BLOCK_ARRIVED;
        return;
    }
    b->read = (struct ring_request){.operation = RING_READ,
                                    .fd = bytes % DIRECT_BYTES || i->direct_fd < 0 ? i->fd : i->direct_fd,
                                    .buffer = b->buffer,
                                    .bytes = bytes,
                                    .offset_bytes = b->offset_bytes,
                                    .owner = b};
    ring_start(m->ring, &b->read);
}

int block_take(struct import *m, struct block *b, struct error *e)
{
    uint64_t at = m->next_bytes, left = m->image->size_bytes - at;
    int r = at % (WINDOW_BLOCKS * BLOCK_BYTES) ? 0 : holes_look(m->image, at, &m->holes, e);
    if (r < 0)
        return r;
    uint64_t zeros = holes_zeros(m->image, &m->holes, at);
    uint64_t bytes = zeros ? zeros : left;
    uint64_t limit = zeros && !m->encrypts ? ZEROS_MAX_BYTES : BLOCK_BYTES;

    b->offset_bytes = at;
    b->bytes = (size_t)(bytes < limit ? bytes : limit);
    b->data = zeros ? NULL : b->buffer;
    b->state = zeros ? BLOCK_ARRIVED : BLOCK_READING;
    b->result = 0;
    b->hashed = false;
    m->next_bytes += b->bytes;
    if (m->encrypts) /* zeros are encrypted, and so is the rest of a sector behind the end of the image */
        memset(b->buffer + (zeros ? 0 : b->bytes), 0, BLOCK_BYTES - (zeros ? 0 : b->bytes));
    if (zeros)
        return 0;
    nbd_completion_callback callback = {.callback = read_arrived, .user_data = b};
    if (m->image->fd >= 0)
        read_file(m, b);
    else if (nbd_aio_pread(m->image->nbd, b->buffer, b->bytes, at, callback, 0) < 0) {
        b->state = BLOCK_FREE;
        return image_read_failed(m->image, -EIO, at, e);
    }
    return 0;
}

/* ------------------------------------------------------------------ writing */

int output_set_direct(struct output *o, bool on)
{
    int fd = o->target.disk->fd, flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) < 0)
        return -errno;
    o->direct = on;
    return 0;
}

static void start_write(struct import *m, struct block *b, size_t output, uint8_t *data, size_t bytes)
{
    b->writes[output] = (struct output_write){.request = {.operation = data ? RING_WRITE : RING_ZERO,
                                                          .fd = m->outputs[output].target.disk->fd,
                                                          .buffer = data,
                                                          .bytes = bytes,
                                                          .offset_bytes = b->offset_bytes,
                                                          .owner = b}};
    ring_start(m->ring, &b->writes[output].request);
}

/* Encrypts the block for the next output with a cipher, and starts the write. Zeros are written as
 * ciphertext, too, and the image's end as a whole sector. */
static int write_next_encrypted(struct import *m, struct block *b, struct error *e)
{
    while (b->next_output < m->n_outputs && !m->outputs[b->next_output].target.disk->cipher)
        b->next_output++;
    if (b->next_output == m->n_outputs)
        return 0;
    struct cipher *c = m->outputs[b->next_output].target.disk->cipher;
    size_t sector = cipher_sector_bytes(c), bytes = (b->bytes + sector - 1) / sector * sector;
    int r = cipher_encrypt(c, b->offset_bytes / sector, b->buffer, b->ciphertext, bytes);
    if (r < 0)
        return error_set(
            e, r, "image %.200s: cannot be encrypted for disk %.100s: the cipher failed at byte %" PRIu64,
            m->image->name, m->outputs[b->next_output].target.name, b->offset_bytes);
    start_write(m, b, b->next_output++, b->ciphertext, bytes);
    return 0;
}

int block_write(struct import *m, struct block *b, struct error *e)
{
    b->state = BLOCK_WRITING;
    b->n_writing = m->n_outputs;
    b->next_output = 0;
    for (size_t n = 0; n < m->n_outputs; n++)
        if (!m->outputs[n].target.disk->cipher)
            start_write(m, b, n, b->data, b->bytes);
    return write_next_encrypted(m, b, e);
}

/* Tells progress every TELL_BYTES, and at the end: once a block would be thousands of times a second. */
static void tell_progress(struct import *m)
{
    const struct image_progress *p = m->progress;
    uint64_t total = m->image->size_bytes * m->n_outputs;
    if (!p || !p->update || (m->done_bytes < m->told_bytes + TELL_BYTES && m->done_bytes < total))
        return;
    m->told_bytes = m->done_bytes;
    p->update(p->context, m->done_bytes, total);
}

/* Ends a write. A tail that is not a multiple of the device's blocks gives EINVAL under O_DIRECT. It is
 * written once more, through the page cache. */
static int end_write(struct import *m, struct block *b, struct output_write *w, struct error *e)
{
    struct output *o = &m->outputs[w - b->writes];
    int r = w->request.result;
    if (r == -EINVAL && !w->buffered && (!o->direct || output_set_direct(o, false) == 0)) {
        w->buffered = true;
        ring_start(m->ring, &w->request);
        return 0;
    }
    b->n_writing--;
    if (r < 0)
        return error_set(e, r, "image %.200s: disk %.100s cannot be written at byte %" PRIu64 ": %s",
                         m->image->name, o->target.name, b->offset_bytes + w->request.done_bytes,
                         strerrordesc_np(-r));
    m->done_bytes += b->bytes;
    tell_progress(m);
    return o->target.disk->cipher ? write_next_encrypted(m, b, e) : 0;
}

int block_end_request(struct import *m, struct ring_request *q, struct error *e)
{
    struct block *b = q->owner;
    m->event_msec = clock_msec();
    if (q != &b->read)
        return end_write(m, b, (struct output_write *)q, e);
    b->result = q->result;
    b->state = BLOCK_ARRIVED;
    return 0;
}
