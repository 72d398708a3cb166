/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be on the disk before the next step, and so outlives a power cut: new file systems, zeros over
 * a plain volume, libvirt's definitions, an image and its name. Linked with --wrap of the calls that are
 * looked at; the folder of the definitions is another one here, and a file stands for a device. */
#include "base/fd.h"
#include "base/str.h"
#include "broker/device.h"
#include "broker/operations.h"
#include "broker/sandbox.h"
#include "image/file.h"
#include "storage/mkfs.h"
#include "unit.h"
#include "virt/connection.h"

#include "folder.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNCED_MAX 16

static ino_t synced[SYNCED_MAX];
static size_t n_synced;
static bool linked_too_early; /* a name was given to a file that was not synced yet */
static const char *definitions;

static bool is_synced(ino_t inode)
{
    for (size_t i = 0; i < n_synced; i++)
        if (synced[i] == inode)
            return true;
    return false;
}

static void note(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(n_synced < SYNCED_MAX);
    synced[n_synced++] = st.st_ino;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    note(fd);
    return __real_fsync(fd);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    note(fd);
    return __real_fdatasync(fd);
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    struct stat st;
    linked_too_early = stat(from, &st) < 0 || !is_synced(st.st_ino);
    return __real_linkat(from_fd, from, to_fd, to, flags);
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    char other[300];
    mode_t mode = 0;
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
        va_list ap;
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    if (definitions && str_starts(path, DOMAIN_DEFINITIONS)) {
        snprintf(other, sizeof other, "%s%s", definitions, path + strlen(DOMAIN_DEFINITIONS));
        path = other;
    }
    return __real_open64(path, flags, mode);
}

int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    struct stat st;
    if (request != BLKGETSIZE64 || fstat(fd, &st) < 0)
        return __real_ioctl(fd, request, argument);
    *(uint64_t *)argument = (uint64_t)st.st_size;
    return 0;
}

static char *get_system_uri(virConnectPtr connection)
{
    (void)connection;
    return strdup("qemu:///system");
}

static ino_t inode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void a_file_system_is(void **state)
{
    static const char *const kinds[] = {"ext4", "vfat", "swap"};
    const char *path = folder_path(state, "device");
    folder_write(state, "device", "");
    assert_int_equal(truncate(path, 8 << 20), 0);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        struct error e = ERROR_NONE;
        n_synced = 0;
        assert_ok(
            mkfs_make(&(struct mkfs){.fs = kinds[i], .label = "", .noise = true, .prepare = sandbox_mkfs},
                      path, &e),
            e);
        if (!is_synced(inode_of(path)))
            fail_msg("%s is not synced", kinds[i]);
    }
}

#define DISK_BYTES ((off_t)(70 << 20) + 4096 * 3) /* more than one request, and no multiple of it */

/* At the start, in the middle and at the end. */
static void a_volume_of_zeros_is(void **state)
{
    static const off_t marks[] = {0, 4 << 20, (64 << 20) - 4, 64 << 20, 69 << 20, DISK_BYTES - 4};
    const char *path = folder_path(state, "device");
    struct error e = ERROR_NONE;
    folder_write(state, "device", "");
    assert_int_equal(truncate(path, DISK_BYTES), 0);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
        assert_int_equal(pwrite(fd, "mark", 4, marks[i]), 4);
    const struct volume v = {.lv = "6e3a5a1e-0c8f-4f0e-9d38-0b3f5f6c7d8e_disk"};
    n_synced = 0;
    int r = device_zero(fd, &v, &e);
    if (r == -EINVAL)
        skip(); /* a file system without O_DIRECT */
    assert_ok(r, e);
    assert_true(is_synced(inode_of(path)));
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        char there[4];
        assert_int_equal(pread(fd, there, 4, marks[i]), 4);
        assert_memory_equal(there, "\0\0\0\0", 4);
    }
}

/* By whoever may look into the folder: this process, or the broker. */
static void definitions_are(void **state)
{
    struct {
        struct virt v;
        void *room[16]; /* of the real one, whose connection is not looked at */
    } none = {.v = {.sync = NULL}};
    struct error e = ERROR_NONE;
    char folder[200];
    snprintf(folder, sizeof folder, "%s", folder_path(state, "qemu"));
    assert_int_equal(mkdir(folder, 0755), 0);
    definitions = folder;
    vir.ConnectGetURI = get_system_uri;
    n_synced = 0;
    assert_ok(do_SYNC_DOMAINS(NULL, NULL, -1, NULL, &e), e); /* nothing has ever had autostart */
    assert_true(is_synced(inode_of(folder)));

    const char *autostart = folder_path(state, "qemu/autostart");
    assert_int_equal(mkdir(autostart, 0755), 0);
    n_synced = 0;
    assert_ok(do_SYNC_DOMAINS(NULL, NULL, -1, NULL, &e), e);
    assert_true(is_synced(inode_of(folder)) && is_synced(inode_of(autostart)));
    n_synced = 0;
    assert_ok(definitions_make_durable(&none.v, &e), e);
    assert_true(is_synced(inode_of(folder)) && is_synced(inode_of(autostart)));

    assert_int_equal(rmdir(autostart), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_error(do_SYNC_DOMAINS(NULL, NULL, -1, NULL, &e), -ENOENT, e);
    definitions = NULL;
}

static char *get_session_uri(virConnectPtr connection)
{
    (void)connection;
    return strdup("qemu:///session");
}

/* A pool leaves that to this process, and its broker refuses to be asked. */
static void definitions_of_a_session_are(void **state)
{
    static const char *const parts[] = {"libvirt", "libvirt/qemu", "libvirt/qemu/autostart"};
    struct {
        struct virt v;
        void *room[16];
    } none = {.v = {.sync = NULL}};
    struct error e = ERROR_NONE;
    vir.ConnectGetURI = get_session_uri;
    assert_int_equal(setenv("XDG_CONFIG_HOME", *state, 1), 0);
    assert_ok(definitions_make_durable(&none.v, &e), e); /* nothing was ever defined */
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        assert_int_equal(mkdir(folder_path(state, parts[i]), 0700), 0);
    n_synced = 0;
    assert_ok(definitions_make_durable(&none.v, &e), e);
    assert_true(is_synced(inode_of(folder_path(state, parts[1]))));
    assert_true(is_synced(inode_of(folder_path(state, parts[2]))));
}

static void an_image_is_before_it_has_its_name(void **state)
{
    _cleanup_image_file_ struct image_file *f = NULL;
    struct error e = ERROR_NONE;
    char path[200];
    snprintf(path, sizeof path, "%s", folder_path(state, "a.qcow2"));
    assert_ok(image_file_new(path, &f, &e), e);
    assert_int_equal(write(image_file_fd(f), "x", 1), 1);
    n_synced = 0;
    linked_too_early = true;
    assert_ok(image_file_link(f, &e), e);
    assert_false(linked_too_early);
    assert_true(is_synced(inode_of(*state)));
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    n_synced = 0;
    assert_ok(image_file_unlink(f, &e), e);
    assert_true(is_synced(inode_of(*state)));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_system_is),
        IN_FOLDER(a_volume_of_zeros_is),
        IN_FOLDER(definitions_are),
        IN_FOLDER(definitions_of_a_session_are),
        IN_FOLDER(an_image_is_before_it_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
