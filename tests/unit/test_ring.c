/* SPDX-License-Identifier: Apache-2.0 */
/* The ring, with io_uring and without it: short transfers, errors in the middle, more requests than it has
 * room for, descriptors that cannot be had by it. */
#include "child.h"
#include "image/ring.h"

#include "base/fd.h"
#include "image-files.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MANY  1000
#define BYTES 4096

static uint8_t data[MANY * BYTES];

static struct ring_request transfer(enum ring_operation operation, int fd, uint8_t *buffer, size_t bytes,
                                    uint64_t at)
{
    return (struct ring_request){
        .operation = operation, .fd = fd, .buffer = buffer, .bytes = bytes, .offset_bytes = at};
}

static struct ring_request *wait_done(struct ring *r)
{
    struct ring_request *q;
    while (!(q = ring_take_done(r))) {
        struct pollfd p = {.fd = ring_fd(r), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 10000), 1);
    }
    return q;
}

static int do_one(struct ring *r, struct ring_request q)
{
    ring_start(r, &q);
    assert_ptr_equal(wait_done(r), &q);
    assert_int_equal(ring_under_way(r), 0);
    return q.result;
}

static void more_than_it_holds(struct ring *r)
{
    static struct ring_request q[MANY];
    static uint8_t back[sizeof data];
    _cleanup_close_ int fd = memfd_create("many", MFD_CLOEXEC);
    for (size_t i = 0; i < MANY; i++)
        memset(data + i * BYTES, (int)(i % 251), BYTES);
    for (size_t i = 0; i < MANY; i++) {
        q[i] = transfer(RING_WRITE, fd, data + i * BYTES, BYTES, i * BYTES);
        q[i].owner = &q[i];
        ring_start(r, &q[i]);
    }
    assert_int_equal(ring_under_way(r), MANY);
    for (size_t i = 0; i < MANY; i++) {
        const struct ring_request *done = wait_done(r);
        assert_ptr_equal(done->owner, done);
        assert_int_equal(done->result, 0);
    }
    assert_null(ring_take_done(r));
    assert_int_equal(do_one(r, transfer(RING_SYNC, fd, NULL, 0, 0)), 0);
    assert_int_equal(do_one(r, transfer(RING_READ, fd, back, sizeof back, 0)), 0);
    assert_memory_equal(back, data, sizeof data);
}

static void the_end_of_a_file(struct ring *r)
{
    uint8_t buffer[200] = {0};
    _cleanup_close_ int fd = memfd_create("short", MFD_CLOEXEC);
    assert_int_equal(fd_pwrite_all(fd, "mayfly", 6, 0), 0);
    assert_int_equal(do_one(r, transfer(RING_READ, fd, buffer, sizeof buffer, 0)), -EIO);
    assert_memory_equal(buffer, "mayfly", 6);
}

/* The first part is written, and then what happened says the result. */
static void a_file_that_may_not_grow(struct ring *r)
{
    struct rlimit before, low;
    _cleanup_close_ int fd = open("limited", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 2 * BYTES;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    int result = do_one(r, transfer(RING_WRITE, fd, data, 3 * BYTES, 0));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(result, -EFBIG);
    assert_int_equal(lseek(fd, 0, SEEK_END), 2 * BYTES);
}

/* A memfd cannot zero a range, on any kernel so far: the zeros are written, in pieces. */
static void zeros(struct ring *r)
{
    static uint8_t back[(2 << 20) + 512];
    _cleanup_close_ int fd = memfd_create("zeros", MFD_CLOEXEC);
    memset(back, 1, sizeof back);
    assert_int_equal(fd_pwrite_all(fd, back, sizeof back, 0), 0);
    assert_int_equal(do_one(r, transfer(RING_ZERO, fd, NULL, sizeof back - 1, 0)), 0);
    assert_int_equal(fd_pread_all(fd, back, sizeof back, 0), 0);
    assert_true(back[0] == 0 && memcmp(back, back + 1, sizeof back - 2) == 0);
    assert_int_equal(back[sizeof back - 1], 1);
}

static void what_fails_says_so(struct ring *r)
{
    _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(do_one(r, transfer(RING_WRITE, fd, data, BYTES, 0)), -EBADF);
    assert_int_equal(do_one(r, transfer(RING_ZERO, fd, NULL, BYTES, 0)), -EBADF);
    assert_int_equal(do_one(r, transfer(RING_READ, fd, data, BYTES, 0)), -EIO);
}

static void all(bool with_io_uring)
{
    _cleanup_ring_ struct ring *r = NULL;
    assert_int_equal(ring_new(&r), 0);
    if (with_io_uring && ring_fd(r) < 0)
        skip(); /* this host has none */
    assert_int_equal(ring_fd(r) >= 0, with_io_uring);
    more_than_it_holds(r);
    the_end_of_a_file(r);
    a_file_that_may_not_grow(r);
    zeros(r);
    what_fails_says_so(r);
}

static void with_io_uring(void **state)
{
    (void)state;
    all(true);
}

static void without_io_uring(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(io_uring_setup), 0) < 0 ||
            seccomp_load(ctx) < 0)
            _exit(1);
        seccomp_release(ctx);
        all(false);
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

/* Nothing is left under way when it goes: the buffer may be the next one's. */
static void it_waits_at_its_end(void **state)
{
    (void)state;
    static struct ring_request q[50];
    struct ring *r = NULL;
    _cleanup_close_ int fd = memfd_create("end", MFD_CLOEXEC);
    assert_int_equal(ring_new(&r), 0);
    for (size_t i = 0; i < ARRAY_SIZE(q); i++) {
        q[i] = transfer(RING_WRITE, fd, data, sizeof data, i * sizeof data);
        ring_start(r, &q[i]);
    }
    assert_null(ring_free(r));
    for (size_t i = 0; i < ARRAY_SIZE(q); i++)
        assert_int_equal(q[i].done_bytes, sizeof data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_io_uring),
        cmocka_unit_test(without_io_uring),
        cmocka_unit_test(it_waits_at_its_end),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
