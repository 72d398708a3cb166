/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's memory, with a ring of 16 places and whatever lies behind it, for all that follows from it:
 * chains, requests, transfers. It lies in two regions that meet, each of its exact size, so that a step
 * outside shows.
 *
 *     0 descriptors, 0x100 available, 0x130 used, then anything; the first byte is not part of it, but
 * chooses
 */
#include "base/fd.h"
#include "crypt/cipher.h"
#include "disks/work.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_SIZE  16
#define RING_BYTES 0x1c0
#define DISK_BYTES 65536
#define ROUNDS     48

static struct disk *the_disk(void)
{
    static struct disk d = {
        .id = "fuzzed", .key_fd = -1, .sector_bytes = 512, .queues = 1, .discard = true, .mark = -1};
    struct error e;
    if (d.unit_bytes)
        return &d;
    d.fd = fd_memfd_empty("disk", 0);
    if (cipher_begin(&e) < 0 || ftruncate(d.fd, DISK_BYTES) < 0 || disk_look(&d, &e) < 0 ||
        disk_begin(&d, &e) < 0 || secret_random(64, &d.key, &e) < 0)
        abort();
    return &d;
}

static uint8_t *region(struct memory_table *t, uint64_t at, const uint8_t *data, size_t bytes)
{
    uint8_t *memory = malloc(bytes);
    if (!memory)
        abort();
    memcpy(memory, data, bytes);
    t->region[t->n++] =
        (struct memory_region){.guest_address = at, .user_address = at, .bytes = bytes, .start = memory};
    return memory;
}

static void serve(struct virtqueue *q, struct work *w)
{
    struct task *tasks = calloc(ROUNDS, sizeof *tasks), *done;
    const struct block_limits limits = {.size_bytes = DISK_BYTES, .discard = true};
    for (int i = 0; i < ROUNDS; i++) {
        struct task *t = &tasks[i];
        if (virtqueue_pop(q, &t->chain) <= 0 || block_request_read(&limits, &t->chain, &t->request) < 0)
            break;
        work_start(w, t);
        while ((done = work_take_finished(w))) {
            virtqueue_push(q, done->chain.head, done->written);
            virtqueue_publish(q);
        }
    }
    virtqueue_want_kicks(q);
    virtqueue_want_no_kicks(q);
    free(tasks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct disk *d = the_disk();
    struct memory_table t = {.n = 0};
    struct work *w = NULL;
    struct error e;
    if (size < 2 + RING_BYTES)
        return 0;
    struct virtqueue q = {.size = RING_SIZE, .indirect = data[0] & 1, .event_index = data[0] & 2};
    size_t first = RING_BYTES + (size - 1 - RING_BYTES) / 2;
    uint8_t *one = region(&t, 0, data + 1, first);
    uint8_t *other = region(&t, first, data + 1 + first, size - 1 - first);
    const struct vhost_vring_address a = {.descriptors = 0, .available = 0x100, .used = 0x130};
    d->unit_bytes = data[0] & 4 ? 4096 : 512;
    if (virtqueue_map(&q, &t, &a) < 0 || work_new(d, 0, data[0] & 8, &w, &e) < 0)
        abort();
    serve(&q, w);
    work_free(w);
    free(one);
    free(other);
    return 0;
}
