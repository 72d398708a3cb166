/* SPDX-License-Identifier: Apache-2.0 */
/* Whole imports through the real qemu-nbd, each compared byte for byte with what `qemu-img convert -O raw`
 * makes of the same image; the target is noise before, so that a hole that was left out shows. */
#include "base/fd.h"
#include "base/str.h"
#include "child.h"
#include "image-files.h"
#include "image/image-internal.h"

#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define NOISE 0xa5

struct watch {
    uint64_t last, total, stop_at, kill_at;
    unsigned calls;
    bool backwards;
    const struct image *image;
};

static void update(void *context, uint64_t done, uint64_t total)
{
    struct watch *w = context;
    w->backwards |= done <= w->last || total != w->total || done - w->last > 18 << 20;
    w->last = done;
    w->calls++;
    if (w->kill_at && done >= w->kill_at && w->image->server.pid > 0)
        kill(w->image->server.pid, SIGKILL);
}

static bool stopped(void *context)
{
    struct watch *w = context;
    return w->stop_at && w->last >= w->stop_at;
}

/* A target of `bytes` bytes of noise. */
static int make_target(const char *path, uint64_t bytes)
{
    static uint8_t noise[1 << 20];
    memset(noise, NOISE, sizeof noise);
    int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                  : memfd_create("target", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    for (uint64_t at = 0; at < bytes; at += sizeof noise) {
        size_t n = bytes - at < sizeof noise ? (size_t)(bytes - at) : sizeof noise;
        assert_int_equal(fd_pwrite_all(fd, noise, n, at), 0);
    }
    return fd;
}

static void compare(int fd, const char *wanted_path, uint64_t bytes, uint64_t all_bytes)
{
    static uint8_t got[1 << 20], wanted[1 << 20];
    _cleanup_close_ int w = open(wanted_path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(lseek(w, 0, SEEK_END), bytes);
    for (uint64_t at = 0; at < all_bytes; at += sizeof got) {
        size_t n = all_bytes - at < sizeof got ? (size_t)(all_bytes - at) : sizeof got;
        size_t of_image = at >= bytes ? 0 : bytes - at < n ? (size_t)(bytes - at) : n;
        memset(wanted, NOISE, n);
        assert_int_equal(fd_pread_all(w, wanted, of_image, at), 0);
        assert_int_equal(fd_pread_all(fd, got, n, at), 0);
        if (memcmp(got, wanted, n) != 0)
            fail_msg("%s: differs in the MiB at %llu", wanted_path, (unsigned long long)at);
    }
}

#define DEVICES_MAX 3

/* `file` is imported to `n` targets at a time, each with 1 MiB and 512 bytes more. `target`: how their names
 * begin, or NULL for memfds. */
static void import_to(const char *file, const char *format, const char *target, size_t n)
{
    _cleanup_image_ struct image *i = NULL;
    struct opened disks[DEVICES_MAX];
    struct image_target targets[DEVICES_MAX];
    int flags[DEVICES_MAX];
    struct error e = ERROR_NONE;
    assert_ok(image_open(&(struct image_source){.path = file, .format = format}, &i, &e), e);
    uint64_t bytes = image_size_bytes(i), all = bytes + (1 << 20) + 512;
    struct watch w = {.total = bytes * n};
    struct image_progress p = {.update = update, .stopped = stopped, .context = &w};
    for (size_t d = 0; d < n; d++) {
        char path[64];
        snprintf(path, sizeof path, "%s%zu", target ? target : "", d);
        disks[d] = (struct opened){.fd = make_target(target ? path : NULL, all)};
        targets[d] = (struct image_target){.disk = &disks[d], .name = "disk"};
        flags[d] = fcntl(disks[d].fd, F_GETFL);
    }
    assert_ok(image_import(i, targets, n, &p, &e), e);
    assert_false(w.backwards);
    assert_int_equal(w.last, bytes * n);

    _cleanup_free_ char *line =
        str_format("qemu-img convert %s %s -O raw %s wanted", format ? "-f" : "", format ? format : "", file);
    assert_non_null(line);
    run(line);
    for (size_t d = 0; d < n; d++) {
        assert_int_equal(fcntl(disks[d].fd, F_GETFL), flags[d]);
        compare(disks[d].fd, "wanted", bytes, all);
        opened_close(&disks[d]);
    }
    i = image_close(i);
    assert_int_equal(count_children(), 0);
}

static void import_equals_convert(const char *file, const char *format, const char *target)
{
    import_to(file, format, target, 1);
}

static void every_format_comes_out_right(void **state)
{
    (void)state;
    run("qemu-img create -q -f raw base.raw 21M\n"
        "qemu-io -f raw -c 'write -P 1 0 1M' -c 'write -P 2 3M 5M' -c 'write -P 3 20000k 512' -c 'write -P 9 "
        "22019584 512' "
        "base.raw >/dev/null\n"
        "dd if=/dev/urandom of=base.raw bs=1M seek=9 count=4 conv=notrunc status=none\n"
        "qemu-img convert -f raw -O qcow2 base.raw plain.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -o compat=0.10 base.raw old.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -c base.raw zlib.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -c -o compression_type=zstd base.raw zstd.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -o extended_l2=on,cluster_size=128k base.raw wide.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -o cluster_size=512 base.raw small.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -c -o cluster_size=2M base.raw large.qcow2\n"
        "qemu-img convert -f raw -O qcow2 -o preallocation=full base.raw full.qcow2\n"
        "cp plain.qcow2 snapshot.qcow2; qemu-img snapshot -c one snapshot.qcow2");
    static const char *const files[] = {"base.raw",   "plain.qcow2",   "old.qcow2",   "zlib.qcow2",
                                        "zstd.qcow2", "wide.qcow2",    "small.qcow2", "large.qcow2",
                                        "full.qcow2", "snapshot.qcow2"};
    for (size_t n = 0; n < ARRAY_SIZE(files); n++) {
        import_equals_convert(files[n], n ? NULL : "raw", "target");
        import_equals_convert(files[n], n ? NULL : "raw", NULL);
    }
}

static void odd_sizes_come_out_right(void **state)
{
    (void)state;
    run("dd if=/dev/urandom of=odd.raw bs=1000001 count=5 status=none; dd if=/dev/urandom of=tiny.raw bs=1 "
        "count=7 status=none\n"
        "cp odd.raw odd512.raw; truncate -s 5000192 odd512.raw; qemu-img convert -f raw -O qcow2 odd512.raw "
        "odd.qcow2");
    import_equals_convert("odd.raw", "raw", "target");
    import_equals_convert("tiny.raw", "raw", "target");
    import_equals_convert("odd.qcow2", NULL, "target");
    import_equals_convert("odd.qcow2", "raw", "target"); /* a qcow2 as it is, for who says so */
}

static void many_devices_come_out_right(void **state)
{
    (void)state;
    run("dd if=/dev/urandom of=many.raw bs=1M count=21 status=none; truncate -s 30M many.raw\n"
        "printf x | dd of=many.raw bs=1 seek=31455720 conv=notrunc status=none; truncate -s 31457792 "
        "many.raw\n"
        "qemu-img convert -f raw -O qcow2 -c many.raw many.qcow2");
    import_to("many.raw", "raw", "target", DEVICES_MAX);
    import_to("many.qcow2", NULL, "target", DEVICES_MAX);
    import_to("many.qcow2", NULL, NULL, DEVICES_MAX);
}

/* Where seccomp forbids io_uring, in a process of its own. */
static void it_does_without_io_uring(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        if (!ctx || seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0) < 0 ||
            seccomp_load(ctx) < 0)
            _exit(1);
        seccomp_release(ctx);
        if (syscall(SYS_io_uring_setup, 4, NULL) >= 0 || errno != EPERM)
            _exit(2);
        import_to("many.raw", "raw", "target", 2);
        import_to("many.qcow2", NULL, "target", 2);
        _exit(0);
    }
    assert_int_equal(child_status(pid), 0);
}

static void large_holes_are_zeros(void **state)
{
    (void)state;
    run("qemu-img create -q -f qcow2 sparse.qcow2 1100M\n"
        "qemu-io -c 'write -P 1 500M 64k' -c 'write -P 2 1073676288 128k' sparse.qcow2 >/dev/null");
    import_equals_convert("sparse.qcow2", NULL, NULL);
    run("rm wanted");
}

/* One import that must fail, on a target of noise. */
static int failing(const char *file, int fd, struct watch *w, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    *e = ERROR_NONE;
    assert_ok(image_open(&(struct image_source){.path = file}, &i, e), *e);
    w->total = image_size_bytes(i);
    w->image = i;
    struct image_progress p = {.update = update, .stopped = stopped, .context = w};
    const struct image_target target = {.disk = &(struct opened){.fd = fd}, .name = "some-disk"};
    int r = image_import(i, &target, 1, &p, e);
    i = image_close(i);
    assert_int_equal(count_children(), 0);
    return r;
}

static void failures_are_told(void **state)
{
    (void)state;
    struct watch w = {0};
    struct error e;
    run("dd if=/dev/urandom of=data.raw bs=1M count=40 status=none\n"
        "qemu-img convert -f raw -O qcow2 data.raw data.qcow2");
    _cleanup_close_ int small = make_target("small", (40 << 20) - 512);
    assert_error(failing("data.raw", small, &w, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "do not fit"));
    run("tr -d '\\245' < small | cmp - /dev/null"); /* noise, still */

    _cleanup_close_ int fd = make_target("target", 40 << 20);
    w = (struct watch){.stop_at = 6 << 20};
    assert_error(failing("data.raw", fd, &w, &e), -ECANCELED, e);
    assert_in_range(w.last, 6 << 20, 20 << 20);

    w = (struct watch){.kill_at = 4 << 20};
    assert_error(failing("data.qcow2", fd, &w, &e), -EIO, e);
    assert_non_null(strstr(e.text, "killed by signal 9"));

    /* Sealed against writing: what a device that is read-only would say. */
    _cleanup_close_ int sealed = make_target(NULL, 40 << 20);
    assert_int_equal(fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE), 0);
    w = (struct watch){0};
    assert_error(failing("data.raw", sealed, &w, &e), -EPERM, e);
    assert_non_null(strstr(e.text, "some-disk cannot be written at byte "));
}

/* One of several cannot be written to: the error says which, and ends it for all. */
static void the_disk_that_fails_is_named(void **state)
{
    (void)state;
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    run("dd if=/dev/urandom of=data.raw bs=1M count=40 status=none");
    assert_ok(image_open(&(struct image_source){.path = "data.raw"}, &i, &e), e);
    const struct opened disks[] = {{.fd = make_target("target0", 40 << 20)},
                                   {.fd = make_target(NULL, 40 << 20)},
                                   {.fd = make_target("target2", 40 << 20)}};
    struct image_target targets[] = {{&disks[0], "good"}, {&disks[1], "bad"}, {&disks[2], "fine"}};
    assert_int_equal(fcntl(disks[1].fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    assert_error(image_import(i, targets, 3, NULL, &e), -EPERM, e);
    assert_non_null(strstr(e.text, "disk bad cannot be written at byte "));

    e = ERROR_NONE; /* a raw image may be had again */
    targets[1] = targets[2];
    assert_ok(image_import(i, targets, 2, NULL, &e), e);
    run("cmp data.raw target0; cmp data.raw target2");
}

static int import_expecting(const char *file, const char *sha256, struct error *e)
{
    _cleanup_image_ struct image *i = NULL;
    _cleanup_close_ int fd = make_target("target", 41 << 20);
    const struct image_target target = {.disk = &(struct opened){.fd = fd}, .name = "disk"};
    *e = ERROR_NONE;
    assert_ok(image_open(&(struct image_source){.path = file}, &i, e), *e);
    int r = image_expect(i, sha256, e);
    if (r == 0)
        r = image_import(i, NULL, 0, NULL, e); /* before anything is written */
    return r < 0 ? r : image_import(i, &target, 1, NULL, e);
}

static void another_image_is_refused(void **state)
{
    (void)state;
    struct error e;
    char sum[65] = "";
    run("dd if=/dev/urandom of=data.raw bs=1M count=9 status=none; truncate -s 38M data.raw; printf x >> "
        "data.raw\n"
        "truncate -s 39846400 data.raw; qemu-img convert -f raw -O qcow2 -c data.raw data.qcow2\n"
        "sha256sum data.raw > sum");
    _cleanup_close_ int fd = open("sum", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fd_read_all(fd, sum, 64), 0);
    assert_ok(import_expecting("data.raw", sum, &e), e);
    assert_ok(import_expecting("data.qcow2", sum, &e), e);
    sum[0] = sum[0] == '0' ? '1' : '0';
    assert_error(import_expecting("data.qcow2", sum, &e), -EINVAL, e);
    assert_non_null(strstr(e.text, "is not the expected one"));
    assert_non_null(strstr(e.text, sum + 1)); /* and what it is instead */
    const char *const no_sums[] = {"", "ab", "xyz", sum + 2};
    for (size_t n = 0; n < ARRAY_SIZE(no_sums); n++)
        assert_error(import_expecting("data.raw", no_sums[n], &e), -EINVAL, e);
}

/* sha256sum(1) knows nothing of sectors. */
static void sums_of_odd_sizes(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1, 511, 513, 4097, 262143, 1000001};
    for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
        struct error e;
        char line[200], sum[65] = "";
        snprintf(line, sizeof line, "head -c %u /dev/urandom > odd; sha256sum odd > sum", sizes[n]);
        run(line);
        _cleanup_close_ int fd = open("sum", O_RDONLY | O_CLOEXEC);
        assert_int_equal(fd_read_all(fd, sum, 64), 0);
        assert_ok(import_expecting("odd", sum, &e), e);
        sum[0] = sum[0] == '0' ? '1' : '0';
        assert_error(import_expecting("odd", sum, &e), -EINVAL, e);
    }
}

/* A file that becomes shorter while it is read must not look like zeros. It is cut further on than the reader
 * can have come by the first call of progress: what is told of, and all blocks twice. Of the reads behind the
 * cut, which are under way together, any may be told of. */
static void truncate_it(void *context, uint64_t done, uint64_t total)
{
    (void)done, (void)total;
    assert_int_equal(truncate(context, 70 << 20), 0);
}

static void a_shrinking_file_is_told(void **state)
{
    (void)state;
    _cleanup_image_ struct image *i = NULL;
    struct error e = ERROR_NONE;
    char name[] = "data.raw";
    run("dd if=/dev/urandom of=data.raw bs=1M count=80 status=none");
    assert_ok(image_open(&(struct image_source){.path = name}, &i, &e), e);
    _cleanup_close_ int fd = make_target("target", 80 << 20);
    const struct image_target target = {.disk = &(struct opened){.fd = fd}, .name = "disk"};
    const struct image_progress p = {.update = truncate_it, .context = name};
    assert_error(image_import(i, &target, 1, &p, &e), -EIO, e);
    const char *where = strstr(e.text, "cannot be read at byte ");
    assert_non_null(where);
    assert_in_range(strtoull(where + strlen("cannot be read at byte "), NULL, 10), 70 << 20, (80 << 20) - 1);
}

static void a_full_device_is_told(void **state)
{
    (void)state;
    struct rlimit before, limited;
    struct watch w = {0};
    struct error e;
    run("dd if=/dev/urandom of=data.raw bs=1M count=40 status=none");
    _cleanup_close_ int fd = make_target("target", 40 << 20);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limited = before;
    limited.rlim_cur = 10 << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    int r = failing("data.raw", fd, &w, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_error(r, -EFBIG, e);
    assert_non_null(
        strstr(e.text, "some-disk cannot be written at byte 1")); /* 0485760, or one under way with it */
}

/* Within its last cluster a cut is not noticed when the image is opened (image.h): beyond its end there are
 * zeros then, or, for most of what is compressed, an error; never another's bytes. */
static void cut_off_data(void **state)
{
    (void)state;
    run("dd if=/dev/urandom of=data.raw bs=1M count=3 status=none; yes mayfly | head -c 9M >> data.raw\n"
        "qemu-img convert -f raw -O qcow2 data.raw cut.qcow2; truncate -s -1000 cut.qcow2\n"
        "qemu-img convert -c -f raw -O qcow2 data.raw cutc.qcow2; truncate -s -3000 cutc.qcow2");
    import_equals_convert("cut.qcow2", NULL, "target");
    _cleanup_close_ int fd = make_target("target", 12 << 20);
    struct watch w = {0};
    struct error e;
    assert_error(failing("cutc.qcow2", fd, &w, &e), -EIO, e);
    assert_non_null(strstr(e.text, "cannot be read at byte "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_comes_out_right),
        cmocka_unit_test(odd_sizes_come_out_right),
        cmocka_unit_test(many_devices_come_out_right),
        cmocka_unit_test(it_does_without_io_uring),
        cmocka_unit_test(large_holes_are_zeros),
        cmocka_unit_test(failures_are_told),
        cmocka_unit_test(the_disk_that_fails_is_named),
        cmocka_unit_test(another_image_is_refused),
        cmocka_unit_test(sums_of_odd_sizes),
        cmocka_unit_test(a_shrinking_file_is_told),
        cmocka_unit_test(a_full_device_is_told),
        cmocka_unit_test(cut_off_data),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
