/* SPDX-License-Identifier: Apache-2.0 */
/* Guests and front ends that lie to mayfly-disks: the queue is closed, or the connection; the worker lives,
 * and whatever is right goes on. */
#include "base/fd.h"
#include "bench/front-end.h"
#include "crypt/cipher.h"
#include "served.h"

#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define DISK_BYTES   ((uint64_t)1 << 20)
#define MEMORY_BYTES ((size_t)4 << 20)
#define WAIT_MSEC    20000

static struct served served;
static pid_t worker;

static int start(void **state)
{
    (void)state;
    const struct served_options o = {
        .folder = "/dev/shm", .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
    if (cipher_begin(NULL) < 0)
        return -1;
    served_start(&served, &o);
    worker = served_worker(&served);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return served_stop(&served);
}

/* -------------------------------------------------------- lies in the rings */

struct liar {
    struct front front;
    int error;
    uint8_t *data;
    struct vring_desc *descriptors;
    uint64_t header, status, address; /* of the guest's, of what is right */
};

static void liar_begin(struct liar *l, bool direct)
{
    const struct front_options o = {
        .queues = 2, .size = 16, .memory_bytes = MEMORY_BYTES, .direct = direct, .no_event = true};
    const struct vhost_message m = {.header = {VHOST_SET_VRING_ERR, 0, 8}, .number = 0};
    assert_int_equal(front_open(&l->front, served_connect(&served), &o), 0);
    l->error = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(front_tell(&l->front, &m, &l->error, 1), 0);
    struct vhost_message asked = {.header = {VHOST_GET_QUEUE_NUM, 0, 0}};
    assert_int_equal(front_ask(&l->front, &asked), 0); /* so all messages have been taken */
    l->data = front_room(&l->front, 4096, 4096);
    l->descriptors = l->front.queue[0].vring.desc;
    l->header = front_address(&l->front, &l->front.queue[0].header[0]);
    l->status = front_address(&l->front, &l->front.queue[0].status[0]);
    l->address = front_address(&l->front, l->data);
    l->front.queue[0].header[0] = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN};
    assert_int_equal(front_do(&l->front, 0, VIRTIO_BLK_T_IN, 0, l->data, 512), VIRTIO_BLK_S_OK);
    l->front.queue[0].header[0] = (struct virtio_blk_outhdr){.type = VIRTIO_BLK_T_IN};
}

/* Shows what lies in descriptor `head`. The queue is closed and its ring not touched any more; the other goes
 * on, and so does a queue after the lie. */
static void expect_closed(struct liar *l, uint16_t head)
{
    struct front_queue *q = &l->front.queue[0];
    uint16_t used = q->vring.used->idx;
    q->vring.avail->ring[q->next_available++ % 16] = head;
    front_kick(&l->front, 0);
    struct pollfd p = {.fd = l->error, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
    assert_int_equal(q->vring.used->idx, used);
    assert_int_equal(front_do(&l->front, 1, VIRTIO_BLK_T_IN, 0, l->data, 512), VIRTIO_BLK_S_OK);
    fd_close(l->error);
    front_close(&l->front);
    assert_int_equal(served_worker(&served), worker);
}

/* A chain of header, data and status in the queue's own descriptors, right so far. */
static void lay_chain(struct liar *l)
{
    l->descriptors[0] = (struct vring_desc){l->header, 16, VRING_DESC_F_NEXT, 1};
    l->descriptors[1] = (struct vring_desc){l->address, 512, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2};
    l->descriptors[2] = (struct vring_desc){l->status, 1, VRING_DESC_F_WRITE, 0};
}

typedef void lie(struct liar *l);

static void about_chain(lie *change)
{
    struct liar l;
    liar_begin(&l, false);
    lay_chain(&l);
    change(&l);
    expect_closed(&l, 0);
}

static void data_below_memory(struct liar *l)
{
    l->descriptors[1].addr = FRONT_GUEST_BASE - 512;
}

static void data_behind_memory(struct liar *l)
{
    l->descriptors[1].addr = FRONT_GUEST_BASE + MEMORY_BYTES;
}

static void data_over_the_end(struct liar *l)
{
    l->descriptors[1].addr = FRONT_GUEST_BASE + MEMORY_BYTES - 511;
}

static void data_around_the_world(struct liar *l)
{
    l->descriptors[1].addr = UINT64_MAX - 100;
}

static void data_without_end(struct liar *l)
{
    l->descriptors[1].len = UINT32_MAX;
}

static void data_of_nothing(struct liar *l)
{
    l->descriptors[1].len = 0;
}

static void header_outside(struct liar *l)
{
    l->descriptors[0].addr = 0;
}

static void status_outside(struct liar *l)
{
    l->descriptors[2].addr = FRONT_GUEST_BASE + MEMORY_BYTES;
}

static void loop(struct liar *l)
{
    l->descriptors[2].flags |= VRING_DESC_F_NEXT;
    l->descriptors[2].next = 1;
}

static void next_outside(struct liar *l)
{
    l->descriptors[30] = l->descriptors[2]; /* where nothing of the ring lies */
    l->descriptors[1].next = 30;
}

static void read_after_written(struct liar *l)
{
    l->descriptors[2].flags = 0;
}

static void no_header(struct liar *l)
{
    l->descriptors[0].flags |= VRING_DESC_F_WRITE;
}

static void short_header(struct liar *l)
{
    l->descriptors[0].len = 15;
}

static void no_status(struct liar *l)
{
    l->descriptors[0].flags = 0;
}

static void ring_ahead(struct liar *l)
{
    l->front.queue[0].next_available = (uint16_t)(l->front.queue[0].next_available + 16);
}

static void lies_in_a_chain(void **state)
{
    (void)state;
    static lie *const lies[] = {
        data_below_memory,     data_behind_memory, data_over_the_end,
        data_around_the_world, data_without_end,   data_of_nothing,
        header_outside,        status_outside,     loop,
        next_outside,          read_after_written, no_header,
        short_header,          no_status,          ring_ahead,
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        about_chain(lies[i]);
}

static void a_head_outside(void **state)
{
    (void)state;
    struct liar l;
    liar_begin(&l, false);
    expect_closed(&l, 16);
}

/* The table that a right request would have, in the guest's memory. */
static struct vring_desc *lay_indirect(struct liar *l)
{
    struct vring_desc *table = (void *)front_room(&l->front, 8 * sizeof *table, 16);
    lay_chain(l);
    memcpy(table, l->descriptors, 3 * sizeof *table);
    l->descriptors[0] =
        (struct vring_desc){front_address(&l->front, table), 3 * sizeof *table, VRING_DESC_F_INDIRECT, 0};
    return table;
}

static void table_cut(struct liar *l, struct vring_desc *table)
{
    (void)table;
    l->descriptors[0].len -= 1;
}

static void table_empty(struct liar *l, struct vring_desc *table)
{
    (void)table;
    l->descriptors[0].len = 0;
}

static void table_huge(struct liar *l, struct vring_desc *table)
{
    (void)table;
    l->descriptors[0].len = 1 << 20;
}

static void table_outside(struct liar *l, struct vring_desc *table)
{
    (void)table;
    l->descriptors[0].addr = FRONT_GUEST_BASE + MEMORY_BYTES - 16;
}

static void table_at_odd_address(struct liar *l, struct vring_desc *table)
{
    memmove((uint8_t *)table + 1, table, 3 * sizeof *table);
    l->descriptors[0].addr += 1;
}

static void table_and_chain(struct liar *l, struct vring_desc *table)
{
    (void)table;
    l->descriptors[0].flags |= VRING_DESC_F_NEXT;
    l->descriptors[0].next = 1;
}

static void table_in_table(struct liar *l, struct vring_desc *table)
{
    table[1] = (struct vring_desc){l->descriptors[0].addr, 48, VRING_DESC_F_INDIRECT, 0};
}

static void next_outside_table(struct liar *l, struct vring_desc *table)
{
    (void)l;
    table[3] = table[2];
    table[1].next = 3;
}

static void loop_in_table(struct liar *l, struct vring_desc *table)
{
    (void)l;
    table[1].next = 1;
}

static void lies_in_a_table(void **state)
{
    (void)state;
    static void (*const lies[])(struct liar * l, struct vring_desc * table) = {
        table_cut,       table_empty,    table_huge,         table_outside, table_at_odd_address,
        table_and_chain, table_in_table, next_outside_table, loop_in_table,
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct liar l;
        liar_begin(&l, false);
        lies[i](&l, lay_indirect(&l));
        expect_closed(&l, 0);
    }
}

static void a_table_that_was_not_negotiated(void **state)
{
    (void)state;
    struct liar l;
    liar_begin(&l, true);
    lay_indirect(&l);
    expect_closed(&l, 0);
}

static void parts_without_number(void **state)
{
    (void)state;
    struct liar l;
    liar_begin(&l, false);
    struct vring_desc *table = (void *)front_room(&l.front, 200 * sizeof *table, 16);
    lay_chain(&l);
    table[0] = l.descriptors[0];
    for (uint16_t i = 1; i < 200; i++)
        table[i] =
            (struct vring_desc){l.address, 16, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, (uint16_t)(i + 1)};
    table[199].flags = VRING_DESC_F_WRITE;
    l.descriptors[0] =
        (struct vring_desc){front_address(&l.front, table), 200 * sizeof *table, VRING_DESC_F_INDIRECT, 0};
    expect_closed(&l, 0);
}

/* The same request in all places of the ring: each is answered, as if they were different ones. */
static void one_request_many_times(void **state)
{
    (void)state;
    struct liar l;
    liar_begin(&l, false);
    lay_chain(&l);
    struct front_queue *q = &l.front.queue[0];
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 16; i++)
            q->vring.avail->ring[q->next_available++ % 16] = 0;
        front_kick(&l.front, 0);
        for (int i = 0; i < 16; i++)
            assert_int_equal(front_wait(&l.front, 0, WAIT_MSEC), 0);
    }
    fd_close(l.error);
    front_close(&l.front);
    assert_int_equal(served_worker(&served), worker);
}

/* --------------------------------------------------------- lies in messages */

static void expect_disconnected(struct front *f)
{
    uint8_t byte;
    struct pollfd p = {.fd = f->socket, .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
    assert_true(recv(f->socket, &byte, 1, 0) <= 0);
    front_close(f);
    assert_int_equal(served_worker(&served), worker);
}

static const struct front_options plain_options = {.queues = 1, .size = 16, .memory_bytes = MEMORY_BYTES};

static void tell_lie(const struct vhost_message *m, unsigned n_fds)
{
    struct front f;
    int fds[VHOST_REGIONS_MAX];
    assert_int_equal(front_open(&f, served_connect(&served), &plain_options), 0);
    for (unsigned i = 0; i < n_fds; i++)
        fds[i] = f.memory_fd;
    assert_int_equal(front_tell(&f, m, fds, n_fds), 0);
    expect_disconnected(&f);
}

static void numbers_that_are_wrong(void **state)
{
    (void)state;
    static const struct vhost_message lies[] = {
        {.header = {0, 0, 0}},
        {.header = {7, 0, 8}},
        {.header = {40, 0, 0}},
        {.header = {UINT32_MAX, 0, 0}},
        {.header = {VHOST_GET_FEATURES, 2, 0}},           /* another version */
        {.header = {VHOST_GET_FEATURES, VHOST_REPLY, 0}}, /* an answer to no question */
        {.header = {VHOST_GET_FEATURES, 0, 8}},
        {.header = {VHOST_SET_FEATURES, 0, 4}},
        {.header = {VHOST_SET_FEATURES, 0, 8}, .number = UINT64_C(1) << 26}, /* not offered */
        {.header = {VHOST_SET_PROTOCOL_FEATURES, 0, 8}, .number = 1 << 1},
        {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {2, 16}},
        {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {UINT32_MAX, 16}},
        {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {0, 0}},
        {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {0, 24}},
        {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {0, 2048}},
        {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {0, 1024}}, /* its rings have no room there */
        {.header = {VHOST_SET_VRING_BASE, 0, 8}, .state = {0, 65536}},
        {.header = {VHOST_GET_VRING_BASE, 0, 8}, .state = {9, 0}},
        {.header = {VHOST_SET_VRING_ENABLE, 0, 8}, .state = {0, 2}},
        {.header = {VHOST_SET_VRING_KICK, 0, 8}, .number = 0},
        {.header = {VHOST_SET_VRING_KICK, 0, 8}, .number = VHOST_VRING_NO_FD},
        {.header = {VHOST_SET_VRING_CALL, 0, 8}, .number = 200},
        {.header = {VHOST_SET_MEM_TABLE, 0, 8}, .memory = {.n = 0}},
        {.header = {VHOST_SET_MEM_TABLE, 0, 40}, .memory = {.n = 1}},
        {.header = {VHOST_SET_MEM_TABLE, 0, 8}, .memory = {.n = 9}},
        {.header = {VHOST_SET_BACKEND_REQ_FD, 0, 0}},
        {.header = {VHOST_SET_CONFIG, 0, 16}, .config = {0, 4, 0, {0}}},
        {.header = {VHOST_GET_CONFIG, 0, 12}, .config = {0, 4, 0, {0}}},
        {.header = {VHOST_GET_CONFIG, 0, 16}, .config = {253, 4, 0, {0}}},
        {.header = {VHOST_GET_CONFIG, 0, 16}, .config = {UINT32_MAX, 4, 0, {0}}},
        {.header = {VHOST_GET_INFLIGHT_FD, 0, 24}, .inflight = {0, 0, 0, 16}},
        {.header = {VHOST_GET_INFLIGHT_FD, 0, 24}, .inflight = {0, 0, 1, 2048}},
        {.header = {VHOST_SET_INFLIGHT_FD, 0, 24}, .inflight = {4096, 0, 1, 16}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        tell_lie(&lies[i], 0);
}

static void addresses_that_are_wrong(void **state)
{
    (void)state;
    const uint64_t base = FRONT_USER_BASE;
    const struct vhost_message lies[] = {
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 0, 0, base, base, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 0, base + 8, base, base, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 0, base, base + 2, base, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 0, base, base, base + 1, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 0, base + MEMORY_BYTES - 16, base, base, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 0, UINT64_MAX - 15, base, base, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {0, 1, base, base, base, 0}},
        {.header = {VHOST_SET_VRING_ADDR, 0, 40}, .address = {7, 0, base, base, base, 0}},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        tell_lie(&lies[i], 0);
}

static void memory_that_is_not_there(void **state)
{
    (void)state;
    static const struct vhost_region lies[] = {
        {0, 0, 0, 0},
        {FRONT_GUEST_BASE, MEMORY_BYTES + 1, FRONT_USER_BASE, 0}, /* its rings lie in this one */
        {FRONT_GUEST_BASE, MEMORY_BYTES, FRONT_USER_BASE, 4096},
        {0, 4096, 0, UINT64_MAX - 4095},
        {UINT64_MAX - 4095, 8192, 0, 0},
        {0, 8192, UINT64_MAX - 4095, 0},
        {0, UINT64_MAX, 0, 1},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct vhost_message m = {.header = {VHOST_SET_MEM_TABLE, 0, 40}, .memory = {.n = 1}};
        m.memory.region[0] = lies[i];
        tell_lie(&m, 1);
    }
    struct vhost_message two = {.header = {VHOST_SET_MEM_TABLE, 0, 72}, .memory = {.n = 2}};
    two.memory.region[0] = (struct vhost_region){0, 8192, 0, 0};
    two.memory.region[1] = (struct vhost_region){4096, 8192, 1 << 20, 0};
    tell_lie(&two, 2);
    two.memory.region[1].guest_address = 1 << 20;
    tell_lie(&two, 1); /* a descriptor is missing */
}

static void files_that_are_too_short(void **state)
{
    (void)state;
    struct vhost_message m = {.header = {VHOST_SET_INFLIGHT_FD, 0, 24}};
    m.inflight = (struct vhost_inflight){MEMORY_BYTES + 1, 0, 1, 16};
    tell_lie(&m, 1);
    m.inflight = (struct vhost_inflight){64, 0, 1, 16};
    tell_lie(&m, 1);
    m.inflight = (struct vhost_inflight){4096, 4096, 1, 16};
    tell_lie(&m, 1);
    m.inflight = (struct vhost_inflight){4096, 0, 1, 8}; /* the queue has more */
    tell_lie(&m, 1);
}

/* All that is in it is the front end's word. */
static void a_file_of_requests_under_way_full_of_noise(void **state)
{
    (void)state;
    struct front f;
    uint8_t noise[4096];
    for (int round = 0; round < 30; round++) {
        assert_int_equal(front_open(&f, served_connect(&served), &plain_options), 0);
        for (size_t i = 0; i < sizeof noise; i++)
            noise[i] = (uint8_t)(rand() >> 5);
        assert_true(pwrite(f.inflight_fd, noise, (size_t)f.inflight.map_bytes, 0) > 0);
        assert_int_equal(front_reconnect(&f, served_connect(&served)), 0);
        front_close(&f);
    }
    assert_int_equal(front_open(&f, served_connect(&served), &plain_options), 0);
    uint8_t *data = front_room(&f, 4096, 4096);
    assert_int_equal(front_do(&f, 0, VIRTIO_BLK_T_IN, 0, data, 4096), VIRTIO_BLK_S_OK);
    front_close(&f);
    assert_int_equal(served_worker(&served), worker);
}

/* ------------------------------------ descriptors that would keep a thread */

static int full_eventfd(void)
{
    static const uint64_t full = UINT64_MAX - 1;
    int fd = eventfd(0, EFD_CLOEXEC);
    return write(fd, &full, sizeof full) == sizeof full ? fd : -1;
}

/* The queue's descriptor, for which `request` stands, is `fd`: it serves on, and so does the worker. */
static void serves_on_with(uint32_t request, int fd)
{
    struct front f;
    const struct vhost_message m = {.header = {request, 0, 8}, .number = 0};
    assert_int_equal(front_open(&f, served_connect(&served), &plain_options), 0);
    assert_int_equal(front_tell(&f, &m, &fd, 1), 0);
    struct vhost_message asked = {.header = {VHOST_GET_QUEUE_NUM, 0, 0}};
    assert_int_equal(front_ask(&f, &asked), 0); /* so it has been taken */
    struct front_queue *q = &f.queue[0];
    front_put(&f, 0, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
    q->next_available++; /* and one that closes the queue */
    q->vring.avail->ring[1] = 16;
    front_kick(&f, 0);
    for (int msec = 0; msec < WAIT_MSEC && front_take(&f, 0) < 0; msec++)
        usleep(1000);
    assert_int_equal(front_status(&f, 0, 0), VIRTIO_BLK_S_OK);
    struct vhost_message base = {.header = {VHOST_GET_VRING_BASE, 0, 8}};
    assert_int_equal(front_ask(&f, &base), 0);
    front_close(&f);
    assert_int_equal(front_open(&f, served_connect(&served), &plain_options), 0);
    front_close(&f);
    assert_int_equal(served_worker(&served), worker);
}

static void a_full_eventfd_to_be_told_by(void **state)
{
    (void)state;
    int fd = full_eventfd();
    serves_on_with(VHOST_SET_VRING_CALL, fd);
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    serves_on_with(VHOST_SET_VRING_ERR, fd);
    fd_close(fd);
}

/* A message that brings this descriptor ends the connection. */
static void is_refused(uint32_t request, int fd)
{
    struct front f;
    struct vhost_message m = {.header = {request, 0, 8}, .number = 0};
    if (request == VHOST_SET_BACKEND_REQ_FD)
        m.header.size = 0;
    if (request == VHOST_SET_MEM_TABLE) {
        m.header.size = VHOST_MEMORY_HEAD + sizeof m.memory.region[0];
        m.memory = (struct vhost_memory){.n = 1, .region = {{FRONT_GUEST_BASE, 4096, FRONT_USER_BASE, 0}}};
    }
    assert_int_equal(front_open(&f, served_connect(&served), &plain_options), 0);
    assert_int_equal(front_tell(&f, &m, &fd, 1), 0);
    struct pollfd p = {.fd = f.socket};
    assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
    front_close(&f);
    assert_int_equal(served_worker(&served), worker);
}

/* Whoever closes them may have to wait, or they keep the front end's own connection open. */
static void descriptors_of_another_kind(void **state)
{
    (void)state;
    int ends[2], unix_end[2], tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int file = fd_memfd_empty("file", 0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, unix_end), 0);
    const int no_events[] = {ends[0], ends[1], unix_end[0], tcp, file, timer};
    for (size_t i = 0; i < sizeof no_events / sizeof no_events[0]; i++) {
        is_refused(VHOST_SET_VRING_KICK, no_events[i]);
        is_refused(VHOST_SET_VRING_CALL, no_events[i]);
        is_refused(VHOST_SET_VRING_ERR, no_events[i]);
        if (no_events[i] != file)
            is_refused(VHOST_SET_MEM_TABLE, no_events[i]);
        if (no_events[i] != unix_end[0])
            is_refused(VHOST_SET_BACKEND_REQ_FD, no_events[i]);
    }
    const int all[] = {ends[0], ends[1], unix_end[0], unix_end[1], tcp, file, timer};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        fd_close(all[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lies_in_a_chain),
        cmocka_unit_test(a_head_outside),
        cmocka_unit_test(lies_in_a_table),
        cmocka_unit_test(a_table_that_was_not_negotiated),
        cmocka_unit_test(parts_without_number),
        cmocka_unit_test(one_request_many_times),
        cmocka_unit_test(numbers_that_are_wrong),
        cmocka_unit_test(addresses_that_are_wrong),
        cmocka_unit_test(memory_that_is_not_there),
        cmocka_unit_test(files_that_are_too_short),
        cmocka_unit_test(a_file_of_requests_under_way_full_of_noise),
        cmocka_unit_test(a_full_eventfd_to_be_told_by),
        cmocka_unit_test(descriptors_of_another_kind),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
