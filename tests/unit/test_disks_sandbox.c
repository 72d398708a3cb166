/* SPDX-License-Identifier: Apache-2.0 */
/* What the processes of mayfly-disks cannot do, tried by a process that has become one. */
#include "base/fd.h"
#include "disks/io.h"
#include "disks/sandbox.h"

#include "child.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The wait status of a child that enters the sandbox and then does `act`. */
static int status_of(bool as_worker, int (*act)(void))
{
    pid_t child = fork();
    if (child == 0) {
        int r = sandbox_keeper(NULL);
        if (r == 0 && as_worker)
            r = sandbox_worker(NULL);
        _exit(r < 0 ? 99 : act());
    }
    int status = child_status(child);
    return status;
}

static void expect_exit(bool as_worker, int (*act)(void), int code)
{
    int status = status_of(as_worker, act);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), code);
}

static void expect_killed(bool as_worker, int (*act)(void))
{
    int status = status_of(as_worker, act);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int open_file(void)
{
    return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0) < 0 ? 7 : 0;
}

static int make_socket(void)
{
    return (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static int start_program(void)
{
    return (int)syscall(SYS_execve, "/bin/true", NULL, NULL);
}

static int start_process(void)
{
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    return child < 0 ? 7 : 0;
}

static int make_ring(void)
{
    return (int)syscall(SYS_io_uring_setup, 8, NULL);
}

static int be_dumped(void)
{
    return prctl(PR_GET_DUMPABLE) == 0 ? 7 : 0;
}

/* A descriptor whose kernel would send signals to others: to nobody, or to any process of the user's. */
static int choose_a_victim(void)
{
    return fcntl(STDIN_FILENO, F_SETOWN, getpid()) < 0 ? 7 : 0;
}

static int choose_a_signal(void)
{
    return fcntl(STDIN_FILENO, F_SETSIG, SIGKILL) < 0 ? 7 : 0;
}

static int have_signals_sent(void)
{
    return fcntl(STDIN_FILENO, F_SETFL, O_ASYNC) < 0 ? 7 : 0;
}

static int take_a_lease(void)
{
    return fcntl(STDIN_FILENO, F_SETLEASE, F_RDLCK) < 0 && errno == EPERM ? 7 : 0;
}

static int look_at_a_file(void)
{
    struct stat st;
    return syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0) < 0 ? 7 : 0;
}

static int change_a_socket(void)
{
    int one = 1;
    return setsockopt(STDIN_FILENO, SOL_SOCKET, SO_PASSCRED, &one, sizeof one) < 0 && errno == EPERM ? 7 : 0;
}

/* What they need of the same calls. */
static int use_descriptors(void)
{
    struct stat st;
    int domain;
    socklen_t size = sizeof domain;
    bool works = fcntl(STDIN_FILENO, F_GETFD) >= 0 && fcntl(STDIN_FILENO, F_GETFL) >= 0 &&
                 fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) == 0 && fstat(STDIN_FILENO, &st) == 0 &&
                 (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 || errno == ENOTSOCK);
    return works ? 7 : 0;
}

static int signal_a_thread(void)
{
    return syscall(SYS_tgkill, 1, 1, 0) < 0 && errno == EPERM ? 7 : 0;
}

static int signal_a_process(void)
{
    return kill(getpid(), 0);
}

static void what_both_cannot(void **state)
{
    (void)state;
    for (int worker = 0; worker < 2; worker++) {
        expect_exit(worker, open_file, 7);
        expect_exit(worker, choose_a_victim, 7);
        expect_exit(worker, choose_a_signal, 7);
        expect_exit(worker, have_signals_sent, 7);
        expect_exit(worker, take_a_lease, 7);
        expect_exit(worker, look_at_a_file, 7);
        expect_exit(worker, change_a_socket, 7);
        expect_exit(worker, use_descriptors, 7);
        expect_killed(worker, make_socket);
        expect_killed(worker, start_program);
    }
    expect_exit(false, be_dumped, 7);
}

static void what_the_worker_cannot(void **state)
{
    (void)state;
    expect_exit(false, start_process, 0);
    expect_exit(true, start_process, 7);
    expect_exit(true, signal_a_thread, 7);
    expect_killed(true, make_ring);
    expect_killed(true, signal_a_process);
}

/* ------------------------------------------------------- io_uring's own way */

/* The result of one request that was put into the ring of an `io` by its descriptor. */
static int by_ring(struct io *io, void (*prepare)(struct io_uring_sqe *sqe))
{
    struct io_uring *ring = io_ring(io);
    struct io_uring_cqe *cqe;
    prepare(io_uring_get_sqe(ring));
    assert_true(io_uring_submit(ring) >= 0);
    assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
    int r = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return r;
}

static void open_by_ring(struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void read_another_file(struct io_uring_sqe *sqe)
{
    static uint8_t byte;
    io_uring_prep_read(sqe, STDIN_FILENO, &byte, 1, 0);
}

static void a_ring_leads_to_its_disk_alone(void **state)
{
    (void)state;
    char folder[64], path[80];
    struct io *io = NULL;
    struct error e = ERROR_NONE;
    assert_int_equal(fd_temporary_folder(folder, sizeof folder), 0);
    snprintf(path, sizeof path, "%s/disk", folder);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_ok(io_new(fd, -1, &io, &e), e);
    assert_false(io_is_immediate(io)); /* not in a tmpfs, and io_uring is there */
    assert_int_equal(by_ring(io, open_by_ring), -EACCES);
    assert_int_equal(by_ring(io, read_another_file), -EACCES);
    io_free(io);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_both_cannot),
        cmocka_unit_test(what_the_worker_cannot),
        cmocka_unit_test(a_ring_leads_to_its_disk_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
