/* SPDX-License-Identifier: Apache-2.0 */
/* A worker of mayfly-disks that dies before or after any call by which it deals with front end, keeper and
 * the guest's memory: no answer is lost or comes twice, no request either, and what the guest wrote is there.
 */
#include "base/fd.h"
#include "bench/front-end.h"
#include "crypt/cipher.h"
#include "disks/device.h"
#include "served.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISK_BYTES   ((uint64_t)1 << 20)
#define MEMORY_BYTES ((size_t)4 << 20)
#define WAIT_MSEC    20000
#define BLOCKS       8 /* of 4096 bytes, that each round writes */

/* --------------------------------------------------------- calls and a death */

static struct shared { /* with the workers */
    int moments;       /* before and after calls, since the first worker has begun to serve */
    int deadly;        /* the moment when the worker dies */
    int deaths;
} * shared;
static bool serves; /* this process is a worker */

static void moment(void)
{
    if (!serves || __atomic_add_fetch(&shared->moments, 1, __ATOMIC_SEQ_CST) != shared->deadly)
        return;
    shared->deaths++;
    _exit(9);
}

#define DEADLY(type, name, parameters, arguments)                                                            \
    type __real_##name parameters;                                                                           \
    type __wrap_##name parameters;                                                                           \
    type __wrap_##name parameters                                                                            \
    {                                                                                                        \
        moment();                                                                                            \
        type r = __real_##name arguments;                                                                    \
        int errnum = errno;                                                                                  \
        moment();                                                                                            \
        errno = errnum;                                                                                      \
        return r;                                                                                            \
    }

DEADLY(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
DEADLY(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
DEADLY(int, shutdown, (int fd, int how), (fd, how))
DEADLY(int, munmap, (void *at, size_t bytes), (at, bytes))
DEADLY(int, close, (int fd), (fd))
DEADLY(void *, mmap64, (void *at, size_t bytes, int prot, int flags, int fd, off_t offset),
       (at, bytes, prot, flags, fd, offset))

/* The first worker must serve, or there is no keeper; so only calls after that count. */
void __real_device_init(struct device *d, struct disk *disk, unsigned number, int notes);
void __wrap_device_init(struct device *d, struct disk *disk, unsigned number, int notes);
void __wrap_device_init(struct device *d, struct disk *disk, unsigned number, int notes)
{
    serves = true;
    __real_device_init(d, disk, number, notes);
}

/* The keeper's pause before the next worker is no part of this. */
int __real_poll(struct pollfd *p, nfds_t n, int timeout_msec);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout_msec);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout_msec)
{
    return __real_poll(p, n, n == 1 && timeout_msec < WAIT_MSEC ? 0 : timeout_msec);
}

int __wrap___poll_chk(struct pollfd *p, nfds_t n, int timeout_msec, size_t bytes);
int __wrap___poll_chk(struct pollfd *p, nfds_t n, int timeout_msec, size_t bytes)
{
    (void)bytes;
    return __wrap_poll(p, n, timeout_msec);
}

/* ----------------------------------------------------------------- a session */

struct guest {
    struct served served;
    struct front front;
    uint8_t *written[BLOCKS], *read;
    unsigned round;
};

static void guest_begin(struct guest *g)
{
    const struct served_options s = {
        .folder = "/dev/shm", .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
    const struct front_options f = {
        .queues = 2, .size = 16, .memory_bytes = MEMORY_BYTES, .acknowledged = true};
    memset(g, 0, sizeof *g);
    served_start(&g->served, &s);
    assert_int_equal(front_open(&g->front, served_connect(&g->served), &f), 0);
    for (unsigned i = 0; i < BLOCKS; i++)
        g->written[i] = front_room(&g->front, 4096, 4096);
    g->read = front_room(&g->front, 4096, 4096);
}

static void guest_end(struct guest *g)
{
    front_close(&g->front);
    assert_int_equal(served_stop(&g->served), 0);
}

static void begin_writes(struct guest *g)
{
    g->round++;
    for (unsigned i = 0; i < BLOCKS; i++) {
        const struct iovec part = {g->written[i], 4096};
        memset(part.iov_base, (int)(g->round * BLOCKS + i), part.iov_len);
        front_put(&g->front, 1, i, VIRTIO_BLK_T_OUT, 8 * i, &part, 1);
    }
    front_kick(&g->front, 1);
}

/* Each request is given back once. */
static void end_writes(struct guest *g)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < BLOCKS; i++) {
        int slot = front_wait(&g->front, 1, WAIT_MSEC);
        assert_in_range(slot, 0, BLOCKS - 1);
        assert_false(seen & 1u << slot);
        seen |= 1u << slot;
        assert_int_equal(front_status(&g->front, 1, (unsigned)slot), VIRTIO_BLK_S_OK);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_int_equal(front_do(&g->front, i % 2, VIRTIO_BLK_T_IN, 8 * i, g->read, 4096), VIRTIO_BLK_S_OK);
        assert_memory_equal(g->read, g->written[i], 4096);
    }
    for (unsigned queue = 0; queue < 2; queue++)
        assert_int_equal(front_take(&g->front, queue), -EAGAIN);
}

/* No answer is left over. */
static void expect_silence(const struct front *f)
{
    char byte;
    assert_int_equal(recv(f->socket, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

static void change_memory(struct guest *g)
{
    g->front.options.regions = 2;
    assert_int_equal(front_tell_memory(&g->front), 0);
}

static void pause_a_queue(struct guest *g)
{
    assert_int_equal(front_enable_queue(&g->front, 1, 0), 0);
    assert_int_equal(front_enable_queue(&g->front, 1, 1), 0);
}

static void stop_a_queue(struct guest *g)
{
    assert_int_equal(front_stop_queue(&g->front, 0), 0);
    assert_int_equal(front_start_queue(&g->front, 0), 0);
}

static void boot_again(struct guest *g)
{
    for (unsigned queue = 0; queue < 2; queue++)
        assert_int_equal(front_stop_queue(&g->front, queue), 0);
    change_memory(g);
    for (unsigned queue = 0; queue < 2; queue++)
        assert_int_equal(front_start_queue(&g->front, queue), 0);
}

/* Returns how many moments there were. */
static int session(int deadly)
{
    static void (*const acts[])(struct guest * g) = {change_memory, pause_a_queue, stop_a_queue, boot_again};
    struct guest g;
    *shared = (struct shared){.deadly = deadly};
    guest_begin(&g);
    for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
        begin_writes(&g);
        acts[i](&g);
        end_writes(&g);
        expect_silence(&g.front);
    }
    guest_end(&g);
    return shared->moments;
}

static void a_death_at_each_moment(void **state)
{
    (void)state;
    int moments = session(0), deaths = 0;
    assert_true(moments > 200);
    for (int at = 1; at <= moments; at++) {
        session(at);
        deaths += shared->deaths;
    }
    assert_in_range(deaths, moments - 40, moments); /* a session may be over a little earlier */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_death_at_each_moment)};
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || cipher_begin(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
