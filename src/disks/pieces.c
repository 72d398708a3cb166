/* SPDX-License-Identifier: Apache-2.0 */
/* See pieces.h. */
#include "disks/pieces.h"

#include <string.h>
#include <sys/mman.h>

#define ALL_PIECES (PIECES_SMALL + PIECES_LARGE)

/* ---------------------------------------------------- the buffers of pieces */

static int make_pieces(struct pieces *ps, struct error *e)
{
    void *buffers =
        mmap(NULL, PIECES_BUFFERS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers == MAP_FAILED)
        return error_memory(e);
    ps->buffers = buffers;
    ps->all = calloc(ALL_PIECES, sizeof *ps->all);
    if (!ps->all)
        return error_memory(e);
    uint8_t *at = ps->buffers;
    for (size_t i = 0; i < ALL_PIECES; i++) {
        struct piece *p = &ps->all[i];
        p->is_large = i >= PIECES_SMALL;
        p->buffer = at;
        at += p->is_large ? PIECE_LARGE_BYTES : PIECE_SMALL_BYTES;
        pieces_give_back(ps, p);
    }
    return 0;
}

int pieces_init(struct pieces *ps, struct disk *d, struct error *e)
{
    *ps = (struct pieces){.disk = d};
    int r = make_pieces(ps, e);
    if (r == 0)
        r = secret_new(DISK_UNIT_MAX, &ps->page, e);
    if (r == 0)
        r = cipher_new(d->key, d->sector_bytes, &ps->cipher, e);
    if (r < 0)
        pieces_destroy(ps);
    return r;
}

void pieces_destroy(struct pieces *ps)
{
    cipher_free(ps->cipher);
    secret_free(ps->page);
    free(ps->all);
    if (ps->buffers)
        munmap(ps->buffers, PIECES_BUFFERS_BYTES);
    *ps = (struct pieces){.disk = NULL};
}

static struct piece **free_list(struct pieces *ps, bool is_large)
{
    return is_large ? &ps->free_large : &ps->free_small;
}

struct piece *pieces_take(struct pieces *ps, uint64_t bytes)
{
    struct piece **list = free_list(ps, bytes > PIECE_SMALL_BYTES), *p = *list;
    if (p)
        *list = p->next;
    return p;
}

void pieces_give_back(struct pieces *ps, struct piece *p)
{
    struct piece **list = free_list(ps, p->is_large);
    p->next = *list;
    *list = p;
}

/* ---------------------------------------------------- the contents of pieces */

static uint64_t first_sector(const struct pieces *ps, const struct piece *p)
{
    return p->io.offset_bytes / ps->disk->sector_bytes;
}

static bool is_partial(const struct piece *p)
{
    return p->bytes != p->io.bytes;
}

/* Fills the buffer with encrypted zeros. */
static int fill_with_zeros(struct pieces *ps, struct piece *p)
{
    memset(p->buffer, 0, p->io.bytes);
    return cipher_encrypt(ps->cipher, first_sector(ps, p), p->buffer, p->buffer, p->io.bytes);
}

/* Puts the guest's data into a part of the unit, which the buffer has as it was on the disk. */
static int change_unit(struct pieces *ps, struct piece *p)
{
    uint8_t *plain = secret_bytes(ps->page), *part = plain + (p->offset_bytes - p->io.offset_bytes);
    uint64_t first = first_sector(ps, p);
    int r = cipher_decrypt(ps->cipher, first, p->buffer, plain, p->io.bytes);
    if (r < 0)
        return r;
    if (p->operation == BLOCK_ZERO)
        memset(part, 0, p->bytes);
    else
        guest_read(&p->place, part, p->bytes);
    return cipher_encrypt(ps->cipher, first, plain, p->buffer, p->io.bytes);
}

static int give_to_guest(struct pieces *ps, struct piece *p)
{
    uint64_t first = first_sector(ps, p);
    if (!is_partial(p))
        return guest_decrypt(ps->cipher, ps->page, first, p->buffer, &p->place, p->bytes);
    int r = cipher_decrypt(ps->cipher, first, p->buffer, secret_bytes(ps->page), p->io.bytes);
    guest_write(&p->place, secret_peek(ps->page) + (p->offset_bytes - p->io.offset_bytes), p->bytes);
    return r;
}

/* ------------------------------------------------------------------ transfers */

int piece_prepare(struct pieces *ps, struct piece *p)
{
    uint64_t unit = ps->disk->unit_bytes;
    p->io.owner = p;
    p->io.buffer = p->buffer;
    p->io.offset_bytes = p->offset_bytes / unit * unit;
    p->io.bytes = p->bytes < unit ? unit : p->bytes;
    p->is_read_first = p->operation != BLOCK_READ && is_partial(p);
    p->io.operation = p->operation == BLOCK_READ || p->is_read_first ? IO_READ : IO_WRITE;
    if (p->io.operation == IO_READ)
        return 0;
    if (p->operation == BLOCK_ZERO)
        return fill_with_zeros(ps, p);
    return guest_encrypt(ps->cipher, ps->page, first_sector(ps, p), &p->place, p->buffer, p->bytes);
}

int piece_go_on(struct pieces *ps, struct piece *p)
{
    if (p->io.result < 0)
        return p->io.result;
    if (p->io.operation == IO_WRITE)
        return 0;
    if (!p->is_read_first)
        return give_to_guest(ps, p);
    p->is_read_first = false;
    p->io.operation = IO_WRITE;
    int r = change_unit(ps, p);
    return r < 0 ? r : 1;
}
