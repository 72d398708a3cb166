/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out where an image has data. For a raw file the file system tells; for any other image qemu-nbd does
 * (base:allocation). A block that they call a hole is never read. */
#include "image/image-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_BYTES (WINDOW_BLOCKS * BLOCK_BYTES)

static uint64_t window_end(const struct image *i, const struct holes *h)
{
    uint64_t left = i->size_bytes - h->window_bytes;
    return h->window_bytes + (left < WINDOW_BYTES ? left : WINDOW_BYTES);
}

/* Marks each block of the window that has some of the bytes from `from` to `to`. */
static void mark_data(struct holes *h, uint64_t from, uint64_t to)
{
    uint64_t limit = h->window_bytes + WINDOW_BYTES;
    for (uint64_t b = from / BLOCK_BYTES; b * BLOCK_BYTES < (to < limit ? to : limit); b++)
        h->data[b % WINDOW_BLOCKS] = true;
}

/* --------------------------------------------------------------- raw images */

/* Looks at a raw file. If the file system or the device cannot tell, all up to the end counts as data. */
static void look_at_file(const struct image *i, struct holes *h)
{
    uint64_t end = window_end(i, h);
    for (uint64_t at = h->window_bytes; at < end && at < i->file_bytes;) {
        off_t data = lseek(i->fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return; /* a hole up to the end of the file */
        off_t hole = data < 0 ? -1 : lseek(i->fd, data, SEEK_HOLE);
        uint64_t from = data < 0 ? at : (uint64_t)data;
        at = hole <= data ? end : (uint64_t)hole;
        if (from < end)
            mark_data(h, from, at);
    }
}

/* ------------------------------------------------------------- other images */

struct answer {
    struct holes *holes;
    uint64_t end_bytes; /* how far the answers go */
};

static int take_extents(void *context, const char *name, uint64_t offset_bytes, uint32_t *entries, size_t n,
                        int *error)
{
    struct answer *a = context;
    (void)error;
    if (strcmp(name, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
        return 0;
    uint64_t at = offset_bytes;
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (!(entries[i + 1] & LIBNBD_STATE_ZERO))
            mark_data(a->holes, at, at + entries[i]);
        at += entries[i];
    }
    a->end_bytes = at > a->end_bytes ? at : a->end_bytes;
    return 0;
}

static int look_at_server(struct image *i, struct holes *h, struct error *e)
{
    uint64_t end = window_end(i, h);
    struct answer a = {.holes = h, .end_bytes = h->window_bytes};
    if (nbd_can_meta_context(i->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) != 1) {
        mark_data(h, h->window_bytes, end);
        return 0;
    }
    while (a.end_bytes < end) {
        uint64_t from = a.end_bytes;
        nbd_extent_callback callback = {.callback = take_extents, .user_data = &a};
        char what[64];
        snprintf(what, sizeof what, "cannot be read at byte %" PRIu64, from);
        int r =
            image_await(i, nbd_aio_block_status(i->nbd, end - from, from, callback, NBD_NULL_COMPLETION, 0),
                        -EIO, what, e);
        if (r < 0)
            return r;
        if (a.end_bytes <= from)
            return image_read_failed(i, -EIO, from, e);
    }
    return 0;
}

/* --------------------------------------------------------------- all images */

int holes_look(struct image *i, uint64_t at_bytes, struct holes *h, struct error *e)
{
    memset(h, 0, sizeof *h);
    h->window_bytes = at_bytes;
    if (i->fd < 0)
        return look_at_server(i, h, e);
    look_at_file(i, h);
    return 0;
}

uint64_t holes_zeros(const struct image *i, const struct holes *h, uint64_t at_bytes)
{
    uint64_t end = window_end(i, h), to = at_bytes;
    while (to < end && !h->data[to / BLOCK_BYTES % WINDOW_BLOCKS])
        to += BLOCK_BYTES;
    return (to < end ? to : end) - at_bytes;
}
