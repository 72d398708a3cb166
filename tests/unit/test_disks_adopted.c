/* SPDX-License-Identifier: Apache-2.0 */
/* A worker of mayfly-disks that is killed while a front end sets its disk up, or has stopped its queues: the
 * next one goes on with the same connection, and the front end does not notice. */
#include "base/fd.h"
#include "bench/front-end.h"
#include "crypt/cipher.h"
#include "served.h"

#include "unit.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISK_BYTES   ((uint64_t)1 << 20)
#define MEMORY_BYTES ((size_t)4 << 20)
#define WAIT_MSEC    20000
#define TEXT         "the-first-of-May"

static const struct served_options options = {
    .folder = "/dev/shm", .size_bytes = DISK_BYTES, .sector_bytes = 4096, .queues = 2};
static const struct front_options two_queues = {.queues = 2, .size = 16, .memory_bytes = MEMORY_BYTES};

static int start(void **state)
{
    (void)state;
    return cipher_begin(NULL);
}

/* A test that fails waits long for what does not come, so none is begun after it. */
static bool has_failed;

static int begin(void **state)
{
    (void)state;
    bool failed = has_failed;
    has_failed = true;
    return failed ? -1 : 0;
}

static void set_up(struct served *s, struct front *f, const struct front_options *o)
{
    served_start(s, &options);
    assert_int_equal(front_open(f, served_connect(s), o), 0);
}

static void end(struct served *s, struct front *f)
{
    front_close(f);
    assert_int_equal(served_stop(s), 0);
    has_failed = false;
}

static void await_another(const struct served *s, pid_t old)
{
    int msec = 0;
    while (served_worker(s) == old || served_worker(s) == 0) {
        assert_true(msec++ < WAIT_MSEC);
        usleep(1000);
    }
}

static void kill_worker(const struct served *s)
{
    pid_t old = served_worker(s);
    assert_true(old > 0);
    kill(old, SIGKILL);
    await_another(s, old);
}

/* The disk is served: what is written by one queue is read by the other, and lies in the file. */
static void expect_service(struct served *s, struct front *f)
{
    uint8_t sector[4096], *written = front_room(f, 512, 512), *read = front_room(f, 512, 512);
    memcpy(written, TEXT, sizeof TEXT);
    assert_int_equal(front_do(f, 0, VIRTIO_BLK_T_OUT, 8, written, 512), VIRTIO_BLK_S_OK);
    assert_int_equal(front_do(f, 1, VIRTIO_BLK_T_IN, 8, read, 512), VIRTIO_BLK_S_OK);
    assert_memory_equal(read, written, 512);
    served_read(s, 4096, sector, sizeof sector);
    assert_string_equal((char *)sector, TEXT);
}

/* ------------------------------------------------------------ while it is set up */

struct killer {
    const struct served *served;
    int left; /* messages before the kill */
};

static void kill_before_message(void *context)
{
    struct killer *k = context;
    if (k->left-- == 0)
        kill_worker(k->served);
}

/* Serves a disk to a front end whose worker is killed before its message number `n`. True if it sent so many.
 */
static bool set_up_with_kill(int n, bool acknowledged)
{
    struct served s;
    struct front f;
    struct killer k = {.served = &s, .left = n};
    struct front_options o = two_queues;
    o.before_message = kill_before_message;
    o.context = &k;
    o.acknowledged = acknowledged;
    set_up(&s, &f, &o);
    expect_service(&s, &f);
    end(&s, &f);
    return k.left < 0;
}

static void kill_before_each_message(bool acknowledged)
{
    int n = 0;
    while (set_up_with_kill(n, acknowledged))
        n++;
    assert_int_equal(n, 20); /* which front_open() sends */
}

static void killed_before_each_message(void **state)
{
    (void)state;
    kill_before_each_message(false);
}

static void killed_before_each_acknowledged_message(void **state)
{
    (void)state;
    kill_before_each_message(true);
}

static const struct vhost_message size_question = {
    .header = {VHOST_GET_CONFIG, VHOST_VERSION, VHOST_CONFIG_HEAD + 8}, .config = {.bytes = 8}};

static void expect_size(struct front *f)
{
    struct vhost_message m;
    uint64_t sectors;
    assert_int_equal(front_receive_answer(f, &m), 0);
    memcpy(&sectors, m.config.data, sizeof sectors);
    assert_int_equal(sectors, DISK_BYTES / 512);
}

/* The worker has read the beginning of the message, which the next one must read again. */
static void killed_within_a_message(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    const struct vhost_message m = size_question;
    set_up(&s, &f, &two_queues);
    assert_int_equal(send(f.socket, &m.header, sizeof m.header, 0), sizeof m.header);
    usleep(100000);
    kill_worker(&s);
    assert_int_equal(send(f.socket, &m.config, m.header.size, 0), m.header.size);
    expect_size(&f);
    expect_service(&s, &f);
    end(&s, &f);
}

/* A message may come in two pieces, whenever the second comes. */
static void a_message_in_two_pieces(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    const struct vhost_message m = size_question;
    set_up(&s, &f, &two_queues);
    assert_int_equal(send(f.socket, &m.header, sizeof m.header, 0), sizeof m.header);
    usleep(50000);
    assert_int_equal(send(f.socket, &m.config, 3, 0), 3);
    usleep(50000);
    assert_int_equal(send(f.socket, (char *)&m.config + 3, m.header.size - 3, 0), m.header.size - 3);
    expect_size(&f);
    end(&s, &f);
}

/* Several messages wait, of which only a later one brings a descriptor: each gets its own. */
static void killed_with_messages_waiting(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    set_up(&s, &f, &two_queues);
    assert_int_equal(front_stop_queue(&f, 1), 0);
    pid_t worker = served_worker(&s);
    kill(worker, SIGSTOP);
    assert_int_equal(front_start_queue(&f, 1), 0);
    kill(worker, SIGKILL);
    await_another(&s, worker);
    expect_service(&s, &f);
    end(&s, &f);
}

/* ---------------------------------------------------------- while it is stopped */

static void put_and_kick(struct front *f, const struct iovec *part)
{
    front_put(f, 0, 0, VIRTIO_BLK_T_IN, 8, part, 1);
    front_kick(f, 0);
}

/* So all messages before were carried out. */
static int ask_something(struct front *f)
{
    struct vhost_message m = {.header = {VHOST_GET_QUEUE_NUM, 0, 0}};
    return front_ask(f, &m);
}

static int enable(struct front *f, unsigned queue, uint32_t on)
{
    int r = front_enable_queue(f, queue, on);
    return r < 0 ? r : ask_something(f);
}

static bool is_answered(struct front *f)
{
    struct front_queue *q = &f->queue[0];
    for (int msec = 0; msec < 300; msec++, usleep(1000))
        if (__atomic_load_n(&q->vring.used->idx, __ATOMIC_ACQUIRE) != q->next_used)
            return true;
    return false;
}

/* The next worker does not start a queue that was stopped, and starts it when it is told to. */
static void killed_while_stopped(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    set_up(&s, &f, &two_queues);
    expect_service(&s, &f);
    const struct iovec part = {front_room(&f, 512, 512), 512};
    assert_int_equal(front_stop_queue(&f, 0), 0);
    put_and_kick(&f, &part);
    kill_worker(&s);
    assert_false(is_answered(&f));
    assert_int_equal(front_start_queue(&f, 0), 0);
    assert_int_equal(front_wait(&f, 0, WAIT_MSEC), 0);
    assert_string_equal((char *)part.iov_base, TEXT);
    expect_service(&s, &f);
    end(&s, &f);
}

/* As QEMU stops a device: first all of its queues, then it asks where they were. */
static void killed_before_it_says_where_a_queue_was(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    struct vhost_message base = {.header = {VHOST_GET_VRING_BASE, 0, sizeof base.state}};
    set_up(&s, &f, &two_queues);
    for (int i = 0; i < 5; i++)
        expect_service(&s, &f);
    assert_int_equal(enable(&f, 0, 0), 0);
    kill_worker(&s);
    assert_int_equal(front_ask(&f, &base), 0);
    assert_int_equal(base.state.number, 5);
    end(&s, &f);
}

/* ------------------------------------------------------- what the next one knows */

/* It reaches the guest's memory that the last table tells of. */
static void memory_that_was_told_again(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    set_up(&s, &f, &two_queues);
    for (unsigned regions = 8; regions > 0; regions /= 2) {
        f.options.regions = regions;
        assert_int_equal(front_tell_memory(&f), 0);
        kill_worker(&s);
        expect_service(&s, &f);
        usleep(1050000); /* a worker with a shorter life is followed after a pause */
    }
    end(&s, &f);
}

/* It tells of a size that changed while there was none. */
static void a_disk_that_grew_without_a_worker(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    int ends[2];
    const struct vhost_message backend = {.header = {VHOST_SET_BACKEND_REQ_FD, 0, 0}};
    struct vhost_message told;
    set_up(&s, &f, &two_queues);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(front_tell(&f, &backend, &ends[1], 1), 0);
    fd_close(ends[1]);
    assert_int_equal(ask_something(&f), 0);
    pid_t worker = served_worker(&s);
    kill(worker, SIGKILL);
    assert_int_equal(ftruncate(s.fd, 2 * DISK_BYTES), 0);
    await_another(&s, worker);
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, WAIT_MSEC), 1);
    assert_int_equal(recv(ends[0], &told.header, sizeof told.header, 0), sizeof told.header);
    assert_int_equal(told.header.request, VHOST_BACKEND_CONFIG_CHANGE);
    fd_close(ends[0]);
    end(&s, &f);
}

/* ------------------------------------------------- front ends that cannot go on */

static bool is_disconnected(const struct front *f)
{
    struct pollfd p = {.fd = f->socket};
    return poll(&p, 1, WAIT_MSEC) == 1 && p.revents & POLLHUP;
}

/* Only the front end knows where its queues were, even if they were stopped. */
static void a_front_end_without_a_list(void **state)
{
    (void)state;
    struct served s;
    struct front f;
    struct front_options o = two_queues;
    o.no_inflight = true;
    set_up(&s, &f, &o);
    expect_service(&s, &f);
    assert_int_equal(enable(&f, 0, 0), 0);
    assert_int_equal(enable(&f, 1, 0), 0);
    kill_worker(&s);
    assert_true(is_disconnected(&f));
    assert_int_equal(front_reconnect(&f, served_connect(&s)), 0);
    expect_service(&s, &f);
    end(&s, &f);
}

/* It is refused at once, though keeper and worker both have its connection. What it has sent is not the next
 * one's: nobody serves its queue. */
static void a_front_end_that_is_refused(void **state)
{
    (void)state;
    struct served s;
    struct front f, next = {.inflight_fd = -1, .memory_fd = -1};
    const struct vhost_message wrong = {.header = {VHOST_SET_VRING_NUM, 0, 8}, .state = {0, 3}};
    set_up(&s, &f, &two_queues);
    assert_int_equal(front_tell(&f, &wrong, NULL, 0), 0);
    assert_true(is_disconnected(&f));
    next.socket = served_connect(&s);
    assert_int_equal(ask_something(&next), 0);
    const struct iovec part = {front_room(&f, 512, 512), 512};
    put_and_kick(&f, &part);
    kill_worker(&s);
    assert_int_equal(ask_something(&next), 0);
    assert_false(is_answered(&f));
    front_close(&next);
    end(&s, &f);
}

/* Both are gone at the same time; the next front end is served. */
static void a_front_end_that_goes_with_its_worker(void **state)
{
    (void)state;
    struct served s;
    struct front f, next;
    set_up(&s, &f, &two_queues);
    kill(served_worker(&s), SIGKILL);
    front_close(&f);
    assert_int_equal(front_open(&next, served_connect(&s), &two_queues), 0);
    expect_service(&s, &next);
    end(&s, &next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(killed_before_each_message, begin),
        cmocka_unit_test_setup(killed_before_each_acknowledged_message, begin),
        cmocka_unit_test_setup(killed_within_a_message, begin),
        cmocka_unit_test_setup(killed_with_messages_waiting, begin),
        cmocka_unit_test_setup(a_message_in_two_pieces, begin),
        cmocka_unit_test_setup(killed_while_stopped, begin),
        cmocka_unit_test_setup(killed_before_it_says_where_a_queue_was, begin),
        cmocka_unit_test_setup(memory_that_was_told_again, begin),
        cmocka_unit_test_setup(a_disk_that_grew_without_a_worker, begin),
        cmocka_unit_test_setup(a_front_end_without_a_list, begin),
        cmocka_unit_test_setup(a_front_end_that_is_refused, begin),
        cmocka_unit_test_setup(a_front_end_that_goes_with_its_worker, begin),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
