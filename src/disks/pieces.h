/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of requests: a buffer each, what it holds, and its way between the guest's memory and the disk.
 *
 *     guest's memory --encrypt--> buffer --write--> disk
 *     guest's memory <--decrypt-- buffer <--read--- disk
 *
 * Buffers hold ciphertext only. A piece that covers a part of a unit of the disk (a write of 512 bytes where
 * sectors have 4096) is read first, changed in one locked page, and written as a whole unit.
 */
#pragma once

#include "disks/block-request.h"
#include "disks/disk.h"
#include "disks/guest-data.h"

struct task;

struct piece {
    struct io_transfer io;
    struct task *task;              /* the request that it belongs to; for the caller */
    enum block_operation operation; /* BLOCK_READ, _WRITE or _ZERO */
    struct place place;             /* its data in the guest's memory */
    uint64_t offset_bytes, bytes;   /* place of its data on the disk; the transfer is of whole units */
    bool is_read_first;             /* a part of a unit is to be written, and the unit is not read yet */

    uint8_t *buffer; /* for pieces.c alone */
    bool is_large;
    struct piece *next;
};

/* All pieces of a queue. */
struct pieces {
    struct disk *disk;
    struct cipher *cipher;
    struct secret *page; /* plaintext of one unit, for a moment */
    uint8_t *buffers;    /* PIECES_BUFFERS_BYTES */
    struct piece *all, *free_small, *free_large;
};

#define PIECE_SMALL_BYTES    ((size_t)DISK_UNIT_MAX)
#define PIECE_LARGE_BYTES    ((size_t)128 << 10) /* size of the largest piece */
#define PIECES_SMALL         256
#define PIECES_LARGE         32
#define PIECES_BUFFERS_BYTES (PIECES_SMALL * PIECE_SMALL_BYTES + PIECES_LARGE * PIECE_LARGE_BYTES)

int pieces_init(struct pieces *ps, struct disk *d, struct error *e) _must_check_;
void pieces_destroy(struct pieces *ps);

/* Takes a free piece with room for `bytes`; NULL: none is free. */
struct piece *pieces_take(struct pieces *ps, uint64_t bytes);
void pieces_give_back(struct pieces *ps, struct piece *p);

/* Readies the first transfer of a piece whose task, operation, place, offset and bytes are set: fills the
 * buffer with what is to be written, unless something has to be read first. */
int piece_prepare(struct pieces *ps, struct piece *p) _must_check_;

/* Goes on after a transfer. 0: the piece is done, and a guest that reads has its data. 1: `p->io` must be
 * started once more, to write. */
int piece_go_on(struct pieces *ps, struct piece *p) _must_check_;
