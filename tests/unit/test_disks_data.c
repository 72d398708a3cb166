/* SPDX-License-Identifier: Apache-2.0 */
/* mayfly-disks from the socket to the file: what a guest reads is what it wrote, what lies in the file is
 * what dm-crypt would have there (OpenSSL reads it), and a killed worker loses nothing. */
#include "base/fd.h"
#include "bench/front-end.h"
#include "crypt/cipher.h"
#include "disks/block-request.h"
#include "served.h"

#include "unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DISK_BYTES ((uint64_t)4 << 20)
#define SECTORS    (DISK_BYTES / 512)
#define WAIT_MSEC  20000
#define PART_BYTES ((size_t)160 << 10)

/* -------------------------------------------- a guest that writes at random */

struct slot {
    uint32_t type;
    uint64_t sector, sectors; /* 0: not under way */
    uint8_t *room;            /* PART_BYTES of the guest's memory */
    uint8_t *data;            /* in it, somewhere */
};

struct guest {
    struct served served;
    struct front front;
    struct slot slot[FRONT_QUEUES_MAX][32];
    unsigned slots;
    uint8_t *model; /* what the disk must have */
    uint32_t seed;
    unsigned begun[16]; /* requests, by type */
};

static unsigned pick(struct guest *g, unsigned n)
{
    g->seed ^= g->seed << 13;
    g->seed ^= g->seed >> 17;
    g->seed ^= g->seed << 5;
    return g->seed % n;
}

static void guest_begin(struct guest *g, const struct served_options *s, const struct front_options *f)
{
    struct front_options options = *f;
    memset(g, 0, sizeof *g);
    g->seed = 20 + s->sector_bytes;
    g->model = calloc(1, DISK_BYTES);
    served_start(&g->served, s);
    g->slots = f->size / 4 < 16 ? f->size / 4 : 16;
    options.memory_bytes = (size_t)4 << 20 | (size_t)f->queues * g->slots * PART_BYTES * 2;
    options.memory_bytes = (options.memory_bytes + 8191) / 8192 * 8192;
    assert_int_equal(front_open(&g->front, served_connect(&g->served), &options), 0);
    for (unsigned q = 0; q < f->queues; q++)
        for (unsigned i = 0; i < g->slots; i++)
            g->slot[q][i].room = front_room(&g->front, PART_BYTES, 4096);
    /* from here on all of it is known: discarded and unwritten blocks read as anything */
    for (uint64_t sector = 0; sector < SECTORS; sector += 256)
        assert_int_equal(front_do(&g->front, 0, VIRTIO_BLK_T_OUT, sector, g->slot[0][0].room, 128 << 10), 0);
}

static void guest_end(struct guest *g)
{
    front_close(&g->front);
    assert_int_equal(served_stop(&g->served), 0);
    free(g->model);
}

/* Requests that are under way do not share a sector of 512 bytes; those of the cipher's they do. */
static bool is_taken(const struct guest *g, uint64_t sector, uint64_t sectors)
{
    for (unsigned q = 0; q < g->front.options.queues; q++)
        for (unsigned i = 0; i < g->slots; i++) {
            const struct slot *s = &g->slot[q][i];
            if (s->sectors && s->sector < sector + sectors && sector < s->sector + s->sectors)
                return true;
        }
    return false;
}

/* Cuts the data into parts at odd places. */
static unsigned cut(struct guest *g, uint8_t *data, size_t bytes, struct iovec *parts, unsigned most)
{
    unsigned n = 0;
    while (bytes > 0) {
        size_t now = n + 1 == most ? bytes : 1 + pick(g, (unsigned)bytes);
        parts[n++] = (struct iovec){data, now};
        data += now;
        bytes -= now;
    }
    return n;
}

static void begin_one(struct guest *g, unsigned queue, unsigned i)
{
    static const uint32_t types[] = {VIRTIO_BLK_T_IN,  VIRTIO_BLK_T_OUT,   VIRTIO_BLK_T_OUT,
                                     VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_WRITE_ZEROES};
    struct slot *s = &g->slot[queue][i];
    struct iovec parts[FRONT_PARTS_MAX];
    unsigned n = 0;
    uint64_t sectors = pick(g, 8) ? 1 + pick(g, 16) : 1 + pick(g, 280);
    uint64_t sector = pick(g, (unsigned)(SECTORS - sectors));
    s->type = types[pick(g, ARRAY_SIZE(types))];
    if (s->type != VIRTIO_BLK_T_FLUSH && is_taken(g, sector, sectors))
        return;
    s->sector = sector;
    s->sectors = sectors;
    g->begun[s->type]++;
    s->data = s->room + (pick(g, 2) ? pick(g, 4000) : 0);
    if (s->type == VIRTIO_BLK_T_WRITE_ZEROES) {
        const struct virtio_blk_discard_write_zeroes range = {s->sector, (uint32_t)s->sectors, 0};
        memcpy(s->data, &range, sizeof range);
        n = cut(g, s->data, sizeof range, parts, 2);
    } else if (s->type != VIRTIO_BLK_T_FLUSH) {
        if (s->type == VIRTIO_BLK_T_OUT)
            for (size_t k = 0; k < s->sectors * 512; k++)
                s->data[k] = (uint8_t)(pick(g, 251) + k);
        n = cut(g, s->data, s->sectors * 512, parts, g->front.options.direct ? 2 : 1 + pick(g, 20));
    }
    front_put(&g->front, queue, i, s->type, s->type == VIRTIO_BLK_T_FLUSH ? 0 : s->sector, parts, n);
}

static void end_one(struct guest *g, unsigned queue, unsigned i)
{
    struct slot *s = &g->slot[queue][i];
    assert_int_equal(front_status(&g->front, queue, i), VIRTIO_BLK_S_OK);
    uint8_t *model = g->model + s->sector * 512;
    if (s->type == VIRTIO_BLK_T_IN)
        assert_memory_equal(s->data, model, s->sectors * 512);
    if (s->type == VIRTIO_BLK_T_OUT)
        memcpy(model, s->data, s->sectors * 512);
    if (s->type == VIRTIO_BLK_T_WRITE_ZEROES)
        memset(model, 0, s->sectors * 512);
    s->sectors = 0;
}

static void begin_all(struct guest *g)
{
    for (unsigned q = 0; q < g->front.options.queues; q++) {
        for (unsigned i = 0; i < g->slots; i++)
            if (g->slot[q][i].sectors == 0)
                begin_one(g, q, i);
        front_kick(&g->front, q);
    }
}

static unsigned under_way(const struct guest *g, unsigned queue)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->slots; i++)
        n += g->slot[queue][i].sectors > 0;
    return n;
}

static void end_some(struct guest *g, unsigned leave)
{
    for (unsigned q = 0; q < g->front.options.queues; q++)
        while (under_way(g, q) > leave) {
            int i = front_wait(&g->front, q, WAIT_MSEC);
            assert_true(i >= 0);
            end_one(g, q, (unsigned)i);
        }
}

static void check_file(struct guest *g)
{
    uint8_t *plain = malloc(DISK_BYTES);
    served_read(&g->served, 0, plain, DISK_BYTES);
    assert_memory_equal(plain, g->model, DISK_BYTES);
    free(plain);
}

static void run_guest(const struct served_options *s, const struct front_options *f, unsigned rounds)
{
    struct guest g;
    guest_begin(&g, s, f);
    for (unsigned n = 0; n < rounds; n++) {
        begin_all(&g);
        end_some(&g, n % 3);
    }
    end_some(&g, 0);
    check_file(&g);
    assert_true(g.begun[VIRTIO_BLK_T_IN] > 0 && g.begun[VIRTIO_BLK_T_WRITE_ZEROES] > 0);
    assert_true(g.begun[VIRTIO_BLK_T_OUT] > rounds);
    guest_end(&g);
}

static const struct front_options two_queues = {.queues = 2, .size = 64};

static void in_memory(void **state)
{
    (void)state;
    const struct served_options s = {
        .folder = "/dev/shm", .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
    run_guest(&s, &two_queues, 60);
}

static void on_a_disk(void **state)
{
    (void)state;
    const struct served_options s = {
        .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2, .poll_usec = 50};
    run_guest(&s, &two_queues, 60);
}

static void sectors_of_512(void **state)
{
    (void)state;
    const struct served_options s = {.size_bytes = DISK_BYTES, .sector_bytes = 512, .queues = 2};
    run_guest(&s, &two_queues, 30);
}

static void without_encryption(void **state)
{
    (void)state;
    const struct served_options s = {
        .size_bytes = DISK_BYTES, .sector_bytes = 512, .queues = 2, .plain = true};
    run_guest(&s, &two_queues, 30);
}

static void direct_descriptors_and_no_event_index(void **state)
{
    (void)state;
    const struct front_options f = {
        .queues = 1, .size = 64, .direct = true, .no_event = true, .no_inflight = true};
    const struct served_options s = {.size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 1};
    run_guest(&s, &f, 60);
}

/* Buffers that lie across two regions which meet. */
static void memory_in_regions(void **state)
{
    (void)state;
    const struct front_options f = {.queues = 1, .size = 64, .regions = 2};
    const struct served_options s = {
        .folder = "/dev/shm", .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 1};
    run_guest(&s, &f, 30);
}

/* ---------------------------------------------------------------- what ends */

static void kill_worker(struct guest *g)
{
    pid_t old = served_worker(&g->served);
    assert_true(old > 0);
    kill(old, SIGKILL);
    while (served_worker(&g->served) == old || served_worker(&g->served) == 0)
        usleep(1000);
}

/* After a shorter life of a worker the keeper pauses, up to ten seconds, before it starts the next. */
#define LIFE_USEC 1050000

static void kill_and_go_on(const char *folder, bool reconnects)
{
    struct guest g;
    const struct served_options s = {
        .folder = folder, .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
    guest_begin(&g, &s, &two_queues);
    for (unsigned n = 0; n < 8; n++) {
        usleep(LIFE_USEC);
        begin_all(&g);
        usleep(pick(&g, 700));
        kill_worker(&g);
        if (reconnects)
            assert_int_equal(front_reconnect(&g.front, served_connect(&g.served)), 0);
        end_some(&g, n % 3);
        for (unsigned k = 0; k < 5; k++) {
            begin_all(&g);
            end_some(&g, n % 3);
        }
    }
    end_some(&g, 0);
    check_file(&g);
    guest_end(&g);
}

static void killed_in_the_middle(void **state)
{
    (void)state;
    kill_and_go_on(NULL, false);
}

static void killed_in_the_middle_in_memory(void **state)
{
    (void)state;
    kill_and_go_on("/dev/shm", false);
}

/* As a front end does whose keeper is another one. */
static void killed_and_connected_again(void **state)
{
    (void)state;
    kill_and_go_on("/dev/shm", true);
}

static void single(struct guest *g, struct served_options s)
{
    static const struct front_options one = {.queues = 1, .size = 64};
    s.size_bytes = DISK_BYTES;
    s.sector_bytes = 4096;
    s.queues = 1;
    if (!s.read_only) {
        guest_begin(g, &s, &one);
        return;
    }
    memset(g, 0, sizeof *g);
    struct front_options options = one;
    options.memory_bytes = 4 << 20;
    served_start(&g->served, &s);
    assert_int_equal(front_open(&g->front, served_connect(&g->served), &options), 0);
}

/* A worker that ends in any way is followed by another, once one has served. */
static void a_worker_that_ends_itself(void **state)
{
    (void)state;
    struct guest g;
    single(&g, (struct served_options){.folder = "/dev/shm"});
    kill(served_worker(&g.served), SIGTERM);
    usleep(500000);
    assert_int_equal(waitpid(g.served.keeper, NULL, WNOHANG), 0);
    assert_int_equal(front_reconnect(&g.front, served_connect(&g.served)), 0);
    assert_int_equal(front_do(&g.front, 0, VIRTIO_BLK_T_IN, 0, g.slot[0][0].room, 4096), VIRTIO_BLK_S_OK);
    guest_end(&g);
}

/* Even a worker that is stopped goes with its keeper, and as long as it is there nobody else has the disk. */
static void killed_keeper(void **state)
{
    (void)state;
    struct served s;
    const struct served_options o = {.size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 1};
    const struct front_options f = {.queues = 1, .size = 16, .memory_bytes = 4 << 20};
    struct front front;
    served_start(&s, &o);
    assert_int_equal(front_open(&front, served_connect(&s), &f), 0); /* so the worker has begun */
    front_close(&front);
    const struct disk another = {.id = "another", .fd = s.fd};
    pid_t worker = served_worker(&s);
    fd_close(s.disk.fd); /* the keeper's and the worker's remain */
    s.disk.fd = -1;
    kill(worker, SIGSTOP);
    assert_int_equal(disk_lock(&another, NULL), -EBUSY);
    kill(s.keeper, SIGKILL);
    int r = -EBUSY;
    for (int msec = 0; r == -EBUSY && msec < WAIT_MSEC; msec++) {
        r = disk_lock(&another, NULL);
        usleep(1000);
    }
    kill(worker, SIGKILL); /* if it should still be there */
    assert_int_equal(r, 0);
    served_stop(&s);
}

static int standard_error_is(int fd)
{
    int old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(fd, STDERR_FILENO);
    fd_close(fd);
    return old;
}

/* The keeper warns of the worker's end, which must not be its own. */
static void nobody_reads_the_log(void **state)
{
    (void)state;
    struct guest g;
    int ends[2];
    const struct served_options s = {.size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd_close(ends[0]);
    int old = standard_error_is(ends[1]);
    guest_begin(&g, &s, &two_queues);
    standard_error_is(old);
    kill(served_worker(&g.served), SIGKILL);
    usleep(300000);
    assert_int_equal(waitpid(g.served.keeper, NULL, WNOHANG), 0);
    assert_int_equal(front_reconnect(&g.front, served_connect(&g.served)), 0);
    guest_end(&g);
}

static void a_guest_that_ends_and_another(void **state)
{
    (void)state;
    struct guest g;
    struct front second;
    const struct served_options s = {.size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
    guest_begin(&g, &s, &two_queues);
    front_disconnect(&g.front);
    const struct front_options f = {.queues = 1, .size = 16, .memory_bytes = 4 << 20};
    assert_int_equal(front_open(&second, served_connect(&g.served), &f), 0);
    uint8_t *data = front_room(&second, 4096, 4096);
    assert_int_equal(front_do(&second, 0, VIRTIO_BLK_T_IN, 8, data, 4096), VIRTIO_BLK_S_OK);
    assert_memory_equal(data, g.model, 4096);
    front_close(&second);
    guest_end(&g);
}

/* -------------------------------------------------------------- interrupts */

static void interrupt_guest_begin(struct guest *g, bool call_last)
{
    const struct served_options s = {.size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 1};
    const struct front_options f = {.queues = 1, .size = 64, .call_last = call_last};
    guest_begin(g, &s, &f);
}

/* The guest sleeps until it is interrupted, since it has asked for that. */
static void expect_interrupt(struct guest *g)
{
    assert_int_equal(front_await_interrupt(&g->front, 0, WAIT_MSEC), 0);
    while (under_way(g, 0) > 0) {
        int i = front_take(&g->front, 0);
        assert_true(i >= 0);
        end_one(g, 0, (unsigned)i);
    }
}

static void sleep_as_a_guest(struct guest *g)
{
    struct front_queue *q = &g->front.queue[0];
    uint64_t counter;
    while (read(q->call, &counter, sizeof counter) > 0) {
    }
    __atomic_store_n(&vring_used_event(&q->vring), q->next_used, __ATOMIC_SEQ_CST);
}

/* QEMU gives the guest's own descriptor when the queue runs, and may have done all, already. */
static void interrupted_though_all_was_done_before(void **state)
{
    (void)state;
    struct guest g;
    interrupt_guest_begin(&g, true);
    front_disconnect(&g.front);
    kill_worker(&g); /* so that none serves before the next connection */
    sleep_as_a_guest(&g);
    begin_all(&g);
    assert_int_equal(front_reconnect(&g.front, served_connect(&g.served)), 0);
    expect_interrupt(&g);
    check_file(&g);
    guest_end(&g);
}

/* As by an end of the worker's between giving back and interrupting. */
static void interrupted_for_what_an_ended_worker_gave_back(void **state)
{
    (void)state;
    struct guest g;
    interrupt_guest_begin(&g, false);
    sleep_as_a_guest(&g);
    begin_all(&g);
    for (int msec = 0; msec < WAIT_MSEC; msec++) {
        if (g.front.queue[0].vring.used->idx == g.front.queue[0].next_available)
            break;
        usleep(1000);
    }
    usleep(10000);
    sleep_as_a_guest(&g);
    kill_worker(&g);
    assert_int_equal(front_reconnect(&g.front, served_connect(&g.served)), 0);
    expect_interrupt(&g);
    guest_end(&g);
}

/* ---------------------------------------------------------- single requests */

static int do_range(struct front *f, uint32_t type, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    const struct virtio_blk_discard_write_zeroes range = {sector, sectors, flags};
    uint8_t *room = front_room(f, sizeof range, 16);
    memcpy(room, &range, sizeof range);
    return front_do(f, 0, type, sector, room, sizeof range);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct guest g;
    single(&g, (struct served_options){.folder = "/dev/shm"});
    struct front *f = &g.front;
    uint8_t *data = g.slot[0][0].room;
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_IN, SECTORS, data, 512), VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_OUT, SECTORS - 1, data, 1024), VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_OUT, UINT64_MAX, data, 512), VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_OUT, UINT64_MAX / 512 + 1, data, 512), VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_IN, 0, data, 511), VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_IN, 0, data, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, 77, 0, data, 512), VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(do_range(f, VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP); /* is not on */
    assert_int_equal(do_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2), VIRTIO_BLK_S_UNSUPP);
    assert_int_equal(do_range(f, VIRTIO_BLK_T_WRITE_ZEROES, SECTORS - 4, 8, 0), VIRTIO_BLK_S_IOERR);
    assert_int_equal(do_range(f, VIRTIO_BLK_T_WRITE_ZEROES, 0, BLOCK_ZERO_MAX / 512 + 1, 0),
                     VIRTIO_BLK_S_IOERR);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, data, 8), VIRTIO_BLK_S_IOERR);
    check_file(&g);
    guest_end(&g);
}

static void its_serial_number(void **state)
{
    (void)state;
    struct guest g;
    single(&g, (struct served_options){.folder = "/dev/shm"});
    uint8_t *data = g.slot[0][0].room;
    memset(data, 'x', 32);
    assert_int_equal(front_do(&g.front, 0, VIRTIO_BLK_T_GET_ID, 0, data, 20), VIRTIO_BLK_S_OK);
    assert_string_equal((char *)data, "served");
    guest_end(&g);
}

/* Whole units are given back to the file system; of others nothing is touched. */
static void discards(void **state)
{
    (void)state;
    struct guest g;
    static const uint8_t zeros[8192];
    uint8_t raw[sizeof zeros];
    single(&g, (struct served_options){.discard = true});
    assert_int_equal(do_range(&g.front, VIRTIO_BLK_T_DISCARD, 7, 20, 0), VIRTIO_BLK_S_OK);
    assert_int_equal(do_range(&g.front, VIRTIO_BLK_T_DISCARD, 33, 6, 0), VIRTIO_BLK_S_OK);
    assert_int_equal(pread(g.served.fd, raw, sizeof raw, 4096), sizeof raw);
    assert_memory_equal(raw, zeros, sizeof raw);
    served_read(&g.served, 0, raw, 4096);
    assert_memory_equal(raw, g.model, 4096);
    served_read(&g.served, 12288, raw, 8192);
    assert_memory_equal(raw, g.model + 12288, 8192);
    guest_end(&g);
}

static void read_only(void **state)
{
    (void)state;
    struct guest g;
    single(&g, (struct served_options){.read_only = true});
    struct vhost_message m = {.header = {VHOST_GET_FEATURES, 0, 0}};
    assert_int_equal(front_ask(&g.front, &m), 0);
    assert_true(m.number >> VIRTIO_BLK_F_RO & 1);
    assert_false(m.number >> VIRTIO_BLK_F_DISCARD & 1);
    uint8_t *data = front_room(&g.front, 4096, 4096);
    assert_int_equal(front_do(&g.front, 0, VIRTIO_BLK_T_IN, 0, data, 4096), VIRTIO_BLK_S_OK);
    assert_int_equal(front_do(&g.front, 0, VIRTIO_BLK_T_OUT, 0, data, 4096), VIRTIO_BLK_S_IOERR);
    assert_int_equal(do_range(&g.front, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0), VIRTIO_BLK_S_IOERR);
    guest_end(&g);
}

static uint64_t capacity(struct front *f)
{
    struct vhost_message m = {
        .header = {VHOST_GET_CONFIG, 0, VHOST_CONFIG_HEAD + sizeof(struct virtio_blk_config)},
        .config = {.bytes = sizeof(struct virtio_blk_config)}};
    struct virtio_blk_config c;
    assert_int_equal(front_ask(f, &m), 0);
    memcpy(&c, m.config.data, sizeof c);
    assert_int_equal(c.blk_size, 512);
    return c.capacity;
}

/* The file grows, the keeper is told, the front end hears of it and reads behind the old end. */
static void it_grows(void **state)
{
    (void)state;
    struct guest g;
    int ends[2];
    struct vhost_message m = {.header = {VHOST_SET_BACKEND_REQ_FD, 0, 0}};
    single(&g, (struct served_options){.folder = "/dev/shm"});
    uint8_t *data = g.slot[0][0].room;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(front_tell(&g.front, &m, &ends[1], 1), 0);
    assert_int_equal(capacity(&g.front), SECTORS);
    assert_int_equal(ftruncate(g.served.fd, 2 * DISK_BYTES), 0);
    kill(g.served.keeper, SIGHUP);
    assert_int_equal(recv(ends[0], &m.header, sizeof m.header, MSG_WAITALL), sizeof m.header);
    assert_int_equal(m.header.request, VHOST_BACKEND_CONFIG_CHANGE);
    assert_int_equal(capacity(&g.front), 2 * SECTORS);
    assert_int_equal(front_do(&g.front, 0, VIRTIO_BLK_T_OUT, 2 * SECTORS - 8, data, 4096), VIRTIO_BLK_S_OK);
    kill_worker(&g); /* the next one knows of it */
    assert_int_equal(front_reconnect(&g.front, served_connect(&g.served)), 0);
    assert_int_equal(capacity(&g.front), 2 * SECTORS);
    fd_close(ends[0]);
    fd_close(ends[1]);
    guest_end(&g);
}

static int begin_library(void **state)
{
    (void)state;
    return cipher_begin(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_memory),
        cmocka_unit_test(on_a_disk),
        cmocka_unit_test(sectors_of_512),
        cmocka_unit_test(without_encryption),
        cmocka_unit_test(direct_descriptors_and_no_event_index),
        cmocka_unit_test(memory_in_regions),
        cmocka_unit_test(killed_in_the_middle),
        cmocka_unit_test(killed_in_the_middle_in_memory),
        cmocka_unit_test(killed_and_connected_again),
        cmocka_unit_test(a_worker_that_ends_itself),
        cmocka_unit_test(killed_keeper),
        cmocka_unit_test(nobody_reads_the_log),
        cmocka_unit_test(a_guest_that_ends_and_another),
        cmocka_unit_test(interrupted_though_all_was_done_before),
        cmocka_unit_test(interrupted_for_what_an_ended_worker_gave_back),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(its_serial_number),
        cmocka_unit_test(discards),
        cmocka_unit_test(read_only),
        cmocka_unit_test(it_grows),
    };
    return cmocka_run_group_tests(tests, begin_library, NULL);
}
