/* SPDX-License-Identifier: Apache-2.0 */
/* An image that is opened and imported while each call of the system fails once, in us and in what is forked:
 * each is told or made up for, and leaves no process and no descriptor. */
#include "base/fd.h"
#include "fail-once.h"
#include "image-files.h"
#include "image/image.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

WRAP(void *, malloc, NO_MEMORY, (size_t size), (size))
WRAP(void *, calloc, NO_MEMORY, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NO_MEMORY, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, NO_MEMORY, (void *old, size_t n, size_t size), (old, n, size))
WRAP(char *, strdup, NO_MEMORY, (const char *text), (text))
WRAP(int, open64, IO_ERROR, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAP(int, fstat64, IO_ERROR, (int fd, struct stat *st), (fd, st))
WRAP(off64_t, lseek64, IO_ERROR, (int fd, off64_t at, int from), (fd, at, from))
WRAP(int, socket, IO_ERROR, (int family, int type, int protocol), (family, type, protocol))
WRAP(int, socketpair, IO_ERROR, (int family, int type, int protocol, int *fds), (family, type, protocol, fds))
WRAP(int, bind, IO_ERROR, (int fd, const struct sockaddr *a, socklen_t size), (fd, a, size))
WRAP(int, listen, IO_ERROR, (int fd, int n), (fd, n))
WRAP(int, pipe2, IO_ERROR, (int *fds, int flags), (fds, flags))
WRAP(int, memfd_create, IO_ERROR, (const char *name, unsigned flags), (name, flags))
WRAP(int, mlock, IO_ERROR, (const void *map, size_t size), (map, size))
WRAP(pid_t, fork, IO_ERROR, (void), ())
WRAP(char *, mkdtemp, (errno = EIO, NULL), (char *path), (path))

/* --- what is tried --- */

static const char *path; /* of the image, made or read */
static bool early;       /* it is opened before */
static struct secret *key;
static struct opened disk = OPENED_NONE;

static int import(struct error *e)
{
    struct image_early opened = {.is_open = false};
    _cleanup_image_ struct image *i = NULL;
    const struct image_target to = {.disk = &disk, .name = "disk"};
    int r = early ? image_open_early(path, &opened, e) : 0;
    if (r == 0)
        r = image_open(&(struct image_source){.path = path, .early = early ? &opened : NULL, .key = key}, &i,
                       e);
    if (r == 0)
        r = image_import(i, &to, 1, NULL, e);
    i = image_close(i);
    image_early_close(&opened);
    return r;
}

static int export(struct error *e)
{
    _cleanup_close_ int fd = __real_open64(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return image_export(&disk, fd, "disk", key, NULL, e);
}

static int stream(struct error *e)
{
    _cleanup_close_ int fd = __real_open64(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return image_stream(&disk, fd, "disk", NULL, e);
}

/* Of the first `max` calls. */
static void assert_failures_are_told(const char *file, int (*act)(struct error *e), unsigned max)
{
    int descriptors = count_descriptors();
    unsigned n = 0;
    path = file;
    do {
        struct error e = ERROR_NONE;
        (void)!run_with_failure(path, ++n, act, &e);
        assert_int_equal(count_children(), 0);
        assert_int_equal(count_descriptors(), descriptors);
    } while (failed && n < max);
    assert_true(n > 3);
}

static void assert_each_failure_is_told(const char *file, int (*act)(struct error *e))
{
    assert_failures_are_told(file, act, 1000);
}

static int have_a_disk(void **state)
{
    (void)state;
    disk.fd = memfd_create("disk", MFD_CLOEXEC);
    return disk.fd < 0 || ftruncate(disk.fd, 1 << 20) < 0 || fd_pwrite_all(disk.fd, "data", 4, 65536) < 0;
}

static int drop_it(void **state)
{
    (void)state;
    opened_close(&disk);
    key = secret_free(key);
    early = false;
    return 0;
}

static void failures_of_a_raw_image_are_told(void **state)
{
    (void)state;
    run("head -c 300000 /dev/urandom > a.raw");
    assert_each_failure_is_told("a.raw", import);
    early = true;
    assert_each_failure_is_told("a.raw", import);
}

static void failures_of_a_qcow2_are_told(void **state)
{
    (void)state;
    run("qemu-img create -q -f qcow2 a.qcow2 1M; qemu-io -f qcow2 -c 'write 64k 64k' a.qcow2 >/dev/null");
    assert_each_failure_is_told("a.qcow2", import);
}

static void failures_of_an_export_are_told(void **state)
{
    (void)state;
    assert_each_failure_is_told("b.raw", stream);
    assert_each_failure_is_told("b.qcow2", export);
}

/* Up to the start of qemu-img, which measures the processor for LUKS: that takes seconds. */
static void failures_to_hand_a_key_over_are_told(void **state)
{
    (void)state;
    struct error e = ERROR_NONE;
    assert_ok(secret_new(32, &key, &e), e);
    memset(secret_bytes(key), 'k', 32);
    assert_failures_are_told("c.qcow2", export, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(failures_of_a_raw_image_are_told, have_a_disk, drop_it),
        cmocka_unit_test_setup_teardown(failures_of_a_qcow2_are_told, have_a_disk, drop_it),
        cmocka_unit_test_setup_teardown(failures_of_an_export_are_told, have_a_disk, drop_it),
        cmocka_unit_test_setup_teardown(failures_to_hand_a_key_over_are_told, have_a_disk, drop_it),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
