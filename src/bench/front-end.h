/* SPDX-License-Identifier: Apache-2.0 */
/* A front end of vhost-user-blk for benchmarks and tests: what QEMU is to a server of disks, with a memory
 * file for the guest's RAM. It can do all that is right; what is wrong a test writes into the rings itself.
 *
 *     front_open(&f, socket, &(struct front_options){.queues = 1, .size = 64, .memory_bytes = 16 << 20});
 *     uint8_t *data = front_room(&f, 4096, 4096);
 *     assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_OUT, sector, data, 4096), VIRTIO_BLK_S_OK);
 */
#pragma once

#include "disks/vhost-message.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>
#include <stddef.h>
#include <sys/uio.h>

#define FRONT_GUEST_BASE UINT64_C(0x40000000)
#define FRONT_USER_BASE  UINT64_C(0x7e0000000000)
#define FRONT_QUEUES_MAX 16
#define FRONT_PARTS_MAX  130

struct front_options {
    unsigned queues, size; /* the queues', a power of two */
    size_t memory_bytes;
    bool direct;       /* no indirect descriptors */
    bool no_event;     /* no event-idx */
    bool no_inflight;  /* nobody keeps what is under way */
    bool no_flush;     /* as firmware, which does not know flushes */
    bool call_last;    /* as QEMU: the guest's interrupts come after the queue has been started */
    bool acknowledged; /* each order is answered, as QEMU has it of some */
    unsigned regions;  /* that the memory is given in; 0: 1 */
    void (*before_message)(void *context);
    int (*await)(void *context,
                 int socket); /* waits until an answer can be read; a negative errno: no more */
    void *context;
};

struct front_queue {
    struct vring vring;
    int kick, call;
    uint16_t next_available, next_used;
    unsigned slots; /* requests at a time; each has a head of its own */
    struct virtio_blk_outhdr *header;
    uint8_t *status;
    struct vring_desc *tables; /* FRONT_PARTS_MAX for each slot */
};

struct front {
    int socket, backend;
    struct front_options options;
    uint64_t features;    /* negotiated */
    bool is_acknowledged; /* negotiated */
    int memory_fd;
    uint8_t *memory;
    size_t used; /* of the memory */
    int inflight_fd;
    struct vhost_inflight inflight;
    struct front_queue queue[FRONT_QUEUES_MAX];
};

/* Connects to the socket of a server. Its descriptor, or a negative errno. Nothing on it, connecting
 * included, takes longer than the limit; 0: there is none. */
int front_connect(const char *path, unsigned limit_sec) _must_check_;

/* Makes the memory, negotiates and starts the queues. 0 or a negative errno. `socket` is the front's from
 * then on. The caller closes the front, also after a failure. */
int front_open(struct front *f, int socket, const struct front_options *o) _must_check_;

/* Negotiates and starts the queues; for front_open() and front_reconnect(). */
int front_start(struct front *f) _must_check_;

/* After the other side has died: the same memory, rings and file of requests under way on another connection.
 */
int front_reconnect(struct front *f, int socket) _must_check_;

/* Closes the connection; the memory stays until front_close(). */
void front_disconnect(struct front *f);
void front_close(struct front *f);

/* A question or an order by itself. The answer is in the message. */
int front_ask(struct front *f, struct vhost_message *m) _must_check_;
int front_tell(struct front *f, const struct vhost_message *m, const int *fds, unsigned n_fds) _must_check_;
int front_receive_answer(struct front *f, struct vhost_message *m) _must_check_;

/* Stops a queue; starts it again. Disables it (0), or enables it (1). */
int front_stop_queue(struct front *f, unsigned queue) _must_check_;
int front_enable_queue(struct front *f, unsigned queue, uint32_t on) _must_check_;
int front_start_queue(struct front *f, unsigned queue) _must_check_;

/* Tells of the memory, in as many regions as the options say. */
int front_tell_memory(struct front *f) _must_check_;

/* Room in the guest's memory, which is never given back; NULL: there is none left. */
uint8_t *front_room(struct front *f, size_t bytes, size_t alignment);

/* The guest's address of what lies in its memory. */
static inline uint64_t front_address(const struct front *f, const void *p)
{
    return FRONT_GUEST_BASE + (uint64_t)((const uint8_t *)p - f->memory);
}

/* Puts a request into the ring in place `slot`; the parts lie in front_room(). */
void front_put(struct front *f, unsigned queue, unsigned slot, uint32_t type, uint64_t sector,
               const struct iovec *parts, unsigned n);

/* Shows the server what was put, and wakes it if it wants that. */
void front_kick(struct front *f, unsigned queue);

/* The slot of the next request that is done: -ETIMEDOUT. front_take() does not wait: -EAGAIN. */
int front_wait(struct front *f, unsigned queue, int timeout_msec);
int front_take(struct front *f, unsigned queue);

/* Waits for an interrupt alone, as a guest that sleeps: -ETIMEDOUT. */
int front_await_interrupt(struct front *f, unsigned queue, int timeout_msec) _must_check_;
uint8_t front_status(const struct front *f, unsigned queue, unsigned slot);

/* One request from beginning to end; its status, or a negative errno. */
int front_do(struct front *f, unsigned queue, uint32_t type, uint64_t sector, uint8_t *data, size_t bytes);
