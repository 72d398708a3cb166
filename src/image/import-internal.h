/* SPDX-License-Identifier: Apache-2.0 */
/* What an import is made of; private to import.c, block.c and checksum.c. */
#pragma once

#include "image/image-internal.h"
#include "image/ring.h"

#include <openssl/evp.h>

#define BLOCKS        32
#define SEALED_BLOCKS 16 /* where each has twice the memory */
#define LOCKED_BLOCKS 8  /* where what they hold is not to be swapped: so much may mostly be locked */

enum state { BLOCK_FREE, BLOCK_READING, BLOCK_ARRIVED, BLOCK_WRITING };

struct device {
    struct image_target target;
    bool direct; /* the descriptor is in O_DIRECT mode now */
};

struct write {
    struct ring_request request;
    bool buffered; /* it was tried again without O_DIRECT */
};

struct block {
    enum state state;
    uint64_t offset_bytes;
    size_t bytes;
    uint8_t *data; /* `buffer`; NULL: zeros */
    uint8_t *buffer;
    int result; /* of the read, once it has arrived */
    bool hashed;
    struct ring_request read;
    struct write *writes; /* one to each device; those that are not done: */
    size_t n_writing;
    uint8_t *sealed;    /* the block as one device has it that we encrypt for; these have it one by one: */
    size_t next_sealed; /* the first that may be one of them and has not had it */
};

struct import {
    struct image *image;
    const struct image_progress *progress;
    struct ring *ring;
    struct device *devices;
    size_t n_devices;
    struct block blocks[BLOCKS];
    struct write *writes; /* of all blocks */
    struct image_memory memory;
    size_t n_blocks; /* of `blocks`, that have memory */
    bool seals;      /* some device has a cipher of ours */
    uint8_t *sealed; /* memory of the blocks for these, ciphertext */
    struct holes holes;
    bool cached;         /* the page cache had all of it so far */
    uint64_t next_bytes; /* of the image: the first byte that no block has had yet */
    uint64_t done_bytes; /* written, to all devices together */
    uint64_t told_bytes; /* of them the progress was told of */
    uint64_t event_msec; /* when anything was done last */
    EVP_MD_CTX *hash;    /* NULL: nobody asks for it */
    uint64_t hashed_bytes;
};

/* Gives a free block its part of the image, and has it filled. */
int block_take(struct import *m, struct block *b, struct error *e) _must_check_;

/* Writes what has arrived to all devices. */
int block_write(struct import *m, struct block *b, struct error *e) _must_check_;

/* A request of a block is done. */
int block_end_request(struct import *m, struct ring_request *q, struct error *e) _must_check_;

/* May the descriptor of this device do without the page cache? It is asked, and told no more at the end. */
int device_set_direct(struct device *d, bool on);

/* Begins it if the image is expected to have one; adds all blocks that have come, in the order of the image,
 * for which they wait before they are free; compares it. */
int checksum_begin(struct import *m, struct error *e) _must_check_;
int checksum_go_on(struct import *m, struct error *e) _must_check_;
int checksum_check(struct import *m, struct error *e) _must_check_;
