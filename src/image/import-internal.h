/* SPDX-License-Identifier: Apache-2.0 */
/* What import.c, block.c and checksum.c share. An import has a few blocks, each of which passes through these
 * states again and again, beside the others:
 *
 *     state      ends when                                         next      in
 *     FREE       the image has bytes that no block has had yet     READING   block_take()
 *                ... which are a hole, or in the page cache        ARRIVED   block_take()
 *     READING    libnbd or the ring has read them                  ARRIVED   read_arrived(), or
 *                                                                            block_end_request()
 *     ARRIVED    at once; an error of the read ends the import     WRITING   move_blocks()
 *     WRITING    all outputs have the block, and it is hashed      FREE      move_blocks()
 *
 * The write of a block to one output ends in one of these ways:
 *
 *     short, EINTR             the rest follows                              ring.c
 *     a range is not zeroed    zeros are written instead                     ring.c
 *     EINVAL under O_DIRECT    it is written once more, by the page cache    block.c
 *     another error            the import ends
 */
#pragma once

#include "image/image-internal.h"
#include "image/ring.h"

#include <openssl/evp.h>

#define BLOCKS_MAX       32
#define ENCRYPTED_BLOCKS 16 /* BLOCKS_MAX of an import that encrypts: each block takes twice the memory */
#define LOCKED_BLOCKS    8  /* BLOCKS_MAX of locked memory: most users may lock that much */

enum block_state { BLOCK_FREE, BLOCK_READING, BLOCK_ARRIVED, BLOCK_WRITING };

struct output {
    struct image_target target;
    bool direct; /* the descriptor is in O_DIRECT mode now */
};

struct output_write {
    struct ring_request request; /* first: a request of the ring is one of these, unless it is a read */
    bool buffered;               /* retried without O_DIRECT */
};

struct block {
    enum block_state state;
    uint64_t offset_bytes;
    size_t bytes;
    uint8_t *buffer;
    uint8_t *data; /* `buffer`; NULL: zeros */
    int result;    /* result of the read, once the block has arrived */
    bool hashed;
    struct ring_request read;
    struct output_write *writes; /* one for each output */
    size_t n_writing;            /* outputs that do not have the block yet */

    /* For outputs that we encrypt. They share this memory, so they have the block one after another. */
    uint8_t *ciphertext;
    size_t next_output; /* for the outputs before this index the write was started, or they have no cipher */
};

struct import {
    struct image *image;
    const struct image_progress *progress;
    struct ring *ring;
    struct output *outputs;
    size_t n_outputs;
    struct block blocks[BLOCKS_MAX];
    size_t n_blocks;             /* number of `blocks` that have memory */
    struct output_write *writes; /* the writes of all blocks */
    struct image_memory memory;  /* the buffers of all blocks */
    bool encrypts;               /* we encrypt for some output */
    uint8_t *ciphertext; /* memory for the ciphertext of all blocks; NULL: nothing is encrypted here */
    struct holes holes;
    bool cached;           /* the page cache had all of the image so far */
    uint64_t next_bytes;   /* the first byte of the image that no block has had yet */
    uint64_t done_bytes;   /* written, to all outputs together */
    uint64_t told_bytes;   /* `done_bytes` when progress was told last */
    uint64_t event_msec;   /* time when a transfer ended last */
    EVP_MD_CTX *hash;      /* NULL: no checksum is expected */
    uint64_t hashed_bytes; /* bytes of the image, from its beginning */
};

/* Gives a free block the next part of the image, and starts to read it. */
int block_take(struct import *m, struct block *b, struct error *e) _must_check_;

/* Starts to write a block that has arrived to all outputs. */
int block_write(struct import *m, struct block *b, struct error *e) _must_check_;

/* Takes back a request that the ring has done, which belongs to a block. */
int block_end_request(struct import *m, struct ring_request *q, struct error *e) _must_check_;

/* Turns O_DIRECT of the descriptor on or off. Returns 0 or a negative errno. */
int output_set_direct(struct output *o, bool on);

/* Begins the checksum, if the image is expected to have one. */
int checksum_begin(struct import *m, struct error *e) _must_check_;

/* Hashes the blocks that are being written, in the order of the image. A block is not free before it is
 * hashed. */
int checksum_go_on(struct import *m, struct error *e) _must_check_;

/* Compares the checksum with the expected one. */
int checksum_check(struct import *m, struct error *e) _must_check_;
